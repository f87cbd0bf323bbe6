/** Rows of one table in memory, one column per field of its schema. */
import { assert } from '../base/assert.ts'
import type { Field } from '../spec/field.ts'
import type { IcebergField, IcebergType, TableSchema } from '../spec/iceberg-type.ts'
import type { Column } from './column.ts'
import { columnFor } from './compile.ts'
import { StringColumn } from './text-column.ts'

/** Where the values of a table's column come from: the row itself, or the row of its batch. */
export interface ColumnSource {
  readonly column: Column
  /** True: read the column at the row's batch (`RowSet.batch`), since it is constant within one. */
  readonly ofBatch: boolean
}

/** What the engine writes to a file: the rows of one table and day. */
export interface RowSet {
  readonly schema: TableSchema
  /** Aligned with `schema.fields`. */
  readonly sources: readonly ColumnSource[]
  readonly rows: number
  /** Row → row of its batch; empty where no source is `ofBatch`. */
  readonly batch: Uint32Array
}

/** A table that headwater itself fills, row by row: the ledger and the quarantine. */
export class TableBuffer implements RowSet {
  readonly schema: TableSchema
  readonly sources: readonly ColumnSource[]
  readonly batch: Uint32Array = new Uint32Array(0)
  rows = 0
  #capacity = 0
  readonly #byName: ReadonlyMap<string, Column>

  /** `fields` gives the specification of columns that have one (context fields); the others follow from their type. */
  constructor(schema: TableSchema, fields: Readonly<Record<string, Field>> = {}) {
    this.schema = schema
    const columns = schema.fields.map((field) =>
      columnFor(Object.hasOwn(fields, field.name) ? fields[field.name]! : fieldOf(field)),
    )
    for (const column of columns) if (column instanceof StringColumn) column.keepCoded()
    this.sources = columns.map((column) => ({ column, ofBatch: false }))
    this.#byName = new Map(schema.fields.map((field, i) => [field.name, columns[i]!]))
  }

  column(name: string): Column {
    const column = this.#byName.get(name)
    assert(column !== undefined, `table ${this.schema.name} has a column ${name}`)
    return column
  }

  /** A column whose class is known. */
  typed<T extends Column>(name: string, type: new (...given: never[]) => T): T {
    const column = this.column(name)
    assert(column instanceof type, `${this.schema.name}.${name} is a ${type.name}`)
    return column
  }

  /** Starts a row and returns its number; every column is then written by `set` or left null. */
  startRow(): number {
    const row = this.addRow()
    for (const { column } of this.sources) column.setNull(row)
    return row
  }

  /** Starts a row whose every column the caller writes itself, null or not. */
  addRow(): number {
    const row = this.rows++
    if (this.rows > this.#capacity) {
      this.#capacity = Math.max(64, 2 ** Math.ceil(Math.log2(this.rows)))
      for (const { column } of this.sources) column.ensure(this.#capacity)
    }
    return row
  }

  /** Writes one value; the caller has made sure that it fits, and of a string that it is well formed. */
  set(name: string, row: number, value: unknown): void {
    if (value === null || value === undefined) return
    const column = this.column(name)
    column.truncate(row, row + 1)
    // What headwater keeps of others, such as the payload of a quarantined event, may be longer than one value of an event.
    if (typeof value === 'string' && column instanceof StringColumn) column.set(row, value)
    else if (!column.putOne(value, row)) {
      assert(false, `${this.schema.name}.${name} takes ${JSON.stringify(value)}`)
    }
  }

  reset(): void {
    this.rows = 0
    for (const { column } of this.sources) column.reset()
  }
}

/** The field that a column of `type` would have been declared with, for columns that no specification declares. */
export function fieldOf(field: Pick<IcebergField, 'type' | 'required'>): Field {
  return { type: fieldTypeOf(field.type), optional: !field.required }
}

function fieldTypeOf(type: IcebergType): Field['type'] {
  if (typeof type !== 'string') {
    switch (type.type) {
      case 'struct':
        return {
          kind: 'struct',
          fields: Object.fromEntries(type.fields.map((member) => [member.name, fieldOf(member)])),
        }
      case 'list':
        return {
          kind: 'list',
          element: fieldOf({ type: type.element, required: type['element-required'] }),
        }
      case 'map':
        return {
          kind: 'map',
          value: fieldOf({ type: type.value, required: type['value-required'] }),
        }
    }
  }
  const decimal = /^decimal\((\d+), ?(\d+)\)$/.exec(type)
  if (decimal !== null) {
    return { kind: 'decimal', precision: Number(decimal[1]), scale: Number(decimal[2]) }
  }
  switch (type) {
    case 'boolean':
    case 'int':
    case 'long':
    case 'double':
    case 'string':
    case 'date':
    case 'binary':
      return { kind: type }
    case 'timestamptz':
      return { kind: 'timestamp' }
  }
  throw new Error(`headwater bug: no field kind for the Iceberg type ${type}`)
}
