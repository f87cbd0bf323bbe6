/** Cadence: rows become queryable within the strictest objective of their tables, as late as that allows, and writing keeps up. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { limits } from '../../src/base/limits.ts'
import { type CadenceOptions, dueInMs, goalOf, strictestMs } from '../../src/engine/cadence.ts'

const OPTIONS: CadenceOptions = {
  epochMs: 1000,
  filesPerDay: 200,
  writeShare: 0.7,
  tables: { slow: { epochMs: 60_000 }, few: { filesPerDay: 10 } },
}
const IDLE = { usualMs: 50, sinceMs: Infinity }

describe('a goal', () => {
  test('is the table’s own where it has one', () => {
    expect(goalOf(OPTIONS, 'slow')).toEqual({ epochMs: 60_000, filesPerDay: 200 })
    expect(goalOf(OPTIONS, 'few')).toEqual({ epochMs: 1000, filesPerDay: 10 })
    expect(goalOf(OPTIONS, 'constructor')).toEqual({ epochMs: 1000, filesPerDay: 200 })
  })

  test('of an epoch is the strictest of the tables that have rows', () => {
    expect(strictestMs(OPTIONS, ['slow'])).toBe(60_000)
    expect(strictestMs(OPTIONS, ['slow', 'few'])).toBe(1000)
    expect(strictestMs(OPTIONS, [])).toBe(1000)
  })
})

describe('an epoch', () => {
  const waiting = { ageMs: 0, objectiveMs: 1000, pressing: false }

  test('waits as long as its objective allows, less the time that writing takes', () => {
    expect(dueInMs(0.7, waiting, IDLE)).toBe(900)
    expect(dueInMs(0.7, { ...waiting, ageMs: 850 }, IDLE)).toBe(50)
    expect(dueInMs(0.7, { ...waiting, ageMs: 5000 }, IDLE)).toBe(0)
    expect(dueInMs(0.7, { ...waiting, objectiveMs: 60_000 }, IDLE)).toBe(56_950)
  })

  test('that is full or closed does not wait for its objective', () => {
    expect(dueInMs(0.7, { ...waiting, pressing: true }, IDLE)).toBe(0)
    expect(dueInMs(0.5, { ...waiting, pressing: true }, { usualMs: 400, sinceMs: 500 })).toBe(300)
  })

  /** Rows arrive all the time; answers the greatest age at which one became queryable, and the share of time spent writing. */
  function run(objectiveMs: number, writeMs: number): { ageMs: number; share: number } {
    let [now, startedAt, opened, oldest, commits] = [0, -Infinity, 0, 0, 0]
    while (commits < 50) {
      const epoch = { ageMs: now - opened, objectiveMs, pressing: false }
      const wait = dueInMs(0.7, epoch, { usualMs: writeMs, sinceMs: now - startedAt })
      now += wait
      startedAt = now
      oldest = Math.max(oldest, now + writeMs - opened)
      // The next epoch opens as this one is taken.
      opened = now
      now += writeMs
      commits++
    }
    return { ageMs: oldest, share: (commits * writeMs) / now }
  }

  test('meets its objective while writing takes no more than a fifth of it', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 50, max: 60_000 }),
        fc.double({ min: 0, max: 0.2, noNaN: true }),
        (ms, share) => {
          expect(run(ms, ms * share).ageMs).toBeLessThanOrEqual(ms * (1 + 1e-9))
        },
      ),
    )
  })

  test('is late rather than writing for more of the time than it may', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 50, max: 5000 }),
        fc.integer({ min: 1, max: 5000 }),
        (ms, writeMs) => {
          expect(run(ms, writeMs).share).toBeLessThan(0.7 + 0.02)
        },
      ),
    )
    expect(run(1000, 20_000).ageMs).toBeLessThan(20_000 * 2 + limits.epochMsMax)
  })
})
