/** Columns whose storage is an integer of another unit: date, timestamp and decimal. */
import type { Field } from '../spec/field.ts'
import { decimalParser, parseDate, timestampMicros, withinDecimal } from '../spec/values.ts'
import { Column, IntColumn, LongColumn } from './column.ts'
import { type Numbers, readInto } from './plain.ts'

/** Days since 1970 from `YYYY-MM-DD`. */
export class DateColumn extends IntColumn {
  override read(bytes: Buffer, at: number, row: number, count: number): number {
    return readInto(this, bytes, at, row, count)
  }

  override put(values: readonly unknown[], row: number): boolean {
    for (let i = 0; i < values.length; i++) if (!this.putOne(values[i], row + i)) return false
    return true
  }

  override putOne(value: unknown, row: number): boolean {
    if (value === null || value === undefined) return this.putNull(row)
    if (typeof value !== 'string') return false
    const days = parseDate(value)
    if (days === undefined) return false
    this.data[row] = days
    return true
  }
}

/** Microseconds since 1970 from milliseconds. */
export class TimestampColumn extends LongColumn {
  override read(bytes: Buffer, at: number, row: number, count: number, numbers: Numbers): number {
    const end = numbers.read(bytes, at, count)
    if (end < 0 || numbers.length !== count) return -1
    for (let i = 0; i < count; i++) {
      const value = numbers.values[i]!
      if (!this.putOne(value === value ? value : null, row + i)) return -1
    }
    return end
  }

  override put(values: readonly unknown[], row: number): boolean {
    for (let i = 0; i < values.length; i++) if (!this.putOne(values[i], row + i)) return false
    return true
  }

  override putOne(value: unknown, row: number): boolean {
    if (value === null || value === undefined) return this.putNull(row)
    const micros = timestampMicros(this.field, value)
    if (micros === undefined) return false
    this.set(row, micros)
    return true
  }
}

/** Decimals of up to 18 digits, unscaled. */
export class DecimalColumn extends LongColumn {
  readonly #parse: (text: string) => bigint | undefined

  constructor(field: Field, precision: number, scale: number) {
    super(field)
    this.#parse = decimalParser(precision, scale)
  }

  override read(bytes: Buffer, at: number, row: number, count: number): number {
    return readInto(this, bytes, at, row, count)
  }

  override put(values: readonly unknown[], row: number): boolean {
    for (let i = 0; i < values.length; i++) if (!this.putOne(values[i], row + i)) return false
    return true
  }

  override putOne(value: unknown, row: number): boolean {
    if (value === null || value === undefined) return this.putNull(row)
    const unscaled = typeof value === 'string' ? this.#parse(value) : undefined
    if (unscaled === undefined || !withinDecimal(this.field, value as string)) return false
    this.setBig(row, unscaled)
    return true
  }
}

/** Decimals of 19 to 38 digits: 128 bits, low word first. */
export class HugeDecimalColumn extends Column {
  readonly storage = 'hugeint'
  data = new BigInt64Array(0)
  readonly #parse: (text: string) => bigint | undefined

  constructor(field: Field, precision: number, scale: number) {
    super(field)
    this.#parse = decimalParser(precision, scale)
  }

  override putOne(value: unknown, row: number): boolean {
    if (value === null || value === undefined) return this.putNull(row)
    const unscaled = typeof value === 'string' ? this.#parse(value) : undefined
    if (unscaled === undefined || !withinDecimal(this.field, value as string)) return false
    this.data[row * 2] = BigInt.asIntN(64, unscaled)
    this.data[row * 2 + 1] = BigInt.asIntN(64, unscaled >> 64n)
    return true
  }

  protected override grow(capacity: number): void {
    const grown = new BigInt64Array(capacity * 2)
    grown.set(this.data)
    this.data = grown
  }
}
