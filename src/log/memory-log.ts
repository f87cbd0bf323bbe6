/** The log in memory: the same answers and offsets as the file form, gone with the process. */
import { error } from '../base/errors.ts'
import { limits as defaultLimits } from '../base/limits.ts'
import { failed, ok, type Result } from '../base/result.ts'
import { frameBytes } from './frame.ts'
import type { Appended, Frame, Log, LogHealth, StoredFrame } from './log.ts'

/** Bounds by their names in limits.ts; `logPendingBytesMax` bounds what is kept until it is trimmed. */
export interface MemoryLogLimits {
  readonly frameBytesMax: number
  readonly logPendingBytesMax: number
}

/** A log for tests and trials. Every append is taken as durable at once. */
export function memoryLog(limits?: Partial<MemoryLogLimits>): Log {
  return new MemoryLog({ ...defaultLimits, ...limits })
}

class MemoryLog implements Log {
  readonly #limits: MemoryLogLimits
  #frames: StoredFrame[] = []
  /** Offset of the first frame that was not trimmed. */
  #start = 0
  #end = 0
  #closed = false

  constructor(limits: MemoryLogLimits) {
    this.#limits = limits
  }

  append(frame: Frame): Result<Appended> {
    if (this.#closed) return failed(error('draining', 'the log is closed.'))
    const bytes = frameBytes(frame)
    const { frameBytesMax, logPendingBytesMax } = this.#limits
    if (bytes > frameBytesMax) {
      return failed(error('frame_too_large', `${bytes} bytes are over ${frameBytesMax}.`))
    }
    if (this.bytes + bytes > logPendingBytesMax) {
      return failed(error('overloaded', `${logPendingBytesMax} bytes are kept in memory.`))
    }
    const offset = this.#end
    this.#end += bytes
    this.#frames.push({ offset, end: this.#end, frame })
    return ok({ end: this.#end, durable: Promise.resolve(ok(undefined)) })
  }

  get durableEnd(): number {
    return this.#end
  }

  get bytes(): number {
    return this.#end - this.#start
  }

  health(): LogHealth {
    return { writable: !this.#closed }
  }

  read(offset: number): AsyncIterable<StoredFrame> {
    const frames = this.#frames.filter((stored) => stored.offset >= offset)
    return readFrames(frames, offset, this.#start, this.#end)
  }

  async trim(offset: number): Promise<void> {
    this.#frames = this.#frames.filter((stored) => stored.end > offset)
    this.#start = this.#frames[0]?.offset ?? this.#end
  }

  async close(): Promise<void> {
    this.#closed = true
  }
}

async function* readFrames(
  frames: readonly StoredFrame[],
  offset: number,
  start: number,
  end: number,
): AsyncGenerator<StoredFrame, void, void> {
  if (offset < start) {
    throw error('log_corrupt', `offset ${offset} is gone: the log begins at ${start}.`)
  }
  if (offset < end && frames[0]?.offset !== offset) {
    throw error('log_corrupt', `no frame begins at offset ${offset}.`)
  }
  yield* frames
}
