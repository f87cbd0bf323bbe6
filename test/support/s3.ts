/** A real S3 server, versitygw, installed through Go's module proxy into a cache outside the project, and run on a folder. */
import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs'
import net from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import { freePort } from './ports.ts'

const VERSION = 'v1.8.0'
const PACKAGE = `github.com/versity/versitygw/cmd/versitygw@${VERSION}`

export const ACCESS: Readonly<Record<string, string>> = {
  AWS_ACCESS_KEY_ID: 'headwater-test',
  AWS_SECRET_ACCESS_KEY: 'headwater-test-secret',
  AWS_REGION: 'us-east-1',
  // Nothing of this machine's own configuration is used.
  AWS_EC2_METADATA_DISABLED: 'true',
  AWS_CONFIG_FILE: '/dev/null',
  AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
}

const hasGo = spawnSync('go', ['version']).status === 0

/** Tests are skipped only where Go is missing; where CI is set, that is a failure. */
export const skipS3: boolean = !hasGo && process.env['CI'] === undefined

/** How long the first installation may take, ms. */
export const INSTALL_MS_MAX = 600_000

async function install(): Promise<string> {
  const cache = process.env['XDG_CACHE_HOME'] ?? path.join(os.homedir(), '.cache')
  const folder = path.join(cache, 'headwater')
  const binary = path.join(folder, `versitygw-${VERSION}`)
  if (existsSync(binary)) return binary
  mkdirSync(folder, { recursive: true })
  const temporary = mkdtempSync(path.join(folder, 'go-'))
  try {
    const env = { ...process.env, GOBIN: temporary }
    await promisify(execFile)('go', ['install', PACKAGE], { env, timeout: INSTALL_MS_MAX })
    renameSync(path.join(temporary, 'versitygw'), binary)
  } finally {
    rmSync(temporary, { recursive: true, force: true })
  }
  return binary
}

export interface S3Server {
  /** Such as `http://127.0.0.1:23456`. */
  readonly endpoint: string
  readonly port: number
  /** What `versitygw admin` does, such as `create-user`; only where the server has users. */
  admin(...command: readonly string[]): Promise<void>
  stop(): Promise<void>
}

/** Starts a server whose buckets are the folders in `folder`. `users`: a folder for those that it has beside the root. */
export async function startS3(
  folder: string,
  buckets: readonly string[],
  users?: string,
): Promise<S3Server> {
  const binary = await install()
  for (const bucket of buckets) mkdirSync(path.join(folder, bucket), { recursive: true })
  const port = await freePort()
  const env = {
    ...process.env,
    ROOT_ACCESS_KEY: ACCESS['AWS_ACCESS_KEY_ID'],
    ROOT_SECRET_KEY: ACCESS['AWS_SECRET_ACCESS_KEY'],
  }
  const iam = users === undefined ? [] : ['--iam-dir', users, '--iam-cache-disable']
  if (users !== undefined) mkdirSync(users, { recursive: true })
  const args = ['--port', `127.0.0.1:${port}`, '--quiet', ...iam, 'posix', folder]
  const server = spawn(binary, args, { env, stdio: ['ignore', 'ignore', 'pipe'] })
  let said = ''
  server.stderr.on('data', (part: Buffer) => (said += part.toString()))
  for (let tries = 0; !(await answers(port)); tries++) {
    if (tries > 200 || server.exitCode !== null) throw new Error(`versitygw: ${said}`)
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
  const endpoint = `http://127.0.0.1:${port}`
  const root = ['--access', env.ROOT_ACCESS_KEY!, '--secret', env.ROOT_SECRET_KEY!]
  const admin = async (...command: readonly string[]): Promise<void> => {
    await promisify(execFile)(binary, ['admin', ...root, '--endpoint-url', endpoint, ...command])
  }
  return { endpoint, port, admin, stop: () => ended(server) }
}

function ended(server: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    if (server.exitCode !== null || server.signalCode !== null) return resolve()
    server.once('close', () => resolve())
    server.kill('SIGKILL')
  })
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}
