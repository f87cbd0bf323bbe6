/** Writes the ledger: one row per batch that arrived, which every event row of the batch takes its constants from. */
import { limits } from '../base/limits.ts'
import { problemOf } from '../spec/check.ts'
import { nesting } from '../spec/values.ts'
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

const NOTHING: ContextAnswer = {}

const BUILT_IN = new Set(['install', 'session'])
const BUILT_IN_MAX = 64

/** The ledger of one epoch. */
export class Ledger {
  readonly #table: TableBuffer
  /** Wire name, old names included → (column name, field). */
  readonly #context: ReadonlyMap<string, readonly [string, Field]>
  readonly #required: readonly (readonly string[])[]

  constructor(table: TableBuffer, context: Fields) {
    this.#table = table
    this.#context = contextNames(context)
    this.#required = Object.entries(context)
      .filter(([, field]) => !field.optional)
      .map(([name, field]) => [name, ...(field.was ?? [])])
  }

  get table(): TableBuffer {
    return this.#table
  }

  /** Starts the row of a batch with all that the header and the request say; counts follow by `close`. */
  open(header: Header, facts: RequestFacts, fingerprint: number, bytes: number): number {
    const table = this.#table
    const row = table.startRow()
    const { enrichment } = facts
    const error = header.rtt === undefined ? undefined : header.rtt / 2
    table.set('received_at', row, facts.received)
    table.set('boot', row, header.boot)
    table.set('seq', row, header.seq)
    table.set('first', row, header.first)
    table.set('count', row, header.count)
    table.set('event_time_error', row, error)
    table.set('fingerprint', row, fingerprint)
    table.set('sent', row, header.sent)
    table.set('booted', row, header.booted)
    table.set('clock', row, header.clock)
    table.set('rtt', row, header.rtt)
    table.set('sdk', row, header.sdk)
    table.set('source', row, facts.source)
    table.set('bytes', row, bytes)
    table.set('geo_country', row, enrichment.geo_country)
    table.set('ua_browser', row, enrichment.ua_browser)
    table.set('ua_os', row, enrichment.ua_os)
    table.set('ua_device', row, enrichment.ua_device)
    table.set('robot', row, enrichment.robot)
    if (header.dropped.length > 0) table.set('dropped', row, header.dropped.map(droppedRow))
    return row
  }

  /** Writes the context; answers what does not fit (then nothing of it stays), or the unknown members. */
  context(row: number, ctx: Readonly<Record<string, unknown>>): ContextAnswer {
    let extra: Record<string, unknown> | undefined
    for (const name in ctx) {
      const value = ctx[name]
      if (BUILT_IN.has(name)) {
        if (!this.#builtIn(row, name, value)) return this.#undo(row, name, 'not a short string')
        continue
      }
      const known = this.#context.get(name)
      if (known === undefined) {
        if (nesting(value, limits.jsonDepthMax) > limits.jsonDepthMax) {
          return this.#undo(row, name, `nested deeper than ${limits.jsonDepthMax}`)
        }
        extra ??= {}
        extra[`ctx.${name}`] = value
        continue
      }
      const [columnName, field] = known
      const column = this.#table.column(columnName)
      column.truncate(row, row + 1)
      if (!column.putOne(value, row)) {
        return this.#undo(row, name, problemOf(field, value)?.message ?? 'does not fit')
      }
    }
    for (const names of this.#required) {
      if (!names.some((name) => Object.hasOwn(ctx, name))) {
        return this.#undo(row, names[0]!, 'a value is required')
      }
    }
    return extra === undefined ? NOTHING : { extra }
  }

  close(row: number, counts: BatchCounts): void {
    this.#table.set('status', row, counts.status)
    this.#table.set('landed', row, counts.landed)
    this.#table.set('quarantined', row, counts.quarantined)
    this.#table.set('missing', row, counts.missing)
    this.#table.set('event_to', row, counts.newest === undefined ? undefined : counts.newest / 1000)
    this.#table.set('types', row, counts.types)
  }

  #builtIn(row: number, name: string, value: unknown): boolean {
    if (value === null || value === undefined) return true
    if (typeof value !== 'string' || value.length > BUILT_IN_MAX || !value.isWellFormed())
      return false
    this.#table.set(name, row, value)
    return true
  }

  /** Leaves the context of the row null throughout. */
  #undo(row: number, field: string, message: string): ContextAnswer {
    for (const [column] of this.#context.values()) {
      this.#table.column(column).truncate(row, row + 1)
      this.#table.column(column).setNull(row)
    }
    return { problem: { field: `ctx.${field}`, message } }
  }
}

function contextNames(fields: Fields): Map<string, readonly [string, Field]> {
  const names = new Map<string, readonly [string, Field]>()
  for (const [name, field] of Object.entries(fields)) {
    names.set(name, [name, field])
    for (const old of field.was ?? []) names.set(old, [name, field])
  }
  return names
}

function droppedRow([reason, first, count]: readonly [string, number, number]): object {
  return { reason, first, count }
}
