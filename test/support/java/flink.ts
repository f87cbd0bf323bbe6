/** Flink SQL on a cluster inside one process of its own: the distribution from its maintainers' Python package, Iceberg from Maven Central. */
import { readdir } from 'node:fs/promises'
import path from 'node:path'
import { flinkDistribution } from '../../../src/cluster/flink-distribution.ts'
import { unwrap } from '../platform.ts'
import { type SqlEngine, sqlEngine } from '../script.ts'
import { cacheFolder, compiled, FETCH_PORTS, opened, startJava } from './artifacts.ts'

const CACHE = { cache: cacheFolder(), env: process.env }

/** Starts a session in batch mode. `settings` as in Flink's configuration. */
export async function startFlink(
  settings: Readonly<Record<string, string>> = {},
): Promise<SqlEngine> {
  const lib = path.join(unwrap(await flinkDistribution(CACHE, FETCH_PORTS)), 'lib')
  const jars = (await readdir(lib)).map((name) => path.join(lib, name))
  const classes = await compiled('FlinkScript', 'flink', jars)
  const args = Object.entries({ ...SMALL, ...settings }).map(([name, value]) => `${name}=${value}`)
  return sqlEngine('Flink', startJava(classes, 'FlinkScript', args, OPENS))
}

const SMALL = {
  'table.dml-sync': 'true',
  'table.local-time-zone': 'UTC',
  'parallelism.default': '1',
  'rest.bind-address': '127.0.0.1',
  'rest.address': '127.0.0.1',
  'rest.port': '0',
  'taskmanager.numberOfTaskSlots': '4',
  'taskmanager.memory.network.min': '32m',
  'taskmanager.memory.network.max': '32m',
  'taskmanager.memory.managed.size': '64m',
}

/** From the configuration that it ships with. */
const OPENS = [
  ...opened([
    'java.lang',
    'java.net',
    'java.io',
    'java.nio',
    'sun.nio.ch',
    'java.lang.reflect',
    'java.text',
    'java.time',
    'java.util',
    'java.util.concurrent',
    'java.util.concurrent.atomic',
    'java.util.concurrent.locks',
  ]),
  '-Dlog4j2.level=ERROR',
]
