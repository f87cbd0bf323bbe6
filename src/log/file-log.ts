/** The log in segment files: what it reported durable is found again after any crash (PROTOCOL.md §12). */
import { assert } from '../base/assert.ts'
import type { Clock } from '../base/clock.ts'
import { error, HeadwaterError } from '../base/errors.ts'
import type { FileHandle, Files } from '../base/files.ts'
import { limits as defaultLimits } from '../base/limits.ts'
import { failed, ok, type Result } from '../base/result.ts'
import { decodeFrame, encodeProbe, frameBytes, frameHeaderBytes } from './frame.ts'
import { GroupSync, type Group } from './group-sync.ts'
import type { Appended, Frame, Log, LogHealth, StoredFrame } from './log.ts'
import { recover, type Cut, type Recovered } from './recover.ts'
import { corruptError, diskError, segmentPath, walk, type Segment } from './segment.ts'

/** The bounds of a log, by their names in limits.ts. */
export type LogLimits = Readonly<
  Record<
    | 'frameBytesMax'
    | 'segmentBytes'
    | 'groupCommitMs'
    | 'groupCommitBytesMax'
    | 'logPendingBytesMax'
    | 'logProbeMs',
    number
  >
>

export interface FileLogOptions {
  /** Absolute path; created if missing. One process at a time may have it open. */
  readonly directory: string
  readonly files: Files
  readonly clock: Clock
  readonly limits?: Partial<LogLimits>
  /**
   * Offset up to which every frame is safe in the lake. An empty log begins there, of segments before it only the first
   * frame is checked, and a log that does not reach it is `log_corrupt`. Without it the whole log is checked.
   */
  readonly committed?: number
}

/** The file form of the log port. */
export interface FileLog extends Log {
  /** What the start took away: torn or failed frames at the end, which nobody was told were durable. */
  readonly cuts: readonly Cut[]
}

/**
 * Opens the log of a directory, recovering it first. Fails with `log_corrupt` (nothing is changed), `disk_failed` or
 * `disk_full`. Close it before the process ends: its timers do not keep a process alive.
 */
export async function openFileLog(options: FileLogOptions): Promise<Result<FileLog>> {
  const { directory, files, committed } = options
  try {
    await files.makeDirectory(directory)
  } catch (cause) {
    return failed(diskError(cause, `the log directory ${directory} cannot be made`))
  }
  const recovered = await recover(files, directory, committed)
  if (!recovered.ok) return recovered
  const log = new SegmentedLog(options, recovered.value)
  try {
    await log.begin()
  } catch (cause) {
    await log.close()
    return failed(diskError(cause, `the log directory ${directory} cannot be written`))
  }
  return ok(log)
}

/** The segment that takes appends. */
interface Active {
  readonly segment: Segment
  readonly handle: FileHandle
  /** The log's tail when the segment was begun. */
  readonly before: number
}

class SegmentedLog implements FileLog {
  readonly cuts: readonly Cut[]
  readonly #files: Files
  readonly #directory: string
  readonly #clock: Clock
  readonly #limits: LogLimits
  readonly #groups: GroupSync
  /** In order. Never empty once begun. */
  readonly #segments: Segment[]
  /** Offset from which on nothing was trimmed. */
  #start: number
  #active: Active | undefined
  /** Offset of the next frame; never goes back, so that no offset is used twice. */
  #next: number
  /** Where what counts ends; the next segment says so in its first frame. */
  #tail: number
  #durableEnd: number
  #error: HeadwaterError | undefined
  #closed = false
  #cancelProbe: () => void = () => {}
  #probing: Promise<void> = Promise.resolve()
  #trimming: Promise<void> = Promise.resolve()
  /** The segment that a failure left with bytes behind its end, until they are cut off or void. */
  #uncut: Segment | undefined

  constructor(options: FileLogOptions, recovered: Recovered) {
    this.#files = options.files
    this.#directory = options.directory
    this.#clock = options.clock
    this.#limits = { ...defaultLimits, ...options.limits }
    this.#segments = recovered.segments
    this.#start = recovered.start
    this.#next = recovered.end
    this.#tail = recovered.end
    this.#durableEnd = recovered.durableEnd
    this.cuts = recovered.cuts
    const { groupCommitMs, groupCommitBytesMax } = this.#limits
    this.#groups = new GroupSync({
      clock: options.clock,
      groupCommitMs,
      groupCommitBytesMax,
      write: (group) => this.#write(group),
    })
  }

  /** Every start begins a new segment, so that nothing is ever appended to a file whose last fsync may have failed. */
  async begin(): Promise<void> {
    await this.#beginSegment(this.#next)
  }

  append(frame: Frame): Result<Appended> {
    if (this.#closed) return failed(error('draining', 'the log is closed.'))
    if (this.#error !== undefined) return failed(this.#error)
    const bytes = frameBytes(frame)
    const { frameBytesMax, logPendingBytesMax } = this.#limits
    if (bytes > frameBytesMax) {
      return failed(error('frame_too_large', `${bytes} bytes are over ${frameBytesMax}.`))
    }
    if (this.#groups.pendingBytes + bytes > logPendingBytesMax) {
      return failed(error('overloaded', `${logPendingBytesMax} bytes wait for the disk.`))
    }
    const durable = this.#groups.append(frame, this.#next, bytes)
    this.#next += bytes
    return ok({ end: this.#next, durable })
  }

  get durableEnd(): number {
    return this.#durableEnd
  }

  get bytes(): number {
    return this.#segments.reduce((sum, each) => sum + (each.void ? 0 : each.end - each.base), 0)
  }

  health(): LogHealth {
    if (this.#error === undefined) return { writable: !this.#closed }
    return { writable: false, error: this.#error }
  }

  read(offset: number): AsyncIterable<StoredFrame> {
    const segments = this.#segments
      .filter((each) => each.end > offset && !each.void)
      .map((each) => ({ ...each }))
    return readSegments(this.#files, segments, offset, this.#start)
  }

  trim(offset: number): Promise<void> {
    const trimmed = this.#trimming.then(() => this.#trimOneByOne(offset))
    this.#trimming = trimmed.catch(() => {})
    return trimmed
  }

  /** In order and each made durable before the next, so that a crash leaves no hole between segments. */
  async #trimOneByOne(offset: number): Promise<void> {
    for (;;) {
      const segment = this.#segments[0]
      // The segment in which the log ends stays: it tells the next start where offsets go on.
      const last = this.#segments.findLast((each) => each.end === this.#tail && !each.void)
      if (segment === undefined || segment === last || segment.end > offset) return
      this.#segments.shift()
      const start = this.#start
      this.#start = segment.end
      try {
        await this.#files.remove(segment.path)
        await this.#files.sync(this.#directory)
      } catch (cause) {
        this.#segments.unshift(segment)
        this.#start = start
        throw diskError(cause, segment.path)
      }
    }
  }

  async close(): Promise<void> {
    this.#closed = true
    await this.#groups.flush()
    this.#cancelProbe()
    await this.#probing
    await this.#trimming
    const active = this.#active
    this.#active = undefined
    if (active !== undefined) await closeQuietly(active.handle)
  }

  async #beginSegment(base: number): Promise<Active> {
    const path = segmentPath(this.#directory, base)
    const handle = await this.#files.open(path, 'append')
    const segment = { path, base, end: base, content: false, void: false }
    const active = { segment, handle, before: this.#tail }
    this.#segments.push(segment)
    this.#active = active
    await this.#files.sync(this.#directory)
    return active
  }

  /** Appends one group to the active segment and makes it durable. */
  async #write(group: Group): Promise<Result<void>> {
    let active = this.#active
    assert(active !== undefined, 'a writable log has an active segment')
    try {
      const { base, end } = active.segment
      if (end > base && group.end - base > this.#limits.segmentBytes) {
        await closeQuietly(active.handle)
        active = await this.#beginSegment(group.start)
      }
      await active.handle.append(group.bytes.parts())
      await active.handle.sync()
      active.segment.end = group.end
      this.#tail = group.end
      active.segment.content = true
      this.#durableEnd = group.end
      return ok(undefined)
    } catch (cause) {
      return failed(await this.#fail(cause))
    }
  }

  /** Stops taking frames until a probe succeeds. */
  async #fail(cause: unknown): Promise<HeadwaterError> {
    const reason = diskError(cause, this.#active?.segment.path ?? this.#directory)
    this.#error = reason
    if (this.#active !== undefined) await this.#abandon(this.#active)
    if (!this.#closed) {
      this.#cancelProbe = this.#clock.after(this.#limits.logProbeMs, () => {
        this.#probing = this.#probe()
      })
    }
    return reason
  }

  /**
   * Gives up the active segment. After a failed fsync nobody knows what the disk holds behind the durable end, so the
   * file is cut there and never appended to again; if it cannot be cut, the next segment says that the rest is void.
   */
  async #abandon({ segment, handle, before }: Active): Promise<void> {
    this.#active = undefined
    await closeQuietly(handle)
    const others = this.#segments.filter((each) => each !== segment)
    // It may be the only file that still tells where offsets go on, all before it being trimmed.
    const needed = !others.some((each) => each.end === before && !each.void)
    if (segment.content || needed) {
      this.#uncut = segment
      await this.#cutQuietly()
      return
    }
    this.#tail = before
    segment.void = true
    try {
      await this.#files.remove(segment.path)
      await this.#files.sync(this.#directory)
      this.#segments.splice(this.#segments.indexOf(segment), 1)
    } catch {
      // It holds nothing that counts. It is trimmed before the segment behind it, whose first frame is what says so.
    }
  }

  async #cutQuietly(): Promise<void> {
    if (this.#uncut === undefined) return
    const { path, base, end } = this.#uncut
    try {
      const handle = await this.#files.open(path, 'update')
      try {
        await handle.truncate(end - base)
        await handle.sync()
      } finally {
        await handle.close()
      }
      this.#uncut = undefined
    } catch {
      // Tried again with the next probe; the health tells of the failure already.
    }
  }

  /**
   * Writes a probe frame as the start of a new segment. It begins behind every offset that was handed out, so that frames
   * that failed, should the disk have kept them, lie in a gap that no frame ever fills.
   */
  async #probe(): Promise<void> {
    await this.#cutQuietly()
    const base = this.#next + 1
    this.#next = base + frameHeaderBytes
    try {
      const { segment, handle } = await this.#beginSegment(base)
      await handle.append([encodeProbe(this.#tail)])
      await handle.sync()
      segment.end = this.#next
      this.#tail = this.#next
      this.#uncut = undefined
      this.#error = undefined
    } catch (cause) {
      await this.#fail(cause)
    }
  }
}

/** For files whose bytes are durable already, or given up. */
async function closeQuietly(handle: FileHandle): Promise<void> {
  try {
    await handle.close()
  } catch {
    // Nothing in the file depends on it.
  }
}

/** Frames of `segments` from `offset` to the ends they had when the reading was asked for. */
async function* readSegments(
  files: Files,
  segments: readonly Segment[],
  offset: number,
  start: number,
): AsyncGenerator<StoredFrame, void, void> {
  if (offset < start) {
    throw error('log_corrupt', `offset ${offset} is gone: the log begins at ${start}.`)
  }
  for (const { path, base, end } of segments) {
    try {
      yield* readSegment(files, path, base, Math.max(base, offset), end)
    } catch (cause) {
      throw cause instanceof HeadwaterError ? cause : diskError(cause, path)
    }
  }
}

async function* readSegment(
  files: Files,
  path: string,
  base: number,
  from: number,
  until: number,
): AsyncGenerator<StoredFrame, void, void> {
  const handle = await files.open(path, 'read')
  try {
    for await (const step of walk(handle, base, from, until)) {
      if (!step.good) throw corruptError(path, step)
      if (step.shape.kind === 'probe') continue
      yield { offset: step.offset, end: step.end, frame: decodeFrame(step.bytes) }
    }
  } finally {
    await handle.close()
  }
}
