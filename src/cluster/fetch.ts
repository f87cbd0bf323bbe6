/** Fetches pinned files of a Maven repository into a cache: several at a time, going on where a transfer broke off, each checked by its SHA-256. */
import { createHash } from 'node:crypto'
import path from 'node:path'
import { type Clock, sleep } from '../base/clock.ts'
import { error, HeadwaterError } from '../base/errors.ts'
import type { Files } from '../base/files.ts'
import { limits } from '../base/limits.ts'
import { type Random, uuid } from '../base/random.ts'
import { failed, ok, type Result } from '../base/result.ts'

export interface Artifact {
  /** Path inside the repository, and inside the cache. */
  readonly name: string
  /** Lower-case hexadecimal. */
  readonly sha256: string
  /** For the progress alone. */
  readonly bytes?: number
}

export interface FetchPorts {
  readonly files: Files
  readonly clock: Clock
  readonly random: Random
  readonly request: typeof fetch
}

export interface FetchOptions {
  /** URL of the repository, without a slash at its end. */
  readonly repository: string
  /** Absolute path of the cache's folder for it. */
  readonly folder: string
  /** Told after every part that arrives. */
  readonly onBytes?: (count: number) => void
}

/** Maven Central. */
export const MAVEN_CENTRAL = 'https://repo.maven.apache.org/maven2'

/** The artifacts that the cache does not have; what has its final name was checked before it got it. */
export async function missingOf(
  artifacts: readonly Artifact[],
  folder: string,
  files: Files,
): Promise<Artifact[]> {
  const missing: Artifact[] = []
  for (const artifact of artifacts) {
    if ((await files.info(path.join(folder, artifact.name))) === undefined) missing.push(artifact)
  }
  return missing
}

/** Paths of the artifacts in the cache, in order; fails with artifact_unavailable or artifact_corrupt. */
export async function fetchArtifacts(
  artifacts: readonly Artifact[],
  options: FetchOptions,
  ports: FetchPorts,
): Promise<Result<string[]>> {
  const rest = await missingOf(artifacts, options.folder, ports.files)
  let failure: HeadwaterError | undefined
  const work = async (): Promise<void> => {
    for (let next = rest.pop(); next !== undefined && failure === undefined; next = rest.pop()) {
      const fetched = await fetchArtifact(next, options, ports)
      if (!fetched.ok) failure = fetched.error
    }
  }
  await Promise.all(Array.from({ length: limits.downloadsMax }, work))
  if (failure !== undefined) return failed(failure)
  return ok(artifacts.map(({ name }) => path.join(options.folder, name)))
}

async function fetchArtifact(
  artifact: Artifact,
  options: FetchOptions,
  ports: FetchPorts,
): Promise<Result<undefined>> {
  const { files, clock } = ports
  const file = path.join(options.folder, artifact.name)
  const url = `${options.repository}/${artifact.name}`
  await files.makeDirectory(path.dirname(file))
  const part = await partOf(file, ports)
  for (let attempt = 1; ; attempt++) {
    const resumed = ((await files.info(part))?.size ?? 0) > 0
    try {
      await transfer(url, part, options, ports)
      const found = await sha256Of(part, files)
      if (found === artifact.sha256) {
        await files.rename(part, file)
        return ok(undefined)
      }
      await files.remove(part)
      // The part that was there may have been of another file.
      if (!resumed) {
        return failed(error('artifact_corrupt', `${url} has the SHA-256 ${found}.`))
      }
    } catch (cause) {
      if (cause instanceof HeadwaterError) return failed(cause)
      if (attempt >= limits.downloadAttemptsMax) {
        return failed(error('artifact_unavailable', `${url}: ${reason(cause)}.`, cause))
      }
      await sleep(clock, limits.downloadRetryMs * 2 ** (attempt - 1))
    }
  }
}

/** A file to write to that nobody else writes to: one that was left behind by a process that ended, if there is one. */
async function partOf(file: string, { files, clock, random }: FetchPorts): Promise<string> {
  const own = `${file}.${uuid(random)}.part`
  const prefix = `${path.basename(file)}.`
  for (const name of await files.list(path.dirname(file))) {
    if (!name.startsWith(prefix) || !name.endsWith('.part')) continue
    const left = path.join(path.dirname(file), name)
    const info = await files.info(left)
    if (info === undefined || clock.wall() - info.modified < limits.downloadAbandonedMs) continue
    // Only one process can rename it.
    const taken = await files.rename(left, own).then(
      () => true,
      () => false,
    )
    if (taken) break
  }
  return own
}

/** Brings what is missing of the file. Throws HeadwaterError where trying again does not help, anything else where it may. */
async function transfer(
  url: string,
  part: string,
  { onBytes }: FetchOptions,
  { files, clock, request }: FetchPorts,
): Promise<void> {
  const abort = new AbortController()
  const late = new Error(`nothing came for ${limits.downloadIdleMsMax} ms`)
  const watch = (): (() => void) => clock.after(limits.downloadIdleMsMax, () => abort.abort(late))
  let cancel = watch()
  const had = (await files.info(part))?.size ?? 0
  const headers = had === 0 ? {} : { range: `bytes=${had}-` }
  const out = await files.open(part, 'append')
  try {
    const response = await request(url, { headers, signal: abort.signal })
    // All of it is there.
    if (response.status === 416) return
    if (response.status === 404 || response.status === 403) {
      throw error('artifact_unavailable', `${url}: HTTP ${response.status}.`)
    }
    if (!response.ok || response.body === null) throw new Error(`HTTP ${response.status}`)
    if (response.status !== 206) await out.truncate(0)
    else onBytes?.(had)
    for await (const bytes of response.body as AsyncIterable<Uint8Array>) {
      cancel()
      await out.append([bytes])
      onBytes?.(bytes.length)
      cancel = watch()
    }
  } finally {
    cancel()
    await out.close()
  }
}

const READ_BYTES = 1 << 20

async function sha256Of(file: string, files: Files): Promise<string> {
  const hash = createHash('sha256')
  const opened = await files.open(file, 'read')
  try {
    for (let position = 0; ;) {
      const bytes = await opened.read(position, READ_BYTES)
      hash.update(bytes)
      position += bytes.length
      if (bytes.length < READ_BYTES) return hash.digest('hex')
    }
  } finally {
    await opened.close()
  }
}

function reason(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause)
  return cause.cause instanceof Error ? `${cause.message}: ${cause.cause.message}` : cause.message
}
