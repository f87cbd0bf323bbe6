/** The benchmark's instruments read true. */
import { describe, expect, test } from 'vitest'
import { cpuOf, median, memoryOf, waits, weightedQuantile } from '../../bench/measure.ts'

describe('a process', () => {
  test('is charged the CPU it uses, a busy loop on its main thread', () => {
    const before = cpuOf(process.pid)
    const own = process.cpuUsage()
    let sum = 0
    for (let i = 0; i < 1e8; i++) sum += i % 7
    const { user, system } = process.cpuUsage(own)
    const after = cpuOf(process.pid)
    expect(sum).toBeGreaterThan(0)
    const main = after.main - before.main
    const all = main + after.others - before.others
    expect(Math.abs(all - user - system)).toBeLessThan(30_000 + (user + system) / 5)
    expect(main).toBeGreaterThan(all / 2)
  })

  test('has a peak of memory no less than what it holds', () => {
    const { now, peak } = memoryOf(process.pid)
    expect(now).toBeGreaterThan(process.memoryUsage().rss / 2)
    expect(peak).toBeGreaterThanOrEqual(now)
  })
})

test('the median is a value of the series', () => {
  const series = [9, 1, 5, 3, 7]
  expect(median(series)).toBe(5)
  expect(series).toEqual([9, 1, 5, 3, 7])
})

test('quantiles weigh their values', () => {
  const values = [
    { value: 5, weight: 1 },
    { value: 1, weight: 98 },
    { value: 3, weight: 1 },
  ]
  expect(weightedQuantile(values, 0.5)).toBe(1)
  expect(weightedQuantile(values, 0.99)).toBe(3)
  expect(weightedQuantile(values, 1)).toBe(5)
  expect(weightedQuantile([], 0.5)).toBeNaN()
})

test('the k-th event to come is the k-th to leave', () => {
  const came = [
    [0, 2],
    [10, 3],
    [20, 5],
  ] as const
  const left = [
    [12, 4],
    [30, 3],
  ] as const
  expect(waits(came, left)).toEqual([
    { value: 12, weight: 2 },
    { value: 2, weight: 2 },
    { value: 20, weight: 1 },
    { value: 10, weight: 2 },
  ])
  expect(waits([[10, 1]], [[9, 1]])).toEqual([{ value: 0, weight: 1 }])
})
