/** Deployment on real Flink: started, upgraded, taken back, resumed after crashes; every batch lands once through all of it. */
import { mkdirSync, renameSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { systemClock } from '../../src/base/clock.ts'
import { nodeFiles } from '../../src/base/node/files.ts'
import { Deployer, type DeployPlan, type FlinkSite } from '../../src/engine/flink/deploy.ts'
import { JobManager } from '../../src/engine/flink/jobs.ts'
import { landingPipeline } from '../../src/engine/flink/pipeline.ts'
import { compileParts, type Connector } from '../../src/engine/flink/statements.ts'
import { schemasOf } from '../../src/platform/schemas.ts'
import type { SpecSet } from '../../src/spec/field.ts'
import type { SpecLock } from '../../src/spec/lock.ts'
import { startCatalog, type TestCatalog } from '../lake/catalog.ts'
import { lockAfter, optional, required, specSet } from '../spec/support.ts'
import { type CatalogProxy, startCatalogProxy } from '../support/catalog-proxy.ts'
import { startTestCluster, type TestCluster } from '../support/cluster.ts'
import { holdCommit, isOfSink } from '../support/flink-commits.ts'
import { ask, unwrap } from '../support/platform.ts'
import { temporaryFolder } from '../support/project.ts'

const { folder, remove } = temporaryFolder('deploy')
const ports = { fetch: globalThis.fetch, clock: systemClock, files: nodeFiles }

const size = required({ kind: 'int' })
const first = specSet({ seen: { size } })
const second = specSet({ seen: { size, name: optional({ kind: 'string' }) }, left: { size } })
const third = specSet({
  seen: { size, name: optional({ kind: 'string' }) },
  left: { size },
  gone: { size },
})

let cluster: TestCluster
let catalog: TestCatalog
/** Flink reaches the catalog through it. */
let proxy: CatalogProxy
const steps: string[] = []

beforeAll(async () => {
  cluster = await startTestCluster({ slots: 1 })
  catalog = await startCatalog(path.join(folder, 'lake'), { landedElsewhere: true })
  proxy = await startCatalogProxy(new URL(catalog.uri).origin)
}, 300_000)

afterAll(async () => {
  await cluster?.remove()
  await proxy?.close()
  await catalog?.close()
  remove()
})

/** Records come from files here, so that the test needs no broker: Flink remembers which ones it has read as it does offsets. */
const files: Connector = ({ name }) => ({
  connector: 'filesystem',
  path: `file://${topicFolder(name)}`,
  'source.monitor-interval': '500 ms',
})
/** Files that Flink cannot list, which it notices only when the job runs. */
const broken: Connector = (source) =>
  source.name === 'events.gone' ? { ...files(source), path: 'nowhere://x/y' } : files(source)

function topicFolder(name: string): string {
  const made = path.join(folder, 'records', name)
  mkdirSync(made, { recursive: true })
  return made
}

let written = 0

/** Writes a record; Flink never sees half of a file. */
function write(topic: string, record: object): void {
  const file = path.join(topicFolder(topic), `${written++}.json`)
  writeFileSync(path.join(folder, 'half'), `${JSON.stringify(record)}\n`)
  renameSync(path.join(folder, 'half'), file)
}

/** A batch of one event. */
function send(type: string, seq: number): void {
  const received_at = '2026-11-25T10:11:12.000000Z'
  const batch = { boot: 'b', seq, received_at, fingerprint: seq }
  const cols = { size: [seq] }
  write(`events.${type}`, {
    ...batch,
    part: 0,
    n: [seq],
    event_time: [received_at],
    at: [1],
    cols,
  })
  const counts = { first: seq, count: 1, status: 'accepted', landed: 1, quarantined: 0, missing: 0 }
  write('batches', { ...batch, ...counts, sent: 1, booted: 1, clock: 'monotonic', bytes: 1 })
}

async function deployer(
  specs: SpecSet,
  lock: SpecLock,
  connector = files,
  healthyMs = 60_000,
): Promise<Deployer> {
  const { lake } = catalog
  const uri = `${proxy.uri}/iceberg`
  const { events, batches, quarantine } = schemasOf({ specs, lock })
  const schemas = [...events.values(), batches, quarantine]
  unwrap(await lake.commit({ schemas, appends: new Map(), offset: 0 }))
  const { gateway, rest } = cluster.state.flink
  const site: FlinkSite = {
    gateway: { url: gateway, headers: {} },
    jobManager: { url: rest, headers: {} },
    plans: path.join(folder, 'plans'),
    savepoints: undefined,
    stateTtlMs: 3_600_000,
    settings: { 'execution.checkpointing.interval': '1 s', 'parallelism.default': '1' },
    healthyMs,
  }
  const wanted = {
    parts: compileParts(landingPipeline(specs, lock), 'headwater'),
    connector,
    catalog: { uri, namespace: 'headwater', properties: {} },
  }
  return new Deployer(site, wanted, { ...ports, onStep: (step) => steps.push(step) })
}

/** The numbers of a table, each as often as it is there. */
async function numbers(table: string): Promise<number[]> {
  const rows = await ask(catalog.lake, `select size from "${table}" order by size`)
  return rows.map(({ size: number }) => number as number)
}

async function ledger(): Promise<Record<string, number>> {
  const rows = await ask(
    catalog.lake,
    'select status, count(*)::int as n from batches group by all',
  )
  return Object.fromEntries(rows.map(({ status, n }) => [status as string, n as number]))
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  for (let i = 0; i < 600; i++) {
    if (await condition()) return
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
  throw new Error('it does not come true within two minutes')
}

const landed = (table: string, ...expected: readonly number[]): Promise<void> =>
  until(async () => (await numbers(table)).join() === expected.join())

const briefly = ({ changes }: DeployPlan): string[] =>
  changes.map(({ part, change, state }) => `${part} ${change} ${state}`)

const LONG = { timeout: 240_000 }
const firstLock = lockAfter(first)
const secondLock = lockAfter(first, second)
const thirdLock = lockAfter(first, second, third)

test('the first deployment starts a job, and the next has nothing to do', LONG, async () => {
  const deploy = await deployer(first, firstLock)
  const plan = unwrap(await deploy.plan())
  expect(plan).toMatchObject({ action: 'start', job: undefined, from: undefined, drift: [] })
  expect(briefly(plan)).toEqual(['batches added none', 'seen added none'])
  for (const topic of ['events.seen', 'batches', 'quarantine']) topicFolder(topic)
  const { jobId } = unwrap(await deploy.roll(plan))
  send('seen', 1)
  send('seen', 2)
  send('seen', 1)
  await landed('seen', 1, 2)
  await until(async () => (await ledger())['duplicate'] === 1)
  const again = unwrap(await deploy.plan())
  expect(again).toMatchObject({ action: 'none', job: { id: jobId, state: 'RUNNING' }, drift: [] })
  expect(briefly(again)).toEqual(['batches same kept', 'seen same kept'])
  expect(unwrap(await deploy.roll(again)).jobId).toBe(jobId)
})

test(
  'an upgrade knows what came before it, with another column and another table',
  LONG,
  async () => {
    const deploy = await deployer(second, secondLock)
    topicFolder('events.left')
    const plan = unwrap(await deploy.plan())
    expect(plan.action).toBe('upgrade')
    expect(briefly(plan)).toEqual(['batches same kept', 'left added none', 'seen changed kept'])
    unwrap(await deploy.roll(plan))
    send('seen', 2)
    send('seen', 3)
    send('left', 4)
    await landed('left', 4)
    await landed('seen', 1, 2, 3)
    await until(async () => (await ledger())['duplicate'] === 2)
    expect(await ledger()).toEqual({ accepted: 4, duplicate: 2 })
  },
)

test('an upgrade that does not work is taken back, with what it committed', LONG, async () => {
  const deploy = await deployer(third, thirdLock, broken)
  const plan = unwrap(await deploy.plan())
  expect(briefly(plan)).toEqual([
    'batches same kept',
    'gone added none',
    'left same kept',
    'seen same kept',
  ])
  const rolled = await deploy.roll(plan)
  expect(rolled).toMatchObject({ ok: false, error: { code: 'deploy_failed' } })
  expect(!rolled.ok && rolled.error.detail).toMatch(/nowhere.*What ran before runs again, as job/s)
  send('seen', 3)
  send('seen', 5)
  await landed('seen', 1, 2, 3, 5)
  await until(async () => (await ledger())['duplicate'] === 3)
  const now = unwrap(await (await deployer(second, secondLock)).plan())
  expect(now).toMatchObject({ action: 'none', drift: [] })
})

test('a job that somebody cancelled goes on from its last checkpoint', LONG, async () => {
  const jobs = new JobManager({ url: cluster.state.flink.rest, headers: {} }, ports)
  const deploy = await deployer(second, secondLock)
  const { job } = unwrap(await deploy.plan())
  unwrap(await jobs.cancel(job!.id))
  const plan = unwrap(await deploy.plan())
  expect(plan).toMatchObject({ action: 'resume', job: undefined })
  expect(plan.from).toContain(job!.id)
  expect(plan.drift).toEqual([`the job ${job!.id} is CANCELED`])
  send('seen', 5)
  send('seen', 6)
  expect(unwrap(await deploy.roll(plan)).from).toBe(plan.from)
  await landed('seen', 1, 2, 3, 5, 6)
  await until(async () => (await ledger())['duplicate'] === 4)
})

test('so does one that no JobManager remembers', LONG, async () => {
  await cluster.kill('jobmanager')
  await cluster.up()
  // The TaskManager is silent for half a minute before it lets its slot go.
  const deploy = await deployer(second, secondLock, files, 150_000)
  const plan = unwrap(await deploy.plan())
  expect(plan).toMatchObject({ action: 'resume', job: undefined })
  expect(plan.drift).toEqual(['the JobManager does not know of the job any more'])
  expect(plan.from).toMatch(/chk-\d+$/)
  expect(briefly(plan)).toEqual(['batches same kept', 'left same kept', 'seen same kept'])
  unwrap(await deploy.roll(plan))
  send('left', 4)
  send('seen', 7)
  await landed('seen', 1, 2, 3, 5, 6, 7)
  await until(async () => (await ledger())['duplicate'] === 5)
  await landed('left', 4)
  expect(catalog.bugs).toEqual([])
})

test('a commit that was on its way when its TaskManager died is not made again', LONG, async () => {
  const before = await numbers('seen')
  const ofSeen = holdCommit(proxy, (checkpoint) => checkpoint.startsWith('seen '))
  send('seen', 8)
  const late = await ofSeen
  await cluster.kill('taskmanager-1')
  const repetition = holdCommit(proxy, (checkpoint) => isOfSink(checkpoint, late.checkpoint))
  await cluster.up()
  // The job has looked, and has not found its checkpoint in the table. Now it comes there.
  const again = await repetition
  late.release('pass')
  await until(() => Promise.resolve(proxy.answers.has(late.request)))
  again.release('pass')
  send('seen', 9)
  await until(async () => (await numbers('seen')).includes(9))
  expect(await numbers('seen')).toEqual([...before, 8, 9])
  // Not 409: its client would make the same commit on top of what is there now.
  const said = [late, again].map(({ request }) => proxy.answers.get(request))
  expect(said).toEqual([200, 400])
})
