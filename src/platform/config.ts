/** The configuration: every option with its default and its meaning, in one place. docs/configuration.md is made from it. */
import { z } from 'zod'
import { error } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import { failed, ok, type Result } from '../base/result.ts'

const http = z
  .strictObject({
    host: z.string().default('127.0.0.1').describe('Address to listen on.'),
    port: z.int().min(0).max(65535).default(8642).describe('Port; 0 takes a free one.'),
    origins: z
      .array(z.string())
      .default(['*'])
      .describe('Origins whose pages may send events (CORS); `*` for all.'),
    trustProxyHops: z
      .int()
      .min(0)
      .max(10)
      .default(0)
      .describe('Proxies in front whose X-Forwarded-For is believed.'),
  })
  .prefault({})

const completeness = z
  .strictObject({
    objective: z
      .number()
      .min(0.5)
      .max(1)
      .default(0.999)
      .describe('Share of devices and of their events that must have come for a time to be valid.'),
    silenceMs: z
      .int()
      .min(1000)
      .max(limits.completenessMemoryMs)
      .default(60_000)
      .describe('A device not heard of for so long is idle or offline and is not waited for.'),
    patienceMs: z
      .int()
      .min(1000)
      .max(limits.completenessMemoryMs)
      .default(600_000)
      .describe('Batches that later ones overtook are waited for so long, then count as lost.'),
  })
  .prefault({})

const epochMs = z.int().min(50).max(limits.freshnessMsMax)
const filesPerDay = z.int().min(1).max(1_000_000)

const engine = z
  .strictObject({
    epochMs: epochMs
      .default(limits.epochMs)
      .describe('Freshness objective, ms: from the arrival of a row until it is queryable.'),
    filesPerDay: filesPerDay
      .default(limits.filesPerDay)
      .describe('Files that a day of a table may have once its small ones are merged.'),
    tables: z
      .record(z.string(), z.strictObject({ epochMs, filesPerDay }).partial())
      .default({})
      .describe('Other `epochMs` and `filesPerDay` by table.'),
    writeShare: z
      .number()
      .min(0.05)
      .max(0.95)
      .default(0.7)
      .describe('Share of the time that writing files may take before commits are spaced out.'),
    writers: z.int().min(1).max(64).default(2).describe('Tables written side by side.'),
    completeness: completeness.describe('When a time counts as complete (PROTOCOL.md §14).'),
  })
  .prefault({})

const time = z
  .strictObject({
    pastDays: z
      .int()
      .min(1)
      .max(limits.eventTimePastDaysMax)
      .default(400)
      .describe('Oldest event_time, in days before its receipt; older ones land with `time_flag`.'),
    futureMs: z
      .int()
      .min(0)
      .max(limits.eventTimeFutureMsMax)
      .default(limits.eventTimeFutureMsMax)
      .describe('Latest event_time, in ms after its receipt; later ones land with `time_flag`.'),
  })
  .prefault({})

const enrich = z
  .strictObject({
    country: z
      .boolean()
      .default(true)
      .describe('Country from the address; the address is not kept.'),
    userAgent: z.boolean().default(true).describe('Browser, system, device and robot flag.'),
  })
  .prefault({})

export const configSchema = z.strictObject({
  specs: z.string().default('./specs.ts').describe('The module that exports the specifications.'),
  data: z.string().default('./.headwater').describe('Folder of log and lake.'),
  namespace: z
    .string()
    .regex(/^[a-z][a-z0-9_]*$/)
    .default('headwater')
    .describe('Iceberg namespace of the tables.'),
  keys: z
    .record(z.string(), z.string().min(8))
    .default({})
    .describe('Write keys by the name of their source; none: everybody may write.'),
  http: http.describe('The collector.'),
  engine: engine.describe('The embedded engine.'),
  time: time.describe('Which event times are believed (PROTOCOL.md §6).'),
  enrich: enrich.describe('What is looked up about a request.'),
})

/** What `headwater.config.ts` exports as default; everything is optional. */
export type Config = z.input<typeof configSchema>

/** A configuration with every default filled in. */
export type FullConfig = z.output<typeof configSchema>

/** Checks a configuration and fills in the defaults; the failure names every option that is wrong. */
export function readConfig(value: unknown): Result<FullConfig> {
  const parsed = configSchema.safeParse(value)
  if (parsed.success) return ok(parsed.data)
  const problems = parsed.error.issues.map((issue) => {
    const where = issue.path.length === 0 ? 'the configuration' : issue.path.join('.')
    return `${where}: ${issue.message}`
  })
  return failed(error('config_invalid', `${problems.join('; ')}.`))
}

/** One line of the configuration reference. */
export interface OptionDoc {
  readonly path: string
  readonly type: string
  readonly default: string
  readonly doc: string
}

/** Every option with its default, for the reference and `--help`. */
export function optionDocs(): OptionDoc[] {
  const schema = z.toJSONSchema(configSchema, { io: 'input' }) as JsonSchema
  return describeOptions(schema, '')
}

interface JsonSchema {
  readonly type?: string
  readonly description?: string
  readonly default?: unknown
  readonly properties?: Readonly<Record<string, JsonSchema>>
}

function describeOptions(schema: JsonSchema, prefix: string): OptionDoc[] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, option]) => {
    const path = `${prefix}${name}`
    if (option.properties !== undefined) return describeOptions(option, `${path}.`)
    const fallback = JSON.stringify(option.default)
    return [{ path, type: option.type ?? '', default: fallback, doc: option.description ?? '' }]
  })
}
