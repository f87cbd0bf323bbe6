/** The autopilot: its choices keep to objective and budget, its rates are those of the commits, and its sentences say so. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { limits } from '../../src/base/limits.ts'
import { explain, planTable, rateOf } from '../../src/engine/autopilot.ts'

const GOAL = { epochMs: 1000, filesPerDay: 200 }
const NOW = Date.UTC(2026, 0, 1, 12)
const DAY_SECONDS = 86_400

describe('a rate', () => {
  const commits = Array.from({ length: 600 }, (_commit, i) => ({
    at: NOW - (600 - i) * 1000,
    rows: 20,
    files: 1,
    bytes: 5000,
  }))

  test('is that of the commits there are', () => {
    expect(rateOf(commits, NOW, 3_600_000)).toEqual({
      seconds: 600,
      rowsPerSecond: 20,
      bytesPerSecond: 5000,
      filesPerSecond: 1,
    })
  })

  test('falls when nothing comes any more, and is none after the window', () => {
    expect(rateOf(commits, NOW + 600_000, 3_600_000).rowsPerSecond).toBe(10)
    expect(rateOf(commits, NOW + 7_200_000, 3_600_000).rowsPerSecond).toBe(0)
    expect(rateOf([], NOW, 3_600_000).filesPerSecond).toBe(0)
  })
})

describe('a plan', () => {
  const rate = fc.record({
    seconds: fc.constant(600),
    rowsPerSecond: fc.double({ min: 0.001, max: 1e6, noNaN: true }),
    bytesPerSecond: fc.double({ min: 0.1, max: 1e8, noNaN: true }),
    filesPerSecond: fc.double({ min: 1e-4, max: 5, noNaN: true }),
  })

  test('keeps the files of a day in the budget, unless the largest good file or the least fan-in stand against it', () => {
    fc.assert(
      fc.property(rate, fc.integer({ min: 1, max: 5000 }), (each, filesPerDay) => {
        const plan = planTable({ epochMs: 1000, filesPerDay }, each)
        expect(plan.fileBytes).toBeGreaterThanOrEqual(limits.mergedFileBytesMin)
        expect(plan.fileBytes).toBeLessThanOrEqual(limits.mergedFileBytesMax)
        expect(plan.fanIn).toBeGreaterThanOrEqual(limits.fanInMin)
        expect(plan.fanIn).toBeLessThanOrEqual(limits.fanInMax)
        expect(plan.livePerDay).toBeLessThanOrEqual(Math.ceil(plan.writtenPerDay))
        const possible =
          filesPerDay >= 6 * limits.fanInMin &&
          each.bytesPerSecond * DAY_SECONDS <= (limits.mergedFileBytesMax * filesPerDay) / 2
        if (possible) expect(plan.livePerDay).toBeLessThanOrEqual(filesPerDay + 1)
      }),
    )
  })

  test('writes oftener and merges smaller for a table that gets more, with the same budget', () => {
    const slow = { seconds: 600, rowsPerSecond: 0.05, bytesPerSecond: 20, filesPerSecond: 0.05 }
    const fast = { seconds: 600, rowsPerSecond: 9000, bytesPerSecond: 4e5, filesPerSecond: 1 }
    expect(planTable(GOAL, slow)).toMatchObject({
      cadenceSeconds: 20,
      writtenPerDay: 4320,
      fileBytes: limits.mergedFileBytesMin,
    })
    const plan = planTable(GOAL, fast)
    expect(plan).toMatchObject({ cadenceSeconds: 1, writtenPerDay: 86_400, fanIn: 33 })
    expect(plan.fileBytes).toBe(limits.mergedFileBytesMax)
    expect(planTable({ ...GOAL, filesPerDay: 1000 }, fast).fileBytes).toBe(69_120_000)
  })
})

test('sentences give the figures and what they follow from', () => {
  const rate = { seconds: 600, rowsPerSecond: 0.05, bytesPerSecond: 20, filesPerSecond: 0.05 }
  const goal = { epochMs: 60_000, filesPerDay: 200 }
  const today = { files: 2160, bytes: 864_000, small: 2160 }
  expect(explain('searched', planTable(goal, rate), today, 'played')).toEqual([
    'searched gets 3 rows a minute (over the last 10 min).',
    'Its rows are to be queryable within 60 s; played, which has rows too, wants it sooner, and a commit writes all tables that have rows.',
    'So a file of it is written every 20 s: 4,320 a day.',
    'Files are merged to 1 MB, the smallest that is worth having; so there are fewer files than the budget allows.',
    'Maintenance merges 33 files of like size while the day goes on, which keeps at most 98 files a day, within the budget of 200.',
    'It has 2,160 files of today with 864 kB, of 200 in the budget; 2,160 of them could be merged.',
  ])
  const none = { seconds: 3600, rowsPerSecond: 0, bytesPerSecond: 0, filesPerSecond: 0 }
  expect(explain('searched', planTable(GOAL, none), { files: 0, bytes: 0, small: 0 })).toEqual([
    'searched got no rows over the last 60 min, so it costs no files.',
    'When rows come they are queryable within 1 s.',
    'It has no files of today.',
  ])
})
