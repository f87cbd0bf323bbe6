/** Requests to a catalog: what is sent again and what is not, how tokens are got, and answers that are not what they should be. */
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type Clock, systemClock } from '../../src/base/clock.ts'
import { limits } from '../../src/base/limits.ts'
import { seededRandom } from '../../src/base/random.ts'
import { anonymous, bearer, clientCredential } from '../../src/lake/external/auth.ts'
import { type Authorizer, CatalogHttp } from '../../src/lake/external/http.ts'
import { RestCatalog } from '../../src/lake/external/rest-catalog.ts'
import { readLoaded } from '../../src/lake/external/table-metadata.ts'
import { unwrap } from '../support/platform.ts'
import { headwater, temporaryFolder, writeProject } from '../support/project.ts'

interface Answer {
  readonly status?: number
  readonly body?: unknown
  readonly text?: string
  readonly headers?: Record<string, string>
}
interface Seen {
  readonly line: string
  readonly authorization: string | undefined
  readonly body: string
}

let server: http.Server
let uri = ''
let seen: Seen[] = []
let answer: (request: Seen) => Answer | 'close' | 'silence' = () => ({ body: {} })

beforeEach(async () => {
  seen = []
  server = http.createServer((incoming, outgoing) => {
    const parts: Buffer[] = []
    incoming.on('data', (part: Buffer) => parts.push(part))
    incoming.on('end', () => {
      const { authorization } = incoming.headers
      const body = Buffer.concat(parts).toString()
      const request = { line: `${incoming.method} ${incoming.url}`, authorization, body }
      seen.push(request)
      const given = answer(request)
      if (given === 'silence') return
      if (given === 'close') return outgoing.destroy()
      outgoing.writeHead(given.status ?? 200, given.headers)
      outgoing.end(given.text ?? JSON.stringify(given.body))
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  uri = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterEach(async () => {
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
})

/** Waits that are noted and not waited for; requests that time out do so at once. */
let waits: number[] = []
const clock: Clock = {
  ...systemClock,
  after: (ms, wake) => {
    if (ms === limits.catalogRequestMsMax) return systemClock.after(200, wake)
    waits.push(ms)
    return systemClock.after(0, wake)
  },
}
const ports = { fetch, clock, random: seededRandom(1) }
const httpWith = (authorizer: Authorizer = anonymous): CatalogHttp => {
  waits = []
  return new CatalogHttp(ports, authorizer)
}

/** Answers one after the other, the last one for ever. */
function script(...answers: readonly (Answer | 'close' | 'silence')[]): void {
  let n = 0
  answer = () => answers[Math.min(n++, answers.length - 1)]!
}

test.each(['close', 'silence', { status: 500 }, { status: 503 }, { status: 429 }] as const)(
  'a question is asked again after %j',
  async (failure) => {
    script(failure, failure, { body: { x: 1 } })
    expect(await httpWith().get(`${uri}/a`)).toMatchObject({ kind: 'ok', body: { x: 1 } })
    expect(seen).toHaveLength(3)
    expect(waits).toHaveLength(2)
    expect(Math.max(...waits)).toBeLessThanOrEqual(2 * limits.catalogRetryMsMin)
  },
)

test('asking ends', async () => {
  script({ status: 500, text: 'broken' })
  const reply = await httpWith().get(`${uri}/a`)
  expect(reply).toEqual({ kind: 'unknown', message: `GET ${uri}/a: 500 broken.` })
  expect(seen).toHaveLength(limits.catalogAttemptsMax)
})

test.each(['close', 'silence', { status: 500 }, { status: 502 }, { text: 'not JSON' }] as const)(
  'a change is sent once when it may have been made: %j',
  async (failure) => {
    script(failure)
    expect(await httpWith().post(`${uri}/a`, {})).toMatchObject({ kind: 'unknown' })
    expect(seen).toHaveLength(1)
  },
)

test('a change is sent again when it certainly was not made, after the time asked for', async () => {
  script({ status: 429, headers: { 'retry-after': '3' } }, { body: {} })
  expect(await httpWith().post(`${uri}/a`, {})).toMatchObject({ kind: 'ok' })
  expect(waits).toEqual([3000])
})

test('a date is a time to wait too, and a long one is not waited for', async () => {
  const soon = new Date(systemClock.wall() + 5000).toUTCString()
  script({ status: 503, headers: { 'retry-after': soon } }, { body: {} })
  expect(await httpWith().get(`${uri}/a`)).toMatchObject({ kind: 'ok' })
  expect(waits[0]).toBeGreaterThan(2000)
  expect(waits[0]).toBeLessThanOrEqual(5000)
  script({ status: 503, headers: { 'retry-after': '3600' } })
  expect(await httpWith().get(`${uri}/a`)).toMatchObject({ kind: 'unknown' })
  expect(waits).toEqual([])
})

test('a refusal says who and why, and is not repeated', async () => {
  const error = { message: 'no such table', type: 'NoSuchTableException', code: 404 }
  script({ status: 404, body: { error } })
  const reply = await httpWith().get(`${uri}/a`)
  expect(reply).toMatchObject({ kind: 'refused', status: 404, type: 'NoSuchTableException' })
  expect(seen).toHaveLength(1)
})

test('a redirect is not followed: it would take the token along', async () => {
  script({ status: 302, headers: { location: '/b' }, body: {} })
  expect(await httpWith(bearer('t')).get(`${uri}/a`)).toMatchObject({ kind: 'refused' })
  expect(seen.map(({ line }) => line)).toEqual(['GET /a'])
})

test('a credential is traded for a token, which is renewed before it ends and when it is refused', async () => {
  let issued = 0
  let revoked = ''
  answer = ({ line, authorization }) => {
    if (line === 'POST /token') return { body: { access_token: `t${++issued}`, expires_in: 3600 } }
    return authorization === revoked || authorization === undefined ? { status: 401 } : { body: {} }
  }
  let now = 0
  const timed = { fetch, clock: { ...clock, monotonic: () => now } }
  const options = { credential: 'me:it:is', tokenUrl: `${uri}/token`, scope: 'catalog' }
  const client = httpWith(clientCredential(options, timed))
  await Promise.all([client.get(`${uri}/a`), client.get(`${uri}/a`)])
  expect(seen[0]!.body).toBe(
    'grant_type=client_credentials&client_id=me&client_secret=it%3Ais&scope=catalog',
  )
  expect(issued).toBe(1)
  now = 3600_000 - limits.catalogTokenMarginMs - 1
  await client.get(`${uri}/a`)
  expect(issued).toBe(1)
  now += 1
  await client.get(`${uri}/a`)
  expect(issued).toBe(2)
  revoked = 'Bearer t2'
  expect(await client.post(`${uri}/a`, {})).toMatchObject({ kind: 'ok' })
  expect(issued).toBe(3)
})

test.each([
  [{ status: 400, body: { error: 'invalid_client' } }, 'refused'],
  [{ body: { token: 'x' } }, 'refused'],
  [{ status: 503 }, 'unknown'],
] as const)('no token comes out of %j', async (given, kind) => {
  script(given)
  const options = { credential: 'secret', tokenUrl: `${uri}/token`, scope: 'catalog' }
  const reply = await httpWith(clientCredential(options, ports)).get(`${uri}/a`)
  expect(reply).toMatchObject({ kind })
  expect(seen.every(({ line }) => line === 'POST /token')).toBe(true)
})

test('a token that is refused is refused', async () => {
  script({ status: 401, body: {} })
  const reply = await httpWith(bearer('old')).get(`${uri}/a`)
  expect(reply).toMatchObject({ kind: 'refused', status: 401 })
  expect(seen.map(({ authorization }) => authorization)).toEqual(['Bearer old'])
})

const open = (http_: CatalogHttp): ReturnType<typeof RestCatalog.open> =>
  RestCatalog.open(http_, { uri: `${uri}/`, warehouse: 'a b', namespace: 'ns', grants: undefined })

test('the configuration gives prefix and abilities, and lists are read to their end', async () => {
  answer = ({ line }) => {
    if (line.startsWith('GET /v1/config')) {
      const endpoints = ['POST /v1/{prefix}/transactions/commit']
      return { body: { defaults: { prefix: 'x' }, overrides: { prefix: 'p/q' }, endpoints } }
    }
    const name = line.includes('pageToken=n%26') ? 'two' : 'one'
    return {
      body: {
        identifiers: [{ namespace: ['ns'], name }],
        'next-page-token': name === 'one' ? 'n&' : null,
      },
    }
  }
  const catalog = unwrap(await open(httpWith()))
  expect(catalog.transactions).toBe(true)
  expect(unwrap(await catalog.tables())).toEqual(['one', 'two'])
  expect(seen.map(({ line }) => line)).toEqual([
    'GET /v1/config?warehouse=a%20b',
    'GET /v1/p/q/namespaces/ns/tables',
    'GET /v1/p/q/namespaces/ns/tables?pageToken=n%26',
  ])
})

test('a server that says nothing of transactions is not asked for one', async () => {
  script({ body: { defaults: {}, overrides: {} } })
  expect(unwrap(await open(httpWith())).transactions).toBe(false)
})

test('a list without an end is left', async () => {
  script({ body: {} }, { body: { identifiers: [], 'next-page-token': 'again' } })
  const catalog = unwrap(await open(httpWith()))
  expect(await catalog.tables()).toMatchObject({ ok: false, error: { code: 'catalog_invalid' } })
})

test.each([{ text: '[]' }, { text: 'null' }, { text: '<html>' }, { status: 404, body: {} }])(
  'what is no catalog is said to be none: %j',
  async (given) => {
    script(given)
    const opened = await open(httpWith())
    expect(opened).toMatchObject({
      ok: false,
      error: { code: expect.stringMatching(/^catalog_/) as string },
    })
  },
)

const METADATA = {
  'format-version': 2,
  'table-uuid': 'u',
  location: 'file:///t',
  'last-updated-ms': 1,
  'last-sequence-number': 1,
  'last-column-id': 1,
  'last-partition-id': 999,
  'current-schema-id': 0,
  schemas: [
    {
      type: 'struct',
      'schema-id': 0,
      fields: [{ name: 'd', id: 1, required: false, type: 'decimal(9,2)' }],
    },
  ],
  'partition-specs': [{ 'spec-id': 0, fields: [] }],
}

test('metadata is read with what may be left out, and ids of 63 bits stay exact', async () => {
  const id = 9007199254740993n
  script({
    text: JSON.stringify({ metadata: { ...METADATA, 'current-snapshot-id': 0 } }).replace(
      '"current-snapshot-id":0',
      `"current-snapshot-id":${id},"snapshots":[{"snapshot-id":${id},"sequence-number":1,"timestamp-ms":1,"manifest-list":"file:///l","summary":{"operation":"append"}}]`,
    ),
  })
  const reply = await httpWith().get(`${uri}/a`)
  const { metadata } = unwrap(readLoaded('t', (reply as { body: unknown }).body))
  expect(metadata['current-snapshot-id']).toBe(id)
  expect(metadata.refs).toEqual({ main: { 'snapshot-id': id, type: 'branch' } })
  expect(metadata['snapshot-log']).toEqual([])
  expect(metadata.schemas[0]!.fields[0]!.type).toBe('decimal(9, 2)')
})

test.each([
  undefined,
  {},
  { metadata: 5 },
  { metadata: { ...METADATA, schemas: [null] } },
  { metadata: { ...METADATA, schemas: [{ fields: [null] }] } },
  { metadata: { ...METADATA, schemas: [] } },
  { metadata: { ...METADATA, location: 7 } },
  { metadata: { ...METADATA, 'current-snapshot-id': 12 } },
])('metadata that is none: %j', (body) => {
  expect(readLoaded('t', body)).toMatchObject({ ok: false, error: { code: 'catalog_invalid' } })
})

test('a command says that the catalog is away, and ends', async () => {
  const { folder, remove } = temporaryFolder('away')
  script({ status: 503 })
  writeProject(folder, 'examples/streaming/specs.ts', { lake: { catalog: { uri } } })
  const { code, stderr } = await headwater(folder, ['sql', 'select 1'])
  expect(code).toBe(1)
  expect(stderr).toMatch(/^catalog_unavailable/)
  expect(seen).toHaveLength(limits.catalogAttemptsMax)
  remove()
})
