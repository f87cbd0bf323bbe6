/** A broker that is gone, or cannot be reached: devices are told to come again, nothing is acknowledged that is not kept, and it goes on by itself. */
import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { NO_FAULTS } from '../../examples/streaming/faults.ts'
import { startFleet } from '../../examples/streaming/fleet.ts'
import * as streaming from '../../examples/streaming/specs.ts'
import { systemClock } from '../../src/base/clock.ts'
import { nodeFiles } from '../../src/base/node/files.ts'
import { seededRandom } from '../../src/base/random.ts'
import { type ClusterPlatform, startClusterPlatform } from '../../src/platform/index.ts'
import { expectInTopics } from '../support/collector.ts'
import { firstCopies, readTopics, startKafka, type TestKafka } from '../support/kafka.ts'
import { freePort } from '../support/ports.ts'
import { projectOf, unwrap } from '../support/platform.ts'
import { temporaryFolder } from '../support/project.ts'
import { startWire, type Wire } from '../support/wire.ts'

const { folder, remove } = temporaryFolder('kafka-away')
let kafka: TestKafka
/** What the collector reaches the broker by. */
let wire: Wire

beforeAll(async () => {
  const front = await freePort()
  let target = 0
  kafka = await startKafka(1, {
    settings: (port) => {
      target = port
      return { 'advertised.listeners': `BROKER://127.0.0.1:${front}` }
    },
    planned: async () => {
      wire = await startWire(front, target)
    },
  })
}, 120_000)
afterAll(async () => {
  await kafka?.remove()
  await wire?.close()
  remove()
}, 60_000)

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

async function collector(prefix: string): Promise<ClusterPlatform> {
  const brokers = [`127.0.0.1:${wire.port}`]
  const config = { cluster: { collectorOnly: true, kafka: { brokers, prefix, partitions: 2 } } }
  const project = projectOf(folder, streaming, { config })
  const ports = { files: nodeFiles, clock: systemClock, random: seededRandom(3) }
  return unwrap(await startClusterPlatform({ project, ...ports, development: true }))
}

interface Answer {
  readonly status: number
  readonly retryAfter: string | null
  readonly code: string | undefined
}

async function post(url: string, boot: string): Promise<Answer> {
  const head = { boot, seq: 0, first: 0, count: 1, sent: 10, booted: systemClock.wall() - 10 }
  const chunk = { type: 'no_such', n: [0], at: [5], cols: {} }
  const body = `${JSON.stringify(head)}\n${JSON.stringify(chunk)}`
  const response = await fetch(`${url}/v1/events`, { method: 'POST', body })
  const json = (await response.json()) as { readonly error?: { readonly code: string } }
  const retryAfter = response.headers.get('retry-after')
  return { status: response.status, retryAfter, code: json.error?.code }
}

const newBoot = (): string => randomBytes(16).toString('base64url')

async function metric(url: string, name: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text()
  return Number(new RegExp(`^headwater_${name} (.*)$`, 'm').exec(text)?.[1])
}

async function untilReady(url: string): Promise<void> {
  while ((await fetch(`${url}/readyz`)).status !== 200) await pause(100)
}

test.each(['killed', 'silent'])('a broker that is %s', { timeout: 90_000 }, async (how) => {
  const platform = await collector(how)
  const { url } = platform
  const before = newBoot()
  expect(await post(url, before)).toMatchObject({ status: 200 })
  expect(await metric(url, 'broker_records_total')).toBe(2)
  if (how === 'killed') await kafka.brokers[0]!.kill()
  else wire.silence()

  const failed = newBoot()
  expect(await post(url, failed)).toEqual({
    status: 503,
    retryAfter: '2',
    code: 'broker_unavailable',
  })
  // It is known now, and nobody waits for it.
  const asked = performance.now()
  expect(await post(url, newBoot())).toMatchObject({ status: 503, retryAfter: '2' })
  expect(performance.now() - asked).toBeLessThan(2000)
  expect((await fetch(`${url}/healthz`)).status).toBe(200)
  const ready = await fetch(`${url}/readyz`)
  expect(ready.status).toBe(503)
  expect(await ready.text()).toContain('broker_unavailable')
  expect(await metric(url, 'broker_available')).toBe(0)
  expect(await metric(url, 'broker_waiting_bytes')).toBe(0)

  if (how === 'killed') await kafka.brokers[0]!.start()
  else wire.mend()
  await untilReady(url)
  const after = newBoot()
  expect(await post(url, after)).toMatchObject({ status: 200 })
  expect(await metric(url, 'broker_available')).toBe(1)
  await platform.close()

  const topics = firstCopies(await readTopics(kafka.addresses, how), how)
  const boots = (topic: string): unknown[] => (topics.get(topic) ?? []).map(({ boot }) => boot)
  for (const boot of [before, after]) {
    expect(boots('quarantine')).toContain(boot)
    expect(boots('batches')).toContain(boot)
  }
  expect(new Set([...boots('quarantine'), ...boots('batches'), failed])).toEqual(
    new Set([before, after, failed]),
  )
})

test('connections that break while records are sent', { timeout: 120_000 }, async () => {
  const platform = await collector('cut')
  const options = { devices: 20, rate: 500, seed: 8, faults: NO_FAULTS, flushMs: 200 }
  const fleet = startFleet({ url: platform.url, ...options })
  for (let i = 0; i < 12; i++) {
    await pause(500)
    wire.cut()
  }
  const report = await fleet.stop(60_000)
  await platform.close()
  expect(report.complete).toBe(true)
  expect(report.landed).toBeGreaterThan(1000)
  const { records, copies } = await expectInTopics(report, kafka.addresses, 'cut')
  // The broker knows a record by its sequence number, so that sending it again makes no copy, unless a whole body came again.
  expect(copies).toBeLessThan(records / 10)
})
