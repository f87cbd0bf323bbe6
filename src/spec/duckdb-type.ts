/** Iceberg types as DuckDB writes them in SQL. */
import type { IcebergField, IcebergType } from './iceberg-type.ts'

const PRIMITIVES: Readonly<Record<string, string>> = {
  boolean: 'BOOLEAN',
  int: 'INTEGER',
  long: 'BIGINT',
  float: 'FLOAT',
  double: 'DOUBLE',
  date: 'DATE',
  time: 'TIME',
  timestamp: 'TIMESTAMP',
  timestamptz: 'TIMESTAMP WITH TIME ZONE',
  timestamp_ns: 'TIMESTAMP_NS',
  string: 'VARCHAR',
  uuid: 'UUID',
  binary: 'BLOB',
}

/** SQL text of a type; throws for a type that no headwater table has. */
export function duckdbType(type: IcebergType): string {
  if (typeof type !== 'string') {
    switch (type.type) {
      case 'struct':
        return `STRUCT(${type.fields.map(memberType).join(', ')})`
      case 'list':
        return `${duckdbType(type.element)}[]`
      case 'map':
        return `MAP(${duckdbType(type.key)}, ${duckdbType(type.value)})`
    }
  }
  const decimal = /^decimal\((\d+), ?(\d+)\)$/.exec(type)
  if (decimal !== null) return `DECIMAL(${decimal[1]}, ${decimal[2]})`
  const name = type.startsWith('fixed[') ? 'BLOB' : PRIMITIVES[type]
  if (name === undefined) throw new Error(`headwater bug: no DuckDB type for ${type}`)
  return name
}

function memberType({ name, type }: IcebergField): string {
  return `"${name.replaceAll('"', '""')}" ${duckdbType(type)}`
}
