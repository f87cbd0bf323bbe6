/** Reads Avro object container files that nobody vouches for: whatever the bytes, an answer or an Error, in bounded time and memory. */
import { isUtf8 } from 'node:buffer'
import { inflateRawSync, zstdDecompressSync } from 'node:zlib'
import { limits } from '../base/limits.ts'
import {
  AVRO_MAGIC,
  type AvroArray,
  type AvroField,
  type AvroMap,
  type AvroNamed,
  type AvroRecord,
  type AvroSchema,
  type AvroValue,
} from './avro.ts'

/** A decoded container: its header metadata, the schema it was written with, and its records. */
export interface AvroFile {
  readonly meta: ReadonlyMap<string, string>
  readonly schema: AvroSchema
  readonly records: readonly Readonly<Record<string, AvroValue>>[]
}

type Prepare = (schema: AvroSchema, meta: ReadonlyMap<string, string>) => AvroSchema

/**
 * Decodes a container of records. `prepare` may rename the fields of its schema before anything is read. Throws Error with what is
 * wrong when the bytes are not one.
 */
export function decodeAvro(bytes: Uint8Array, prepare: Prepare = (schema) => schema): AvroFile {
  const budget = { items: limits.metadataItemsMax }
  const reader = new AvroReader(bytes, budget)
  if (Buffer.compare(reader.raw(4), AVRO_MAGIC) !== 0) throw new Error('not an Avro file')
  const meta = new Map<string, string>()
  for (let count = reader.blockCount(2); count > 0; count = reader.blockCount(2)) {
    for (let i = 0; i < count; i++) meta.set(reader.text(), reader.text())
  }
  const sync = Buffer.from(reader.raw(16))
  const schema = JSON.parse(meta.get('avro.schema') ?? 'null') as AvroSchema
  const compiled = new Compiler().compile(prepare(schema, meta), 0)
  if (!compiled.record) throw new Error('the Avro schema is not a record')
  const codec = meta.get('avro.codec') ?? 'null'
  const records: Readonly<Record<string, AvroValue>>[] = []
  let room = limits.metadataBytesMax
  while (!reader.atEnd) {
    const count = reader.size()
    const block = reader.raw(reader.size())
    if (Buffer.compare(reader.raw(16), sync) !== 0) throw new Error('an Avro sync marker is wrong')
    const data = unpack(codec, block, room)
    room -= data.length
    const inner = new AvroReader(data, budget)
    inner.checkCount(count, compiled.least)
    for (let i = 0; i < count; i++) {
      records.push(compiled.read(inner, 0) as Readonly<Record<string, AvroValue>>)
    }
    if (!inner.atEnd) throw new Error('an Avro block has bytes left over')
  }
  return { meta, schema, records }
}

function unpack(codec: string, block: Buffer, room: number): Buffer {
  switch (codec) {
    case 'null':
      if (block.length > room) throw new Error('an Avro file is too large')
      return block
    case 'deflate':
      return inflateRawSync(block, { maxOutputLength: Math.max(1, room) })
    case 'zstandard':
      return zstdDecompressSync(block, { maxOutputLength: Math.max(1, room) })
    default:
      throw new Error(`the Avro codec ${JSON.stringify(codec).slice(0, 80)} is not read`)
  }
}

type Read = (reader: AvroReader, depth: number) => AvroValue

/** A schema made ready: how to read a value, and how many bytes each takes at least. */
interface Compiled {
  read: Read
  least: number
  readonly record: boolean
}

class Compiler {
  readonly #named = new Map<string, Compiled>()

  compile(schema: AvroSchema, depth: number): Compiled {
    if (depth > limits.avroDepthMax) throw new Error('an Avro schema is nested too deeply')
    if (Array.isArray(schema)) return this.#union(schema as readonly AvroSchema[], depth)
    if (typeof schema === 'string') return PRIMITIVES.get(schema) ?? this.#reference(schema)
    if (typeof schema !== 'object' || schema === null) throw new Error('an Avro schema is not one')
    const { type } = schema as AvroRecord
    switch (type as string) {
      case 'record':
        return this.#record(schema as AvroRecord, depth)
      case 'array':
        return this.#array(this.compile((schema as unknown as AvroArray).items, depth + 1))
      case 'map':
        return this.#map(this.compile((schema as unknown as AvroMap).values, depth + 1))
      case 'fixed':
        return this.#fixed(schema as unknown as AvroNamed)
      default:
        return this.compile(type, depth + 1)
    }
  }

  #reference(name: string): Compiled {
    const known = this.#named.get(name)
    if (known === undefined) {
      throw new Error(`the Avro type ${JSON.stringify(name).slice(0, 80)} is unknown`)
    }
    // While a type is being compiled its least size is NaN, so that a type that holds itself always is found out.
    return { read: (reader, depth) => known.read(reader, depth), least: known.least, record: false }
  }

  #union(branches: readonly AvroSchema[], depth: number): Compiled {
    const reads = branches.map((branch) => this.compile(branch, depth + 1).read)
    return {
      record: false,
      least: 1,
      read: (reader, at) => {
        const read = reads[reader.size()]
        if (read === undefined) throw new Error('an Avro union has no such branch')
        return read(reader, at + 1)
      },
    }
  }

  #record({ name, fields }: AvroRecord, depth: number): Compiled {
    if (!Array.isArray(fields)) throw new Error('an Avro record has no fields')
    const compiled: Compiled = { record: true, least: NaN, read: () => undefined }
    if (typeof name === 'string') this.#named.set(name, compiled)
    const members = (fields as readonly AvroField[]).map((field) => {
      if (typeof field?.name !== 'string' || field.name === '__proto__') {
        throw new Error('an Avro field has no name')
      }
      return [field.name, this.compile(field.type, depth + 1)] as const
    })
    const least = members.reduce((sum, [, member]) => sum + member.least, 0)
    if (Number.isNaN(least)) throw new Error('an Avro record holds itself')
    const names = members.map(([of]) => of)
    const reads = members.map(([, member]) => member.read)
    compiled.least = least
    compiled.read = (reader, at) => {
      if (at > limits.avroDepthMax) throw new Error('an Avro value is nested too deeply')
      const record: Record<string, unknown> = {}
      for (let i = 0; i < reads.length; i++) record[names[i]!] = reads[i]!(reader, at + 1)
      return record
    }
    return compiled
  }

  #array(items: Compiled): Compiled {
    return {
      record: false,
      least: 1,
      read: (reader, depth) => {
        if (depth > limits.avroDepthMax) throw new Error('an Avro value is nested too deeply')
        const values: unknown[] = []
        const { least } = items
        for (let count = reader.blockCount(least); count > 0; count = reader.blockCount(least)) {
          for (let i = 0; i < count; i++) values.push(items.read(reader, depth + 1))
        }
        return values
      },
    }
  }

  #map(values: Compiled): Compiled {
    return {
      record: false,
      least: 1,
      read: (reader, depth) => {
        if (depth > limits.avroDepthMax) throw new Error('an Avro value is nested too deeply')
        const map = new Map<string, unknown>()
        const least = values.least + 1
        for (let count = reader.blockCount(least); count > 0; count = reader.blockCount(least)) {
          for (let i = 0; i < count; i++) map.set(reader.text(), values.read(reader, depth + 1))
        }
        return map
      },
    }
  }

  #fixed({ size, name }: AvroNamed): Compiled {
    if (!Number.isSafeInteger(size) || size! < 0) throw new Error('an Avro fixed has no size')
    const read: Read = (reader) => Buffer.from(reader.raw(size!))
    const compiled = { record: false, least: size!, read }
    if (typeof name === 'string') this.#named.set(name, compiled)
    return compiled
  }
}

const primitive = (least: number, read: (reader: AvroReader) => AvroValue): Compiled => ({
  record: false,
  least,
  read,
})

const PRIMITIVES: ReadonlyMap<string, Compiled> = new Map([
  ['null', primitive(0, () => null)],
  ['boolean', primitive(1, (reader) => reader.boolean())],
  ['int', primitive(1, (reader) => reader.int())],
  ['long', primitive(1, (reader) => reader.long())],
  ['float', primitive(4, (reader) => reader.raw(4).readFloatLE())],
  ['double', primitive(8, (reader) => reader.raw(8).readDoubleLE())],
  ['string', primitive(1, (reader) => reader.text())],
  ['bytes', primitive(1, (reader) => Buffer.from(reader.raw(reader.size())))],
])

class AvroReader {
  readonly #bytes: Buffer
  readonly #budget: { items: number }
  #at = 0

  /** `budget`: how many items the file may still have. */
  constructor(bytes: Uint8Array, budget: { items: number }) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#budget = budget
  }

  get atEnd(): boolean {
    return this.#at >= this.#bytes.length
  }

  raw(length: number): Buffer {
    if (this.#at + length > this.#bytes.length) throw new Error('Avro data ends early')
    this.#at += length
    return this.#bytes.subarray(this.#at - length, this.#at)
  }

  boolean(): boolean {
    const [byte] = this.raw(1)
    if (byte! > 1) throw new Error('an Avro boolean is neither true nor false')
    return byte === 1
  }

  int(): number {
    const value = this.long()
    if (typeof value !== 'number' || value !== (value | 0)) {
      throw new Error('an Avro int is out of range')
    }
    return value
  }

  long(): number | bigint {
    // Most are of one to four bytes.
    let small = 0
    for (let shift = 0; shift < 28; shift += 7) {
      const byte = this.#bytes[this.#at++]
      if (byte === undefined) throw new Error('Avro data ends early')
      small |= (byte & 127) << shift
      if (byte < 128) return (small >>> 1) ^ -(small & 1)
    }
    let value = BigInt(small)
    for (let shift = 28n; shift < 70n; shift += 7n) {
      const byte = this.#bytes[this.#at++]
      if (byte === undefined) throw new Error('Avro data ends early')
      value |= BigInt(byte & 127) << shift
      if (byte < 128) {
        if (value >> 64n !== 0n) break
        const signed = BigInt.asIntN(64, (value >> 1n) ^ -(value & 1n))
        const number = Number(signed)
        return Number.isSafeInteger(number) ? number : signed
      }
    }
    throw new Error('an Avro integer is too long')
  }

  /** A count or length: never negative. */
  size(): number {
    const size = this.long()
    if (typeof size !== 'number' || size < 0) throw new Error('an Avro length is impossible')
    return size
  }

  /** Throws unless so many values of at least `least` bytes each can follow. */
  checkCount(count: number, least: number): void {
    if (least > 0 && count > (this.#bytes.length - this.#at) / least) {
      throw new Error('an Avro count is impossible')
    }
    this.#budget.items -= count
    if (this.#budget.items < 0) throw new Error('an Avro file has too many items')
  }

  /** The count of an array or map block of items of at least `least` bytes; a negative one is followed by the block's bytes. */
  blockCount(least: number): number {
    const count = this.long()
    if (typeof count !== 'number') throw new Error('an Avro count is impossible')
    if (count < 0) this.size()
    this.checkCount(Math.abs(count), least)
    return Math.abs(count)
  }

  text(): string {
    const bytes = this.raw(this.size())
    if (!isUtf8(bytes)) throw new Error('an Avro string is not UTF-8')
    return bytes.toString('utf8')
  }
}
