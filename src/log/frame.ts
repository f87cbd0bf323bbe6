/** Frames as bytes: the layout of PROTOCOL.md §12, written and checked. */
import { crc32 } from 'node:zlib'
import { assert } from '../base/assert.ts'
import type { Frame } from './log.ts'

/** Where each field of the header begins, in bytes. */
const at = {
  length: 0,
  checksum: 4,
  kind: 8,
  version: 9,
  zero: 10,
  seq: 12,
  boot: 16,
  first: 32,
  count: 40,
  fingerprint: 44,
  durable: 48,
  metaLength: 56,
} as const

/** Bytes of a frame before its meta. */
export const frameHeaderBytes = 60
const version = 1
const kinds = { batch: 1, bytes: 2, probe: 3 } as const
const kindNames = [undefined, 'batch', 'bytes', 'probe'] as const
const none = new Uint8Array(0)
const noBoot = new Uint8Array(16)

/** What the header of a frame says before its checksum is looked at. */
export interface FrameShape {
  readonly kind: 'batch' | 'bytes' | 'probe'
  /** Length of the whole frame in bytes. */
  readonly bytes: number
  /** Offset up to which the log was durable when the frame was written. */
  readonly durable: number
}

/** Length of the encoded frame in bytes. */
export function frameBytes(frame: Frame): number {
  return frameHeaderBytes + frame.meta.byteLength + frame.payload.byteLength
}

/** Header, meta and payload, to be written one after the other. `durable` as in `FrameShape`. */
export function encodeFrame(frame: Frame, durable: number): [Uint8Array, Uint8Array, Uint8Array] {
  return [encodeHeader(kinds[frame.kind], frame, durable), frame.meta, frame.payload]
}

/** Writes a whole frame into `block` from `position` on, where it has room; answers where it ends. */
export function writeFrame(block: Buffer, position: number, frame: Frame, durable: number): number {
  const metaAt = position + frameHeaderBytes
  const payloadAt = metaAt + frame.meta.byteLength
  const end = payloadAt + frame.payload.byteLength
  writeHeader(block, position, kinds[frame.kind], frame, durable)
  block.set(frame.meta, metaAt)
  block.set(frame.payload, payloadAt)
  const checksum = crc32(block.subarray(position + at.kind, end))
  block.writeUInt32LE(checksum, position + at.checksum)
  return end
}

/** A frame without content, written to see whether the disk takes writes. */
export function encodeProbe(durable: number): Uint8Array {
  const content = { boot: noBoot, seq: 0, first: 0, count: 0, fingerprint: 0 }
  return encodeHeader(kinds.probe, { ...content, meta: none, payload: none }, durable)
}

function encodeHeader(kind: number, frame: Omit<Frame, 'kind'>, durable: number): Uint8Array {
  const { meta, payload } = frame
  const header = Buffer.allocUnsafe(frameHeaderBytes)
  writeHeader(header, 0, kind, frame, durable)
  const checksum = crc32(payload, crc32(meta, crc32(header.subarray(at.kind))))
  header.writeUInt32LE(checksum, at.checksum)
  return header
}

/** Writes all of the header but the checksum. */
function writeHeader(
  block: Buffer,
  position: number,
  kind: number,
  frame: Omit<Frame, 'kind'>,
  durable: number,
): void {
  assert(frame.boot.byteLength === 16, 'a boot has 128 bits')
  const { meta, payload } = frame
  const rest = frameHeaderBytes - at.kind + meta.byteLength + payload.byteLength
  block.writeUInt32LE(rest, position + at.length)
  block[position + at.kind] = kind
  block[position + at.version] = version
  block.writeUInt16LE(0, position + at.zero)
  block.writeUInt32LE(frame.seq, position + at.seq)
  block.set(frame.boot, position + at.boot)
  writeOffset(block, frame.first, position + at.first)
  block.writeUInt32LE(frame.count, position + at.count)
  block.writeUInt32LE(frame.fingerprint, position + at.fingerprint)
  writeOffset(block, durable, position + at.durable)
  block.writeUInt32LE(meta.byteLength, position + at.metaLength)
}

/** Reads a header at `position` of `bytes`; undefined when it cannot be one. The checksum is not looked at. */
export function frameShape(bytes: Uint8Array, position = 0): FrameShape | undefined {
  if (bytes.byteLength - position < frameHeaderBytes) return undefined
  const kind = kindNames[bytes[position + at.kind]!]
  if (kind === undefined || bytes[position + at.version] !== version) return undefined
  if (bytes[position + at.zero] !== 0 || bytes[position + at.zero + 1] !== 0) return undefined
  const rest = readUint32(bytes, position + at.length)
  if (rest < frameHeaderBytes - at.kind) return undefined
  const metaLength = readUint32(bytes, position + at.metaLength)
  if (metaLength > rest - (frameHeaderBytes - at.kind)) return undefined
  const durable = readUint64(bytes, position + at.durable)
  return { kind, bytes: at.kind + rest, durable }
}

/** Whether `bytes`, one whole frame, has the checksum it says. */
export function checksumHolds(bytes: Uint8Array): boolean {
  return crc32(bytes.subarray(at.kind)) === readUint32(bytes, at.checksum)
}

/** The content of a checked frame, not a probe; its arrays are views of `bytes`. */
export function decodeFrame(bytes: Uint8Array): Frame {
  const kind = kindNames[bytes[at.kind]!]
  assert(kind === 'batch' || kind === 'bytes', 'only frames with content are decoded')
  const metaEnd = frameHeaderBytes + readUint32(bytes, at.metaLength)
  return {
    kind,
    boot: bytes.subarray(at.boot, at.boot + 16),
    seq: readUint32(bytes, at.seq),
    first: readUint64(bytes, at.first),
    count: readUint32(bytes, at.count),
    fingerprint: readUint32(bytes, at.fingerprint),
    meta: bytes.subarray(frameHeaderBytes, metaEnd),
    payload: bytes.subarray(metaEnd),
  }
}

function writeOffset(header: Buffer, value: number, position: number): void {
  assert(Number.isSafeInteger(value) && value >= 0, 'offsets and numbers are exact')
  header.writeUInt32LE(value % 2 ** 32, position)
  header.writeUInt32LE(Math.floor(value / 2 ** 32), position + 4)
}

function readUint32(bytes: Uint8Array, position: number): number {
  const high = (bytes[position + 3]! << 24) | (bytes[position + 2]! << 16)
  return (high | (bytes[position + 1]! << 8) | bytes[position]!) >>> 0
}

function readUint64(bytes: Uint8Array, position: number): number {
  return readUint32(bytes, position) + readUint32(bytes, position + 4) * 2 ** 32
}
