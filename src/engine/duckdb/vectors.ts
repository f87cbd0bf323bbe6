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
  /** Of a column that is read by batch: its codes as they travel, by row of the batch. */
  codes: Codes | undefined
}

type Codes = Uint8Array | Uint16Array | Uint32Array

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
    return { type: VARCHAR, codeBytes: 0, renumber: undefined, codes: undefined }
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
  return { type, codeBytes, renumber, codes: undefined }
}

function copyColumn(
  vector: Vector,
  column: Column,
  rows: Selection,
  plans: ReadonlyMap<StringColumn, StringPlan>,
): void {
  const values = copyValidity(vector, column, rows)
  switch (column.storage) {
    case 'boolean':
      if (values) copyFixed(vector, (column as BooleanColumn).data, 1, rows)
      return
    case 'int':
      if (values) copyFixed(vector, (column as IntColumn).data, 1, rows)
      return
    case 'long':
      if (values) copyFixed(vector, (column as LongColumn).data, 2, rows)
      return
    case 'hugeint':
      if (values) copyFixed(vector, (column as HugeDecimalColumn).data, 2, rows)
      return
    case 'double':
      if (values) copyFixed(vector, (column as DoubleColumn).data, 1, rows)
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

/** Marks nulls; answers whether any of the rows has a value. */
function copyValidity(vector: Vector, column: Column, rows: Selection): boolean {
  const { valid } = column
  if (valid === undefined || rows.count === 0) return true
  const bytes = ((rows.count + 63) >> 6) * 8
  const bits = new Uint8Array(scratch(bytes + 1))
  if (rows.indices === undefined && (rows.from & 7) === 0) {
    const known = valid.subarray(rows.from >> 3, (rows.from + rows.count + 7) >> 3)
    bits.fill(255, known.length, bytes)
    bits.set(known)
  } else {
    bits.fill(255, 0, bytes)
    for (let i = 0; i < rows.count; i++) {
      const row = rowAt(rows, i)
      if ((valid[row >> 3]! & (1 << (row & 7))) === 0) bits[i >> 3]! &= ~(1 << (i & 7))
    }
  }
  duckdb.vector_ensure_validity_writable(vector)
  duckdb.copy_data_to_vector_validity(vector, 0, bits.buffer, 0, bytes)
  return hasOnes(bits, rows.count)
}

/** Whether one of the first `count` bits is set. */
function hasOnes(bits: Uint8Array, count: number): boolean {
  const whole = count >> 3
  for (let i = 0; i < whole; i++) if (bits[i] !== 0) return true
  return (bits[whole]! & ((1 << (count & 7)) - 1)) !== 0
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
  const { length } = indices
  const array = data.constructor as new (buffer: ArrayBuffer, at: number, n: number) => FixedArray
  const out = new array(scratch(length * parts * data.BYTES_PER_ELEMENT), 0, length * parts)
  if (parts === 1) for (let i = 0; i < length; i++) out[i] = data[indices[i]!]!
  else {
    for (let i = 0; i < length; i++) {
      out[i * 2] = data[indices[i]! * 2]!
      out[i * 2 + 1] = data[indices[i]! * 2 + 1]!
    }
  }
  return out
}

/** Memory that values pass through on their way into a vector, one column at a time: at least `bytes` of it. */
function scratch(bytes: number): ArrayBuffer {
  if (scratchMemory.byteLength < bytes) scratchMemory = new ArrayBuffer(bytes * 2)
  return scratchMemory
}
let scratchMemory = new ArrayBuffer(VECTOR_ROWS * 16)

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
  if (plan.codeBytes === 0) {
    for (let i = 0; i < rows.count; i++) {
      const row = rowAt(rows, i)
      if (column.isNull(row)) continue
      const bytes = Buffer.from(column.dictionary.values[column.data[row]!]!)
      duckdb.vector_assign_string_element_len(vector, i, bytes)
    }
    return
  }
  const memory = scratch(rows.count * plan.codeBytes)
  const codes = codesIn(memory, plan.codeBytes, rows.count)
  if (rows.indices === undefined) {
    writeCodes(codes, column, plan.renumber, rows.from)
  } else {
    plan.codes ??= batchCodes(column, plan)
    gatherCodes(codes, plan.codes, rows.indices)
  }
  duckdb.copy_data_to_vector(vector, 0, memory, 0, rows.count * plan.codeBytes)
}

function codesIn(memory: ArrayBuffer, width: 1 | 2 | 4, count: number): Codes {
  switch (width) {
    case 1:
      return new Uint8Array(memory, 0, count)
    case 2:
      return new Uint16Array(memory, 0, count)
    case 4:
      return new Uint32Array(memory, 0, count)
  }
}

/** The codes of every row of a batch column, each looked up once and not for each of its events. */
function batchCodes(column: StringColumn, { codeBytes, renumber }: StringPlan): Codes {
  assert(codeBytes !== 0, 'an enumeration has codes')
  const { length } = column.data
  const codes = codesIn(new ArrayBuffer(length * codeBytes), codeBytes, length)
  writeCodes(codes, column, renumber, 0)
  return codes
}

/** Fills `codes` from the rows `from` on. */
function writeCodes(
  codes: Codes,
  column: StringColumn,
  renumber: Uint32Array | undefined,
  from: number,
): void {
  const { data, valid } = column
  if (valid === undefined && renumber === undefined) {
    for (let i = 0; i < codes.length; i++) codes[i] = data[from + i]!
    return
  }
  // A null row holds an old code, which must still be a member: 0 always is.
  for (let i = 0; i < codes.length; i++) {
    const row = from + i
    if (valid !== undefined && (valid[row >> 3]! & (1 << (row & 7))) === 0) codes[i] = 0
    else codes[i] = renumber === undefined ? data[row]! : renumber[data[row]!]!
  }
}

/** Each loop sees arrays of one kind, which the engine makes fast code of. */
function gatherCodes(into: Codes, codes: Codes, indices: Uint32Array): void {
  if (codes instanceof Uint8Array) gatherBytes(into as Uint8Array, codes, indices)
  else if (codes instanceof Uint16Array) gatherShorts(into as Uint16Array, codes, indices)
  else gatherInts(into as Uint32Array, codes, indices)
}

function gatherBytes(into: Uint8Array, codes: Uint8Array, indices: Uint32Array): void {
  for (let i = 0; i < indices.length; i++) into[i] = codes[indices[i]!]!
}

function gatherShorts(into: Uint16Array, codes: Uint16Array, indices: Uint32Array): void {
  for (let i = 0; i < indices.length; i++) into[i] = codes[indices[i]!]!
}

function gatherInts(into: Uint32Array, codes: Uint32Array, indices: Uint32Array): void {
  for (let i = 0; i < indices.length; i++) into[i] = codes[indices[i]!]!
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
  const pointer = last - first > INLINE_BYTES ? lend(vector, bytes.subarray(first, last)) : 0n
  const memory = scratch(rows.count * 16)
  const strings = new Uint32Array(memory, 0, rows.count * 4)
  const low = Number(pointer & 0xffff_ffffn)
  const high = Number(pointer >> 32n)
  for (let i = 0; i < rows.count; i++) {
    const row = rowAt(rows, i)
    if (nulls && column.isNull(row)) {
      strings.fill(0, i * 4, i * 4 + 4)
      continue
    }
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
  duckdb.copy_data_to_vector(vector, 0, memory, 0, rows.count * 16)
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
