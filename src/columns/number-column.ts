/** Columns whose storage is an integer of another unit: date, timestamp and decimal. */
import type { Field } from '../spec/field.ts'
import { Column, IntColumn, LongColumn } from './column.ts'

/** Days since 1970 from `YYYY-MM-DD`. */
export class DateColumn extends IntColumn {
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

/** Days since 1970 of an ISO 8601 calendar date with a four-digit year, or undefined where there is no such day. */
export function parseDate(text: string): number | undefined {
  if (!/^[0-9]{4}-[0-9]{2}-[0-9]{2}$/.test(text)) return undefined
  const ms = Date.parse(`${text}T00:00:00Z`)
  if (Number.isNaN(ms) || new Date(ms).toISOString().slice(0, 10) !== text) return undefined
  return ms / 86_400_000
}

/** Microseconds since 1970 from milliseconds. */
export class TimestampColumn extends LongColumn {
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

/** Microseconds of a wire timestamp, or undefined when it is out of range. */
export function timestampMicros(field: Field, value: unknown): number | undefined {
  if (typeof value !== 'number') return undefined
  if (value < (field.min ?? -Infinity) || value > (field.max ?? Infinity)) return undefined
  const micros = Math.round(value * 1000)
  return Number.isSafeInteger(micros) ? micros : undefined
}

/** Decimals of up to 18 digits, unscaled. */
export class DecimalColumn extends LongColumn {
  readonly #parse: (text: string) => bigint | undefined

  constructor(field: Field, precision: number, scale: number) {
    super(field)
    this.#parse = decimalParser(precision, scale)
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

/** min and max of a decimal field are numbers; the text is compared as one. */
export function withinDecimal(field: Field, text: string): boolean {
  if (field.min === undefined && field.max === undefined) return true
  const value = Number(text)
  return value >= (field.min ?? -Infinity) && value <= (field.max ?? Infinity)
}

/** Parses decimal text of at most `precision` − `scale` digits before and `scale` after the point to its unscaled value. */
export function decimalParser(
  precision: number,
  scale: number,
): (text: string) => bigint | undefined {
  const whole = precision - scale
  const pattern = /^(-?)([0-9]+)(?:\.([0-9]+))?$/
  return (text) => {
    const match = text.length <= precision + 3 ? pattern.exec(text) : null
    if (match === null) return undefined
    const [, sign, before = '', after = ''] = match
    const digits = before.replace(/^0+/, '')
    if (digits.length > whole || after.length > scale) return undefined
    const unscaled = BigInt((digits || '0') + after.padEnd(scale, '0'))
    return sign === '-' ? -unscaled : unscaled
  }
}
