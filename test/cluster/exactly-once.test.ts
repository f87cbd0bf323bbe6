/**
 * Devices, collector, Kafka, Flink, catalog and lake as real processes: every acknowledged event is in its table once, whatever of them is
 * killed, and whenever, and whatever of the network fails, while headwater's own maintenance rewrites the same tables.
 */
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { FAULTS } from '../../examples/streaming/faults.ts'
import { type FleetReport, startFleet } from '../../examples/streaming/fleet.ts'
import { seededRandom } from '../../src/base/random.ts'
import { type CatalogProxy, startCatalogProxy } from '../support/catalog-proxy.ts'
import { startTestCluster, type TestCluster } from '../support/cluster.ts'
import { clusterOption, deploy } from '../support/cluster-project.ts'
import {
  checkpointOf,
  type HeldCommit,
  holdCommit,
  isOfSink,
  type Summarized,
} from '../support/flink-commits.ts'
import { freePorts } from '../support/ports.ts'
import {
  type Running,
  sql,
  startHeadwater,
  temporaryFolder,
  writeProject,
} from '../support/project.ts'
import { python, pythonIsThere } from '../support/python/python.ts'
import { startWire, type Wire } from '../support/wire.ts'

const { folder, remove } = temporaryFolder('exactly-once')
const random = seededRandom(20_261_125)
let cluster: TestCluster
let platform: Running
let proxy: CatalogProxy
/** Between Flink and the proxy before the catalog. */
let wire: Wire
let port: number
let catalog: number
/** Of all fleets so far. */
const reports: FleetReport[] = []

beforeAll(async () => {
  cluster = await startTestCluster({ slots: 2, heapMiB: 512 })
  const ports = await freePorts(3)
  port = ports[0]!
  catalog = ports[1]!
  proxy = await startCatalogProxy(`http://127.0.0.1:${catalog}`)
  wire = await startWire(ports[2]!, Number(new URL(proxy.uri).port))
  writeProject(folder, 'examples/streaming/specs.ts', {
    catalog: { port: catalog },
    // As busy as maintenance can be, and history as short.
    maintenance: { share: 1, fanIn: 2 },
    history: { minutes: 1, snapshots: 1, everyMinutes: 1, hours: 0 },
    cluster: clusterOption(cluster, {
      healthySeconds: 180,
      catalog: {
        uri: `http://127.0.0.1:${wire.port}/iceberg`,
        properties: { 'rest.client.socket-timeout-ms': '10000' },
      },
    }),
  })
  platform = await startHeadwater(folder, port)
}, 300_000)

afterAll(async () => {
  await platform?.kill('SIGKILL')
  await wire?.close()
  await proxy?.close()
  await cluster?.remove()
  remove()
}, 60_000)

const LONG = { timeout: 400_000 }

async function flink(path: string): Promise<any> {
  return (await fetch(`${cluster.state.flink.rest}${path}`)).json()
}

/** The job that runs, or is on its way there. */
async function job(): Promise<string> {
  const { jobs } = await flink('/jobs')
  return jobs.find(({ status }: { status: string }) => !/FAILED|CANCELED/.test(status)).id
}

/** Waits until what it looks at is so. */
async function until(what: string, holds: () => Promise<boolean>, everyMs = 500): Promise<void> {
  const end = performance.now() + 200_000
  while (!(await holds().catch(() => false))) {
    if (performance.now() > end) throw new Error(`It never came to this: ${what}`)
    await pause(everyMs)
  }
}

/** Devices on bad networks, while `meanwhile` happens; what they say must have arrived is kept. */
async function sending(seed: number, meanwhile: () => Promise<void>): Promise<FleetReport> {
  const { url } = platform
  const fleet = startFleet({ url, devices: 12, rate: 60, seed, faults: FAULTS, flushMs: 300 })
  try {
    await pause(2000)
    await meanwhile()
    await pause(1000)
  } catch (cause) {
    await fleet.stop(0)
    throw cause
  }
  const report = await fleet.stop(120_000)
  expect(report.complete).toBe(true)
  reports.push(report)
  return report
}

const LEDGER = `select sum(landed)::int as landed, sum(quarantined)::int as quarantined, sum(missing)::int as missing,
  count(*) filter (status <> 'duplicate' and count <> landed + quarantined + missing)::int as wrong from batches`
const TWICE =
  'select count(*)::int as n from (select boot, n from events group by all having count(*) > 1)'

function total(of: (report: FleetReport) => number): number {
  return reports.reduce((sum, report) => sum + of(report), 0)
}

function landedByType(): Record<string, number> {
  const types = new Set(reports.flatMap(({ byType }) => Object.keys(byType)))
  const counts = [...types].map(
    (type) => [type, total(({ byType }) => byType[type]?.landed ?? 0)] as const,
  )
  return Object.fromEntries(counts.filter(([, n]) => n > 0))
}

/** Everything that any device was told has arrived is in its table, once; ledger and quarantine say the same; no commit was made twice. */
async function expectOnce(): Promise<void> {
  const landed = total((report) => report.landed)
  const quarantined = total((report) => report.quarantined)
  await until('all has landed', async () => {
    const [row] = await sql(folder, `select count(*)::int as n from events`)
    const [held] = await sql(folder, LEDGER)
    return Number(row!['n']) >= landed && Number(held!['landed']) >= landed
  })
  // Another checkpoint, for what should not come.
  await pause(2500)
  const rows = await sql(folder, 'select type, count(*)::int as n from events group by type')
  expect(Object.fromEntries(rows.map(({ type, n }) => [type, n]))).toEqual(landedByType())
  expect(await sql(folder, TWICE)).toEqual([{ n: 0 }])
  expect(await sql(folder, LEDGER)).toEqual([{ landed, quarantined, missing: 0, wrong: 0 }])
  const held = 'select coalesce(sum(events), 0)::int as n from quarantine'
  expect(await sql(folder, held)).toEqual([{ n: quarantined }])
  expectNoRepeats()
  await expectCheckpointsKnown()
}

/** Each checkpoint of a job was taken at most once by each table. */
function expectNoRepeats(): void {
  const taken = [...proxy.answers].flatMap(([request, status]) =>
    status === 200 ? (checkpointOf(request) ?? []) : [],
  )
  expect(taken.length).toBeGreaterThan(0)
  expect(taken.filter((each, i) => taken.indexOf(each) !== i)).toEqual([])
}

/** However often a table is rewritten, and whatever of its history goes: the last checkpoint that it took is known. */
async function expectCheckpointsKnown(): Promise<void> {
  let rewrites = 0
  for (const table of ['api_called', 'play_progressed', 'batches']) {
    const answer = await fetch(
      `http://127.0.0.1:${catalog}/iceberg/v1/namespaces/headwater/tables/${table}`,
    )
    const { metadata } = (await answer.json()) as { metadata: { snapshots: Summarized[] } }
    for (const { summary } of metadata.snapshots) {
      if (summary['operation'] === 'replace') rewrites++
      expect(summary, table).toHaveProperty(['flink.max-committed-checkpoint-id'])
    }
  }
  expect(rewrites).toBeGreaterThan(0)
}

async function expectRuns(): Promise<void> {
  const before = (await flink(`/jobs/${await job()}/checkpoints`)).counts.completed as number
  await until('the job makes checkpoints', async () => {
    const { counts } = await flink(`/jobs/${await job()}/checkpoints`)
    return counts.completed > before
  })
}

test('events of every type are in the lake, and maintenance fails no commit', LONG, async () => {
  expect(await deploy(folder, '--plan')).toMatch(/A job is started\.$/m)
  expect(await deploy(folder)).toMatch(/^The job [0-9a-f]{32} runs\.$/m)
  expect(await deploy(folder, '--plan')).toMatch(/^Nothing to do/m)
  const metric = async (): Promise<number> => {
    const text = await (await fetch(`${platform.url}/metrics`)).text()
    return Number(
      /^headwater_maintenance_jobs_total\{kind="compact"\} (\d+)$/m.exec(text)?.[1] ?? 0,
    )
  }
  const report = await sending(1, () =>
    until('maintenance has merged files', async () => (await metric()) > 3),
  )
  expect(report.landed).toBeGreaterThan(200)
  expect(report.repeats).toBeGreaterThan(0)
  await expectOnce()
  // A machine that is too busy may stop a job, but not a commit that was refused for another.
  const failures = JSON.stringify(await flink(`/jobs/${await job()}/exceptions`))
  expect(failures).not.toMatch(/CommitFailedException|ValidationException|BadRequestException/)
})

test('a TaskManager dies at any time, and in the middle of a checkpoint', LONG, async () => {
  await sending(2, async () => {
    await pause(random.float() * 2000)
    await cluster.kill('taskmanager-1')
    await cluster.up()
    await expectRuns()
    const running = async (): Promise<boolean> =>
      (await flink(`/jobs/${await job()}/checkpoints`)).counts.in_progress > 0
    await until('a checkpoint is being made', running, 10)
    await cluster.kill('taskmanager-1')
    await cluster.up()
  })
  await expectOnce()
})

test(
  'a commit whose TaskManager died arrives late, and its repetition is refused',
  LONG,
  async () => {
    let late: HeldCommit | undefined
    let again: HeldCommit | undefined
    await sending(3, async () => {
      late = await holdCommit(proxy)
      await cluster.kill('taskmanager-1')
      const repetition = holdCommit(proxy, (each) => isOfSink(each, late!.checkpoint))
      await cluster.up()
      // The job has looked: the checkpoint is not in the table. Now it comes.
      again = await repetition
      late.release('pass')
      await until('it has come', () => Promise.resolve(proxy.answers.has(late!.request)), 10)
      again.release('pass')
    })
    await expectOnce()
    // Never both; maintenance may have been before the late one, which is then not there and need not be refused.
    const said = [late!, again!].map(({ request }) => proxy.answers.get(request))
    if (said[0] === 200) expect(said[1]).toBe(400)
    else expect(said[0]).toBe(409)
  },
)

test('the JobManager dies in the middle of a commit, and its job is resumed', LONG, async () => {
  await sending(4, async () => {
    const commit = await holdCommit(proxy)
    await cluster.kill('jobmanager')
    commit.release({ lost: 'closed' })
    await cluster.up()
    expect(await deploy(folder, '--plan')).toMatch(
      /^The job is started again with the same plan, from file:/m,
    )
    await deploy(folder)
  })
  await expectOnce()
})

test('broker and SQL Gateway die, and devices are heard again', LONG, async () => {
  await sending(5, async () => {
    await pause(random.float() * 2000)
    await cluster.kill('gateway')
    await cluster.kill('broker-1')
    await pause(2000)
    expect([...(await cluster.up())].sort()).toEqual(['broker-1', 'gateway'])
    expect(await deploy(folder, '--plan')).toMatch(/^Nothing to do/m)
  })
  await expectOnce()
})

test('collector and catalog die in the middle of a commit, and at any time', LONG, async () => {
  await sending(6, async () => {
    const commit = await holdCommit(proxy)
    commit.release('pass')
    await pause(random.float() * 30)
    await platform.kill('SIGKILL')
    platform = await startHeadwater(folder, port)
    await expectRuns()
    await pause(random.float() * 2000)
    await platform.kill('SIGKILL')
    await pause(3000)
    platform = await startHeadwater(folder, port)
  })
  await expectOnce()
})

test(
  'the network between Flink and the catalog fails, with answers on their way',
  LONG,
  async () => {
    await sending(7, async () => {
      const commit = await holdCommit(proxy)
      commit.release({ lost: 'closed' })
      await expectRuns()
      const other = await holdCommit(proxy)
      other.release({ lost: 504 })
      await expectRuns()
      // Nothing passes, and nobody is told.
      wire.silence()
      await pause(15_000)
      wire.mend()
      await expectRuns()
    })
    await expectOnce()
  },
)

test.skipIf(!pythonIsThere())('PyIceberg finds each event once as well', LONG, async () => {
  const expected = landedByType()
  const uri = `http://127.0.0.1:${catalog}/iceberg`
  const found = await python(
    `
import json, sys
from pyiceberg.catalog import load_catalog
catalog = load_catalog('lake', type='rest', uri=sys.argv[1])
for name in sys.argv[2:]:
  rows = catalog.load_table(('headwater', name)).scan(selected_fields=('boot', 'n')).to_arrow()
  print(json.dumps([name, rows.num_rows, rows.group_by(['boot', 'n']).aggregate([]).num_rows]))
`,
    [uri, ...Object.keys(expected)],
  )
  expect(found).toEqual(Object.entries(expected).map(([type, n]) => [type, n, n]))
})
