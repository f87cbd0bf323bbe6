/** Storage of one column, laid out as the engine's vectors want it, and the checked writes that fill it: a value is looked at once. */
import { assert } from '../base/assert.ts'
import type { Field } from '../spec/field.ts'
import { base64Length, isBase64, parseLong } from '../spec/values.ts'
import { behindNull, CLOSE, COMMA, type Numbers, OPEN, readInto, standsAt } from './plain.ts'

/** How a column's values lie in memory; the engine switches on it. */
export type Storage =
  'boolean' | 'int' | 'long' | 'hugeint' | 'double' | 'string' | 'binary' | 'list' | 'struct'

/**
 * One column. Rows are written at growing positions; what lies at or behind a truncation is written again.
 * A bit of `valid` is 1 where the row has a value; `valid` is undefined while every row has one.
 */
export abstract class Column {
  abstract readonly storage: Storage
  readonly field: Field
  valid: Uint8Array | undefined
  capacity = 0
  #spareBits: Uint8Array | undefined

  constructor(field: Field) {
    this.field = field
  }

  /** Writes one value; false when it does not fit the field (see check.ts for the reason). */
  abstract putOne(value: unknown, row: number): boolean

  /** Makes room for `rows` rows in all. */
  protected abstract grow(capacity: number): void

  /** Writes a run of values from `row` on; false as soon as one does not fit. */
  put(values: readonly unknown[], row: number): boolean {
    for (let i = 0; i < values.length; i++) if (!this.putOne(values[i], row + i)) return false
    return true
  }

  /**
   * Writes the `count` values of the JSON array at `at` in `bytes`, from `row` on; answers the position behind it. -1 when the array
   * is not plain, not of that length, or a value does not fit: then anything may have been written to these rows.
   */
  read(bytes: Buffer, at: number, row: number, count: number, _numbers: Numbers): number {
    return readInto(this, bytes, at, row, count)
  }

  ensure(rows: number): void {
    if (rows <= this.capacity) return
    const capacity = Math.max(64, 2 ** Math.ceil(Math.log2(rows)))
    this.grow(capacity)
    this.capacity = capacity
    if (this.valid !== undefined) this.valid = grownBits(this.valid, capacity)
  }

  setNull(row: number): void {
    const valid = (this.valid ??= this.#freshBits())
    valid[row >> 3]! &= ~(1 << (row & 7))
  }

  setNulls(row: number, count: number): void {
    const valid = (this.valid ??= this.#freshBits())
    const end = row + count
    let i = row
    for (; i < end && (i & 7) !== 0; i++) valid[i >> 3]! &= ~(1 << (i & 7))
    for (; i + 8 <= end; i += 8) valid[i >> 3] = 0
    for (; i < end; i++) valid[i >> 3]! &= ~(1 << (i & 7))
  }

  #freshBits(): Uint8Array {
    const spare = this.#spareBits
    if (spare !== undefined && spare.length * 8 >= this.capacity) return spare
    return new Uint8Array(this.capacity >> 3).fill(255)
  }

  isNull(row: number): boolean {
    return this.valid !== undefined && (this.valid[row >> 3]! & (1 << (row & 7))) === 0
  }

  /** Forgets rows `row` … `end` − 1. */
  truncate(row: number, end: number): void {
    if (this.valid === undefined) return
    for (let i = row; i < end; i++) this.valid[i >> 3]! |= 1 << (i & 7)
  }

  /** Empties the column and keeps its memory. */
  reset(): void {
    if (this.valid !== undefined) {
      this.#spareBits = this.valid.fill(255)
      this.valid = undefined
    }
  }

  /** A null where the field allows one. */
  protected putNull(row: number): boolean {
    if (!this.field.optional) return false
    this.setNull(row)
    return true
  }
}

function grownBits(bits: Uint8Array, capacity: number): Uint8Array {
  const grown = new Uint8Array(capacity >> 3).fill(255)
  grown.set(bits)
  return grown
}

const TRUE = Buffer.from('true')
const FALSE = Buffer.from('false')

export class BooleanColumn extends Column {
  readonly storage = 'boolean'
  data = new Uint8Array(0)

  override read(bytes: Buffer, at: number, row: number, count: number): number {
    if (bytes[at] !== OPEN) return -1
    let position = at + 1
    for (let i = 0; i < count; i++) {
      const isTrue = standsAt(bytes, position, TRUE)
      if (isTrue || standsAt(bytes, position, FALSE)) {
        this.data[row + i] = isTrue ? 1 : 0
        position += isTrue ? TRUE.length : FALSE.length
      } else {
        position = behindNull(bytes, position)
        if (position < 0 || !this.putNull(row + i)) return -1
      }
      if (bytes[position++] !== (i === count - 1 ? CLOSE : COMMA)) return -1
    }
    return position
  }

  override putOne(value: unknown, row: number): boolean {
    if (typeof value === 'boolean') {
      this.data[row] = value ? 1 : 0
      return true
    }
    return (value === null || value === undefined) && this.putNull(row)
  }

  protected override grow(capacity: number): void {
    const grown = new Uint8Array(capacity)
    grown.set(this.data)
    this.data = grown
  }
}

/** 32-bit integers: int, and date as days since 1970. */
export class IntColumn extends Column {
  readonly storage = 'int'
  data = new Int32Array(0)
  readonly #min: number
  readonly #max: number

  constructor(field: Field) {
    super(field)
    this.#min = field.min ?? -(2 ** 31)
    this.#max = field.max ?? 2 ** 31 - 1
  }

  override put(values: readonly unknown[], row: number): boolean {
    const { data } = this
    for (let i = 0; i < values.length; i++) {
      const value = values[i]
      if (typeof value === 'number') {
        if ((value | 0) !== value || value < this.#min || value > this.#max) return false
        data[row + i] = value
      } else if (!this.putOne(value, row + i)) return false
    }
    return true
  }

  override read(bytes: Buffer, at: number, row: number, count: number, numbers: Numbers): number {
    const end = numbers.read(bytes, at, count)
    if (end < 0 || numbers.length !== count) return -1
    const { data } = this
    const { values } = numbers
    const [min, max] = [this.#min, this.#max]
    for (let i = 0; i < count; i++) {
      const value = values[i]!
      if ((value | 0) === value && value >= min && value <= max) data[row + i] = value
      else if (value === value || !this.putNull(row + i)) return -1
    }
    return end
  }

  override putOne(value: unknown, row: number): boolean {
    if (typeof value === 'number') {
      if ((value | 0) !== value || value < this.#min || value > this.#max) return false
      this.data[row] = value
      return true
    }
    return (value === null || value === undefined) && this.putNull(row)
  }

  protected override grow(capacity: number): void {
    const grown = new Int32Array(capacity)
    grown.set(this.data)
    this.data = grown
  }
}

/** 64-bit integers as two 32-bit halves, low first: numbers up to 2^53 never become BigInt. */
export class LongColumn extends Column {
  readonly storage = 'long'
  data = new Int32Array(0)
  readonly #min: number
  readonly #max: number

  constructor(field: Field) {
    super(field)
    this.#min = field.min ?? -Infinity
    this.#max = field.max ?? Infinity
  }

  /** Writes a safe integer unchecked. */
  set(row: number, value: number): void {
    this.data[row * 2] = value | 0
    this.data[row * 2 + 1] = Math.floor(value / 4294967296)
  }

  setBig(row: number, value: bigint): void {
    this.data[row * 2] = Number(BigInt.asIntN(32, value))
    this.data[row * 2 + 1] = Number(BigInt.asIntN(32, value >> 32n))
  }

  override put(values: readonly unknown[], row: number): boolean {
    for (let i = 0; i < values.length; i++) {
      const value = values[i]
      if (typeof value === 'number') {
        if (!Number.isSafeInteger(value) || value < this.#min || value > this.#max) return false
        this.set(row + i, value)
      } else if (!this.putOne(value, row + i)) return false
    }
    return true
  }

  override read(bytes: Buffer, at: number, row: number, count: number, numbers: Numbers): number {
    const end = numbers.read(bytes, at, count)
    if (end < 0 || numbers.length !== count) return -1
    const { values } = numbers
    const [min, max] = [this.#min, this.#max]
    for (let i = 0; i < count; i++) {
      const value = values[i]!
      if (Number.isSafeInteger(value) && value >= min && value <= max) this.set(row + i, value)
      else if (value === value || !this.putNull(row + i)) return -1
    }
    return end
  }

  override putOne(value: unknown, row: number): boolean {
    if (typeof value === 'number') {
      if (!Number.isSafeInteger(value) || value < this.#min || value > this.#max) return false
      this.set(row, value)
      return true
    }
    if (typeof value === 'string') {
      const big = parseLong(value)
      if (big === undefined || big < this.#min || big > this.#max) return false
      this.setBig(row, big)
      return true
    }
    return (value === null || value === undefined) && this.putNull(row)
  }

  protected override grow(capacity: number): void {
    const grown = new Int32Array(capacity * 2)
    grown.set(this.data)
    this.data = grown
  }
}

export class DoubleColumn extends Column {
  readonly storage = 'double'
  data = new Float64Array(0)
  readonly #min: number
  readonly #max: number

  constructor(field: Field) {
    super(field)
    this.#min = field.min ?? -Number.MAX_VALUE
    this.#max = field.max ?? Number.MAX_VALUE
  }

  override read(bytes: Buffer, at: number, row: number, count: number, numbers: Numbers): number {
    const end = numbers.read(bytes, at, count)
    if (end < 0 || numbers.length !== count) return -1
    const { data } = this
    const { values } = numbers
    const [min, max] = [this.#min, this.#max]
    for (let i = 0; i < count; i++) {
      const value = values[i]!
      if (value >= min && value <= max) data[row + i] = value
      else if (value === value || !this.putNull(row + i)) return -1
    }
    return end
  }

  override putOne(value: unknown, row: number): boolean {
    if (typeof value === 'number') {
      // Written so that NaN fails it as well.
      if (!(value >= this.#min && value <= this.#max)) return false
      this.data[row] = value
      return true
    }
    return (value === null || value === undefined) && this.putNull(row)
  }

  protected override grow(capacity: number): void {
    const grown = new Float64Array(capacity)
    grown.set(this.data)
    this.data = grown
  }
}

/** Byte strings, kept as they are. */
export class BinaryColumn extends Column {
  readonly storage = 'binary'
  readonly data: Uint8Array[] = []

  override putOne(value: unknown, row: number): boolean {
    if (typeof value === 'string') {
      if (!isBase64(value) || base64Length(value) > (this.field.maxLength ?? Infinity)) return false
      this.data[row] = Buffer.from(value, 'base64')
      return true
    }
    if (value instanceof Uint8Array) {
      this.data[row] = value
      return true
    }
    return (value === null || value === undefined) && this.putNull(row)
  }

  override reset(): void {
    super.reset()
    this.data.length = 0
  }

  protected override grow(): void {}
}

/** Rows of named members; a member's row is the struct's. */
export class StructColumn extends Column {
  readonly storage = 'struct'
  readonly names: readonly string[]
  readonly members: readonly Column[]
  readonly #known: ReadonlySet<string>

  constructor(field: Field, members: readonly (readonly [string, Column])[]) {
    super(field)
    this.names = members.map(([name]) => name)
    this.members = members.map(([, column]) => column)
    this.#known = new Set(this.names)
  }

  override putOne(value: unknown, row: number): boolean {
    if (value === null || value === undefined) {
      return this.putNull(row)
    }
    if (typeof value !== 'object' || Array.isArray(value)) return false
    const object = value as Record<string, unknown>
    for (const name in object) if (!this.#known.has(name)) return false
    for (let i = 0; i < this.members.length; i++) {
      const name = this.names[i]!
      const member = Object.hasOwn(object, name) ? object[name] : null
      if (!this.members[i]!.putOne(member, row)) return false
    }
    return true
  }

  override setNull(row: number): void {
    super.setNull(row)
    for (const member of this.members) member.setNull(row)
  }

  override setNulls(row: number, count: number): void {
    super.setNulls(row, count)
    for (const member of this.members) member.setNulls(row, count)
  }

  override truncate(row: number, end: number): void {
    super.truncate(row, end)
    for (const member of this.members) member.truncate(row, end)
  }

  override reset(): void {
    super.reset()
    for (const member of this.members) member.reset()
  }

  protected override grow(capacity: number): void {
    for (const member of this.members) member.ensure(capacity)
  }
}

/** Lists: row `r` holds elements `offsets[r]` … `offsets[r] + lengths[r]` − 1 of `element`. Offsets never go back. */
export class ListColumn extends Column {
  readonly storage = 'list'
  readonly element: Column
  readonly lengthMax: number
  offsets = new Int32Array(0)
  lengths = new Int32Array(0)
  elements = 0

  constructor(field: Field, element: Column, lengthMax: number) {
    super(field)
    this.element = element
    this.lengthMax = field.maxLength ?? lengthMax
  }

  override putOne(value: unknown, row: number): boolean {
    if (value === null || value === undefined) {
      this.close(row, 0)
      return this.putNull(row)
    }
    if (!Array.isArray(value) || value.length > this.lengthMax) return false
    this.element.ensure(this.elements + value.length)
    if (!this.element.put(value, this.elements)) return false
    this.close(row, value.length)
    return true
  }

  /** Ends the list of `row`, whose `length` elements have just been written. */
  protected close(row: number, length: number): void {
    this.offsets[row] = this.elements
    this.lengths[row] = length
    this.elements += length
  }

  override setNull(row: number): void {
    super.setNull(row)
    this.offsets[row] = this.elements
    this.lengths[row] = 0
  }

  override setNulls(row: number, count: number): void {
    for (let i = row; i < row + count; i++) this.setNull(i)
  }

  override truncate(row: number, end: number): void {
    super.truncate(row, end)
    const elements = row === 0 ? 0 : this.offsets[row - 1]! + this.lengths[row - 1]!
    // A value that failed half way has left element bits behind `elements`: clear all the room there is.
    this.element.truncate(elements, this.element.capacity)
    this.elements = elements
  }

  override reset(): void {
    super.reset()
    this.element.reset()
    this.elements = 0
  }

  protected override grow(capacity: number): void {
    const offsets = new Int32Array(capacity)
    const lengths = new Int32Array(capacity)
    offsets.set(this.offsets)
    lengths.set(this.lengths)
    this.offsets = offsets
    this.lengths = lengths
  }
}

/** Maps with string keys: a list of (key, value). */
export class MapColumn extends ListColumn {
  readonly #entry: StructColumn

  constructor(field: Field, entry: StructColumn, lengthMax: number) {
    super(field, entry, lengthMax)
    this.#entry = entry
  }

  override putOne(value: unknown, row: number): boolean {
    if (value === null || value === undefined) return super.putOne(value, row)
    if (typeof value !== 'object' || Array.isArray(value)) return false
    const [keyColumn, valueColumn] = this.#entry.members
    assert(keyColumn !== undefined && valueColumn !== undefined, 'a map entry has key and value')
    const entries = Object.entries(value)
    if (entries.length > this.lengthMax) return false
    this.#entry.ensure(this.elements + entries.length)
    let element = this.elements
    for (const [key, item] of entries) {
      if (!keyColumn.putOne(key, element) || !valueColumn.putOne(item, element)) return false
      element++
    }
    this.close(row, entries.length)
    return true
  }
}
