/** The options of Flink in cluster mode: where it is, and how the job that lands records runs. */
import { z } from 'zod'
import { limits } from '../base/limits.ts'

export const flink = z.strictObject({
  gateway: z.url().describe("URL of Flink's SQL Gateway."),
  rest: z.url().describe("URL of the JobManager's REST API."),
  headers: z
    .record(z.string(), z.string())
    .default({})
    .describe(
      'Headers of every request to both, such as Authorization. Take secrets from `process.env`.',
    ),
  plans: z
    .string()
    .optional()
    .describe(
      'Folder for compiled plans, which the SQL Gateway sees under the same absolute path; none: `flink` in the data folder.',
    ),
  savepoints: z
    .string()
    .optional()
    .describe('URI of the folder for savepoints; none: that of Flink itself.'),
  catalog: z
    .strictObject({
      uri: z
        .url()
        .optional()
        .describe(
          'The REST catalog as Flink reaches it; none: `lake.catalog.uri`, or that of `catalog`.',
        ),
      properties: z
        .record(z.string(), z.string())
        .default({})
        .describe('More properties of the catalog, such as `token`, `warehouse` or `s3.endpoint`.'),
    })
    .prefault({})
    .describe('The catalog that Flink commits to.'),
  brokers: z
    .array(z.string().min(1))
    .min(1)
    .optional()
    .describe('`host:port` of brokers as Flink reaches them; none: `cluster.kafka.brokers`.'),
  kafkaProperties: z
    .record(z.string(), z.string())
    .default({})
    .describe(
      "Properties of Java's Kafka client, over those that follow from `cluster.kafka.tls` and `sasl`.",
    ),
  parallelism: z
    .int()
    .min(1)
    .max(10_000)
    .optional()
    .describe("Of the job; none: Flink's own. At most the partitions of the topics are used."),
  checkpointSeconds: z
    .number()
    .min(0.5)
    .max(3600)
    .default(10)
    .describe(
      'How often rows become visible: each checkpoint is a commit of each table that has rows.',
    ),
  copiesHours: z
    .number()
    .min(0.1)
    .max(24 * 366)
    .default(limits.flinkCopiesHours)
    .describe(
      'How long batches are known, so that copies of them are told; at least the retention of the topics is wise.',
    ),
  healthySeconds: z
    .int()
    .min(10)
    .max(3600)
    .default(300)
    .describe('A new job that has not made two checkpoints by then is taken back.'),
  settings: z
    .record(z.string(), z.string())
    .default({})
    .describe("More of Flink's settings for the job."),
})

export type FlinkConfig = z.output<typeof flink>

/** A configuration with every default filled in, for a Flink at known addresses. */
export function flinkDefaults(given: z.input<typeof flink>): FlinkConfig {
  return flink.parse(given)
}

/** The Flink that runs beside a project, by its data folder. */
export type LocalFlink = (data: string) => Promise<FlinkConfig | undefined>

/** The Flink of the configuration; where it names none, the one beside the project. */
export async function flinkOf(
  cluster: { readonly flink?: FlinkConfig | undefined } | undefined,
  data: string,
  local: LocalFlink | undefined,
): Promise<FlinkConfig | undefined> {
  return cluster?.flink ?? (await local?.(data))
}

/** How often rows become visible, s: as configured, or as a Flink without configuration is given its job. */
export function checkpointSecondsOf({
  flink: given,
}: {
  readonly flink?: FlinkConfig | undefined
}): number {
  return given?.checkpointSeconds ?? flinkDefaults(NOWHERE).checkpointSeconds
}

const NOWHERE = { gateway: 'http://localhost', rest: 'http://localhost' }
