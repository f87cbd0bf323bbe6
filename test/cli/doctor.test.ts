/** `headwater doctor` on projects that are well and on those that are not. */
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { systemClock } from '../../src/base/clock.ts'
import { nodeFiles } from '../../src/base/node/files.ts'
import { seededRandom } from '../../src/base/random.ts'
import { examine, type Finding } from '../../src/platform/index.ts'
import { freePort } from '../support/ports.ts'
import { headwater, startHeadwater, temporaryFolder, writeProject } from '../support/project.ts'

const SPECS = 'examples/streaming/specs.ts'

let place: ReturnType<typeof temporaryFolder>
beforeEach(() => {
  place = temporaryFolder('doctor')
})
afterEach(() => place.remove())

async function doctor(): Promise<{ code: number | null; findings: Finding[] }> {
  const { code, stdout } = await headwater(place.folder, ['doctor', '--json'])
  const lines = stdout.split('\n').filter((line) => line !== '')
  return { code, findings: lines.map((line) => JSON.parse(line) as Finding) }
}

const levels = (findings: readonly Finding[]): Record<string, string> =>
  Object.fromEntries(findings.map(({ subject, level }) => [subject, level]))

test('a project that was never run: what to do first', async () => {
  writeProject(place.folder, SPECS, { http: { port: await freePort() } })
  const { code, findings } = await doctor()
  expect(code).toBe(0)
  expect(levels(findings)).toEqual({ project: 'warn', disk: 'ok', platform: 'warn', lake: 'ok' })
  const text = await headwater(place.folder, ['doctor'])
  expect(text.stdout).toMatch(
    /warn {2}platform {3}no headwater answers at http:\S+\n\s+Start `headwater dev`/,
  )
})

test('a specification that is none: what is wrong with it, and the rest all the same', async () => {
  writeProject(place.folder, SPECS, { http: { port: await freePort() } })
  writeFileSync(path.join(place.folder, 'specs.ts'), 'export const a = {')
  const { code, findings } = await doctor()
  expect(code).toBe(1)
  expect(findings[0]).toMatchObject({ subject: 'project', level: 'bad' })
  expect(findings[0]!.found).toMatch(/^spec_invalid/)
  expect(levels(findings)).toMatchObject({ disk: 'ok', platform: 'warn', lake: 'ok' })
})

test('a running platform: that it takes events, how fresh they are, and what is in quarantine', async () => {
  const port = await freePort()
  writeProject(place.folder, SPECS, { http: { port }, engine: { epochMs: 5000 } })
  const platform = await startHeadwater(place.folder, port)
  try {
    const before = await doctor()
    expect(before.code).toBe(0)
    expect(new Set(before.findings.map(({ level }) => level))).toEqual(new Set(['ok']))
    const header = {
      boot: 'AAAAAAAAAAAAAAAAAAAAAA',
      seq: 0,
      first: 0,
      count: 1,
      sent: 5,
      booted: Date.now(),
    }
    const lines = [
      { ...header, ctx: {} },
      { type: 'nothing', n: [0], at: [1], cols: {} },
    ]
    const body = lines.map((line) => JSON.stringify(line)).join('\n')
    const answer = await fetch(`${platform.url}/v1/events`, { method: 'POST', body })
    expect(answer.status).toBe(200)
    const { code, findings } = await doctor()
    expect(code).toBe(0)
    expect(levels(findings)).toMatchObject({ platform: 'ok', log: 'ok', quarantine: 'warn' })
    const remedy = findings.find(({ subject }) => subject === 'quarantine')!.remedy!
    const query = /"(.*)"/.exec(remedy)![1]!
    expect((await headwater(place.folder, ['sql', query])).code).toBe(0)
  } finally {
    await platform.kill('SIGKILL')
  }
})

test('a disk that is nearly full', async () => {
  writeProject(place.folder, SPECS, { http: { port: await freePort() }, data: '.' })
  const findings = await examine(place.folder, {
    files: nodeFiles,
    clock: systemClock,
    random: seededRandom(1),
    fetch: globalThis.fetch,
    freeBytes: () => Promise.resolve(1_000_000),
  })
  expect(findings[1]).toMatchObject({
    subject: 'disk',
    level: 'warn',
    found: expect.stringMatching(/^1\.0 MB free/),
  })
})

test.each([
  ['refuses events', 'headwater_ready 0', { platform: 'bad' }],
  [
    'cannot commit',
    'headwater_ready 1\nheadwater_engine_failing 1\nheadwater_log_offset 9000000\nheadwater_lake_offset 10',
    { platform: 'ok', log: 'bad' },
  ],
  ['is late', 'headwater_ready 1\nheadwater_freshness_p99_seconds 7.5', { freshness: 'warn' }],
])('a platform that %s', async (_name, metrics, expected) => {
  writeProject(place.folder, SPECS)
  const findings = await examine(place.folder, {
    files: nodeFiles,
    clock: systemClock,
    random: seededRandom(1),
    fetch: () => Promise.resolve(new Response(`${metrics}\n`)),
    freeBytes: () => Promise.resolve(1e12),
  })
  expect(levels(findings)).toMatchObject(expected)
})
