/** Copies rows of columns into DuckDB's vectors: the one module that knows their memory layout. */
import duckdb, { type DataChunk, type LogicalType, type Vector } from '@duckdb/node-bindings'
import { assert, unreachable } from '../../base/assert.ts'
import {
  type BinaryColumn,
  type BooleanColumn,
  type Column,
  type DoubleColumn,
  type IntColumn,
  type ListColumn,
  type LongColumn,
  type StructColumn,
} from '../../columns/column.ts'
import type { HugeDecimalColumn } from '../../columns/number-column.ts'
import type { RowSet } from '../../columns/table.ts'
import type { StringColumn } from '../../columns/text-column.ts'
import type { Texts } from '../../columns/texts.ts'
import { asEnumeration, enumeration, type Enumerations, logicalType, VARCHAR } from './types.ts'

/** Rows in one of DuckDB's vectors. */
export const VECTOR_ROWS: number = duckdb.vector_size()

/** How a string column travels: as codes of an enumeration, perhaps renumbered, or as text. */
interface StringPlan {
  readonly type: LogicalType
  /** Bytes of one code; 0: text. */
  readonly codeBytes: 0 | 1 | 2 | 4
  /** Code in the column's dictionary → code in the enumeration; undefined: the same. */
  readonly renumber: Uint32Array | undefined
}

/** A row set made ready to be read by DuckDB. */
export interface Feed {
  readonly names: readonly string[]
  readonly types: readonly LogicalType[]
  readonly rows: number
  /** Copies rows `from` … `from + count` − 1 into a chunk. */
  fill(chunk: DataChunk, from: number, count: number): void
}

/** Which rows of a column to copy: a run, or those at `indices`. */
type Selection =
  | { readonly from: number; readonly count: number; readonly indices: undefined }
  | { readonly indices: Uint32Array; readonly count: number; readonly from: 0 }

export function feedOf(rows: RowSet, enumerations: Enumerations): Feed {
  const plans = new Map<StringColumn, StringPlan>()
  const types = rows.sources.map(({ column, ofBatch }) =>
    logicalType(column, (text) => {
      const used = ofBatch && text === column ? rows.batch.subarray(0, rows.rows) : undefined
      const plan = planString(text, used, rows.rows, enumerations)
      plans.set(text, plan)
      return plan.type
    }),
  )
  return {
    names: rows.schema.fields.map(({ name }) => name),
    types,
    rows: rows.rows,
    fill: (chunk, from, count) => {
      const own: Selection = { from, count, indices: undefined }
      const batch: Selection = { indices: rows.batch.subarray(from, from + count), count, from: 0 }
      for (let i = 0; i < rows.sources.length; i++) {
        const { column, ofBatch } = rows.sources[i]!
        const vector = duckdb.data_chunk_get_vector(chunk, i)
        copyColumn(vector, column, ofBatch ? batch : own, plans)
      }
    },
  }
}

/** A dictionary that a table uses little of is cut down to what it uses, lest each small file carry all of it. */
function planString(
  column: StringColumn,
  used: Uint32Array | undefined,
  rows: number,
  enumerations: Enumerations,
): StringPlan {
  const { dictionary } = column
  if (column.texts !== undefined || !asEnumeration(dictionary))
    return { type: VARCHAR, codeBytes: 0, renumber: undefined }
  const { values } = dictionary
  if (used === undefined || values.length <= SMALL_DICTIONARY || values.length <= rows) {
    return enumerationPlan(enumerations.of(dictionary), undefined)
  }
  const renumber = new Uint32Array(values.length).fill(UNUSED)
  const kept: string[] = []
  for (const row of used) {
    if (column.isNull(row)) continue
    const code = column.data[row]!
    if (renumber[code] === UNUSED) renumber[code] = kept.push(values[code]!) - 1
  }
  return enumerationPlan(enumeration(kept), renumber)
}

const SMALL_DICTIONARY = 64
const UNUSED = 0xffffffff

function enumerationPlan(type: LogicalType, renumber: Uint32Array | undefined): StringPlan {
  const bytes = {
    [duckdb.Type.UTINYINT]: 1,
    [duckdb.Type.USMALLINT]: 2,
    [duckdb.Type.UINTEGER]: 4,
  } as const
  const codeBytes = bytes[duckdb.enum_internal_type(type) as keyof typeof bytes]
  assert(codeBytes !== undefined, 'an enumeration has codes of 1, 2 or 4 bytes')
  return { type, codeBytes, renumber }
}

function copyColumn(
  vector: Vector,
  column: Column,
  rows: Selection,
  plans: ReadonlyMap<StringColumn, StringPlan>,
): void {
  copyValidity(vector, column, rows)
  switch (column.storage) {
    case 'boolean':
      copyFixed(vector, (column as BooleanColumn).data, 1, rows)
      return
    case 'int':
      copyFixed(vector, (column as IntColumn).data, 1, rows)
      return
    case 'long':
      copyFixed(vector, (column as LongColumn).data, 2, rows)
      return
    case 'hugeint':
      copyFixed(vector, (column as HugeDecimalColumn).data, 2, rows)
      return
    case 'double':
      copyFixed(vector, (column as DoubleColumn).data, 1, rows)
      return
    case 'string':
      copyStrings(vector, column as StringColumn, rows, plans)
      return
    case 'binary':
      copyBinary(vector, column as BinaryColumn, rows)
      return
    case 'list':
      copyList(vector, column as ListColumn, rows, plans)
      return
    case 'struct': {
      const { members } = column as StructColumn
      for (let i = 0; i < members.length; i++) {
        copyColumn(duckdb.struct_vector_get_child(vector, i), members[i]!, rows, plans)
      }
      return
    }
    default:
      unreachable(column.storage)
  }
}

function rowAt(rows: Selection, i: number): number {
  return rows.indices === undefined ? rows.from + i : rows.indices[i]!
}

function copyValidity(vector: Vector, column: Column, rows: Selection): void {
  const { valid } = column
  if (valid === undefined) return
  const bytes = ((rows.count + 63) >> 6) * 8
  const bits = new Uint8Array(bytes).fill(255)
  if (rows.indices === undefined && (rows.from & 7) === 0) {
    bits.set(valid.subarray(rows.from >> 3, (rows.from + rows.count + 7) >> 3))
  } else {
    for (let i = 0; i < rows.count; i++) {
      const row = rowAt(rows, i)
      if ((valid[row >> 3]! & (1 << (row & 7))) === 0) bits[i >> 3]! &= ~(1 << (i & 7))
    }
  }
  duckdb.vector_ensure_validity_writable(vector)
  duckdb.copy_data_to_vector_validity(vector, 0, bits.buffer, 0, bytes)
}

type FixedArray = Uint8Array | Int32Array | Float64Array | BigInt64Array

/** Values of a fixed width; `parts` array elements make one value. */
function copyFixed(vector: Vector, data: FixedArray, parts: 1 | 2, rows: Selection): void {
  const width = data.BYTES_PER_ELEMENT * parts
  if (rows.count === 0) return
  if (rows.indices === undefined) {
    const start = data.byteOffset + rows.from * width
    duckdb.copy_data_to_vector(vector, 0, data.buffer as ArrayBuffer, start, rows.count * width)
    return
  }
  const gathered = gather(data, parts, rows.indices)
  duckdb.copy_data_to_vector(vector, 0, gathered.buffer as ArrayBuffer, 0, rows.count * width)
}

function gather(data: FixedArray, parts: 1 | 2, indices: Uint32Array): FixedArray {
  const out = new (data.constructor as new (length: number) => FixedArray)(indices.length * parts)
  if (parts === 1) for (let i = 0; i < indices.length; i++) out[i] = data[indices[i]!]!
  else {
    for (let i = 0; i < indices.length; i++) {
      out[i * 2] = data[indices[i]! * 2]!
      out[i * 2 + 1] = data[indices[i]! * 2 + 1]!
    }
  }
  return out
}

function copyStrings(
  vector: Vector,
  column: StringColumn,
  rows: Selection,
  plans: ReadonlyMap<StringColumn, StringPlan>,
): void {
  const plan = plans.get(column)
  assert(plan !== undefined, 'every string column has a plan')
  if (rows.count === 0) return
  if (column.texts !== undefined) {
    copyTexts(vector, column, column.texts, rows)
    return
  }
  const { data } = column
  if (plan.codeBytes === 0) {
    for (let i = 0; i < rows.count; i++) {
      const row = rowAt(rows, i)
      if (column.isNull(row)) continue
      const bytes = Buffer.from(column.dictionary.values[data[row]!]!)
      duckdb.vector_assign_string_element_len(vector, i, bytes)
    }
    return
  }
  const codes =
    plan.codeBytes === 1
      ? new Uint8Array(rows.count)
      : plan.codeBytes === 2
        ? new Uint16Array(rows.count)
        : new Uint32Array(rows.count)
  const { renumber } = plan
  // A null row holds an old code, which must still be a member: 0 always is.
  const nulls = column.valid !== undefined
  for (let i = 0; i < rows.count; i++) {
    const row = rowAt(rows, i)
    if (nulls && column.isNull(row)) codes[i] = 0
    else codes[i] = renumber === undefined ? data[row]! : renumber[data[row]!]!
  }
  duckdb.copy_data_to_vector(vector, 0, codes.buffer, 0, codes.byteLength)
}

/** Bytes that DuckDB keeps inside a string's own 16; a longer string has its length, its first 4 bytes and a pointer there. */
const INLINE_BYTES = 12

/**
 * The bytes of all rows go over as one string in the first row, and every row then points into it: one call for a vector, where a
 * call for each string would cost more than its check.
 */
function copyTexts(vector: Vector, column: StringColumn, texts: Texts, rows: Selection): void {
  const { bytes, starts, ends } = texts
  const nulls = column.valid !== undefined
  let first = Infinity
  let last = 0
  for (let i = 0; i < rows.count; i++) {
    const row = rowAt(rows, i)
    if (nulls && column.isNull(row)) continue
    if (starts[row]! < first) first = starts[row]!
    if (ends[row]! > last) last = ends[row]!
  }
  const strings = new Uint32Array(rows.count * 4)
  const pointer = last - first > INLINE_BYTES ? lend(vector, bytes.subarray(first, last)) : 0n
  const low = Number(pointer & 0xffff_ffffn)
  const high = Number(pointer >> 32n)
  for (let i = 0; i < rows.count; i++) {
    const row = rowAt(rows, i)
    if (nulls && column.isNull(row)) continue
    const start = starts[row]!
    const length = ends[row]! - start
    const at = i * 4
    strings[at] = length
    if (length > INLINE_BYTES) {
      strings[at + 1] = word(bytes, start, 4)
      const address = low + (start - first)
      strings[at + 2] = address
      strings[at + 3] = high + Math.floor(address / 2 ** 32)
    } else {
      strings[at + 1] = word(bytes, start, length)
      strings[at + 2] = word(bytes, start + 4, length - 4)
      strings[at + 3] = word(bytes, start + 8, length - 8)
    }
  }
  duckdb.copy_data_to_vector(vector, 0, strings.buffer, 0, strings.byteLength)
}

/** Gives a vector a copy of `bytes` that lives as long as it does; answers where it lies. */
function lend(vector: Vector, bytes: Uint8Array): bigint {
  duckdb.vector_assign_string_element_len(vector, 0, bytes)
  const { buffer, byteOffset } = duckdb.vector_get_data(vector, 16)
  const string = new DataView(buffer, byteOffset, 16)
  assert(string.getUint32(0, true) === bytes.length, 'a string begins with its length')
  return string.getBigUint64(8, true)
}

/** Up to four bytes as a little-endian word, padded with zeros. */
function word(bytes: Uint8Array, at: number, count: number): number {
  if (count >= 4) {
    return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)
  }
  let value = 0
  for (let i = 0; i < count; i++) value |= bytes[at + i]! << (8 * i)
  return value
}

function copyBinary(vector: Vector, column: BinaryColumn, rows: Selection): void {
  for (let i = 0; i < rows.count; i++) {
    const row = rowAt(rows, i)
    if (!column.isNull(row)) {
      duckdb.vector_assign_string_element_len(vector, i, column.data[row]!)
    }
  }
}

/** Lists of a selection share a run of elements, since offsets never go back: entries point into a copy of that run. */
function copyList(
  vector: Vector,
  column: ListColumn,
  rows: Selection,
  plans: ReadonlyMap<StringColumn, StringPlan>,
): void {
  let first = Infinity
  let end = 0
  for (let i = 0; i < rows.count; i++) {
    const row = rowAt(rows, i)
    const offset = column.offsets[row]!
    if (column.lengths[row] === 0) continue
    if (offset < first) first = offset
    if (offset + column.lengths[row]! > end) end = offset + column.lengths[row]!
  }
  if (end === 0) first = 0
  const entries = new Int32Array(rows.count * 4)
  for (let i = 0; i < rows.count; i++) {
    const row = rowAt(rows, i)
    const length = column.lengths[row]!
    entries[i * 4] = length === 0 ? 0 : column.offsets[row]! - first
    entries[i * 4 + 2] = length
  }
  const elements = end - first
  duckdb.list_vector_reserve(vector, elements)
  duckdb.list_vector_set_size(vector, elements)
  if (rows.count > 0) {
    duckdb.copy_data_to_vector(vector, 0, entries.buffer, 0, entries.byteLength)
  }
  if (elements > 0) {
    const child = duckdb.list_vector_get_child(vector)
    copyColumn(child, column.element, { from: first, count: elements, indices: undefined }, plans)
  }
}
