/** Completeness over real HTTP: what snapshots claim is what the devices numbered, before and after a restart. */
import { randomBytes } from 'node:crypto'
import { afterAll, expect, test } from 'vitest'
import { type Clock, systemClock } from '../../src/base/clock.ts'
import { claimOf } from '../../src/engine/index.ts'
import type { Platform } from '../../src/platform/index.ts'
import { defineEvent, int } from '../../src/spec/index.ts'
import { ask, landed, projectOf, start } from '../support/platform.ts'
import { headwater, temporaryFolder, writeProject } from '../support/project.ts'

const specs = {
  tick: defineEvent('tick', { doc: 'A tick.', fields: { i: int() } }),
  tock: defineEvent('tock', { doc: 'A tock.', fields: { i: int() } }),
}

/** The real clock, moved so that the test does not cross the end of a minute. */
const moved = 45_000 - (systemClock.wall() % 60_000)
const clock: Clock = { ...systemClock, wall: () => systemClock.wall() + moved }

const { folder, remove } = temporaryFolder('completeness')
afterAll(remove)

interface Sent {
  readonly seq: number
  readonly first: number
  readonly count: number
  /** Type → offsets from first, and which of them have a value that does not fit. */
  readonly events: Readonly<Record<string, readonly (number | 'bad')[]>>
  readonly at: number
}

/** Sends a batch of a boot that began at `booted`. */
async function send(platform: Platform, boot: string, booted: number, batch: Sent): Promise<void> {
  const { seq, first, count } = batch
  const sent = clock.wall() - booted
  let next = 0
  const lines = [
    { boot, seq, first, count, sent, booted, rtt: 0, ctx: {} },
    ...Object.entries(batch.events).map(([type, values]) => ({
      type,
      n: values.map(() => next++),
      at: values.map(() => batch.at),
      cols: { i: values },
    })),
  ]
  const body = lines.map((line) => JSON.stringify(line)).join('\n')
  const response = await fetch(`${platform.url}/v1/events`, { method: 'POST', body })
  expect(response.status).toBe(200)
}

test('snapshots claim what the devices numbered, also after a restart', async () => {
  writeProject(folder, 'examples/streaming/specs.ts', { engine: { epochMs: 50 } })
  const project = projectOf(folder, specs)
  let platform = await start(project, { clock })
  const boot = randomBytes(16).toString('base64url')
  const booted = clock.wall() - 20_000
  // Numbers 0 … 9: seven ticks of which one is bad, two tocks, one that no chunk has.
  const batch = { at: 19_000, events: { tick: [1, 2, 3, 4, 5, 6, 'bad'], tock: [1, 2] } } as const
  await send(platform, boot, booted, { ...batch, seq: 0, first: 0, count: 10 })
  await landed(platform)
  const first = claimOf(platform.lake.state, 'tick')!
  expect(Math.abs(first.validThrough - (booted + 19_000))).toBeLessThan(5000)
  // Of nine whose type is known seven are ticks; so is, by estimate, that share of the tenth.
  expect(first).toMatchObject({ landed: 6, expected: 8, least: 0.75 })
  expect(first.share).toBeCloseTo(6 / (7 * (10 / 9)), 5)
  expect(claimOf(platform.lake.state, 'batches')).toMatchObject({ landed: 8, expected: 10 })

  // The second batch is overtaken by the third: numbers 10 … 19 are under way.
  await send(platform, boot, booted, { ...batch, seq: 2, first: 20, count: 9, at: 19_900 })
  await landed(platform)
  expect(claimOf(platform.lake.state, 'tick')).toMatchObject({ landed: 12, expected: 23 })
  const waiting = claimOf(platform.lake.state, 'batches')!
  expect(waiting).toMatchObject({ landed: 16, expected: 29 })
  expect(Math.abs(waiting.validThrough - (booted + 19_000))).toBeLessThan(5000)
  await platform.close()

  platform = await start(project, { clock })
  await send(platform, boot, booted, { ...batch, seq: 1, first: 10, count: 9, at: 19_500 })
  await landed(platform)
  // Number 19 was between two batches that follow each other: the device dropped it.
  expect(claimOf(platform.lake.state, 'batches')).toMatchObject({ landed: 24, expected: 29 })
  expect(claimOf(platform.lake.state, 'tock')).toMatchObject({ landed: 6 })
  const metrics = await (await fetch(`${platform.url}/metrics`)).text()
  expect(metrics).toMatch(/headwater_complete_share\{table="batches"\} 0\.827586\n/)
  expect(metrics).toMatch(
    /headwater_valid_through_seconds 1\.\d+e\+?9|headwater_valid_through_seconds 1\d{9}/,
  )
  const types = await ask(
    platform.lake,
    `select t.type, sum(t.landed)::integer as landed, sum(t.quarantined)::integer as quarantined
     from (select unnest(types) as t from batches) group by all order by all`,
  )
  expect(types).toEqual([
    { type: 'tick', landed: 18, quarantined: 3 },
    { type: 'tock', landed: 6, quarantined: 0 },
  ])
  await platform.close()

  const listed = await headwater(folder, ['tables', '--json'])
  const rows = listed.stdout.trim().split('\n')
  const tick = rows.map((row) => JSON.parse(row)).find(({ table }) => table === 'tick')
  expect(tick).toMatchObject({ landed: 18, rows: 18, validThrough: expect.stringMatching(/^20/) })
})
