/** Finds the durable end of a log from its segment files alone, and reports damage instead of skipping it. */
import { error, HeadwaterError } from '../base/errors.ts'
import type { FileHandle, Files } from '../base/files.ts'
import { limits } from '../base/limits.ts'
import { failed, ok, type Result } from '../base/result.ts'
import type { FrameShape } from './frame.ts'
import {
  corruptError,
  diskError,
  findProof,
  segmentBase,
  segmentPath,
  walk,
  type BadFrame,
  type Segment,
} from './segment.ts'

/** What was taken away at the start: bytes of frames that nobody was told were durable. */
export interface Cut {
  readonly path: string
  /** Offset from which on nothing is left of the file. */
  readonly offset: number
  readonly bytes: number
}

export interface Recovered {
  /** In order; empty for a new log. */
  readonly segments: Segment[]
  /** Offset of the first frame. */
  readonly start: number
  /** Where the next segment begins. */
  readonly end: number
  /** Offset after the last durable frame with content. */
  readonly durableEnd: number
  /** Where the last group begins: what comes before it was durable when it was written. */
  readonly doubtful: number
  readonly cuts: readonly Cut[]
}

/** A segment file as it was found. */
interface Found {
  readonly path: string
  readonly base: number
  readonly size: number
  readonly first: FrameShape | BadFrame
}

/** A segment that counts, and where its frames must end: exactly at `limit`, or, undefined, wherever they do. */
interface Kept {
  readonly found: Found
  readonly limit: number | undefined
}

interface Chain {
  readonly kept: readonly Kept[]
  /** Segments that hold nothing but frames that failed. */
  readonly void: readonly Found[]
}

/**
 * Reads the segments of `directory` and takes away a torn tail (PROTOCOL.md §12). `committed` is an offset behind which
 * everything is safe elsewhere: of segments before it only the first frame is looked at, and an empty log begins there. Fails with
 * `log_corrupt`, naming file and offset and changing nothing, or with `disk_failed` or `disk_full`.
 */
export async function recover(
  files: Files,
  directory: string,
  committed: number | undefined,
): Promise<Result<Recovered>> {
  try {
    const found = await findSegments(files, directory)
    const chain = await chainOf(files, found)
    const recovered = await scan(files, chain, found[0]?.base, committed)
    await repair(files, directory, recovered, chain)
    return ok(recovered)
  } catch (cause) {
    return failed(cause instanceof HeadwaterError ? cause : diskError(cause, directory))
  }
}

async function findSegments(files: Files, directory: string): Promise<Found[]> {
  const found: Found[] = []
  for (const name of await files.list(directory)) {
    const base = segmentBase(name)
    if (base === undefined) continue
    const path = segmentPath(directory, base)
    const size = (await files.info(path))?.size ?? 0
    const first = await withFile(files, path, (handle) => firstFrame(handle, base, base + size))
    found.push({ path, base, size, first })
  }
  return found
}

async function firstFrame(
  handle: FileHandle,
  base: number,
  until: number,
): Promise<FrameShape | BadFrame> {
  for await (const step of walk(handle, base, base, until)) return step.good ? step.shape : step
  return { good: false, offset: base, why: 'is missing' }
}

/**
 * Which segments count, from the last to the first. The first frame of a segment says up to where the log was durable
 * when it was written: everything between that offset and the segment's base failed and means nothing.
 */
async function chainOf(files: Files, found: readonly Found[]): Promise<Chain> {
  const kept: Kept[] = []
  const voided: Found[] = []
  let limit: number | undefined
  for (let i = found.length - 1; i >= 0; i--) {
    const segment = found[i]!
    const { path, base, size, first } = segment
    if (limit !== undefined && base >= limit) {
      voided.push(segment)
    } else if ('durable' in first) {
      kept.unshift({ found: segment, limit })
      if (limit !== undefined && limit > base + size) {
        throw corruptError(path, { good: false, offset: base + size, why: 'is missing' })
      }
      limit = first.durable
    } else if (limit !== undefined) {
      throw corruptError(path, first)
    } else {
      await assertTorn(files, segment, first)
      voided.push(segment)
      // A segment that follows without a gap was begun when all before it was durable; after a failure there is a gap.
      const before = found[i - 1]
      if (before !== undefined && before.base + before.size === base) limit = base
    }
  }
  return { kept, void: voided }
}

/** Throws `log_corrupt` when the frame behind a bad one proves that it was durable. */
async function assertTorn(files: Files, segment: Found, bad: BadFrame): Promise<void> {
  const { path, base, size } = segment
  const proof = await withFile(files, path, (handle) =>
    findProof(handle, base, bad.offset, base + size),
  )
  if (proof !== undefined) throw corruptError(path, bad)
}

async function scan(
  files: Files,
  chain: Chain,
  firstBase: number | undefined,
  committed: number | undefined,
): Promise<Recovered> {
  const first = chain.kept[0]?.found.first
  const start = first && 'durable' in first ? first.durable : (firstBase ?? committed ?? 0)
  const needed = committed ?? start
  if (start > needed) {
    throw error(
      'log_corrupt',
      `the log begins after offset ${start}, but is needed from ${needed}.`,
    )
  }
  const segments: Segment[] = []
  const cuts: Cut[] = []
  const state = { end: start, durableEnd: needed, doubtful: start, reached: start === needed }
  for (const { found, limit } of chain.kept) {
    const { path, base, size } = found
    let content = true
    if (limit !== undefined && limit <= needed) {
      // Everything in it is committed: it waits to be trimmed and is not looked at.
      state.end = limit
      state.reached ||= limit === needed
    } else {
      content = await scanSegment(files, found, limit, needed, state)
    }
    segments.push({ path, base, end: state.end, content, void: false })
    const behind = base + size - state.end
    if (limit === undefined && behind > 0) cuts.push({ path, offset: state.end, bytes: behind })
  }
  for (const { path, base, size } of chain.void) {
    if (size > 0) cuts.push({ path, offset: base, bytes: size })
  }
  if (!state.reached) {
    throw error('log_corrupt', `no frame of the log ends at the committed offset ${needed}.`)
  }
  const { end, durableEnd, doubtful } = state
  return { segments, start, end, durableEnd, doubtful, cuts }
}

/** Walks one segment and moves `state` along; returns whether it holds frames with content. */
async function scanSegment(
  files: Files,
  found: Found,
  limit: number | undefined,
  needed: number,
  state: { end: number; durableEnd: number; doubtful: number; reached: boolean },
): Promise<boolean> {
  const { path, base, size } = found
  let content = false
  state.end = base
  state.reached ||= base === needed
  const bad = await withFile(files, path, async (handle) => {
    for await (const step of walk(handle, base, base, limit ?? base + size)) {
      if (!step.good) return step
      state.end = step.end
      state.doubtful = step.shape.durable
      state.reached ||= step.end === needed
      if (step.shape.kind === 'probe') continue
      content = true
      state.durableEnd = Math.max(state.durableEnd, step.end)
    }
    return undefined
  })
  if (bad !== undefined && limit !== undefined) throw corruptError(path, bad)
  if (bad !== undefined) await assertTorn(files, found, bad)
  return content
}

/**
 * Makes durable what counts and then takes away what does not, so that every later start finds the same. In this order:
 * the last segment may be what says that others are void.
 */
async function repair(
  files: Files,
  directory: string,
  recovered: Recovered,
  chain: Chain,
): Promise<void> {
  const { end } = recovered
  const last = chain.kept.at(-1)?.found
  if (last !== undefined) {
    await updateFile(files, last.path, async (handle) => {
      if (last.base + last.size > end) await handle.truncate(end - last.base)
      await rewrite(handle, last.base, recovered)
    })
  }
  await files.sync(directory)
  for (const { path, base } of chain.void) {
    // The segment that goes on at the end stays, empty, so that the offset is never forgotten.
    if (base === end) await updateFile(files, path, (handle) => handle.truncate(0))
    else await files.remove(path)
  }
  await files.sync(directory)
}

/**
 * Writes the last group over itself. If its fsync failed before the restart, its bytes may be in memory only and no longer
 * count as unwritten: a further fsync alone would succeed and do nothing.
 */
async function rewrite(handle: FileHandle, base: number, recovered: Recovered): Promise<void> {
  const { end } = recovered
  for (let from = Math.max(base, recovered.doubtful); from < end; from += limits.logReadBytes) {
    const length = Math.min(end - from, limits.logReadBytes)
    await handle.write(from - base, await handle.read(from - base, length))
  }
}

async function withFile<T>(
  files: Files,
  path: string,
  use: (handle: FileHandle) => Promise<T>,
): Promise<T> {
  const handle = await files.open(path, 'read')
  try {
    return await use(handle)
  } finally {
    await handle.close()
  }
}

/** Changes a file and makes the change durable. */
async function updateFile(
  files: Files,
  path: string,
  change: (handle: FileHandle) => Promise<void>,
): Promise<void> {
  const handle = await files.open(path, 'update')
  try {
    await change(handle)
    await handle.sync()
  } finally {
    await handle.close()
  }
}
