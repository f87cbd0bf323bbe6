/**
 * What a team would write itself: Fastify and Zod take row JSON, a write-ahead file makes it durable before the answer, DuckDB's
 * appender fills a table per type, and once an epoch (a second) the tables are copied to Parquet. No duplicates, no quarantine, no Iceberg.
 */
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { type DuckDBAppender, DuckDBInstance } from '@duckdb/node-api'
import Fastify from 'fastify'
import { z } from 'zod'
import type { Step } from './measure.ts'
import type { ServerCall, ServerSetup, ServerStats } from './platform.ts'
import { contextFields, declaredTypes, type ValueKind } from './types.ts'

const { types, epochMs } = JSON.parse(process.argv[2] ?? '{}') as ServerSetup
const declared = declaredTypes(types)
const zodKinds = {
  int: z.int32(),
  long: z.int(),
  string: z.string(),
  boolean: z.boolean(),
} satisfies Record<ValueKind, z.ZodType>
const shape = (fields: Readonly<Record<string, ValueKind>>) =>
  Object.fromEntries(Object.entries(fields).map(([name, kind]) => [name, zodKinds[kind]]))
const envelope = { n: z.int(), at: z.int(), session: z.string() }
const [first, ...rest] = declared.map(({ name, fields }) =>
  z.object({ type: z.literal(name), ...envelope, ...shape(fields) }),
)
const bodySchema = z.object({
  ...shape(contextFields),
  boot: z.string(),
  batch: z.int(),
  sent: z.int(),
  events: z.array(z.discriminatedUnion('type', [first!, ...rest])),
})

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'headwater-baseline-'))
const instance = await DuckDBInstance.create(':memory:', { threads: '1' })
/** Two connections, so that a COPY does not keep an appender waiting. */
const filling = await instance.connect()
const copying = await instance.connect()
const sqlKinds = { int: 'INTEGER', long: 'BIGINT', string: 'VARCHAR', boolean: 'BOOLEAN' } as const
const columnsOf = (fields: Readonly<Record<string, ValueKind>>): [string, ValueKind][] => [
  ...Object.entries(contextFields),
  ['boot', 'string'],
  ['batch', 'long'],
  ['sent', 'long'],
  ['n', 'long'],
  ['at', 'long'],
  ['session', 'string'],
  ...Object.entries(fields),
]
const columns = new Map(declared.map(({ name, fields }) => [name, columnsOf(fields)]))

interface Table {
  readonly name: string
  readonly appender: DuckDBAppender
  rows: number
}

/** The tables that are filled now, by event type; a fresh set takes their place while they are copied. */
let generation = 0
let tables = await freshTables()
let rows = 0
let bytes = 0
const commits: Step[] = []

async function freshTables(): Promise<Map<string, Table>> {
  const fresh = new Map<string, Table>()
  for (const [type, fields] of columns) {
    const name = `${type}_${generation}`
    const list = fields.map(([field, kind]) => `"${field}" ${sqlKinds[kind]}`)
    await filling.run(`create table "${name}" (${list.join(', ')})`)
    fresh.set(type, { name, appender: await filling.createAppender(name), rows: 0 })
  }
  return fresh
}

function append(appender: DuckDBAppender, kind: ValueKind, value: unknown): void {
  switch (kind) {
    case 'int':
      return appender.appendInteger(value as number)
    case 'long':
      return appender.appendBigInt(BigInt(value as number))
    case 'string':
      return appender.appendVarchar(value as string)
    case 'boolean':
      return appender.appendBoolean(value as boolean)
  }
}

/** Group commit: bodies that wait share one write and one fdatasync. */
const wal = fs.openSync(path.join(folder, 'wal'), 'a')
let waiting: { body: Buffer; done: () => void }[] = []
let syncing = false
function durable(body: Buffer): Promise<void> {
  return new Promise((done) => {
    waiting.push({ body, done })
    sync()
  })
}
function sync(): void {
  if (syncing || waiting.length === 0) return
  syncing = true
  const group = waiting
  waiting = []
  const bodies = group.map(({ body }) => body)
  fs.writev(wal, bodies, () => {
    fs.fdatasync(wal, () => {
      syncing = false
      for (const { done } of group) done()
      sync()
    })
  })
}

const app = Fastify({ bodyLimit: 16 * 1024 * 1024 })
app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_request, body, done) => {
  done(null, body)
})
app.post('/events', async (request, reply) => {
  const raw = request.body as Buffer
  const parsed = bodySchema.safeParse(JSON.parse(raw.toString()))
  if (!parsed.success) return reply.code(400).send({ error: parsed.error.issues.length })
  const batch = parsed.data as Record<string, unknown> & { events: Record<string, unknown>[] }
  for (const event of batch.events) {
    const type = event['type'] as string
    const table = tables.get(type)!
    for (const [name, kind] of columns.get(type)!) {
      append(table.appender, kind, event[name] ?? batch[name])
    }
    table.appender.endRow()
    table.rows++
  }
  await durable(raw)
  return { accepted: batch.events.length }
})

async function copy(): Promise<void> {
  generation++
  const fresh = await freshTables()
  const taken = Date.now()
  const full = tables
  tables = fresh
  let written = 0
  for (const { appender } of full.values()) appender.closeSync()
  for (const { name, rows: count } of full.values()) {
    if (count > 0) {
      const file = path.join(folder, `${name}.parquet`)
      await copying.run(`copy "${name}" to '${file}' (format parquet, compression zstd)`)
      bytes += fs.statSync(file).size
      written += count
    }
    await copying.run(`drop table "${name}"`)
  }
  rows += written
  if (written > 0) commits.push([Date.now(), written])
  setTimeout(() => void copy(), Math.max(10, epochMs - (Date.now() - taken)))
}

process.on('message', (call: ServerCall) => {
  if (call === 'stats') {
    process.send!({ rows, quarantined: 0, bytes, commits } satisfies ServerStats)
  }
  if (call === 'stop') {
    fs.rmSync(folder, { recursive: true, force: true })
    process.exit(0)
  }
})
await app.listen({ port: 0, host: '127.0.0.1' })
setTimeout(() => void copy(), epochMs)
process.send!({ port: (app.server.address() as { port: number }).port })
