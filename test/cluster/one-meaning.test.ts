/** One meaning: a recorded log through the embedded engine, through Flink and through DuckDB's SQL gives the same tables, row for row. */
import { appendFileSync, mkdirSync } from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { systemClock } from '../../src/base/clock.ts'
import { ok } from '../../src/base/result.ts'
import { IntakeCounts } from '../../src/collector/counts.ts'
import { Forward } from '../../src/collector/forward.ts'
import type { Enrichment, RequestFacts } from '../../src/collector/intake.ts'
import { openDuck } from '../../src/engine/duckdb/instance.ts'
import { duckdbDialect } from '../../src/engine/flink/dialect.ts'
import { openSession } from '../../src/engine/flink/gateway.ts'
import { ENDED, JobManager } from '../../src/engine/flink/jobs.ts'
import { landingPipeline } from '../../src/engine/flink/pipeline.ts'
import { querySql } from '../../src/engine/flink/sql.ts'
import {
  compileParts,
  sessionSettings,
  setupStatements,
  statementSet,
} from '../../src/engine/flink/statements.ts'
import type { Lake } from '../../src/lake/index.ts'
import type { RecordSink } from '../../src/log/records.ts'
import type { Platform } from '../../src/platform/index.ts'
import { schemasOf } from '../../src/platform/schemas.ts'
import { startCatalog, type TestCatalog } from '../lake/catalog.ts'
import { lockAfter } from '../spec/support.ts'
import { startTestCluster, type TestCluster } from '../support/cluster.ts'
import { ask, landed, projectOf, start, unwrap } from '../support/platform.ts'
import { temporaryFolder } from '../support/project.ts'
import { python, pythonIsThere } from '../support/python/python.ts'
import { before, bodies, specs } from './recorded.ts'

const { folder, remove } = temporaryFolder('one-meaning')
const lock = lockAfter(before, specs)
const schemas = schemasOf({ specs, lock })
const tables = [...schemas.events.keys(), 'batches', 'quarantine']
const parts = landingPipeline(specs, lock)

type Row = Readonly<Record<string, unknown>>
type Tables = Readonly<Record<string, readonly string[]>>

/** The rows of each table as text, in an order of their own. */
async function tablesBy(rowsOf: (table: string) => Promise<readonly Row[]>): Promise<Tables> {
  const entries: [string, readonly string[]][] = []
  for (const table of tables) {
    const rows = (await rowsOf(table)).map((row) => JSON.stringify(comparable(table, row)))
    entries.push([table, rows.toSorted()])
  }
  return Object.fromEntries(entries)
}

/** Records do not have the bytes of a batch that contradicts another (PROTOCOL.md §17). */
function comparable(table: string, row: Row): unknown {
  const conflict = table === 'quarantine' && row['reason'] === 'batch_conflict'
  return ordered(conflict ? { ...row, bytes: null, bytes_total: null, context: null } : row)
}

/** Entries of maps have no order, and `JSON.stringify` keeps that of members. */
function ordered(value: unknown): unknown {
  if (Array.isArray(value)) {
    const items = value.map(ordered)
    const keys = items.map((item) => (isEntry(item) ? String(item['key']) : undefined))
    return keys.length > 0 && !keys.includes(undefined)
      ? items.toSorted((a, b) => ((a as Row)['key']! < (b as Row)['key']! ? -1 : 1))
      : items
  }
  if (typeof value !== 'object' || value === null) return value
  const members = Object.entries(value).map(([name, item]) => [name, ordered(item)] as const)
  return Object.fromEntries(members.toSorted(([a], [b]) => (a < b ? -1 : 1)))
}

function isEntry(value: unknown): value is Row {
  return typeof value === 'object' && value !== null && Object.keys(value).join() === 'key,value'
}

const fromLake = (lake: Lake): Promise<Tables> =>
  tablesBy((table) => ask(lake, `select * from "${table}"`))

/** What the embedded platform lands of the bodies, and what its collector knew of each request. */
async function embedded(): Promise<{ tables: Tables; facts: RequestFacts[] }> {
  const project = { ...projectOf(path.join(folder, 'embedded'), {}), specs, lock }
  platform = await start(project)
  const received: number[] = []
  for (const body of bodies()) {
    const response = await fetch(`${platform.url}/v1/events`, { method: 'POST', body })
    expect(response.status).toBe(200)
    received.push(((await response.json()) as { server: number }).server)
    await landed(platform)
  }
  const tablesOfIt = await fromLake(platform.lake)
  const request =
    'select geo_country, ua_browser, ua_os, ua_device, robot, source from batches limit 1'
  const { source, ...enrichment } = (await ask(platform.lake, request))[0]!
  const shared = { source: String(source), enrichment: enrichment as unknown as Enrichment }
  return { tables: tablesOfIt, facts: received.map((each) => ({ ...shared, received: each })) }
}

/** Writes the records of the bodies to a file for each topic. */
async function record(facts: readonly RequestFacts[]): Promise<void> {
  for (const { sources } of parts) {
    for (const { name } of sources) {
      mkdirSync(path.join(folder, 'records', name), { recursive: true })
      appendFileSync(fileOf(name), '')
    }
  }
  const sink: Pick<RecordSink, 'send' | 'failure'> = {
    failure: undefined,
    send: (records) => {
      for (const { topic, value } of records) appendFileSync(fileOf(topic), `${value.toString()}\n`)
      return Promise.resolve(ok(undefined))
    },
  }
  const times = { pastDays: 30, futureMs: 600_000 }
  const options = { schemas, counts: new IntakeCounts(), development: true, times }
  const forward = new Forward({ ...options, sink: sink as RecordSink })
  for (const [i, body] of bodies().entries()) await forward.take(Buffer.from(body), facts[i]!)
}

const fileOf = (topic: string): string => path.join(folder, 'records', topic, 'log.json')

let cluster: TestCluster
let catalog: TestCatalog
let platform: Platform
let expected: Tables

beforeAll(async () => {
  cluster = await startTestCluster()
  const known = await embedded()
  expected = known.tables
  await record(known.facts)
}, 240_000)

afterAll(async () => {
  await catalog?.close()
  await platform?.close()
  await cluster?.remove()
  remove()
})

describe('the recorded log', () => {
  test('has rows of every kind, right and wrong, once and again', () => {
    for (const table of tables) expect(expected[table]!.length, table).toBeGreaterThan(5)
    const ledger = expected['batches']!.join()
    for (const status of ['accepted', 'duplicate', 'quarantined']) expect(ledger).toContain(status)
    const held = expected['quarantine']!.join()
    for (const reason of ['batch_conflict', 'value_type', 'context_invalid', 'header_invalid']) {
      expect(held).toContain(reason)
    }
  })

  test('means the same in DuckDB’s SQL', async () => {
    const duck = await openDuck({ threads: 1 })
    const connection = await duck.connect()
    const dialect = duckdbDialect(({ name }) => [fileOf(name)])
    const sinks = parts.flatMap((part) => part.sinks)
    const found = await tablesBy(async (table) => {
      const sink = sinks.find((each) => each.table.name === table)!
      const rows = await connection.runAndReadAll(querySql(dialect, sink.rows))
      return rows.getRowObjectsJson()
    })
    connection.closeSync()
    duck.close()
    for (const table of tables) expect(found[table], table).toEqual(expected[table])
  })

  test(
    'means the same in Flink’s, written to Iceberg through our catalog',
    { timeout: 240_000 },
    async () => {
      catalog = await startCatalog(path.join(folder, 'flink'), { landedElsewhere: true })
      const { lake, uri, bugs } = catalog
      const all = [...schemas.events.values(), schemas.batches, schemas.quarantine]
      unwrap(await lake.commit({ schemas: all, appends: new Map(), offset: 0 }))
      await land(uri)
      expect(bugs).toEqual([])
      const found = await fromLake(lake)
      for (const table of tables) expect(found[table], table).toEqual(expected[table])
    },
  )

  test.skipIf(!pythonIsThere())('as PyIceberg reads both', { timeout: 120_000 }, async () => {
    const said = await python(SAME, [platform.catalogUrl!, catalog.uri, ...tables])
    const lines = tables.map((table) => [table, expected[table]!.length, true])
    expect(said).toEqual(lines)
  })
})

/** Rows of both lakes as PyIceberg reads them; says which tables differ. */
const SAME = `
import json, sys
from pyiceberg.catalog import load_catalog

def plain(value):
    if isinstance(value, dict): return {k: plain(v) for k, v in sorted(value.items())}
    if isinstance(value, list):
        items = [plain(v) for v in value]
        pairs = all(isinstance(v, tuple) for v in value)
        return sorted(items, key=repr) if pairs else items
    if isinstance(value, tuple): return [plain(v) for v in value]
    return repr(value)

def rows(uri, table):
    found = load_catalog('lake', type='rest', uri=uri).load_table(f'headwater.{table}').scan().to_arrow().to_pylist()
    for row in found:
        if row.get('reason') == 'batch_conflict': row.update(bytes=None, bytes_total=None, context=None)
    return sorted(json.dumps(plain(row)) for row in found)

for table in sys.argv[3:]:
    one, other = rows(sys.argv[1], table), rows(sys.argv[2], table)
    print(json.dumps([table, len(one), one == other]))
`

/** Lands the records with Flink, from files instead of topics, in a job that ends. */
async function land(uri: string): Promise<void> {
  const { gateway, rest } = cluster.state.flink
  const ports = { fetch: globalThis.fetch, clock: systemClock }
  const settings = { ...sessionSettings(3_600_000), 'parallelism.default': '1' }
  const session = unwrap(
    await openSession({ url: gateway, headers: {} }, 'one meaning', settings, ports),
  )
  const compiled = compileParts(parts, 'headwater')
  const files = ({ name }: { readonly name: string }): Record<string, string> => ({
    connector: 'filesystem',
    path: `file://${path.dirname(fileOf(name))}`,
  })
  const lakeCatalog = { uri, namespace: 'headwater', properties: {} }
  const sources = compiled.flatMap((part) => part.sources)
  for (const statement of setupStatements(sources, files, lakeCatalog)) {
    unwrap(await session.run(statement))
  }
  const inserts = compiled.flatMap((part) => part.inserts)
  const { jobId } = unwrap(await session.run(`EXECUTE ${statementSet(inserts)}`))
  await session.close()
  const jobs = new JobManager({ url: rest, headers: {} }, ports)
  for (;;) {
    const state = unwrap(await jobs.state(jobId!))
    if (!ENDED.has(state)) await new Promise((resolve) => setTimeout(resolve, 200))
    else {
      expect(state, unwrap(await jobs.lastFailure(jobId!))).toBe('FINISHED')
      return
    }
  }
}
