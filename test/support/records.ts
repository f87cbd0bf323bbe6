/** A reader of records (PROTOCOL.md §17), apart from the code that writes them: records → rows of tables, values as DuckDB shows them. */
import type { StreamRecord } from '../../src/log/records.ts'
import type { IcebergField, IcebergType, TableSchema } from '../../src/spec/iceberg-type.ts'

export type Row = Readonly<Record<string, unknown>>
type Members = Readonly<Record<string, unknown>>

/** The JSON of a record. */
export function read(record: Pick<StreamRecord, 'value'>): Members {
  return JSON.parse(record.value.toString('utf8')) as Members
}

/** Rows of an event table out of one record. */
export function eventRows(value: Members, schema: TableSchema): Row[] {
  const cols = value['cols'] as Members
  const ctx = value['ctx'] as Members
  return Array.from({ length: value['rows'] as number }, (_, i) =>
    rowOf(schema, ({ name }) => {
      const array = Object.hasOwn(cols, name) ? cols[name] : value[name]
      if (Array.isArray(array)) return array[i]
      return Object.hasOwn(ctx, name) ? ctx[name] : array
    }),
  )
}

/** The row of the ledger, or of the quarantine. */
export function systemRow(value: Members, schema: TableSchema): Row {
  const ctx = (value['ctx'] ?? {}) as Members
  return rowOf(schema, ({ name }) => (Object.hasOwn(ctx, name) ? ctx[name] : value[name]))
}

function rowOf(schema: TableSchema, value: (field: IcebergField) => unknown): Row {
  return Object.fromEntries(
    schema.fields.map((field) => [field.name, shown(field.type, value(field))]),
  )
}

/** A value of a record as DuckDB shows it in JSON. */
function shown(type: IcebergType, value: unknown): unknown {
  if (value === null || value === undefined) return null
  if (typeof type === 'string') return shownScalar(type, value)
  switch (type.type) {
    case 'list':
      return (value as unknown[]).map((item) => shown(type.element, item))
    case 'map':
      return Object.entries(value).map(([key, item]) => ({ key, value: shown(type.value, item) }))
    case 'struct':
      return Object.fromEntries(
        type.fields.map((member) => [
          member.name,
          shown(member.type, (value as Members)[member.name]),
        ]),
      )
  }
}

function shownScalar(type: string, value: unknown): unknown {
  switch (type) {
    case 'long':
      return String(value)
    case 'timestamptz':
      return timestampShown(value as string)
    case 'binary':
      return blobShown(Buffer.from(value as string, 'base64'))
    case 'double':
      return (value as number) + 0
    default:
      return value
  }
}

function timestampShown(text: string): string {
  const parts = /^(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)\.(\d{6})Z$/.exec(text)
  if (parts === null) throw new Error(`${text} is no timestamp of a record`)
  const [, day, time, micros] = parts
  const fraction = micros!.replace(/0+$/, '')
  return `${day} ${time}${fraction === '' ? '' : `.${fraction}`}+00`
}

/** As the binding writes it: a backslash of the value is not told from one of an escape. */
function blobShown(bytes: Buffer): string {
  return Array.from(bytes, (byte) => {
    const character = String.fromCharCode(byte)
    if (byte >= 32 && byte <= 126 && !`'"`.includes(character)) return character
    return String.raw`\x` + byte.toString(16).toUpperCase().padStart(2, '0')
  }).join('')
}
