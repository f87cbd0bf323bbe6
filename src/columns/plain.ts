/**
 * Reads values straight from the bytes of a line, without making objects of them. It knows the plain form that JSON.stringify writes
 * (no spaces, no escapes, no exponents); of any other it says so, and the line is read by JSON.parse. What it does read is exactly
 * what JSON.parse would have read.
 */

export const QUOTE = 0x22
export const COMMA = 0x2c
export const OPEN = 0x5b
export const CLOSE = 0x5d
export const BACKSLASH = 0x5c
const OBJECT_OPEN = 0x7b
const OBJECT_CLOSE = 0x7d
const MINUS = 0x2d
const POINT = 0x2e
const ZERO = 0x30
const LINE_FEED = 0x0a

/** Digits with which a number is exact, and a fraction is rounded as JSON.parse rounds it: both sides of the division are exact. */
const DIGITS_MAX = 16
const POWERS = Array.from({ length: DIGITS_MAX + 1 }, (_, digits) => 10 ** digits)

/** Whether `word` stands at `at`. */
export function standsAt(bytes: Uint8Array, at: number, word: Uint8Array): boolean {
  for (let i = 0; i < word.length; i++) if (bytes[at + i] !== word[i]) return false
  return true
}

/** The position behind `null` at `at`, or -1. */
export function behindNull(bytes: Uint8Array, at: number): number {
  const isNull =
    bytes[at] === 0x6e && bytes[at + 1] === 0x75 && bytes[at + 2] === 0x6c && bytes[at + 3] === 0x6c
  return isNull ? at + 4 : -1
}

/** The numbers of one JSON array; used again and again. */
export class Numbers {
  /** NaN stands for null, since no JSON number is NaN. */
  values = new Float64Array(64)
  length = 0

  /** Reads an array of numbers and nulls, not empty and at most `most` long, at `at`; answers the position behind it, or -1. */
  read(bytes: Uint8Array, at: number, most: number): number {
    if (bytes[at] !== OPEN) return -1
    let { values } = this
    let position = at + 1
    for (let count = 0; count < most; count++) {
      if (count === values.length) values = this.#grow()
      let byte = bytes[position]!
      const negative = byte === MINUS
      if (negative) byte = bytes[++position]!
      if (byte >= ZERO && byte <= ZERO + 9) {
        let value = byte - ZERO
        let first = position++
        let digit
        while ((digit = bytes[position]! - ZERO) >= 0 && digit <= 9) {
          value = value * 10 + digit
          position++
        }
        if (byte === ZERO && position - first > 1) return -1
        if (bytes[position] === POINT) {
          const point = position++
          while ((digit = bytes[position]! - ZERO) >= 0 && digit <= 9) {
            value = value * 10 + digit
            position++
          }
          const digits = position - point - 1
          first++
          if (digits === 0 || position - first > DIGITS_MAX || value > Number.MAX_SAFE_INTEGER) {
            return -1
          }
          value /= POWERS[digits]!
        } else if (position - first > DIGITS_MAX || value > Number.MAX_SAFE_INTEGER) return -1
        values[count] = negative ? -value : value
      } else {
        if (negative) return -1
        position = behindNull(bytes, position)
        if (position < 0) return -1
        values[count] = NaN
      }
      const next = bytes[position++]
      if (next === COMMA) continue
      if (next !== CLOSE) return -1
      this.length = count + 1
      return position
    }
    return -1
  }

  #grow(): Float64Array<ArrayBuffer> {
    const larger = new Float64Array(this.values.length * 2)
    larger.set(this.values)
    this.values = larger
    return larger
  }
}

/**
 * Puts the values of the JSON array at `at`, of any kind, into a column; answers the position behind it, or -1 where there is no such
 * array of `count` values that fit.
 */
export function readInto(
  column: { put(values: readonly unknown[], row: number): boolean },
  bytes: Buffer,
  at: number,
  row: number,
  count: number,
): number {
  const end = behindArray(bytes, at)
  if (end < 0) return -1
  let values
  try {
    values = JSON.parse(bytes.toString('utf8', at, end)) as unknown[]
  } catch {
    return -1
  }
  return values.length === count && column.put(values, row) ? end : -1
}

/** The position behind the bracket that closes the one at `at`, or -1. Only what lies between quotes may hold brackets that do not count. */
function behindArray(bytes: Uint8Array, at: number): number {
  if (bytes[at] !== OPEN) return -1
  let depth = 0
  let quoted = false
  for (let i = at; i < bytes.length; i++) {
    const byte = bytes[i]!
    if (byte === LINE_FEED || byte === BACKSLASH) return -1
    if (byte === QUOTE) quoted = !quoted
    else if (quoted) continue
    else if (byte === OPEN || byte === OBJECT_OPEN) depth++
    else if ((byte === CLOSE || byte === OBJECT_CLOSE) && --depth === 0) return i + 1
  }
  return -1
}
