/** Segment files: their names, and a walk over their frames that reads a bounded piece at a time. */
import path from 'node:path'
import { error, type HeadwaterError } from '../base/errors.ts'
import { errnoOf, type FileHandle } from '../base/files.ts'
import { limits } from '../base/limits.ts'
import { checksumHolds, frameHeaderBytes, frameShape, type FrameShape } from './frame.ts'

/** One segment file of the open log. Offsets are offsets of the whole log. */
export interface Segment {
  readonly path: string
  /** Offset of its first byte. */
  readonly base: number
  /** Offset after its last durable frame; bytes of the file behind it mean nothing. */
  end: number
  /** Whether it holds a frame other than probes. */
  content: boolean
  /** Whether nothing in it counts and its file, perhaps gone already, only waits to be removed for good. */
  void: boolean
}

/** A whole frame with a good checksum. */
export interface GoodFrame {
  readonly good: true
  readonly offset: number
  readonly end: number
  readonly shape: FrameShape
  readonly bytes: Uint8Array
}

/** Where frames stop before they should, and why. */
export interface BadFrame {
  readonly good: false
  readonly offset: number
  readonly why: string
}

/** The file of the segment whose first byte has the offset `base` (PROTOCOL.md §12). */
export function segmentPath(directory: string, base: number): string {
  return path.join(directory, `${String(base).padStart(16, '0')}.log`)
}

/** The offset that a file name says; undefined for files that are not segments. */
export function segmentBase(name: string): number | undefined {
  const digits = /^(\d{16})\.log$/.exec(name)?.[1]
  return digits === undefined ? undefined : Number(digits)
}

/** `disk_full` when the cause is a lack of space, else `disk_failed`. */
export function diskError(cause: unknown, what: string): HeadwaterError {
  const errno = errnoOf(cause)
  const code = errno === 'ENOSPC' || errno === 'EDQUOT' ? 'disk_full' : 'disk_failed'
  const reason = cause instanceof Error ? cause.message : String(cause)
  return error(code, `${what}: ${reason}.`, cause)
}

/** `log_corrupt` for a bad frame of the segment file at `file`. */
export function corruptError(file: string, bad: BadFrame): HeadwaterError {
  return error('log_corrupt', `${file}: the frame at offset ${bad.offset} ${bad.why}.`)
}

/**
 * The frames of a segment that begins at `base`, from the frame boundary `from` up to `until` (all three offsets of the
 * log); ends after the first bad one. Rejects when the file cannot be read.
 */
export async function* walk(
  handle: FileHandle,
  base: number,
  from: number,
  until: number,
): AsyncGenerator<GoodFrame | BadFrame, void, void> {
  const window = new ReadWindow(handle)
  let offset = from
  while (offset < until) {
    const step = await frameAt(window, base, offset, until)
    yield step
    if (!step.good) return
    offset = step.end
  }
}

async function frameAt(
  window: ReadWindow,
  base: number,
  offset: number,
  until: number,
): Promise<GoodFrame | BadFrame> {
  if (until - offset < frameHeaderBytes) return { good: false, offset, why: 'is cut short' }
  const shape = frameShape(await window.bytes(offset - base, frameHeaderBytes))
  if (shape === undefined) return { good: false, offset, why: 'has no valid header' }
  if (shape.bytes > until - offset) return { good: false, offset, why: 'is cut short' }
  // Only the first frame of a segment can follow a gap; groups never cross segments.
  if (shape.durable > offset || (offset > base && shape.durable < base)) {
    return { good: false, offset, why: 'belongs to another place' }
  }
  const bytes = await window.bytes(offset - base, shape.bytes)
  if (bytes.byteLength < shape.bytes || !checksumHolds(bytes)) {
    return { good: false, offset, why: 'has a bad checksum' }
  }
  return { good: true, offset, end: offset + shape.bytes, shape, bytes }
}

/**
 * Looks behind a bad frame, byte by byte, for a good one that was written when the bad one was durable already. Its
 * offset is the proof that the bad frame was once good; undefined when there is no such proof.
 */
export async function findProof(
  handle: FileHandle,
  base: number,
  bad: number,
  until: number,
): Promise<number | undefined> {
  const window = new ReadWindow(handle)
  const candidate = new ReadWindow(handle)
  for (let start = bad + 1; start + frameHeaderBytes <= until;) {
    const length = Math.min(until - start, limits.logReadBytes)
    const piece = await window.bytes(start - base, length)
    const candidates = piece.byteLength - frameHeaderBytes + 1
    for (let i = 0; i < candidates; i++) {
      const shape = frameShape(piece, i)
      if (shape === undefined || shape.durable <= bad) continue
      const found = await frameAt(candidate, base, start + i, until)
      if (found.good) return found.offset
    }
    if (candidates <= 0) return undefined
    start += candidates
  }
  return undefined
}

/** Reads ahead by `limits.logReadBytes`. Bytes that were handed out never change. */
class ReadWindow {
  readonly #handle: FileHandle
  #start = 0
  #bytes: Uint8Array = new Uint8Array(0)

  constructor(handle: FileHandle) {
    this.#handle = handle
  }

  /** `length` bytes at `position` of the file; fewer where it ends. */
  async bytes(position: number, length: number): Promise<Uint8Array> {
    const from = position - this.#start
    if (from < 0 || from + length > this.#bytes.byteLength) {
      this.#bytes = await this.#handle.read(position, Math.max(length, limits.logReadBytes))
      this.#start = position
      return this.#bytes.subarray(0, length)
    }
    return this.#bytes.subarray(from, from + length)
  }
}
