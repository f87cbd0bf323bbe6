/** The size of a cluster: laws that hold whatever the constants are, and the plan as the command prints it. */
import { execFile } from 'node:child_process'
import path from 'node:path'
import { promisify } from 'node:util'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { CONSTANTS, DEFAULT_LOAD, type Load, type Plan, planFor } from '../../src/cluster/index.ts'
import { USED_SHARE } from '../../src/cluster/size.ts'
import { readProject, root } from '../support/source.ts'

const within = (min: number, max: number): fc.Arbitrary<number> =>
  fc.double({ min: Math.log(min), max: Math.log(max), noNaN: true }).map(Math.exp)

const machines = fc.record({
  cores: fc.integer({ min: 1, max: 128 }),
  memoryBytes: within(4e9, 1e12),
  networkBytesPerSecond: within(1e7, 2e10),
  diskBytes: within(1e11, 1e14),
})

const loads: fc.Arbitrary<Load> = fc.record({
  rate: within(10, 1e8),
  bytes: within(20, 5000),
  types: fc.integer({ min: 1, max: 2000 }),
  batch: fc.integer({ min: 1, max: 5000 }),
  typesPerBatch: fc.integer({ min: 1, max: 100 }),
  intervalSeconds: within(1, 600),
  retentionHours: within(1, 500),
  memoryHours: within(0.1, 200),
  copies: fc.integer({ min: 1, max: 5 }),
  machine: machines,
})

/** What may not shrink when more comes. */
const amounts = (plan: Plan): Record<string, number> => ({
  collectorCores: plan.collector.cores,
  collectors: plan.collector.processes,
  brokerCores: plan.kafka.cores,
  brokers: plan.kafka.brokers,
  partitions: plan.kafka.partitions,
  kafkaBytes: plan.kafka.diskBytes,
  flinkCores: plan.flink.cores,
  taskManagers: plan.flink.taskManagers,
  checkpoint: plan.flink.checkpointBytes,
  lake: plan.lake.bytesPerDay,
  files: plan.lake.filesPerDay,
  objects: plan.lake.objectsPerDay,
  ...plan.network,
})

const expectNoLess = (more: Plan, less: Plan): void => {
  const least = amounts(less)
  for (const [name, value] of Object.entries(amounts(more))) {
    expect(value, name).toBeGreaterThanOrEqual(least[name]! * (1 - 1e-9))
  }
}

describe('a plan', () => {
  test('takes nothing less for more events a second', () => {
    fc.assert(
      fc.property(loads, fc.double({ min: 1, max: 100, noNaN: true }), (load, factor) => {
        expectNoLess(planFor({ ...load, rate: load.rate * factor }), planFor(load))
      }),
    )
  })

  test.each(['bytes', 'memoryHours', 'retentionHours', 'copies'] as const)(
    'takes nothing less for more %s',
    (name) => {
      fc.assert(
        fc.property(loads, fc.integer({ min: 1, max: 20 }), (load, factor) => {
          expectNoLess(planFor({ ...load, [name]: load[name] * factor }), planFor(load))
        }),
      )
    },
  )

  test('costs less per event the more of one type come together', () => {
    fc.assert(
      fc.property(loads, fc.integer({ min: 1, max: 20 }), (load, factor) => {
        const larger = planFor({ ...load, batch: load.batch * factor })
        expect(larger.flink.cores).toBeLessThanOrEqual(planFor(load).flink.cores * (1 + 1e-9))
      }),
    )
  })

  test('reckons in units that fit together', () => {
    fc.assert(
      fc.property(loads, (load) => {
        const { collector, kafka, network, lake, flink } = planFor(load)
        expect(collector.cores).toBeCloseTo((load.rate * collector.us) / 1e6, 6)
        expect(kafka.diskBytes / (load.retentionHours * 3600)).toBeCloseTo(
          network.collectorsToBrokers + network.betweenBrokers,
          -3,
        )
        expect(network.flinkToLake * 86_400).toBeCloseTo(lake.bytesPerDay, -6)
        expect(lake.fileBytes * lake.filesPerDay).toBeCloseTo(lake.bytesPerDay, -9)
        expect(flink.checkpointBytes).toBe(flink.remembered * CONSTANTS.stateCheckpointBytes.value)
        expect(flink.checkpointWrittenBytes).toBeLessThanOrEqual(flink.checkpointBytes)
        expect(kafka.partitionsMost).toBeLessThanOrEqual(kafka.partitions)
        expect(kafka.partitions).toBeGreaterThanOrEqual(load.types + 2)
        expect(kafka.brokers).toBeGreaterThanOrEqual(load.copies)
      }),
    )
  })

  test('leaves room on every machine, and its limits are reached where it says', () => {
    fc.assert(
      fc.property(loads, (load) => {
        const { limits } = planFor(load)
        expect(limits.map(({ used }) => used)).toEqual(
          limits.map(({ used }) => used).toSorted((a, b) => b - a),
        )
        for (const { what, used, breaksAt } of limits) {
          if (what.startsWith('state in memory')) expect(used).toBeLessThanOrEqual(1 + 1e-9)
          else if (/collectors|brokers|TaskManagers/.test(what)) {
            expect(used, what).toBeLessThanOrEqual(USED_SHARE + 1e-9)
          }
          if (breaksAt !== undefined) expect(used * breaksAt).toBeCloseTo(load.rate, 3)
        }
      }),
    )
  })

  test('keeps state on the heap while that takes no more machines than the cores do', () => {
    expect(planFor({ ...DEFAULT_LOAD, memoryHours: 24 }).flink.backend).toBe('rocksdb')
    const small = planFor({ ...DEFAULT_LOAD, rate: 2000, memoryHours: 1 })
    expect(small.flink.backend).toBe('hashmap')
    expect(small.flink.taskManagers).toBe(1)
  })
})

test('every constant says what it is and where it is from', () => {
  for (const [name, { value, unit, from }] of Object.entries(CONSTANTS)) {
    expect(value, name).toBeGreaterThan(0)
    expect(unit, name).toMatch(/per |PUTs/)
    expect(from.length, name).toBeGreaterThan(20)
  }
})

describe('headwater size', () => {
  const size = (...args: readonly string[]): Promise<{ stdout: string }> =>
    promisify(execFile)(process.execPath, [
      '--conditions=headwater-source',
      path.join(root, 'src/cli/main.ts'),
      'size',
      ...args,
    ])

  test('prints the plan as JSON with the constants that it rests on', async () => {
    const { stdout } = await size('--rate', '200k', '--types', '40', '--interval', '10', '--json')
    const plan = planFor({ ...DEFAULT_LOAD, rate: 200_000, types: 40, intervalSeconds: 10 })
    expect(JSON.parse(stdout)).toEqual(
      JSON.parse(JSON.stringify({ ...plan, constants: CONSTANTS })),
    )
  })

  test('says for people what breaks first, and what nobody measured', async () => {
    const { stdout } = await size('--rate', '5M', '--bytes', '170')
    expect(stdout).toMatch(/^5\.0M events\/s of 170 B in 300 types/)
    expect(stdout).toMatch(/^First to break with these machines: .*, at [\d.]+M events\/s\.$/m)
    expect(stdout).toMatch(/^Not measured but assumed: rocksdbUs/m)
    const over = await size('--rate', '5M', '--interval', '1')
    expect(over.stdout).toMatch(/^It does not fit: commits of one catalog\.$/m)
  })

  test('prints what ARCHITECTURE.md shows', async () => {
    const shown = /^    \$ npx headwater size (.*)\n((?: {4}.*\n|\n)*)/m.exec(
      readProject('ARCHITECTURE.md'),
    )
    const { stdout } = await size(...shown![1]!.split(' '))
    expect(shown![2]!.replaceAll(/^ {4}/gm, '').trim()).toBe(stdout.trim())
  })

  test.each(['-5', '0', '5X', '', '1e400'])('refuses a rate of %j', async (rate) => {
    await expect(size(`--rate=${rate}`)).rejects.toMatchObject({ code: 2 })
  })
})
