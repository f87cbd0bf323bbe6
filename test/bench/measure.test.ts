/** The benchmark's instruments read true. */
import { describe, expect, test } from 'vitest'
import {
  cpuBetween,
  cpuTimes,
  median,
  memory,
  percentiles,
  totalMs,
  waits,
} from '../../bench/measure.ts'

describe('CPU time', () => {
  test('is that of the process, and its busy loop is on the main thread', () => {
    const before = cpuTimes(process.pid)
    const own = process.cpuUsage()
    let sum = 0
    for (let i = 0; i < 1e8; i++) sum += i % 7
    const used = process.cpuUsage(own)
    const between = cpuBetween(before, cpuTimes(process.pid))
    expect(sum).toBeGreaterThan(0)
    const ownMs = (used.user + used.system) / 1000
    expect(Math.abs(totalMs(between) - ownMs)).toBeLessThan(30 + ownMs / 5)
    expect(between.main).toBeGreaterThan(totalMs(between) / 2)
  })

  test('memory is resident, and at its peak no less', () => {
    const { resident, peak } = memory(process.pid)
    expect(resident).toBeGreaterThan(10_000_000)
    expect(peak).toBeGreaterThanOrEqual(resident)
  })
})

describe('percentiles', () => {
  test('weigh their values', () => {
    const values = [
      { value: 5, weight: 1 },
      { value: 1, weight: 98 },
      { value: 3, weight: 1 },
    ]
    expect(percentiles(values)).toEqual({ p50: 1, p99: 3, max: 5 })
    expect(percentiles([])).toBeUndefined()
  })

  test('the median lies in the middle', () => {
    expect(median([9, 1, 5])).toBe(5)
    expect(median([4, 1])).toBe(2.5)
  })
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
})
