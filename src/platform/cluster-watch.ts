/** Watches what lands the records of this cluster: looks again and again, remembers what it saw last, and tells it as metrics. */
import { limits } from '../base/limits.ts'
import { ok, type Result } from '../base/result.ts'
import type { Reading, TableReading } from '../collector/metrics.ts'
import { Landings } from '../engine/index.ts'
import { isLanding, type JobHealth } from '../engine/flink/health.ts'
import type { Lake } from '../lake/index.ts'
import type { Lag } from '../log/kafka/index.ts'
import type { FlinkConfig } from './flink-config.ts'
import { completeReading, freshnessGauges } from './gauges.ts'
import type { Project } from './project.ts'
import { lookAtJob, lookAtLag, type SightPorts } from './sights.ts'

export interface WatchOptions extends SightPorts {
  readonly project: Project
  readonly lake: Lake
  /** Undefined where nobody says where Flink is. */
  readonly flink: FlinkConfig | undefined
}

/** What a look saw, or why it saw nothing. */
interface Seen {
  readonly job: Result<JobHealth | undefined>
  readonly lag: Result<ReadonlyMap<string, Lag>>
  /** Whether the tables could be read. */
  readonly tables: boolean
}

export class ClusterWatch {
  readonly #options: WatchOptions
  readonly #landings: Landings
  /** Before the first look nothing is known. */
  #seen: Seen = { job: ok(undefined), lag: ok(new Map()), tables: true }
  #cancel = (): void => {}
  /** The reading of tables that is under way: whether they could be read. */
  #reading: Promise<boolean> = Promise.resolve(true)
  #stopped = false

  constructor(options: WatchOptions) {
    this.#options = options
    this.#landings = new Landings(options.lake, options.project.config.engine.completeness)
  }

  /** Looks at once, and then one look after the other. */
  start(): void {
    void this.look().then(() => {
      if (this.#stopped) return
      this.#cancel = this.#options.clock.after(limits.watchEveryMs, () => this.start())
    })
  }

  /** The tables are not touched any more when it resolves; an answer of Kafka or Flink that is still awaited is for nobody. */
  async stop(): Promise<void> {
    this.#stopped = true
    this.#cancel()
    await this.#reading
  }

  /** What is away is not waited for longer than the limits say; of what it said before nothing is told any more. */
  async look(): Promise<void> {
    const { project, flink } = this.#options
    // Storage may fail in any way, and a table may change while it is read: the next look makes up for it.
    this.#reading = this.#lookAtTables().then(
      () => true,
      () => false,
    )
    const [job, lag, tables] = await Promise.all([
      flink === undefined ? ok(undefined) : lookAtJob(project.config, flink, this.#options),
      lookAtLag(project, this.#options),
      this.#reading,
    ])
    this.#seen = { job, lag, tables }
  }

  async #lookAtTables(): Promise<void> {
    const { project, lake } = this.#options
    // Somebody else's catalog does not tell what Flink has committed to it.
    if (project.config.lake.catalog !== undefined) await lake.refresh()
    await this.#landings.look()
  }

  get #health(): JobHealth | undefined {
    const { job } = this.#seen
    return job.ok ? job.value : undefined
  }

  /** Numbers for /metrics; NaN where nothing is known. */
  get gauges(): readonly Reading[] {
    const landings = this.#landings
    return [
      ...freshnessGauges(
        landings.freshness,
        () => landings.active,
        (table) => landings.claims.get(table),
      ),
      {
        name: 'kafka_offsets_known',
        help: '1 while the brokers tell how far the landing is.',
        read: () => (this.#seen.lag.ok ? 1 : 0),
      },
      {
        name: 'tables_readable',
        help: '1 while the tables that Flink writes can be read.',
        read: () => (this.#seen.tables ? 1 : 0),
      },
      ...(this.#options.flink === undefined ? [] : this.#jobGauges()),
    ]
  }

  #jobGauges(): Reading[] {
    const ofJob = (read: (job: NonNullable<JobHealth['job']>) => number | undefined) => () => {
      const job = this.#health?.job
      return (job && read(job)) ?? NaN
    }
    return [
      {
        name: 'flink_reachable',
        help: '1 while the JobManager answers.',
        read: () => (this.#seen.job.ok ? 1 : 0),
      },
      {
        name: 'flink_job_running',
        help: '1 while one job lands records, with all of its tasks.',
        read: () => (this.#health !== undefined && isLanding(this.#health) ? 1 : 0),
      },
      {
        name: 'flink_job_restarts',
        help: 'How often the job began again after a failure.',
        read: ofJob(({ restarts }) => restarts),
      },
      {
        name: 'flink_checkpoint_age_seconds',
        help: 'Time since the last completed checkpoint began, or since the job started: what came later is in no table.',
        read: ofJob((job) => checkpointAgeMs(job, this.#options.clock.wall()) / 1000),
      },
      {
        name: 'flink_checkpoint_seconds',
        help: 'How long the last completed checkpoint took.',
        read: ofJob(({ checkpoints }) => checkpoints.last && checkpoints.last.ms / 1000),
      },
      {
        name: 'flink_checkpoint_bytes',
        help: 'Bytes of state that it refers to.',
        read: ofJob(({ checkpoints }) => checkpoints.last?.bytes),
      },
      {
        name: 'flink_checkpoints_failed',
        help: 'Checkpoints of the job that failed.',
        read: ofJob(({ checkpoints }) => checkpoints.failed),
      },
    ]
  }

  /** Numbers by table for /metrics; tables of which nothing is known are absent. */
  get tables(): readonly TableReading[] {
    const landings = this.#landings
    const lags = (pick: (lag: Lag) => number) => (): ReadonlyMap<string, number> => {
      const { lag } = this.#seen
      return new Map(lag.ok ? [...lag.value].map(([table, each]) => [table, pick(each)]) : [])
    }
    return [
      completeReading(
        () => this.#options.lake,
        (table) => landings.claims.get(table),
      ),
      {
        name: 'lag_records',
        help: 'Records of the topic of a table that have not landed.',
        read: lags(({ records }) => records),
      },
      {
        name: 'lag_seconds',
        help: 'How long the oldest of them has waited.',
        read: lags(({ waitedMs }) => waitedMs / 1000),
      },
      {
        name: 'newest_received_seconds',
        help: 'When the newest row of a table came to a collector, in seconds since 1970.',
        read: () => new Map([...landings.newest].map(([table, ms]) => [table, ms / 1000])),
      },
    ]
  }
}

/** How long what has come is not in a checkpoint, ms. */
export function checkpointAgeMs(
  { started, checkpoints }: NonNullable<JobHealth['job']>,
  now: number,
): number {
  return Math.max(0, now - Math.max(started, checkpoints.last?.at ?? 0))
}
