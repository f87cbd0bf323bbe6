/** Writes epochs: files of every table, then one commit of them all with the log offset; after a failure, the same again. */
import type { DuckDBConnection } from '@duckdb/node-api'
import { type Clock, Pauses, sleep } from '../../base/clock.ts'
import { error, HeadwaterError } from '../../base/errors.ts'
import { errnoOf, type Files } from '../../base/files.ts'
import { limits } from '../../base/limits.ts'
import type { Random } from '../../base/random.ts'
import { failed, ok, type Result } from '../../base/result.ts'
import type { Epoch } from '../../columns/epoch.ts'
import { ledgerEntries } from '../../columns/ledger-entry.ts'
import type { RowSet } from '../../columns/table.ts'
import type { DataFile, Lake, LakeChange } from '../../lake/lake.ts'
import type { Log } from '../../log/log.ts'
import { type CadenceOptions, dueInMs, strictestMs, type Writing } from '../cadence.ts'
import type { Completeness } from '../completeness.ts'
import { claimSummaries } from '../claims.ts'
import type { EpochQueue } from '../epochs.ts'
import { type Duck, openDuck } from './instance.ts'
import { ParquetWriter } from './parquet.ts'
import { RowsFunction } from './rows-function.ts'
import { TextBoundsOf } from './statistics.ts'
import { Enumerations } from './types.ts'

/** What one commit held, for metrics and people who watch. */
export interface CommitReport {
  readonly version: number
  readonly offset: number
  readonly rows: ReadonlyMap<string, number>
  readonly files: number
  readonly bytes: number
  /** Age of the oldest row when it became queryable, ms. */
  readonly freshnessMs: number
  readonly writeMs: number
  readonly commitMs: number
}

/** How much the newest write counts in how long writes usually take. */
const WRITE_MEMORY = 0.3

export interface RunnerOptions {
  readonly queue: EpochQueue
  readonly log: Log
  readonly lake: Lake
  readonly files: Files
  readonly clock: Clock
  readonly random: Random
  readonly cadence: CadenceOptions
  readonly completeness: Completeness
  /** Tables written side by side. */
  readonly writers: number
  readonly onCommit: (report: CommitReport) => void
  readonly onFailure: (failure: HeadwaterError) => void
}

export class EpochRunner {
  readonly #options: RunnerOptions
  readonly #duck: Duck
  readonly #writers: readonly ParquetWriter[]
  #running: Promise<void> | undefined
  readonly #pauses: Pauses
  #failure: HeadwaterError | undefined
  #writing = false
  /** A commit whose outcome the lake could not make sure of. */
  #unsure: LakeChange | undefined

  private constructor(options: RunnerOptions, duck: Duck, writers: readonly ParquetWriter[]) {
    this.#options = options
    this.#pauses = new Pauses(options.clock)
    this.#duck = duck
    this.#writers = writers
  }

  static async open(options: RunnerOptions): Promise<EpochRunner> {
    const duck = await openDuck({ threads: 1 })
    const connections: DuckDBConnection[] = []
    for (let i = 0; i < options.writers; i++) connections.push(await duck.connect())
    const rows = new RowsFunction(connections[0]!)
    const writers = connections.map(
      (connection) => new ParquetWriter(connection, rows, options.files, options.random),
    )
    return new EpochRunner(options, duck, writers)
  }

  /** Why the last attempt failed; undefined once one succeeds. */
  get failure(): HeadwaterError | undefined {
    return this.#failure
  }

  /** Whether an epoch is being written now. */
  get writing(): boolean {
    return this.#writing
  }

  /** Starts writing epochs at the cadence, until `stop`. */
  start(): void {
    this.#running ??= this.#loop()
  }

  /** Writes what is left, then stops. Gives up on it when the lake refuses: the log still has it. */
  async stop(): Promise<void> {
    this.#pauses.stop()
    await this.#running
    // Nothing may be committed behind an epoch that was not: its offset would cover rows that never landed.
    if (this.#failure === undefined) await this.drain()
    this.#duck.close()
  }

  /** Writes all rows that the queue holds now. Used while the log is replayed. */
  async drain(): Promise<Result<void>> {
    for (;;) {
      const epoch = this.#options.queue.take()
      if (epoch === undefined) return ok(undefined)
      const written = await this.#attempt(epoch)
      if (!written.ok) return written
    }
  }

  async #loop(): Promise<void> {
    const { queue, clock, cadence } = this.#options
    const goals = [cadence.epochMs, ...Object.values(cadence.tables).map((own) => own.epochMs)]
    const pollMs = Math.min(limits.cadencePollMsMax, ...goals.map((ms = Infinity) => ms / 4))
    let startedAt = -Infinity
    let usualMs = 0
    while (!this.#pauses.stopping) {
      const dueMs = this.#dueInMs({ usualMs, sinceMs: clock.monotonic() - startedAt })
      if (dueMs > 0) {
        // Rows of a table with a stricter objective may come in the meantime.
        await this.#pauses.pause(Math.min(pollMs, dueMs))
        continue
      }
      const epoch = queue.take()
      if (epoch === undefined) continue
      startedAt = clock.monotonic()
      await this.#untilWritten(epoch)
      const writeMs = clock.monotonic() - startedAt
      usualMs = usualMs === 0 ? writeMs : usualMs + (writeMs - usualMs) * WRITE_MEMORY
    }
  }

  /** Milliseconds until the next epoch is to be written; Infinity while there is none. */
  #dueInMs(writing: Writing): number {
    const { queue, clock, cadence } = this.#options
    const { next } = queue
    if (next === undefined) return Infinity
    const { epoch, closed } = next
    const waiting = {
      // The wall clock may have gone back.
      ageMs: Math.max(0, clock.wall() - epoch.opened),
      objectiveMs: strictestMs(cadence, epoch.filled()),
      pressing: closed || epoch.rows >= limits.epochRowsFull,
    }
    return dueInMs(cadence.writeShare, waiting, writing)
  }

  /** Tries until the epoch is committed or the process stops; the log keeps what is not committed. */
  async #untilWritten(epoch: Epoch): Promise<void> {
    let waitMs: number = limits.epochRetryMsMin
    for (;;) {
      const written = await this.#attempt(epoch)
      if (written.ok || this.#pauses.stopping) return
      this.#options.onFailure(written.error)
      await sleep(this.#options.clock, waitMs)
      waitMs = Math.min(limits.epochRetryMsMax, waitMs * 2)
    }
  }

  async #attempt(epoch: Epoch): Promise<Result<void>> {
    this.#writing = true
    try {
      return await this.#writeEpoch(epoch)
    } finally {
      this.#writing = false
    }
  }

  async #writeEpoch(epoch: Epoch): Promise<Result<void>> {
    const { queue, lake, log, clock } = this.#options
    const started = clock.monotonic()
    const change = this.#unsure ?? (await this.#change(epoch))
    if (change instanceof HeadwaterError) {
      this.#failure = change
      return failed(change)
    }
    const writtenAt = clock.monotonic()
    const committed = await lake.commit(change)
    this.#unsure = !committed.ok && mayStand(committed.error) ? change : undefined
    if (!committed.ok) {
      this.#failure = committed.error
      if (this.#unsure === undefined) await this.#discard(change.appends)
      return committed
    }
    this.#failure = undefined
    this.#options.onCommit({
      ...totals(change.appends),
      version: committed.value.version,
      offset: change.offset,
      freshnessMs: clock.wall() - epoch.opened,
      writeMs: writtenAt - started,
      commitMs: clock.monotonic() - writtenAt,
    })
    queue.release(epoch)
    await log.trim(change.offset)
    return ok(undefined)
  }

  /** Writes the files of an epoch, once every frame of it is durable. */
  async #change(epoch: Epoch): Promise<LakeChange | HeadwaterError> {
    await epoch.settled
    const written = await this.#write(epoch)
    if (!written.ok) return written.error
    const { completeness, lake } = this.#options
    // A batch that was folded by an attempt that failed changes nothing when it is folded again.
    for (const entry of ledgerEntries(epoch.batches)) completeness.fold(entry)
    return {
      schemas: [],
      appends: written.value,
      offset: Math.max(epoch.end, lake.state.offset),
      summaries: claimSummaries(completeness.claim(), written.value.keys()),
    }
  }

  /** One file per table and day; all or none of them stay. */
  async #write(epoch: Epoch): Promise<Result<Map<string, DataFile[]>>> {
    const scope = { enumerations: new Enumerations(), textBounds: new TextBoundsOf() }
    const work = workOf(epoch)
    const files = new Map<string, DataFile[]>()
    let failure: HeadwaterError | undefined
    const writeSome = async (writer: ParquetWriter): Promise<void> => {
      for (let next = work.shift(); next !== undefined; next = work.shift()) {
        const { table, day, rows } = next
        try {
          const folder = await this.#options.lake.dataFolder(table, day)
          const file = await writer.write(rows, folder, day, scope)
          files.set(table, [...(files.get(table) ?? []), file])
        } catch (cause) {
          failure = asFailure(cause, table)
          work.length = 0
        }
      }
    }
    await Promise.all(this.#writers.map(writeSome))
    if (failure === undefined) return ok(files)
    await this.#discard(files)
    return failed(failure)
  }

  async #discard(files: ReadonlyMap<string, readonly DataFile[]>): Promise<void> {
    for (const file of [...files.values()].flat()) {
      // What cannot be removed now is an orphan, which the lake sweeps by age.
      await this.#options.files.remove(file.path).catch(() => undefined)
    }
  }
}

/** Whether some tables may name the files of a change that failed so. */
function mayStand({ code }: HeadwaterError): boolean {
  return code === 'commit_unknown' || code === 'lake_fenced'
}

interface Work {
  readonly table: string
  readonly day: number
  readonly rows: RowSet
}

/** Everything of an epoch that becomes a file, largest first so that writers finish together. */
function workOf(epoch: Epoch): Work[] {
  const work: Work[] = []
  const add = (table: string, day: number, rows: RowSet): void => {
    if (rows.rows > 0) work.push({ table, day, rows })
  }
  for (const [name, table] of epoch.tables) {
    for (const [day, rows] of table.days) add(name, day, rows)
  }
  add(epoch.batches.schema.name, epoch.day ?? 0, epoch.batches)
  add(epoch.quarantine.schema.name, epoch.day ?? 0, epoch.quarantine)
  return work.sort((a, b) => b.rows.rows - a.rows.rows)
}

function asFailure(cause: unknown, table: string): HeadwaterError {
  if (cause instanceof HeadwaterError) return cause
  const message = cause instanceof Error ? cause.message : String(cause)
  const full = errnoOf(cause) === 'ENOSPC' || /no space left/i.test(message)
  return error(full ? 'disk_full' : 'engine_failed', `table ${table}: ${message}`, cause)
}

function totals(
  files: ReadonlyMap<string, readonly DataFile[]>,
): Pick<CommitReport, 'rows' | 'files' | 'bytes'> {
  const all = [...files.values()].flat()
  const rows = new Map<string, number>()
  for (const [table, ofTable] of files) {
    rows.set(
      table,
      ofTable.reduce((sum, file) => sum + file.rows, 0),
    )
  }
  return { rows, files: all.length, bytes: all.reduce((sum, file) => sum + file.bytes, 0) }
}
