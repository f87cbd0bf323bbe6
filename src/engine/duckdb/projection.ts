/** Reads Parquet files as a schema wants them: every column and member found by field id, whatever it was called when it was written. */
import type { DuckDBConnection } from '@duckdb/node-api'
import { error, HeadwaterError } from '../../base/errors.ts'
import type { Bound } from '../../lake/lake.ts'
import { duckdbType } from '../../spec/duckdb-type.ts'
import type { IcebergField, IcebergType } from '../../spec/iceberg-type.ts'
import {
  childrenById,
  elementOf,
  entryOf,
  Footers,
  type ParquetNode,
  type Shape,
} from './footers.ts'
import { boundSql, defaultSql } from './literals.ts'
import { mapped, type NameMapping, withoutIds } from './name-mapping.ts'
import { identifier, literal } from './parquet.ts'

/** Names of the columns that come beside those of the schema: the file's path, and the row's position in it. */
export const FILE_COLUMN = '__headwater_file'
export const ROW_COLUMN = '__headwater_row'

/** A local file, and the values of columns that are in its partition rather than in it, by field id. */
export interface SourceFile {
  readonly path: string
  readonly constants?: ReadonlyMap<number, Bound | null>
}

/** A column of a relation: a field, under a name. */
export interface Target {
  readonly field: IcebergField
  readonly as: string
}

/** SQL of all rows of local files with the columns of `fields`. Rejects when a file cannot be read, or has no field ids. */
export function relationOf(
  connection: DuckDBConnection,
  files: readonly string[],
  fields: readonly IcebergField[],
): Promise<string> {
  const targets = fields.map((field) => ({ field, as: field.name }))
  const sources = files.map((path) => ({ path }))
  return new Projection(connection, new Footers(), undefined).relation(sources, targets)
}

export class Projection {
  readonly #connection: DuckDBConnection
  readonly #footers: Footers
  readonly #mapping: NameMapping | undefined

  constructor(connection: DuckDBConnection, footers: Footers, mapping: NameMapping | undefined) {
    this.#connection = connection
    this.#footers = footers
    this.#mapping = mapping
  }

  /** SQL of all rows of files, with `FILE_COLUMN` and `ROW_COLUMN`. Rejects when a file cannot be read, or has no field ids. */
  async relation(files: readonly SourceFile[], targets: readonly Target[]): Promise<string> {
    const byPath = new Map(files.map((file) => [file.path, file]))
    const shapes = await this.#footers.shapes(this.#connection, [...byPath.keys()])
    const arms = shapes.map((shape) => arm(this.#withIds(shape), byPath, targets))
    return arms.join(' UNION ALL ')
  }

  #withIds(shape: Shape): Shape {
    if (!withoutIds(shape.tree)) return shape
    if (this.#mapping === undefined) {
      throw error(
        'unsupported',
        `${shape.files[0]} has no field ids, and its table no name mapping.`,
      )
    }
    return { ...shape, tree: mapped(shape.tree, this.#mapping) }
  }
}

/** All rows of files of one schema. */
function arm(
  { tree, files }: Shape,
  sources: ReadonlyMap<string, SourceFile>,
  targets: readonly Target[],
): string {
  const byId = childrenById(tree)
  const constants: IcebergField[] = []
  const columns = targets.map(({ field, as }) => {
    const node = byId.get(field.id)
    const value = node === undefined ? missing(field) : readable(node, field)
    return `${value} AS ${identifier(as)}`

    /** A column that is not in the file: its partition has it, or the default it was added with. */
    function missing(absent: IcebergField): string {
      const known = files.some((file) => sources.get(file)?.constants?.has(absent.id) === true)
      if (!known || typeof absent.type !== 'string') return defaultOf(absent)
      if (!constants.includes(absent)) constants.push(absent)
      return `CAST(p.${identifier(`c${absent.id}`)} AS ${columnType(absent.type)})`
    }
  })
  const list = files.map(literal).join(', ')
  const read = `read_parquet([${list}], hive_partitioning = false, union_by_name = false, filename = ${literal(FILE_COLUMN)}, file_row_number = true) AS f`
  const place = `f.${FILE_COLUMN}, f.file_row_number AS ${ROW_COLUMN}`
  const beside = constants.length === 0 ? '' : ` JOIN ${constantsOf(files, sources, constants)}`
  return `SELECT ${[...columns, place].join(', ')} FROM ${read}${beside}`
}

function constantsOf(
  files: readonly string[],
  sources: ReadonlyMap<string, SourceFile>,
  fields: readonly IcebergField[],
): string {
  const rows = files.map((file) => {
    const values = fields.map(({ id, type }) => {
      const value = sources.get(file)?.constants?.get(id)
      const sql =
        value === null || value === undefined ? undefined : boundSql(type as string, value)
      return sql ?? `CAST(NULL AS ${columnType(type)})`
    })
    return `(${[literal(file), ...values].join(', ')})`
  })
  const names = fields.map(({ id }) => identifier(`c${id}`))
  return `(VALUES ${rows.join(', ')}) AS p(path, ${names.join(', ')}) ON p.path = f.${FILE_COLUMN}`
}

/** A column that is in the file, or an error for whoever asks for a value that we cannot read right. */
function readable(node: ParquetNode, field: IcebergField): string {
  try {
    const value = valueOf(`f.${identifier(node.name)}`, node, field.type)
    return `CAST(${value} AS ${columnType(field.type)})`
  } catch (cause) {
    if (!(cause instanceof HeadwaterError)) throw cause
    return refusal(field, cause.detail)
  }
}

/** Fails only when a row's value is asked for: the other columns of the file can be read. */
function refusal({ name, type }: IcebergField, reason: string): string {
  const message = literal(`unsupported: column ${name}: ${reason}`)
  return `CAST(CASE WHEN f.file_row_number IS NULL THEN NULL ELSE error(${message}) END AS ${columnType(type)})`
}

/** The type of a column; one that DuckDB cannot have stands as text, which no row is given. */
export function columnType(type: IcebergType): string {
  return isReadable(type) ? duckdbType(type) : 'VARCHAR'
}

function isReadable(type: IcebergType): boolean {
  if (typeof type === 'string') {
    return !/^(timestamptz_ns|variant|unknown|geometry|geography)/.test(type)
  }
  switch (type.type) {
    case 'struct':
      return type.fields.every((field) => isReadable(field.type))
    case 'list':
      return isReadable(type.element)
    case 'map':
      return isReadable(type.key) && isReadable(type.value)
  }
}

/** What rows have that were written before the column was. */
function defaultOf(field: IcebergField): string {
  const initial = (field as { readonly 'initial-default'?: unknown })['initial-default']
  if (!isReadable(field.type)) {
    if (field.type === 'unknown') return `CAST(NULL AS VARCHAR)`
    return refusal(field, 'its type is not known.')
  }
  return defaultSql(field.type, initial) ?? refusal(field, 'its default is none that is known.')
}

/** The value of `sql`, which lies in the file as `node`, with the members of `type`: only where these differ is it taken apart. */
function valueOf(sql: string, node: ParquetNode, type: IcebergType, depth = 0): string {
  if (typeof type === 'string') return leaf(sql, node, type)
  if (asWritten(node, type)) return sql
  const item = `x${depth}`
  switch (type.type) {
    case 'struct': {
      const members = type.fields.map((field) => {
        const value = memberOf(sql, node, field, depth)
        return `${identifier(field.name)} := ${value}`
      })
      return `CASE WHEN ${sql} IS NULL THEN NULL ELSE struct_pack(${members.join(', ')}) END`
    }
    case 'list': {
      const element = valueOf(item, elementOf(node), type.element, depth + 1)
      return `list_transform(${sql}, lambda ${item}: ${element})`
    }
    case 'map': {
      const { key, value } = entryOf(node)
      const newKey = valueOf(`${item}.key`, key, type.key, depth + 1)
      const newValue = valueOf(`${item}.value`, value, type.value, depth + 1)
      return `map_from_entries(list_transform(map_entries(${sql}), lambda ${item}: struct_pack("key" := ${newKey}, "value" := ${newValue})))`
    }
  }
}

function memberOf(sql: string, node: ParquetNode, field: IcebergField, depth: number): string {
  const member = childrenById(node.children).get(field.id)
  if (member !== undefined) {
    return valueOf(`(${sql}).${identifier(member.name)}`, member, field.type, depth)
  }
  const initial = (field as { readonly 'initial-default'?: unknown })['initial-default']
  const value = isReadable(field.type) ? defaultSql(field.type, initial) : undefined
  if (value === undefined) throw error('unsupported', `the default of ${field.name} is not known.`)
  return value
}

/** Whether every member below is in the file under the name and with the type that the schema has for its id, in the same order. */
function asWritten(node: ParquetNode, type: IcebergType): boolean {
  if (typeof type === 'string') return isReadable(type) && node.type === plainType(type)
  switch (type.type) {
    case 'struct':
      return (
        node.children.length === type.fields.length &&
        type.fields.every((field, i) => {
          const child = node.children[i]!
          return child.id === field.id && child.name === field.name && asWritten(child, field.type)
        })
      )
    case 'list':
      return asWritten(elementOf(node), type.element)
    case 'map': {
      const { key, value } = entryOf(node)
      return asWritten(key, type.key) && asWritten(value, type.value)
    }
  }
}

function plainType(type: string): string {
  return duckdbType(type).replace(', ', ',')
}

/** A primitive in the file as one of `type`. Throws HeadwaterError `unsupported` where it would be another value. */
function leaf(sql: string, node: ParquetNode, type: string): string {
  const from = node.type
  if (!isReadable(type)) throw error('unsupported', `values of ${type} are not read.`)
  if (from !== undefined) {
    const wanted = plainType(type)
    if (from === wanted) return sql
    if (from === 'BLOB' && type === 'string') return `decode(${sql})`
    if (from === 'VARCHAR' && type === 'binary') return `encode(${sql})`
    const decimals = [from, wanted].map((name) => /^DECIMAL\((\d+),(\d+)\)$/.exec(name))
    const sameScale = decimals[0] && decimals[0][2] === decimals[1]?.[2]
    if (sameScale || WIDER[wanted]?.includes(from) === true) return sql
  }
  throw error('unsupported', `a file has it as ${from ?? 'a group'}, not as ${type}.`)
}

/** What a column may have been before, or how writers store it: DuckDB's cast from these changes no value. */
const WIDER: Readonly<Record<string, readonly string[]>> = {
  INTEGER: ['TINYINT', 'SMALLINT', 'UTINYINT', 'USMALLINT'],
  BIGINT: ['INTEGER', 'TINYINT', 'SMALLINT', 'UTINYINT', 'USMALLINT', 'UINTEGER'],
  DOUBLE: ['FLOAT'],
  VARCHAR: ['JSON'],
  UUID: ['BLOB'],
  TIME: ['TIME WITH TIME ZONE', 'TIME_NS'],
  TIMESTAMP: ['DATE', 'TIMESTAMP WITH TIME ZONE', 'TIMESTAMP_MS', 'TIMESTAMP_S'],
  'TIMESTAMP WITH TIME ZONE': ['TIMESTAMP', 'TIMESTAMP_MS', 'TIMESTAMP_S'],
  TIMESTAMP_NS: ['TIMESTAMP', 'DATE'],
}
