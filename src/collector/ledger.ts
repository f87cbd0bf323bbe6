/** Writes the ledger: one row per batch that arrived, which every event row of the batch takes its constants from. */
import { assert } from '../base/assert.ts'
import { limits } from '../base/limits.ts'
import { problemOf } from '../spec/check.ts'
import { nesting } from '../spec/values.ts'
import { type Column, DoubleColumn, IntColumn, LongColumn } from '../columns/column.ts'
import { StringColumn } from '../columns/text-column.ts'
import type { TableBuffer } from '../columns/table.ts'
import type { Field, Fields } from '../spec/field.ts'
import type { Header } from './decode.ts'
import type { RequestFacts } from './intake.ts'

/** What becomes of a batch (PROTOCOL.md §8). */
export type BatchStatus = 'accepted' | 'duplicate' | 'quarantined'

export interface BatchCounts {
  readonly status: BatchStatus
  readonly landed: number
  readonly quarantined: number
  readonly missing: number
  /** Latest event_time, µs since 1970; undefined where no event has one. */
  readonly newest?: number | undefined
  /** Events by type; undefined for a batch whose numbers are not its own (a repeat, a conflict, an overlap). */
  readonly types?: readonly TypeCount[]
}

/** What became of the events of one type in a batch. */
export interface TypeCount {
  readonly type: string
  landed: number
  quarantined: number
}

/** A batch context as written: the members that no specification knows, or the one that does not fit. */
export interface ContextAnswer {
  readonly extra?: Readonly<Record<string, unknown>>
  readonly problem?: { readonly field: string; readonly message: string }
}

type Context = Readonly<Record<string, unknown>>

const NOTHING: ContextAnswer = {}

/** Members of every context, specified or not. */
const BUILT_IN: readonly string[] = ['install', 'session']
const BUILT_IN_MAX = 64

/** A member of the context; a built-in one has no field. */
interface Member {
  readonly name: string
  readonly field: Field | undefined
  readonly column: Column
}

/** The ledger of one epoch. */
export class Ledger {
  readonly #table: TableBuffer
  readonly #columns: LedgerColumns
  /** The context's members by their present names. */
  readonly #members: ReadonlyMap<string, Member>
  /** Columns that nothing fills any more. */
  readonly #retired: readonly Column[]

  constructor(table: TableBuffer, context: Fields) {
    this.#table = table
    this.#columns = ledgerColumns(table)
    const members: Member[] = [
      ...Object.entries(context).map(([name, field]) => ({
        name,
        field,
        column: table.column(name),
      })),
      ...BUILT_IN.map((name) => ({ name, field: undefined, column: table.column(name) })),
    ]
    this.#members = new Map(members.map((member) => [member.name, member]))
    const filled = new Set<Column>([
      ...Object.values(this.#columns),
      ...members.map(({ column }) => column),
    ])
    this.#retired = table.sources
      .map(({ column }) => column)
      .filter((column) => !filled.has(column))
  }

  get table(): TableBuffer {
    return this.#table
  }

  /** Starts the row of a batch with all that the header and the request say; context and counts follow by `context` and `close`. */
  open(header: Header, facts: RequestFacts, fingerprint: number, bytes: number): number {
    const row = this.#table.addRow()
    const to = this.#columns
    const { rtt } = header
    const { enrichment } = facts
    to.received_at.set(row, facts.received * 1000)
    to.boot.set(row, header.boot)
    to.seq.data[row] = header.seq
    to.first.set(row, header.first)
    to.count.data[row] = header.count
    to.fingerprint.set(row, fingerprint)
    to.sent.data[row] = header.sent
    to.booted.data[row] = header.booted
    to.clock.set(row, header.clock)
    put(to.rtt, row, rtt)
    put(to.event_time_error, row, rtt === undefined ? undefined : rtt / 2)
    put(to.sdk, row, header.sdk)
    put(to.source, row, facts.source)
    to.bytes.set(row, bytes)
    put(to.geo_country, row, enrichment.geo_country)
    put(to.ua_browser, row, enrichment.ua_browser)
    put(to.ua_os, row, enrichment.ua_os)
    put(to.ua_device, row, enrichment.ua_device)
    put(to.robot, row, enrichment.robot)
    if (header.dropped.length > 0) put(to.dropped, row, header.dropped.map(droppedRow))
    else to.dropped.setNull(row)
    for (const column of this.#retired) column.setNull(row)
    return row
  }

  /** Writes the context; answers what does not fit (then nothing of it stays), or the unknown members. */
  context(row: number, ctx: Context): ContextAnswer {
    let written = 0
    for (const name in ctx) {
      const member = this.#members.get(name)
      if (member === undefined) continue
      if (!putMember(member, ctx[name], row)) return this.#misfit(row, member, ctx[name])
      written++
    }
    const complete = written === this.#members.size
    const problem = complete ? undefined : this.#putUnsent(row, ctx)
    if (problem !== undefined) return problem
    return this.#extra(row, ctx, written)
  }

  /** Writes the members that were not sent under their present name: from a former one, or null. */
  #putUnsent(row: number, ctx: Context): ContextAnswer | undefined {
    for (const member of this.#members.values()) {
      const sent = sentAs(member, ctx)
      if (sent === member.name) continue
      if (sent !== undefined) {
        if (!putMember(member, ctx[sent], row)) return this.#misfit(row, member, ctx[sent])
      } else if (member.field === undefined || member.field.optional) member.column.setNull(row)
      else return this.#undo(row, member.name, 'a value is required')
    }
    return undefined
  }

  /** The members that no column took; `written` of them have been under their present names. */
  #extra(row: number, ctx: Context, written: number): ContextAnswer {
    const names = Object.keys(ctx)
    if (names.length === written) return NOTHING
    const taken = new Set([...this.#members.values()].map((member) => sentAs(member, ctx)))
    const extra: Record<string, unknown> = {}
    for (const name of names) {
      if (taken.has(name)) continue
      if (nesting(ctx[name], limits.jsonDepthMax) > limits.jsonDepthMax) {
        return this.#undo(row, name, `nested deeper than ${limits.jsonDepthMax}`)
      }
      extra[`ctx.${name}`] = ctx[name]
    }
    return Object.keys(extra).length === 0 ? NOTHING : { extra }
  }

  close(row: number, counts: BatchCounts): void {
    const to = this.#columns
    to.status.set(row, counts.status)
    to.landed.data[row] = counts.landed
    to.quarantined.data[row] = counts.quarantined
    to.missing.data[row] = counts.missing
    const newest = counts.newest === undefined ? undefined : counts.newest / 1000
    for (const [name, value] of [
      ['event_to', newest],
      ['types', counts.types],
    ] as const) {
      if (value === undefined) this.#table.column(name).setNull(row)
      else this.#table.set(name, row, value)
    }
  }

  #misfit(row: number, { name, field }: Member, value: unknown): ContextAnswer {
    if (field === undefined) return this.#undo(row, name, 'not a short string')
    return this.#undo(row, name, problemOf(field, value)?.message ?? 'does not fit')
  }

  /** Leaves the context of the row null throughout. */
  #undo(row: number, field: string, message: string): ContextAnswer {
    for (const { column } of this.#members.values()) {
      column.truncate(row, row + 1)
      column.setNull(row)
    }
    return { problem: { field: `ctx.${field}`, message } }
  }
}

function putMember({ field, column }: Member, value: unknown, row: number): boolean {
  if (field === undefined && typeof value === 'string' && value.length > BUILT_IN_MAX) return false
  return column.putOne(value, row)
}

/** The name under which a client sent a member, present before former; undefined when it did not. */
function sentAs({ name, field }: Member, ctx: Context): string | undefined {
  if (Object.hasOwn(ctx, name)) return name
  return field?.was?.find((old) => Object.hasOwn(ctx, old))
}

/** Writes a value that fits, or null where there is none. */
function put(column: Column, row: number, value: unknown): void {
  if (value === undefined) column.setNull(row)
  else if (!column.putOne(value, row)) {
    assert(false, `the ledger takes ${JSON.stringify(value)} as ${column.field.type.kind}`)
  }
}

type LedgerColumns = ReturnType<typeof ledgerColumns>

/** The columns that every row of the ledger fills, by their names. */
function ledgerColumns(table: TableBuffer) {
  const int = (name: string): IntColumn => table.typed(name, IntColumn)
  const long = (name: string): LongColumn => table.typed(name, LongColumn)
  const double = (name: string): DoubleColumn => table.typed(name, DoubleColumn)
  const text = (name: string): StringColumn => table.typed(name, StringColumn)
  return {
    received_at: long('received_at'),
    boot: text('boot'),
    seq: int('seq'),
    first: long('first'),
    count: int('count'),
    status: text('status'),
    landed: int('landed'),
    quarantined: int('quarantined'),
    missing: int('missing'),
    fingerprint: long('fingerprint'),
    sent: double('sent'),
    booted: double('booted'),
    clock: text('clock'),
    rtt: double('rtt'),
    event_time_error: double('event_time_error'),
    sdk: text('sdk'),
    source: text('source'),
    bytes: long('bytes'),
    geo_country: text('geo_country'),
    ua_browser: text('ua_browser'),
    ua_os: text('ua_os'),
    ua_device: text('ua_device'),
    robot: table.column('robot'),
    dropped: table.column('dropped'),
  }
}

function droppedRow([reason, first, count]: readonly [string, number, number]): object {
  return { reason, first, count }
}
