/** Bad input over real HTTP: a clear status, the right row in quarantine or `_extra`, and nothing else lost. */
import { randomBytes } from 'node:crypto'
import http from 'node:http'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { limits } from '../../src/base/limits.ts'
import type { Platform } from '../../src/platform/index.ts'
import {
  defineContext,
  defineEvent,
  double,
  int,
  json,
  list,
  long,
  string,
} from '../../src/spec/index.ts'
import { ask, landed, projectOf, start } from '../support/platform.ts'
import { temporaryFolder } from '../support/project.ts'

const specs = {
  context: defineContext({ doc: 'The app.', fields: { app: string().optional() } }),
  played: defineEvent('played', {
    doc: 'Something was played.',
    fields: {
      title_id: long(),
      position: int().min(0).max(1000),
      rate: double().optional(),
      name: string().maxLength(20).optional(),
      tags: list(string()).optional(),
      details: json().optional(),
    },
  }),
}

const { folder, remove } = temporaryFolder('hostile')
let platform: Platform
beforeAll(async () => {
  platform = await start(projectOf(folder, specs, { config: { keys: { app: 'the-right-key' } } }))
})
afterAll(async () => {
  await platform.close()
  remove()
})

interface Answer {
  readonly status: number
  readonly retryAfter: string | undefined
  readonly json: {
    readonly error?: { readonly code: string; readonly remedy: string }
    readonly batches?: readonly {
      readonly status: string
      readonly quarantined: number
      readonly unknown?: readonly string[]
    }[]
  }
}

/** Sends bytes to the door; a server that answers before it has read everything may close the connection. */
function post(
  body: Uint8Array | string,
  headers: Record<string, string> = {},
  key: string | undefined = 'the-right-key',
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    let answered = false
    const authorization: Record<string, string> =
      key === undefined ? {} : { authorization: `Bearer ${key}` }
    const request = http.request(
      `${platform.url}/v1/events`,
      { method: 'POST', headers: { ...authorization, ...headers }, agent: false },
      (response) => {
        answered = true
        let text = ''
        response.on('data', (part: Buffer) => (text += part.toString()))
        response.on('end', () =>
          resolve({
            status: response.statusCode!,
            retryAfter: response.headers['retry-after'],
            json: JSON.parse(text) as Answer['json'],
          }),
        )
      },
    )
    request.on('error', (cause) => {
      if (!answered) reject(cause)
    })
    request.end(body)
  })
}

/** 128 random bits, as a client makes them. */
const newBoot = (): string => randomBytes(16).toString('base64url')

function header(boot: string, over: object = {}): string {
  const sent = 1000
  const booted = Date.now() - sent
  return JSON.stringify({ boot, seq: 0, first: 0, count: 1, sent, booted, ctx: {}, ...over })
}

const GOOD = { title_id: 1, position: 2 }

/** A chunk of events with the given fields; what the first lacks, all lack. */
function chunk(events: readonly object[], over: object = {}): string {
  const names = Object.keys(events[0]!)
  const cols = Object.fromEntries(
    names.map((name) => [name, events.map((event) => (event as Record<string, unknown>)[name])]),
  )
  const n = events.map((_, i) => i)
  return JSON.stringify({ type: 'played', n, at: n.map((i) => i * 10), cols, ...over })
}

interface Held {
  readonly reason: unknown
  readonly field: unknown
  readonly events: number
}

/** What is in quarantine of a boot. */
async function quarantineOf(boot: string): Promise<Held[]> {
  await landed(platform)
  const rows = await ask(
    platform.lake,
    `select reason, field, events::integer as events from quarantine where boot = '${boot}' order by all`,
  )
  return rows as unknown as Held[]
}

/** Events of a boot that are in their table. */
async function eventsOf(boot: string): Promise<Record<string, unknown>[]> {
  await landed(platform)
  return ask(
    platform.lake,
    `select n::integer as n, title_id::integer as title_id, name, _extra from played where boot = '${boot}' order by n`,
  )
}

/** Rows of the quarantine that belong to no boot, by reason. */
async function unread(reason: string): Promise<number> {
  await landed(platform)
  const [row] = await ask(
    platform.lake,
    `select count(*)::integer as n from quarantine where boot is null and reason = '${reason}'`,
  )
  return row!['n'] as number
}

async function expectAlive(): Promise<void> {
  const boot = newBoot()
  const { status } = await post(`${header(boot)}\n${chunk([GOOD])}`)
  expect(status).toBe(200)
  expect(await eventsOf(boot)).toHaveLength(1)
}

describe('bodies that cannot be read', () => {
  const whole = `${header(newBoot())}\n${chunk([GOOD])}`
  test.each<[string, Uint8Array | string, Record<string, string>, number, string, string]>([
    ['not JSON', 'hello', {}, 400, 'body_not_batches', 'line_not_json'],
    ['an array', '[1,2]', {}, 400, 'body_not_batches', 'line_not_json'],
    ['no header', chunk([GOOD]), {}, 400, 'body_not_batches', 'body_not_batches'],
    [
      'not UTF-8',
      Buffer.from([0x7b, 0xc3, 0x28, 0x7d]),
      {},
      400,
      'body_not_batches',
      'line_not_utf8',
    ],
    [
      'corrupted gzip',
      gzipSync(whole).fill(7, 12, 30),
      { 'content-encoding': 'gzip' },
      400,
      'body_corrupt',
      'body_corrupt',
    ],
    [
      'truncated gzip',
      gzipSync(whole).subarray(0, 40),
      { 'content-encoding': 'gzip' },
      400,
      'body_corrupt',
      'body_corrupt',
    ],
    [
      'plain text that claims gzip',
      whole,
      { 'content-encoding': 'gzip' },
      400,
      'body_corrupt',
      'body_corrupt',
    ],
  ])('%s is kept as bytes', async (_name, body, headers, status, code, reason) => {
    const before = await unread(reason)
    const answer = await post(body, headers)
    expect([answer.status, answer.json.error?.code]).toEqual([status, code])
    expect(answer.json.error?.remedy).toMatch(/\w/)
    expect(await unread(reason)).toBe(before + 1)
    await expectAlive()
  })

  test.each<[string, () => Uint8Array | string, Record<string, string>, number, string]>([
    ['nothing', () => '', {}, 400, 'body_empty'],
    [
      'a gzip bomb',
      () => gzipSync(Buffer.alloc(200 * 1024 * 1024)),
      { 'content-encoding': 'gzip' },
      413,
      'body_too_large',
    ],
    ['100 MB', () => Buffer.alloc(100 * 1024 * 1024, 'x'), {}, 413, 'body_too_large'],
    ['an unknown encoding', () => whole, { 'content-encoding': 'sdch' }, 415, 'encoding_unknown'],
    [
      'more batches than a body may have',
      () => `${header(newBoot(), { count: 0 })}\n`.repeat(limits.bodyBatchesMax + 1),
      {},
      413,
      'body_too_large',
    ],
  ])('%s is refused', async (_name, body, headers, status, code) => {
    const before = await landedRows()
    const answer = await post(body(), headers)
    expect([answer.status, answer.json.error?.code]).toEqual([status, code])
    expect(await landedRows()).toBe(before)
    await expectAlive()
  })

  async function landedRows(): Promise<number> {
    await landed(platform)
    const [row] = await ask(
      platform.lake,
      'select (select count(*) from batches)::integer + (select count(*) from quarantine)::integer as n',
    )
    return row!['n'] as number
  }

  test.each([
    ['no key', undefined],
    ['a wrong key', 'the-wrong-key'],
    ['an empty key', ''],
  ])('%s is refused', async (_name, key) => {
    const boot = newBoot()
    const answer =
      key === undefined
        ? await post(`${header(boot)}\n${chunk([GOOD])}`, { 'x-no': 'key' }, '')
        : await post(`${header(boot)}\n${chunk([GOOD])}`, {}, key)
    expect(answer.status).toBe(401)
    expect(await eventsOf(boot)).toEqual([])
    await expectAlive()
  })

  test('a body cut in the middle of a line keeps what stood before it', async () => {
    const [one, two] = [newBoot(), newBoot()]
    const body = `${header(one)}\n${chunk([GOOD])}\n${header(two, { count: 2 })}\n${chunk([GOOD])}\n${chunk([GOOD]).slice(0, 30)}`
    const answer = await post(body)
    expect(answer.status).toBe(200)
    expect(await eventsOf(one)).toHaveLength(1)
    expect(await eventsOf(two)).toHaveLength(1)
    expect(await quarantineOf(two)).toEqual([{ reason: 'line_not_json', field: null, events: 1 }])
  })
})

describe('headers that lie', () => {
  test.each<[string, object]>([
    ['a negative seq', { seq: -1 }],
    ['a fractional seq', { seq: 1.5 }],
    ['a seq that is text', { seq: '1' }],
    ['a huge seq', { seq: 2 ** 31 }],
    ['a negative count', { count: -1 }],
    ['a huge count', { count: 1e9 }],
    ['a negative first', { first: -5 }],
    ['a first beyond exact integers', { first: 2 ** 53 }],
    ['no time of sending', { sent: null }],
    ['a context that is a list', { ctx: [1] }],
    ['a context of a megabyte', { ctx: { app: 'x'.repeat(1024 * 1024) } }],
    ['a boot of another form', { boot: 'me' }],
    ['drop reports of another form', { dropped: [['why']] }],
  ])('%s: the batch is kept as bytes', async (_name, over) => {
    const before = await unread('header_invalid')
    const answer = await post(`${header(newBoot(), over)}\n${chunk([GOOD])}`)
    expect(answer.status).toBe(400)
    expect(await unread('header_invalid')).toBe(before + 1)
    await expectAlive()
  })

  test('a count above what the chunks hold is counted as missing', async () => {
    const boot = newBoot()
    await post(`${header(boot, { count: 5 })}\n${chunk([GOOD, GOOD])}`)
    await landed(platform)
    const rows = await ask(
      platform.lake,
      `select "count"::integer as numbered, landed::integer as landed, missing::integer as missing from batches where boot = '${boot}'`,
    )
    expect(rows).toEqual([{ numbered: 5, landed: 2, missing: 3 }])
  })

  test('numbers outside the count, or twice, are held', async () => {
    const boot = newBoot()
    await post(`${header(boot, { count: 3 })}\n${chunk([GOOD, GOOD, GOOD], { n: [0, 0, 7] })}`)
    expect(await eventsOf(boot)).toHaveLength(1)
    expect(await quarantineOf(boot)).toEqual([
      { reason: 'number_out_of_range', field: 'n', events: 1 },
      { reason: 'number_repeated', field: 'n', events: 1 },
    ])
  })

  test('the same (boot, seq) with other content is held, the same content a duplicate', async () => {
    const boot = newBoot()
    const body = `${header(boot)}\n${chunk([GOOD])}`
    await post(body)
    expect((await post(body)).json.batches?.[0]?.status).toBe('duplicate')
    const other = await post(`${header(boot)}\n${chunk([{ ...GOOD, title_id: 9 }])}`)
    expect(other.json.batches?.[0]).toMatchObject({ status: 'quarantined', quarantined: 1 })
    expect(await eventsOf(boot)).toHaveLength(1)
    expect(await quarantineOf(boot)).toEqual([{ reason: 'batch_conflict', field: null, events: 1 }])
  })

  test('numbers that another batch of the boot had are held', async () => {
    const boot = newBoot()
    await post(`${header(boot, { count: 2 })}\n${chunk([GOOD, GOOD])}`)
    await post(`${header(boot, { seq: 1, first: 1 })}\n${chunk([GOOD])}`)
    expect(await eventsOf(boot)).toHaveLength(2)
    expect(await quarantineOf(boot)).toEqual([
      { reason: 'numbers_overlap', field: null, events: 1 },
    ])
  })
})

/** JSON as no writer of ours would make it. */
const raw = (text: string): string => text

describe('events that do not fit', () => {
  const deep = (depth: number): string => `${'['.repeat(depth)}1${']'.repeat(depth)}`
  test.each<[string, string, Held]>([
    [
      'a wrong type',
      chunk([GOOD, { ...GOOD, position: '3' }]),
      { reason: 'value_type', field: 'position', events: 1 },
    ],
    [
      'a number out of range',
      chunk([GOOD, { ...GOOD, position: 1001 }]),
      { reason: 'value_range', field: 'position', events: 1 },
    ],
    [
      'a fraction for an integer',
      chunk([GOOD, { ...GOOD, title_id: 1.5 }]),
      { reason: 'value_type', field: 'title_id', events: 1 },
    ],
    [
      'a required value that is null',
      chunk([GOOD, { ...GOOD, title_id: null }]),
      { reason: 'field_missing', field: 'title_id', events: 1 },
    ],
    [
      'a number that is no number',
      raw(
        chunk([
          { ...GOOD, rate: 1 },
          { ...GOOD, rate: 2 },
        ]).replace('[1,2]', '[1,1e999]'),
      ),
      { reason: 'value_type', field: 'rate', events: 1 },
    ],
    [
      'half of a surrogate pair',
      raw(
        chunk([
          { ...GOOD, name: 'x' },
          { ...GOOD, name: '?' },
        ]).replace('"?"', String.raw`"\ud83d"`),
      ),
      { reason: 'value_not_unicode', field: 'name', events: 1 },
    ],
    [
      'a text that is too long',
      chunk([
        { ...GOOD, name: 'x' },
        { ...GOOD, name: 'y'.repeat(21) },
      ]),
      { reason: 'value_too_long', field: 'name', events: 1 },
    ],
    [
      'JSON that is too deep',
      raw(
        chunk([
          { ...GOOD, details: 1 },
          { ...GOOD, details: '?' },
        ]).replace('"?"', deep(5000)),
      ),
      { reason: 'value_too_deep', field: 'details', events: 1 },
    ],
    [
      'a list with a number among texts',
      chunk([
        { ...GOOD, tags: ['a'] },
        { ...GOOD, tags: ['a', 7] },
      ]),
      { reason: 'value_type', field: 'tags[1]', events: 1 },
    ],
    [
      'a time that is no time',
      chunk([GOOD, GOOD], { at: [0, 'now'] }),
      { reason: 'time_invalid', field: 'at', events: 1 },
    ],
  ])('%s is held, and its neighbour lands', async (_name, line, held) => {
    const boot = newBoot()
    const answer = await post(`${header(boot, { count: 2 })}\n${line}`)
    expect(answer.status).toBe(200)
    expect(answer.json.batches).toMatchObject([{ status: 'accepted', quarantined: 1 }])
    expect(await eventsOf(boot)).toHaveLength(1)
    expect(await quarantineOf(boot)).toEqual([held])
  })

  test.each<[string, string, Held]>([
    [
      'a required field that is absent',
      chunk([{ title_id: 1 }]),
      { reason: 'field_missing', field: 'position', events: 1 },
    ],
    [
      'an unknown event',
      chunk([GOOD], { type: 'paused' }),
      { reason: 'event_unknown', field: null, events: 1 },
    ],
    [
      'columns of unequal length',
      chunk([GOOD], { cols: { title_id: [1], position: [2, 3] } }),
      { reason: 'column_length', field: null, events: 1 },
    ],
    [
      'a column that is no list',
      chunk([GOOD], { cols: { title_id: 1, position: [2] } }),
      { reason: 'chunk_invalid', field: null, events: 1 },
    ],
    [
      'a type that is the name of a method',
      chunk([GOOD], { type: 'constructor' }),
      { reason: 'event_unknown', field: null, events: 1 },
    ],
    [
      'a type that is __proto__',
      chunk([GOOD], { type: '__proto__' }),
      { reason: 'event_unknown', field: null, events: 1 },
    ],
  ])('%s is held', async (_name, line, held) => {
    const boot = newBoot()
    expect((await post(`${header(boot)}\n${line}`)).status).toBe(200)
    expect(await eventsOf(boot)).toEqual([])
    expect(await quarantineOf(boot)).toEqual([held])
  })

  test('an unknown field lands in _extra, whatever its name', async () => {
    const boot = newBoot()
    const line = chunk([GOOD]).replace(
      '"cols":{',
      '"cols":{"__proto__":[{"admin":true}],"colour":["red"],',
    )
    const answer = await post(`${header(boot)}\n${line}`)
    expect(answer.json.batches?.[0]?.unknown).toEqual(['played.__proto__', 'played.colour'])
    const [event] = await eventsOf(boot)
    const extra = JSON.parse(event!['_extra'] as string) as object
    expect(Object.entries(extra)).toEqual([
      ['__proto__', { admin: true }],
      ['colour', 'red'],
    ])
    expect(({} as { admin?: boolean }).admin).toBeUndefined()
  })

  test('what no specification knows is held when it is too deep', async () => {
    const [unknown, type, context] = [newBoot(), newBoot(), newBoot()]
    const strange = chunk([GOOD]).replace('"cols":{', `"cols":{"colour":[${deep(9000)}],`)
    await post(`${header(unknown)}\n${strange}`)
    expect(await quarantineOf(unknown)).toEqual([
      { reason: 'value_too_deep', field: 'colour', events: 1 },
    ])
    await post(`${header(type)}\n${strange.replace('played', 'paused')}`)
    expect(await quarantineOf(type)).toEqual([{ reason: 'event_unknown', field: null, events: 1 }])
    const head = header(context).replace('"ctx":{', `"ctx":{"colour":${deep(9000)}`)
    await post(`${head}\n${chunk([GOOD])}`)
    expect(await quarantineOf(context)).toEqual([
      { reason: 'context_invalid', field: 'ctx.colour', events: 1 },
    ])
    await expectAlive()
  })

  test('NUL is a character like any other', async () => {
    const boot = newBoot()
    await post(
      `${header(boot, { count: 2 })}\n${chunk([
        { ...GOOD, name: 'a\0b' },
        { ...GOOD, name: '\0' },
      ])}`,
    )
    const events = await eventsOf(boot)
    expect(events.map(({ name }) => name)).toEqual(['a\0b', '\0'])
  })

  test('an unknown member of the context lands in _extra; a wrong one holds the batch', async () => {
    const [strange, wrong] = [newBoot(), newBoot()]
    await post(`${header(strange, { ctx: { app: 'x', colour: 'red' } })}\n${chunk([GOOD])}`)
    expect((await eventsOf(strange))[0]!['_extra']).toBe('{"ctx.colour":"red"}')
    await post(`${header(wrong, { ctx: { app: 7 } })}\n${chunk([GOOD])}`)
    expect(await quarantineOf(wrong)).toEqual([
      { reason: 'context_invalid', field: 'ctx.app', events: 1 },
    ])
  })

  test('ten thousand contexts are ten thousand batches, no more', { timeout: 30_000 }, async () => {
    const boot = newBoot()
    for (let body = 0; body < 20; body++) {
      const lines = Array.from({ length: 500 }, (_, i) => {
        const seq = body * 500 + i
        return `${header(boot, { seq, first: seq, ctx: { app: `app ${seq}`, [`key ${seq}`]: seq } })}\n${chunk([GOOD])}`
      })
      expect((await post(lines.join('\n'))).status).toBe(200)
    }
    await landed(platform)
    const [row] = await ask(
      platform.lake,
      `select count(*)::integer as n, count(distinct app)::integer as apps, count(distinct _extra)::integer as extras from played where boot = '${boot}'`,
    )
    expect(row).toEqual({ n: 10_000, apps: 10_000, extras: 10_000 })
  })
})

test('an IPv6 address is one that a client can use', async () => {
  const { folder: other, remove: clear } = temporaryFolder('ipv6')
  const on = await start(
    projectOf(other, specs, {
      config: { http: { port: 0, host: '::1' }, catalog: { port: 0, host: '::1' } },
    }),
  )
  try {
    expect((await fetch(`${on.url}/healthz`)).status).toBe(200)
    expect((await fetch(`${on.catalogUrl}/v1/config`)).status).toBe(200)
  } finally {
    await on.close()
    clear()
  }
})
