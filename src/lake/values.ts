/** Iceberg's binary form of single values (spec, appendix D), used for the bounds in manifests. */
import type { Bound } from './lake.ts'

/** Characters of a string bound that are kept (the default of the Java implementation). */
const TEXT_BOUND = 16

/** Bytes of a bound. `type` is a primitive Iceberg type. */
export function encodeBound(type: string, value: Bound): Buffer {
  switch (type) {
    case 'boolean':
      return Buffer.from([value === true ? 1 : 0])
    case 'int':
    case 'date': {
      const bytes = Buffer.alloc(4)
      bytes.writeInt32LE(value as number)
      return bytes
    }
    case 'long':
    case 'timestamptz': {
      const bytes = Buffer.alloc(8)
      bytes.writeBigInt64LE(BigInt(value as number | bigint))
      return bytes
    }
    case 'double': {
      const bytes = Buffer.alloc(8)
      bytes.writeDoubleLE(value as number)
      return bytes
    }
    case 'string':
      return Buffer.from(value as string)
    case 'binary':
      return Buffer.from(value as Uint8Array)
  }
  return bigEndian(value as bigint)
}

/** The value of a bound's bytes; undefined where the type is not known or the length is wrong. */
export function decodeBound(type: string, bytes: Uint8Array): Bound | undefined {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  switch (type) {
    case 'boolean':
      return buffer.length === 1 ? buffer[0] === 1 : undefined
    case 'int':
    case 'date':
      return buffer.length === 4 ? buffer.readInt32LE() : undefined
    case 'long':
    case 'timestamptz':
      // A column widened from int has bounds of four bytes in old manifests.
      if (buffer.length === 4) return BigInt(buffer.readInt32LE())
      return buffer.length === 8 ? buffer.readBigInt64LE() : undefined
    case 'double':
      return buffer.length === 8 ? buffer.readDoubleLE() : undefined
    case 'string':
      return buffer.toString('utf8')
    case 'binary':
      return buffer
  }
  return type.startsWith('decimal') ? fromBigEndian(buffer) : undefined
}

/** Two's complement, big-endian, in as few bytes as it takes. */
function bigEndian(value: bigint): Buffer {
  let length = 1
  while (BigInt.asIntN(length * 8, value) !== value) length++
  let rest = BigInt.asUintN(length * 8, value)
  const bytes = Buffer.alloc(length)
  for (let i = length - 1; i >= 0; i--) {
    bytes[i] = Number(rest & 255n)
    rest >>= 8n
  }
  return bytes
}

function fromBigEndian(bytes: Uint8Array): bigint {
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
