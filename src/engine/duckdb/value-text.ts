/** Values as DuckDB reads them out of text, and partition values as people read them. */
import type { Bound } from '../../lake/lake.ts'
import type { Transform } from '../../lake/transforms.ts'
import { decimalText } from '../../spec/values.ts'

/** Text that DuckDB casts to the value, bytes as hexadecimal digits; undefined for a type that has none. */
export function boundText(type: string, value: Bound): string | undefined {
  switch (type) {
    case 'boolean':
    case 'int':
    case 'long':
    case 'string':
      return String(value)
    case 'float':
    case 'double':
      return Object.is(value, -0) ? '-0.0' : String(value)
    case 'date':
      return dateText(Number(value))
    case 'time':
      return timeText(value as bigint, 6)
    case 'timestamp':
      return stampText(value as bigint, 6)
    case 'timestamptz':
      return `${stampText(value as bigint, 6)}+00`
    case 'timestamp_ns':
      return stampText(value as bigint, 9)
    case 'uuid':
      return Buffer.from(value as Uint8Array)
        .toString('hex')
        .replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
  }
  const scale = /^decimal\(\d+, ?(\d+)\)$/.exec(type)?.[1]
  if (scale !== undefined) return decimalText(value as bigint, Number(scale))
  return value instanceof Uint8Array ? hexText(value) : undefined
}

/** Bytes as hexadecimal digits. */
export function hexText(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}

/** `YYYY-MM-DD`; undefined for a day that no calendar of JavaScript has. */
function dateText(days: number): string | undefined {
  const time = days * 86_400_000
  if (Math.abs(time) > 8.64e15) return undefined
  const iso = new Date(time).toISOString()
  // Years of more than four digits come with a sign.
  return iso.slice(0, iso.indexOf('T')).replace(/^\+0*/, '')
}

function timeText(units: bigint, digits: number): string {
  const scale = 10n ** BigInt(digits)
  const seconds = units / scale
  const parts = [seconds / 3600n, (seconds / 60n) % 60n, seconds % 60n]
  const fraction = String(units % scale).padStart(digits, '0')
  return `${parts.map((part) => String(part).padStart(2, '0')).join(':')}.${fraction}`
}

function stampText(units: bigint, digits: number): string | undefined {
  const day = 86_400n * 10n ** BigInt(digits)
  const days = units % day < 0n ? units / day - 1n : units / day
  const date = dateText(Number(days))
  return date === undefined ? undefined : `${date} ${timeText(units - days * day, digits)}`
}

/** A partition value as people read it: `2026-03` for a month. */
export function partitionText({ kind }: Transform, type: string, value: Bound): string {
  switch (kind) {
    case 'year':
      return String(1970 + Number(value))
    case 'month': {
      const months = Number(value)
      const year = 1970 + Math.floor(months / 12)
      return `${year}-${String(months - (year - 1970) * 12 + 1).padStart(2, '0')}`
    }
    case 'hour': {
      const hours = Number(value)
      const day = Math.floor(hours / 24)
      return `${dateText(day) ?? day}-${String(hours - day * 24).padStart(2, '0')}`
    }
    default:
      return boundText(type, value) ?? String(value)
  }
}
