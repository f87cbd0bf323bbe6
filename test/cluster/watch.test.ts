/** What is told of a cluster while real Kafka and Flink land records, stand still and are away: by metrics, by `tables`, by `doctor`. */
import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Finding } from '../../src/platform/index.ts'
import type { TestCluster } from '../support/cluster.ts'
import { type ClusterProject, deploy, startClusterProject } from '../support/cluster-project.ts'
import { headwater, type Running, temporaryFolder } from '../support/project.ts'

const { folder, remove } = temporaryFolder('watch')
let project: ClusterProject
let cluster: TestCluster
let platform: Running

beforeAll(async () => {
  const options = { size: { slots: 1 }, healthySeconds: 240 }
  project = await startClusterProject(folder, 'template/specs.ts', options)
  cluster = project.cluster
  platform = project.platform
}, 300_000)

afterAll(async () => {
  await project?.remove()
  remove()
}, 60_000)

const boot = randomBytes(16).toString('base64url')
let sent = 0

/** Sends a batch of one page view, and of one number that no chunk has. */
async function send(): Promise<void> {
  const seq = sent++
  const header = { boot, seq, first: 2 * seq, count: 2, sent: 10, booted: Date.now(), rtt: 0 }
  const view = { path: ['/'], load_time: [12] }
  const lines = [
    { ...header, ctx: { app_version: '1.0.0', platform: 'server' } },
    { type: 'page_viewed', n: [0], at: [5], cols: view },
  ]
  const body = lines.map((line) => JSON.stringify(line)).join('\n')
  const response = await fetch(`${platform.url}/v1/events`, { method: 'POST', body })
  expect(await response.json()).toMatchObject({ batches: [{ status: 'accepted' }] })
}

/** Metrics by name, with their labels. */
async function metrics(): Promise<ReadonlyMap<string, number>> {
  const text = await (await fetch(`${platform.url}/metrics`)).text()
  return new Map(
    [...text.matchAll(/^headwater_(\S+) (\S+)$/gm)].map(([, name, value]) => [
      name!,
      Number(value),
    ]),
  )
}

/** Waits until the metrics are as they are to be; a look comes every ten seconds. */
async function until(
  expected: (value: (name: string) => number) => boolean,
): Promise<(name: string) => number> {
  let last: ReadonlyMap<string, number> = new Map()
  for (let i = 0; i < 240; i++) {
    last = await metrics()
    const value = (name: string): number => last.get(name) ?? NaN
    if (expected(value)) return value
    await new Promise((resolve) => setTimeout(resolve, 500))
  }
  throw new Error(`metrics stay ${JSON.stringify([...last])}`)
}

async function findings(): Promise<Finding[]> {
  const { stdout } = await headwater(folder, ['doctor', '--json'])
  const lines = stdout.split('\n').filter((line) => line !== '')
  return lines.map((line) => JSON.parse(line) as Finding)
}
const about = (all: readonly Finding[], subject: Finding['subject']): Finding[] =>
  all.filter((each) => each.subject === subject)

const LONG = { timeout: 400_000 }

test('records that nobody lands: how many they are, and since when', LONG, async () => {
  await send()
  const value = await until((of) => of('lag_seconds{table="page_viewed"}') > 5)
  expect(value('lag_records{table="page_viewed"}')).toBe(1)
  expect(value('lag_records{table="batches"}')).toBe(1)
  expect(value('lag_records{table="quarantine"}')).toBe(0)
  expect(value('lag_seconds{table="quarantine"}')).toBe(0)
  expect([value('flink_reachable'), value('flink_job_running')]).toEqual([1, 0])
  expect(value('kafka_offsets_known')).toBe(1)
  const found = await findings()
  expect(about(found, 'flink')).toMatchObject([
    { level: 'bad', found: 'no job lands records', remedy: 'Run `headwater deploy`.' },
  ])
  expect(about(found, 'lag')[0]!.found).toMatch(/^2 records have not landed/)
  expect(about(found, 'log')).toMatchObject([{ level: 'ok' }])
})

test(
  'records that land: how fresh and complete the tables are, and how old the last checkpoint is',
  LONG,
  async () => {
    await deploy(folder)
    await until((of) => of('newest_received_seconds{table="page_viewed"}') > 0)
    await send()
    const begun = Date.now() / 1000
    const value = await until(
      (of) =>
        of('lag_records{table="page_viewed"}') === 0 &&
        of('lag_records{table="batches"}') === 0 &&
        of('newest_received_seconds{table="batches"}') > begun - 5 &&
        of('freshness_p99_seconds') > 0,
    )
    expect(value('flink_job_running')).toBe(1)
    expect(value('flink_job_restarts')).toBe(0)
    expect(value('flink_checkpoint_age_seconds')).toBeLessThan(60)
    expect(value('flink_checkpoint_bytes')).toBeGreaterThan(1000)
    expect(value('flink_checkpoint_seconds')).toBeGreaterThan(0)
    expect(value('freshness_p99_seconds')).toBeLessThan(60)
    // Half of the numbers are in no chunk.
    expect(value('complete_share{table="batches"}')).toBe(0.5)
    expect(value('valid_through_seconds')).toBeGreaterThan(begun - 60)
    const { stdout } = await headwater(folder, ['tables', '--json'])
    const rows = stdout.trim().split('\n')
    const view = rows.map((row) => JSON.parse(row)).find(({ table }) => table === 'page_viewed')
    expect(view).toMatchObject({ rows: 2, landed: 2, expected: 4, completeShare: 0.5 })
    const why = await headwater(folder, ['tables', '--why', 'page_viewed'])
    expect(why.stdout).toMatch(/queryable within 1 s\./)
    const found = await findings()
    expect(about(found, 'flink')).toMatchObject([
      { level: 'ok', found: expect.stringMatching(/^the job [0-9a-f]{32} runs$/) },
      { level: 'ok', found: expect.stringMatching(/^last checkpoint \d+ s ago/) },
    ])
    expect(about(found, 'lag')).toMatchObject([{ level: 'ok' }])
    expect(about(found, 'lake').at(-1)!.found).toMatch(/^50\.00 % of the events/)
  },
)

test('Flink and Kafka that are away: nothing old is told of them', LONG, async () => {
  await cluster.kill('taskmanager-1')
  await send()
  const stands = await until(
    (of) => of('flink_job_running') === 0 && of('lag_records{table="page_viewed"}') === 1,
  )
  expect(stands('flink_reachable')).toBe(1)
  expect(about(await findings(), 'flink')).toMatchObject([{ level: 'bad' }])

  await cluster.kill('jobmanager')
  await cluster.kill('broker-1')
  const away = await until((of) => of('flink_reachable') === 0 && of('kafka_offsets_known') === 0)
  expect(away('flink_checkpoint_age_seconds')).toBeNaN()
  expect(away('lag_records{table="page_viewed"}')).toBeNaN()
  expect(away('tables_readable')).toBe(1)
  const found = await findings()
  expect(about(found, 'flink')).toMatchObject([
    { level: 'bad', found: expect.stringMatching(/^flink_unavailable/) },
  ])
  expect(about(found, 'lag')).toMatchObject([
    { level: 'bad', found: expect.stringMatching(/^broker_unavailable/) },
  ])
})
