/** The options of cluster mode: where collectors hand on what they took. */
import { z } from 'zod'
import { limits } from '../base/limits.ts'
import { flink } from './flink-config.ts'

const tls = z.strictObject({
  ca: z.string().min(1).optional().describe('File of the authorities that are believed, PEM.'),
  cert: z.string().min(1).optional().describe("File of the collector's own certificate, PEM."),
  key: z.string().min(1).optional().describe('File of the key of that certificate, PEM.'),
  passphrase: z.string().optional().describe('Of that key.'),
  serverName: z
    .string()
    .min(1)
    .optional()
    .describe('Name that certificates of brokers must have, where it is not their host.'),
})

const sasl = z
  .strictObject({
    mechanism: z
      .enum(['plain', 'scram-sha-256', 'scram-sha-512', 'oauthbearer'])
      .describe('How the collector says who it is.'),
    username: z.string().min(1).optional().describe('For plain and scram.'),
    password: z.string().min(1).optional().describe('For plain and scram.'),
    token: z.string().min(1).optional().describe('For oauthbearer: a token that does not end.'),
    tokenUri: z.url().optional().describe('For oauthbearer: where tokens are asked for.'),
    clientId: z.string().min(1).optional().describe('For oauthbearer, with `tokenUri`.'),
    clientSecret: z.string().min(1).optional().describe('For oauthbearer, with `tokenUri`.'),
    scope: z.string().min(1).optional().describe('For oauthbearer: scope of the tokens.'),
    extensions: z
      .record(z.string(), z.string())
      .default({})
      .describe('For oauthbearer: what goes with the token (KIP-342).'),
  })
  .refine(
    ({ mechanism, username, password }) =>
      mechanism === 'oauthbearer' || (username !== undefined && password !== undefined),
    { message: 'plain and scram need username and password' },
  )
  .refine(
    ({ mechanism, token, tokenUri, clientId, clientSecret }) =>
      mechanism !== 'oauthbearer' ||
      token !== undefined ||
      (tokenUri !== undefined && clientId !== undefined && clientSecret !== undefined),
    { message: 'oauthbearer needs a token, or tokenUri, clientId and clientSecret' },
  )

const partitions = z.int().min(1).max(10_000)

const kafka = z.strictObject({
  brokers: z
    .array(z.string().regex(/^[^\s:]+:\d+$|^\[[^\s\]]+\]:\d+$/))
    .min(1)
    .describe('`host:port` of some of the brokers.'),
  prefix: z
    .string()
    .regex(/^[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}$/)
    .default('headwater')
    .describe('What the names of the topics begin with (PROTOCOL.md §17).'),
  clientId: z.string().min(1).default('headwater').describe('Name in the logs of the brokers.'),
  partitions: partitions
    .default(6)
    .describe('Partitions of each topic. More are added to a topic that has fewer.'),
  topics: z
    .record(z.string(), z.strictObject({ partitions }))
    .default({})
    .describe('Other `partitions` by event type, or for `batches` and `quarantine`.'),
  replicas: z
    .int()
    .min(1)
    .max(100)
    .optional()
    .describe('Replicas of new topics; none: the default of the brokers. 3 in production.'),
  minInsyncReplicas: z
    .int()
    .min(1)
    .max(100)
    .optional()
    .describe('Replicas that must have a record; none: the default of the brokers. 2 of 3.'),
  retentionHours: z
    .number()
    .min(1)
    .max(24 * 3660)
    .default(limits.brokerRetentionHours)
    .describe('How long topics keep records, at least: how long Flink may stand still.'),
  manageTopics: z
    .boolean()
    .default(true)
    .describe('Make topics that are missing and raise what is too small; else only look.'),
  compression: z
    .enum(['none', 'gzip', 'snappy', 'lz4', 'zstd'])
    .default('zstd')
    .describe('Compression of records.'),
  lingerMs: z
    .int()
    .min(0)
    .max(limits.brokerLingerMsMax)
    .default(limits.brokerLingerMs)
    .describe('How long records wait for others that go with them, ms.'),
  tls: tls
    .optional()
    .describe('TLS to the brokers; an empty object takes the authorities that Node knows.'),
  sasl: sasl
    .optional()
    .describe('How the collector says who it is. Take secrets from `process.env`.'),
})

export const cluster = z.strictObject({
  collectorOnly: z
    .boolean()
    .default(false)
    .describe('Only take events: another process keeps the lake, its catalog and maintenance.'),
  kafka: kafka.describe('Where records go.'),
  flink: flink.optional().describe('Where `headwater deploy` brings the job that lands them.'),
})

export type KafkaConfig = z.output<typeof kafka>
