/** What a team would write itself: Fastify and Zod take row JSON, and every event becomes one JSON record of its type's topic, acknowledged before the answer. */
import Fastify from 'fastify'
import { z } from 'zod'
import { systemClock } from '../src/base/clock.ts'
import { openKafka } from '../src/log/kafka/index.ts'
import type { ServerSetup } from './platform.ts'
import { answerCalls } from './serve.ts'
import { contextFields, declaredTypes, type ValueKind } from './types.ts'

const { types } = JSON.parse(process.argv[2] ?? '{}') as ServerSetup
const declared = declaredTypes(types)
const zodKinds = {
  int: z.int32(),
  long: z.int(),
  string: z.string(),
  boolean: z.boolean(),
} satisfies Record<ValueKind, z.ZodType>
const shape = (fields: Readonly<Record<string, ValueKind>>) =>
  Object.fromEntries(Object.entries(fields).map(([name, kind]) => [name, zodKinds[kind]]))
const envelope = { n: z.int(), at: z.int(), session: z.string() }
const [first, ...rest] = declared.map(({ name, fields }) =>
  z.object({ type: z.literal(name), ...envelope, ...shape(fields) }),
)
const bodySchema = z.object({
  ...shape(contextFields),
  boot: z.string(),
  batch: z.int(),
  sent: z.int(),
  events: z.array(z.discriminatedUnion('type', [first!, ...rest])),
})

const opened = await openKafka(
  {
    brokers: (process.env['BENCH_BROKERS'] ?? '').split(','),
    prefix: process.env['BENCH_PREFIX'] ?? 'rows',
    clientId: 'bench',
    compression: 'zstd',
    lingerMs: 5,
    tls: undefined,
    sasl: undefined,
  },
  declared.map(({ name }) => ({
    topic: `events.${name}`,
    partitions: 6,
    replicas: undefined,
    minInsyncReplicas: undefined,
    retentionMs: 72 * 3_600_000,
  })),
  { manage: true, clock: systemClock },
)
if (!opened.ok) throw opened.error
const { sink } = opened.value

let rows = 0
const app = Fastify({ bodyLimit: 16 * 1024 * 1024 })
app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_request, body, done) => {
  done(null, body)
})
app.post('/events', async (request, reply) => {
  const parsed = bodySchema.safeParse(JSON.parse((request.body as Buffer).toString()))
  if (!parsed.success) return reply.code(400).send({ error: parsed.error.issues.length })
  const { events, ...shared } = parsed.data as Record<string, unknown> & {
    readonly events: readonly Readonly<Record<string, unknown>>[]
  }
  const received = Date.now()
  const records = events.map((event) => ({
    topic: `events.${event['type'] as string}`,
    key: shared['boot'] as string,
    value: Buffer.from(JSON.stringify({ received, ...shared, ...event })),
    time: received,
  }))
  const sent = await sink.send(records)
  if (!sent.ok) return reply.code(503).send({ error: sent.error.code })
  rows += records.length
  return { accepted: records.length }
})
await app.listen({ port: 0, host: '127.0.0.1' })

answerCalls({
  stats: () => Promise.resolve({ rows, quarantined: 0, bytes: sink.counts.bytes, commits: [] }),
  stop: () => sink.close(),
})
process.send!({ port: (app.server.address() as { port: number }).port })
