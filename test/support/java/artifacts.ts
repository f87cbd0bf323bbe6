/**
 * Java for tests: the jars of a list from Maven Central, checked by SHA-256, in a cache outside the repository, and our own small
 * sources compiled beside them. `<name>.jars` is made from `<name>.pom.xml` by `node test/support/java/pin.ts`.
 */
import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process'
import { createHash, randomUUID } from 'node:crypto'
import { mkdir, readFile, rename, stat } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { systemClock } from '../../../src/base/clock.ts'
import { nodeFiles } from '../../../src/base/node/files.ts'
import { systemRandom } from '../../../src/base/random.ts'
import { fetchArtifacts, MAVEN_CENTRAL } from '../../../src/cluster/fetch.ts'

/** Lists of jars: Apache's catalog and its compatibility kit; a Kafka broker; Spark SQL with Iceberg; Iceberg for Flink. */
export type JarList = 'iceberg' | 'kafka' | 'spark' | 'flink'

const here = fileURLToPath(new URL('.', import.meta.url))

/** Whether there is a JDK. With the environment variable CI set, none is a failure. */
export function javaIsThere(): boolean {
  const found = spawnSync('javac', ['-version']).status === 0
  if (!found && process.env['CI'] !== undefined) throw new Error('there is no JDK: install Java 17')
  return found
}

/** The folder that keeps what was fetched: `$HEADWATER_CACHE`, else `~/.cache/headwater`. */
export function cacheFolder(): string {
  return process.env['HEADWATER_CACHE'] ?? path.join(os.homedir(), '.cache', 'headwater')
}

/** Class path of a list of jars, each fetched where the cache does not have it. Throws when a checksum is wrong. */
export async function classPath(list: JarList): Promise<string> {
  const text = await readFile(path.join(here, `${list}.jars`), 'utf8')
  const artifacts = text.split('\n').flatMap((line) => {
    const [sha256, name] = line.split(' ')
    return sha256 === undefined || name === undefined ? [] : [{ sha256, name }]
  })
  const repository = process.env['HEADWATER_MAVEN_URL'] ?? MAVEN_CENTRAL
  const options = { repository, folder: path.join(cacheFolder(), 'maven') }
  const fetched = await fetchArtifacts(artifacts, options, {
    files: nodeFiles,
    clock: systemClock,
    random: systemRandom,
    request: fetch,
  })
  if (!fetched.ok) throw fetched.error
  return fetched.value.join(path.delimiter)
}

/** Compiles `<name>.java` of this folder against a list of jars and more, once for each of its versions; answers the whole class path. */
export async function compiled(
  name: string,
  list: JarList,
  more: readonly string[] = [],
): Promise<string> {
  const jars = [await classPath(list), ...more].join(path.delimiter)
  const source = path.join(here, `${name}.java`)
  const version = createHash('sha256')
    .update(await readFile(source))
    .update(jars)
    .digest('hex')
    .slice(0, 16)
  const classes = path.join(cacheFolder(), 'classes', `${name}-${version}`)
  if ((await stat(classes).catch(() => undefined)) === undefined) {
    const temporary = `${classes}.${randomUUID()}`
    await mkdir(temporary, { recursive: true })
    await promisify(execFile)('javac', ['-nowarn', '-cp', jars, '-d', temporary, source])
    // Another process may have been first; its classes are the same.
    await rename(temporary, classes).catch(() => undefined)
  }
  return `${classes}${path.delimiter}${jars}`
}

/** Starts a Java program; it is to end when its standard input does. `options` are the virtual machine's. */
export function startJava(
  jars: string,
  main: string,
  args: readonly string[],
  options: readonly string[] = [],
): ChildProcess {
  return spawn('java', [...VM, ...options, '-cp', jars, main, ...args], {
    stdio: ['pipe', 'pipe', 'pipe'],
  })
}

/** Packages that a program reaches into on Java 17, as options of the virtual machine. */
export function opened(packages: readonly string[]): string[] {
  return packages.map((name) => `--add-opens=java.base/${name}=ALL-UNNAMED`)
}

/** Few threads and little memory: several of these run on a small machine. */
const VM = ['-Xmx768m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-Xshare:auto']

/** Everything a program prints, and its exit code. Rejects after `timeoutMs`. */
export function finished(
  child: ChildProcess,
  timeoutMs: number,
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  let stdout = ''
  let stderr = ''
  child.stdout!.setEncoding('utf8').on('data', (part: string) => (stdout += part))
  child.stderr!.setEncoding('utf8').on('data', (part: string) => (stderr += part))
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      child.kill('SIGKILL')
      reject(new Error(`Java did not end in ${timeoutMs} ms: ${stderr.slice(-2000)}`))
    }, timeoutMs)
    child.once('error', reject)
    child.once('close', (code) => {
      clearTimeout(timer)
      resolve({ code, stdout, stderr })
    })
  })
}
