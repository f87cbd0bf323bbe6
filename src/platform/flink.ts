/** Makes a project's deployment to Flink out of its configuration and specifications. */
import path from 'node:path'
import type { Clock } from '../base/clock.ts'
import { error } from '../base/errors.ts'
import type { Files } from '../base/files.ts'
import { failed, ok, type Result } from '../base/result.ts'
import { Deployer, type FlinkSite } from '../engine/flink/deploy.ts'
import { landingPipeline } from '../engine/flink/pipeline.ts'
import { compileParts, kafkaConnector, type LakeCatalog } from '../engine/flink/statements.ts'
import { existingTopics, type KafkaSettings } from '../log/kafka/index.ts'
import type { FlinkConfig } from './flink-config.ts'
import { javaKafkaProperties } from './java-kafka.ts'
import { kafkaSettings } from './kafka.ts'
import type { Project } from './project.ts'
import { landingGroup } from './sights.ts'

export interface FlinkPorts {
  readonly files: Files
  readonly clock: Clock
  readonly fetch: typeof globalThis.fetch
  readonly onStep: (step: string) => void
}

export interface Deployment {
  readonly deployer: Deployer
  /** Full names of the topics that are read, by part. */
  readonly topics: ReadonlyMap<string, readonly string[]>
}

/** Fails with `config_invalid`, `topics_missing`, and the failures of Kafka. */
export async function projectDeployment(
  project: Project,
  config: FlinkConfig,
  ports: FlinkPorts,
): Promise<Result<Deployment>> {
  const { cluster } = project.config
  if (cluster === undefined) return failed(error('config_invalid', 'cluster: it is not there.'))
  const settings = await kafkaSettings(cluster.kafka, project.folder, ports.files)
  if (!settings.ok) return settings
  const catalog = catalogOf(project, config)
  if (!catalog.ok) return catalog
  const parts = compileParts(landingPipeline(project.specs, project.lock), project.config.namespace)
  const sources = parts.flatMap((part) => part.sources.map(({ source }) => source))
  const names = sources.flatMap(({ name, former }) => [name, ...former])
  const existing = await existingTopics(settings.value, names, ports.clock)
  if (!existing.ok) return existing
  const missing = sources.filter(({ name }) => !existing.value.has(name)).map(({ name }) => name)
  if (missing.length > 0) {
    const which = missing.map((name) => `${settings.value.prefix}.${name}`).join(', ')
    return failed(error('topics_missing', `Flink is to read ${which}; a platform makes them.`))
  }
  const connector = connectorOf(settings.value, config, existing.value, project.config.namespace)
  const wanted = { parts, connector, catalog: catalog.value }
  const topics = new Map(
    parts.map((part) => [
      part.name,
      part.sources.flatMap(({ source }) => connector(source)['topic']!.split(';')),
    ]),
  )
  return ok({ deployer: new Deployer(siteOf(project, config), wanted, ports), topics })
}

function siteOf(project: Project, config: FlinkConfig): FlinkSite {
  const { headers, parallelism } = config
  const endpoint = (url: string): FlinkSite['gateway'] => ({
    url: url.replace(/\/+$/, ''),
    headers,
  })
  return {
    gateway: endpoint(config.gateway),
    jobManager: endpoint(config.rest),
    plans: path.resolve(project.folder, config.plans ?? path.join(project.data, 'flink')),
    savepoints: config.savepoints,
    stateTtlMs: Math.round(config.copiesHours * 3_600_000),
    settings: {
      'execution.checkpointing.interval': `${Math.round(config.checkpointSeconds * 1000)} ms`,
      ...(parallelism === undefined ? {} : { 'parallelism.default': String(parallelism) }),
      ...config.settings,
    },
    healthyMs: config.healthySeconds * 1000,
  }
}

function connectorOf(
  settings: KafkaSettings,
  config: FlinkConfig,
  existing: ReadonlySet<string>,
  namespace: string,
): ReturnType<typeof kafkaConnector> {
  const { prefix, brokers } = settings
  return kafkaConnector({
    servers: (config.brokers ?? brokers).join(','),
    prefix,
    group: landingGroup(prefix, namespace),
    former: existing,
    properties: { ...javaKafkaProperties(settings), ...config.kafkaProperties },
  })
}

/** The lake's catalog: that of the options, somebody else's, or headwater's own, which listens where its options say. */
function catalogOf(project: Project, { catalog }: FlinkConfig): Result<LakeCatalog> {
  const { namespace, lake, catalog: own, http } = project.config
  const { properties } = catalog
  const uri = catalog.uri ?? lake.catalog?.uri
  if (uri !== undefined) return ok({ uri, namespace, properties })
  const port = own.port === 0 ? http.port + 1 : own.port
  if (!own.enabled || (own.port === 0 && http.port === 0)) {
    return failed(error('config_invalid', 'cluster.flink.catalog.uri: Flink needs a catalog.'))
  }
  const host = own.host.includes(':') ? `[${own.host}]` : own.host
  return ok({ uri: `http://${host}:${port}/iceberg`, namespace, properties })
}
