/** Gives the tables that a query names to DuckDB: as views of exactly the files that a state of the lake names and the query needs. */
import type { DuckDBConnection } from '@duckdb/node-api'
import { error, HeadwaterError } from '../../base/errors.ts'
import type { Lake, LakeState } from '../../lake/lake.ts'
import { currentSchema, currentSnapshot, type Schema, type Snapshot } from '../../lake/metadata.ts'
import { mayFit, mayMatch, type Predicate, rangeOf } from '../../lake/predicate.ts'
import type { TableReading } from '../../lake/reading.ts'
import type { ScanCounts } from '../../lake/scan.ts'
import { ENVELOPE } from '../../spec/envelope.ts'
import type { IcebergField } from '../../spec/iceberg-type.ts'
import { claimOf, claimsIn } from '../claims.ts'
import { changesOf } from './changes.ts'
import { Constants } from './conditions.ts'
import type { Footers } from './footers.ts'
import { METADATA_TABLES, metadataTable, selectFrom } from './metadata-tables.ts'
import { nearest } from './nearest.ts'
import { identifier, literal } from './parquet.ts'
import { columnType } from './projection.ts'
import type { Wish } from './query-tree.ts'
import { Relations } from './relations.ts'
import { findSnapshot, timeOf } from './snapshots.ts'
import type { Reference, When } from './time-travel.ts'

/** Tables that headwater fills itself; every other one is an event type. */
const SYSTEM_TABLES: ReadonlySet<string> = new Set(['batches', 'quarantine'])

/** The union of all event types. */
export const EVENTS = 'events'

/** How one table of a query is read. */
export interface TablePlan {
  readonly table: string
  /** Undefined: the table has no snapshot. */
  readonly snapshot: Snapshot | undefined
  readonly files: number
  readonly rows: number
  readonly counts: ScanCounts
}

/** What a name in a query stands for. */
export type Target =
  | { readonly kind: 'table'; readonly reading: TableReading }
  | { readonly kind: 'metadata'; readonly reading: TableReading; readonly name: string }
  | { readonly kind: 'events' }

/** How a name is used: at which time, and what is asked of the rows. */
export interface TableUse {
  readonly reference: Reference | undefined
  readonly when: When | undefined
  readonly wish: Wish | undefined
}

export class QueryTables {
  readonly plans: TablePlan[] = []
  readonly #connection: DuckDBConnection
  readonly #lake: Lake
  readonly #state: LakeState
  readonly #relations: Relations
  readonly #constants: Constants

  constructor(connection: DuckDBConnection, footers: Footers, lake: Lake, state: LakeState) {
    this.#connection = connection
    this.#lake = lake
    this.#state = state
    this.#relations = new Relations(connection, footers)
    this.#constants = new Constants(connection)
  }

  /** What a name stands for; undefined: nothing in the lake. Throws HeadwaterError when it cannot be read. */
  async target(parts: readonly string[]): Promise<Target | undefined> {
    const last = parts.at(-1)!.toLowerCase()
    const table = await this.#reading(parts)
    if (table !== undefined) return { kind: 'table', reading: table }
    if (parts.length === 1) return last === EVENTS ? { kind: 'events' } : undefined
    if (!METADATA_TABLES.has(last)) return undefined
    const of = await this.#reading(parts.slice(0, -1))
    return of && { kind: 'metadata', reading: of, name: last }
  }

  /** Top-level columns of what a name stands for. */
  fields(target: Target): readonly IcebergField[] {
    switch (target.kind) {
      case 'table':
        return currentSchema(target.reading.metadata).fields
      case 'events':
        return [TYPE, ...ENVELOPE]
      case 'metadata':
        return []
    }
  }

  /** Makes the view of a target under a name: `schema.name`, or `name` alone. */
  async create(
    view: { readonly schema: string | undefined; readonly name: string },
    target: Target,
    use: TableUse,
  ): Promise<void> {
    if (view.schema !== undefined) {
      await this.#connection.run(`CREATE SCHEMA IF NOT EXISTS ${identifier(view.schema)}`)
    }
    const name = [view.schema, view.name]
      .filter((part) => part !== undefined)
      .map(identifier)
      .join('.')
    const sql = await this.#sql(target, use)
    await this.#connection.run(`CREATE OR REPLACE VIEW ${name} AS ${sql}`)
  }

  async #sql(target: Target, { reference, when, wish }: TableUse): Promise<string> {
    if (reference?.changes !== undefined) {
      if (target.kind === 'table') {
        const { reading } = target
        return changesOf(reading.name, reading, reference.changes, this.#relations)
      }
      throw error(
        'query_failed',
        `changes() is of one table: ${reference.parts.join('.')} is none.`,
      )
    }
    switch (target.kind) {
      case 'table':
        return this.#table(target.reading, when, wish)
      case 'events':
        return this.#events(when, wish)
      case 'metadata':
        return this.#metadata(target, when)
    }
  }

  /** Live rows of one table. */
  async #table(
    reading: TableReading,
    when: When | undefined,
    wish: Wish | undefined,
    fields?: readonly IcebergField[],
  ): Promise<string> {
    const found = this.#find(reading, when)
    const { snapshot, schema, until } = found
    const asked = await this.#constants.predicate(wish, schema.fields)
    const predicate = both(asked, until)
    const scan = await reading.scan({ snapshot, schema, predicate })
    this.plans.push({
      table: reading.name,
      snapshot: scan.snapshot,
      files: scan.files.length,
      rows: scan.files.reduce((sum, { rows }) => sum + rows, 0),
      counts: scan.counts,
    })
    const rows = await this.#relations.rows(reading, scan.files, fields ?? schema.fields)
    if (until === undefined) return rows
    const column = schema.fields.find(({ id }) => id === until.fieldId)!
    return `SELECT * FROM (${rows}) WHERE ${identifier(column.name)} <= make_timestamptz(${until.value}::BIGINT)`
  }

  /** The snapshot that is read, with which schema, and up to which time. */
  #find(reading: TableReading, when: When | undefined): Moment {
    const { metadata, name } = reading
    const schema = currentSchema(metadata)
    if (when === undefined) return { snapshot: currentSnapshot(metadata), schema }
    if (when.kind === 'complete') {
      return {
        snapshot: currentSnapshot(metadata),
        schema,
        until: { kind: '<=', ...this.#completeUntil(reading, schema, when.share) },
      }
    }
    const { snapshot, current } = findSnapshot(name, metadata, when)
    return { snapshot, schema: current ? schema : reading.schemaOf(snapshot) }
  }

  /** The column and the time, µs, up to which a table is complete. Throws HeadwaterError `snapshot_unknown`. */
  #completeUntil(
    { metadata, name }: TableReading,
    schema: Schema,
    share: number | undefined,
  ): { readonly fieldId: number; readonly value: bigint } {
    const column = schema.fields.find((field) => field.name === 'event_time')
    const claim = claimOf(this.#state, name)
    const own = metadata['table-uuid'] === this.#state.tables.get(name)?.uuid
    if (column === undefined || claim === undefined || !own) {
      throw error('snapshot_unknown', `No snapshot of ${name} says how complete it is.`)
    }
    let through = claim.validThrough
    if (share !== undefined && (claim.share ?? 1) < share) {
      const earlier = metadata.snapshots
        .map(({ summary }) => claimsIn(summary))
        .findLast((each) => each !== undefined && (each.share ?? 0) >= share)
      if (earlier === undefined) {
        const said = `${(claim.share ?? 0) * 100}%`
        throw error(
          'snapshot_unknown',
          `No snapshot of ${name} is ${share * 100}% complete; the newest is ${said}.`,
        )
      }
      through = Math.min(through, earlier.validThrough)
    }
    return { fieldId: column.id, value: BigInt(through) * 1000n }
  }

  /** Envelopes of all event types, and the name of the type. */
  async #events(when: When | undefined, wish: Wish | undefined): Promise<string> {
    const types = [...this.#state.tables.keys()].filter((name) => !SYSTEM_TABLES.has(name)).sort()
    const columns = [TYPE, ...ENVELOPE]
    const names = ENVELOPE.map(({ name }) => identifier(name)).join(', ')
    const wanted = await this.#constants.predicate(wish, columns)
    const parts: string[] = []
    for (const type of types) {
      if (!mayBeType(wanted, type)) continue
      const reading = await this.#reading([type])
      if (reading === undefined || !this.#existed(reading, when)) continue
      const known = currentSchema(reading.metadata).fields
      const envelope = ENVELOPE.map((field) => known.find(({ id }) => id === field.id) ?? field)
      const rows = await this.#table(reading, when, withoutType(wish), envelope)
      parts.push(`SELECT ${literal(type)} AS "type", ${names} FROM (${rows})`)
    }
    const none = columns.map(
      ({ name, type }) => `CAST(NULL AS ${columnType(type)}) AS ${identifier(name)}`,
    )
    return parts.length === 0 ? `SELECT ${none.join(', ')} WHERE false` : parts.join(' UNION ALL ')
  }

  /** Whether there was a table of an event type at a time; one that claims nothing is not known to be complete. */
  #existed(reading: TableReading, when: When | undefined): boolean {
    switch (when?.kind) {
      case undefined:
      case 'version':
        return true
      case 'complete':
        return claimOf(this.#state, reading.name) !== undefined
      case 'timestamp': {
        const time = timeOf(when.value)
        return reading.metadata['snapshot-log'].some((entry) => entry['timestamp-ms'] <= time)
      }
    }
  }

  async #metadata(
    { reading, name }: Extract<Target, { kind: 'metadata' }>,
    when: When | undefined,
  ): Promise<string> {
    const { snapshot } = this.#find(reading, when?.kind === 'complete' ? undefined : when)
    const made = await metadataTable(name, reading, snapshot)
    return selectFrom(await this.#relations.table(made.columns, made.rows), made)
  }

  /** A table by its name, in any case: of the lake's own namespace, or with its namespace before it. */
  async #reading(parts: readonly string[]): Promise<TableReading | undefined> {
    const wanted = parts.join('.').toLowerCase()
    const own = [...this.#state.tables.keys()].find((name) => name.toLowerCase() === wanted)
    const other = this.#lake.otherTables(this.#state).find((name) => name.toLowerCase() === wanted)
    const name = own ?? other
    if (name === undefined) return undefined
    const dot = own === undefined ? name.lastIndexOf('.') : -1
    const namespace = dot === -1 ? undefined : name.slice(0, dot)
    const found = await this.#lake.reading(this.#state, name.slice(dot + 1), namespace)
    if (!found.ok) throw found.error
    return found.value
  }

  /** What to say of a name that stands for nothing. */
  unknown(parts: readonly string[]): string {
    const written = parts.join('.')
    const own = [...this.#state.tables.keys()]
    const all = [...own, ...this.#lake.otherTables(this.#state)]
    if (all.length === 0) {
      return `There is no table ${written}, nor any other before \`headwater dev\` ran once.`
    }
    const near = nearest(written, [...all, EVENTS])
    const hint = near.length === 0 ? '' : ` Did you mean ${near.join(', ')}?`
    return `There is no table ${written}.${hint}`
  }

  /** `at` as it holds for all tables: a snapshot of one of them stands for its time in the others. */
  async settle(at: When, targets: readonly Target[]): Promise<When> {
    if (at.kind !== 'version') return at
    const tables = targets.flatMap((target) => ('reading' in target ? [target.reading] : []))
    for (const { metadata, name } of tables) {
      try {
        const { snapshot } = findSnapshot(name, metadata, at)
        const others = tables.some((each) => each.metadata !== metadata)
        if (!others && !targets.some(({ kind }) => kind === 'events')) return at
        return { kind: 'timestamp', value: String(snapshot['timestamp-ms']) }
      } catch (cause) {
        if (!(cause instanceof HeadwaterError)) throw cause
      }
    }
    return at
  }
}

interface Moment {
  readonly snapshot: Snapshot | undefined
  readonly schema: Schema
  readonly until?: { readonly kind: '<='; readonly fieldId: number; readonly value: bigint }
}

/** The column of `events` that is no table's own. */
const TYPE: IcebergField = { id: -1, name: 'type', required: true, type: 'string' }

function both(a: Predicate | undefined, b: Predicate | undefined): Predicate | undefined {
  return a === undefined || b === undefined ? (a ?? b) : { kind: 'all', of: [a, b] }
}

/** Whether rows of an event type may be wanted. */
function mayBeType(predicate: Predicate | undefined, type: string): boolean {
  if (predicate === undefined) return true
  const range = rangeOf(type, type, { nulls: false, values: true, nans: false })
  return mayMatch(
    predicate,
    (condition) => condition.fieldId !== TYPE.id || mayFit(condition, range),
  )
}

/** A wish for the columns that tables have: what is asked of the type may hold. */
function withoutType(wish: Wish | undefined): Wish | undefined {
  if (wish === undefined) return undefined
  if (!('of' in wish)) return wish.column[0]!.toLowerCase() === TYPE.name ? undefined : wish
  const of = wish.of.map(withoutType)
  const known = of.filter((each) => each !== undefined)
  if (known.length === 0 || (wish.kind === 'any' && known.length < of.length)) return undefined
  return { kind: wish.kind, of: known }
}
