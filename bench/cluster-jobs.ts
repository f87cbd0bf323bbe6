/** The two jobs of the cluster's benchmark, on real Flink: headwater's landing of columnar chunks, and the same tables out of a JSON row per record, as a team would write it. */
import { systemClock } from '../src/base/clock.ts'
import { openSession } from '../src/engine/flink/gateway.ts'
import { jobHealth } from '../src/engine/flink/health.ts'
import { ENDED, JobManager } from '../src/engine/flink/jobs.ts'
import { landingPipeline } from '../src/engine/flink/pipeline.ts'
import {
  compileParts,
  kafkaConnector,
  sessionSettings,
  setupStatements,
  statementSet,
} from '../src/engine/flink/statements.ts'
import { flinkName, flinkType } from '../src/engine/flink/types.ts'
import type { Project } from '../src/platform/index.ts'
import type { ClusterState } from '../src/cluster/index.ts'
import { contextFields, declaredTypes, standardTypes, type ValueKind } from './types.ts'

/** Where a job reads and writes. */
export interface JobSite {
  readonly cluster: ClusterState
  /** URI of the catalog. */
  readonly catalog: string
  readonly project: Project
  /** Of the topics. */
  readonly prefix: string
}

export type JobKind =
  | 'columns'
  /** Rows as they come: a copy of a batch lands again. */
  | 'rows'
  /** Rows of which copies are told by (boot, n), with what that remembers. */
  | 'rows once'

/** Checkpoints, each a commit of every table. */
const CHECKPOINT = '2 s'
const TTL_MS = 24 * 3_600_000
const NAMESPACE = 'headwater'

/** Starts a job that reads its topics from their beginning, whoever read them before. */
export async function startJob(
  kind: JobKind,
  parallelism: number,
  site: JobSite,
): Promise<RunningJob> {
  const { cluster, catalog, project, prefix } = site
  const settings = {
    ...sessionSettings(TTL_MS),
    'execution.checkpointing.interval': CHECKPOINT,
    'parallelism.default': String(parallelism),
    'pipeline.name': `headwater ${NAMESPACE}`,
  }
  const opened = await openSession(
    { url: cluster.flink.gateway, headers: {} },
    'bench',
    settings,
    PORTS,
  )
  if (!opened.ok) throw opened.error
  const session = opened.value
  const connector = kafkaConnector({
    servers: cluster.kafka.brokers.join(','),
    prefix,
    group: `bench-${prefix}-${systemClock.wall()}`,
    former: new Set(),
    properties: {},
  })
  const lake = { uri: catalog, namespace: NAMESPACE, properties: {} }
  const parts = compileParts(landingPipeline(project.specs, project.lock), NAMESPACE)
  const statements =
    kind === 'columns'
      ? setupStatements(
          parts.flatMap((part) => part.sources),
          connector,
          lake,
        )
      : [
          ...setupStatements([], connector, lake),
          ...declaredTypes(standardTypes).map(({ name, fields }) =>
            rowsTable(name, fields, connector({ name: `events.${name}`, former: [], columns: [] })),
          ),
        ]
  const inserts =
    kind === 'columns'
      ? parts.flatMap((part) => part.inserts)
      : declaredTypes(standardTypes).map(({ name, fields }) => rowsInsert(name, fields, kind))
  for (const statement of [...statements, `EXECUTE ${statementSet(inserts)}`]) {
    const ran = await session.run(statement)
    if (!ran.ok) throw ran.error
    if (ran.value.jobId === undefined) continue
    await session.close()
    return new RunningJob(ran.value.jobId, cluster.flink.rest)
  }
  throw new Error('Flink named no job')
}

export class RunningJob {
  readonly #id: string
  readonly #rest: string
  readonly #jobs: JobManager

  constructor(id: string, rest: string) {
    this.#id = id
    this.#rest = rest
    this.#jobs = new JobManager({ url: rest, headers: {} }, PORTS)
  }

  /** Throws when the job has failed. */
  async check(): Promise<void> {
    const state = await this.#jobs.state(this.#id)
    if (!state.ok || !ENDED.has(state.value)) return
    const failure = await this.#jobs.lastFailure(this.#id)
    throw new Error(`the job is ${state.value}: ${failure.ok ? failure.value : ''}`)
  }

  /** Bytes of state in a checkpoint that begins after this call. */
  async stateBytes(): Promise<number> {
    const asked = systemClock.wall()
    for (;;) {
      const health = await jobHealth({ url: this.#rest, headers: {} }, NAMESPACE, PORTS)
      const last = health.ok ? health.value.job?.checkpoints.last : undefined
      if (last !== undefined && last.at > asked) return last.bytes
      await this.check()
      await new Promise((resolve) => setTimeout(resolve, 500))
    }
  }

  async cancel(): Promise<void> {
    const ended = await this.#jobs.cancel(this.#id)
    if (!ended.ok) throw ended.error
  }
}

const PORTS = { fetch: globalThis.fetch, clock: systemClock }

const own: Readonly<Record<string, string>> = {
  boot: 'STRING',
  batch: 'INT',
  sent: 'BIGINT',
  received: 'BIGINT',
  n: 'BIGINT',
  at: 'BIGINT',
  session: 'STRING',
}

function rowsTable(
  type: string,
  fields: Readonly<Record<string, ValueKind>>,
  options: Readonly<Record<string, string>>,
): string {
  const columns = [
    ...Object.entries(own).map(([name, kind]) => `${flinkName(name)} ${kind}`),
    ...Object.entries({ ...contextFields, ...fields }).map(
      ([name, kind]) => `${flinkName(name)} ${flinkType(kind)}`,
    ),
    '`arrived` AS PROCTIME()',
  ]
  const all = { ...options, format: 'json' }
  const listed = Object.entries(all).map(([name, value]) => `'${name}' = '${value}'`)
  return `CREATE TEMPORARY TABLE ${flinkName(type)} (${columns.join(', ')}) WITH (${listed.join(', ')})`
}

function rowsInsert(
  type: string,
  fields: Readonly<Record<string, ValueKind>>,
  kind: JobKind,
): string {
  const plain = ['boot', 'n', 'session', ...Object.keys({ ...contextFields, ...fields })]
  const columns: Readonly<Record<string, string>> = {
    event_time: 'CAST(TO_TIMESTAMP_LTZ(`at`, 3) AS TIMESTAMP_LTZ(6))',
    received_at: 'CAST(TO_TIMESTAMP_LTZ(`received`, 3) AS TIMESTAMP_LTZ(6))',
    seq: '`batch`',
    at: 'CAST(`at` AS DOUBLE)',
    ...Object.fromEntries(plain.map((name) => [name, flinkName(name)])),
  }
  const order = 'ROW_NUMBER() OVER (PARTITION BY `boot`, `n` ORDER BY `arrived`)'
  const from =
    kind === 'rows'
      ? flinkName(type)
      : `(SELECT * FROM (SELECT *, ${order} AS copy FROM ${flinkName(type)}) WHERE copy = 1)`
  const hints = `/*+ OPTIONS('uid-suffix' = '${type}', 'distribution-mode' = 'none') */`
  const names = Object.keys(columns).map(flinkName).join(', ')
  const target = ['lake', NAMESPACE, type].map(flinkName).join('.')
  return `INSERT INTO ${target} ${hints} (${names}) SELECT ${Object.values(columns).join(', ')} FROM ${from}`
}
