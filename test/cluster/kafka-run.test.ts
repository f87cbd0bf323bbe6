/** `headwater run` in cluster mode: one process that takes events for Kafka and keeps the lake, whose tables are there for whoever lands the rows. */
import { spawn } from 'node:child_process'
import path from 'node:path'
import { copyFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { NO_FAULTS } from '../../examples/streaming/faults.ts'
import { startFleet } from '../../examples/streaming/fleet.ts'
import { expectInTopics } from '../support/collector.ts'
import { startKafka, type TestKafka } from '../support/kafka.ts'
import { headwater, repository, sql, temporaryFolder, writeProject } from '../support/project.ts'

const { folder, remove } = temporaryFolder('kafka-run')
let kafka: TestKafka

beforeAll(async () => {
  kafka = await startKafka(1)
}, 120_000)
afterAll(async () => {
  await kafka?.remove()
  remove()
}, 60_000)

interface Line {
  readonly event: string
  readonly url?: string
  readonly catalog?: string
  readonly created?: readonly string[]
}

test('takes events, makes topics and tables, and ends in order', { timeout: 90_000 }, async () => {
  writeProject(folder, 'examples/streaming/specs.ts', {
    cluster: { kafka: { brokers: kafka.addresses, partitions: 2 } },
  })
  copyFileSync(
    path.join(repository, 'examples/streaming/specs.lock.json'),
    path.join(folder, 'specs.lock.json'),
  )
  const command = ['--conditions=headwater-source', path.join(repository, 'src/cli/main.ts'), 'run']
  const child = spawn(process.execPath, [...command, folder], { stdio: ['ignore', 'pipe', 'pipe'] })
  const lines: Line[] = []
  let errors = ''
  child.stderr.on('data', (part: Buffer) => (errors += part.toString()))
  const ready = await new Promise<Line>((resolve, reject) => {
    let text = ''
    child.stdout.on('data', (part: Buffer) => {
      text += part.toString()
      const whole = text.split('\n')
      text = whole.pop()!
      for (const line of whole) lines.push(JSON.parse(line) as Line)
      const found = lines.find(({ event }) => event === 'ready')
      if (found !== undefined) resolve(found)
    })
    child.once('exit', (code) => reject(new Error(`it ended with ${code}: ${errors}`)))
  })
  expect(lines[0]).toMatchObject({ event: 'topics' })
  expect(lines[0]!.created).toContain('batches')

  const answer = await fetch(`${ready.catalog}/v1/namespaces/headwater/tables`)
  const { identifiers } = (await answer.json()) as { identifiers: { name: string }[] }
  const tables = identifiers.map(({ name }) => name)
  const topics = lines[0]!.created!.map((topic) => topic.replace(/^events\./, ''))
  expect(tables.toSorted()).toEqual(topics.toSorted())
  expect(await (await fetch(`${ready.url}/metrics`)).text()).toContain('headwater_lake_version')

  const options = { devices: 5, rate: 200, seed: 2, faults: NO_FAULTS, flushMs: 100 }
  const fleet = startFleet({ url: ready.url!, ...options })
  await new Promise((resolve) => setTimeout(resolve, 2000))
  const report = await fleet.stop(20_000)
  expect(report.complete).toBe(true)
  const exit = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGTERM')
  expect(await exit).toBe(0)
  expect(lines.map(({ event }) => event)).toEqual(['topics', 'ready', 'draining', 'closed'])
  const { copies } = await expectInTopics(report, kafka.addresses)
  expect(copies).toBe(0)
  expect(await sql(folder, 'select count(*) as n from batches')).toEqual([{ n: 0 }])
})

test('says why it does not start without a broker', { timeout: 60_000 }, async () => {
  const broker = kafka.brokers[0]!
  await broker.kill()
  const { code, stderr } = await headwater(folder, ['run', folder])
  expect(code).not.toBe(0)
  expect(stderr).toContain('broker_unavailable')
})
