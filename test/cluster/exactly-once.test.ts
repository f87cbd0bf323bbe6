/** Devices, collector, Kafka, Flink and lake as real processes: whatever is killed, every acknowledged event is in its table once. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { FAULTS } from '../../examples/streaming/faults.ts'
import { type FleetReport, startFleet } from '../../examples/streaming/fleet.ts'
import { startTestCluster, type TestCluster } from '../support/cluster.ts'
import { freePorts } from '../support/kafka.ts'
import {
  headwater,
  type Running,
  sql,
  startHeadwater,
  temporaryFolder,
  writeProject,
} from '../support/project.ts'

const { folder, remove } = temporaryFolder('exactly-once')
let cluster: TestCluster
let platform: Running
let port: number

beforeAll(async () => {
  cluster = await startTestCluster({ slots: 2 })
  const [collector, catalog] = await freePorts(2)
  port = collector!
  const { gateway, rest } = cluster.state.flink
  writeProject(folder, 'examples/streaming/specs.ts', {
    catalog: { port: catalog },
    cluster: {
      kafka: { brokers: cluster.state.kafka.brokers, partitions: 2 },
      flink: { gateway, rest, checkpointSeconds: 1, parallelism: 1, healthySeconds: 180 },
    },
  })
  platform = await startHeadwater(folder, port)
}, 300_000)

afterAll(async () => {
  await platform?.kill('SIGKILL')
  await cluster?.remove()
  remove()
}, 60_000)

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

async function deploy(...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await headwater(folder, ['deploy', ...args])
  expect(stderr, `deploy ended with ${code}`).not.toMatch(/^[a-z_]+: /m)
  expect(code).toBe(0)
  return stdout
}

async function counts(): Promise<Record<string, number>> {
  const rows = await sql(folder, 'select type, count(*)::int as n from events group by type')
  return Object.fromEntries(rows.map(({ type, n }) => [type as string, n as number]))
}

/** Waits for what the devices say must be there, and asserts that it is there once. */
async function expectLanded(report: FleetReport): Promise<void> {
  const wanted = Object.entries(report.byType).flatMap(([type, { landed }]) =>
    landed > 0 ? [[type, landed] as const] : [],
  )
  const expected = Object.fromEntries(wanted)
  const total = wanted.reduce((sum, [, n]) => sum + n, 0)
  let found: Record<string, number> = {}
  for (let i = 0; i < 120; i++) {
    found = await counts()
    if (Object.values(found).reduce((sum, n) => sum + n, 0) >= total) break
    await pause(1000)
  }
  // Another checkpoint, for what should not come.
  await pause(3000)
  expect(await counts()).toEqual(expected)
  const once =
    'select count(*)::int as n from (select boot, n from events group by all having count(*) > 1)'
  expect(await sql(folder, once)).toEqual([{ n: 0 }])
  const ledger = await sql(
    folder,
    `select sum(landed)::int as landed, sum(quarantined)::int as quarantined, sum(missing)::int as missing,
      count(*) filter (status <> 'duplicate' and count <> landed + quarantined + missing)::int as wrong from batches`,
  )
  expect(ledger).toEqual([
    { landed: report.landed, quarantined: report.quarantined, missing: 0, wrong: 0 },
  ])
  const held = 'select coalesce(sum(events), 0)::int as n from quarantine'
  expect(await sql(folder, held)).toEqual([{ n: report.quarantined }])
}

test(
  'the job is deployed once, and devices’ events are in the lake',
  { timeout: 240_000 },
  async () => {
    expect(await deploy('--plan')).toMatch(/A job is started\.$/m)
    expect(await deploy()).toMatch(/^The job [0-9a-f]{32} runs\.$/m)
    expect(await deploy('--plan')).toMatch(/^Nothing to do/m)
  },
)

test(
  'everything is killed, one after another, while devices send',
  { timeout: 560_000 },
  async () => {
    const fleet = startFleet({
      url: platform.url,
      devices: 20,
      rate: 100,
      seed: 11,
      faults: FAULTS,
      flushMs: 300,
    })
    await pause(3000)
    for (const name of ['taskmanager-1', 'broker-1', 'gateway']) {
      await cluster.kill(name)
      await cluster.up()
      await pause(2000)
    }
    // With it the catalog, perhaps in a commit.
    await platform.kill('SIGKILL')
    platform = await startHeadwater(folder, port)
    await pause(3000)
    const report = await fleet.stop(180_000)
    expect(report.complete).toBe(true)
    expect(report.repeats).toBeGreaterThan(0)
    expect(report.landed).toBeGreaterThan(500)
    await expectLanded(report)
  },
)
