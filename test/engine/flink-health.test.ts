/** What is read out of answers of a JobManager 2.1.3, as they were recorded of a job that runs, that begins again, that waits for a TaskManager (the list of jobs alone) and that was cancelled (stack frames and history are cut out). */
import { readFileSync } from 'node:fs'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { systemClock } from '../../src/base/clock.ts'
import { isLanding, type JobHealth, jobHealth } from '../../src/engine/flink/health.ts'
import type { Endpoint } from '../../src/engine/flink/rest.ts'
import { jobFindings, lagFinding } from '../../src/platform/doctor-cluster.ts'
import { unwrap } from '../support/platform.ts'

type Recorded = Readonly<
  Record<'overview' | 'checkpoints' | 'metrics' | 'exceptions', Readonly<Record<string, unknown>>>
>
const recorded = JSON.parse(
  readFileSync(new URL('jobmanager.json', import.meta.url), 'utf8'),
) as Readonly<Record<'running' | 'restarting' | 'waiting' | 'canceled', Recorded>>

let answers: Recorded
/** Whether it takes a request and never answers. */
let silent = false
const server = http.createServer(({ url }, response) => {
  const last = url!.split('?')[0]!.split('/').at(-1) as keyof Recorded
  if (silent) return
  response.writeHead(answers[last] === undefined ? 404 : 200)
  response.end(JSON.stringify(answers[last] ?? { errors: ['Not found'] }))
})
let endpoint: Endpoint
beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  endpoint = { url: `http://127.0.0.1:${port}`, headers: {}, answerMsMax: 300 }
})
afterAll(() => {
  server.closeAllConnections()
  server.close()
})

const ports = { fetch: globalThis.fetch, clock: systemClock }
async function health(of: keyof typeof recorded, namespace = 'headwater'): Promise<JobHealth> {
  answers = recorded[of]
  return unwrap(await jobHealth(endpoint, namespace, ports))
}

/** When the last checkpoint of the running job began. */
const BEGAN = 1_795_616_796_958
const levels = (of: JobHealth, now: number): string[] =>
  jobFindings(of, 10_000, now).map(({ level }) => level)

describe('a job', () => {
  test('that runs, with its last checkpoint and what failed before', async () => {
    const running = await health('running')
    expect(running).toMatchObject({
      live: 1,
      job: {
        state: 'RUNNING',
        started: 1_795_616_601_023,
        restarts: 11,
        checkpoints: {
          completed: 1,
          failed: 23,
          last: { at: BEGAN, ms: 19_357, bytes: 769_414 },
        },
        failure: 'The heartbeat of TaskManager with id taskmanager-1 timed out',
      },
    })
    expect(levels(running, BEGAN + 30_000)).toEqual(['ok', 'ok'])
    expect(levels(running, BEGAN + 99_000)).toEqual(['ok', 'warn'])
    expect(levels(running, BEGAN + 101_000)).toEqual(['ok', 'bad'])
  })

  test('that begins again', async () => {
    const restarting = await health('restarting')
    expect(restarting).toMatchObject({ live: 1, job: { state: 'RESTARTING' } })
    const [finding] = jobFindings(restarting, 10_000, BEGAN)
    expect(finding).toMatchObject({
      level: 'bad',
      found: expect.stringMatching(/is RESTARTING \(TaskManager with id taskmanager-1 is no/),
    })
  })

  test('that Flink says is running, while it waits for a TaskManager', async () => {
    const waiting = await health('waiting')
    expect(waiting.job).toMatchObject({ state: 'RUNNING', tasks: 17, running: 0 })
    expect([isLanding(waiting), isLanding(await health('running'))]).toEqual([false, true])
    const [finding] = jobFindings(waiting, 10_000, BEGAN)
    expect(finding).toMatchObject({ level: 'bad', found: expect.stringMatching(/^0 of 17 tasks/) })
  })

  test('that was cancelled before it made a checkpoint', async () => {
    const canceled = await health('canceled')
    expect(canceled).toMatchObject({
      live: 0,
      job: { state: 'CANCELED', checkpoints: { completed: 0, failed: 132, last: undefined } },
    })
    const [finding] = jobFindings(canceled, 10_000, BEGAN)
    expect(finding).toMatchObject({ level: 'bad', remedy: expect.stringContaining('deploy') })
  })

  test('of other tables is none of ours', async () => {
    expect(await health('running', 'other')).toEqual({ live: 0, job: undefined })
    expect(levels({ live: 0, job: undefined }, BEGAN)).toEqual(['bad'])
  })

  test('that there are two of, writes each row twice', async () => {
    const { job } = await health('running')
    expect(levels({ live: 2, job }, BEGAN)).toEqual(['bad'])
  })
})

test('a JobManager that does not answer is not waited for longer than it may take', async () => {
  silent = true
  const failed = await jobHealth(endpoint, 'headwater', ports)
  expect(failed).toMatchObject({ ok: false, error: { code: 'flink_unavailable' } })
  expect(!failed.ok && failed.error.detail).toContain('no answer in 300 ms')
  silent = false
})

test('lag is told by the table that waits longest, and is bad when records are about to be removed', () => {
  const hour = 3_600_000
  const of = (waitedMs: number): unknown => {
    const lags = new Map([
      ['a', { records: 3, waitedMs: 1000 }],
      ['b', { records: 4, waitedMs }],
    ])
    const { level, found } = lagFinding(lags, 10_000, 72 * hour)
    expect(found).toMatch(/^7 records have not landed; the oldest, for b, waits for/)
    return level
  }
  expect([of(50_000), of(2 * hour), of(40 * hour)]).toEqual(['ok', 'warn', 'bad'])
  expect(lagFinding(new Map([['a', { records: 0, waitedMs: 0 }]]), 1, 1).level).toBe('ok')
})
