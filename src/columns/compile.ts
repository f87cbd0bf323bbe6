/** Makes the column for a field; the one switch from field kinds to storage. */
import { unreachable } from '../base/assert.ts'
import { limits } from '../base/limits.ts'
import type { Field } from '../spec/field.ts'
import {
  BinaryColumn,
  BooleanColumn,
  type Column,
  DoubleColumn,
  IntColumn,
  ListColumn,
  LongColumn,
  MapColumn,
  StructColumn,
} from './column.ts'
import { DateColumn, DecimalColumn, HugeDecimalColumn, TimestampColumn } from './number-column.ts'
import { EnumColumn, JsonColumn, StringColumn } from './text-column.ts'

const MAP_KEY: Field = { type: { kind: 'string' }, optional: false }

/** A new, empty column that takes exactly the values of `field`. */
export function columnFor(field: Field): Column {
  const { type } = field
  switch (type.kind) {
    case 'boolean':
      return new BooleanColumn(field)
    case 'int':
      return new IntColumn(field)
    case 'long':
      return new LongColumn(field)
    case 'double':
      return new DoubleColumn(field)
    case 'decimal':
      return type.precision <= 18
        ? new DecimalColumn(field, type.precision, type.scale)
        : new HugeDecimalColumn(field, type.precision, type.scale)
    case 'string':
      return new StringColumn(field)
    case 'enum':
      return new EnumColumn(field, type.values)
    case 'date':
      return new DateColumn(field)
    case 'timestamp':
      return new TimestampColumn(field)
    case 'binary':
      return new BinaryColumn(field)
    case 'json':
      return new JsonColumn(field)
    case 'list':
      return new ListColumn(field, columnFor(type.element), limits.listElementsMax)
    case 'map': {
      const members = [
        ['key', columnFor(MAP_KEY)] as const,
        ['value', columnFor(type.value)] as const,
      ]
      return new MapColumn(
        field,
        new StructColumn(entryField(type.value), members),
        limits.listElementsMax,
      )
    }
    case 'struct': {
      const members = Object.entries(type.fields).map(
        ([name, member]) => [name, columnFor(member)] as const,
      )
      return new StructColumn(field, members)
    }
    default:
      return unreachable(type)
  }
}

function entryField(value: Field): Field {
  return { type: { kind: 'struct', fields: { key: MAP_KEY, value } }, optional: false }
}
