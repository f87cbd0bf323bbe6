/** Deletion vectors in Puffin files (Iceberg spec, "Deletion Vectors", and Puffin spec, `deletion-vector-v1`): positions of deleted rows. */
import { crc32 } from 'node:zlib'

const FILE_MAGIC = Buffer.from('PFA1')
const VECTOR_MAGIC = Buffer.from([0xd1, 0xd3, 0x39, 0x64])
/** Roaring's own format: containers without runs, and with. */
const COOKIE = 12_346
const COOKIE_RUNS = 12_347
const OFFSETS_FROM = 4
const ARRAY_MAX = 4096
const BITMAP_BYTES = 8192

/**
 * Positions of a vector that lies at `offset` of a Puffin file, ascending; `count` is how many there are and `rows` how many the data
 * file has. Throws Error with what is wrong when the bytes are not such a vector.
 */
export function decodeVector(
  file: Uint8Array,
  place: { readonly offset: number; readonly size: number },
  expected: { readonly count: number; readonly rows: number },
): Float64Array {
  const bytes = Buffer.from(file.buffer, file.byteOffset, file.byteLength)
  if (!bytes.subarray(0, 4).equals(FILE_MAGIC)) throw new Error('not a Puffin file')
  const { offset, size } = place
  if (size < 20 || offset < 4 || offset + size > bytes.length) {
    throw new Error('the deletion vector lies outside its file')
  }
  const blob = bytes.subarray(offset, offset + size)
  const length = blob.readUInt32BE(0)
  if (length !== size - 8) throw new Error('the deletion vector has another length')
  const body = blob.subarray(4, 4 + length)
  if (blob.readUInt32BE(4 + length) !== crc32(body)) {
    throw new Error('the checksum of the deletion vector is wrong')
  }
  if (!body.subarray(0, 4).equals(VECTOR_MAGIC)) throw new Error('not a deletion vector')
  if (expected.count > expected.rows) throw new Error('more rows are deleted than there are')
  return new Roaring(body.subarray(4), expected.count, expected.rows).positions()
}

/** A 64-bit Roaring bitmap in its portable form: 32-bit bitmaps by the upper half of their values. */
class Roaring {
  readonly #bytes: Buffer
  readonly #found: Float64Array
  readonly #rows: number
  #at = 0
  #count = 0

  constructor(bytes: Buffer, count: number, rows: number) {
    this.#bytes = bytes
    // The rows of the file bound it: a lying count cannot ask for more than the bytes can hold.
    if (count > bytes.length * 65_536) throw new Error('the deletion vector is too short')
    this.#found = new Float64Array(count)
    this.#rows = rows
  }

  positions(): Float64Array {
    const bitmaps = this.#u32() + this.#u32() * 2 ** 32
    let before = -1
    for (let i = 0; i < bitmaps; i++) {
      const key = this.#u32()
      if (key <= before) throw new Error('the deletion vector is not in order')
      before = key
      this.#bitmap(key * 2 ** 32)
    }
    if (this.#at !== this.#bytes.length) throw new Error('the deletion vector has bytes left over')
    if (this.#count !== this.#found.length) {
      throw new Error(`the deletion vector has ${this.#count} positions, not those it claims`)
    }
    return this.#found
  }

  #bitmap(base: number): void {
    const cookie = this.#u32()
    const withRuns = (cookie & 0xffff) === COOKIE_RUNS
    if (!withRuns && cookie !== COOKIE) throw new Error('not a Roaring bitmap')
    const containers = withRuns ? (cookie >>> 16) + 1 : this.#u32()
    if (containers > 65_536) throw new Error('a Roaring bitmap has too many containers')
    const runs = withRuns ? this.#take((containers + 7) >> 3) : undefined
    const header = this.#take(containers * 4)
    if (!withRuns || containers >= OFFSETS_FROM) this.#take(containers * 4)
    let before = -1
    for (let i = 0; i < containers; i++) {
      const key = header.readUInt16LE(i * 4)
      if (key <= before) throw new Error('a Roaring bitmap is not in order')
      before = key
      const cardinality = header.readUInt16LE(i * 4 + 2) + 1
      const isRun = runs !== undefined && (runs[i >> 3]! & (1 << (i & 7))) !== 0
      const count = this.#count
      const start = base + key * 65_536
      if (isRun) this.#runs(start)
      else if (cardinality <= ARRAY_MAX) this.#array(start, cardinality)
      else this.#bits(start)
      if (this.#count - count !== cardinality)
        throw new Error('a Roaring container has a wrong count')
    }
  }

  #runs(start: number): void {
    const runs = this.#take(2).readUInt16LE(0)
    let next = 0
    for (let i = 0; i < runs; i++) {
      const run = this.#take(4)
      const first = run.readUInt16LE(0)
      const last = first + run.readUInt16LE(2)
      if (first < next || last > 65_535) throw new Error('a Roaring run is not in order')
      for (let value = first; value <= last; value++) this.#add(start + value)
      next = last + 1
    }
  }

  #array(start: number, cardinality: number): void {
    const values = this.#take(cardinality * 2)
    let before = -1
    for (let i = 0; i < cardinality; i++) {
      const value = values.readUInt16LE(i * 2)
      if (value <= before) throw new Error('a Roaring array is not in order')
      before = value
      this.#add(start + value)
    }
  }

  #bits(start: number): void {
    const words = this.#take(BITMAP_BYTES)
    for (let i = 0; i < BITMAP_BYTES; i++) {
      const byte = words[i]!
      for (let bit = 0; byte >> bit > 0; bit++) {
        if ((byte & (1 << bit)) !== 0) this.#add(start + i * 8 + bit)
      }
    }
  }

  #add(position: number): void {
    if (position >= this.#rows) throw new Error('a deleted row lies behind the end of the file')
    if (this.#count === this.#found.length) throw new Error('more rows are deleted than is claimed')
    this.#found[this.#count++] = position
  }

  #u32(): number {
    return this.#take(4).readUInt32LE(0)
  }

  #take(length: number): Buffer {
    if (this.#at + length > this.#bytes.length) throw new Error('the deletion vector ends early')
    this.#at += length
    return this.#bytes.subarray(this.#at - length, this.#at)
  }
}
