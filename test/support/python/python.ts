/** Python for tests: the packages of requirements.txt, each at its version, in a virtual environment outside the repository. */
import { execFile, spawn, spawnSync } from 'node:child_process'
import { createHash, randomUUID } from 'node:crypto'
import { mkdir, readFile, rename, rm, stat } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { cacheFolder } from '../java/artifacts.ts'

const run = promisify(execFile)
const requirements = fileURLToPath(new URL('requirements.txt', import.meta.url))

/** Whether there is a Python that can make environments. With the environment variable CI set, none is a failure. */
export function pythonIsThere(): boolean {
  const found = spawnSync('python3', ['-c', 'import venv, ensurepip']).status === 0
  if (!found && process.env['CI'] !== undefined) {
    throw new Error('there is no Python: install python3 and python3-venv')
  }
  return found
}

/** The interpreter of the environment, made where the cache does not have it. */
export async function interpreter(): Promise<string> {
  const version = createHash('sha256')
    .update(await readFile(requirements))
    .digest('hex')
    .slice(0, 16)
  const folder = path.join(cacheFolder(), 'python', version)
  const binary = path.join(folder, 'bin', 'python')
  const done = path.join(folder, 'complete')
  if ((await stat(done).catch(() => undefined)) !== undefined) return binary
  // Environments cannot be moved: one that another process is making is waited for by its lock.
  const lock = `${folder}.lock`
  await mkdir(path.dirname(folder), { recursive: true })
  while (!(await taken(lock))) {
    await new Promise((resolve) => setTimeout(resolve, 500))
    if ((await stat(done).catch(() => undefined)) !== undefined) return binary
  }
  try {
    await run('python3', ['-m', 'venv', '--clear', folder])
    await run(binary, ['-m', 'pip', '-q', 'install', '--no-deps', '-r', requirements])
    const mark = `${done}.${randomUUID()}`
    await mkdir(mark)
    await rename(mark, done)
  } finally {
    await rm(lock, { recursive: true, force: true })
  }
  return binary
}

async function taken(lock: string): Promise<boolean> {
  const old = await stat(lock).catch(() => undefined)
  // Whoever took it ten minutes ago has died.
  if (old !== undefined && Date.now() - old.mtimeMs > 600_000) {
    await rm(lock, { recursive: true, force: true })
  }
  return mkdir(lock).then(
    () => true,
    () => false,
  )
}

/** Runs a program; answers what it prints, line by line, as JSON. Rejects with its errors. */
export async function python(
  source: string,
  args: readonly string[] = [],
  timeoutMs = 120_000,
): Promise<unknown[]> {
  const child = spawn(await interpreter(), ['-', ...args], { timeout: timeoutMs })
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (part: string) => (stdout += part))
  child.stderr.setEncoding('utf8').on('data', (part: string) => (stderr += part))
  child.stdin.end(source)
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve))
  if (code !== 0) throw new Error(`Python ended with ${code}: ${stderr}`)
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as unknown)
}
