/** Opens Kafka as a project's configuration wants it: its topics for every table, and the sink for their records. */
import path from 'node:path'
import type { Clock } from '../base/clock.ts'
import { error } from '../base/errors.ts'
import type { Files } from '../base/files.ts'
import { failed, ok, type Result } from '../base/result.ts'
import {
  type KafkaSettings,
  openKafka,
  type OpenedKafka,
  type SaslSettings,
  type TlsSettings,
  type WantedTopic,
} from '../log/kafka/index.ts'
import { topicConfigs } from '../log/kafka/topics.ts'
import type { KafkaConfig } from './cluster-config.ts'
import type { Project } from './project.ts'

const HOUR_MS = 3_600_000

/** Fails with `broker_unavailable`, `broker_refused`, `topics_missing`, or `config_invalid` where a file of TLS cannot be read. */
export async function openProjectKafka(
  project: Project,
  config: KafkaConfig,
  ports: { readonly files: Files; readonly clock: Clock },
): Promise<Result<OpenedKafka>> {
  const settings = await kafkaSettings(config, project.folder, ports.files)
  if (!settings.ok) return settings
  const { manageTopics: manage } = config
  return openKafka(settings.value, wantedTopics(project, config), { manage, clock: ports.clock })
}

/** A topic for every event type, for the ledger and for the quarantine (PROTOCOL.md §17). */
function wantedTopics({ specs }: Project, config: KafkaConfig): WantedTopic[] {
  const wanted = (topic: string, table: string): WantedTopic => ({
    topic,
    partitions: config.topics[table]?.partitions ?? config.partitions,
    replicas: config.replicas,
    minInsyncReplicas: config.minInsyncReplicas,
    retentionMs: config.retentionHours * HOUR_MS,
  })
  return [
    ...[...specs.events.keys()].map((type) => wanted(`events.${type}`, type)),
    wanted('batches', 'batches'),
    wanted('quarantine', 'quarantine'),
  ]
}

/** Topics as a cluster's manifests declare them; undefined without the option `cluster`. */
export function declaredTopics(project: Project): DeclaredTopic[] | undefined {
  const { cluster } = project.config
  if (cluster === undefined) return undefined
  return wantedTopics(project, cluster.kafka).map((wanted) => ({
    name: `${cluster.kafka.prefix}.${wanted.topic}`,
    partitions: wanted.partitions,
    configs: Object.fromEntries(topicConfigs(wanted)),
  }))
}

export interface DeclaredTopic {
  /** With its prefix. */
  readonly name: string
  readonly partitions: number
  readonly configs: Readonly<Record<string, string>>
}

/** Settings of the client; `config_invalid` where a file of TLS cannot be read. */
export async function kafkaSettings(
  config: KafkaConfig,
  folder: string,
  files: Files,
): Promise<Result<KafkaSettings>> {
  const { brokers, prefix, clientId, compression, lingerMs } = config
  const tls = await tlsSettings(config.tls, folder, files)
  if (!tls.ok) return tls
  const sasl = config.sasl === undefined ? undefined : saslSettings(config.sasl)
  return ok({ brokers, prefix, clientId, compression, lingerMs, tls: tls.value, sasl })
}

async function tlsSettings(
  tls: KafkaConfig['tls'],
  folder: string,
  files: Files,
): Promise<Result<TlsSettings | undefined>> {
  if (tls === undefined) return ok(undefined)
  const { ca, cert, key, passphrase, serverName } = tls
  const texts: { ca?: string; cert?: string; key?: string } = {}
  for (const [name, file] of Object.entries({ ca, cert, key }) as ['ca', string | undefined][]) {
    if (file === undefined) continue
    try {
      texts[name] = Buffer.from(await files.read(path.resolve(folder, file))).toString()
    } catch (cause) {
      return failed(
        error('config_invalid', `cluster.kafka.tls.${name}: ${file} cannot be read.`, cause),
      )
    }
  }
  return ok({
    ...texts,
    ...(passphrase === undefined ? {} : { passphrase }),
    ...(serverName === undefined ? {} : { serverName }),
  })
}

/** The configuration has been checked: each mechanism has what it needs. */
function saslSettings(sasl: NonNullable<KafkaConfig['sasl']>): SaslSettings {
  const { mechanism, username = '', password = '', extensions, token } = sasl
  switch (mechanism) {
    case 'plain':
      return { mechanism: 'PLAIN', username, password }
    case 'scram-sha-256':
      return { mechanism: 'SCRAM-SHA-256', username, password }
    case 'scram-sha-512':
      return { mechanism: 'SCRAM-SHA-512', username, password }
    case 'oauthbearer': {
      const { tokenUri = '', clientId = '', clientSecret = '', scope } = sasl
      const credentials = { tokenUri, clientId, clientSecret, scope }
      return { mechanism: 'OAUTHBEARER', token: token ?? credentials, extensions }
    }
  }
}
