/** Late and wrong times over real HTTP: every event lands once, with an honest time, and no client opens files without bound. */
import { randomBytes } from 'node:crypto'
import { afterAll, describe, expect, test } from 'vitest'
import { limits } from '../../src/base/limits.ts'
import { nodeFiles } from '../../src/base/node/files.ts'
import { systemClock } from '../../src/base/clock.ts'
import { seededRandom } from '../../src/base/random.ts'
import type { CommitReport } from '../../src/engine/index.ts'
import { type Platform, startPlatform } from '../../src/platform/index.ts'
import { defineEvent, int } from '../../src/spec/index.ts'
import { ask, landed, projectOf, start, unwrap } from '../support/platform.ts'
import { temporaryFolder } from '../support/project.ts'

const DAY_MS = 86_400_000
const TYPES = 300

const tick = defineEvent('tick', { doc: 'A tick.', fields: { i: int() } })
const many = Object.fromEntries(
  Array.from({ length: TYPES }, (_, i) => {
    const name = `type_${i}`
    return [name, defineEvent(name, { doc: 'One of many.', fields: { i: int() } })]
  }),
)

const folders = new Map<string, ReturnType<typeof temporaryFolder>>()
function folderOf(name: string): string {
  const made = temporaryFolder(name)
  folders.set(name, made)
  return made.folder
}
afterAll(() => {
  for (const { remove } of folders.values()) remove()
})

interface Answer {
  readonly status: number
  readonly retryAfter: string | null
  readonly json: { readonly error?: { readonly code: string } }
}

/** Sends one batch of a new boot: type → how many days ago its events were. */
async function send(
  platform: Platform,
  events: Readonly<Record<string, readonly number[]>>,
  boot = randomBytes(16).toString('base64url'),
): Promise<Answer> {
  const count = Object.values(events).reduce((sum, days) => sum + days.length, 0)
  const sent = 4000 * DAY_MS
  const booted = systemClock.wall() - sent
  let next = 0
  const lines = [
    { boot, seq: 0, first: 0, count, sent, booted, ctx: {} },
    ...Object.entries(events).map(([type, days]) => ({
      type,
      n: days.map(() => next++),
      at: days.map((day) => sent - day * DAY_MS),
      cols: { i: days.map((day) => Math.floor(Math.max(day, -9))) },
    })),
  ]
  const body = lines.map((line) => JSON.stringify(line)).join('\n')
  const response = await fetch(`${platform.url}/v1/events`, { method: 'POST', body })
  const json = (await response.json()) as Answer['json']
  return { status: response.status, retryAfter: response.headers.get('retry-after'), json }
}

/** As `send`, as often as the collector says that it is to be sent again. */
async function sendUntilTaken(
  platform: Platform,
  events: Readonly<Record<string, readonly number[]>>,
): Promise<number> {
  const boot = randomBytes(16).toString('base64url')
  for (let attempt = 0; ; attempt++) {
    const answer = await send(platform, events, boot)
    if (answer.status === 200) return attempt
    expect(answer).toMatchObject({ status: 429, json: { error: { code: 'late_days_busy' } } })
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

describe('a time outside the declared range', () => {
  test('lands on the day of receipt, with a flag and what it claimed', async () => {
    const platform = await start(
      projectOf(
        folderOf('range'),
        { tick },
        { config: { time: { pastDays: 30, futureMs: 60_000 } } },
      ),
    )
    const days = [0, 29.9, 30.1, 3999, -0.0005, -1, -1e250]
    expect((await send(platform, { tick: days })).status).toBe(200)
    await landed(platform)
    const rows = await ask(
      platform.lake,
      `select n::integer as n, time_flag, event_time = t.received_at as clamped,
         round(epoch_ms(b.received_at) - (b.sent - t."at") - epoch_ms(event_time)) as off,
         (b.sent - t."at") / ${DAY_MS} as days_ago
       from tick t join batches b using (boot, seq) order by n`,
    )
    expect(rows).toMatchObject([
      { n: 0, time_flag: null, off: 0 },
      { n: 1, time_flag: null, clamped: false, off: 0 },
      { n: 2, time_flag: 'clamped_past', clamped: true },
      { n: 3, time_flag: 'clamped_past', clamped: true },
      { n: 4, time_flag: null, clamped: false, off: 0 },
      { n: 5, time_flag: 'clamped_future', clamped: true },
      { n: 6, time_flag: 'clamped_future', clamped: true },
    ])
    rows.forEach((row, i) => expect(row['days_ago']).toBeCloseTo(days[i]!, 6))
    const held = await ask(platform.lake, 'select count(*)::integer as n from quarantine')
    expect(held).toEqual([{ n: 0 }])
    await platform.close()
  })
})

test('a batch opens a bounded number of files for far days; the rest lands on the day of receipt', async () => {
  const platform = await start(
    projectOf(folderOf('spread'), { tick }, { config: { time: { pastDays: 3660 } } }),
  )
  const days = Array.from({ length: 3000 }, (_, i) => i)
  expect((await send(platform, { tick: days })).status).toBe(200)
  await landed(platform)
  const rows = await ask(
    platform.lake,
    `select time_flag, count(*)::integer as n, count(distinct event_time::date)::integer as days,
       min(i)::integer as youngest from tick group by all order by all nulls first`,
  )
  // Today and yesterday cost nothing, tomorrow has no event.
  expect(rows).toEqual([
    {
      time_flag: null,
      n: limits.batchLateFilesMax + 2,
      days: limits.batchLateFilesMax + 2,
      youngest: 0,
    },
    { time_flag: 'clamped_spread', n: 2948, days: 1, youngest: 52 },
  ])
  await platform.close()
})

test(
  'clients that spread over days and types wait for each other, and live events for none of them',
  { timeout: 120_000 },
  async () => {
    const commits: CommitReport[] = []
    const project = projectOf(folderOf('fleet'), many, { config: { time: { pastDays: 3660 } } })
    const platform = unwrap(
      await startPlatform({
        project,
        files: nodeFiles,
        clock: systemClock,
        random: seededRandom(5),
        development: true,
        onCommit: (report) => commits.push(report),
      }),
    )
    const late = Array.from({ length: 10 }, (_batch, i) =>
      Object.fromEntries(
        Array.from({ length: 20 }, (_, j) => [
          `type_${(i * 20 + j) % TYPES}`,
          [10 + i * 250 + j, 9 + i],
        ]),
      ),
    )
    const waits = Promise.all(late.map((events) => sendUntilTaken(platform, events)))
    for (let i = 0; i < 20; i++) {
      expect((await send(platform, { [`type_${i}`]: [0, 0.01] })).status).toBe(200)
    }
    expect((await waits).some((attempts) => attempts > 0)).toBe(true)
    await landed(platform)
    const [counts] = await ask(
      platform.lake,
      'select count(*)::integer as n, count(time_flag)::integer as flagged from events',
    )
    expect(counts).toEqual({ n: 10 * 40 + 40, flagged: 0 })
    // Besides the late ones: a file for each type on the days around today, ledger and quarantine.
    const most = limits.epochLateFilesMax + limits.batchLateFilesMax + TYPES * 3 + 2
    expect(Math.max(...commits.map(({ files }) => files))).toBeLessThanOrEqual(most)
    expect(commits.reduce((sum, { files }) => sum + files, 0)).toBeGreaterThan(400)
    await platform.close()
  },
)
