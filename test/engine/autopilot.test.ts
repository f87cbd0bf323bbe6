/** The autopilot: its choices keep to objective and budget, its rates are those of the commits, and its sentences say so. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { limits } from '../../src/base/limits.ts'
import { explain, planFiles, rateOf } from '../../src/engine/autopilot.ts'

const GOAL = { epochMs: 1000, filesPerDay: 200 }
const NOW = Date.UTC(2026, 0, 1, 12)
const DEFAULTS = { targetBytes: limits.targetBytes }
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

  test('keeps the files of a day in the budget, unless the largest file or the least fan-in stand against it', () => {
    fc.assert(
      fc.property(rate, fc.integer({ min: 1, max: 5000 }), (each, filesPerDay) => {
        const plan = planFiles({ epochMs: 1000, filesPerDay }, each, DEFAULTS)
        expect(plan.fileBytes).toBeGreaterThanOrEqual(limits.targetBytes)
        expect(plan.fileBytes).toBeLessThanOrEqual(limits.targetBytesMax)
        expect(plan.fanIn).toBeGreaterThanOrEqual(limits.fanInMin)
        expect(plan.fanIn).toBeLessThanOrEqual(limits.fanInMax)
        expect(plan.livePerDay).toBeLessThanOrEqual(Math.ceil(plan.writtenPerDay))
        const possible =
          filesPerDay >= 6 * limits.fanInMin &&
          each.bytesPerSecond * DAY_SECONDS <= (limits.targetBytesMax * filesPerDay) / 2
        // A finished file may be a quarter smaller than the size aimed at.
        if (possible) expect(plan.livePerDay).toBeLessThanOrEqual(filesPerDay * (7 / 6) + 1)
      }),
    )
  })

  test('merges into larger files where a day would have too many, and takes what the configuration names', () => {
    const slow = { seconds: 600, rowsPerSecond: 0.05, bytesPerSecond: 20, filesPerSecond: 0.05 }
    const fast = { seconds: 600, rowsPerSecond: 9000, bytesPerSecond: 4e5, filesPerSecond: 1 }
    expect(planFiles(GOAL, slow, DEFAULTS)).toMatchObject({
      cadenceSeconds: 20,
      writtenPerDay: 4320,
      fileBytes: limits.targetBytes,
      fanIn: 33,
    })
    const plan = planFiles(GOAL, fast, DEFAULTS)
    expect(plan).toMatchObject({ cadenceSeconds: 1, writtenPerDay: 86_400, fileBytes: 345_600_000 })
    expect(planFiles({ ...GOAL, filesPerDay: 20 }, fast, DEFAULTS).fileBytes).toBe(
      limits.targetBytesMax,
    )
    const named = planFiles(GOAL, slow, { targetBytes: 5e6, fanIn: 7 })
    expect(named).toMatchObject({ fileBytes: 5e6, fanIn: 7 })
  })
})

test('sentences give the figures and what they follow from', () => {
  const rate = { seconds: 600, rowsPerSecond: 0.05, bytesPerSecond: 20, filesPerSecond: 0.05 }
  const goal = { epochMs: 60_000, filesPerDay: 200 }
  const today = { files: 2160, bytes: 864_000, small: 2160 }
  expect(explain('searched', planFiles(goal, rate, DEFAULTS), today, 'played')).toEqual([
    'searched gets 3 rows a minute (over the last 10 min).',
    'Its rows are to be queryable within 60 s; played, which has rows too, wants it sooner, and a commit writes all tables that have rows.',
    'So a file of it is written every 20 s: 4,320 a day.',
    'A day of 1.7 MB is merged to files of 134.2 MB.',
    'Maintenance merges 33 files of like size while the day goes on, which keeps at most 97 files a day, within the budget of 200.',
    'It has 2,160 files of today with 864.0 kB, of 200 in the budget; 2,160 of them could be merged.',
  ])
  const none = { seconds: 3600, rowsPerSecond: 0, bytesPerSecond: 0, filesPerSecond: 0 }
  expect(
    explain('searched', planFiles(GOAL, none, DEFAULTS), { files: 0, bytes: 0, small: 0 }),
  ).toEqual([
    'searched got no rows over the last 60 min, so it costs no files.',
    'When rows come they are queryable within 1 s.',
    'It has no files of today.',
  ])
})
