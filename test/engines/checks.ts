/** What an engine is asked of a table so that equal tables give equal numbers: every column counted, and summed or measured by its type. */
import { expect } from 'vitest'
import type { IcebergField } from '../../src/spec/iceberg-type.ts'
import { ask } from '../support/platform.ts'
import type { SqlRow } from '../support/script.ts'
import type { EngineLake } from './lake.ts'

/** How an engine says it. */
export interface Dialect {
  quote(name: string): string
  /** A table of headwater's namespace. */
  table(name: string): string
  text(value: string): string
  /** Microseconds since 1970 of a timestamptz, as a long. */
  micros(value: string): string
  /** Characters of a string. */
  characters(value: string): string
  /** Bytes of a binary. */
  bytes(value: string): string
  /** Members of a list or a map. */
  members(value: string, of: 'list' | 'map'): string
  /** A member of the first struct of a list; no value of an empty list. */
  first(list: string, member: string): string
}

export const DUCKDB: Dialect = {
  quote: (name) => `"${name}"`,
  table: (name) => `"${name}"`,
  text: (value) => `cast(${value} as varchar)`,
  micros: (value) => `epoch_us(${value})`,
  characters: (value) => `length(${value})`,
  bytes: (value) => `octet_length(${value})`,
  members: (value, of) => (of === 'list' ? `len(${value})` : `cardinality(${value})`),
  first: (list, member) => `${list}[1].${member}`,
}

/** A sum that no number of rows takes out of a long. */
const PRIME = 1_000_000_007

function checks({ name, type }: IcebergField, dialect: Dialect): string[] {
  const column = dialect.quote(name)
  const whole = (value: string): string => `sum(cast(mod(${value}, ${PRIME}) as bigint))`
  if (typeof type !== 'string') {
    switch (type.type) {
      case 'list': {
        const { element } = type
        const structs = typeof element === 'object' && element.type === 'struct'
        const inner = structs ? element.fields.filter((field) => isWhole(field)) : []
        return [
          whole(dialect.members(column, 'list')),
          ...inner.map((field) => whole(dialect.first(column, dialect.quote(field.name)))),
        ]
      }
      case 'map':
        return [whole(dialect.members(column, 'map'))]
      case 'struct':
        return type.fields
          .filter((field) => isWhole(field))
          .map((field) => whole(`${column}.${dialect.quote(field.name)}`))
    }
  }
  const counted = `count(${column})`
  switch (type) {
    case 'boolean':
      return [counted, `sum(case when ${column} then 1 else 0 end)`]
    case 'int':
    case 'long':
      return [counted, whole(column)]
    case 'timestamptz':
      return [counted, whole(dialect.micros(column))]
    case 'string':
      return [counted, `min(${column})`, `max(${column})`, whole(dialect.characters(column))]
    case 'binary':
      return [counted, whole(dialect.bytes(column))]
    case 'date':
      return [counted, `min(${column})`, `max(${column})`]
    default:
      return [counted, `sum(${column})`]
  }
}

function isWhole({ type }: IcebergField): boolean {
  return type === 'int' || type === 'long'
}

/** One query over all columns of a table, whose only row has texts `c0`, `c1` …, `d…` where they are fractions; `c0` counts the rows. */
export function question(name: string, fields: readonly IcebergField[], dialect: Dialect): string {
  const all = fields.flatMap((field) =>
    checks(field, dialect).map((each) => ({ each, fraction: isFraction(field) })),
  )
  const columns = [{ each: 'count(*)', fraction: false }, ...all].map(
    ({ each, fraction }, i) => `${dialect.text(each)} as ${fraction ? 'd' : 'c'}${i}`,
  )
  return `select ${columns.join(', ')} from ${dialect.table(name)}`
}

function isFraction({ type }: IcebergField): boolean {
  return typeof type === 'string' && /^(float|double|decimal)/.test(type)
}

/** Asks an engine for every table and expects what headwater says; answers how many tables had rows. */
export async function expectEveryTable(
  { platform }: EngineLake,
  dialect: Dialect,
  sql: (statement: string) => Promise<readonly SqlRow[]>,
): Promise<number> {
  let filled = 0
  const { state } = platform.lake
  for (const { name, schema } of state.tables.values()) {
    const [theirs] = await sql(question(name, schema.fields, dialect))
    const [ours] = await ask(platform.lake, question(name, schema.fields, DUCKDB))
    expect({ table: name, ...plain(theirs!) }).toEqual({ table: name, ...plain(ours!) })
    if (ours!['c0'] !== '0') filled++
  }
  return filled
}

/** Fractions to nine digits, since sums of doubles depend on their order; no value and nothing summed are the same. */
function plain(row: SqlRow): Record<string, string> {
  return Object.fromEntries(
    Object.entries(row).map(([name, value]) => {
      const text = value === null ? '0' : typeof value === 'string' ? value : JSON.stringify(value)
      return [name, name.startsWith('d') ? String(Number(Number(text).toPrecision(9))) : text]
    }),
  )
}
