/** Turns what a query asks of a table's columns into a predicate that files are pruned by: DuckDB itself says what the constants are. */
import type { DuckDBConnection } from '@duckdb/node-api'
import { limits } from '../../base/limits.ts'
import { parseExact, stringifyExact } from '../../lake/json.ts'
import type { Bound } from '../../lake/lake.ts'
import type { Predicate } from '../../lake/predicate.ts'
import { storageOf } from '../../lake/values.ts'
import { duckdbType } from '../../spec/duckdb-type.ts'
import type { IcebergField } from '../../spec/iceberg-type.ts'
import { literal } from './parquet.ts'
import type { Node, Wish } from './query-tree.ts'

/** Two trees of conditions in one: rows that either asks for. */
export function eitherOf(wishes: readonly (Wish | undefined)[]): Wish | undefined {
  const known = wishes.filter((wish) => wish !== undefined)
  if (known.length < wishes.length) return undefined
  return known.length === 1 ? known[0] : { kind: 'any', of: known }
}

/** The tree that DuckDB makes of a query; its numbers are exact. */
export async function serialized(connection: DuckDBConnection, sql: string): Promise<Node> {
  const reader = await connection.runAndReadAll(`SELECT json_serialize_sql(${literal(sql)})`)
  return parseExact(reader.getRows()[0]![0] as string) as Node
}

/** A constant that a column of a primitive type is compared with. */
interface Constant {
  readonly node: Node
  readonly type: string
}

/** Values of constants, by the type of the column that they are compared with; those that have none are absent. */
export class Constants {
  readonly #connection: DuckDBConnection
  readonly #values = new Map<Node, Map<string, Bound>>()

  constructor(connection: DuckDBConnection) {
    this.#connection = connection
  }

  /** The predicate of a wish on a table with these fields; undefined where it prunes nothing. */
  async predicate(
    wish: Wish | undefined,
    fields: readonly IcebergField[],
  ): Promise<Predicate | undefined> {
    if (wish === undefined) return undefined
    const wanted: Constant[] = []
    gather(wish, fields, wanted)
    if (wanted.length > limits.predicateConstantsMax) return undefined
    await this.#evaluate(wanted)
    return this.#bind(wish, fields)
  }

  async #evaluate(wanted: readonly Constant[]): Promise<void> {
    const missing = wanted.filter(({ node, type }) => this.#values.get(node)?.has(type) !== true)
    if (missing.length === 0) return
    try {
      const source = await this.#source(missing.map(({ node }) => node))
      const names = missing.map((_, i) => `typeof(c${i})`)
      const typed = await this.#connection.runAndReadAll(
        `SELECT ${names.join(', ')} FROM ${source}`,
      )
      const types = typed.getRows()[0] as string[]
      const texts = missing.map(({ node, type }, i) => textOf(`c${i}`, node, types[i]!, type))
      const reader = await this.#connection.runAndReadAll(
        `SELECT ${texts.join(', ')} FROM ${source}`,
      )
      missing.forEach(({ node, type }, i) => {
        const text = reader.getRows()[0]![i] as string | null
        const value = text === null ? undefined : parseBound(type, text)
        if (value === undefined) return
        const known = this.#values.get(node) ?? new Map<string, Bound>()
        this.#values.set(node, known.set(type, value))
      })
    } catch {
      // Constants that DuckDB refuses prune nothing; the query itself will say what is wrong with them.
    }
  }

  /** A relation of one row with the constants as `c0`, `c1`, … */
  async #source(nodes: readonly Node[]): Promise<string> {
    const template = await serialized(this.#connection, 'SELECT 1')
    const [statement] = template['statements'] as readonly { readonly node: Node }[]
    const list = nodes.map((node, i) => ({ ...node, alias: `c${i}` }))
    const tree = {
      ...template,
      statements: [{ ...statement, node: { ...statement!.node, select_list: list } }],
    }
    const sql = `SELECT json_deserialize_sql(${literal(stringifyExact(tree))}::JSON)`
    const text = (await this.#connection.runAndReadAll(sql)).getRows()[0]![0] as string
    return `(${text.trim().replace(/;$/, '')})`
  }

  #bind(wish: Wish, fields: readonly IcebergField[]): Predicate | undefined {
    if ('of' in wish) {
      const of = wish.of.map((each) => this.#bind(each, fields))
      const known = of.filter((each) => each !== undefined)
      if (known.length === 0 || (wish.kind === 'any' && known.length < of.length)) return undefined
      return { kind: wish.kind, of: known }
    }
    const field = fieldAt(fields, wish.column)
    if (field === undefined) return undefined
    const { id: fieldId, type } = field
    if (!('constants' in wish)) {
      if (wish.kind === 'true') {
        return type === 'boolean' ? { kind: '=', fieldId, value: true } : undefined
      }
      return wish.column.length === 1 ? { kind: wish.kind, fieldId } : undefined
    }
    if (typeof type !== 'string') return undefined
    const against = comparedType(type, wish)
    const values = wish.constants.map((node) => this.#values.get(node)?.get(against ?? ''))
    const known = values.filter((value) => value !== undefined)
    if (against === undefined || known.length < values.length) return undefined
    return bound(wish, fieldId, type, known)
  }
}

/** The type that a column's constants must have; undefined where they cannot be compared. */
function comparedType(
  type: string,
  wish: Extract<Wish, { readonly day: boolean }>,
): string | undefined {
  if (wish.kind === 'like' || wish.kind === 'prefix') return type === 'string' ? type : undefined
  if (!wish.day)
    return storageOf(type) === undefined || type === 'timestamptz_ns' ? undefined : type
  return type === 'date' || type === 'timestamp' || type === 'timestamptz' ? 'date' : undefined
}

function bound(
  { kind, day }: Extract<Wish, { readonly day: boolean }>,
  fieldId: number,
  type: string,
  values: readonly Bound[],
): Predicate | undefined {
  const [value] = values
  if (value === undefined) return undefined
  if (day && type !== 'date') {
    const days = values as readonly number[]
    if (kind === 'in') return { kind: 'any', of: days.map((each) => onDay('=', fieldId, each)) }
    return kind === 'like' || kind === 'prefix' || kind === '!='
      ? undefined
      : onDay(kind, fieldId, days[0]!)
  }
  switch (kind) {
    case 'in':
      return { kind, fieldId, values }
    case 'prefix':
      return { kind, fieldId, value: value as string }
    case 'like': {
      const [prefix] = (value as string).split(/[%_]/)
      return prefix === value
        ? { kind: '=', fieldId, value }
        : { kind: 'prefix', fieldId, value: prefix! }
    }
    default:
      return { kind, fieldId, value }
  }
}

const DAY_US = 86_400_000_000n

/** A condition on the day of a time, as one on the time. */
function onDay(kind: '=' | '<' | '<=' | '>' | '>=', fieldId: number, day: number): Predicate {
  const [start, next] = [BigInt(day) * DAY_US, BigInt(day + 1) * DAY_US]
  switch (kind) {
    case '=':
      return { kind: 'all', of: [onDay('>=', fieldId, day), onDay('<=', fieldId, day)] }
    case '<':
    case '>=':
      return { kind, fieldId, value: start }
    case '<=':
      return { kind: '<', fieldId, value: next }
    case '>':
      return { kind: '>=', fieldId, value: next }
  }
}

/** Constants of a wish with the types of their columns. */
function gather(wish: Wish, fields: readonly IcebergField[], into: Constant[]): void {
  if ('of' in wish) {
    for (const each of wish.of) gather(each, fields, into)
    return
  }
  const type = fieldAt(fields, wish.column)?.type
  if (!('constants' in wish) || typeof type !== 'string') return
  const against = comparedType(type, wish)
  if (against === undefined) return
  into.push(...wish.constants.map((node) => ({ node, type: against })))
}

/** The field of a path, names in any case. */
function fieldAt(
  fields: readonly IcebergField[],
  path: readonly string[],
): IcebergField | undefined {
  const [name, ...rest] = path
  const field = fields.find((each) => each.name.toLowerCase() === name?.toLowerCase())
  if (field === undefined || rest.length === 0) return field
  const { type } = field
  return typeof type === 'object' && type.type === 'struct' ? fieldAt(type.fields, rest) : undefined
}

/** SQL of a constant's text as one of a column's type; null where it is none exactly, or would be compared as another type. */
function textOf(name: string, node: Node, from: string, type: string): string {
  const wanted = duckdbType(type)
  const text = node['class'] === 'CONSTANT' && from === 'VARCHAR'
  const exact =
    text || from === wanted
      ? ''
      : `WHEN (${name} = TRY_CAST(${name} AS ${wanted})) IS NOT TRUE THEN NULL`
  // A literal string takes the type of the column; any other text turns the column into text.
  if (!text && !comparable(from, type)) return 'NULL'
  const value = `TRY_CAST(${name} AS ${wanted})`
  return `TRY(CASE WHEN ${value} IS NULL THEN NULL ${exact} ELSE ${asText(value, type)} END)`
}

/** Whether DuckDB compares a column with a constant of another type without rounding the column. */
function comparable(from: string, type: string): boolean {
  const wanted = duckdbType(type)
  if (from === wanted) return true
  const integer = /^(U?(TINYINT|SMALLINT|INTEGER|BIGINT|HUGEINT))$/.test(from)
  const decimal = from.startsWith('DECIMAL')
  const time = /^(DATE|TIMESTAMP(_S|_MS|_NS)?|TIMESTAMP WITH TIME ZONE)$/.test(from)
  switch (storageOf(type)) {
    case 'int':
      return type === 'date' ? time : integer || decimal
    case 'long':
      if (type === 'long') return integer || decimal
      return type.startsWith('timestamp') && time
    case 'float':
      return integer || decimal || from === 'DOUBLE'
    case 'double':
      return integer || decimal || from === 'FLOAT'
    case 'decimal':
      return integer || decimal
    default:
      return false
  }
}

function asText(value: string, type: string): string {
  switch (type) {
    case 'date':
      return `CASE WHEN isfinite(${value}) THEN CAST(${value} - DATE '1970-01-01' AS VARCHAR) END`
    case 'time':
      return `CAST(epoch_us(${value}) AS VARCHAR)`
    case 'timestamp':
    case 'timestamptz':
      return `CASE WHEN isfinite(${value}) THEN CAST(epoch_us(${value}) AS VARCHAR) END`
    case 'timestamp_ns':
      return `CASE WHEN isfinite(${value}) THEN CAST(epoch_ns(${value}) AS VARCHAR) END`
    default:
      return storageOf(type) === 'bytes' && type !== 'uuid'
        ? `hex(${value})`
        : `CAST(${value} AS VARCHAR)`
  }
}

function parseBound(type: string, text: string): Bound | undefined {
  switch (storageOf(type)) {
    case 'boolean':
      return text === 'true'
    case 'int':
      return Number(text)
    case 'long':
      return BigInt(text)
    case 'float':
    case 'double':
      return FLOATS[text] ?? Number(text)
    case 'string':
      return text
    case 'bytes':
      return Buffer.from(text.replaceAll('-', ''), 'hex')
    case 'decimal':
      return BigInt(text.replace('.', ''))
    case undefined:
      return undefined
  }
}

const FLOATS: Readonly<Record<string, number>> = { nan: NaN, inf: Infinity, '-inf': -Infinity }
