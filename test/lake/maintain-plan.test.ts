/** What maintenance decides: pure choices, each with its reason; and their laws over any sequence of files. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { limits } from '../../src/base/limits.ts'
import { type CompactionPolicy, type CompactJob, planTable } from '../../src/lake/maintain/plan.ts'
import type { SurveyFile, TableSurvey } from '../../src/lake/upkeep.ts'

const DAY_MS = 86_400_000
const HOUR_MS = 3_600_000
const POLICY: CompactionPolicy = { targetBytes: 128_000_000, fanIn: 16, settleMs: HOUR_MS }
const TODAY = 20_000
const NOON = TODAY * DAY_MS + 12 * HOUR_MS

let serial = 0
function file(bytes: number, over: Partial<SurveyFile> = {}): SurveyFile {
  serial++
  const location = `file:///lake/${serial}.parquet`
  const first = BigInt(serial)
  return {
    location,
    day: TODAY,
    rows: 10,
    bytes,
    sequence: serial,
    added: undefined,
    first,
    ...over,
  }
}

function survey(over: Partial<TableSurvey>): TableSurvey {
  return {
    name: 'events',
    schema: { name: 'events', doc: '', fields: [], partitionBy: 'event_time' },
    sequence: 1_000_000,
    files: [],
    deletes: [],
    manifests: [],
    foreignFiles: 0,
    snapshots: 1,
    expired: 0,
    garbage: 0,
    ...over,
  }
}

const many = (count: number, bytes: number, over: Partial<SurveyFile> = {}): SurveyFile[] =>
  Array.from({ length: count }, () => file(bytes, over))

const plan = (over: Partial<TableSurvey>, now = NOON) => planTable(survey(over), POLICY, now)

test('a day that names a file twice is left as it is, since a rewrite would have its rows once', () => {
  const files = many(32, 100_000)
  const { jobs, left } = plan({ files: [...files, files[3]!] })
  expect(jobs).toEqual([])
  expect(left.map(({ reason }) => reason)).toEqual([
    'it names a file twice, whose rows count twice: mend the table first',
  ])
  expect(plan({ files }).jobs).toHaveLength(1)
})

describe('while its day goes on', () => {
  test('a table waits for as many files of like size as make one', () => {
    const { jobs, left } = plan({ files: many(15, 100_000) })
    expect(jobs).toEqual([])
    expect(left).toEqual([
      {
        day: TODAY,
        files: 15,
        bytes: 1_500_000,
        reason: 'the day goes on, and no 16 files are of like size',
      },
    ])
    const [job] = plan({ files: many(16, 100_000) }).jobs
    expect(job).toMatchObject({
      kind: 'compact',
      day: TODAY,
      bytes: 1_600_000,
      reason: '16 files of like size make one while the day goes on',
    })
  })

  test('files of different sizes are not mixed, and finished ones are left', () => {
    const files = [...many(15, 100_000), ...many(15, 2_000_000), ...many(3, 120_000_000)]
    expect(plan({ files }).jobs).toEqual([])
    const [job, ...more] = plan({ files: [...files, file(2_500_000)] }).jobs as CompactJob[]
    expect(more).toEqual([])
    expect(job!.files).toHaveLength(16)
    expect(job!.files.every(({ bytes }) => bytes >= 2_000_000)).toBe(true)
  })
})

describe('once its day is over', () => {
  const yesterday = { day: TODAY - 1 }

  test('all small files become one, in the order of time', () => {
    const files = [...many(3, 100_000, yesterday), ...many(2, 30_000_000, yesterday)].toReversed()
    const [job] = plan({ files }).jobs as CompactJob[]
    expect(job).toMatchObject({ day: TODAY - 1, reason: 'the day is over' })
    expect(job!.files.map(({ first }) => first)).toEqual(
      files.map(({ first }) => first).toSorted((a, b) => Number(a! - b!)),
    )
  })

  test('it waits until the day has settled', () => {
    const files = many(3, 100_000, yesterday)
    const early = TODAY * DAY_MS + HOUR_MS / 2
    expect(plan({ files }, early).jobs).toEqual([])
    const late = [...files, file(100_000, { ...yesterday, added: NOON - HOUR_MS / 2 })]
    expect(plan({ files: late }).jobs).toEqual([])
    expect(plan({ files: late }, NOON + HOUR_MS).jobs).toHaveLength(1)
  })

  test('a large file is not written again for a late small one', () => {
    const { jobs, left } = plan({ files: [file(90_000_000, yesterday), file(5000, yesterday)] })
    expect(jobs).toEqual([])
    expect(left[0]!.reason).toBe('one file is much larger than the others together')
  })
})

describe('deletes', () => {
  const old = { day: TODAY - 5 }
  const deleted = (rows: number, kind: 'position' | 'equality' = 'position') => ({
    location: 'file:///lake/d.parquet',
    kind,
    day: TODAY - 5,
    rows,
    sequence: 1_000_000,
  })

  test('are applied once they are many, even to a finished file', () => {
    const files = [file(120_000_000, { ...old, rows: 1000 })]
    expect(plan({ files, deletes: [deleted(10)] }).jobs).toEqual([])
    const [job] = plan({ files, deletes: [deleted(100)] }).jobs
    expect(job).toMatchObject({
      deletes: [{ rows: 100 }],
      spent: [{ rows: 100 }],
      reason: '100 deleted rows of 1000 are read for nothing',
    })
  })

  test('that find rows by value are left to the engine that wrote them', () => {
    const { jobs, left } = plan({ files: many(5, 1000, old), deletes: [deleted(100, 'equality')] })
    expect(jobs).toEqual([])
    expect(left[0]!.reason).toMatch(/equality deletes/)
  })
})

test('a column of another engine that a rewrite would lose leaves the table alone', () => {
  const column = (type: string) => ({ id: 1, name: 'theirs', required: false, type })
  const of = (type: string) => ({
    schema: { name: 'events', doc: '', fields: [column(type)], partitionBy: 'event_time' },
    files: many(16, 1000),
  })
  expect(plan(of('decimal(9, 2)')).jobs).toHaveLength(1)
  const { jobs, left } = plan(of('fixed[16]'))
  expect(jobs).toEqual([])
  expect(left).toEqual([
    {
      day: undefined,
      files: 16,
      bytes: 16_000,
      reason: 'the column theirs has a type that headwater cannot write',
    },
  ])
})

test('manifests are merged when many are of like size and their days overlap', () => {
  const manifest = (i: number, days: [number, number], tier = 2) => ({
    path: `m${i}`,
    files: 100,
    tier,
    specId: 0,
    days,
  })
  const apart = Array.from({ length: 40 }, (_, i) => manifest(i, [i, i]))
  expect(plan({ manifests: apart }).jobs).toEqual([])
  const crowd = apart.map((each) => ({ ...each, days: [0, 50] as const }))
  expect(plan({ manifests: crowd }).jobs).toMatchObject([
    { kind: 'manifests', reason: '40 manifests are of like size' },
  ])
  const nine = Array.from({ length: 9 }, (_, i) => manifest(i, [0, 400], 2 + (i % 2)))
  expect(plan({ manifests: nine }).jobs).toMatchObject([
    { kind: 'manifests', reason: 'a day lies in 9 large manifests' },
  ])
})

test('what is old or garbage is a job of its own', () => {
  const kinds = plan({ expired: 2, garbage: limits.garbageWorthMin + 1 }).jobs.map(
    ({ kind }) => kind,
  )
  expect(kinds).toEqual(['expire', 'collect'])
})

/** Files as they come; every job is done at once, and its file is as large as those it replaces. */
function live(sizes: readonly number[], now: (i: number) => number) {
  let files: SurveyFile[] = []
  let written = 0
  let most = 0
  const work = (at: number): void => {
    for (let rounds = 0; ; rounds++) {
      // A plan that never ends would write for ever.
      expect(rounds).toBeLessThan(200)
      const [job] = plan({ files }, at).jobs as CompactJob[]
      if (job === undefined) return
      const gone = new Set(job.files)
      expect(gone.size).toBeGreaterThan(1)
      written += job.bytes
      files = [
        ...files.filter((each) => !gone.has(each)),
        file(job.bytes, { first: job.files[0]!.first }),
      ]
    }
  }
  for (const [i, size] of sizes.entries()) {
    files.push(file(size))
    work(now(i))
    most = Math.max(most, files.length)
  }
  return { files: () => files, written: () => written, most, work }
}

const sizes = fc.oneof(
  fc.array(fc.integer({ min: 1000, max: 2_000_000 }), { minLength: 1, maxLength: 600 }),
  fc.array(fc.constant(100_000), { minLength: 500, maxLength: 3000 }),
  fc.array(fc.integer({ min: 1000, max: 200_000_000 }), { minLength: 1, maxLength: 100 }),
)

test('of any files: few at any time, each byte written a few times, and an end to it', () => {
  fc.assert(
    fc.property(sizes, (of) => {
      const total = of.reduce((sum, size) => sum + size, 0)
      const day = live(of, () => NOON)
      const finished = total / (0.4 * POLICY.targetBytes)
      expect(day.most).toBeLessThanOrEqual(3 * POLICY.fanIn + finished + 1)
      // Three classes; what is below the lowest is written again until it has grown out of it.
      expect(day.written()).toBeLessThanOrEqual(4 * total + (of.length * POLICY.targetBytes) / 256)
      day.work(NOON + 2 * DAY_MS)
      const small = day.files().filter(({ bytes }) => bytes < 0.75 * POLICY.targetBytes)
      expect(small.length).toBeLessThanOrEqual(12)
      expect(day.files().reduce((sum, { bytes }) => sum + bytes, 0)).toBe(total)
    }),
    { numRuns: 30 },
  )
})
