/** Examines a project and what runs of it: what is well, what needs looking after, and what to do about it. */
import { size } from '../base/size.ts'
import { limits } from '../base/limits.ts'
import type { Lake } from '../lake/index.ts'
import { httpUrl } from './address.ts'
import { claimsNow } from './claims.ts'
import { loadConfig, loadProject, type Project } from './project.ts'
import { openConfiguredLake } from './project-lake.ts'
import type { Ports } from './storage.ts'
import type { FullConfig } from './config.ts'
import { type ClusterPorts, examineCluster } from './doctor-cluster.ts'
import { broken, type Finding, spell } from './finding.ts'
import { checkpointSecondsOf } from './flink-config.ts'

export interface DoctorPorts extends Ports, ClusterPorts {
  /** Bytes that can still be written where a folder lies. */
  readonly freeBytes: (folder: string) => Promise<number>
}

/** Findings in the order of the data's way: what it is, where it comes in, where it lands. */
export async function examine(folder: string, ports: DoctorPorts): Promise<Finding[]> {
  const project = await loadProject(folder, ports.files)
  const configured = project.ok ? project : await loadConfig(folder, ports.files)
  const findings = [project.ok ? specified(project.value) : broken('project', project.error)]
  if (!configured.ok) return findings
  const { config, data } = configured.value
  findings.push(await room(data, ports))
  const metrics = await platformMetrics(config, ports)
  findings.push(...(metrics === undefined ? [silent(config)] : living(metrics, config)))
  if (config.cluster !== undefined && project.ok) {
    findings.push(...(await examineCluster(project.value, ports)))
  }
  const lake = await openConfiguredLake(configured.value, ports, true)
  if (!lake.ok) return [...findings, broken('lake', lake.error)]
  findings.push(...(await landed(lake.value, config, ports.clock.wall(), metrics)))
  await lake.value.close()
  return findings
}

function specified({ specs, locked }: Project): Finding {
  const count = specs.events.size
  const types = `${count} event ${count === 1 ? 'type' : 'types'}`
  if (locked) {
    return { subject: 'project', level: 'ok', found: `${types}, as specs.lock.json has them` }
  }
  return {
    subject: 'project',
    level: 'warn',
    found: `${types}; specs.lock.json does not have all of them yet`,
    remedy: 'Run `headwater dev` once, and commit the lockfile.',
  }
}

async function room(data: string, { files, freeBytes }: DoctorPorts): Promise<Finding> {
  if ((await files.info(data)) === undefined) {
    return { subject: 'disk', level: 'ok', found: `${data} is made when the platform starts` }
  }
  const free = await freeBytes(data)
  const found = `${size(free)} free for ${data}`
  if (free >= limits.diskFreeBytesMin) return { subject: 'disk', level: 'ok', found }
  const remedy = 'Make room: without any, events are refused with 503 until there is some.'
  return { subject: 'disk', level: 'warn', found, remedy }
}

/** Values of the metrics without labels; undefined when no platform answers. */
async function platformMetrics(
  { http }: FullConfig,
  { fetch, clock }: DoctorPorts,
): Promise<ReadonlyMap<string, number> | undefined> {
  const stop = new AbortController()
  const cancel = clock.after(limits.doctorAnswerMsMax, () => stop.abort())
  try {
    const answer = await fetch(`${urlOf(http)}/metrics`, { signal: stop.signal })
    const text = await answer.text()
    const values = new Map<string, number>()
    for (const [, name, value] of text.matchAll(/^headwater_(\w+) (\S+)$/gm)) {
      values.set(name!, Number(value))
    }
    return values.has('ready') ? values : undefined
  } catch {
    return undefined
  } finally {
    cancel()
  }
}

function urlOf({ host, port }: FullConfig['http']): string {
  const reached = { '0.0.0.0': '127.0.0.1', '::': '::1' }[host]
  return httpUrl(reached ?? host, port)
}

function silent({ http }: FullConfig): Finding {
  return {
    subject: 'platform',
    level: 'warn',
    found: `no headwater answers at ${urlOf(http)}`,
    remedy: 'Start `headwater dev` or `headwater run`; devices keep what they could not send.',
  }
}

/** What a running platform says of itself. */
function living(metrics: ReadonlyMap<string, number>, config: FullConfig): Finding[] {
  const { http, engine, cluster } = config
  const value = (name: string): number => metrics.get(name) ?? 0
  const url = urlOf(http)
  const ready: Finding =
    value('ready') === 1
      ? { subject: 'platform', level: 'ok', found: `takes events at ${url}` }
      : {
          subject: 'platform',
          level: 'bad',
          found: `takes no events at ${url}`,
          remedy: `See ${url}/readyz for the reasons.`,
        }
  const quarantine = held(value)
  if (cluster !== undefined) {
    return [ready, ...handedOn(value, cluster), quarantine]
  }
  const behind = Math.max(0, value('log_offset') - value('lake_offset'))
  const log: Finding =
    value('engine_failing') === 0
      ? { subject: 'log', level: 'ok', found: `${size(behind)} not yet in the lake` }
      : {
          subject: 'log',
          level: 'bad',
          found: `the lake refuses commits; ${size(behind)} wait in the log`,
          remedy: 'See what the platform prints: it commits as soon as the lake takes it.',
        }
  const remedy =
    'See `headwater tables --why`; give the machine more time, or raise `engine.epochMs`.'
  const seconds = value('freshness_p99_seconds')
  return [ready, log, fresh(seconds, engine.epochMs, remedy), quarantine]
}

/** What a collector hands on, and how soon it lands. */
function handedOn(
  value: (name: string) => number,
  cluster: NonNullable<FullConfig['cluster']>,
): Finding[] {
  const waiting = size(value('broker_waiting_bytes'))
  const log: Finding =
    value('broker_available') === 1
      ? { subject: 'log', level: 'ok', found: `${waiting} wait for the brokers` }
      : {
          subject: 'log',
          level: 'bad',
          found: `the brokers acknowledge nothing; ${waiting} wait for them`,
          remedy: 'See docs/cluster.md, “Full broker”; devices keep events and send them later.',
        }
  // Only the process that keeps the lake sees what is committed.
  if (cluster.collectorOnly) return [log]
  const remedy = 'See docs/cluster.md, “Lag”; or raise `cluster.flink.checkpointSeconds`.'
  return [log, fresh(value('freshness_p99_seconds'), checkpointSecondsOf(cluster) * 1000, remedy)]
}

function fresh(seconds: number, objectiveMs: number, remedy: string): Finding {
  const subject = 'freshness'
  if (seconds === 0) return { subject, level: 'ok', found: 'no commit since the platform started' }
  const found = `events are queryable ${seconds.toFixed(2)} s after they are acknowledged (p99), of ${(objectiveMs / 1000).toFixed(2)} s wanted`
  // An objective is what is aimed at; twice of it is missed.
  if (seconds * 1000 <= 2 * objectiveMs) return { subject, level: 'ok', found }
  return { subject, level: 'warn', found, remedy }
}

function held(value: (name: string) => number): Finding {
  const subject = 'quarantine'
  const [taken, refused] = [value('landed_events_total'), value('quarantined_events_total')]
  const share = taken + refused === 0 ? 0 : refused / (taken + refused)
  const found = `${(share * 100).toFixed(2)} % of the events since the start`
  if (share <= QUARANTINE_SHARE) return { subject, level: 'ok', found }
  const remedy =
    'Ask why: headwater sql "select reason, type, field, sum(events) from quarantine group by all order by 4 desc".'
  return { subject, level: 'warn', found, remedy }
}

/** A fleet with a few old or broken versions has less in quarantine. */
const QUARANTINE_SHARE = 0.01

async function landed(
  lake: Lake,
  config: FullConfig,
  now: number,
  metrics: ReadonlyMap<string, number> | undefined,
): Promise<Finding[]> {
  const { state } = lake
  const tables = [...state.tables.values()]
  const subject = 'lake'
  if (tables.length === 0) return [{ subject, level: 'ok', found: 'no tables yet' }]
  const sum = (pick: 'rows' | 'files' | 'bytes'): number =>
    tables.reduce((total, table) => total + table[pick], 0)
  const newest = Math.max(...tables.map(({ updated }) => updated))
  const findings: Finding[] = [
    {
      subject,
      level: 'ok',
      found: `${tables.length} tables, ${sum('rows')} rows in ${sum('files')} files, ${size(sum('bytes'))}; newest commit ${spell(now - newest)} ago`,
    },
  ]
  const claim = (await claimsNow(lake, config))('batches')
  if (claim?.share !== undefined && claim.share < COMPLETE_SHARE) {
    const found = `${(claim.share * 100).toFixed(2)} % of the events before ${new Date(claim.validThrough).toISOString()} are there`
    const remedy =
      'See `headwater tables` for the tables concerned; events may still be on devices.'
    findings.push({ subject, level: 'warn', found, remedy })
  }
  const failures = metrics?.get('maintenance_failures_total') ?? 0
  if (failures > 0) {
    const remedy = 'See what the platform prints, and `headwater compact --dry-run`.'
    findings.push({ subject, level: 'warn', found: `maintenance failed ${failures} times`, remedy })
  }
  return findings
}

const COMPLETE_SHARE = 0.999
