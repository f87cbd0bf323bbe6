/** Maintenance in real processes: kill -9 while files are rewritten, and the command that does and explains the work. */
import { afterAll, expect, test } from 'vitest'
import { FAULTS } from '../../examples/streaming/faults.ts'
import { startFleet } from '../../examples/streaming/fleet.ts'
import {
  headwater,
  type Running,
  sql,
  startHeadwater,
  temporaryFolder,
  writeProject,
} from '../support/project.ts'
import { clickhouse, icebergTable } from './clickhouse.ts'

const { folder, remove } = temporaryFolder('maintain-kill')
afterAll(remove)

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

interface Choice {
  readonly table: string
  readonly action: string
  readonly before: number
  readonly after?: number
  readonly reason: string
}

async function compact(...args: string[]): Promise<Choice[]> {
  const { code, stdout, stderr } = await headwater(folder, ['compact', '--json', ...args])
  if (code !== 0) throw new Error(stderr)
  const lines = stdout.split('\n').filter((line) => line !== '')
  return lines.map((line) => JSON.parse(line) as Choice)
}

const FILES = 'maintenance_files_before_total'

async function metric(platform: Running, name: string): Promise<number> {
  const text = await (await fetch(`${platform.url}/metrics`)).text()
  return Number(new RegExp(`^headwater_${name} (\\S+)$`, 'm').exec(text)?.[1])
}

async function counts(): Promise<Record<string, unknown>> {
  const rows = await sql(folder, 'select type, count(*) as n from events group by all')
  return Object.fromEntries(rows.map(({ type, n }) => [type as string, n]))
}

test('kill -9 during compaction loses and doubles nothing', { timeout: 300_000 }, async () => {
  const maintenance = { share: 1, fanIn: 2, targetBytes: 1 << 20 }
  writeProject(folder, 'examples/streaming/specs.ts', { engine: { epochMs: 150 }, maintenance })
  let platform = await startHeadwater(folder)
  const { port, url } = platform
  const fleet = startFleet({ url, devices: 40, rate: 2000, seed: 12, faults: FAULTS })
  let replaced = 0
  for (let i = 0; i < 4; i++) {
    // Files of the last run are rewritten from the moment that this one takes events.
    await pause(2000 + i * 171)
    await expect.poll(() => metric(platform, FILES), { timeout: 30_000 }).toBeGreaterThan(3)
    await pause(i * 171)
    replaced += await metric(platform, FILES)
    await platform.kill('SIGKILL')
    platform = await startHeadwater(folder, port)
  }
  expect(replaced).toBeGreaterThan(10)
  await pause(3000)
  const report = await fleet.stop(60_000)
  expect(report.complete).toBe(true)
  expect(await metric(platform, 'maintenance_failures_total')).toBe(0)

  const refused = await headwater(folder, ['compact'])
  expect(refused.code).toBe(1)
  expect(refused.stderr).toMatch(/^lake_locked[\s\S]*a running platform compacts by itself/)
  expect((await compact('--dry-run')).length).toBeGreaterThan(5)
  expect(await platform.kill('SIGTERM')).toBe(0)

  const landed = Object.entries(report.byType).filter(([, tally]) => tally.landed > 0)
  const expected = Object.fromEntries(landed.map(([type, tally]) => [type, tally.landed]))
  expect(await counts()).toEqual(expected)
  const [identity] = await sql(
    folder,
    'select count(*) as events, count(distinct (boot, n)) as identities from events',
  )
  expect(identity!['events']).toBe(identity!['identities'])
  const theirs = clickhouse(
    folder,
    landed.map(([type]) => `select toInt64(count()) as n from ${icebergTable(type)}`),
  )
  expect(theirs.map(([row]) => row!['n'])).toEqual(landed.map(([, tally]) => tally.landed))
})

test('the command does what its dry run says, and then leaves the tables alone', async () => {
  // As if nobody had compacted: larger groups than before are asked for, so that the tables are as the platform left them.
  writeProject(folder, 'examples/streaming/specs.ts', { maintenance: { fanIn: 2 } })
  const before = await counts()
  const planned = await compact('--dry-run')
  const rewrites = planned.filter(({ action }) => action === 'compact')
  expect(rewrites.length).toBeGreaterThan(0)
  expect(await compact('--dry-run')).toEqual(planned)
  const [first] = rewrites
  const done = await compact('--table', first!.table)
  expect(done).toContainEqual({ ...first, after: 1, bytes: expect.any(Number) as number })
  expect(new Set(done.map(({ table }) => table))).toEqual(new Set([first!.table]))
  await compact()
  const left = await compact('--dry-run')
  expect(left.filter(({ action }) => action === 'compact')).toEqual([])
  expect(left.every(({ reason }) => reason.length > 10)).toBe(true)
  expect(await counts()).toEqual(before)
  const unknown = await headwater(folder, ['compact', '--table', 'no_such'])
  expect(unknown.code).toBe(1)
  expect(unknown.stderr).toMatch(/^table_unknown/)
}, 120_000)
