/** Trino as a server of its own on loopback, with no connector but Iceberg's: the archives that its maintainers put on Maven Central. */
import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { globSync } from 'node:fs'
import { mkdir, readdir, rename, rm, stat, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'
import type { SqlEngine, SqlRow } from '../script.ts'
import { freePort } from '../ports.ts'
import { cacheFolder, fetched } from './artifacts.ts'

const run = promisify(execFile)

const VERSION = '476'
const SERVER = {
  name: `io/trino/trino-server-core/${VERSION}/trino-server-core-${VERSION}.tar.gz`,
  sha256: '0f388f9967c177ae70a47c099082fc95387f0c3cb96d8000d1d41fc3a5223158',
}
const ICEBERG = {
  name: `io/trino/trino-iceberg/${VERSION}/trino-iceberg-${VERSION}.zip`,
  sha256: '99edba5b491ed94d599aeb61e0794272d3569d8b563f3bb8569e8a49daa87b6c',
}
const JAVA_MIN = 24
const START_MS_MAX = 120_000

/** The newest Java of this machine, if it is new enough for Trino; nothing else needs one so new. */
export function javaOfTrino(): string | undefined {
  const homes = [process.env['JAVA_HOME'], ...globSync('/usr/lib/jvm/*')]
  const commands = homes.flatMap((home) => (home === undefined ? [] : [`${home}/bin/java`]))
  const found = ['java', ...commands]
    .map((command) => ({ command, major: majorOf(command) }))
    .toSorted((a, b) => b.major - a.major)[0]!
  if (found.major >= JAVA_MIN) return found.command
  return undefined
}

function majorOf(command: string): number {
  const { stderr } = spawnSync(command, ['-version'], { encoding: 'utf8' })
  return Number(/version "(\d+)/.exec(stderr ?? '')?.[1] ?? 0)
}

/** Starts it in an empty folder with one catalog, `lake`, of the properties given (the text of `etc/catalog/lake.properties`). */
export async function startTrino(folder: string, lake: string): Promise<SqlEngine> {
  const home = await distribution()
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const etc = path.join(folder, 'etc')
  await mkdir(path.join(etc, 'catalog'), { recursive: true })
  await writeFile(path.join(etc, 'catalog/lake.properties'), lake)
  const config = {
    coordinator: 'true',
    'node-scheduler.include-coordinator': 'true',
    'node.bind-ip': '127.0.0.1',
    'node.internal-address': '127.0.0.1',
    'http-server.http.port': port,
    'discovery.uri': url,
    'query.max-memory-per-node': '256MB',
    'catalog.config-dir': path.join(etc, 'catalog'),
  }
  const lines = Object.entries(config).map(([name, value]) => `${name}=${value}\n`)
  await writeFile(path.join(etc, 'config.properties'), lines.join(''))
  const args = [
    '-Xmx1g',
    '-XX:+UseSerialGC',
    '-XX:TieredStopAtLevel=1',
    '--add-modules=jdk.incubator.vector',
    `-Dconfig=${path.join(etc, 'config.properties')}`,
    `-Dplugin.dir=${path.join(home, 'plugin')}`,
    '-Dnode.environment=test',
    '-Dnode.id=one',
    `-Dnode.data-dir=${path.join(folder, 'data')}`,
    '-cp',
    path.join(home, 'lib/*'),
    'io.trino.server.TrinoServer',
  ]
  const child = spawn(javaOfTrino()!, args, { stdio: ['ignore', 'pipe', 'pipe'], cwd: folder })
  try {
    await started(child)
    await ready(url)
  } catch (cause) {
    child.kill('SIGKILL')
    throw cause
  }
  return {
    pid: child.pid!,
    sql: (statement) => query(url, statement),
    stop: () =>
      new Promise((resolve) => {
        child.once('close', () => resolve())
        child.kill('SIGKILL')
      }),
  }
}

function started(child: ChildProcess): Promise<void> {
  let text = ''
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new Error(`Trino did not start: ${text.slice(-4000)}`)),
      START_MS_MAX,
    )
    const look = (part: Buffer): void => {
      text = (text + part.toString()).slice(-50_000)
      if (!text.includes('SERVER STARTED')) return
      clearTimeout(timer)
      resolve()
    }
    child.stdout!.on('data', look)
    child.stderr!.on('data', look)
    child.once('close', (code) => reject(new Error(`Trino ended with ${code}: ${text}`)))
  })
}

/** A server that has started may not count itself among those that run queries yet. */
async function ready(url: string): Promise<void> {
  const since = Date.now()
  for (;;) {
    try {
      await query(url, 'select count(*) from system.runtime.nodes')
      return
    } catch (cause) {
      if (Date.now() - since > START_MS_MAX) throw cause
      await new Promise((resolve) => setTimeout(resolve, 250))
    }
  }
}

interface Page {
  readonly nextUri?: string
  readonly columns?: readonly { readonly name: string }[]
  readonly data?: readonly (readonly unknown[])[]
  readonly error?: { readonly message: string }
}

/** Its client protocol: pages of rows until no further one is named. */
async function query(url: string, body: string): Promise<SqlRow[]> {
  const headers = { 'x-trino-user': 'test', 'x-trino-time-zone': 'UTC' }
  const page = async (response: Response): Promise<Page> => (await response.json()) as Page
  let each = await page(await fetch(`${url}/v1/statement`, { method: 'POST', headers, body }))
  const rows: SqlRow[] = []
  for (;;) {
    if (each.error !== undefined) throw new Error(`Trino: ${each.error.message}`)
    const names = each.columns?.map(({ name }) => name) ?? []
    for (const row of each.data ?? []) {
      rows.push(Object.fromEntries(row.map((value, i) => [names[i]!, value])))
    }
    if (each.nextUri === undefined) return rows
    each = await page(await fetch(each.nextUri, { headers }))
  }
}

/** The folder with `lib` and `plugin`, fetched where the cache does not have it. */
async function distribution(): Promise<string> {
  const folder = path.join(cacheFolder(), 'trino', VERSION)
  if ((await stat(folder).catch(() => undefined)) !== undefined) return folder
  const work = `${folder}.${randomUUID()}`
  const home = path.join(work, 'home')
  await mkdir(home, { recursive: true })
  try {
    const [server, iceberg] = await fetched([SERVER, ICEBERG], work)
    await run('tar', ['-xzf', server!, '-C', home, '--strip-components=1'])
    await rm(path.join(home, 'plugin'), { recursive: true })
    await mkdir(path.join(home, 'plugin'))
    await run('jar', ['xf', iceberg!], { cwd: path.join(home, 'plugin') })
    const [plugin] = await readdir(path.join(home, 'plugin'))
    await rename(path.join(home, 'plugin', plugin!), path.join(home, 'plugin/iceberg'))
    // Another process may have been first; its files are the same.
    await rename(home, folder).catch(() => undefined)
  } finally {
    await rm(work, { recursive: true, force: true })
  }
  return folder
}
