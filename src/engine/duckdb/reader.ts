/** Answers SQL over one consistent state of the lake: current or past rows of its tables, their metadata and their changes. */
import type { DuckDBConnection, DuckDBResultReader } from '@duckdb/node-api'
import { error, HeadwaterError } from '../../base/errors.ts'
import { errnoOf } from '../../base/files.ts'
import { limits } from '../../base/limits.ts'
import { failed, ok, type Result } from '../../base/result.ts'
import type { Lake, LakeState } from '../../lake/lake.ts'
import { eitherOf, serialized } from './conditions.ts'
import { Footers } from './footers.ts'
import { type Duck, openDuck } from './instance.ts'
import { identifier } from './parquet.ts'
import {
  commonNames,
  statementsOf,
  type TableRef,
  tableRefs,
  type Use,
  usesOf,
} from './query-tree.ts'
import { EVENTS, QueryTables, type TablePlan, type Target } from './reader-tables.ts'
import { isMark, isName, tokensOf } from './sql-tokens.ts'
import { type Reference, travel, type When } from './time-travel.ts'

/** A finished answer: column names, their DuckDB types, and rows of values as `value` gives them. */
export interface Answer {
  readonly columns: readonly string[]
  readonly types: readonly string[]
  /** JSON-safe values: 64-bit integers and decimals as strings, nested values as arrays and objects. */
  readonly rows: readonly (readonly unknown[])[]
}

export interface QueryOptions {
  /** The state of tables whose names do not say one. */
  readonly at?: When | undefined
}

export class LakeReader {
  readonly #lake: Lake
  readonly #duck: Duck
  readonly #connection: DuckDBConnection
  readonly #footers = new Footers()
  #turn: Promise<unknown> = Promise.resolve()

  private constructor(lake: Lake, duck: Duck, connection: DuckDBConnection) {
    this.#lake = lake
    this.#duck = duck
    this.#connection = connection
  }

  static async open(lake: Lake, threads: number): Promise<LakeReader> {
    const duck = await openDuck({ threads })
    return new LakeReader(lake, duck, await duck.connect())
  }

  /**
   * Runs SQL over `state`, or over a newer one when files of it are gone meanwhile. Tables go by their names, those of other
   * namespaces as `namespace.table`; `events` is the union of all event types' envelopes. See docs/sql.md for time travel.
   */
  query(state: LakeState, sql: string, options: QueryOptions = {}): Promise<Result<Answer>> {
    return this.#fresh(state, async (current) => {
      const prepared = await this.#prepare(current, sql, options)
      return answerOf(await this.#connection.runAndReadAll(prepared.sql))
    })
  }

  /** How each table of a query would be read, without reading it. */
  explain(
    state: LakeState,
    sql: string,
    options: QueryOptions = {},
  ): Promise<Result<readonly TablePlan[]>> {
    return this.#fresh(state, async (current) => {
      const prepared = await this.#prepare(current, sql, options)
      return prepared.plans
    })
  }

  close(): void {
    this.#connection.closeSync()
    this.#duck.close()
  }

  /** Once more on the newest state when a file is gone: the owner may have expired what was planned. */
  #fresh<T>(state: LakeState, work: (state: LakeState) => Promise<T>): Promise<Result<T>> {
    const done = this.#turn.then(async (): Promise<Result<T>> => {
      try {
        return ok(await this.#transaction(() => work(state)))
      } catch (first) {
        if (!isGone(first)) return failed(this.#failure(first, state))
        try {
          const newest = await this.#lake.refresh()
          return ok(await this.#transaction(() => work(newest)))
        } catch (second) {
          return failed(this.#failure(second, state))
        }
      }
    })
    this.#turn = done
    return done
  }

  /** Views and tables that are made for a query go with its transaction, in which now() is one time. */
  async #transaction<T>(work: () => Promise<T>): Promise<T> {
    await this.#connection.run('BEGIN TRANSACTION')
    try {
      return await work()
    } finally {
      // A query may have ended it itself.
      await this.#connection.run('ROLLBACK').catch(() => undefined)
    }
  }

  #failure(cause: unknown, state: LakeState): HeadwaterError {
    if (cause instanceof HeadwaterError) return cause
    const message = (cause instanceof Error ? cause.message : String(cause)).trim()
    const unsupported = /unsupported: (column .*)$/m.exec(message)?.[1]
    if (unsupported !== undefined) return error('unsupported', unsupported, cause)
    const table = /Table with name "?([^"\n]+?)"? does not exist/.exec(message)?.[1]
    if (table === undefined) return error('query_failed', message, cause)
    const tables = new QueryTables(this.#connection, this.#footers, this.#lake, state)
    return error('table_unknown', tables.unknown([table]), cause)
  }

  /** Makes the views that a query needs; answers the SQL that speaks of them. */
  async #prepare(
    state: LakeState,
    sql: string,
    options: QueryOptions,
  ): Promise<{ readonly sql: string; readonly plans: readonly TablePlan[] }> {
    const { sql: travelled, references } = travel(sql)
    const tables = new QueryTables(this.#connection, this.#footers, this.#lake, state)
    const tree = await serialized(this.#connection, travelled)
    const refs = statementsOf(tree) === undefined ? undefined : tableRefs(tree)
    const named = refs ?? wordRefs(travelled, references)
    if (refs === undefined || CATALOGUE.test(sql)) named.push(...plainRefs(travelled, state))
    const needed = await resolved(tables, named, references)
    const at =
      options.at &&
      (await tables.settle(
        options.at,
        needed.map(({ target }) => target),
      ))
    const wishes = refs === undefined ? new Map<string, Use[]>() : usesByName(tree, tables, needed)
    for (const { key, view, target, reference } of needed) {
      const uses = wishes.get(key) ?? []
      const wish = uses.length === 0 ? undefined : eitherOf(uses.map((use) => use.wish))
      const when = reference?.when ?? at
      await tables.create(view, target, { reference, when, wish })
    }
    return {
      sql: refs === undefined ? travelled : renamed(travelled, needed, refs),
      plans: tables.plans,
    }
  }
}

/** A name of the query that stands for something in the lake. */
interface Needed {
  readonly key: string
  readonly view: { readonly schema: string | undefined; readonly name: string }
  readonly target: Target
  readonly reference: Reference | undefined
}

function keyOf({ parts }: TableRef): string {
  return JSON.stringify(parts.map((part) => part.toLowerCase()))
}

/** What the names of a query stand for; those that are nothing in the lake are DuckDB's affair. */
async function resolved(
  tables: QueryTables,
  refs: readonly TableRef[],
  references: ReadonlyMap<string, Reference>,
): Promise<Needed[]> {
  const needed = new Map<string, Needed>()
  for (const ref of refs) {
    const key = keyOf(ref)
    if (needed.has(key)) continue
    const [first, ...rest] = ref.parts
    const reference = rest.length === 0 ? undefined : references.get(first!)
    const parts = reference?.parts ?? ref.parts
    const target = await tables.target(parts)
    if (target === undefined) {
      if (reference === undefined) continue
      throw error('table_unknown', tables.unknown(parts))
    }
    const schema = ref.parts.slice(0, -1)
    // DuckDB would take the first of three parts for a database.
    const view = {
      schema: schema.length === 0 ? undefined : schema.join('.'),
      name: ref.parts.at(-1)!,
    }
    needed.set(key, { key, view, target, reference })
  }
  return [...needed.values()]
}

/** What is asked of each table, by its name: of every place where it is read. */
function usesByName(
  tree: Parameters<typeof usesOf>[0],
  tables: QueryTables,
  needed: readonly Needed[],
): Map<string, Use[]> {
  const byKey = new Map(needed.map((each) => [each.key, each]))
  const common = commonNames(tree)
  const names = new Map<string, ReadonlySet<string>>()
  const uses = usesOf(tree, (ref) => {
    const key = keyOf(ref)
    const target = byKey.get(key)
    // A name that may be that of a common table expression is not known to be the table's.
    if (target === undefined || isCommon(ref, common)) return undefined
    const columns =
      names.get(key) ?? new Set(tables.fields(target.target).map(({ name }) => name.toLowerCase()))
    names.set(key, columns)
    return (name) => columns.has(name)
  })
  const places = tableRefs(tree).length
  // A table that is read where we do not look is read whole.
  return uses.length === places ? Map.groupBy(uses, ({ ref }) => keyOf(ref)) : new Map()
}

function isCommon({ parts }: TableRef, common: ReadonlySet<string>): boolean {
  return parts.length === 1 && common.has(parts[0]!.toLowerCase())
}

/** The query with names of three and more parts as schema and name. */
function renamed(sql: string, needed: readonly Needed[], refs: readonly TableRef[]): string {
  const byKey = new Map(needed.map((each) => [each.key, each]))
  const long = refs
    .filter((ref) => ref.parts.length > 2 && byKey.has(keyOf(ref)))
    .toSorted((a, b) => a.location - b.location)
  if (long.length === 0) return sql
  const tokens = tokensOf(sql)
  const bytes = Buffer.from(sql)
  let out = ''
  let done = 0
  for (const ref of long) {
    const start = bytes.subarray(0, ref.location).toString().length
    const first = tokens.findIndex((token) => token.start === start)
    const last = tokens[first + (ref.parts.length - 1) * 2]
    if (first === -1 || last === undefined) continue
    const { view } = byKey.get(keyOf(ref))!
    out += `${sql.slice(done, start)}${identifier(view.schema!)}.${identifier(view.name)}`
    done = last.end
  }
  return out + sql.slice(done)
}

/** What is asked of all tables rather than of those it names. */
const CATALOGUE = /\b(show|information_schema|duckdb_|pg_catalog)/i

/** Tables of the lake that the words of a statement may mean; all of them where it asks which there are. */
function plainRefs(sql: string, state: LakeState): TableRef[] {
  const all = CATALOGUE.test(sql)
  const words = new Set(
    tokensOf(sql)
      .filter(isName)
      .map(({ value }) => value.toLowerCase()),
  )
  return [...state.tables.keys(), EVENTS]
    .filter((name) => all || words.has(name.toLowerCase()))
    .map((name) => ({ parts: [name], location: 0 }))
}

/** What else a statement may speak of that is no SELECT: names with a dot, and those of other states. */
function wordRefs(sql: string, references: ReadonlyMap<string, Reference>): TableRef[] {
  const tokens = tokensOf(sql)
  const schemas = [...references].map(([schema, { parts, changes }]) => ({
    parts: [schema, changes === undefined ? parts.at(-1)! : 'changes'],
    location: 0,
  }))
  const pairs = tokens.flatMap((token, i) => {
    const [dot, next] = [tokens[i + 1], tokens[i + 2]]
    const qualified = isName(token) && isMark(dot, '.') && isName(next)
    return qualified ? [{ parts: [token.value, next.value], location: 0 }] : []
  })
  return [...schemas, ...pairs.filter(({ parts }) => !references.has(parts[0]!))]
}

/** Whether a failure is that of a file which is no longer there. */
function isGone(cause: unknown): boolean {
  for (let at = cause, depth = 0; at instanceof Error && depth < limits.causesMax; depth++) {
    if (errnoOf(at) === 'ENOENT') return true
    if (/No files found that match|No such file or directory/.test(at.message)) return true
    at = at.cause
  }
  return false
}

function answerOf(reader: DuckDBResultReader): Answer {
  return {
    columns: reader.deduplicatedColumnNames(),
    types: reader.columnTypes().map(String),
    rows: reader.getRowsJson(),
  }
}
