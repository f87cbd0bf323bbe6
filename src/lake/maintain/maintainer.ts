/** The scheduler of maintenance: looks at tables that changed, and does the worthiest job, one at a time, within its share of a core. */
import { type Clock, Pauses } from '../../base/clock.ts'
import type { HeadwaterError } from '../../base/errors.ts'
import { limits } from '../../base/limits.ts'
import { failed, ok, type Result } from '../../base/result.ts'
import { diskFailure } from '../failure.ts'
import type { TableState } from '../lake.ts'
import type { TableSurvey } from '../upkeep.ts'
import { type Done, doJob, type Hands } from './job.ts'
import { type CompactionPolicy, type Job, planTable, type TablePlan } from './plan.ts'
import { Turns } from './turns.ts'

export interface MaintainerOptions extends Hands {
  readonly clock: Clock
  readonly policyOf: (table: string) => CompactionPolicy
  /** Share of the time that jobs may take, 0 … 1. */
  readonly share: number
  /** Time between two sweeps for what crashes left, ms. */
  readonly sweepEveryMs: number
  /** Whether writers need the machine now: no job begins then, unless that goes on for `maintenanceDeferMsMax`. */
  readonly busy: () => boolean
  /** `table` is empty when the failure concerns all of them. */
  readonly onFailure: (table: string, failure: HeadwaterError) => void
}

/** Counts since the start of the process. */
export interface MaintenanceCounts {
  /** Jobs by what they were. */
  readonly jobs: Map<Job['kind'] | 'sweep', number>
  failures: number
  /** Jobs whose table changed under them. */
  refused: number
  /** Data files that compaction replaced, and those it put in their place. */
  filesBefore: number
  filesAfter: number
  bytesRead: number
  bytesWritten: number
  /** Objects that were removed: garbage and orphans. */
  removed: number
}

/** What is known of a table since it was last looked at. */
interface Look {
  readonly state: TableState
  /** Monotonic time, ms. */
  readonly at: number
  readonly survey: TableSurvey
  readonly policy: CompactionPolicy
  readonly plan: TablePlan
}

export class Maintainer {
  readonly counts: MaintenanceCounts = {
    jobs: new Map(),
    failures: 0,
    refused: 0,
    filesBefore: 0,
    filesAfter: 0,
    bytesRead: 0,
    bytesWritten: 0,
    removed: 0,
  }
  readonly #options: MaintainerOptions
  readonly #looks = new Map<string, Look>()
  /** Table → when it may be worked on again after failures, monotonic ms, and how many there were. */
  readonly #setbacks = new Map<string, { until: number; count: number }>()
  /** Table → when its garbage was looked through, monotonic ms. */
  readonly #collected = new Map<string, number>()
  readonly #turns = new Turns()
  #nextSweep: number
  /** When the writers were first found busy since the last job, monotonic ms. */
  #deferred: number | undefined
  #running: Promise<void> | undefined
  readonly #pauses: Pauses

  constructor(options: MaintainerOptions) {
    this.#options = options
    this.#pauses = new Pauses(options.clock)
    this.#nextSweep = options.clock.monotonic() + limits.maintenanceFirstSweepMs
  }

  /** The newest plan of each table that was looked at. */
  get plans(): readonly TablePlan[] {
    return [...this.#looks.values()].map(({ plan }) => plan)
  }

  /** Works until `stop`. */
  start(): void {
    this.#running ??= this.#loop()
  }

  /** Ends the work that is being done, committed or not, and stops. */
  async stop(): Promise<void> {
    this.#pauses.stop()
    await this.#options.rewriter.close()
    await this.#running
  }

  /** Looks, and does at most one job; answers how long to wait, ms. */
  async step(): Promise<number> {
    const { clock, share } = this.#options
    const started = clock.monotonic()
    if (this.#defers(started)) return limits.maintenanceBusyMs
    const worked = (await this.#sweep()) || (await this.#work())
    const took = clock.monotonic() - started
    // What jobs take is made up for by rest, so that their share of the time is kept.
    const rest = Math.min(limits.maintenanceRestMsMax, took * (1 / share - 1))
    return worked ? rest : Math.max(rest, limits.maintenanceIdleMs)
  }

  /** Whether writers go first; where they never rest, files would become ever more. */
  #defers(now: number): boolean {
    this.#deferred ??= now
    const defers = this.#options.busy() && now - this.#deferred < limits.maintenanceDeferMsMax
    if (!defers) this.#deferred = undefined
    return defers
  }

  async #loop(): Promise<void> {
    let wait: number = limits.maintenanceIdleMs
    while (!this.#pauses.stopping) {
      await this.#pauses.pause(wait)
      if (this.#pauses.stopping) return
      wait = await this.step()
    }
  }

  /** Does the worthiest job there is; whether there was one. */
  async #work(): Promise<boolean> {
    await this.#look()
    const found = this.#choose()
    if (found === undefined) return false
    const { job, survey } = found
    this.#looks.delete(job.table)
    const done = await this.#guarded(() => doJob(job, survey, this.#options))
    if (done.ok) this.#succeeded(job, done.value)
    else this.#failed(job.table, done.error)
    return true
  }

  /** Looks at the tables that have changed enough, and now and then at every one. */
  async #look(): Promise<void> {
    const { lake, clock, policyOf } = this.#options
    for (const state of lake.state.tables.values()) {
      const { name } = state
      if (this.#isSetBack(name) || !this.#isDue(state)) continue
      const looked = await this.#guarded(async () => ok(await lake.upkeep.survey(name)))
      if (!looked.ok) {
        this.#failed(name, looked.error)
        continue
      }
      const policy = policyOf(name)
      const plan = planTable(looked.value, policy, clock.wall())
      this.#looks.set(name, { state, at: clock.monotonic(), survey: looked.value, policy, plan })
    }
  }

  #isDue(state: TableState): boolean {
    const look = this.#looks.get(state.name)
    if (look === undefined) return true
    const age = this.#options.clock.monotonic() - look.at
    if (age >= limits.maintenanceLookMsMax) return true
    if (look.state.snapshotId === state.snapshotId) return false
    // Fewer files than make one give no new job; a look costs a manifest per commit.
    const grown = state.files - look.state.files >= look.policy.fanIn
    return grown || age >= limits.maintenanceLookMs
  }

  /** The job whose turn it is, and what it was planned from. */
  #choose(): { job: Job; survey: TableSurvey } | undefined {
    const rested = this.#options.clock.monotonic() - limits.maintenanceCollectMs
    const due = [...this.#looks].flatMap(([name, { plan }]) => {
      if (this.#isSetBack(name)) return []
      // Objects that are named still are looked for again only after a while.
      const early = (this.#collected.get(name) ?? -Infinity) > rested
      return plan.jobs.filter(({ kind }) => kind !== 'collect' || !early)
    })
    const job = this.#turns.choose(due)
    if (job === undefined) return undefined
    this.#turns.taken(job)
    return { job, survey: this.#looks.get(job.table)!.survey }
  }

  #succeeded(job: Job, done: Done): void {
    this.#count(job.kind)
    if (done.refused !== undefined) this.counts.refused++
    this.#setbacks.delete(job.table)
    if (job.kind === 'compact') {
      this.counts.filesBefore += done.before
      this.counts.filesAfter += done.after
    }
    if (job.kind === 'collect') {
      this.counts.removed += done.before
      this.#collected.set(job.table, this.#options.clock.monotonic())
    }
    this.counts.bytesRead += done.bytesRead
    this.counts.bytesWritten += done.bytesWritten
  }

  #failed(table: string, failure: HeadwaterError): void {
    if (this.#pauses.stopping) return
    this.counts.failures++
    this.#options.onFailure(table, failure)
    const count = (this.#setbacks.get(table)?.count ?? 0) + 1
    const wait = limits.maintenanceRetryMsMin * 2 ** Math.min(count, 16)
    const until = this.#options.clock.monotonic() + Math.min(wait, limits.maintenanceRetryMsMax)
    this.#setbacks.set(table, { until, count })
  }

  #isSetBack(table: string): boolean {
    return (this.#setbacks.get(table)?.until ?? 0) > this.#options.clock.monotonic()
  }

  /** Sweeps when it is time to. */
  async #sweep(): Promise<boolean> {
    const { lake, clock, sweepEveryMs } = this.#options
    const now = clock.monotonic()
    if (now < this.#nextSweep) return false
    this.#nextSweep = now + sweepEveryMs
    const swept = await this.#guarded(() => lake.upkeep.sweep())
    if (swept.ok) {
      this.#count('sweep')
      this.counts.removed += swept.value.objects
    } else {
      this.#failed('', swept.error)
    }
    return true
  }

  #count(kind: Job['kind'] | 'sweep'): void {
    this.counts.jobs.set(kind, (this.counts.jobs.get(kind) ?? 0) + 1)
  }

  /** What the disk refuses is a failure like any other: the table waits, and is tried again. */
  async #guarded<T>(work: () => Promise<Result<T>>): Promise<Result<T>> {
    try {
      return await work()
    } catch (cause) {
      return failed(diskFailure(cause, 'maintenance'))
    }
  }
}
