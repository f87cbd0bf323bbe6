/** Values of Iceberg's types as DuckDB writes them in SQL: partition values, and the defaults of columns. */
import type { Bound } from '../../lake/lake.ts'
import { duckdbType } from '../../spec/duckdb-type.ts'
import type { IcebergType } from '../../spec/iceberg-type.ts'
import { decimalText } from '../../spec/values.ts'
import { literal } from './parquet.ts'
import { hexText } from './value-text.ts'

/** SQL of a value as bounds are held; undefined for a type that has none. */
export function boundSql(type: string, value: Bound): string | undefined {
  switch (type) {
    case 'boolean':
    case 'int':
    case 'long':
      return `CAST(${literal(String(value))} AS ${duckdbType(type)})`
    case 'float':
    case 'double':
      return `CAST(${literal(floatText(value as number))} AS ${duckdbType(type)})`
    case 'date':
      return `(DATE '1970-01-01' + CAST(${Number(value)} AS INTEGER))`
    case 'time':
      return `(TIME '00:00:00' + to_microseconds(${String(value)}))`
    case 'timestamp':
      return `make_timestamp(${String(value)}::BIGINT)`
    case 'timestamptz':
      return `make_timestamptz(${String(value)}::BIGINT)`
    case 'timestamp_ns':
      return `make_timestamp_ns(${String(value)}::BIGINT)`
    case 'string':
      return literal(value as string)
    case 'uuid':
      return `CAST(from_hex('${hexText(value as Uint8Array)}') AS UUID)`
    case 'binary':
      return `from_hex('${hexText(value as Uint8Array)}')`
  }
  if (type.startsWith('fixed[')) return `from_hex('${hexText(value as Uint8Array)}')`
  const scale = /^decimal\(\d+, ?(\d+)\)$/.exec(type)?.[1]
  if (scale === undefined) return undefined
  return `CAST('${decimalText(value as bigint, Number(scale))}' AS ${duckdbType(type)})`
}

function floatText(value: number): string {
  if (Number.isNaN(value)) return 'nan'
  if (Number.isFinite(value)) return Object.is(value, -0) ? '-0.0' : String(value)
  return value > 0 ? 'inf' : '-inf'
}

/** SQL of a default in JSON (Iceberg spec, appendix D, "JSON single-value serialization"); undefined where it is none that we can write. */
export function defaultSql(type: IcebergType, value: unknown): string | undefined {
  if (value === null || value === undefined) return `CAST(NULL AS ${duckdbType(type)})`
  if (typeof type !== 'string') return undefined
  if (type === 'binary' || type.startsWith('fixed[')) {
    return typeof value === 'string' && /^([0-9a-f]{2})*$/i.test(value)
      ? `from_hex('${value}')`
      : undefined
  }
  switch (typeof value) {
    case 'string':
    case 'number':
    case 'bigint':
    case 'boolean':
      return `CAST(${literal(String(value))} AS ${duckdbType(type)})`
    default:
      return undefined
  }
}
