/** Iceberg's binary form of single values (spec, appendix D), used for the bounds in manifests; their order, and how strings are cut. */
import { isUtf8 } from 'node:buffer'
import { assert } from '../base/assert.ts'
import type { Bound } from './data-file.ts'

/** Characters of a string bound that are kept (the default of the Java implementation). */
const TEXT_BOUND = 16

/**
 * How values of a primitive type are held: numbers for int (also dates), float and double; bigints for long (also times and timestamps,
 * in µs or ns) and for the unscaled value of decimals; bytes for uuid, fixed and binary. Undefined: a type without bounds that we know.
 */
export function storageOf(
  type: string,
): 'boolean' | 'int' | 'long' | 'float' | 'double' | 'string' | 'bytes' | 'decimal' | undefined {
  switch (type) {
    case 'boolean':
    case 'float':
    case 'double':
    case 'string':
    case 'long':
    case 'int':
      return type
    case 'date':
      return 'int'
    case 'time':
    case 'timestamp':
    case 'timestamptz':
    case 'timestamp_ns':
    case 'timestamptz_ns':
      return 'long'
    case 'uuid':
    case 'binary':
      return 'bytes'
  }
  if (/^fixed\[\d+\]$/.test(type)) return 'bytes'
  return /^decimal\(\d+, ?\d+\)$/.test(type) ? 'decimal' : undefined
}

/** Bytes of a bound. `type` is a primitive Iceberg type. */
export function encodeBound(type: string, value: Bound): Buffer {
  const storage = storageOf(type)
  switch (storage) {
    case 'boolean':
      return Buffer.from([value === true ? 1 : 0])
    case 'int': {
      const bytes = Buffer.alloc(4)
      bytes.writeInt32LE(value as number)
      return bytes
    }
    case 'long': {
      const bytes = Buffer.alloc(8)
      bytes.writeBigInt64LE(BigInt(value as number | bigint))
      return bytes
    }
    case 'float': {
      const bytes = Buffer.alloc(4)
      bytes.writeFloatLE(value as number)
      return bytes
    }
    case 'double': {
      const bytes = Buffer.alloc(8)
      bytes.writeDoubleLE(value as number)
      return bytes
    }
    case 'string':
      return Buffer.from(value as string)
    case 'bytes':
      return Buffer.from(value as Uint8Array)
    case 'decimal':
      return bigEndian(value as bigint)
    case undefined:
      assert(false, `bounds of ${type} are known`)
  }
}

/**
 * The value of a bound's bytes; undefined where the type is not known or the bytes are none of it. A column that was widened has
 * bounds of the narrower type in old manifests.
 */
export function decodeBound(type: string, bytes: Uint8Array): Bound | undefined {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const { length } = buffer
  switch (storageOf(type)) {
    case 'boolean':
      return length === 1 && buffer[0]! <= 1 ? buffer[0] === 1 : undefined
    case 'int':
      return length === 4 ? buffer.readInt32LE() : undefined
    case 'long':
      // Four bytes of a long are an int; of a timestamp, a date, which counts otherwise.
      if (length === 4) return type === 'long' ? BigInt(buffer.readInt32LE()) : undefined
      return length === 8 ? buffer.readBigInt64LE() : undefined
    case 'float':
      return length === 4 ? buffer.readFloatLE() : undefined
    case 'double':
      if (length === 4) return buffer.readFloatLE()
      return length === 8 ? buffer.readDoubleLE() : undefined
    case 'string':
      return isUtf8(buffer) ? buffer.toString('utf8') : undefined
    case 'bytes': {
      const size = type === 'uuid' ? 16 : /^fixed\[(\d+)\]$/.exec(type)?.[1]
      return size === undefined || Number(size) === length ? buffer : undefined
    }
    case 'decimal':
      return length > 0 && length <= 17 ? fromBigEndian(buffer) : undefined
    case undefined:
      return undefined
  }
}

/** Negative, zero or positive, as engines order the values of a type; NaN is greater than everything. Both must be values of one type. */
export function compareBounds(a: Bound, b: Bound): number {
  if (typeof a === 'string') return compareText(a, b as string)
  if (a instanceof Uint8Array) return Buffer.compare(a, b as Uint8Array)
  if (a === b) return 0
  if (Number.isNaN(a)) return Number.isNaN(b) ? 0 : 1
  if (Number.isNaN(b)) return -1
  return a < b ? -1 : a > b ? 1 : 0
}

/** By code points, which is the order of UTF-8 bytes. */
function compareText(a: string, b: string): number {
  const length = Math.min(a.length, b.length)
  for (let i = 0; i < length; i++) {
    const [one, other] = [a.charCodeAt(i), b.charCodeAt(i)]
    if (one === other) continue
    // Surrogates stand for code points above those of all other units.
    const surrogates = [one, other].map((unit) => unit >= 0xd800 && unit <= 0xdfff)
    if (surrogates[0] !== surrogates[1]) return surrogates[0] === true ? 1 : -1
    return one - other
  }
  return a.length - b.length
}

/** Two's complement, big-endian, in as few bytes as it takes. */
export function bigEndian(value: bigint): Buffer {
  let length = 1
  while (BigInt.asIntN(length * 8, value) !== value) length++
  return bigEndianOf(value, length)
}

/** Two's complement, big-endian, in `length` bytes. */
export function bigEndianOf(value: bigint, length: number): Buffer {
  let rest = BigInt.asUintN(length * 8, value)
  const bytes = Buffer.alloc(length)
  for (let i = length - 1; i >= 0; i--) {
    bytes[i] = Number(rest & 255n)
    rest >>= 8n
  }
  return bytes
}

export function fromBigEndian(bytes: Uint8Array): bigint {
  let value = 0n
  for (const byte of bytes) value = (value << 8n) | BigInt(byte)
  return BigInt.asIntN(bytes.length * 8, value)
}

/** A lower bound cut to what is kept of it: a prefix is never greater. */
export function cutLower(value: Bound): Bound {
  return typeof value === 'string' ? Array.from(value).slice(0, TEXT_BOUND).join('') : value
}

/** An upper bound cut to what is kept of it: the prefix with its last character raised; undefined where none can be. */
export function cutUpper(value: Bound): Bound | undefined {
  if (typeof value !== 'string') return value
  const characters = Array.from(value)
  if (characters.length <= TEXT_BOUND) return value
  const kept = characters.slice(0, TEXT_BOUND)
  while (kept.length > 0) {
    const raised = raise(kept.pop()!)
    if (raised !== undefined) return kept.join('') + raised
  }
  return undefined
}

/** The next code point that is a character. */
function raise(character: string): string | undefined {
  const next = character.codePointAt(0)! + 1
  if (next > 0x10ffff) return undefined
  return String.fromCodePoint(next >= 0xd800 && next <= 0xdfff ? 0xe000 : next)
}
