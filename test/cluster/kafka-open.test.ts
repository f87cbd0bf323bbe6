/** Opening a real broker: topics with what was declared, and the ways of saying who one is. */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import { Admin } from '@platformatic/kafka'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { sleep, systemClock } from '../../src/base/clock.ts'
import { limits } from '../../src/base/limits.ts'
import { topicAdmin } from '../../src/log/kafka/admin.ts'
import { type KafkaSettings, openKafka, type WantedTopic } from '../../src/log/kafka/index.ts'
import { planTopics, reconcileTopics } from '../../src/log/kafka/topics.ts'
import { type BrokerSettings, readTopics, startKafka, type TestKafka } from '../support/kafka.ts'
import { freePorts } from '../support/ports.ts'
import { unwrap } from '../support/platform.ts'
import { temporaryFolder } from '../support/project.ts'

const { folder, remove } = temporaryFolder('kafka-open')
const SECRET = 'a-secret-of-the-test'
let kafka: TestKafka
let plain: string
let secure: string
let ca: string

const keytool = (...args: readonly string[]): unknown =>
  execFileSync(
    'keytool',
    [...args, '-storepass', SECRET, '-keystore', path.join(folder, 'keys.p12')],
    {
      stdio: 'pipe',
    },
  )

beforeAll(async () => {
  const name = ['-alias', 'broker']
  const san = ['-ext', 'san=ip:127.0.0.1,dns:localhost', '-ext', 'bc=ca:true']
  const kind = [
    '-keyalg',
    'EC',
    '-groupname',
    'secp256r1',
    '-dname',
    'CN=localhost',
    '-validity',
    '30',
  ]
  keytool('-genkeypair', ...name, ...kind, ...san, '-storetype', 'PKCS12')
  keytool('-exportcert', '-rfc', ...name, '-file', path.join(folder, 'ca.pem'))
  ca = readFileSync(path.join(folder, 'ca.pem'), 'utf8')
  const ports = await freePorts(2)
  plain = `127.0.0.1:${ports[0]}`
  secure = `127.0.0.1:${ports[1]}`
  const settings: BrokerSettings = (_port, base) => {
    const more = `,PLAIN://${plain},SECURE://${secure}`
    return {
      listeners: base['listeners']! + more,
      'advertised.listeners': base['advertised.listeners']! + more,
      'listener.name.plain.sasl.enabled.mechanisms': 'PLAIN',
      'listener.name.secure.sasl.enabled.mechanisms':
        'PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER',
      ...login('plain', 'PLAIN', 'plain.PlainLoginModule required user_device="the-password"'),
      ...login('secure', 'PLAIN', 'plain.PlainLoginModule required user_device="the-password"'),
      ...login('secure', 'SCRAM-SHA-256', 'scram.ScramLoginModule required'),
      ...login('secure', 'SCRAM-SHA-512', 'scram.ScramLoginModule required'),
      ...login(
        'secure',
        'OAUTHBEARER',
        'oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="broker"',
      ),
      'ssl.keystore.type': 'PKCS12',
      'ssl.keystore.location': path.join(folder, 'keys.p12'),
      'ssl.keystore.password': SECRET,
      'ssl.key.password': SECRET,
    }
  }
  const scram = ['SCRAM-SHA-256', 'SCRAM-SHA-512'].map(
    (mechanism) => `${mechanism}=[name=scrammed,password=its-password]`,
  )
  kafka = await startKafka(1, { settings, scram })
}, 120_000)
afterAll(async () => {
  await kafka?.remove()
  remove()
}, 60_000)

function login(listener: string, mechanism: string, module: string): Record<string, string> {
  const name = `listener.name.${listener}.${mechanism.toLowerCase()}.sasl.jaas.config`
  return { [name]: `org.apache.kafka.common.security.${module};` }
}

const client = (more: Partial<KafkaSettings> = {}): KafkaSettings => ({
  brokers: kafka.addresses,
  prefix: 'open',
  clientId: 'test',
  compression: 'none',
  lingerMs: 1,
  tls: undefined,
  sasl: undefined,
  ...more,
})
const HOUR = 3_600_000
const wanted = (topic: string, more: Partial<WantedTopic> = {}): WantedTopic => ({
  topic,
  partitions: 2,
  replicas: undefined,
  minInsyncReplicas: undefined,
  retentionMs: 72 * HOUR,
  ...more,
})
const options = { manage: true, clock: systemClock }

/** Writes one record; why not, where it fails. */
async function write(more: Partial<KafkaSettings>, value = '{}'): Promise<string> {
  const opened = await openKafka(client(more), [wanted('t')], options)
  if (!opened.ok) return opened.error.code
  const { sink } = opened.value
  const record = { topic: 't', key: 'k', value: Buffer.from(value), time: systemClock.wall() }
  const sent = await sink.send([record])
  await sink.close()
  return sent.ok ? 'written' : sent.error.code
}

describe('topics', () => {
  test('are made, raised and left', { timeout: 60_000 }, async () => {
    const topics = ['events.a', 'events.b', 'batches'].map((topic) => wanted(topic))
    const [one, other] = await Promise.all([
      openKafka(client({ prefix: 'made' }), topics, options),
      // Another collector that starts at the same time.
      openKafka(client({ prefix: 'made' }), topics, options),
    ])
    const opened = [unwrap(one), unwrap(other)]
    for (const { topics: made } of opened) {
      expect([...made.topics.keys()].toSorted()).toEqual(['batches', 'events.a', 'events.b'])
      expect(made.differences).toEqual([])
    }
    const configs = opened[0]!.topics.topics.get('events.a')!.configs
    expect(configs.get('retention.ms')).toBe(String(72 * HOUR))
    expect(Number(configs.get('max.message.bytes'))).toBeGreaterThan(limits.recordBytesMax)
    const more = topics.map((topic) => ({ ...topic, partitions: 3, retentionMs: 96 * HOUR }))
    const raised = unwrap(await openKafka(client({ prefix: 'made' }), more, options))
    expect(raised.topics).toMatchObject({
      created: [],
      changed: ['events.a', 'events.b', 'batches'],
      differences: [],
    })
    const less = unwrap(await openKafka(client({ prefix: 'made' }), topics, options))
    expect(less.topics.changed).toEqual([])
    expect(less.topics.differences).toHaveLength(6)
    expect(less.topics.differences[0]).toBe('events.a has 3 partitions, 2 are configured')
    for (const each of [...opened, raised, less]) await each.sink.close()
  })

  test('that are many are made at once', { timeout: 60_000 }, async () => {
    const many = Array.from({ length: 250 }, (_, i) => wanted(`events.t${i}`, { partitions: 1 }))
    const admin = new Admin({ clientId: 'test', bootstrapBrokers: [...kafka.addresses] })
    const pause = (ms: number): Promise<void> => sleep(systemClock, ms)
    const found = await reconcileTopics(many, topicAdmin(admin, 'many'), { manage: true, pause })
    await admin.close()
    expect(found.created).toHaveLength(250)
    expect(planTopics(many, found.topics)).toMatchObject({ create: [], differences: [] })
  })

  test('that are missing are named where they are not to be made', async () => {
    const opened = await openKafka(client(), [wanted('nowhere')], { ...options, manage: false })
    expect(opened).toMatchObject({ error: { code: 'topics_missing' } })
  })

  test('that nobody could write to are not begun with', async () => {
    const opened = await openKafka(client(), [wanted('three', { replicas: 3 })], options)
    expect(opened).toMatchObject({ error: { code: 'broker_refused' } })
  })
})

test.each(['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const)(
  'records are read back whatever compression they have: %s',
  async (compression) => {
    const prefix = `compressed-${compression}`
    const value = JSON.stringify({ compression, pad: 'ü'.repeat(10_000) })
    expect(await write({ prefix, compression }, value)).toBe('written')
    const [record] = await readTopics(kafka.addresses, prefix)
    expect(record!.value.toString()).toBe(value)
  },
)

test('a record of the largest size is taken', async () => {
  const value = 'x'.repeat(limits.recordBytesMax)
  expect(await write({ prefix: 'large', compression: 'none' }, value)).toBe('written')
  const [record] = await readTopics(kafka.addresses, 'large')
  expect(record!.value.length).toBe(limits.recordBytesMax)
})

describe('who one is', () => {
  const right = { mechanism: 'PLAIN', username: 'device', password: 'the-password' } as const

  test('is said by SASL/PLAIN, with and without TLS', async () => {
    expect(await write({ brokers: [plain], sasl: right })).toBe('written')
    expect(await write({ brokers: [secure], sasl: right, tls: { ca } })).toBe('written')
  })

  test('and is refused when it is wrong, at once', { timeout: 30_000 }, async () => {
    const asked = performance.now()
    const wrong = { ...right, password: 'another-password' }
    expect(await write({ brokers: [plain], sasl: wrong })).toBe('broker_refused')
    expect(performance.now() - asked).toBeLessThan(10_000)
  })

  test.each([
    ['TLS to a broker whose certificate nobody vouches for', { tls: {} }],
    ['no TLS to a broker that wants it', { tls: undefined }],
  ])('%s is no way in', { timeout: 60_000 }, async (_how, more) => {
    expect(await write({ brokers: [secure], sasl: right, ...more })).toMatch(/^broker_/)
  })

  test('a certificate of another name is refused', { timeout: 60_000 }, async () => {
    const tls = { ca, serverName: 'elsewhere.example' }
    expect(await write({ brokers: [secure], sasl: right, tls })).toMatch(/^broker_/)
  })

  test.each(['SCRAM-SHA-256', 'SCRAM-SHA-512'] as const)('is said by %s', async (mechanism) => {
    const sasl = { mechanism, username: 'scrammed', password: 'its-password' }
    expect(await write({ brokers: [secure], tls: { ca }, sasl })).toBe('written')
    const wrong = { ...sasl, password: 'not-this-one' }
    expect(await write({ brokers: [secure], tls: { ca }, sasl: wrong })).toBe('broker_refused')
  })

  test('is said by a token, which is asked for', { timeout: 60_000 }, async () => {
    const issuer = await startIssuer()
    const sasl = {
      mechanism: 'OAUTHBEARER',
      extensions: {},
      token: {
        tokenUri: `http://127.0.0.1:${(issuer.server.address() as AddressInfo).port}/token`,
        clientId: 'collector',
        clientSecret: 'its-secret',
        scope: 'kafka',
      },
    } as const
    expect(await write({ brokers: [secure], tls: { ca }, sasl })).toBe('written')
    expect(new URLSearchParams(issuer.asked[0])).toEqual(
      new URLSearchParams({
        grant_type: 'client_credentials',
        client_id: 'collector',
        client_secret: 'its-secret',
        scope: 'kafka',
      }),
    )
    const refused = { ...sasl, token: { ...sasl.token, clientSecret: 'another' } }
    expect(await write({ brokers: [secure], tls: { ca }, sasl: refused })).toBe('broker_refused')
    await new Promise((resolve) => issuer.server.close(resolve))
  })
})

/** An authority for tokens without a signature, which the broker of the test believes. */
async function startIssuer(): Promise<{ server: Server; asked: string[] }> {
  const asked: string[] = []
  const server = createServer((request, response) => {
    let body = ''
    request.on('data', (part: Buffer) => (body += part.toString()))
    request.on('end', () => {
      asked.push(body)
      const good = body.includes('its-secret')
      const now = Math.floor(systemClock.wall() / 1000)
      const part = (value: object): string =>
        Buffer.from(JSON.stringify(value)).toString('base64url')
      const token = `${part({ alg: 'none' })}.${part({ sub: 'collector', iat: now, exp: now + 300 })}.`
      response.writeHead(good ? 200 : 401, { 'content-type': 'application/json' })
      response.end(
        JSON.stringify(good ? { access_token: token, expires_in: 300 } : { error: 'no' }),
      )
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return { server, asked }
}
