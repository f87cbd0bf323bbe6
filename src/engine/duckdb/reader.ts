/** Answers SQL over one consistent state of the lake: every table is a view of exactly the files that the state names. */
import type { DuckDBConnection, DuckDBResultReader } from '@duckdb/node-api'
import { error } from '../../base/errors.ts'
import { failed, ok, type Result } from '../../base/result.ts'
import type { Lake, LakeState, LiveFile, TableState } from '../../lake/lake.ts'
import { duckdbType } from '../../spec/duckdb-type.ts'
import { ENVELOPE } from '../../spec/envelope.ts'
import type { IcebergField, TableSchema } from '../../spec/iceberg-type.ts'
import { type Duck, openDuck } from './instance.ts'
import { identifier, literal } from './parquet.ts'

/** A finished answer: column names, their DuckDB types, and rows of values as `value` gives them. */
export interface Answer {
  readonly columns: readonly string[]
  readonly types: readonly string[]
  /** JSON-safe values: 64-bit integers and decimals as strings, nested values as arrays and objects. */
  readonly rows: readonly (readonly unknown[])[]
}

/** Tables that headwater fills itself; every other one is an event type. */
const SYSTEM_TABLES: ReadonlySet<string> = new Set(['batches', 'quarantine'])

export class LakeReader {
  readonly #lake: Lake
  readonly #duck: Duck
  readonly #connection: DuckDBConnection
  /** View name → version of the state that it shows. */
  readonly #views = new Map<string, number>()

  private constructor(lake: Lake, duck: Duck, connection: DuckDBConnection) {
    this.#lake = lake
    this.#duck = duck
    this.#connection = connection
  }

  static async open(lake: Lake, threads: number): Promise<LakeReader> {
    const duck = await openDuck({ threads })
    return new LakeReader(lake, duck, await duck.connect())
  }

  /** Runs SQL over `state`. Tables go by their names; `events` is the union of all event types' envelopes. */
  async query(state: LakeState, sql: string): Promise<Result<Answer>> {
    try {
      await this.#prepare(state, sql)
      return ok(answerOf(await this.#connection.runAndReadAll(sql)))
    } catch (cause) {
      const message = cause instanceof Error ? cause.message : String(cause)
      return failed(error('query_failed', message.trim(), cause))
    }
  }

  close(): void {
    this.#connection.closeSync()
    this.#duck.close()
  }

  /** Makes the views that `sql` may speak of: a name in it is enough, since a view costs little. */
  async #prepare(state: LakeState, sql: string): Promise<void> {
    const words = new Set(sql.toLowerCase().match(/[a-z_][a-z0-9_]*/g) ?? [])
    const all =
      words.has('events') || /\b(show|describe|summarize|information_schema|duckdb_)/i.test(sql)
    const names = [...state.tables.keys()].filter((name) => all || words.has(name))
    for (const name of names) {
      if (this.#views.get(name) === state.version) continue
      const table = state.tables.get(name)!
      await this.#connection.run(tableView(table, await this.#lake.files(state, name)))
      this.#views.set(name, state.version)
    }
    if (all && this.#views.get('events') !== state.version) {
      await this.#connection.run(eventsView(state))
      this.#views.set('events', state.version)
    }
  }
}

function tableView(table: TableState, files: readonly LiveFile[]): string {
  const { schema } = table
  const body = files.length === 0 ? emptyRelation(schema) : scan(schema, files)
  return `CREATE OR REPLACE VIEW ${identifier(schema.name)} AS ${body}`
}

/** A scan by field id, so that renamed, added and widened columns read right in old files. */
function scan(schema: TableSchema, files: readonly LiveFile[]): string {
  const list = files.map((file) => literal(file.path)).join(', ')
  const columns = schema.fields.map(
    ({ id, name, type }) =>
      `${id}: {name: ${literal(name)}, type: ${literal(duckdbType(type))}, default_value: NULL}`,
  )
  return `SELECT * FROM read_parquet([${list}], schema = MAP {${columns.join(', ')}}, hive_partitioning = false)`
}

function emptyRelation({ fields }: TableSchema): string {
  const columns = fields.map((field) => nullColumn(field))
  return `SELECT ${columns.join(', ')} WHERE false`
}

function nullColumn({ name, type }: IcebergField): string {
  return `CAST(NULL AS ${duckdbType(type)}) AS ${identifier(name)}`
}

/** The union of all event types: their common columns, and the name of the type. */
function eventsView(state: LakeState): string {
  const types = [...state.tables.keys()].filter((name) => !SYSTEM_TABLES.has(name)).sort()
  const envelope = ENVELOPE.map(({ name }) => identifier(name)).join(', ')
  const parts = types.map(
    (name) => `SELECT ${literal(name)} AS "type", ${envelope} FROM ${identifier(name)}`,
  )
  const none = `SELECT CAST(NULL AS VARCHAR) AS "type", ${ENVELOPE.map(nullColumn).join(', ')} WHERE false`
  return `CREATE OR REPLACE VIEW events AS ${parts.length === 0 ? none : parts.join(' UNION ALL ')}`
}

function answerOf(reader: DuckDBResultReader): Answer {
  return {
    columns: reader.deduplicatedColumnNames(),
    types: reader.columnTypes().map(String),
    rows: reader.getRowsJson(),
  }
}
