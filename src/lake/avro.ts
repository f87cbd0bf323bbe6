/** Avro object container files (Apache Avro 1.12 specification): what Iceberg keeps its manifests in. Writes them; avro-decode.ts reads them. */
import { deflateRawSync } from 'node:zlib'
import { assert } from '../base/assert.ts'

export type AvroSchema = string | AvroUnion | AvroRecord | AvroArray | AvroMap | AvroNamed
export type AvroUnion = readonly AvroSchema[]
export interface AvroRecord {
  readonly type: 'record'
  readonly name: string
  readonly fields: readonly AvroField[]
}
export interface AvroField extends Readonly<Record<string, unknown>> {
  readonly name: string
  readonly type: AvroSchema
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

/** Longs are bigint where they do not fit a number; records are objects; maps are `Map`s. */
export type AvroValue = unknown

export const AVRO_MAGIC: Buffer = Buffer.from([0x4f, 0x62, 0x6a, 1])

/** Encodes records as one deflated block. `sync` is the 16-byte marker of the file. */
export function encodeAvro(
  schema: AvroRecord,
  records: readonly AvroValue[],
  meta: Readonly<Record<string, string>>,
  sync: Uint8Array,
): Buffer {
  const header = new AvroWriter()
  header.raw(AVRO_MAGIC)
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
    if (typeof value === 'number' && value >= -0x4000_0000 && value < 0x4000_0000) {
      let small = ((value << 1) ^ (value >> 31)) >>> 0
      while (small > 127) {
        this.#buffer[this.#length++] = (small & 127) | 128
        small >>>= 7
      }
      this.#buffer[this.#length++] = small
      return
    }
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

  #float(value: number, size: 4 | 8): void {
    const bytes = Buffer.alloc(size)
    if (size === 4) bytes.writeFloatLE(value)
    else bytes.writeDoubleLE(value)
    this.raw(bytes)
  }

  value(schema: AvroSchema, value: AvroValue): void {
    if (Array.isArray(schema)) {
      const branch = branchOf(schema as AvroUnion, value)
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
        this.#float(value as number, 4)
        return
      case 'double':
        this.#float(value as number, 8)
        return
      case 'string':
        this.bytes(Buffer.from(value as string))
        return
      case 'bytes':
        this.bytes(value as Uint8Array)
        return
      case 'fixed':
        assert((value as Uint8Array).length === (schema as AvroNamed).size, 'a fixed has its size')
        this.raw(value as Uint8Array)
        return
      case 'record':
        for (const field of (schema as AvroRecord).fields) {
          this.value(field.type, (value as Record<string, unknown>)[field.name])
        }
        return
      case 'array':
        this.#array((schema as AvroArray).items, value as readonly unknown[])
        return
      case 'map':
        this.#map((schema as AvroMap).values, value as ReadonlyMap<string, unknown>)
        return
      default:
        assert(false, `the Avro type ${type} is written`)
    }
  }

  #array(items: AvroSchema, values: readonly unknown[]): void {
    if (values.length > 0) {
      this.long(values.length)
      for (const item of values) this.value(items, item)
    }
    this.long(0)
  }

  #map(values: AvroSchema, entries: ReadonlyMap<string, unknown>): void {
    if (entries.size > 0) {
      this.long(entries.size)
      for (const [key, value] of entries) {
        this.bytes(Buffer.from(key))
        this.value(values, value)
      }
    }
    this.long(0)
  }
}

/** The branch that a value takes: unions here are of null and one type, in either order. */
function branchOf(union: AvroUnion, value: AvroValue): number {
  const absent = value === null || value === undefined
  const branch = union.findIndex((item) => (item === 'null') === absent)
  assert(branch !== -1, 'a union of null and one type')
  return branch
}
