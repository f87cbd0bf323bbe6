/** Reads the text and number forms that values have on the wire (PROTOCOL.md §5). */
import type { Field } from './field.ts'

/** A 64-bit integer from its decimal text, or undefined (PROTOCOL.md §5). */
export function parseLong(text: string): bigint | undefined {
  if (!/^-?[0-9]{1,19}$/.test(text)) return undefined
  const value = BigInt(text)
  return BigInt.asIntN(64, value) === value ? value : undefined
}

/** Decimal text with exactly `scale` digits behind the point, of a value in units of its last digit. */
export function decimalText(unscaled: bigint | number, scale: number): string {
  const text = String(unscaled)
  if (scale === 0) return text
  const minus = text.startsWith('-')
  const digits = (minus ? text.slice(1) : text).padStart(scale + 1, '0')
  return `${minus ? '-' : ''}${digits.slice(0, -scale)}.${digits.slice(-scale)}`
}

/** Whether the text is padded base64 (RFC 4648 §4) and nothing else: exactly what encoding its bytes gives back. */
export function isBase64(text: string): boolean {
  if (text.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(text)) return false
  return btoa(atob(text)) === text
}

/** Bytes that valid base64 stands for. */
export function base64Length(text: string): number {
  return (text.length / 4) * 3 - (text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0)
}

/** Days since 1970 of an ISO 8601 calendar date with a four-digit year, or undefined where there is no such day. */
export function parseDate(text: string): number | undefined {
  if (!/^[0-9]{4}-[0-9]{2}-[0-9]{2}$/.test(text)) return undefined
  const ms = Date.parse(`${text}T00:00:00Z`)
  if (Number.isNaN(ms) || new Date(ms).toISOString().slice(0, 10) !== text) return undefined
  return ms / 86_400_000
}

/** Microseconds of a wire timestamp, or undefined when it is out of range. */
export function timestampMicros(field: Field, value: unknown): number | undefined {
  if (typeof value !== 'number') return undefined
  if (value < (field.min ?? -Infinity) || value > (field.max ?? Infinity)) return undefined
  const micros = Math.round(value * 1000)
  return Number.isSafeInteger(micros) ? micros : undefined
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

/** JSON text of a value; undefined where it is nested deeper than `most`, since writing it would need a stack as deep. */
export function jsonText(value: unknown, most: number): string | undefined {
  return nesting(value, most) > most ? undefined : JSON.stringify(value)
}

/** How deeply arrays and objects are nested in `value`; stops counting past `most`. */
export function nesting(value: unknown, most: number): number {
  if (typeof value !== 'object' || value === null) return 0
  if (most <= 0) return 1
  let deepest = 0
  for (const key in value) {
    const depth = nesting((value as Record<string, unknown>)[key], most - 1)
    if (depth > deepest) deepest = depth
  }
  return deepest + 1
}
