/** Writes row sets to Parquet files that an Iceberg table can take over as they are. */
import path from 'node:path'
import type { DuckDBConnection } from '@duckdb/node-api'
import { assert } from '../../base/assert.ts'
import type { Files } from '../../base/files.ts'
import { type Random, uuid } from '../../base/random.ts'
import type { RowSet } from '../../columns/table.ts'
import type { DataFile } from '../../lake/lake.ts'
import type { IcebergField, IcebergType } from '../../spec/iceberg-type.ts'
import { duckdbType } from '../../spec/duckdb-type.ts'
import type { RowsFunction } from './rows-function.ts'
import { columnStatistics, type ReportedStatistics, type TextBoundsOf } from './statistics.ts'
import type { Enumerations } from './types.ts'
import { feedOf } from './vectors.ts'

/** What the tables of one epoch share. */
export interface EpochScope {
  readonly enumerations: Enumerations
  readonly textBounds: TextBoundsOf
}

export class ParquetWriter {
  readonly #connection: DuckDBConnection
  readonly #rows: RowsFunction
  readonly #files: Files
  readonly #random: Random

  constructor(connection: DuckDBConnection, rows: RowsFunction, files: Files, random: Random) {
    this.#connection = connection
    this.#rows = rows
    this.#files = files
    this.#random = random
  }

  /** Writes all rows to one new, fsynced file in `folder`. Rejects when DuckDB or the disk refuses. */
  async write(rows: RowSet, folder: string, day: number, scope: EpochScope): Promise<DataFile> {
    assert(rows.rows > 0, 'a file has rows')
    const file = path.join(folder, `${uuid(this.#random)}.parquet`)
    const feed = feedOf(rows, scope.enumerations)
    const reader = await this.#rows.offer(feed, (relation) =>
      this.#connection.runAndReadAll(copyStatement(rows.schema.fields, relation, file)),
    )
    const [report] = reader.getRowObjectsJson()
    assert(report !== undefined && Number(report['count']) === rows.rows, 'COPY wrote every row')
    await this.#files.sync(file)
    await this.#files.sync(folder)
    return {
      path: file,
      rows: rows.rows,
      bytes: Number(report['file_size_bytes']),
      day,
      columns: columnStatistics(rows.schema, reportOf(report), scope.textBounds.of(rows)),
    }
  }
}

/** How the values of a file are encoded. */
export interface Encoding {
  /** Level of zstd. */
  readonly level: number
  /** Distinct values above which a column has no dictionary; enumerations always have theirs. Undefined: as DuckDB has it. */
  readonly dictionaryMax?: number
  /** Rows of a row group. Undefined: as DuckDB has it (122,880). */
  readonly rowGroup?: number
}

/** Of files that are written once a second and merged soon: looking for dictionaries costs more than it saves. */
const FRESH: Encoding = { level: 1, dictionaryMax: 200 }

/** COPY of a relation with the schema's field ids. Decimals arrive wider than declared and are cast back. */
export function copyStatement(
  fields: readonly IcebergField[],
  relation: string,
  file: string,
  encoding: Encoding = FRESH,
): string {
  const columns = fields.map(({ name, type }) => {
    const column = identifier(name)
    return hasDecimal(type) ? `CAST(${column} AS ${duckdbType(type)}) AS ${column}` : column
  })
  const ids = fields.map(({ name, id, type }) => `${identifier(name)}: ${fieldIds(id, type)}`)
  const { level, dictionaryMax, rowGroup } = encoding
  const limit = dictionaryMax === undefined ? '' : `DICTIONARY_SIZE_LIMIT ${dictionaryMax}, `
  const group = rowGroup === undefined ? '' : `ROW_GROUP_SIZE ${rowGroup}, `
  return (
    `COPY (SELECT ${columns.join(', ')} FROM ${relation}) TO ${literal(file)} ` +
    `(FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL ${level}, ${limit}${group}FIELD_IDS {${ids.join(', ')}}, RETURN_STATS)`
  )
}

/** An SQL identifier; always quoted, since `at`, `row` and `position` are words of DuckDB's grammar. */
export function identifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

/** An SQL string literal. */
export function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`
}

function hasDecimal(type: IcebergType): boolean {
  if (typeof type === 'string') return type.startsWith('decimal')
  switch (type.type) {
    case 'struct':
      return type.fields.some((field) => hasDecimal(field.type))
    case 'list':
      return hasDecimal(type.element)
    case 'map':
      return hasDecimal(type.value)
  }
}

function fieldIds(id: number, type: IcebergType): string {
  if (typeof type === 'string') return String(id)
  const children = childIds(type).map(([name, child, childType]) => {
    return `${identifier(name)}: ${fieldIds(child, childType)}`
  })
  return `{__duckdb_field_id: ${id}, ${children.join(', ')}}`
}

function childIds(type: Exclude<IcebergType, string>): [string, number, IcebergType][] {
  switch (type.type) {
    case 'struct':
      return type.fields.map((field) => [field.name, field.id, field.type])
    case 'list':
      return [['element', type['element-id'], type.element]]
    case 'map':
      return [
        ['key', type['key-id'], type.key],
        ['value', type['value-id'], type.value],
      ]
  }
}

interface ReportedEntry {
  readonly key: string
  readonly value: readonly { readonly key: string; readonly value: string }[]
}

/** Column statistics of the row that RETURN_STATS gives, by the column's quoted path. */
export function reportOf(
  report: Readonly<Record<string, unknown>>,
): Map<string, ReportedStatistics> {
  const entries = report['column_statistics'] as readonly ReportedEntry[]
  return new Map(
    entries.map(({ key, value }) => [
      key,
      Object.fromEntries(value.map((item) => [item.key, item.value])),
    ]),
  )
}
