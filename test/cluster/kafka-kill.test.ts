/** Devices, a bad network, brokers and collectors that die: what the devices were told is kept is in the topics, to the event. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { FAULTS } from '../../examples/streaming/faults.ts'
import { startFleet } from '../../examples/streaming/fleet.ts'
import { expectInTopics, writeCollectorProject } from '../support/collector.ts'
import { startKafka, type TestKafka } from '../support/kafka.ts'
import { startHeadwater, temporaryFolder } from '../support/project.ts'

const { folder, remove } = temporaryFolder('kafka-kill')
let kafka: TestKafka

beforeAll(async () => {
  kafka = await startKafka(3)
}, 180_000)
afterAll(async () => {
  await kafka?.remove()
  remove()
}, 60_000)

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

test(
  'nothing is lost when brokers and the collector are killed',
  { timeout: 240_000 },
  async () => {
    writeCollectorProject(folder, kafka.addresses, { partitions: 4 })
    let collector = await startHeadwater(folder, 0, ['--no-run'])
    const { port, url } = collector
    const fleet = startFleet({ url, devices: 40, rate: 600, seed: 5, faults: FAULTS, flushMs: 500 })
    await pause(3000)
    for (const broker of kafka.brokers) {
      // Leaders move to the others, and back.
      await broker.kill()
      await pause(4000)
      await collector.kill('SIGKILL')
      collector = await startHeadwater(folder, port, ['--no-run'])
      await broker.start()
      await pause(2000)
    }
    const report = await fleet.stop(90_000)
    expect(report.complete).toBe(true)
    expect(report.landed).toBeGreaterThan(5000)
    expect(report.quarantined).toBeGreaterThan(5)
    expect(report.repeats).toBeGreaterThan(0)
    expect(await collector.kill('SIGTERM')).toBe(0)
    const { records, copies } = await expectInTopics(report, kafka.addresses)
    // The network of the devices delivers some bodies twice.
    expect(copies).toBeGreaterThan(0)
    expect(copies).toBeLessThan(records / 2)
  },
)
