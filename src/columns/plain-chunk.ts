/** Lands a chunk line straight from its bytes, all of it or nothing: what is not plain, or has an event that does not fit, is for `EventTable.add`. */
import { limits } from '../base/limits.ts'
import { type BatchRow, type EventRows, type EventTable, isFar, putExtra } from './events.ts'
import { BACKSLASH, Numbers, QUOTE, standsAt } from './plain.ts'

const TYPE = Buffer.from('{"type":"')
const N = Buffer.from(',"n":')
const AT = Buffer.from(',"at":')
const WITHIN = Buffer.from(',"within":')
const COLS = Buffer.from(',"cols":{')
const COMMA = 0x2c
const CLOSED = Buffer.from('}}')
const DAY_MICROS = 86_400_000_000

/** Whether a line may be a plain chunk. */
export function looksPlain(bytes: Uint8Array, start: number): boolean {
  return standsAt(bytes, start, TYPE)
}

/** The name of the type of a line that looks plain, and the position behind it; undefined where it has escapes. */
export function plainType(
  bytes: Buffer,
  start: number,
  end: number,
): { readonly name: string; readonly at: number } | undefined {
  const from = start + TYPE.length
  for (let i = from; i < end; i++) {
    const byte = bytes[i]!
    if (byte === QUOTE) return { name: bytes.toString('utf8', from, i), at: i + 1 }
    if (byte < 0x20 || byte === BACKSLASH) return undefined
  }
  return undefined
}

/** Reads chunks, one at a time. */
export class PlainReader {
  readonly #n = new Numbers()
  readonly #at = new Numbers()
  readonly #within = new Numbers()
  readonly #column = new Numbers()
  #micros = new Float64Array(64)
  /** Which columns of the chunk at hand are filled. */
  #filled = new Uint8Array(64)

  /** Lands the chunk whose members after `type` are at `at` … `end` of valid UTF-8; answers how many events landed, or -1: none did. */
  land(table: EventTable, bytes: Buffer, at: number, end: number, batch: BatchRow): number {
    const cols = this.#readEnvelope(bytes, at, batch.count)
    if (cols < 0) return -1
    const length = this.#n.length
    const day = this.#time(batch)
    if (day === undefined) return -1
    const rows = table.rowsOf(day, batch.received)
    const start = rows.rows
    rows.ensure(start + length)
    if (!this.#fill(rows, bytes, cols, end, start) || !this.#putWithin(rows, batch, start)) {
      rows.truncate(start, start + length)
      this.#forget(batch, length)
      return -1
    }
    this.#putEnvelope(rows, batch, start)
    rows.flag.setNulls(start, length)
    rows.nullRetired(start, length)
    if (batch.extra === undefined) rows.extra.setNulls(start, length)
    else putExtra(rows, batch, { start, length, unknown: [], cols: {} })
    rows.rows = start + length
    return length
  }

  /** Reads n, at and within; answers where the columns begin, or -1. */
  #readEnvelope(bytes: Buffer, at: number, most: number): number {
    if (!standsAt(bytes, at, N)) return -1
    let position = this.#n.read(bytes, at + N.length, most)
    if (position < 0 || !standsAt(bytes, position, AT)) return -1
    const { length } = this.#n
    position = this.#at.read(bytes, position + AT.length, length)
    if (position < 0 || this.#at.length !== length) return -1
    this.#within.length = 0
    if (standsAt(bytes, position, WITHIN)) {
      position = this.#within.read(bytes, position + WITHIN.length, length)
      if (position < 0 || this.#within.length !== length) return -1
    }
    return standsAt(bytes, position, COLS) ? position + COLS.length : -1
  }

  /** Takes the numbers of the events, and leaves their times in #micros; the day of all of them, or undefined when one is not as usual. */
  #time(batch: BatchRow): number | undefined {
    const { seen, count, timeBase, earliest, latest } = batch
    const { length } = this.#n
    if (this.#micros.length < length) this.#micros = new Float64Array(length * 2)
    const [n, at, micros] = [this.#n.values, this.#at.values, this.#micros]
    let oldest = Infinity
    let newest = -Infinity
    for (let i = 0; i < length; i++) {
      const offset = n[i]!
      const time = Math.round((timeBase + at[i]!) * 1000)
      const usual =
        offset >>> 0 === offset &&
        offset < count &&
        seen[offset] === 0 &&
        time >= earliest &&
        time <= latest
      if (!usual) {
        this.#forget(batch, i)
        return undefined
      }
      seen[offset] = 1
      micros[i] = time
      if (time > newest) newest = time
      if (time < oldest) oldest = time
    }
    const day = Math.floor(oldest / DAY_MICROS)
    if (
      day !== Math.floor(newest / DAY_MICROS) ||
      isFar(oldest, batch.received) ||
      isFar(newest, batch.received)
    ) {
      this.#forget(batch, length)
      return undefined
    }
    return day
  }

  /** Gives the first `length` numbers back. */
  #forget({ seen }: BatchRow, length: number): void {
    for (let i = 0; i < length; i++) seen[this.#n.values[i]!] = 0
  }

  /** Fills the columns of the specification; false when the line is not plain to its end, or something does not fit. */
  #fill(rows: EventRows, bytes: Buffer, at: number, end: number, start: number): boolean {
    const { fields, keys } = rows
    const { length } = this.#n
    if (this.#filled.length < fields.length) this.#filled = new Uint8Array(fields.length * 2)
    const filled = this.#filled.fill(0, 0, fields.length)
    let position = at
    let count = 0
    let next = 0
    while (!standsAt(bytes, position, CLOSED)) {
      if (count > 0 && bytes[position++] !== COMMA) return false
      const field = fieldAt(keys, bytes, position, next)
      if (field < 0 || filled[field] === 1) return false
      const values = position + keys[field]!.length
      position = fields[field]![1].read(bytes, values, start, length, this.#column)
      if (position < 0) return false
      filled[field] = 1
      next = field + 1
      count++
    }
    if (position + CLOSED.length !== end || count > limits.columnsPerChunkMax) return false
    for (let i = 0; count < fields.length && i < fields.length; i++) {
      if (filled[i] === 1) continue
      const [, column] = fields[i]!
      if (!column.field.optional) return false
      column.setNulls(start, length)
      count++
    }
    return true
  }

  #putWithin(rows: EventRows, batch: BatchRow, start: number): boolean {
    const { length, values } = this.#within
    if (length === 0) {
      rows.within.setNulls(start, this.#n.length)
      return true
    }
    for (let i = 0; i < length; i++) {
      const offset = values[i]!
      if (offset !== offset) rows.within.setNull(start + i)
      else if (!Number.isInteger(offset)) return false
      else rows.within.set(start + i, batch.first + offset)
    }
    return true
  }

  /** Writes the columns that every event has. */
  #putEnvelope(rows: EventRows, batch: BatchRow, start: number): void {
    const { time, number, at } = rows
    const { length } = this.#n
    const [n, times, micros] = [this.#n.values, this.#at.values, this.#micros]
    let { newest } = batch
    for (let i = 0; i < length; i++) {
      time.set(start + i, micros[i]!)
      number.set(start + i, batch.first + n[i]!)
      at.data[start + i] = times[i]!
      if (micros[i]! > newest) newest = micros[i]!
    }
    batch.newest = newest
    rows.batch.fill(batch.row, start, start + length)
  }
}

/** The field whose key stands at `position`: `next` nearly always, since clients write them in one order; -1 where there is none. */
function fieldAt(
  keys: readonly Uint8Array[],
  bytes: Uint8Array,
  position: number,
  next: number,
): number {
  for (let i = 0; i < keys.length; i++) {
    const field = (next + i) % keys.length
    if (standsAt(bytes, position, keys[field]!)) return field
  }
  return -1
}
