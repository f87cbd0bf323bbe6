/** Whose turn it is: on a simulated clock, commits never merge manifests themselves, and no kind of work starves another. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Clock } from '../../src/base/clock.ts'
import { limits } from '../../src/base/limits.ts'
import { ok } from '../../src/base/result.ts'
import { MemoryFiles } from '../support/files.ts'
import { Maintainer, type TableState } from '../../src/lake/index.ts'
import { manifestTier } from '../../src/lake/merge.ts'
import type { Hands } from '../../src/lake/maintain/job.ts'
import { Turns } from '../../src/lake/maintain/turns.ts'
import type { Job } from '../../src/lake/maintain/plan.ts'
import type { SurveyFile, SurveyManifest, TableSurvey, Upkeep } from '../../src/lake/upkeep.ts'

const DAY_MS = 86_400_000
const NOON = 20_000 * DAY_MS + DAY_MS / 2
const FAN_IN = 16

interface Pace {
  readonly tables: number
  /** What a merge of manifests and a compaction take, ms. */
  readonly mergeMs: number
  readonly compactMs: number
  readonly share: number
  readonly busy: boolean
}

/** Tables that get a file and a manifest each second, and their upkeep: what jobs do to them, and how long they take. */
class World {
  readonly time = { now: 0 }
  readonly done: { readonly kind: Job['kind']; readonly at: number }[] = []
  /** The most manifests of one size that a commit has met. */
  met = 0
  readonly #tables = new Map<string, { files: SurveyFile[]; manifests: SurveyManifest[] }>()
  readonly #pace: Pace
  #serial = 0

  constructor(pace: Pace) {
    this.#pace = pace
    for (let i = 0; i < pace.tables; i++)
      this.#tables.set(`table_${i}`, { files: [], manifests: [] })
  }

  commit(): void {
    for (const [name, table] of this.#tables) {
      const same = Map.groupBy(table.manifests, ({ tier }) => tier)
      this.met = Math.max(this.met, ...[...same.values()].map((each) => each.length))
      table.files.push(this.#file(name, 100_000))
      table.manifests.push(this.#manifest(1))
    }
  }

  get clock(): Clock {
    const { time } = this
    return { wall: () => NOON + time.now, monotonic: () => time.now, after: () => () => {} }
  }

  get hands(): Hands {
    const { compactMs } = this.#pace
    const rewrite = async () => {
      this.#took('compact', compactMs)
      return ok(undefined)
    }
    const files = new MemoryFiles()
    return { lake: this.#lake(), rewriter: { rewrite, close: async () => {} }, files }
  }

  #lake(): Hands['lake'] {
    const states = (): Map<string, TableState> =>
      new Map(
        [...this.#tables].map(([name, { files }]) => [
          name,
          { name, snapshotId: BigInt(this.#serial), files: files.length } as unknown as TableState,
        ]),
      )
    return {
      get state() {
        return { tables: states() } as unknown as Hands['lake']['state']
      },
      dataFolder: async () => '/data',
      upkeep: {
        survey: async (name) => this.#survey(name),
        local: async (location) => location,
        replace: async (name, [replacement]) => {
          const table = this.#tables.get(name)!
          const gone = new Set(replacement!.removed)
          const bytes = table.files.reduce(
            (sum, each) => sum + (gone.has(each.location) ? each.bytes : 0),
            0,
          )
          table.files = table.files.filter(({ location }) => !gone.has(location))
          table.files.push(this.#file(name, bytes))
          return ok({ committed: [], refused: [] })
        },
        mergeManifests: async (name, paths) => {
          this.#took('manifests', this.#pace.mergeMs)
          const table = this.#tables.get(name)!
          const rest = table.manifests.filter(({ path }) => !paths.includes(path))
          const files = table.manifests.reduce((sum, each) => sum + each.files, 0)
          table.manifests = [...rest, this.#manifest(files)]
          return ok(1)
        },
        sweep: async () => ok({ objects: 0, bytes: 0 }),
      } satisfies Partial<Upkeep> as unknown as Upkeep,
    }
  }

  #took(kind: Job['kind'], ms: number): void {
    this.time.now += ms
    this.done.push({ kind, at: this.time.now })
  }

  #survey(name: string): TableSurvey {
    const { files, manifests } = this.#tables.get(name)!
    return {
      name,
      schema: { name, doc: '', fields: [], partitionBy: 'event_time' },
      sequence: this.#serial,
      files,
      deletes: [],
      manifests,
      foreignFiles: 0,
      snapshots: 1,
      expired: 0,
      garbage: 0,
    }
  }

  #file(name: string, bytes: number): SurveyFile {
    const sequence = ++this.#serial
    const first = BigInt(sequence)
    const location = `file:///${name}/${sequence}.parquet`
    return { location, day: 20_000, rows: 10, bytes, sequence, added: undefined, first }
  }

  #manifest(files: number): SurveyManifest {
    const tier = manifestTier({ addedFiles: files, existingFiles: 0 })
    return { path: `m${++this.#serial}`, files, tier, specId: 0, days: [20_000, 20_000] }
  }
}

async function run(pace: Pace, forMs: number): Promise<World> {
  const world = new World(pace)
  const maintainer = new Maintainer({
    ...world.hands,
    clock: world.clock,
    policyOf: () => ({ targetBytes: 128 << 20, fanIn: FAN_IN, settleMs: 3_600_000 }),
    share: pace.share,
    sweepEveryMs: 3_600_000,
    busy: () => pace.busy,
    onFailure: (_, failure) => {
      throw failure
    },
  })
  let commits = 0
  while (world.time.now < forMs) {
    world.time.now += await maintainer.step()
    // What came meanwhile: a job that takes long does not hold writers up.
    for (; commits * 1000 < world.time.now; commits++) world.commit()
  }
  return world
}

/** The longest time in which nothing of a kind was done, ms. */
function longestPause(world: World, kind: Job['kind'], forMs: number): number {
  const at = world.done.filter((each) => each.kind === kind).map((each) => each.at)
  return Math.max(...[...at, forMs].map((time, i) => time - (at[i - 1] ?? 0)))
}

const paces = fc.record({
  tables: fc.integer({ min: 1, max: 30 }),
  mergeMs: fc.integer({ min: 10, max: 600 }),
  compactMs: fc.integer({ min: 20, max: 3000 }),
  share: fc.constantFrom(0.1, 0.2, 0.5, 1),
  busy: fc.boolean(),
})

/** What three urgent merges and a compaction take, with the rest after them and what busy writers put them off. */
function round({ mergeMs, compactMs, share, busy }: Pace): number {
  const deferred = busy ? limits.maintenanceDeferMsMax + limits.maintenanceBusyMs : 0
  return (3 * mergeMs + compactMs) / share + 4 * deferred
}

test('merges and compactions both go on, however little time there is for them', async () => {
  await fc.assert(
    fc.asyncProperty(paces, async (pace) => {
      const forMs = Math.max(400_000, 20 * round(pace))
      const world = await run(pace, forMs)
      // Enough commits for both to be due, and the turns of the other.
      const due = 60_000 + limits.maintenanceLookMs
      expect(longestPause(world, 'compact', forMs)).toBeLessThan(due + 3 * round(pace))
      expect(longestPause(world, 'manifests', forMs)).toBeLessThan(due + 3 * round(pace))
    }),
    { numRuns: 25 },
  )
})

test('commits do not meet so many manifests that they merge them, where that can be done at all', async () => {
  const room = (limits.manifestsPerTierHardMax - limits.manifestsUrgentMin) * 1000
  const possible = paces.filter(
    (pace) => (pace.tables * round(pace)) / 3 + limits.maintenanceLookMs + round(pace) < room,
  )
  await fc.assert(
    fc.asyncProperty(possible, async (pace) => {
      const world = await run(pace, 600_000)
      expect(world.met).toBeLessThan(limits.manifestsPerTierHardMax)
    }),
    { numRuns: 20 },
  )
})

test('tables with more manifests than there is time to merge are compacted all the same', async () => {
  const pace = { tables: 30, mergeMs: 600, compactMs: 300, share: 0.2, busy: false }
  const { done } = await run(pace, 300_000)
  expect(done.filter(({ kind }) => kind === 'compact').length).toBeGreaterThan(20)
  expect(done.filter(({ kind }) => kind === 'manifests').length).toBeGreaterThan(20)
})

test('of four kinds each has its turn; urgent merges have three of four', () => {
  const manifests = (count: number): Job => ({
    kind: 'manifests',
    table: 't',
    manifests: Array.from({ length: count }, (_, i) => ({
      path: `m${i}`,
      files: 1,
      tier: 0,
      specId: 0,
      days: undefined,
    })),
    reason: '',
  })
  const compact: Job = {
    kind: 'compact',
    table: 't',
    day: 0,
    files: [],
    bytes: 1,
    rows: 1,
    deletes: [],
    spent: [],
    reason: '',
  }
  const expire: Job = { kind: 'expire', table: 't', objects: 1, reason: '' }
  const collect: Job = { kind: 'collect', table: 't', objects: 1, reason: '' }
  const order = (jobs: readonly Job[]): string[] => {
    const turns = new Turns()
    return Array.from({ length: 8 }, () => {
      const job = turns.choose(jobs)!
      turns.taken(job)
      return job.kind
    })
  }
  const relaxed = order([compact, expire, manifests(limits.manifestsPerTierMax), collect])
  expect(new Set(relaxed.slice(0, 4)).size).toBe(4)
  expect(relaxed.slice(4)).toEqual(relaxed.slice(0, 4))
  const hurried = order([compact, manifests(limits.manifestsUrgentMin)])
  const four = ['manifests', 'manifests', 'manifests', 'compact']
  expect(hurried).toEqual([...four, ...four])
  expect(order([manifests(limits.manifestsUrgentMin)])).toEqual(Array(8).fill('manifests'))
  expect(new Turns().choose([])).toBeUndefined()
})
