/** The configuration: every option with its default and its meaning, in one place. docs/configuration.md is made from it. */
import { z } from 'zod'
import { error } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import { failed, ok, type Result } from '../base/result.ts'
import { cluster } from './cluster-config.ts'

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
    completeness: completeness.describe('When a time counts as complete (PROTOCOL.md §15).'),
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

const dev = z
  .strictObject({
    run: z
      .string()
      .optional()
      .describe('A program that `headwater dev` runs beside the platform, with HEADWATER_URL set.'),
  })
  .prefault({})

const s3 = z
  .strictObject({
    endpoint: z
      .url({ protocol: /^https?$/ })
      .optional()
      .describe('URL of an S3-compatible store that is not AWS.'),
    region: z
      .string()
      .min(1)
      .optional()
      .describe('Region; else AWS_REGION or the profile says it.'),
    forcePathStyle: z
      .boolean()
      .default(false)
      .describe('Bucket in the path rather than in the host name, as many stores want it.'),
    profile: z
      .string()
      .min(1)
      .optional()
      .describe(
        'Profile of the shared AWS configuration; else the standard chain finds credentials.',
      ),
    cacheBytes: z
      .int()
      .min(0)
      .default(limits.storageCacheBytes)
      .describe('Bytes of objects kept as local files in `cache` of the data folder.'),
  })
  .prefault({})

const external = z
  .strictObject({
    uri: z.url().describe('Where the catalog is: what `/v1/config` follows.'),
    warehouse: z.string().optional().describe('Its name for the warehouse, where it has several.'),
    token: z.string().min(1).optional().describe('Bearer token.'),
    credential: z
      .string()
      .min(1)
      .optional()
      .describe('`<client id>:<client secret>`, traded for tokens (OAuth 2.0).'),
    tokenUri: z
      .url()
      .optional()
      .describe('Where tokens are traded; without it `/v1/oauth/tokens` of the catalog.'),
    scope: z.string().default('catalog').describe('Scope of the tokens asked for.'),
    sigv4: z
      .strictObject({
        region: z.string().min(1).describe('Such as `eu-west-1`.'),
        service: z
          .string()
          .min(1)
          .default('glue')
          .describe('What the signature is for: `glue`, `s3tables`, or `execute-api`.'),
      })
      .optional()
      .describe('Sign requests with the credentials of AWS, as its own catalogs want.'),
    headers: z
      .record(z.string(), z.string())
      .default({})
      .describe('Sent with every request to the catalog.'),
    storageCredentials: z
      .enum(['own', 'vended'])
      .default('own')
      .describe(
        'Whose credentials open the object store: `own`, as `lake.s3` finds them, or `vended`, which the catalog hands out with each table.',
      ),
  })
  .refine(
    ({ token, credential, sigv4 }) =>
      [token, credential, sigv4].filter((each) => each !== undefined).length < 2,
    { message: 'give one of token, credential and sigv4' },
  )

const catalog = z
  .strictObject({
    enabled: z.boolean().default(true).describe('Whether other engines find the tables here.'),
    host: z
      .string()
      .default('127.0.0.1')
      .describe('Address to listen on; one that others reach needs tokens.'),
    port: z
      .int()
      .min(0)
      .max(65535)
      .default(0)
      .describe("Port; 0: the one after the collector's, or a free one where that is taken."),
    tokens: z
      .record(
        z.string(),
        z.strictObject({ token: z.string().min(16), scope: z.enum(['read', 'write']) }),
      )
      .default({})
      .describe(
        'Bearer tokens by the name of their owner: `{ token, scope }`, the scope `read` or `write`; none: everybody on this machine may write.',
      ),
    locations: z
      .array(z.string().min(1))
      .default([])
      .describe('Locations beside the warehouse under which clients may put their own tables.'),
  })
  .refine(({ host, tokens }) => isLoopback(host) || Object.keys(tokens).length > 0, {
    path: ['tokens'],
    message: 'a catalog that others reach needs a token',
  })
  .prefault({})

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host)
}

const lake = z
  .strictObject({
    location: z
      .string()
      .regex(/^(s3:\/\/[^/]+|file:\/\/\/)/)
      .optional()
      .describe('`s3://<bucket>/<prefix>` or `file:///…`; none: `lake` in the data folder.'),
    s3: s3.describe('The object store. Credentials come from the environment, never from here.'),
    takeOver: z
      .boolean()
      .default(false)
      .describe('Takes the lake from another data directory, which then no longer commits.'),
    catalog: external
      .optional()
      .describe("Somebody else's Iceberg REST catalog; without it headwater keeps its own."),
  })
  .prefault({})

const minutes = (ms: number): number => ms / 60_000

const maintenance = z
  .strictObject({
    enabled: z
      .boolean()
      .default(true)
      .describe(
        'Compact files and remove old ones beside the writers; else run `headwater compact`.',
      ),
    share: z
      .number()
      .min(0.01)
      .max(1)
      .default(0.2)
      .describe('Share of one core that maintenance may take.'),
    memory: z
      .string()
      .regex(/^\d+(MB|GB)$/)
      .default('512MB')
      .describe('Memory for sorting; what does not fit goes to a temporary file.'),
    targetBytes: z
      .int()
      .min(limits.targetBytesMin)
      .max(limits.targetBytesMax)
      .default(limits.targetBytes)
      .describe('Size of a finished file, bytes; more where `engine.filesPerDay` wants it.'),
    fanIn: z
      .int()
      .min(2)
      .max(limits.compactFilesMax)
      .optional()
      .describe(
        'Files of like size that become one while their day goes on; none: as `engine.filesPerDay` has it.',
      ),
    settleMinutes: z
      .int()
      .min(1)
      .default(minutes(limits.settleMs))
      .describe('How long after its end, and after its last file, a day is put in its final form.'),
    sweepHours: z
      .int()
      .min(1)
      .default(12)
      .describe('How often files that crashes left are looked for.'),
  })
  .prefault({})

const history = z
  .strictObject({
    minutes: z
      .int()
      .min(1)
      .default(minutes(limits.snapshotAgeMs))
      .describe(
        'How long every snapshot is kept. A table property `history.expire.max-snapshot-age-ms` goes before.',
      ),
    snapshots: z
      .int()
      .min(1)
      .default(limits.snapshotsMin)
      .describe(
        'Newest ones that stay whatever their age (`history.expire.min-snapshots-to-keep`).',
      ),
    everyMinutes: z
      .int()
      .min(1)
      .default(minutes(limits.snapshotEveryMs))
      .describe(
        'Of older snapshots one is kept per this time (`headwater.history.keep-every-ms`).',
      ),
    hours: z
      .int()
      .min(0)
      .default(limits.snapshotKeepMs / 3_600_000)
      .describe(
        'For this long; 0: none (`headwater.history.keep-for-ms`). Tags and branches stay.',
      ),
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
  lake: lake.describe('Where the tables are.'),
  catalog: catalog.describe('The REST catalog that other engines reach the tables by.'),
  engine: engine.describe('The embedded engine.'),
  time: time.describe('Which event times are believed (PROTOCOL.md §6).'),
  maintenance: maintenance.describe('What keeps tables fast: fewer files, less history.'),
  history: history.describe('How long one can read the past.'),
  enrich: enrich.describe('What is looked up about a request.'),
  cluster: cluster
    .optional()
    .describe('Kafka and Flink in place of log and engine; none: everything in this process.'),
  dev: dev.describe('Development.'),
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
    const fallback = option.default === undefined ? 'none' : JSON.stringify(option.default)
    return [{ path, type: option.type ?? '', default: fallback, doc: option.description ?? '' }]
  })
}
