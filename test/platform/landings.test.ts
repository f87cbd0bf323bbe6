/** Tables as one that does not write them sees them: the same claims as snapshots carry, reckoned from the ledger; how fresh commits were; and when the newest row came. */
import { randomBytes } from 'node:crypto'
import { afterAll, expect, test } from 'vitest'
import { systemClock } from '../../src/base/clock.ts'
import { claimOf, Landings, ledgerClaims } from '../../src/engine/index.ts'
import { arrivals } from '../../src/lake/index.ts'
import type { Platform } from '../../src/platform/index.ts'
import { defineEvent, int } from '../../src/spec/index.ts'
import { ask, landed, projectOf, start, unwrap } from '../support/platform.ts'
import { temporaryFolder } from '../support/project.ts'

const specs = {
  tick: defineEvent('tick', { doc: 'A tick.', fields: { i: int() } }),
  tock: defineEvent('tock', { doc: 'A tock.', fields: { i: int() } }),
}
const { folder, remove } = temporaryFolder('landings')
afterAll(remove)

/** Sends a batch of three numbers: a tick, one that does not fit, and one that no chunk has. */
async function send(platform: Platform, boot: string, seq: number): Promise<void> {
  const header = { boot, seq, first: 3 * seq, count: 3, sent: 100, booted: systemClock.wall() }
  const lines = [
    { ...header, rtt: 0, ctx: {} },
    { type: 'tick', n: [0, 1], at: [50, 60], cols: { i: [seq, 'bad'] } },
  ]
  const body = lines.map((line) => JSON.stringify(line)).join('\n')
  const response = await fetch(`${platform.url}/v1/events`, { method: 'POST', body })
  expect(response.status).toBe(200)
  await landed(platform)
}

test('claims and freshness without the writer’s word for it', async () => {
  const project = projectOf(folder, specs)
  const options = project.config.engine.completeness
  const platform = await start(project)
  const { lake } = platform
  const landings = new Landings(lake, options)
  await landings.look()
  expect([landings.newest.size, landings.claims.size]).toEqual([0, 0])
  expect(await ledgerClaims(lake, options)).toEqual(new Map())

  const boots = [1, 2].map(() => randomBytes(16).toString('base64url'))
  const begun = systemClock.wall()
  await send(platform, boots[0]!, 0)
  await landings.look()
  // What was committed before is not known to be fresh: nobody was there.
  expect(landings.freshness.quantile(0.5)).toBeUndefined()
  // One is overtaken, a copy comes, and the other device sends as well, between two looks.
  await send(platform, boots[0]!, 2)
  await send(platform, boots[1]!, 0)
  await send(platform, boots[1]!, 0)
  await send(platform, boots[0]!, 1)
  await landings.look()
  const ended = systemClock.wall()
  for (const table of ['tick', 'batches', 'quarantine']) {
    expect(landings.claims.get(table), table).toEqual(claimOf(lake.state, table))
  }
  expect(claimOf(lake.state, 'batches')).toMatchObject({ landed: 4, expected: 12 })
  expect((await ledgerClaims(lake, options)).get('tick')).toEqual(claimOf(lake.state, 'tick'))
  expect(landings.active).toBe(2)

  const age = landings.freshness.quantile(0.99)!
  expect(age).toBeGreaterThan(0)
  expect(age).toBeLessThan(ended - begun)
  const [row] = await ask(lake, 'select max(epoch_ms(received_at))::double as newest from tick')
  expect(landings.newest.get('tick')).toBe(row!['newest'])
  expect(landings.newest.has('tock')).toBe(false)

  // Each commit is told once, the oldest first, and only as many as are asked for.
  const reading = unwrap(await lake.reading(lake.state, 'batches'))
  const all = await arrivals(reading, 'received_at', 0, 100)
  expect(all.length).toBe(5)
  expect(all.map(({ sequence }) => sequence)).toEqual([1, 2, 3, 4, 5])
  for (const { from, to } of all) expect(to).toBeGreaterThanOrEqual(from)
  expect(await arrivals(reading, 'received_at', 3, 100)).toEqual(all.slice(3))
  expect(await arrivals(reading, 'received_at', 0, 2)).toEqual(all.slice(3))
  expect(await arrivals(reading, 'boot', 0, 2)).toEqual([])
  await platform.close()
})
