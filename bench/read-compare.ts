/** The rows of one day written by headwater, PyIceberg and Spark, and what it costs three engines to read each. */
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { systemClock } from '../src/base/clock.ts'
import { LakeReader } from '../src/engine/index.ts'
import type { Platform } from '../src/platform/index.ts'
import { startSpark } from '../test/support/java/spark.ts'
import { interpreter } from '../test/support/python/python.ts'
import { type SqlEngine, sqlEngine } from '../test/support/script.ts'
import { makeDay, openDay, TABLE } from './read-lake.ts'

/** Whose table: the name in the catalog. */
export const WRITERS = {
  headwater: `headwater.${TABLE}`,
  PyIceberg: `pyiceberg.${TABLE}`,
  Spark: `spark.${TABLE}`,
} as const
export type Writer = keyof typeof WRITERS
export type Reader = 'DuckDB' | 'PyIceberg' | 'Spark'

const HOUR = ['2026-01-15T11:00:00+00:00', '2026-01-15T12:00:00+00:00'] as const

/** What is asked, as SQL of a table; PyIceberg's own form is in read.py. Each answers one number first. */
const QUERIES: Readonly<Record<string, (table: string) => string>> = {
  count: (table) => `select count(n) as v from ${table}`,
  sums: (table) => `select sum(visible_ms) as v, sum(position) as w from ${table}`,
  'an hour': (table) =>
    `select count(*) as v, sum(visible_ms) as w from ${table} where event_time >= timestamp '${HOUR[0]}' and event_time < timestamp '${HOUR[1]}'`,
  'by text': (table) =>
    `select count(*) as v from (select list, count(*) as n from ${table} group by list)`,
  'top titles': (table) =>
    `select count(*) as v, title_id from ${table} group by title_id order by 1 desc, 2 limit 10`,
  'every column': (table) =>
    `select count(*) as v, ${COLUMNS.map((name, i) => `max(${name}) as m${i}`).join(', ')} from ${table}`,
}

const COLUMNS = [
  'event_time',
  'received_at',
  'boot',
  'n',
  'seq',
  'install',
  'session',
  'app',
  'app_version',
  'platform',
  'device',
  'member',
  'title_id',
  'position',
  'list',
  'artwork',
  'visible_ms',
]

/** The median of some runs, ms. */
export interface Cost {
  readonly wall: number
  readonly cpu: number
}

/** What one reader takes for one query of each writer's table. */
export interface Read {
  readonly reader: Reader
  readonly query: string
  readonly costs: Readonly<Record<Writer, Cost>>
  /** Processor time of ours for that of theirs, median of pairs of runs that followed one another: the larger one, against the best of them. */
  readonly ratio: number
}

export interface ReadReport {
  readonly rows: number
  readonly written: Readonly<Record<string, { readonly files: number; readonly bytes: number }>>
  readonly reads: readonly Read[]
}

/** Spark's own reads vary by more than they differ, and take seconds. */
const SPARK_SHARE = 1 / 3

export async function compareReads(
  rows: number,
  times: number,
  asked: readonly Reader[],
): Promise<ReadReport> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'headwater-read-'))
  const made = await makeDay(folder, rows)
  const platform = await openDay(folder)
  const uri = platform.catalogUrl!
  const python = await startPython(uri)
  const spark = await startSpark(uri)
  try {
    await python.sql(`copy ${WRITERS.headwater} ${WRITERS.PyIceberg}`)
    await spark.sql('create namespace spark')
    await spark.sql(
      `create table ${WRITERS.Spark} using iceberg partitioned by (days(event_time)) as select * from ${WRITERS.headwater}`,
    )
    const written: Record<string, { files: number; bytes: number }> = {}
    for (const [writer, table] of Object.entries(WRITERS)) {
      const [size] = await spark.sql(
        `select count(*) as files, sum(file_size_in_bytes) as bytes from ${table}.files`,
      )
      written[writer] = size as { files: number; bytes: number }
    }
    const reads: Read[] = []
    const readers = await readersOf(platform, python, spark)
    for (const query of Object.keys(QUERIES)) {
      for (const reader of asked) {
        const rounds = reader === 'Spark' ? Math.ceil(times * SPARK_SHARE) : times
        const compared = await interleaved(rounds, (table) => readers.all[reader](query, table))
        reads.push({ reader, query, ...compared })
      }
    }
    readers.close()
    return { rows: made, written, reads }
  } finally {
    await python.stop()
    await spark.stop()
    await platform.close()
    await rm(folder, { recursive: true, force: true })
  }
}

type Run = (query: string, table: string) => Promise<Cost & { readonly value: number }>

async function readersOf(
  platform: Platform,
  python: SqlEngine,
  spark: SqlEngine,
): Promise<{ readonly all: Readonly<Record<Reader, Run>>; close(): void }> {
  const reader = await LakeReader.open(platform.lake, 2)
  const duckdb = async (query: string, table: string): Promise<number> => {
    const sql = QUERIES[query]!(table.replace(/^headwater\./, ''))
    const answer = await reader.query(platform.lake.state, sql)
    if (!answer.ok) throw answer.error
    return Number(answer.value.rows[0]![0])
  }
  const all: Record<Reader, Run> = {
    DuckDB: (query, table) => measured(ownCpu, () => duckdb(query, table)),
    PyIceberg: async (query, table) => {
      const name = query.replaceAll(' ', '_')
      const [cost] = await python.sql(`read ${table} ${name} ${HOUR.join(' ')}`)
      return cost as unknown as Cost & { value: number }
    },
    Spark: (query, table) =>
      measured(
        () => cpuOf(spark.pid),
        async () => {
          const [row] = await spark.sql(QUERIES[query]!(table))
          return Number(row!['v'])
        },
      ),
  }
  return { all, close: () => reader.close() }
}

/** Rounds after one that warms up; in each every writer's table once, every other round in reverse. All must answer the same. */
async function interleaved(
  times: number,
  run: (table: string) => ReturnType<Run>,
): Promise<Pick<Read, 'costs' | 'ratio'>> {
  const writers = Object.keys(WRITERS) as Writer[]
  const rounds: Record<Writer, Cost>[] = []
  const values = new Set<number>()
  for (let round = 0; round <= times; round++) {
    const costs = new Map<Writer, Cost>()
    for (const writer of round % 2 === 0 ? writers : writers.toReversed()) {
      const { wall, cpu, value } = await run(WRITERS[writer])
      values.add(value)
      costs.set(writer, { wall, cpu })
    }
    if (round > 0) rounds.push(Object.fromEntries(costs) as Record<Writer, Cost>)
  }
  if (values.size !== 1) throw new Error(`the tables differ: ${[...values].join(' ')}`)
  const costOf = (writer: Writer): Cost => ({
    wall: median(rounds.map((costs) => costs[writer].wall)),
    cpu: median(rounds.map((costs) => costs[writer].cpu)),
  })
  const against = (writer: Writer): number =>
    median(rounds.map((costs) => costs.headwater.cpu / costs[writer].cpu))
  return {
    costs: {
      headwater: costOf('headwater'),
      PyIceberg: costOf('PyIceberg'),
      Spark: costOf('Spark'),
    },
    ratio: Math.max(against('PyIceberg'), against('Spark')),
  }
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!
}

async function measured(
  total: () => number,
  run: () => Promise<number>,
): Promise<Cost & { readonly value: number }> {
  const [wall, cpu] = [systemClock.monotonic(), total()]
  const value = await run()
  return { value, wall: systemClock.monotonic() - wall, cpu: total() - cpu }
}

function ownCpu(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}

/** Milliseconds of a process, those of threads that have ended included (proc(5)): in steps of ten. */
function cpuOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) * 10
}

async function startPython(uri: string): Promise<SqlEngine> {
  const program = fileURLToPath(new URL('read.py', import.meta.url))
  return sqlEngine('PyIceberg', spawn(await interpreter(), [program, uri]))
}
