/** A lake under months of commits on a clock that is pushed: real metadata and maintenance, data files that are links to one. */
import { link, mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { type Clock, systemClock } from '../src/base/clock.ts'
import { nodeFiles } from '../src/base/node/files.ts'
import { below, type Random, seededRandom, uuid } from '../src/base/random.ts'
import { ok } from '../src/base/result.ts'
import {
  type DataFile,
  type KeptLake,
  localStorage,
  Maintainer,
  openLake,
} from '../src/lake/index.ts'
import { limits } from '../src/base/limits.ts'
import type { TableSchema } from '../src/spec/iceberg-type.ts'

/** Files of like size that become one: the plan for the default budget is laxer. */
const FAN_IN = 16
const DAY_MS = 86_400_000
const TABLE = 'events'
/** A second's rows: with it a day makes 8.6 GB. */
const FILE_BYTES = 100_000
const FILE_ROWS = 1000
/** What an engine compacts in a second, bytes; and what each job takes besides, ms. For the clock, not for the disk. */
const COMPACT_BYTES_PER_MS = 20_000
const JOB_MS = 200

const SCHEMA: TableSchema = {
  name: TABLE,
  doc: 'A table of the simulation.',
  partitionBy: 'event_time',
  fields: Array.from({ length: 30 }, (_, i) => ({
    id: i + 1,
    name: i === 0 ? 'event_time' : `column_${i}`,
    required: false,
    type: i === 0 ? 'timestamptz' : i % 3 === 0 ? 'string' : 'long',
  })),
}

/** A stretch of virtual time with one commit every `everyMs`. */
export interface Stretch {
  readonly forMs: number
  readonly everyMs: number
}

/** What a part of a stretch was like. */
export interface Reading {
  /** Virtual days since the start, at its end. */
  readonly day: number
  readonly everyMs: number
  readonly commits: number
  /** Wall time of a commit, ms. */
  readonly p50: number
  readonly p99: number
  readonly max: number
  /** Processor time of a commit, all threads, ms: what a busy machine does not change. */
  readonly cpuP50: number
  readonly cpuP99: number
  readonly files: number
  readonly manifests: number
  readonly snapshots: number
  /** Of the newest metadata file, bytes. */
  readonly metadataBytes: number
  /** Objects in the table's folders on disk. */
  readonly objects: number
  /** Wall time to find every live file from nothing, ms. */
  readonly planMs: number
  /** Wall time of maintenance per commit, ms, without what the engine takes. */
  readonly upkeepMs: number
  /** Bytes that maintenance wrote per byte that came in. */
  readonly amplification: number
}

/** Runs the stretches in a temporary folder; answers `parts` readings of each. */
export async function simulate(
  stretches: readonly Stretch[],
  parts: number,
  onReading: (reading: Reading) => void = () => {},
): Promise<Reading[]> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'headwater-month-'))
  const world = await World.open(folder)
  const readings: Reading[] = []
  for (const { forMs, everyMs } of stretches) {
    const commits = Math.ceil(forMs / everyMs / parts)
    for (let part = 0; part < parts; part++) {
      const reading = await world.run(commits, everyMs)
      readings.push(reading)
      onReading(reading)
    }
  }
  await world.close()
  await rm(folder, { recursive: true, force: true })
  return readings
}

class World {
  readonly #folder: string
  readonly #lake: KeptLake
  readonly #maintainer: Maintainer
  readonly #random: Random = seededRandom(7)
  readonly #time: { now: number }
  readonly #start: number
  #nextStep = 0
  #bytesIn = 0

  private constructor(
    folder: string,
    lake: KeptLake,
    maintainer: Maintainer,
    time: { now: number },
  ) {
    this.#folder = folder
    this.#lake = lake
    this.#maintainer = maintainer
    this.#time = time
    this.#start = time.now
  }

  static async open(folder: string): Promise<World> {
    const time = { now: Math.floor(systemClock.wall() / DAY_MS) * DAY_MS + DAY_MS }
    const clock: Clock = { wall: () => time.now, monotonic: () => time.now, after: () => () => {} }
    const random = seededRandom(8)
    await writeFile(path.join(folder, 'rows.parquet'), 'rows')
    const root = path.join(folder, 'lake')
    const storage = localStorage(root, nodeFiles, random)
    const ports = { files: nodeFiles, clock, random }
    const lake = await openLake({ storage, lock: root, namespace: 'month', ...ports })
    if (!lake.ok) throw lake.error
    const maintainer = new Maintainer({
      lake: lake.value,
      files: nodeFiles,
      clock,
      policyOf: () => ({
        targetBytes: limits.targetBytes,
        fanIn: FAN_IN,
        settleMs: limits.settleMs,
      }),
      share: 0.2,
      sweepEveryMs: DAY_MS / 2,
      busy: () => false,
      onFailure: (_, failure) => {
        throw failure
      },
      rewriter: {
        rewrite: async (job) => {
          const files = await Promise.all(job.files.map((file) => sizeOf(file.location)))
          const bytes = files.reduce((sum, each) => sum + each.bytes, 0)
          const rows = files.reduce((sum, each) => sum + each.rows, 0)
          time.now += JOB_MS + bytes / COMPACT_BYTES_PER_MS
          return ok(await linked(folder, job.folder, job.day, { rows, bytes }, random))
        },
        close: async () => {},
      },
    })
    return new World(folder, lake.value, maintainer, time)
  }

  async run(commits: number, everyMs: number): Promise<Reading> {
    const took: number[] = []
    const cpu: number[] = []
    let upkeepMs = 0
    const written = this.#maintainer.counts.bytesWritten
    const came = this.#bytesIn
    let due = this.#time.now
    for (let i = 0; i < commits; i++) {
      due += everyMs
      this.#time.now = Math.max(this.#time.now, due)
      const appends = new Map([[TABLE, await this.#newFiles()]])
      const offset = this.#lake.state.offset + 1
      const started = systemClock.monotonic()
      const used = process.cpuUsage()
      const committed = await this.#lake.commit({ schemas: [SCHEMA], appends, offset })
      took.push(systemClock.monotonic() - started)
      const { user, system } = process.cpuUsage(used)
      cpu.push((user + system) / 1000)
      if (!committed.ok) throw committed.error
      const before = systemClock.monotonic()
      while (this.#nextStep <= due + everyMs) {
        this.#time.now = Math.max(this.#time.now, this.#nextStep)
        const wait = await this.#maintainer.step()
        // Between commits that lie far apart there is nothing new to look at every other second.
        this.#nextStep = this.#time.now + Math.max(wait, everyMs / 30)
      }
      upkeepMs += systemClock.monotonic() - before
    }
    took.sort((a, b) => a - b)
    cpu.sort((a, b) => a - b)
    const share = (this.#maintainer.counts.bytesWritten - written) / (this.#bytesIn - came)
    return {
      ...(await this.#shape()),
      day: (this.#time.now - this.#start) / DAY_MS,
      everyMs,
      commits,
      p50: took[Math.floor(took.length * 0.5)]!,
      p99: took[Math.floor(took.length * 0.99)]!,
      max: took.at(-1)!,
      cpuP50: cpu[Math.floor(cpu.length * 0.5)]!,
      cpuP99: cpu[Math.floor(cpu.length * 0.99)]!,
      upkeepMs: upkeepMs / commits,
      amplification: share,
    }
  }

  async close(): Promise<void> {
    await this.#maintainer.stop()
    await this.#lake.close()
  }

  /** A file of today; now and then one of yesterday, and of a day in the last month. */
  async #newFiles(): Promise<DataFile[]> {
    const today = Math.floor(this.#time.now / DAY_MS)
    const days = [today]
    if (below(this.#random, 60) === 0) days.push(today - 1)
    if (below(this.#random, 600) === 0) days.push(today - 2 - below(this.#random, 28))
    const files: DataFile[] = []
    for (const day of days) {
      const folder = await this.#lake.dataFolder(TABLE, day)
      const size = { rows: FILE_ROWS, bytes: FILE_BYTES }
      files.push(await linked(this.#folder, folder, day, size, this.#random))
      this.#bytesIn += FILE_BYTES
    }
    return files
  }

  async #shape(): Promise<
    Pick<Reading, 'files' | 'manifests' | 'snapshots' | 'metadataBytes' | 'objects' | 'planMs'>
  > {
    const table = path.join(this.#folder, 'lake/month', TABLE)
    const hint = path.join(table, 'metadata/version-hint.text')
    const version = Buffer.from(await nodeFiles.read(hint)).toString()
    const { size } = await stat(path.join(table, `metadata/v${version}.metadata.json`))
    const started = systemClock.monotonic()
    const live = await this.#lake.files(this.#lake.state, TABLE)
    const planMs = systemClock.monotonic() - started
    const survey = await this.#lake.upkeep.survey(TABLE)
    return {
      planMs,
      files: live.length,
      manifests: survey.manifests.length,
      snapshots: survey.snapshots,
      metadataBytes: size,
      objects: (await readdir(table, { recursive: true })).length,
    }
  }
}

/** Links hold no size: it is in the name. */
async function linked(
  from: string,
  folder: string,
  day: number,
  { rows, bytes }: { rows: number; bytes: number },
  random: Random,
): Promise<DataFile> {
  await mkdir(folder, { recursive: true })
  const file = path.join(folder, `${uuid(random)}-${rows}-${Math.round(bytes)}.parquet`)
  await link(await seedOf(from), file)
  const lower = BigInt(day) * 86_400_000_000n
  const columns = SCHEMA.fields.map(({ id, type }) => ({
    fieldId: id,
    bytes: Math.round(bytes / 30),
    values: rows,
    nulls: 0,
    lower: type === 'string' ? 'aaaaaaaaaaaaaaaa' : type === 'long' ? 1n : lower,
    upper:
      type === 'string' ? 'zzzzzzzzzzzzzzzz' : type === 'long' ? 10n ** 15n : lower + 10n ** 9n,
  }))
  return { path: file, rows, bytes: Math.round(bytes), day, columns }
}

/** A file system lets one file have only so many names. */
const NAMES_MAX = 30_000
const seeds = new Map<string, { seed: string; names: number }>()

async function seedOf(folder: string): Promise<string> {
  const known = seeds.get(folder)
  if (known !== undefined && known.names < NAMES_MAX) {
    known.names++
    return known.seed
  }
  const seed = path.join(
    folder,
    `rows-${seeds.size}-${known?.names ?? 0}-${uuid(seededRandom(seeds.size + 1))}`,
  )
  await writeFile(seed, 'rows')
  seeds.set(folder, { seed, names: 1 })
  return seed
}

async function sizeOf(location: string): Promise<{ rows: number; bytes: number }> {
  const [, rows, bytes] = /-(\d+)-(\d+)\.parquet$/.exec(location) ?? []
  return { rows: Number(rows), bytes: Number(bytes) }
}
