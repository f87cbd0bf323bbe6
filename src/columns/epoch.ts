/** Everything that one lake commit will hold: event rows, ledger and quarantine of a slice of the log. */
import type { EventSpec, SpecSet } from '../spec/field.ts'
import type { TableSchema } from '../spec/iceberg-type.ts'
import { EventTable, type FileCount } from './events.ts'
import { TableBuffer } from './table.ts'

/** The schemas that an epoch fills. */
export interface Schemas {
  readonly specs: SpecSet
  readonly events: ReadonlyMap<string, TableSchema>
  readonly batches: TableSchema
  readonly quarantine: TableSchema
}

/** The rows of batches received on one day, so that ledger and quarantine make one file each. */
export class Epoch {
  readonly batches: TableBuffer
  readonly quarantine: TableBuffer
  /** Day of `received`, days since 1970; undefined while empty. */
  day: number | undefined
  /** Rows over all tables. */
  rows = 0
  /** Frames that the epoch covers, rows or not. */
  frames = 0
  /** Offset after the last durable frame that the epoch covers. */
  end = 0
  /** Settles after every frame of the epoch is durable, or will never be. */
  settled: Promise<unknown> = Promise.resolve()
  /** Wall clock when the first row came in, ms since 1970. */
  opened = 0
  readonly #schemas: Schemas
  readonly #tables = new Map<string, EventTable>()
  readonly #opened: FileCount = { files: 0, late: 0 }

  constructor(schemas: Schemas) {
    this.#schemas = schemas
    this.batches = new TableBuffer(schemas.batches, schemas.specs.context.fields)
    this.quarantine = new TableBuffer(schemas.quarantine)
  }

  /** Tables that have been used, by event type. */
  get tables(): ReadonlyMap<string, EventTable> {
    return this.#tables
  }

  /** The table of an event type, made at its first event: declared but unused types cost nothing. */
  table(name: string): EventTable | undefined {
    const known = this.#tables.get(name)
    if (known !== undefined) return known
    const spec: EventSpec | undefined = this.#schemas.specs.events.get(name)
    const schema = this.#schemas.events.get(name)
    if (spec === undefined || schema === undefined) return undefined
    const made = new EventTable(spec, schema, this.batches, this.#opened)
    this.#tables.set(name, made)
    return made
  }

  /** Files that the epoch will become: one for each day of each table. */
  get files(): number {
    return 2 + this.#opened.files
  }

  /** Those of days far from the receipt. */
  get lateFiles(): number {
    return this.#opened.late
  }

  /** Tables that have rows; the ledger, which every batch has a row of, is not said. */
  *filled(): Iterable<string> {
    for (const [name, { days }] of this.#tables) if (days.size > 0) yield name
    if (this.quarantine.rows > 0) yield this.quarantine.schema.name
  }

  get empty(): boolean {
    return this.frames === 0
  }

  /** Empties the epoch and keeps its memory for the next one. */
  reset(): void {
    this.batches.reset()
    this.quarantine.reset()
    for (const table of this.#tables.values()) table.reset()
    this.day = undefined
    this.rows = 0
    this.frames = 0
    this.opened = 0
    this.#opened.files = 0
    this.#opened.late = 0
  }
}
