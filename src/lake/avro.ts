/** Avro object container files (Apache Avro 1.12 specification): what Iceberg keeps its manifests in. */
import { deflateRawSync, inflateRawSync } from 'node:zlib'
import { assert } from '../base/assert.ts'

export type AvroSchema = string | AvroUnion | AvroRecord | AvroArray | AvroMap | AvroNamed
export type AvroUnion = readonly AvroSchema[]
export interface AvroRecord {
  readonly type: 'record'
  readonly name: string
  readonly fields: readonly (Readonly<Record<string, unknown>> & {
    readonly name: string
    readonly type: AvroSchema
  })[]
}
export interface AvroArray extends Readonly<Record<string, unknown>> {
  readonly type: 'array'
  readonly items: AvroSchema
}
export interface AvroMap extends Readonly<Record<string, unknown>> {
  readonly type: 'map'
  readonly values: AvroSchema
}
/** A primitive with attributes, such as `{type: 'int', logicalType: 'date'}`, or a fixed of `size` bytes. */
export interface AvroNamed extends Readonly<Record<string, unknown>> {
  readonly type: 'int' | 'long' | 'bytes' | 'string' | 'boolean' | 'float' | 'double' | 'fixed'
  readonly size?: number
}

/** Longs are bigint where they do not fit a number; records are objects; maps are `Map`s never seen in Iceberg. */
export type AvroValue = unknown

const MAGIC = Buffer.from([0x4f, 0x62, 0x6a, 1])
/** No file of Iceberg metadata is near it; a corrupt length is. */
const BLOCK_BYTES_MAX = 1 << 30

/** A decoded container: its header metadata and its records. */
export interface AvroFile {
  readonly meta: ReadonlyMap<string, string>
  readonly records: readonly Readonly<Record<string, AvroValue>>[]
}

/** Encodes records as one deflated block. `sync` is the 16-byte marker of the file. */
export function encodeAvro(
  schema: AvroRecord,
  records: readonly AvroValue[],
  meta: Readonly<Record<string, string>>,
  sync: Uint8Array,
): Buffer {
  const header = new AvroWriter()
  header.raw(MAGIC)
  const entries = { 'avro.schema': JSON.stringify(schema), 'avro.codec': 'deflate', ...meta }
  header.long(Object.keys(entries).length)
  for (const [key, value] of Object.entries(entries)) {
    header.bytes(Buffer.from(key))
    header.bytes(Buffer.from(value))
  }
  header.long(0)
  header.raw(sync)
  if (records.length === 0) return header.done()
  const body = new AvroWriter()
  for (const record of records) body.value(schema, record)
  const block = deflateRawSync(body.done())
  header.long(records.length)
  header.long(block.length)
  header.raw(block)
  header.raw(sync)
  return header.done()
}

/** Decodes a container. Throws Error with what is wrong when the bytes are not one. */
export function decodeAvro(bytes: Uint8Array): AvroFile {
  const reader = new AvroReader(bytes)
  if (Buffer.compare(reader.raw(4), MAGIC) !== 0) throw new Error('not an Avro file')
  const meta = new Map<string, string>()
  for (let count = reader.blockCount(); count > 0; count = reader.blockCount()) {
    for (let i = 0; i < count; i++) meta.set(reader.text(), reader.text())
  }
  const sync = Buffer.from(reader.raw(16))
  const schema = JSON.parse(meta.get('avro.schema') ?? 'null') as AvroSchema
  const codec = meta.get('avro.codec') ?? 'null'
  if (codec !== 'deflate' && codec !== 'null') throw new Error(`the Avro codec ${codec} is unknown`)
  const records: Readonly<Record<string, AvroValue>>[] = []
  while (!reader.atEnd) {
    const count = reader.size()
    const block = reader.raw(reader.size())
    if (Buffer.compare(reader.raw(16), sync) !== 0) throw new Error('an Avro sync marker is wrong')
    const data =
      codec === 'null' ? block : inflateRawSync(block, { maxOutputLength: BLOCK_BYTES_MAX })
    const inner = new AvroReader(data)
    for (let i = 0; i < count; i++) {
      records.push(inner.value(schema) as Readonly<Record<string, AvroValue>>)
    }
    if (!inner.atEnd) throw new Error('an Avro block has bytes left over')
  }
  return { meta, records }
}

class AvroWriter {
  #buffer = Buffer.allocUnsafe(1024)
  #length = 0

  done(): Buffer {
    return this.#buffer.subarray(0, this.#length)
  }

  #room(bytes: number): void {
    if (this.#length + bytes <= this.#buffer.length) return
    const grown = Buffer.allocUnsafe(Math.max(this.#buffer.length * 2, this.#length + bytes))
    this.#buffer.copy(grown, 0, 0, this.#length)
    this.#buffer = grown
  }

  raw(bytes: Uint8Array): void {
    this.#room(bytes.length)
    this.#buffer.set(bytes, this.#length)
    this.#length += bytes.length
  }

  /** Zigzag varint. */
  long(value: number | bigint): void {
    this.#room(10)
    let rest = BigInt(value)
    rest = (rest << 1n) ^ (rest >> 63n)
    while (rest > 127n) {
      this.#buffer[this.#length++] = Number(rest & 127n) | 128
      rest >>= 7n
    }
    this.#buffer[this.#length++] = Number(rest)
  }

  bytes(value: Uint8Array): void {
    this.long(value.length)
    this.raw(value)
  }

  value(schema: AvroSchema, value: AvroValue): void {
    if (Array.isArray(schema)) {
      const absent = value === null || value === undefined
      const branch = (schema as AvroUnion).findIndex((item) => (item === 'null') === absent)
      assert(branch !== -1, 'a union of null and one type')
      this.long(branch)
      this.value((schema as AvroUnion)[branch]!, value)
      return
    }
    const type = typeof schema === 'string' ? schema : (schema as AvroRecord).type
    switch (type) {
      case 'null':
        return
      case 'boolean':
        this.raw(Uint8Array.of(value === true ? 1 : 0))
        return
      case 'int':
      case 'long':
        this.long(value as number | bigint)
        return
      case 'float':
      case 'double': {
        const bytes = Buffer.alloc(type === ('float' as string) ? 4 : 8)
        if (bytes.length === 4) bytes.writeFloatLE(value as number)
        else bytes.writeDoubleLE(value as number)
        this.raw(bytes)
        return
      }
      case 'string':
        this.bytes(Buffer.from(value as string))
        return
      case 'bytes':
        this.bytes(value as Uint8Array)
        return
      case 'fixed':
        this.raw(value as Uint8Array)
        return
      case 'record':
        for (const field of (schema as AvroRecord).fields) {
          this.value(field.type, (value as Record<string, unknown>)[field.name])
        }
        return
      case 'array': {
        const items = value as readonly unknown[]
        if (items.length > 0) {
          this.long(items.length)
          for (const item of items) this.value((schema as AvroArray).items, item)
        }
        this.long(0)
        return
      }
      default:
        assert(false, `the Avro type ${type} is written`)
    }
  }
}

class AvroReader {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  get atEnd(): boolean {
    return this.#at >= this.#bytes.length
  }

  raw(length: number): Buffer {
    if (length < 0 || this.#at + length > this.#bytes.length)
      throw new Error('Avro data ends early')
    this.#at += length
    return this.#bytes.subarray(this.#at - length, this.#at)
  }

  long(): number | bigint {
    let value = 0n
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.raw(1)[0]!
      value |= BigInt(byte & 127) << shift
      if (byte < 128) {
        const signed = BigInt.asIntN(64, (value >> 1n) ^ -(value & 1n))
        const number = Number(signed)
        return Number.isSafeInteger(number) ? number : signed
      }
    }
    throw new Error('an Avro integer is too long')
  }

  /** A count or length: never negative, never more than there are bytes left. */
  size(): number {
    const size = this.long()
    if (typeof size !== 'number' || size < 0 || size > this.#bytes.length * 1100 + 64) {
      throw new Error('an Avro length is impossible')
    }
    return size
  }

  /** The count of an array or map block; a negative one is followed by the block's bytes. */
  blockCount(): number {
    const count = this.long()
    if (typeof count !== 'number') throw new Error('an Avro count is impossible')
    if (count < 0) this.long()
    if (Math.abs(count) > this.#bytes.length) throw new Error('an Avro count is impossible')
    return Math.abs(count)
  }

  text(): string {
    return this.raw(this.size()).toString('utf8')
  }

  value(schema: AvroSchema): AvroValue {
    if (Array.isArray(schema)) {
      const branch = (schema as AvroUnion)[this.size()]
      if (branch === undefined) throw new Error('an Avro union has no such branch')
      return this.value(branch)
    }
    const type = typeof schema === 'string' ? schema : (schema as AvroRecord).type
    switch (type) {
      case 'null':
        return null
      case 'boolean':
        return this.raw(1)[0] === 1
      case 'int':
      case 'long':
        return this.long()
      case 'float':
        return this.raw(4).readFloatLE()
      case 'double':
        return this.raw(8).readDoubleLE()
      case 'string':
        return this.text()
      case 'bytes':
        return Buffer.from(this.raw(this.size()))
      case 'fixed':
        return Buffer.from(this.raw((schema as AvroNamed).size ?? 0))
      case 'record': {
        const record: Record<string, unknown> = {}
        for (const { name, type: inner } of (schema as AvroRecord).fields) {
          record[name] = this.value(inner)
        }
        return record
      }
      case 'array': {
        const items: unknown[] = []
        for (let count = this.blockCount(); count > 0; count = this.blockCount()) {
          for (let i = 0; i < count; i++) items.push(this.value((schema as AvroArray).items))
        }
        return items
      }
      default:
        throw new Error(`the Avro type ${JSON.stringify(type)} is unknown`)
    }
  }
}
