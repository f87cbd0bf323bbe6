/** The dialects of the landing pipeline: Flink's over its tables, DuckDB's over files of the same records. */
import { duckdbType } from '../../spec/duckdb-type.ts'
import type { IcebergType } from '../../spec/iceberg-type.ts'
import type { RecordSource } from './records.ts'
import type { Dialect } from './sql.ts'
import { flinkName, flinkType } from './types.ts'

/** Flink reads every type from JSON as it is in the table; a source is a table of its name. */
export const flinkDialect: Dialect = {
  name: flinkName,
  type: flinkType,
  records: ({ name }) => flinkName(name),
  decode: (_type, sql) => sql,
}

/** DuckDB over files of JSON lines, in their order. `filesOf` gives the paths of a source's files, at least one. */
export function duckdbDialect(filesOf: (source: RecordSource) => readonly string[]): Dialect {
  return {
    name: quoted,
    type: duckdbType,
    records: (source) => {
      const files = filesOf(source).map(literal).join(', ')
      const columns = source.columns.map(
        ({ name, type }) => `${quoted(name)}: ${literal(duckdbType(inJson(type)))}`,
      )
      const read = `read_json([${files}], format = 'newline_delimited', columns = {${columns.join(', ')}})`
      return `(SELECT *, ROW_NUMBER() OVER () AS "arrived" FROM ${read})`
    },
    decode: (type, sql) => decoded(type, sql),
  }
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`
}

/** The type that DuckDB reads from JSON: it takes bytes for text. */
function inJson(type: IcebergType): IcebergType {
  if (typeof type === 'string') return type === 'binary' ? 'string' : type
  switch (type.type) {
    case 'struct':
      return {
        ...type,
        fields: type.fields.map((field) => ({ ...field, type: inJson(field.type) })),
      }
    case 'list':
      return { ...type, element: inJson(type.element) }
    case 'map':
      return { ...type, value: inJson(type.value) }
  }
}

/** Turns base64 into bytes wherever a value has them. `depth` keeps the names of nested lambdas apart. */
function decoded(type: IcebergType, sql: string, depth = 0): string {
  if (!holdsBytes(type)) return sql
  if (typeof type === 'string') return `from_base64(${sql})`
  const each = `e${depth}`
  switch (type.type) {
    case 'struct': {
      const members = type.fields.map(({ name, type: member }) => {
        const value = decoded(member, `${sql}.${quoted(name)}`, depth)
        return `${quoted(name)}: ${value}`
      })
      return `CASE WHEN ${sql} IS NULL THEN NULL ELSE {${members.join(', ')}} END`
    }
    case 'list':
      return `list_transform(${sql}, lambda ${each}: ${decoded(type.element, each, depth + 1)})`
    case 'map': {
      const entry = `{key: ${each}.key, value: ${decoded(type.value, `${each}.value`, depth + 1)}}`
      return `map_from_entries(list_transform(map_entries(${sql}), lambda ${each}: ${entry}))`
    }
  }
}

function holdsBytes(type: IcebergType): boolean {
  if (typeof type === 'string') return type === 'binary'
  switch (type.type) {
    case 'struct':
      return type.fields.some((field) => holdsBytes(field.type))
    case 'list':
      return holdsBytes(type.element)
    case 'map':
      return holdsBytes(type.value)
  }
}
