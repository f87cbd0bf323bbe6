/** Flink SQL on a cluster inside one process of its own: the distribution from its maintainers' Python package, Iceberg from Maven Central. */
import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { mkdir, readdir, rename, rm, stat, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'
import { type SqlEngine, sqlEngine } from '../script.ts'
import { cacheFolder, compiled, opened, startJava } from './artifacts.ts'

const run = promisify(execFile)

const VERSION = '2.1.3'
/** Maven Central lacks two jars of the distribution; this holds all of it. */
const PACKAGE = `apache-flink-libraries==${VERSION}`
const SHA256 = 'b48d3944755b9303f99d205ea1a9bcb798fc563a872c782393fb466f16d4f91c'

/** Starts a session in batch mode. `settings` as in Flink's configuration. */
export async function startFlink(
  settings: Readonly<Record<string, string>> = {},
): Promise<SqlEngine> {
  const lib = path.join(await distribution(), 'lib')
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

/** The folder with `lib`, fetched where the cache does not have it. */
async function distribution(): Promise<string> {
  const folder = path.join(cacheFolder(), 'flink', VERSION)
  if ((await stat(folder).catch(() => undefined)) !== undefined) return folder
  const work = `${folder}.${randomUUID()}`
  const unpacked = path.join(work, 'flink')
  await mkdir(unpacked, { recursive: true })
  try {
    const requirements = path.join(work, 'requirements.txt')
    await writeFile(requirements, `${PACKAGE} --hash=sha256:${SHA256}\n`)
    const options = ['--no-deps', '--no-binary', ':all:', '-r', requirements, '-d', work]
    await run('python3', ['-m', 'pip', '-q', 'download', ...options], {
      env: { ...process.env, TMPDIR: work },
    })
    const archive = (await readdir(work)).find((name) => name.endsWith('.tar.gz'))!
    const members = ['lib', 'plugins'].map(
      (part) => `apache_flink_libraries-${VERSION}/deps/${part}`,
    )
    const unpack = ['-xzf', path.join(work, archive), '-C', unpacked, '--strip-components=2']
    await run('tar', [...unpack, ...members])
    // Another process may have been first; its files are the same.
    await rename(unpacked, folder).catch(() => undefined)
  } finally {
    await rm(work, { recursive: true, force: true })
  }
  return folder
}
