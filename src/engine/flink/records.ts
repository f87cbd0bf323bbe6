/** The records of Kafka's topics as tables: their columns and what tells copies apart (PROTOCOL.md §17). */
import { assert } from '../../base/assert.ts'
import { ENVELOPE } from '../../spec/envelope.ts'
import type { EventSpec, Fields, SpecSet } from '../../spec/field.ts'
import type { IcebergField, IcebergType, TableSchema } from '../../spec/iceberg-type.ts'
import { LEDGER, QUARANTINE } from '../../spec/system-tables.ts'

/** One kind of record. */
export interface RecordSource {
  /** Name of the topic after the prefix. */
  readonly name: string
  /** Topics of former names of the event type, after the prefix. */
  readonly former: readonly string[]
  readonly columns: readonly RecordColumn[]
}

/** A member of a record, typed as the column of the lake that its values go to. */
export interface RecordColumn {
  readonly name: string
  readonly type: IcebergType
}

/** Columns of an event table that are arrays at the top of a record: one value per event. */
export const PER_EVENT: ReadonlySet<string> = new Set([
  'event_time',
  'n',
  'within',
  'at',
  '_extra',
  'time_flag',
])

/** Chunks of an event type. */
export function eventRecords(event: EventSpec, specs: SpecSet, table: TableSchema): RecordSource {
  const envelope = ENVELOPE.map(({ name, type }) => ({
    name,
    type: PER_EVENT.has(name) ? listOf(type) : type,
  }))
  const cols = typesOf(event.fields, table).map(({ name, type }) => ({ name, type: listOf(type) }))
  return {
    name: `events.${event.name}`,
    former: (event.was ?? []).map((name) => `events.${name}`),
    columns: [
      { name: 'part', type: 'int' },
      ...envelope,
      ...struct('ctx', typesOf(specs.context.fields, table)),
      ...struct('cols', cols),
    ],
  }
}

/** Rows of the ledger. */
export function batchRecords(specs: SpecSet, table: TableSchema): RecordSource {
  return {
    name: 'batches',
    former: [],
    columns: [...LEDGER.map(columnOf), ...struct('ctx', typesOf(specs.context.fields, table))],
  }
}

/** Rows of the quarantine. */
export function quarantineRecords(): RecordSource {
  return {
    name: 'quarantine',
    former: [],
    columns: [{ name: 'i', type: 'int' }, ...QUARANTINE.map(columnOf)],
  }
}

function columnOf({ name, type }: IcebergField): RecordColumn {
  return { name, type }
}

/** Types of the specified fields as the table has them; removed fields are in no record. */
function typesOf(fields: Fields, table: TableSchema): RecordColumn[] {
  return Object.keys(fields).map((name) => {
    const field = table.fields.find((each) => each.name === name)
    assert(field !== undefined, `the table ${table.name} has ${name}`)
    return columnOf(field)
  })
}

/** A member that is an object; none where it would be empty. Ids are of no use in records. */
function struct(name: string, members: readonly RecordColumn[]): RecordColumn[] {
  if (members.length === 0) return []
  const fields = members.map((member) => ({ id: 0, required: false, ...member }))
  return [{ name, type: { type: 'struct', fields } }]
}

function listOf(element: IcebergType): IcebergType {
  return { type: 'list', 'element-id': 0, element, 'element-required': false }
}
