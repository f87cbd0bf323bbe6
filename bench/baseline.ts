/** What a team would write itself: Fastify and Zod check row JSON, DuckDB's appender takes the rows into a table per type, and every
 *  second each table becomes a Parquet file. As durable as headwater: a body is written to a log and fdatasynced before its answer,
 *  many bodies to a sync. It finds no duplicates, keeps no quarantine and commits no table metadata. */
import { mkdirSync, renameSync, statSync } from 'node:fs'
import { open, rm } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { DuckDBInstance } from '@duckdb/node-api'
import type { DuckDBAppender, DuckDBConnection } from '@duckdb/node-api'
import Fastify from 'fastify'
import { z } from 'zod'
import type { Step } from './measure.ts'
import type { Ready, Statistics } from './process.ts'
import { contextFields, declaredTypes, standardTypes } from './types.ts'
import type { BenchType, ValueKind } from './types.ts'

const flushMs = 1000

const checks: Readonly<Record<ValueKind, () => z.ZodType>> = {
  int: () => z.int32(),
  long: () => z.int(),
  string: () => z.string(),
  boolean: () => z.boolean(),
}

const sqlTypes: Readonly<Record<ValueKind, string>> = {
  int: 'INTEGER',
  long: 'BIGINT',
  string: 'VARCHAR',
  boolean: 'BOOLEAN',
}

const shape = (fields: Readonly<Record<string, ValueKind>>): Record<string, z.ZodType> =>
  Object.fromEntries(Object.entries(fields).map(([name, kind]) => [name, checks[kind]()]))

const common: Readonly<Record<string, ValueKind>> = { n: 'long', at: 'long', session: 'string' }

type Row = Readonly<Record<string, string | number | boolean>>
type Body = Row & { readonly events: readonly Row[] }

/** One schema for a body: what is common once, then a union of the types by their name. */
function bodySchema(types: readonly BenchType[]): z.ZodType<Body> {
  const events = types.map((type) =>
    z.object({ type: z.literal(type.name), ...shape(common), ...shape(type.fields) }),
  )
  const union = z.discriminatedUnion('type', events as [(typeof events)[0], ...typeof events])
  return z.object({
    ...shape(contextFields),
    boot: z.string(),
    batch: z.int(),
    sent: z.int(),
    events: z.array(union),
  }) as unknown as z.ZodType<Body>
}

/** A file that bodies are appended to; whoever waits while a sync runs shares the next one. */
class BodyLog {
  readonly #folder: string
  #file: FileHandle
  #number = 0
  #parts: Uint8Array[] = []
  #waiting: (() => void)[] = []
  #running: Promise<void> | undefined

  private constructor(folder: string, file: FileHandle) {
    this.#folder = folder
    this.#file = file
  }

  static async open(folder: string): Promise<BodyLog> {
    return new BodyLog(folder, await open(join(folder, '0.log'), 'a'))
  }

  /** Resolves when the body is durable. */
  append(body: Uint8Array): Promise<void> {
    this.#parts.push(body)
    return new Promise((resolve) => {
      this.#waiting.push(resolve)
      this.#running ??= this.#drain()
    })
  }

  /** Goes on in a new file; the returned function removes the old one, once its rows are in Parquet. */
  async rotate(): Promise<() => Promise<void>> {
    await this.#running
    const old = this.#file
    const path = join(this.#folder, `${this.#number}.log`)
    this.#number += 1
    this.#file = await open(join(this.#folder, `${this.#number}.log`), 'a')
    return async () => {
      await old.close()
      await rm(path)
    }
  }

  async #drain(): Promise<void> {
    while (this.#parts.length > 0) {
      const parts = this.#parts
      const waiting = this.#waiting
      this.#parts = []
      this.#waiting = []
      await this.#file.writev(parts)
      await this.#file.datasync()
      for (const wake of waiting) wake()
    }
    this.#running = undefined
  }
}

interface Table {
  readonly type: BenchType
  appender: DuckDBAppender
  rows: number
}

/** Tables in memory, one per type; a flush swaps them for empty ones and copies the full ones to Parquet. */
class Tables {
  readonly #connection: DuckDBConnection
  readonly #folder: string
  readonly #tables = new Map<string, Table>()
  #generation = 0
  bytes = 0

  private constructor(connection: DuckDBConnection, folder: string) {
    this.#connection = connection
    this.#folder = folder
  }

  static async open(folder: string, types: readonly BenchType[]): Promise<Tables> {
    const instance = await DuckDBInstance.create(':memory:', { threads: '1' })
    const tables = new Tables(await instance.connect(), folder)
    for (const type of types) {
      mkdirSync(join(folder, type.name), { recursive: true })
      tables.#tables.set(type.name, { type, appender: await tables.#create(type), rows: 0 })
    }
    return tables
  }

  add(body: Body, receivedMs: number): void {
    for (const event of body.events) {
      const table = this.#tables.get(String(event['type']))!
      const { appender } = table
      appender.appendBigInt(BigInt(receivedMs))
      for (const [name, kind] of contextEntries) append(appender, kind, body[name]!)
      for (const [name, kind] of commonEntries) append(appender, kind, event[name]!)
      for (const name in table.type.fields) append(appender, table.type.fields[name]!, event[name]!)
      appender.endRow()
      table.rows += 1
    }
  }

  /** Starts new tables and returns what makes the old ones Parquet; that gives how many rows became queryable. */
  async swap(): Promise<() => Promise<number>> {
    const generation = this.#generation
    this.#generation += 1
    const full: { name: string; rows: number }[] = []
    const created = [...this.#tables.values()].filter(({ rows }) => rows > 0)
    const appenders = new Map<Table, DuckDBAppender>()
    for (const table of created) appenders.set(table, await this.#create(table.type))
    for (const table of created) {
      table.appender.closeSync()
      full.push({ name: table.type.name, rows: table.rows })
      table.appender = appenders.get(table)!
      table.rows = 0
    }
    return async () => {
      for (const { name } of full) await this.#copy(name, generation)
      return full.reduce((sum, { rows }) => sum + rows, 0)
    }
  }

  async #create(type: BenchType): Promise<DuckDBAppender> {
    const columns = [
      ['received_at', 'long'],
      ...contextEntries,
      ...commonEntries,
      ...Object.entries(type.fields),
    ].map(([name, kind]) => `"${name}" ${sqlTypes[kind as ValueKind]}`)
    const name = `${type.name}_${this.#generation}`
    await this.#connection.run(`create table "${name}" (${columns.join(', ')})`)
    return this.#connection.createAppender(name)
  }

  /** Readers see a file when it has its name. */
  async #copy(name: string, generation: number): Promise<void> {
    const path = join(this.#folder, name, `${generation}.parquet`)
    const table = `"${name}_${generation}"`
    await this.#connection.run(
      `copy (select make_timestamp(received_at * 1000) as received_at, make_timestamp("at" * 1000) as "at",
       * exclude (received_at, "at") from ${table}) to '${path}.tmp' (format parquet, compression zstd)`,
    )
    await this.#connection.run(`drop table ${table}`)
    this.bytes += statSync(`${path}.tmp`).size
    renameSync(`${path}.tmp`, path)
  }
}

const contextEntries = Object.entries({ ...contextFields, boot: 'string' as const })
const commonEntries = Object.entries(common)

function append(appender: DuckDBAppender, kind: ValueKind, value: string | number | boolean): void {
  if (kind === 'string') appender.appendVarchar(value as string)
  else if (kind === 'int') appender.appendInteger(value as number)
  else if (kind === 'long') appender.appendBigInt(BigInt(value as number))
  else appender.appendBoolean(value as boolean)
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { data: { type: 'string' }, types: { type: 'string', default: `${standardTypes}` } },
  })
  const data = values.data ?? ''
  mkdirSync(join(data, 'log'), { recursive: true })
  const types = declaredTypes(Number(values.types))
  const schema = bodySchema(types)
  const tables = await Tables.open(join(data, 'lake'), types)
  const log = await BodyLog.open(join(data, 'log'))
  const stages = { parse: 0, check: 0, append: 0 }
  let committed = 0
  let commits: Step[] = []

  const server = Fastify({ bodyLimit: 16 << 20 })
  server.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_, body, done) => {
    done(null, body)
  })
  server.post('/v1/events', async (request, reply) => {
    const bytes = request.body as Buffer
    const start = performance.now()
    const parsed: unknown = JSON.parse(bytes.toString())
    const read = performance.now()
    const checked = schema.safeParse(parsed)
    const done = performance.now()
    stages.parse += read - start
    stages.check += done - read
    if (!checked.success) return reply.code(400).send({ error: z.prettifyError(checked.error) })
    tables.add(checked.data, Date.now())
    stages.append += performance.now() - done
    await log.append(bytes)
    return { accepted: checked.data.events.length }
  })
  server.get('/stats', (): Statistics => {
    const recent = commits
    commits = []
    return { committed, commits: recent, stages, lakeBytes: tables.bytes }
  })
  const address = await server.listen({ host: '127.0.0.1', port: 0 })

  let timer: NodeJS.Timeout | undefined
  const flush = async (): Promise<void> => {
    const start = performance.now()
    const forget = await log.rotate()
    const copy = await tables.swap()
    const rows = await copy()
    if (rows > 0) commits.push([Date.now(), rows])
    committed += rows
    await forget()
    timer = setTimeout(() => void flush(), Math.max(20, flushMs - (performance.now() - start)))
  }
  timer = setTimeout(() => void flush(), flushMs)
  process.once('SIGTERM', () => {
    clearTimeout(timer)
    process.exit(0)
  })
  const ready: Ready = { url: address, stats: `${address}/stats`, pid: process.pid }
  process.stdout.write(`${JSON.stringify(ready)}\n`)
}

await main()
