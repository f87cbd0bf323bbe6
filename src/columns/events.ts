/** Takes chunks of one event type into columns, row by row exact: what fits lands, what does not is named. */
import { assert } from '../base/assert.ts'
import type { ErrorCode } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import type { EventSpec, Field } from '../spec/field.ts'
import type { TableSchema } from '../spec/iceberg-type.ts'
import { problemOf } from '../spec/check.ts'
import { jsonText, nesting } from '../spec/values.ts'
import { type Column, DoubleColumn, LongColumn } from './column.ts'
import { columnFor } from './compile.ts'
import { type ColumnSource, fieldOf, type RowSet, type TableBuffer } from './table.ts'
import { StringColumn } from './text-column.ts'

/** A chunk whose arrays have been seen to be arrays of one length (PROTOCOL.md §4). */
export interface Chunk {
  readonly n: readonly unknown[]
  readonly at: readonly unknown[]
  readonly within: readonly unknown[] | undefined
  readonly cols: Readonly<Record<string, readonly unknown[]>>
}

/** What every event of a batch shares. */
export interface BatchRow {
  /** Row of the batch in the epoch's ledger. */
  readonly row: number
  readonly first: number
  readonly count: number
  /** event_time of an event is `timeBase + at`, ms since 1970 (PROTOCOL.md §6). */
  readonly timeBase: number
  readonly received: number
  /** Range of claimed times that become event times, µs since 1970. */
  readonly earliest: number
  readonly latest: number
  /** Files of its events on days far from the receipt; undefined before the first. */
  late: Set<string> | undefined
  /** Latest event time so far, µs since 1970; -Infinity before the first. */
  newest: number
  /** One byte per number of the batch: 1 where an event already has it. */
  readonly seen: Uint8Array
  /** Unknown members of the context, by `ctx.<name>`. */
  readonly extra: Readonly<Record<string, unknown>> | undefined
}

/** An event of a chunk that did not land. */
export interface Rejected {
  readonly index: number
  readonly code: ErrorCode
  readonly field: string
  readonly message: string
}

/** Why an event's time is that of its receipt (PROTOCOL.md §6). */
export type TimeFlag = 'clamped_past' | 'clamped_future' | 'clamped_spread'

/** Files that an epoch will become, over all its event tables. */
export interface FileCount {
  files: number
  /** Those of days far from the receipt. */
  late: number
}

const DAY_MICROS = 86_400_000_000
const NONE: readonly string[] = []

/** The name under which a client sent a field, present before former; undefined when it did not. */
function sentAs(name: string, field: Field, cols: Chunk['cols']): string | undefined {
  if (Object.hasOwn(cols, name)) return name
  return field.was?.find((old) => Object.hasOwn(cols, old))
}

/** Whether a day (since 1970) is neither that of `received` (ms) nor one beside it. */
export function isLate(day: number, received: number): boolean {
  return Math.abs(day - Math.floor(received / 86_400_000)) > 1
}

/** Whether a time (µs since 1970, or infinite) is on such a day. */
export function isFar(micros: number, received: number): boolean {
  return Number.isFinite(micros) && isLate(Math.floor(micros / DAY_MICROS), received)
}

/** The rows of one event type and one day of event time. */
export class EventRows implements RowSet {
  readonly schema: TableSchema
  readonly sources: readonly ColumnSource[]
  batch = new Uint32Array(0)
  rows = 0
  readonly time: LongColumn
  readonly number: LongColumn
  readonly within: LongColumn
  readonly at: DoubleColumn
  readonly extra: StringColumn
  readonly flag: StringColumn
  /** Columns of the specification's fields, by their present names. */
  readonly byName: ReadonlyMap<string, Column>
  /** The same columns, each once, with its name. */
  readonly fields: readonly (readonly [string, Column])[]
  /** What stands before the values of each of them in a plain line: `"name":`. */
  readonly keys: readonly Uint8Array[]
  /** Columns that nothing fills any more. */
  readonly #retired: readonly Column[]
  readonly #own: readonly Column[]

  constructor(spec: EventSpec, schema: TableSchema, ledger: TableBuffer) {
    const own = new Map<string, Column>()
    const fields: [string, Column][] = []
    const retired: Column[] = []
    const constants = new Set(ledger.schema.fields.map((field) => field.name))
    this.schema = schema
    this.sources = schema.fields.map((field) => {
      const declared = Object.hasOwn(spec.fields, field.name) ? spec.fields[field.name] : undefined
      if (declared === undefined && constants.has(field.name)) {
        return { column: ledger.column(field.name), ofBatch: true }
      }
      const column = columnFor(declared ?? fieldOf(field))
      if (declared !== undefined) fields.push([field.name, column])
      else if (!OWN.has(field.name)) retired.push(column)
      own.set(field.name, column)
      return { column, ofBatch: false }
    })
    this.fields = fields
    this.keys = fields.map(([name]) => Buffer.from(`${JSON.stringify(name)}:`))
    this.byName = new Map(fields)
    this.#retired = retired
    this.#own = [...own.values()]
    this.time = typed(own.get('event_time'), LongColumn)
    this.number = typed(own.get('n'), LongColumn)
    this.within = typed(own.get('within'), LongColumn)
    this.at = typed(own.get('at'), DoubleColumn)
    this.extra = typed(own.get('_extra'), StringColumn)
    this.flag = typed(own.get('time_flag'), StringColumn)
  }

  ensure(rows: number): void {
    if (rows <= this.batch.length) return
    const grown = new Uint32Array(Math.max(64, 2 ** Math.ceil(Math.log2(rows))))
    grown.set(this.batch)
    this.batch = grown
    for (const column of this.#own) column.ensure(grown.length)
  }

  truncate(row: number, end: number): void {
    for (const column of this.#own) column.truncate(row, end)
  }

  /** Writes null into the columns that no client fills. */
  nullRetired(row: number, count: number): void {
    for (const column of this.#retired) column.setNulls(row, count)
  }

  reset(): void {
    this.rows = 0
    for (const column of this.#own) column.reset()
  }
}

const OWN: ReadonlySet<string> = new Set(['event_time', 'n', 'within', 'at', '_extra', 'time_flag'])

function typed<T extends Column>(column: Column | undefined, type: new (field: Field) => T): T {
  assert(column instanceof type, `the envelope has a ${type.name}`)
  return column
}

/** One event type in one epoch: its rows by day, and the scratch arrays of taking a chunk. */
export class EventTable {
  readonly spec: EventSpec
  readonly #schema: TableSchema
  readonly #ledger: TableBuffer
  readonly #present: ReadonlySet<string>
  /** Former name of a field → its present name. */
  readonly #former: ReadonlyMap<string, string>
  readonly #days = new Map<number, EventRows>()
  readonly #spare: EventRows[] = []
  /** Event times of the chunk at hand, µs. */
  #micros = new Float64Array(64)
  /** Flags of these times; undefined where none has one. */
  #flags: (TimeFlag | undefined)[] | undefined
  readonly #opened: FileCount

  constructor(spec: EventSpec, schema: TableSchema, ledger: TableBuffer, opened: FileCount) {
    this.spec = spec
    this.#schema = schema
    this.#ledger = ledger
    this.#opened = opened
    this.#present = new Set(Object.keys(spec.fields))
    this.#former = new Map(
      Object.entries(spec.fields).flatMap(([name, { was }]) =>
        (was ?? []).map((old) => [old, name] as const),
      ),
    )
  }

  /** Names among `cols` that no column takes: unspecified ones, and a former name where a later one was sent as well. */
  unknownOf(cols: Chunk['cols']): readonly string[] {
    let unknown: string[] | undefined
    for (const name in cols) {
      if (this.#present.has(name)) continue
      const present = this.#former.get(name)
      if (present !== undefined && sentAs(present, this.spec.fields[present]!, cols) === name) {
        continue
      }
      unknown ??= []
      unknown.push(name)
    }
    return unknown ?? NONE
  }

  /** Rows by day of event time, in days since 1970. */
  get days(): ReadonlyMap<number, EventRows> {
    return this.#days
  }

  /** Takes a chunk; answers the events that did not land, undefined when all did. */
  add(chunk: Chunk, batch: BatchRow, unknown: readonly string[]): Rejected[] | undefined {
    const length = chunk.n.length
    if (length === 0) return undefined
    const rejected = this.#time(chunk, batch)
    const day = this.#oneDay(length)
    if (rejected === undefined && day !== undefined && this.#write(chunk, batch, unknown, day)) {
      return undefined
    }
    return this.#addSome(chunk, batch, unknown, rejected ?? [])
  }

  reset(): void {
    for (const rows of this.#days.values()) {
      rows.reset()
      if (this.#spare.length < limits.spareDaysMax) this.#spare.push(rows)
    }
    this.#days.clear()
  }

  /** Checks numbers and times, and leaves the event times in #micros. */
  #time(chunk: Chunk, batch: BatchRow): Rejected[] | undefined {
    const { n, at } = chunk
    const { seen, count, timeBase, earliest, latest } = batch
    this.#flags = undefined
    if (this.#micros.length < n.length) this.#micros = new Float64Array(n.length * 2)
    const micros = this.#micros
    let rejected: Rejected[] | undefined
    let oldest = Infinity
    let newest = -Infinity
    for (let i = 0; i < n.length; i++) {
      const offset = n[i]
      const time = at[i]
      let bad: Omit<Rejected, 'index'> | undefined
      if (typeof offset !== 'number' || offset >>> 0 !== offset || offset >= count) {
        bad = { code: 'number_out_of_range', field: 'n', message: `n ${show(offset)} of ${count}` }
      } else if (seen[offset] === 1) {
        bad = { code: 'number_repeated', field: 'n', message: `n ${offset} occurs twice` }
      } else {
        seen[offset] = 1
        micros[i] = typeof time === 'number' ? Math.round((timeBase + time) * 1000) : NaN
        if (!(micros[i]! >= earliest && micros[i]! <= latest)) {
          if (Number.isFinite(micros[i])) {
            this.#clamp(i, batch, micros[i]! < earliest ? 'clamped_past' : 'clamped_future')
          } else {
            bad = { code: 'time_invalid', field: 'at', message: `at ${show(time)} has no time` }
          }
        }
        // False for NaN, as they should be.
        if (micros[i]! > newest) newest = micros[i]!
        if (micros[i]! < oldest) oldest = micros[i]!
      }
      if (bad !== undefined) {
        micros[i] = NaN
        ;(rejected ??= []).push({ index: i, ...bad })
      }
    }
    if (isFar(oldest, batch.received) || isFar(newest, batch.received))
      newest = this.#boundDays(n.length, batch)
    batch.newest = Math.max(batch.newest, newest)
    return rejected
  }

  #clamp(index: number, batch: BatchRow, flag: TimeFlag): void {
    this.#micros[index] = batch.received * 1000
    this.#flags ??= []
    this.#flags[index] = flag
  }

  /** Lets a batch open a bounded number of files for far days, in the order of its events; answers the latest time. */
  #boundDays(length: number, batch: BatchRow): number {
    let newest = -Infinity
    const late = (batch.late ??= new Set())
    for (let i = 0; i < length; i++) {
      const day = Math.floor(this.#micros[i]! / DAY_MICROS)
      if (isLate(day, batch.received)) {
        const key = `${this.spec.name} ${day}`
        if (late.size < limits.batchLateFilesMax) late.add(key)
        else if (!late.has(key)) this.#clamp(i, batch, 'clamped_spread')
      }
      if (this.#micros[i]! > newest) newest = this.#micros[i]!
    }
    return newest
  }

  /** The day that all of the first `length` times fall on, or undefined. */
  #oneDay(length: number): number | undefined {
    const micros = this.#micros
    const day = Math.floor(micros[0]! / DAY_MICROS)
    const start = day * DAY_MICROS
    for (let i = 1; i < length; i++) {
      if (!(micros[i]! >= start && micros[i]! < start + DAY_MICROS)) return undefined
    }
    return day
  }

  /** The rows of a day; a new day takes over the memory of an old one. */
  rowsOf(day: number, received: number): EventRows {
    let rows = this.#days.get(day)
    if (rows === undefined) {
      rows = this.#spare.pop() ?? new EventRows(this.spec, this.#schema, this.#ledger)
      this.#days.set(day, rows)
      this.#opened.files++
      if (isLate(day, received)) this.#opened.late++
    }
    return rows
  }

  /** Writes a whole chunk to one day, or nothing and false when a value does not fit. */
  #write(chunk: Chunk, batch: BatchRow, unknown: readonly string[], day: number): boolean {
    const rows = this.rowsOf(day, batch.received)
    const start = rows.rows
    const length = chunk.n.length
    rows.ensure(start + length)
    if (
      !putFields(rows, chunk, start) ||
      !putWithin(rows, chunk, batch, start) ||
      !unknown.every((name) => chunk.cols[name]!.every(isShallow))
    ) {
      rows.truncate(start, start + length)
      return false
    }
    putEnvelope(rows, chunk, batch, this.#micros, start)
    putFlags(rows, this.#flags, start, length)
    rows.nullRetired(start, length)
    putExtra(rows, batch, { start, length, unknown, cols: chunk.cols })
    rows.rows = start + length
    return true
  }

  /** The slow path: finds what does not fit, and writes the rest by day. */
  #addSome(
    chunk: Chunk,
    batch: BatchRow,
    unknown: readonly string[],
    rejected: Rejected[],
  ): Rejected[] | undefined {
    const bad = new Set(rejected.map(({ index }) => index))
    const byDay = new Map<number, number[]>()
    for (let i = 0; i < chunk.n.length; i++) {
      if (bad.has(i)) continue
      const problem = this.#problemAt(chunk, i, unknown)
      if (problem !== undefined) {
        rejected.push({ index: i, ...problem })
        continue
      }
      const day = Math.floor(this.#micros[i]! / DAY_MICROS)
      const indices = byDay.get(day)
      if (indices === undefined) byDay.set(day, [i])
      else indices.push(i)
    }
    const [micros, flags] = [this.#micros, this.#flags]
    for (const [day, indices] of byDay) {
      this.#micros = Float64Array.from(indices, (i) => micros[i]!)
      this.#flags = flags && indices.map((i) => flags[i])
      const written = this.#write(pick(chunk, indices), batch, unknown, day)
      assert(written, `checked rows of ${this.spec.name} fit their columns`)
    }
    this.#micros = micros
    return rejected.length === 0 ? undefined : rejected
  }

  #problemAt(
    chunk: Chunk,
    index: number,
    unknown: readonly string[],
  ): Omit<Rejected, 'index'> | undefined {
    const within = chunk.within?.[index]
    if (within !== undefined && within !== null && !Number.isSafeInteger(within)) {
      return { code: 'value_type', field: 'within', message: `within ${show(within)}` }
    }
    for (const name of unknown) {
      if (isShallow(chunk.cols[name]![index])) continue
      const message = `nested deeper than ${limits.jsonDepthMax}`
      return { code: 'value_too_deep', field: name, message }
    }
    for (const [name, field] of Object.entries(this.spec.fields)) {
      const sent = sentAs(name, field, chunk.cols)
      const problem = problemOf(field, sent === undefined ? null : chunk.cols[sent]![index])
      if (problem !== undefined) {
        return { code: problem.code, field: name + problem.path, message: problem.message }
      }
    }
    return undefined
  }
}

function show(value: unknown): string {
  return (jsonText(value, limits.jsonDepthMax) ?? typeof value).slice(0, 40)
}

/** Whether a value that no specification knows can be kept as JSON. */
function isShallow(value: unknown): boolean {
  return nesting(value, limits.jsonDepthMax) <= limits.jsonDepthMax
}

/** Fills the columns of the specification; false when a value does not fit or a required column is absent. */
function putFields(rows: EventRows, chunk: Chunk, start: number): boolean {
  let filled = 0
  for (const name in chunk.cols) {
    const column = rows.byName.get(name)
    if (column === undefined) continue
    if (!column.put(chunk.cols[name]!, start)) return false
    filled++
  }
  if (filled === rows.fields.length) return true
  for (const [name, column] of rows.fields) {
    const sent = sentAs(name, column.field, chunk.cols)
    if (sent === name) continue
    if (sent !== undefined) {
      if (!column.put(chunk.cols[sent]!, start)) return false
    } else if (column.field.optional) column.setNulls(start, chunk.n.length)
    else return false
  }
  return true
}

/** Writes the columns that every event has, out of values that have been checked. */
function putEnvelope(
  rows: EventRows,
  chunk: Chunk,
  batch: BatchRow,
  micros: Float64Array,
  start: number,
): void {
  const { time, number } = rows
  const at = rows.at.data
  const n = chunk.n as readonly number[]
  for (let i = 0; i < n.length; i++) {
    time.set(start + i, micros[i]!)
    number.set(start + i, batch.first + n[i]!)
    at[start + i] = chunk.at[i] as number
  }
  rows.batch.fill(batch.row, start, start + n.length)
}

function putWithin(rows: EventRows, chunk: Chunk, batch: BatchRow, start: number): boolean {
  const { within } = chunk
  if (within === undefined) {
    rows.within.setNulls(start, chunk.n.length)
    return true
  }
  for (let i = 0; i < within.length; i++) {
    const offset = within[i]
    if (offset === null || offset === undefined) rows.within.setNull(start + i)
    else if (typeof offset !== 'number' || !Number.isSafeInteger(offset)) return false
    else rows.within.set(start + i, batch.first + offset)
  }
  return true
}

function putFlags(
  rows: EventRows,
  flags: readonly (TimeFlag | undefined)[] | undefined,
  start: number,
  length: number,
): void {
  if (flags === undefined) {
    rows.flag.setNulls(start, length)
    return
  }
  for (let i = 0; i < length; i++) rows.flag.putOne(flags[i], start + i)
}

/** Rows just written, and what of their chunk no column takes. */
interface Rest {
  readonly start: number
  readonly length: number
  readonly unknown: readonly string[]
  readonly cols: Chunk['cols']
}

/** Keeps what no column takes as JSON, so that it can be moved into a column later. */
export function putExtra(rows: EventRows, batch: BatchRow, rest: Rest): void {
  const { start, length, unknown, cols } = rest
  if (unknown.length === 0 && batch.extra === undefined) {
    rows.extra.setNulls(start, length)
    return
  }
  for (let i = 0; i < length; i++) {
    const members: string[] = []
    for (const name of unknown) {
      const value = cols[name]![i]
      if (value !== null) members.push(`${JSON.stringify(name)}:${JSON.stringify(value)}`)
    }
    for (const [name, value] of Object.entries(batch.extra ?? {})) {
      members.push(`${JSON.stringify(name)}:${JSON.stringify(value)}`)
    }
    if (members.length === 0) rows.extra.setNull(start + i)
    else rows.extra.set(start + i, `{${members.join(',')}}`)
  }
}

/** The rows of a chunk at `indices`. */
function pick(chunk: Chunk, indices: readonly number[]): Chunk {
  const of = (values: readonly unknown[]): unknown[] => indices.map((i) => values[i])
  const cols: Record<string, readonly unknown[]> = Object.create(null)
  for (const name in chunk.cols) cols[name] = of(chunk.cols[name]!)
  return { n: of(chunk.n), at: of(chunk.at), within: chunk.within && of(chunk.within), cols }
}
