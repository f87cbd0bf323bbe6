/** Looks once at what lands the records of a cluster: Flink's job, and how far it is behind in the topics. */
import type { Clock } from '../base/clock.ts'
import type { Files } from '../base/files.ts'
import { limits } from '../base/limits.ts'
import { ok, type Result } from '../base/result.ts'
import { type JobHealth, jobHealth } from '../engine/flink/health.ts'
import { groupLag, type Lag } from '../log/kafka/index.ts'
import type { FullConfig } from './config.ts'
import type { FlinkConfig } from './flink-config.ts'
import { kafkaSettings } from './kafka.ts'
import type { Project } from './project.ts'

export interface SightPorts {
  readonly files: Files
  readonly clock: Clock
  readonly fetch: typeof globalThis.fetch
}

/** Fails with `flink_unavailable`, `flink_refused` or `flink_invalid`. */
export function lookAtJob(
  { namespace }: FullConfig,
  { rest, headers }: FlinkConfig,
  ports: SightPorts,
): Promise<Result<JobHealth>> {
  const url = rest.replace(/\/+$/, '')
  return jobHealth({ url, headers, answerMsMax: limits.watchAnswerMsMax }, namespace, ports)
}

/**
 * How far the landing is behind, by table; tables without a topic are absent. The offsets are those that Flink commits for its group
 * with each checkpoint, as it commits the tables: what is behind them has landed. Fails with the failures of Kafka.
 */
export async function lookAtLag(
  { config, specs, folder }: Project,
  { files, clock }: SightPorts,
): Promise<Result<ReadonlyMap<string, Lag>>> {
  const { kafka } = config.cluster!
  const settings = await kafkaSettings(kafka, folder, files)
  if (!settings.ok) return settings
  const tables = new Map(
    [...specs.events.keys()].map((type): [string, string] => [`events.${type}`, type]),
  )
  for (const table of ['batches', 'quarantine']) tables.set(table, table)
  const group = landingGroup(kafka.prefix, config.namespace)
  const lags = await groupLag(settings.value, group, [...tables.keys()], clock)
  if (!lags.ok) return lags
  return ok(new Map([...lags.value].map(([topic, lag]) => [tables.get(topic)!, lag])))
}

/** The consumer group of the job that lands records, named after the tables: two headwaters on one prefix do not meet. */
export function landingGroup(prefix: string, namespace: string): string {
  return `${prefix}-${namespace}`
}
