/** The values that a column holds, as plain data, whatever its storage. */
import type {
  BinaryColumn,
  BooleanColumn,
  Column,
  DoubleColumn,
  IntColumn,
  ListColumn,
  LongColumn,
  StructColumn,
} from '../../src/columns/column.ts'
import type { HugeDecimalColumn } from '../../src/columns/number-column.ts'
import type { RowSet } from '../../src/columns/table.ts'
import type { StringColumn } from '../../src/columns/text-column.ts'

export function valueAt(column: Column, row: number): unknown {
  if (column.isNull(row)) return null
  switch (column.storage) {
    case 'boolean':
      return (column as BooleanColumn).data[row] === 1
    case 'int':
      return (column as IntColumn).data[row]
    case 'double':
      return (column as DoubleColumn).data[row]
    case 'long':
      return [...(column as LongColumn).data.subarray(row * 2, row * 2 + 2)]
    case 'hugeint':
      return [...(column as HugeDecimalColumn).data.subarray(row * 2, row * 2 + 2)].map(String)
    case 'string': {
      const { texts, dictionary, data } = column as StringColumn
      if (texts === undefined) return dictionary.values[data[row]!]
      return texts.bytes.toString('utf8', texts.starts[row], texts.ends[row])
    }
    case 'binary':
      return Buffer.from((column as BinaryColumn).data[row]!).toString('hex')
    case 'list': {
      const { element, offsets, lengths } = column as ListColumn
      return Array.from({ length: lengths[row]! }, (_, i) => valueAt(element, offsets[row]! + i))
    }
    case 'struct':
      return (column as StructColumn).members.map((member) => valueAt(member, row))
  }
}

/** All rows of a row set, with the values of their batch. */
export function rowsOf(set: RowSet): unknown[] {
  return Array.from({ length: set.rows }, (_, row) =>
    set.sources.map(({ column, ofBatch }) => valueAt(column, ofBatch ? set.batch[row]! : row)),
  )
}
