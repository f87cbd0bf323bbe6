/** What is configured of a Kafka cluster, and the client's options that follow from it. */
import { isIP } from 'node:net'
import type { BaseOptions } from '@platformatic/kafka'
import type { Clock } from '../../base/clock.ts'
import { limits } from '../../base/limits.ts'
import { mindConnections } from './connections.ts'
import { type ClientCredentials, tokenProvider } from './oauth.ts'

export type Compression = 'none' | 'gzip' | 'snappy' | 'lz4' | 'zstd'

/** PEM texts; an empty object is TLS with the authorities that Node knows. */
export interface TlsSettings {
  readonly ca?: string
  readonly cert?: string
  readonly key?: string
  readonly passphrase?: string
  readonly serverName?: string
}

export type SaslSettings =
  | {
      readonly mechanism: 'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512'
      readonly username: string
      readonly password: string
    }
  | {
      readonly mechanism: 'OAUTHBEARER'
      readonly token: string | ClientCredentials
      readonly extensions: Readonly<Record<string, string>>
    }

export interface KafkaSettings {
  /** `host:port` of brokers to begin with. */
  readonly brokers: readonly string[]
  /** What names of topics begin with, without the point behind it. */
  readonly prefix: string
  readonly clientId: string
  readonly compression: Compression
  /** How long records wait for others that go with them, ms. */
  readonly lingerMs: number
  readonly tls: TlsSettings | undefined
  readonly sasl: SaslSettings | undefined
}

/** The full name of a topic. */
export function topicName(prefix: string, topic: string): string {
  return `${prefix}.${topic}`
}

/** Options of every client of the cluster: bounded times, metadata that is asked for again after a failure, and connections that are minded. */
export function clientOptions(settings: KafkaSettings, clock: Clock): BaseOptions {
  const { brokers, clientId, tls, sasl } = settings
  mindConnections()
  return {
    clientId,
    bootstrapBrokers: [...brokers],
    connectTimeout: limits.brokerConnectMsMax,
    requestTimeout: limits.brokerRequestMsMax,
    // How long the broker itself may wait for its replicas.
    timeout: limits.brokerRequestMsMax,
    metadataMaxAge: limits.brokerMetadataMs,
    retries: limits.brokerRetriesMax,
    retryDelay: limits.brokerRetryMs,
    handleBackPressure: true,
    ...(tls === undefined ? {} : tlsOptions(tls, brokers)),
    ...(sasl === undefined ? {} : { sasl: saslOptions(sasl, clock) }),
  }
}

/** The name of the broker goes along in clear, for proxies in front of many; an address is no name (RFC 6066 §3). */
function tlsOptions(
  { serverName, ...tls }: TlsSettings,
  brokers: readonly string[],
): Pick<BaseOptions, 'tls' | 'tlsServerName'> {
  const named = brokers.some((broker) => isIP(broker.replace(/:\d+$/, '')) === 0)
  return { tls: { ...tls, minVersion: 'TLSv1.2' }, tlsServerName: serverName ?? named }
}

function saslOptions(sasl: SaslSettings, clock: Clock): NonNullable<BaseOptions['sasl']> {
  if (sasl.mechanism !== 'OAUTHBEARER') return sasl
  const { mechanism, token, extensions } = sasl
  return {
    mechanism,
    token: typeof token === 'string' ? token : tokenProvider(token, { fetch, clock }),
    oauthBearerExtensions: { ...extensions },
  }
}
