/** How records become rows of every table: plain data that each engine's SQL is written from (PROTOCOL.md §17). */
import { ENVELOPE } from '../../spec/envelope.ts'
import type { EventSpec, Fields, SpecSet } from '../../spec/field.ts'
import type { IcebergType, TableSchema } from '../../spec/iceberg-type.ts'
import type { SpecLock } from '../../spec/lock.ts'
import { LEDGER, QUARANTINE } from '../../spec/system-tables.ts'
import { batchesTable, eventTable, quarantineTable } from '../../spec/tables.ts'
import {
  batchRecords,
  eventRecords,
  PER_EVENT,
  quarantineRecords,
  type RecordSource,
} from './records.ts'

/** Rows out of records or other rows. */
export type Rows =
  /** Every record of a topic, in the order of each key. */
  | { readonly kind: 'read'; readonly source: RecordSource }
  /** Of the rows that are equal in `by`: the first. */
  | { readonly kind: 'first'; readonly input: Rows; readonly by: readonly string[] }
  /**
   * Adds `copy`, which counts the rows that are equal in `by` from 1, and `original`, the value of the column `of` in the first of
   * them.
   */
  | {
      readonly kind: 'copies'
      readonly input: Rows
      readonly by: readonly string[]
      readonly of: string
    }
  /** A row for each element of the list `list`, which is then `number`, and its place, from 1, `place`. */
  | { readonly kind: 'explode'; readonly input: Rows; readonly list: string }
  | { readonly kind: 'where'; readonly input: Rows; readonly test: Value }
  /** Exactly these columns. */
  | { readonly kind: 'project'; readonly input: Rows; readonly columns: readonly Projected[] }
  /** All rows of inputs that have the same columns. */
  | { readonly kind: 'union'; readonly inputs: readonly Rows[] }

export interface Projected {
  readonly name: string
  readonly type: IcebergType
  readonly value: Value
}

export type Value =
  /** A column, or a member of one. `type` undefined: it is as the engine has it, and not as records carry it. */
  | {
      readonly kind: 'column'
      readonly path: readonly string[]
      readonly type: IcebergType | undefined
    }
  /** The element at `place` of a list whose elements have `type`. */
  | { readonly kind: 'element'; readonly path: readonly string[]; readonly type: IcebergType }
  | { readonly kind: 'null'; readonly type: IcebergType }
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'integer'; readonly value: number; readonly type: 'int' | 'long' }
  | { readonly kind: 'equal' | 'differs'; readonly left: Value; readonly right: Value }
  | { readonly kind: 'absent' | 'present'; readonly of: Value }
  | {
      readonly kind: 'choose'
      readonly when: Value
      readonly yes: Value
      readonly no: Value
    }

/** Rows and the table that they go to. */
export interface Sink {
  readonly table: TableSchema
  readonly rows: Rows
}

/** Sinks that share what they read: they are planned together, and apart from the others. */
export interface Part {
  readonly name: string
  readonly sources: readonly RecordSource[]
  readonly sinks: readonly Sink[]
}

/** The landing of everything that a specification set names: a part for each event type, and one for ledger and quarantine. */
export function landingPipeline(specs: SpecSet, lock: SpecLock): readonly Part[] {
  const events = [...specs.events.values()].map((event) =>
    eventPart(event, specs, eventTable(event, specs, lock)),
  )
  return [...events, ledgerPart(specs, lock)]
}

const IDENTITY = ['boot', 'seq']

function eventPart(event: EventSpec, specs: SpecSet, table: TableSchema): Part {
  const source = eventRecords(event, specs, table)
  const chunks: Rows = {
    kind: 'first',
    input: { kind: 'read', source },
    by: [...IDENTITY, 'part'],
  }
  const rows: Rows = {
    kind: 'project',
    input: { kind: 'explode', input: chunks, list: 'n' },
    columns: table.fields.map(({ name, type }) => ({
      name,
      type,
      value: eventValue(name, type, event.fields, specs.context.fields),
    })),
  }
  return { name: event.name, sources: [source], sinks: [{ table, rows }] }
}

const ENVELOPE_NAMES: ReadonlySet<string> = new Set(ENVELOPE.map(({ name }) => name))

function eventValue(name: string, type: IcebergType, fields: Fields, context: Fields): Value {
  if (name === 'n') return { kind: 'column', path: ['number'], type: undefined }
  if (PER_EVENT.has(name)) return { kind: 'element', path: [name], type }
  if (ENVELOPE_NAMES.has(name)) return { kind: 'column', path: [name], type }
  if (Object.hasOwn(fields, name)) return { kind: 'element', path: ['cols', name], type }
  return contextValue(name, type, context)
}

/** A field of the context; a column that no specification knows any more is null. */
function contextValue(name: string, type: IcebergType, context: Fields): Value {
  return Object.hasOwn(context, name)
    ? { kind: 'column', path: ['ctx', name], type }
    : { kind: 'null', type }
}

function ledgerPart(specs: SpecSet, lock: SpecLock): Part {
  const batches = batchesTable(specs, lock)
  const quarantine = quarantineTable()
  const source = batchRecords(specs, batches)
  const held = quarantineRecords()
  const copies: Rows = {
    kind: 'copies',
    input: { kind: 'read', source },
    by: IDENTITY,
    of: 'fingerprint',
  }
  return {
    name: 'batches',
    sources: [source, held],
    sinks: [
      { table: batches, rows: ledgerRows(copies, batches, specs) },
      { table: quarantine, rows: quarantineRows(copies, held, quarantine) },
    ],
  }
}

const FIRST: Value = {
  kind: 'equal',
  left: { kind: 'column', path: ['copy'], type: undefined },
  right: { kind: 'integer', value: 1, type: 'long' },
}
const SAME: Value = {
  kind: 'equal',
  left: { kind: 'column', path: ['fingerprint'], type: undefined },
  right: { kind: 'column', path: ['original'], type: undefined },
}
/** Never the first copy, whose fingerprint is the original. */
const CONFLICTS: Value = { ...SAME, kind: 'differs' }

/** The first copy of a batch as it is; later ones as duplicates, or as quarantined where they have other content. */
function ledgerRows(copies: Rows, table: TableSchema, specs: SpecSet): Rows {
  const own = new Set(LEDGER.map(({ name }) => name))
  return {
    kind: 'project',
    input: copies,
    columns: table.fields.map(({ name, type }) => ({
      name,
      type,
      value: own.has(name)
        ? ledgerValue(name, type)
        : contextValue(name, type, specs.context.fields),
    })),
  }
}

function ledgerValue(name: string, type: IcebergType): Value {
  const column: Value = { kind: 'column', path: [name], type }
  const zero: Value = { kind: 'integer', value: 0, type: 'int' }
  const ofCopies = (no: Value): Value => ({
    kind: 'choose',
    when: FIRST,
    yes: column,
    no,
  })
  switch (name) {
    case 'status':
      return ofCopies({
        kind: 'choose',
        when: SAME,
        yes: { kind: 'text', text: 'duplicate' },
        no: { kind: 'text', text: 'quarantined' },
      })
    case 'landed':
    case 'missing':
      return ofCopies(zero)
    case 'quarantined': {
      const count: Value = { kind: 'column', path: ['count'], type: 'int' }
      return ofCopies({ kind: 'choose', when: SAME, yes: zero, no: count })
    }
    case 'event_to':
    case 'types':
      return ofCopies({ kind: 'null', type })
    default:
      return column
  }
}

/** First copies of what is in quarantine, what no batch is known of, and batches that contradict a known one. */
function quarantineRows(copies: Rows, held: RecordSource, table: TableSchema): Rows {
  const read: Rows = { kind: 'read', source: held }
  const boot: Value = { kind: 'column', path: ['boot'], type: 'string' }
  const known: Rows = { kind: 'where', input: read, test: { kind: 'present', of: boot } }
  const columns = QUARANTINE.map(({ name, type }) => ({
    name,
    type,
    value: { kind: 'column', path: [name], type } as const,
  }))
  const inputs: Rows[] = [
    { kind: 'first', input: known, by: [...IDENTITY, 'i'] },
    { kind: 'where', input: read, test: { kind: 'absent', of: boot } },
  ]
  const conflicts: Rows = { kind: 'where', input: copies, test: CONFLICTS }
  return {
    kind: 'union',
    inputs: [
      ...inputs.map((input): Rows => ({ kind: 'project', input, columns })),
      {
        kind: 'project',
        input: conflicts,
        columns: table.fields.map(({ name, type }) => ({
          name,
          type,
          value: conflict(name, type),
        })),
      },
    ],
  }
}

/** The row of quarantine for a batch that contradicts a known one; its bytes are in no record. */
function conflict(name: string, type: IcebergType): Value {
  switch (name) {
    case 'received_at':
    case 'source':
    case 'sdk':
    case 'boot':
    case 'seq':
      return { kind: 'column', path: [name], type }
    case 'events':
      return { kind: 'column', path: ['count'], type }
    case 'reason':
      return { kind: 'text', text: 'batch_conflict' }
    case 'message':
      return { kind: 'text', text: 'another batch with other content has this (boot, seq)' }
    default:
      return { kind: 'null', type }
  }
}
