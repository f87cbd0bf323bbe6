/** Compaction: fewer, sorted files with the same rows to every reader, through evolution, deletes and other writers' commits. */
import path from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { systemClock } from '../../src/base/clock.ts'
import { limits } from '../../src/base/limits.ts'
import { nodeFiles } from '../../src/base/node/files.ts'
import { seededRandom } from '../../src/base/random.ts'
import { Compactor } from '../../src/engine/duckdb/compact.ts'
import { openDuck } from '../../src/engine/duckdb/instance.ts'
import { relationOf } from '../../src/engine/duckdb/projection.ts'
import { newSnapshotId, stageSnapshot, totals } from '../../src/lake/append.ts'
import type { KeptLake } from '../../src/lake/index.ts'
import { doJob } from '../../src/lake/maintain/job.ts'
import { type CompactionPolicy, type Job, planTable } from '../../src/lake/maintain/plan.ts'
import { currentSnapshot } from '../../src/lake/metadata.ts'
import { loadTable } from '../../src/lake/load.ts'
import { Catalog } from '../../src/lake/catalog.ts'
import { tableAt } from '../../src/lake/catalog-file.ts'
import { dayOf, existingEntries, ownSpec, writeManifest } from '../../src/lake/write-manifest.ts'
import type { TableSchema } from '../../src/spec/iceberg-type.ts'
import { ask, unwrap } from '../support/platform.ts'
import { temporaryFolder } from '../support/project.ts'
import { clickhouse, icebergTable } from './clickhouse.ts'
import {
  append,
  commitForeign,
  DAY_MS,
  open,
  placeIn,
  type Place,
  storageOf,
  writeRows,
} from './tables.ts'

const POLICY: CompactionPolicy = { targetBytes: 1 << 20, fanIn: 4, settleMs: 3_600_000 }
const TODAY = Math.floor(systemClock.wall() / DAY_MS)

const first: TableSchema = {
  name: 'seen',
  doc: 'Something.',
  partitionBy: 'event_time',
  fields: [
    { id: 1, name: 'event_time', required: false, type: 'timestamptz' },
    { id: 2, name: 'size', required: false, type: 'int' },
    { id: 3, name: 'old_name', required: false, type: 'string' },
    { id: 4, name: 'price', required: false, type: 'decimal(9, 2)' },
    {
      id: 5,
      name: 'place',
      required: false,
      type: {
        type: 'struct',
        fields: [
          { id: 6, name: 'x', required: false, type: 'int' },
          { id: 7, name: 'label', required: false, type: 'string' },
        ],
      },
    },
    {
      id: 8,
      name: 'tags',
      required: false,
      type: {
        type: 'list',
        'element-id': 9,
        'element-required': false,
        element: {
          type: 'struct',
          fields: [{ id: 10, name: 'tag', required: false, type: 'string' }],
        },
      },
    },
    {
      id: 11,
      name: 'marks',
      required: false,
      type: {
        type: 'map',
        'key-id': 12,
        key: 'string',
        'value-id': 13,
        'value-required': false,
        value: {
          type: 'struct',
          fields: [{ id: 14, name: 'mark', required: false, type: 'int' }],
        },
      },
    },
  ],
}

/** Every kind of change that a specification may make: renamed, widened and added, also inside. */
const second: TableSchema = {
  ...first,
  fields: [
    first.fields[0]!,
    { id: 2, name: 'size', required: false, type: 'long' },
    { id: 3, name: 'name', required: false, type: 'string' },
    { id: 4, name: 'price', required: false, type: 'decimal(12, 2)' },
    {
      id: 5,
      name: 'place',
      required: false,
      type: {
        type: 'struct',
        fields: [
          { id: 7, name: 'title', required: false, type: 'string' },
          { id: 6, name: 'x', required: false, type: 'long' },
          { id: 15, name: 'y', required: false, type: 'int' },
        ],
      },
    },
    {
      id: 8,
      name: 'tags',
      required: false,
      type: {
        type: 'list',
        'element-id': 9,
        'element-required': false,
        element: {
          type: 'struct',
          fields: [
            { id: 10, name: 'word', required: false, type: 'string' },
            { id: 16, name: 'more', required: false, type: 'int' },
          ],
        },
      },
    },
    {
      id: 11,
      name: 'marks',
      required: false,
      type: {
        type: 'map',
        'key-id': 12,
        key: 'string',
        'value-id': 13,
        'value-required': false,
        value: {
          type: 'struct',
          fields: [{ id: 14, name: 'score', required: false, type: 'int' }],
        },
      },
    },
    { id: 17, name: 'note', required: false, type: 'string' },
  ],
}

/** Rows of one file: `from` says which, in an order that is not that of time. */
function early(day: number, from: number, rows: number): string {
  return `
    SELECT to_timestamp(${day} * 86400 + ((i * 7919) % 80000)) AS event_time, i::int AS size, 'name ' || i AS old_name,
      ((i % 1000) / 4)::decimal(9, 2) AS price,
      CASE WHEN i % 5 = 0 THEN NULL ELSE {'x': i::int, 'label': 'label ' || i} END AS place,
      [{'tag': 'a' || i}, {'tag': NULL}] AS tags, map {'k' || (i % 3): {'mark': (i % 10)::int}} AS marks
    FROM range(${from}, ${from + rows}) t(i)`
}

function late(day: number, from: number, rows: number): string {
  return `
    SELECT to_timestamp(${day} * 86400 + ((i * 7919) % 80000)) AS event_time, (i + 5000000000)::bigint AS size, 'ü name ' || i AS name,
      (i * 1000.25)::decimal(12, 2) AS price,
      {'title': 'title ' || i, 'x': i::bigint + 5000000000, 'y': (i % 7)::int} AS place,
      [{'word': 'b' || i, 'more': i::int}] AS tags, map {'z': {'score': i::int}} AS marks,
      CASE WHEN i % 2 = 0 THEN 'note' END AS note
    FROM range(${from}, ${from + rows}) t(i)`
}

/** Sums that every column has a part in. */
const CHECK_DUCK = `
  SELECT count(*) AS n, sum(epoch_us(event_time))::varchar AS t, sum(size)::varchar AS size, sum(strlen(name)) AS name,
    sum(price)::varchar AS price, count(place) AS places, sum(place.x)::varchar AS x, sum(strlen(place.title)) AS title, sum(place.y) AS y,
    sum(len(tags)) AS tags, sum(list_sum(list_transform(tags, lambda e: strlen(e.word)))) AS words,
    sum(list_sum(list_transform(tags, lambda e: e.more))) AS more,
    sum(list_sum(list_transform(map_values(marks), lambda e: e.score))) AS score, count(note) AS notes
  FROM seen`

const CHECK_CLICK = `
  SELECT toInt64(count()) AS n, toString(sum(toInt128(size))) AS c1, sum(length(name)) AS c2, count(note) AS c4
  FROM ${icebergTable('seen')}`

/** ClickHouse cannot read members that were renamed; once the files are new it can. */
const NESTED_CLICK = `
  SELECT toString(sum(place.x)) AS c1, sum(length(place.title)) AS c2, sum(length(tags)) AS c3,
    sum(arraySum(arrayMap(e -> ifNull(e.more, 0), tags))) AS c4
  FROM ${icebergTable('seen')}`

function compactorIn(folder: string): Compactor {
  const spill = path.join(folder, 'spill')
  return new Compactor({ files: nodeFiles, random: seededRandom(9), memory: '256MB', spill })
}

/** Plans and does jobs until none is left; answers what was done. */
async function maintain(lake: KeptLake, folder: string, now = systemClock.wall()): Promise<Job[]> {
  const rewriter = compactorIn(folder)
  const jobs: Job[] = []
  for (;;) {
    const survey = await lake.upkeep.survey('seen')
    const job = planTable(survey, POLICY, now).jobs.find(({ kind }) => kind === 'compact')
    if (job === undefined) break
    expect(jobs.length).toBeLessThan(50)
    const done = unwrap(await doJob(job, survey, { lake, rewriter, files: nodeFiles }))
    expect(done.refused).toBeUndefined()
    jobs.push(job)
  }
  await rewriter.close()
  return jobs
}

/** Rows of a query over the files as they lie, each column and member found by its id. */
async function askByIds(lake: KeptLake, query: string): Promise<Record<string, unknown>[]> {
  const duck = await openDuck({ threads: 1 })
  const connection = await duck.connect()
  const files = (await lake.files(lake.state, 'seen')).map((file) => file.path)
  const relation = await relationOf(connection, files, second.fields)
  const reader = await connection.runAndReadAll(`WITH seen AS (${relation}) ${query}`)
  const rows = reader.getRowObjectsJson()
  connection.closeSync()
  duck.close()
  return rows
}

async function tableNow(place: Place) {
  const storage = storageOf(place)
  const catalog = unwrap(await new Catalog(storage).newest())
  const location = tableAt(catalog, { namespace: 'headwater', name: 'seen' })
  return unwrap(await loadTable('seen', location!, storage))
}

describe('compaction', () => {
  const { folder, remove } = temporaryFolder('compact')
  afterAll(remove)

  test(
    'leaves the same rows in fewer, sorted files, through evolution',
    { timeout: 60_000 },
    async () => {
      const place = placeIn(folder)
      const lake = await open(place)
      const old = TODAY - 3
      for (let i = 0; i < 10; i++) {
        const of = [
          await writeRows(lake, first, old, early(old, i * 100, 100)),
          await writeRows(lake, first, TODAY, early(TODAY, i * 100, 50)),
        ]
        await append(lake, first, of, 2)
      }
      for (let i = 0; i < 7; i++) {
        const day = i % 2 === 0 ? old : TODAY
        await append(lake, second, [await writeRows(lake, second, day, late(day, i * 100, 100))])
      }
      const before = await askByIds(lake, CHECK_DUCK)
      const [clickBefore] = clickhouse(folder, [CHECK_CLICK])
      expect(before[0]!['n']).toBe('2200')
      const { offset } = lake.state
      // Yesterday's commits: the day is over and nothing has come to it since.
      const jobs = await maintain(lake, folder, systemClock.wall() + 2 * POLICY.settleMs)
      expect(jobs.length).toBeGreaterThan(1)
      expect(await ask(lake, CHECK_DUCK)).toEqual(before)
      expect(clickhouse(folder, [CHECK_CLICK])[0]).toEqual(clickBefore)
      const { x, title, tags, more } = before[0]!
      expect(clickhouse(folder, [NESTED_CLICK])[0]).toEqual([
        { c1: x, c2: Number(title), c3: Number(tags), c4: Number(more) },
      ])
      const survey = await lake.upkeep.survey('seen')
      expect(survey.files.filter(({ day }) => day === old)).toHaveLength(1)
      expect(survey.files.filter(({ day }) => day === TODAY).length).toBeLessThan(POLICY.fanIn)
      const { metadata } = await tableNow(place)
      const snapshot = currentSnapshot(metadata)!
      expect(snapshot.summary).toMatchObject({
        operation: 'replace',
        'headwater.offset': String(offset),
        'total-records': '2200',
        'total-data-files': String(survey.files.length),
      })
      const live = await lake.files(lake.state, 'seen')
      expect(live.reduce((sum, { bytes }) => sum + bytes, 0)).toBe(
        Number(snapshot.summary['total-files-size']),
      )
      await lake.close()
    },
  )

  test('keeps files sorted and their statistics true', async () => {
    const lake = await open(placeIn(folder), true)
    const duck = await openDuck({ threads: 1 })
    const connection = await duck.connect()
    const live = await lake.files(lake.state, 'seen')
    expect(live.length).toBeGreaterThan(0)
    const compacted = live.filter(({ rows }) => rows > 200)
    expect(compacted.length).toBeGreaterThan(1)
    for (const file of compacted) {
      const read = `read_parquet('${file.path}', hive_partitioning = false, file_row_number = true)`
      const [row] = (
        await connection.runAndReadAll(`
          SELECT count(*) AS n, min(epoch_us(event_time)) AS lo, max(epoch_us(event_time)) AS hi, min(size) AS small, max(size) AS large,
            (min(price) * 100)::bigint AS cheap, (max(price) * 100)::bigint AS dear, count(*) - count(note) AS unnoted, min(name) AS a, max(name) AS z,
            count(*) FILTER (WHERE event_time < previous) AS disorder
          FROM (SELECT *, lag(event_time) OVER (ORDER BY file_row_number) AS previous FROM ${read})`)
      ).getRowObjects()
      const of = (id: number) => file.columns.find(({ fieldId }) => fieldId === id)!
      expect(row).toMatchObject({
        n: BigInt(file.rows),
        disorder: 0n,
        lo: of(1).lower,
        hi: of(1).upper,
        small: of(2).lower,
        large: of(2).upper,
        cheap: of(4).lower,
        dear: of(4).upper,
        unnoted: BigInt(of(17).nulls!),
      })
      expect((row!['a'] as string) >= (of(3).lower as string)).toBe(true)
      expect((row!['z'] as string) <= (of(3).upper as string)).toBe(true)
    }
    connection.closeSync()
    duck.close()
    await lake.close()
  })
})

describe('another writer', () => {
  test(
    'has its position deletes applied once, and its delete files go',
    { timeout: 60_000 },
    async () => {
      const { folder, remove } = temporaryFolder('compact-deletes')
      const place = placeIn(folder)
      const old = TODAY - 3
      let lake = await open(place)
      for (let i = 0; i < 5; i++) {
        await append(lake, second, [await writeRows(lake, second, old, late(old, i * 100, 100))])
      }
      await lake.close()
      await deleteRows(place, (pos) => pos % 4 === 0)
      const click = `SELECT toInt64(count()) AS n, toString(sum(size)) AS size FROM ${icebergTable('seen')}`
      const [before] = clickhouse(folder, [click])
      expect(before![0]!['n']).toBe(375)
      lake = await open(place)
      const survey = await lake.upkeep.survey('seen')
      expect(survey.deletes).toHaveLength(5)
      const [job] = await maintain(lake, folder)
      expect(job).toMatchObject({ reason: '125 deleted rows of 500 are read for nothing' })
      expect(clickhouse(folder, [click])[0]).toEqual(before)
      const after = await lake.upkeep.survey('seen')
      expect(after.deletes).toEqual([])
      expect(after.files.map(({ rows }) => rows)).toEqual([375])
      expect(currentSnapshot((await tableNow(place)).metadata)!.summary).toMatchObject({
        'total-records': '375',
        'total-delete-files': '0',
        'total-position-deletes': '0',
      })
      // Headwater's own reader sees no deletes to apply.
      expect(await ask(lake, 'SELECT count(*) AS n FROM seen')).toEqual([{ n: '375' }])
      await lake.close()
      remove()
    },
  )

  test('that deletes rows of files while they are rewritten keeps its deletes', async () => {
    const { folder, remove } = temporaryFolder('compact-race')
    const place = placeIn(folder)
    const old = TODAY - 3
    let lake = await open(place)
    for (let i = 0; i < 3; i++) {
      await append(lake, second, [await writeRows(lake, second, old, late(old, i * 100, 100))])
    }
    const survey = await lake.upkeep.survey('seen')
    const later = systemClock.wall() + 2 * POLICY.settleMs
    const [job] = planTable(survey, POLICY, later).jobs
    await lake.close()
    await deleteRows(place, (pos) => pos === 1)
    lake = await open(place)
    const rewriter = compactorIn(folder)
    const done = unwrap(await doJob(job!, survey, { lake, rewriter, files: nodeFiles }))
    await rewriter.close()
    expect(done.refused).toBe('rows were deleted since')
    const count = `SELECT toInt64(count()) AS n FROM ${icebergTable('seen')}`
    expect(clickhouse(folder, [count])[0]).toEqual([{ n: 297 }])
    expect((await lake.upkeep.survey('seen')).files).toHaveLength(3)
    await lake.close()
    remove()
  })

  test('that replaced a file first wins; appends in between do not matter', async () => {
    const { folder, remove } = temporaryFolder('compact-again')
    const lake = await open(placeIn(folder))
    const old = TODAY - 3
    for (let i = 0; i < 3; i++) {
      await append(lake, second, [await writeRows(lake, second, old, late(old, i * 100, 100))])
    }
    const survey = await lake.upkeep.survey('seen')
    const [job] = planTable(survey, POLICY, systemClock.wall() + 2 * POLICY.settleMs).jobs
    // A merge of manifests comes in between as well.
    for (let i = 0; i < limits.manifestsPerTierMax; i++) {
      await append(lake, second, [await writeRows(lake, second, TODAY, late(TODAY, i * 100, 10))])
    }
    const rewriter = compactorIn(folder)
    const hands = { lake, rewriter, files: nodeFiles }
    expect(unwrap(await doJob(job!, survey, hands)).refused).toBeUndefined()
    expect(unwrap(await doJob(job!, survey, hands)).refused).toMatch(/is no longer live/)
    await rewriter.close()
    const rows = 300 + limits.manifestsPerTierMax * 10
    expect(await ask(lake, 'SELECT count(*) AS n FROM seen')).toEqual([{ n: String(rows) }])
    const count = `SELECT toInt64(count()) AS n FROM ${icebergTable('seen')}`
    expect(clickhouse(folder, [count])[0]).toEqual([{ n: rows }])
    await lake.close()
    remove()
  })
})

/** Position deletes of every data file, in a file each, as another engine commits them. */
async function deleteRows(place: Place, gone: (pos: number) => boolean): Promise<void> {
  const duck = await openDuck({ threads: 1 })
  const connection = await duck.connect()
  await commitForeign(place, 'seen', async (table, ports) => {
    const snapshotId = newSnapshotId(ports.random)
    const entries = []
    let rows = 0
    for (const manifest of table.manifests) {
      for (const entry of await existingEntries(manifest, ports.storage)) {
        const location = entry.dataFile['file_path'] as string
        const positions = Array.from(
          { length: Number(entry.dataFile['record_count']) },
          (_, i) => i,
        )
        const values = positions.filter(gone).map((pos) => `('${location}', ${pos}::bigint)`)
        const file = `${new URL(location).pathname}.deletes.parquet`
        await connection.run(
          `COPY (SELECT * FROM (VALUES ${values.join(', ')}) t(file_path, pos)) TO '${file}'
           (FORMAT parquet, FIELD_IDS {file_path: 2147483546, pos: 2147483545})`,
        )
        rows += values.length
        entries.push({
          status: 1,
          snapshotId,
          sequence: null,
          fileSequence: null,
          dataFile: {
            content: 1,
            file_path: `${location}.deletes.parquet`,
            file_format: 'PARQUET',
            partition: { event_day: dayOf(entry) },
            record_count: values.length,
            file_size_in_bytes: (await nodeFiles.info(file))!.size,
          },
        })
      }
    }
    const { metadata } = table
    const kind = { specId: ownSpec(metadata), snapshotId, content: 1 } as const
    const manifest = await writeManifest(table, entries, kind, ports)
    const change = {
      files: 0,
      rows: 0,
      bytes: 0,
      deleteFiles: entries.length,
      positionDeletes: rows,
    }
    return stageSnapshot(metadata, [manifest, ...table.manifests], ports, {
      snapshotId,
      now: systemClock.wall(),
      summary: { operation: 'delete', ...totals(currentSnapshot(metadata), change) },
    })
  })
  connection.closeSync()
  duck.close()
}
