/** The 32-bit hash of bucket partitions (Iceberg spec, appendix B): Murmur3 x86, seed 0. */
import type { Bound } from './data-file.ts'
import { bigEndian, storageOf } from './values.ts'

/** Hash of bytes, a signed 32-bit integer. */
function murmur3(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const blocks = bytes.length >> 2
  let hash = 0
  for (let i = 0; i < blocks; i++) {
    hash = (Math.imul(rotl(hash ^ mixed(view.getInt32(i * 4, true)), 13), 5) + 0xe6546b64) | 0
  }
  let tail = 0
  for (let i = bytes.length - 1; i >= blocks * 4; i--) tail = (tail << 8) | bytes[i]!
  if (bytes.length > blocks * 4) hash ^= mixed(tail)
  hash ^= bytes.length
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return hash ^ (hash >>> 16)
}

function mixed(block: number): number {
  return Math.imul(rotl(Math.imul(block, 0xcc9e2d51), 15), 0x1b873593)
}

function rotl(value: number, bits: number): number {
  return (value << bits) | (value >>> (32 - bits))
}

/** Hash of a value of a primitive type; undefined for the types that have none. */
export function bucketHash(type: string, value: Bound): number | undefined {
  switch (storageOf(type)) {
    case 'int':
    case 'long':
      // Nanoseconds hash as the microseconds that they lie in.
      return hashLong(
        type.endsWith('_ns') ? floorThousand(value as bigint) : BigInt(value as number),
      )
    case 'string':
      return murmur3(Buffer.from(value as string))
    case 'bytes':
      return murmur3(value as Uint8Array)
    case 'decimal':
      return murmur3(bigEndian(value as bigint))
    default:
      return undefined
  }
}

function hashLong(value: bigint): number {
  const bytes = Buffer.alloc(8)
  bytes.writeBigInt64LE(value)
  return murmur3(bytes)
}

function floorThousand(value: bigint): bigint {
  return value % 1000n < 0n ? value / 1000n - 1n : value / 1000n
}
