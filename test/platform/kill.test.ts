/** Devices, a bad network and kill -9: what the devices say they sent is what the tables hold, to the event. */
import { afterAll, expect, test } from 'vitest'
import { FAULTS } from '../../examples/streaming/faults.ts'
import { startFleet } from '../../examples/streaming/fleet.ts'
import { sql, startHeadwater, temporaryFolder, writeProject } from '../support/project.ts'

const { folder, remove } = temporaryFolder('kill')
afterAll(remove)

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

test('nothing is lost or doubled through three kills', { timeout: 300_000 }, async () => {
  writeProject(folder, 'examples/streaming/specs.ts', { engine: { epochMs: 300 } })
  let platform = await startHeadwater(folder)
  const { port, url } = platform
  const fleet = startFleet({ url, devices: 60, rate: 2500, seed: 11, faults: FAULTS })
  for (let i = 0; i < 3; i++) {
    await pause(1500 + i * 370)
    await platform.kill('SIGKILL')
    platform = await startHeadwater(folder, port)
  }
  await pause(1000)
  const report = await fleet.stop(150_000)
  expect(report.complete).toBe(true)
  expect(report.landed).toBeGreaterThan(5000)
  expect(report.quarantined).toBeGreaterThan(5)
  expect(await platform.kill('SIGTERM')).toBe(0)

  const counts = await sql(folder, 'select type, count(*) as n from events group by all')
  const landed = Object.entries(report.byType).filter(([, tally]) => tally.landed > 0)
  expect(Object.fromEntries(counts.map(({ type, n }) => [type, n]))).toEqual(
    Object.fromEntries(landed.map(([type, tally]) => [type, tally.landed])),
  )
  const held = await sql(folder, 'select type, sum(events) as n from quarantine group by all')
  const bad = Object.entries(report.byType).filter(([, tally]) => tally.quarantined > 0)
  expect(Object.fromEntries(held.map(({ type, n }) => [type, n]))).toEqual(
    Object.fromEntries(bad.map(([type, tally]) => [type, tally.quarantined])),
  )
  const [identity] = await sql(
    folder,
    'select count(*) as events, count(distinct (boot, n)) as identities from events',
  )
  expect(identity!['events']).toBe(identity!['identities'])
  const [ledger] = await sql(
    folder,
    `select sum("count") as numbered, sum(landed) as landed, sum(quarantined) as quarantined, sum(missing) as missing
     from batches where status <> 'duplicate'`,
  )
  expect(ledger).toEqual({
    numbered: report.landed + report.quarantined,
    landed: report.landed,
    quarantined: report.quarantined,
    missing: 0,
  })
})
