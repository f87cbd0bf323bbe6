/** Writes rows as a query: one writer for every engine, which asks a dialect where they differ. */
import { unreachable } from '../../base/assert.ts'
import type { IcebergType } from '../../spec/iceberg-type.ts'
import type { Rows, Value } from './pipeline.ts'
import type { RecordSource } from './records.ts'

/** What engines write differently. */
export interface Dialect {
  /** A name in the engine's quotation marks. */
  name(name: string): string
  type(type: IcebergType): string
  /** What stands after FROM for the records of a source; it has a column `arrived`, by which copies are ordered. */
  records(source: RecordSource): string
  /** A value of `type`, as the engine reads it from a record, in the form that the table has. */
  decode(type: IcebergType, sql: string): string
}

/** The query that gives `rows`. */
export function querySql(dialect: Dialect, rows: Rows): string {
  switch (rows.kind) {
    case 'read':
    case 'explode':
    case 'where':
      return `SELECT *\n${fromSql(dialect, rows)}`
    case 'first': {
      const by = names(dialect, rows.by)
      const number = `ROW_NUMBER() OVER (PARTITION BY ${by} ORDER BY ${dialect.name('arrived')})`
      const copy = dialect.name('copy')
      const numbered = `SELECT *, ${number} AS ${copy}\n${fromSql(dialect, rows.input)}`
      return `SELECT *\nFROM (\n${indented(numbered)}\n)\nWHERE ${copy} = 1`
    }
    case 'copies': {
      const order = `PARTITION BY ${names(dialect, rows.by)} ORDER BY ${dialect.name('arrived')}`
      const copy = `COUNT(*) OVER so_far AS ${dialect.name('copy')}`
      const original = `FIRST_VALUE(${dialect.name(rows.of)}) OVER so_far AS ${dialect.name('original')}`
      const window = `WINDOW so_far AS (${order} ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)`
      return `SELECT *, ${copy}, ${original}\n${fromSql(dialect, rows.input)}\n${window}`
    }
    case 'project': {
      const columns = rows.columns.map(
        ({ name, value }) => `  ${valueSql(dialect, value)} AS ${dialect.name(name)}`,
      )
      return `SELECT\n${columns.join(',\n')}\n${fromSql(dialect, rows.input)}`
    }
    case 'union':
      return rows.inputs.map((input) => querySql(dialect, input)).join('\nUNION ALL\n')
    default:
      return unreachable(rows)
  }
}

/** What follows the columns of a query over `rows`. */
function fromSql(dialect: Dialect, rows: Rows): string {
  switch (rows.kind) {
    case 'read':
      return `FROM ${dialect.records(rows.source)}`
    case 'where':
      return `${fromSql(dialect, rows.input)}\nWHERE ${valueSql(dialect, rows.test)}`
    case 'explode': {
      const [number, place] = [dialect.name('number'), dialect.name('place')]
      const list = `UNNEST(chunk.${dialect.name(rows.list)}) WITH ORDINALITY AS event(${number}, ${place})`
      const chunks = indented(querySql(dialect, rows.input))
      return `FROM (\n${chunks}\n) AS chunk\nCROSS JOIN ${list}`
    }
    default:
      return `FROM (\n${indented(querySql(dialect, rows))}\n)`
  }
}

function valueSql(dialect: Dialect, value: Value): string {
  const of = (each: Value): string => valueSql(dialect, each)
  switch (value.kind) {
    case 'column': {
      const path = value.path.map((name) => dialect.name(name)).join('.')
      return value.type === undefined ? path : dialect.decode(value.type, path)
    }
    case 'element': {
      const path = value.path.map((name) => dialect.name(name)).join('.')
      return dialect.decode(value.type, `${path}[${dialect.name('place')}]`)
    }
    case 'null':
      return `CAST(NULL AS ${dialect.type(value.type)})`
    case 'text':
      return `'${value.text.replaceAll("'", "''")}'`
    case 'integer':
      return value.type === 'int' ? String(value.value) : `CAST(${value.value} AS BIGINT)`
    case 'equal':
      return `${of(value.left)} = ${of(value.right)}`
    case 'differs':
      return `${of(value.left)} <> ${of(value.right)}`
    case 'absent':
      return `${of(value.of)} IS NULL`
    case 'present':
      return `${of(value.of)} IS NOT NULL`
    case 'choose':
      return `CASE WHEN ${of(value.when)} THEN ${of(value.yes)} ELSE ${of(value.no)} END`
    default:
      return unreachable(value)
  }
}

function names(dialect: Dialect, list: readonly string[]): string {
  return list.map((name) => dialect.name(name)).join(', ')
}

function indented(sql: string): string {
  return sql
    .split('\n')
    .map((line) => `  ${line}`)
    .join('\n')
}
