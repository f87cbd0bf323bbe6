/** The log port: an append-only sequence of frames that is durable before anyone is answered. */
import type { HeadwaterError } from '../base/errors.ts'
import type { Result } from '../base/result.ts'

/** The content of one frame (PROTOCOL.md §12). */
export interface Frame {
  readonly kind: 'batch' | 'bytes'
  /** 16 bytes; zero for kind `bytes`. */
  readonly boot: Uint8Array
  readonly seq: number
  readonly first: number
  readonly count: number
  /** CRC-32 of the chunk lines (PROTOCOL.md §7). */
  readonly fingerprint: number
  readonly meta: Uint8Array
  readonly payload: Uint8Array
}

export interface StoredFrame {
  readonly offset: number
  /** Offset of the frame after this one. */
  readonly end: number
  readonly frame: Frame
}

export interface Appended {
  /** Offset of the frame after this one, if the append succeeds. */
  readonly end: number
  /** Settles when the frame is durable, or will never be. Frames settle in order; after a failure every later pending one fails too. */
  readonly durable: Promise<Result<void>>
}

export interface LogHealth {
  readonly writable: boolean
  /** Why not. */
  readonly error?: HeadwaterError
}

export interface Log {
  /**
   * Queues a frame. The arrays must not change afterwards. Refused (a failure at once) with `overloaded` while too many bytes
   * wait, `frame_too_large`, `draining` once closed, and the error of `health` while the log is not writable.
   */
  append(frame: Frame): Result<Appended>
  /** Offset after the last durable frame. */
  readonly durableEnd: number
  /** Bytes kept on disk. */
  readonly bytes: number
  health(): LogHealth
  /**
   * Stored frames from `offset` (a frame boundary) to the durable end at the time of the call; their arrays are views that
   * never change. Throws HeadwaterError `log_corrupt` or `disk_failed` where it is iterated.
   */
  read(offset: number): AsyncIterable<StoredFrame>
  /** Forgets whole segments before `offset`. Rejects with HeadwaterError `disk_failed`; the next call tries again. */
  trim(offset: number): Promise<void>
  /** Makes what is queued durable and closes the files. */
  close(): Promise<void>
}
