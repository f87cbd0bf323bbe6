/** The power goes, or one call fails, at every storage operation of every change: the lake opens with each commit whole or not at all. */
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import type { Clock } from '../../src/base/clock.ts'
import { limits } from '../../src/base/limits.ts'
import { seededRandom } from '../../src/base/random.ts'
import type { Result } from '../../src/base/result.ts'
import { Catalog } from '../../src/lake/catalog.ts'
import { tablesOf } from '../../src/lake/catalog-file.ts'
import type { DataFile, LakeChange } from '../../src/lake/index.ts'
import { loadTable } from '../../src/lake/load.ts'
import { decodeManifestList } from '../../src/lake/manifest.ts'
import type { Replacement } from '../../src/lake/rewrite.ts'
import type { Storage } from '../../src/lake/storage.ts'
import { readManifest } from '../../src/lake/write-manifest.ts'
import type { TableSchema } from '../../src/spec/iceberg-type.ts'
import { MemoryFiles } from '../support/files.ts'
import { unwrap } from '../support/platform.ts'
import { open, type Place, storageOf } from './tables.ts'

const TABLES: readonly TableSchema[] = ['left', 'right'].map((name) => ({
  name,
  doc: 'A table.',
  partitionBy: 'at',
  fields: [{ id: 1, name: 'at', required: false, type: 'timestamptz' }],
}))

const DAY = 20_000
const HOUR_MS = 3_600_000

/** A lake in memory whose data files are lists of numbers, so that every row is known. */
class World {
  readonly files = new MemoryFiles()
  readonly place: Place
  now = 1000
  /** Numbers that each commit added, by its offset. */
  readonly commits = new Map<number, Record<string, number[]>>()
  #next = 0
  #unsure: LakeChange | undefined
  lake!: Awaited<ReturnType<typeof open>>

  constructor() {
    const clock: Clock = {
      wall: () => this.now,
      monotonic: () => this.now,
      after: () => () => {},
    }
    this.place = { files: this.files, clock, random: seededRandom(4), root: '/lake' }
  }

  get storage(): Storage {
    return storageOf(this.place)
  }

  async open(): Promise<void> {
    // A process that is gone holds no lock; this one is the same.
    await this.files.remove('/lake/owner.lock')
    this.#unsure = undefined
    this.lake = await open(this.place)
  }

  async write(table: string, numbers: readonly number[]): Promise<DataFile> {
    const folder = await this.lake.dataFolder(table, DAY)
    const file = path.join(folder, `${this.#next++}-${numbers[0]}.parquet`)
    await this.files.write(file, JSON.stringify(numbers), { sync: true })
    await this.files.sync(folder)
    return { path: file, rows: numbers.length, bytes: numbers.length, day: DAY, columns: [] }
  }

  /** The next commit: new rows for both tables. */
  async change(): Promise<LakeChange> {
    const offset = this.lake.state.offset + 1
    const numbers = { left: [offset * 10, offset * 10 + 1], right: [offset * 10] }
    this.commits.set(offset, numbers)
    const appends = new Map<string, DataFile[]>()
    for (const [table, of] of Object.entries(numbers))
      appends.set(table, [await this.write(table, of)])
    return { schemas: TABLES, appends, offset }
  }

  async append(times: number): Promise<void> {
    for (let i = 0; i < times; i++) {
      this.now += 1000
      // The same again while it is not known whether it took place, as the port demands.
      const change = this.#unsure ?? (await this.change())
      const committed = await this.lake.commit(change)
      this.#unsure = isUnknown(committed) ? change : undefined
      unwrap(committed)
    }
  }

  /** A replacement of all files of a table by one. */
  async replacement(table: string): Promise<Replacement> {
    const survey = await this.lake.upkeep.survey(table)
    const numbers: number[] = []
    for (const { location } of survey.files) numbers.push(...(await this.#numbers(location)))
    return {
      removed: survey.files.map(({ location }) => location),
      added: [await this.write(table, numbers)],
      day: DAY,
      sequence: survey.sequence,
      deleted: false,
      spent: [],
    }
  }

  async #numbers(location: string): Promise<number[]> {
    return JSON.parse(Buffer.from(await this.storage.read(location)).toString()) as number[]
  }

  /** Every row of the current state is there once, and everything that any kept snapshot names can be read. */
  async check(): Promise<void> {
    const { state } = this.lake
    for (const { name } of TABLES) {
      const held: number[] = []
      if (state.tables.has(name)) {
        for (const { location } of (await this.lake.upkeep.survey(name)).files) {
          held.push(...(await this.#numbers(location)))
        }
      }
      const expected = [...this.commits]
        .filter(([offset]) => offset <= state.offset)
        .flatMap(([, numbers]) => numbers[name]!)
      expect(held.toSorted((a, b) => a - b)).toEqual(expected)
    }
    await this.named()
  }

  /** Everything that the newest catalog leads to; reading all of it. */
  async named(): Promise<Set<string>> {
    const named = new Set<string>()
    const catalog = unwrap(await new Catalog(this.storage).newest())
    for (const { name, location: file } of tablesOf(catalog)) {
      const { metadata } = unwrap(await loadTable(name, file, this.storage))
      named.add(file)
      for (const entry of metadata['metadata-log']) named.add(entry['metadata-file'])
      for (const { 'manifest-list': list } of metadata.snapshots) {
        named.add(list)
        for (const manifest of decodeManifestList(await this.storage.read(list))) {
          if (named.has(manifest.path)) continue
          named.add(manifest.path)
          for (const { dataFile } of await readManifest(manifest, this.storage)) {
            const location = dataFile['file_path'] as string
            expect(await this.#numbers(location)).toHaveLength(Number(dataFile['record_count']))
            named.add(location)
          }
        }
      }
    }
    return named
  }

  /** After a day, nothing is left that nothing names. */
  async checkSwept(): Promise<void> {
    this.now += 2 * limits.orphanAgeMs
    unwrap(await this.lake.upkeep.sweep())
    const named = await this.named()
    const links = /\/(v\d+\.metadata\.json|version-hint\.text)$/
    for await (const { location } of this.storage.list(`${this.storage.root}/headwater`)) {
      expect(named.has(location) || links.test(location), location).toBe(true)
    }
    await this.check()
  }
}

function isUnknown(result: Result<unknown>): boolean {
  return !result.ok && result.error.code === 'commit_unknown'
}

interface Scenario {
  readonly name: string
  /** Only every so manieth operation, where what comes before takes long. */
  readonly every?: number
  /** Without faults. */
  readonly before: (world: World) => Promise<void>
  readonly act: (world: World) => Promise<void>
}

const SCENARIOS: readonly Scenario[] = [
  { name: 'the first append', before: async () => {}, act: (world) => world.append(1) },
  { name: 'appends', before: (world) => world.append(2), act: (world) => world.append(2) },
  {
    name: 'an append that merges manifests',
    every: 45,
    before: (world) => world.append(limits.manifestsPerTierHardMax - 1),
    act: (world) => world.append(2),
  },
  {
    name: 'an append that expires snapshots',
    before: async (world) => {
      await world.append(8)
      world.now += 2 * HOUR_MS
    },
    act: (world) => world.append(2),
  },
  {
    name: 'a replacement of files',
    before: (world) => world.append(4),
    act: async (world) => {
      const replacement = await world.replacement('left')
      const done = unwrap(await world.lake.upkeep.replace('left', [replacement]))
      expect(done.refused).toEqual([])
      await world.append(1)
    },
  },
  {
    name: 'a merge of manifests',
    before: (world) => world.append(4),
    act: async (world) => {
      const { manifests } = await world.lake.upkeep.survey('left')
      const paths = manifests.slice(1).map((manifest) => manifest.path)
      expect(unwrap(await world.lake.upkeep.mergeManifests('left', paths))).toBe(1)
      await world.append(1)
    },
  },
  {
    name: 'expiry, and the removal of what was replaced',
    before: async (world) => {
      await world.append(8)
      unwrap(await world.lake.upkeep.replace('left', [await world.replacement('left')]))
      world.now += 26 * HOUR_MS
    },
    act: async (world) => {
      expect(unwrap(await world.lake.upkeep.expire('left'))).toBe(4)
      await world.append(6)
      expect(unwrap(await world.lake.upkeep.collect('left'))).toBeGreaterThan(8)
    },
  },
  {
    name: 'a sweep',
    before: async (world) => {
      await world.append(3)
      await world.write('left', [1])
      await world.replacement('right')
      world.now += 2 * limits.orphanAgeMs
    },
    act: async (world) => {
      expect(unwrap(await world.lake.upkeep.sweep()).objects).toBe(2)
      await world.append(1)
    },
  },
]

async function prepared(scenario: Scenario): Promise<World> {
  const world = new World()
  await world.open()
  await scenario.before(world)
  return world
}

/** Runs `act` with a fault from call `at` on (`lasting`) or at it alone; how many calls there were, and whether it came through. */
async function withFault(
  world: World,
  act: () => Promise<void>,
  at: number,
  lasting: boolean,
): Promise<{ calls: number; failed: boolean }> {
  let calls = 0
  world.files.fault = () => {
    calls++
    return calls === at || (lasting && calls > at) ? { code: 'EIO' } : undefined
  }
  const failed = await act().then(
    () => false,
    () => true,
  )
  world.files.fault = () => undefined
  return { calls, failed }
}

describe.each(SCENARIOS)('$name', (scenario) => {
  test('survives a power cut at every operation', { timeout: 120_000 }, async () => {
    const whole = await prepared(scenario)
    const { calls, failed } = await withFault(whole, () => scenario.act(whole), 0, false)
    expect(failed).toBe(false)
    expect(calls).toBeGreaterThan(10)
    await whole.check()
    for (let at = 1; at <= calls; at += scenario.every ?? 1) {
      const world = await prepared(scenario)
      await withFault(world, () => scenario.act(world), at, true)
      world.files.crash(seededRandom(at))
      await world.open()
      await world.check()
      await world.append(1)
      await world.check()
      await world.checkSwept()
    }
  })

  test('survives a refusal at every operation', { timeout: 120_000 }, async () => {
    const whole = await prepared(scenario)
    const { calls } = await withFault(whole, () => scenario.act(whole), 0, false)
    for (let at = 1; at <= calls; at += scenario.every ?? 1) {
      const world = await prepared(scenario)
      expect((await withFault(world, () => scenario.act(world), at, false)).calls).toBeGreaterThan(
        0,
      )
      await world.check()
      await world.append(2)
      await world.check()
      await world.lake.close()
      world.files.crash(seededRandom(at))
      await world.open()
      await world.check()
      await world.checkSwept()
    }
  })
})
