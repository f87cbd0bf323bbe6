/** The autopilot in a running platform: rows wait as long as their tables' objectives allow, and `tables --why` tells. */
import { randomBytes } from 'node:crypto'
import { afterAll, expect, test, vi } from 'vitest'
import { systemClock } from '../../src/base/clock.ts'
import { nodeFiles } from '../../src/base/node/files.ts'
import { seededRandom } from '../../src/base/random.ts'
import { type Config, openMaintenance, type Platform } from '../../src/platform/index.ts'
import { defineEvent, int } from '../../src/spec/index.ts'
import { landed, projectOf, start, unwrap } from '../support/platform.ts'
import { headwater, temporaryFolder, writeProject } from '../support/project.ts'

const specs = {
  quick: defineEvent('quick', { doc: 'Wanted at once.', fields: { i: int() } }),
  slow: defineEvent('slow', { doc: 'Wanted some time.', fields: { i: int() } }),
}

const { folder, remove } = temporaryFolder('pilot')
afterAll(remove)

async function send(platform: Platform, type: string): Promise<void> {
  const boot = randomBytes(16).toString('base64url')
  const header = { boot, seq: 0, first: 0, count: 1, sent: 5, booted: Date.now() - 5, ctx: {} }
  const body = [header, { type, n: [0], at: [1], cols: { i: [1] } }].map((line) =>
    JSON.stringify(line),
  )
  const response = await fetch(`${platform.url}/v1/events`, {
    method: 'POST',
    body: body.join('\n'),
  })
  expect(response.status).toBe(200)
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

test('a table that may wait waits, until another one does not', async () => {
  const engine = { epochMs: 100, tables: { slow: { epochMs: 600_000, filesPerDay: 50 } } }
  const config: Config = { http: { port: 0 }, engine }
  writeProject(folder, 'examples/streaming/specs.ts', { engine })
  const platform = await start(projectOf(folder, specs, { config }))
  const rowsOf = (table: string): number => platform.lake.state.tables.get(table)!.rows

  await send(platform, 'slow')
  await pause(1500)
  expect(rowsOf('slow')).toBe(0)
  await send(platform, 'slow')
  await send(platform, 'quick')
  await landed(platform)
  expect([rowsOf('slow'), rowsOf('quick')]).toEqual([2, 1])
  expect(platform.lake.state.tables.get('slow')!.files).toBe(1)

  // A commit is measured just after the lake has it.
  await vi.waitFor(async () => {
    const metrics = await (await fetch(`${platform.url}/metrics`)).text()
    const p99 = Number(/^headwater_freshness_p99_seconds (\S+)/m.exec(metrics)?.[1])
    expect(p99).toBeGreaterThan(1.4)
  })

  // What waits when the platform stops is written.
  await send(platform, 'slow')
  await platform.close()
  expect(rowsOf('slow')).toBe(3)

  const told = await headwater(folder, ['tables', 'slow', '--why'])
  expect(told.stdout).toMatch(/^slow\n {2}slow gets \d/)
  expect(told.stdout).toContain('within 10 min; quick, which has rows too, wants it sooner')
  expect(told.stdout).toMatch(
    /It has 2 files of today with [\d.]+ kB, of 50 in the budget; 2 of them could be merged\./,
  )
  const json = await headwater(folder, ['tables', '--why', '--json'])
  const rows = json.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>)
  expect(rows.map(({ table }) => table)).toEqual(['batches', 'quarantine', 'quick', 'slow'])
  expect(rows[3]).toMatchObject({ objectiveMs: 600_000, filesPerDay: 50, filesToday: 2, rows: 3 })
  expect(rows[2]).toMatchObject({ objectiveMs: 100, filesPerDay: 200, filesToday: 1 })
  // Maintenance goes by the same plan: half of a budget of 50 files over three classes of size.
  const ports = { files: nodeFiles, clock: systemClock, random: seededRandom(1), readOnly: true }
  const maintenance = unwrap(await openMaintenance(folder, ports))
  expect(maintenance.policyOf('slow').fanIn).toBe(8)
  expect(maintenance.policyOf('quick').fanIn).toBe(33)
  expect(rows.map(({ fanIn }) => fanIn)).toEqual([33, 33, 33, 8])
  await maintenance.close()
  const unknown = await headwater(folder, ['tables', 'nothing'])
  expect(unknown.code).not.toBe(0)
  expect(unknown.stderr).toContain('table_unknown')
})
