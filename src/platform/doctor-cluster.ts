/** Examines what lands the records of a cluster: Flink's job, its checkpoints, and how far it is behind in the topics. */
import type { JobHealth } from '../engine/flink/health.ts'
import type { Lag } from '../log/kafka/index.ts'
import { checkpointAgeMs } from './cluster-watch.ts'
import { broken, type Finding, spell } from './finding.ts'
import { checkpointSecondsOf, flinkOf, type LocalFlink } from './flink-config.ts'
import type { Project } from './project.ts'
import { lookAtJob, lookAtLag, type SightPorts } from './sights.ts'

export interface ClusterPorts extends SightPorts {
  /** Asked where the configuration names no Flink. */
  readonly localFlink?: LocalFlink
}

/** Looks for itself, so that it knows when no platform answers. The project has the option `cluster`. */
export async function examineCluster(project: Project, ports: ClusterPorts): Promise<Finding[]> {
  const { config, data } = project
  const { kafka } = config.cluster!
  const flink = await flinkOf(config.cluster, data, ports.localFlink)
  const wantedMs = checkpointSecondsOf({ flink }) * 1000
  const [job, lag] = await Promise.all([
    flink && lookAtJob(config, flink, ports),
    lookAtLag(project, ports),
  ])
  const now = ports.clock.wall()
  return [
    ...(job === undefined
      ? [NO_FLINK]
      : job.ok
        ? jobFindings(job.value, wantedMs, now)
        : [broken('flink', job.error)]),
    lag.ok
      ? lagFinding(lag.value, wantedMs, kafka.retentionHours * HOUR_MS)
      : broken('lag', lag.error),
  ]
}

const HOUR_MS = 3_600_000
const NO_FLINK: Finding = {
  subject: 'flink',
  level: 'warn',
  found: 'nobody says where Flink is',
  remedy: 'Set `cluster.flink` in headwater.config.ts, or run `headwater cluster up`.',
}

/** What is to be thought of the job. `wantedMs`: time between checkpoints; `now`: ms since 1970. */
export function jobFindings({ live, job }: JobHealth, wantedMs: number, now: number): Finding[] {
  const subject = 'flink'
  if (job === undefined) {
    const remedy = 'Run `headwater deploy`.'
    return [{ subject, level: 'bad', found: 'no job lands records', remedy }]
  }
  const { id, state, restarts, checkpoints } = job
  if (live === 0) {
    const found = `no job lands records: ${id} is ${state}${because(job)}`
    const remedy = 'Run `headwater deploy`, which goes on from its last checkpoint.'
    return [{ subject, level: 'bad', found, remedy }]
  }
  if (live > 1) {
    const found = `${live} jobs write these tables, each row as often`
    return [{ subject, level: 'bad', found, remedy: 'Cancel all but one on Flink’s page.' }]
  }
  if (state !== 'RUNNING') {
    const found = `the job ${id} is ${state}${because(job)}`
    const remedy = 'See docs/cluster.md, “Poisoned record”, if it does not run soon.'
    return [{ subject, level: 'bad', found, remedy }]
  }
  const { tasks, running } = job
  if (running < tasks) {
    const found = `${running} of ${tasks} tasks of the job ${id} run${because(job)}`
    const remedy = 'It waits for slots: see whether its TaskManagers are there, and have enough.'
    return [{ subject, level: 'bad', found, remedy }]
  }
  const again = restarts === 0 ? '' : `; it began again ${restarts} times${because(job)}`
  const runs: Finding = { subject, level: 'ok', found: `the job ${id} runs${again}` }
  const ageMs = checkpointAgeMs(job, now)
  const since = checkpoints.last === undefined ? 'no checkpoint since its start' : 'last checkpoint'
  const failed = checkpoints.failed === 0 ? '' : `; ${checkpoints.failed} have failed`
  const found = `${since} ${spell(ageMs)} ago, one each ${spell(wantedMs)} wanted${failed}`
  const level = ageMs <= late(wantedMs, 3) ? 'ok' : ageMs <= late(wantedMs, 10) ? 'warn' : 'bad'
  const remedy =
    'Rows are committed with checkpoints. See docs/cluster.md, “Lag”: what Flink’s page says of their times and failures.'
  return [runs, { subject, level, found, ...(level === 'ok' ? {} : { remedy }) }]
}

function because({ failure }: NonNullable<JobHealth['job']>): string {
  return failure === undefined ? '' : ` (${failure})`
}

/** Some times the time that is wanted, and never less than a restart takes. */
function late(wantedMs: number, times: number): number {
  return Math.max(times * wantedMs, times * RESTART_MS)
}

const RESTART_MS = 10_000

/** What is to be thought of the lag by table. */
export function lagFinding(
  lags: ReadonlyMap<string, Lag>,
  wantedMs: number,
  retentionMs: number,
): Finding {
  const subject = 'lag'
  const [most] = [...lags].sort(([, a], [, b]) => b.waitedMs - a.waitedMs)
  const records = [...lags.values()].reduce((sum, lag) => sum + lag.records, 0)
  if (most === undefined || records === 0) return { subject, level: 'ok', found: 'all has landed' }
  const [table, { waitedMs }] = most
  const found = `${records} records have not landed; the oldest, for ${table}, waits for ${spell(waitedMs)}`
  if (waitedMs <= late(wantedMs, 6)) return { subject, level: 'ok', found }
  if (waitedMs <= retentionMs / 2) {
    const remedy = 'See docs/cluster.md, “Lag”.'
    return { subject, level: 'warn', found, remedy }
  }
  const remedy = `Kafka removes records after ${spell(retentionMs)}: raise \`cluster.kafka.retentionHours\` now, then see docs/cluster.md, “Lag”.`
  return { subject, level: 'bad', found, remedy }
}
