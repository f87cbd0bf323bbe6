/** DuckDB's logical types for the columns of a row set; strings become enumerations of their dictionary where that is cheaper. */
import duckdb, { type LogicalType } from '@duckdb/node-bindings'
import { assert, unreachable } from '../../base/assert.ts'
import { limits } from '../../base/limits.ts'
import type { Column, ListColumn, StructColumn } from '../../columns/column.ts'
import type { Dictionary } from '../../columns/dictionary.ts'
import { MapColumn } from '../../columns/column.ts'
import { StringColumn } from '../../columns/text-column.ts'

/**
 * A Parquet writer that is handed an enumeration writes the dictionary once and then only codes; handed strings, it hashes every row
 * again. An enumeration cannot hold U+0000 (its members travel as C strings), and its dictionary is one page, so that it must be bounded.
 */
export function asEnumeration(dictionary: Dictionary): boolean {
  return !dictionary.hasNul && dictionary.chars <= limits.dictionaryCharsMax
}

/** Enumeration types by dictionary, made once per epoch however many tables share them. */
export class Enumerations {
  readonly #types = new Map<Dictionary, LogicalType>()

  of(dictionary: Dictionary): LogicalType {
    let type = this.#types.get(dictionary)
    if (type === undefined) {
      type = enumeration(dictionary.values)
      this.#types.set(dictionary, type)
    }
    return type
  }
}

/** An enumeration of distinct strings; of none, one that holds the empty string, since DuckDB wants a member. */
export function enumeration(values: readonly string[]): LogicalType {
  return duckdb.create_enum_type(values.length === 0 ? [''] : values)
}

export const VARCHAR: LogicalType = duckdb.create_logical_type(duckdb.Type.VARCHAR)

/** The logical type of a column. `stringType` decides how a string column travels. */
export function logicalType(
  column: Column,
  stringType: (column: StringColumn) => LogicalType,
): LogicalType {
  switch (column.storage) {
    case 'boolean':
      return duckdb.create_logical_type(duckdb.Type.BOOLEAN)
    case 'int':
      return duckdb.create_logical_type(
        column.field.type.kind === 'date' ? duckdb.Type.DATE : duckdb.Type.INTEGER,
      )
    case 'long':
    case 'hugeint':
      return longType(column)
    case 'double':
      return duckdb.create_logical_type(duckdb.Type.DOUBLE)
    case 'string':
      assert(column instanceof StringColumn, 'string storage is a StringColumn')
      return stringType(column)
    case 'binary':
      return duckdb.create_logical_type(duckdb.Type.BLOB)
    case 'list':
      return listType(column as ListColumn, stringType)
    case 'struct': {
      const { names, members } = column as StructColumn
      const types = members.map((member) => logicalType(member, stringType))
      return duckdb.create_struct_type(types, names)
    }
    default:
      return unreachable(column.storage)
  }
}

function listType(
  column: ListColumn,
  stringType: (column: StringColumn) => LogicalType,
): LogicalType {
  if (!(column instanceof MapColumn)) {
    return duckdb.create_list_type(logicalType(column.element, stringType))
  }
  const [key, value] = (column.element as StructColumn).members
  return duckdb.create_map_type(logicalType(key!, stringType), logicalType(value!, stringType))
}

function longType({ field: { type } }: Column): LogicalType {
  switch (type.kind) {
    case 'timestamp':
      return duckdb.create_logical_type(duckdb.Type.TIMESTAMP_TZ)
    case 'decimal':
      // DuckDB keeps decimals of up to 4 and 9 digits in 16 and 32 bits; widened, all of them have one storage here.
      return duckdb.create_decimal_type(Math.max(type.precision, 10), type.scale)
    default:
      return duckdb.create_logical_type(duckdb.Type.BIGINT)
  }
}
