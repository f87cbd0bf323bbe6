/** Temporary projects, and the platform as a real process on them. */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

export const repository: string = fileURLToPath(new URL('../../', import.meta.url))

/** A folder that goes with the test. */
export function temporaryFolder(name: string): { folder: string; remove(): void } {
  const folder = mkdtempSync(path.join(os.tmpdir(), `headwater-${name}-`))
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) }
}

/** Writes a project that uses the specifications of `specs` (absolute path) with its own data. */
export function writeProject(folder: string, specs: string, config: object = {}): void {
  writeFileSync(path.join(folder, 'package.json'), '{"type":"module"}')
  writeFileSync(
    path.join(folder, 'specs.ts'),
    `export * from ${JSON.stringify(path.resolve(repository, specs))}\n`,
  )
  writeFileSync(
    path.join(folder, 'headwater.config.ts'),
    `export default ${JSON.stringify({ http: { port: 0 }, ...config })}\n`,
  )
}

export interface Running {
  readonly url: string
  readonly port: number
  readonly process: ChildProcess
  /** Everything it has printed. */
  output(): string
  kill(signal: NodeJS.Signals): Promise<number | null>
}

const COMMAND = path.join(repository, 'src/cli/main.ts')

/** Runs a headwater command to its end. */
export async function headwater(
  folder: string,
  args: readonly string[],
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const child = spawn(process.execPath, ['--conditions=headwater-source', COMMAND, ...args], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (part: Buffer) => (stdout += part.toString()))
  child.stderr.on('data', (part: Buffer) => (stderr += part.toString()))
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve))
  return { code, stdout, stderr }
}

/** Rows of a query, as the command line gives them. */
export async function sql(folder: string, query: string): Promise<Record<string, unknown>[]> {
  const { code, stdout, stderr } = await headwater(folder, ['sql', '--json', query])
  if (code !== 0) throw new Error(stderr)
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>)
}

/** Starts `headwater dev` without a terminal and waits until it takes events. */
export async function startHeadwater(
  folder: string,
  port = 0,
  more: readonly string[] = [],
): Promise<Running> {
  const args = [
    '--conditions=headwater-source',
    COMMAND,
    'dev',
    folder,
    '--port',
    String(port),
    ...more,
  ]
  const child = spawn(process.execPath, args, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] })
  let text = ''
  const url = await new Promise<string>((resolve, reject) => {
    const look = (part: Buffer): void => {
      text += part.toString()
      const found = /^headwater (http:\S+)/m.exec(text)?.[1]
      if (found !== undefined) resolve(found)
    }
    child.stdout.on('data', look)
    child.stderr.on('data', look)
    child.once('close', (code) => reject(new Error(`headwater ended with ${code}: ${text}`)))
  })
  return {
    url,
    port: Number(new URL(url).port),
    process: child,
    output: () => text,
    kill: (signal) =>
      new Promise((resolve) => {
        if (child.exitCode !== null || child.signalCode !== null) return resolve(child.exitCode)
        child.once('close', (code) => resolve(code))
        child.kill(signal)
      }),
  }
}
