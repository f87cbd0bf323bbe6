/** The client against the real collector: what an app logs, of every field kind, is what the tables hold. */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createClient, nodeTransport } from '../../src/client/node.ts'
import { createClient as createFetchClient } from '../../src/client/index.ts'
import type { Answer } from '../../src/client/answer.ts'
import type { Platform } from '../../src/platform/index.ts'
import {
  binary,
  boolean,
  date,
  decimal,
  defineContext,
  defineEvent,
  double,
  enumOf,
  int,
  json,
  list,
  long,
  map,
  string,
  struct,
  timestamp,
} from '../../src/spec/index.ts'
import { ask, landed, projectOf, start } from '../support/platform.ts'
import { repository, temporaryFolder } from '../support/project.ts'

const specs = {
  context: defineContext({
    doc: 'The app.',
    fields: {
      app: string().optional(),
      cells: map(string()).optional(),
      since: timestamp().optional(),
    },
  }),
  everyKind: defineEvent('every_kind', {
    doc: 'A field of every kind.',
    fields: {
      a_boolean: boolean().optional(),
      a_int: int().optional(),
      a_long: long().optional(),
      a_double: double().optional(),
      a_decimal: decimal(20, 4).optional(),
      a_string: string().optional(),
      a_enum: enumOf('red', 'green').optional(),
      a_date: date().optional(),
      a_timestamp: timestamp().optional(),
      a_binary: binary().optional(),
      a_list: list(long().optional()).optional(),
      a_map: map(double()).optional(),
      a_struct: struct({
        a: int(),
        b: list(struct({ c: string().optional() })).optional(),
      }).optional(),
      a_json: json().optional(),
    },
  }),
  strict: defineEvent('strict', {
    doc: 'Nothing is optional.',
    fields: { i: int(), text: string() },
  }),
}

const { folder, remove } = temporaryFolder('client')
let platform: Platform
beforeAll(async () => {
  platform = await start(projectOf(folder, specs, { config: { keys: { app: 'the-right-key' } } }))
})
afterAll(async () => {
  await platform.close()
  remove()
})

type Client = ReturnType<typeof createClient<typeof specs>>
const client = (options: Partial<Parameters<typeof createClient<typeof specs>>[0]> = {}): Client =>
  createClient<typeof specs>({ url: platform.url, key: 'the-right-key', ...options })

const rowsOf = async (
  boot: string,
  columns: string,
  table = 'every_kind',
): Promise<Record<string, unknown>[]> => {
  await landed(platform)
  return ask(platform.lake, `select ${columns} from ${table} where boot = '${boot}' order by n`)
}

describe('values', () => {
  test('of every kind land as they were logged', async () => {
    const app = client()
    app.log('every_kind', {
      a_boolean: true,
      a_int: -(2 ** 31),
      a_long: 2n ** 63n - 1n,
      a_double: -0.1,
      a_decimal: '-1234567890123456.7891',
      a_string: 'naïve\0東京 👩‍🚀',
      a_enum: 'green',
      a_date: '2024-02-29',
      a_timestamp: new Date('2026-01-02T03:04:05.678Z'),
      a_binary: new Uint8Array([0, 128, 255]),
      a_list: [1, null, -(2n ** 63n)],
      a_map: { '': 0.5, __proto__x: 1 },
      a_struct: { a: 1, b: [{ c: 'x' }, {}, { c: null }] },
      a_json: { deep: [1, { two: '3' }] },
    })
    app.log('every_kind', {})
    expect(await app.flush()).toBe(true)
    expect(app.stats).toMatchObject({ accepted: 2, quarantined: 0 })
    const rows = await rowsOf(
      app.boot,
      `a_boolean, a_int, a_long::varchar as a_long, a_double, a_decimal::varchar as a_decimal, a_string, a_enum,
       a_date::varchar as a_date, epoch_us(a_timestamp)::varchar as a_timestamp, hex(a_binary) as a_binary,
       a_list::varchar as a_list, a_map::varchar as a_map, a_struct::varchar as a_struct, a_json`,
    )
    expect(rows[0]).toEqual({
      a_boolean: true,
      a_int: -(2 ** 31),
      a_long: '9223372036854775807',
      a_double: -0.1,
      a_decimal: '-1234567890123456.7891',
      a_string: 'naïve\0東京 👩‍🚀',
      a_enum: 'green',
      a_date: '2024-02-29',
      a_timestamp: '1767323045678000',
      a_binary: '0080FF',
      a_list: '[1, NULL, -9223372036854775808]',
      a_map: "{''=0.5, __proto__x=1.0}",
      a_struct: "{'a': 1, 'b': [{'c': x}, {'c': NULL}, {'c': NULL}]}",
      a_json: '{"deep":[1,{"two":"3"}]}',
    })
    expect(Object.values(rows[1]!)).toEqual(new Array(14).fill(null))
  })

  test('whatever they are, land as they were logged', { timeout: 60_000 }, async () => {
    const event = fc.record(
      {
        a_boolean: fc.boolean(),
        a_int: fc.integer(),
        a_long: fc.oneof(
          fc.maxSafeInteger(),
          fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
        ),
        a_double: fc.double({ noNaN: true, noDefaultInfinity: true }),
        a_string: fc.string({ unit: 'binary', maxLength: 20 }),
        a_enum: fc.constantFrom('red' as const, 'green' as const),
        a_timestamp: fc.date({ noInvalidDate: true, min: new Date(0), max: new Date(2 ** 42) }),
        a_binary: fc.uint8Array({ maxLength: 20 }),
        a_list: fc.array(fc.option(fc.maxSafeInteger()), { maxLength: 4 }),
        a_json: fc
          .jsonValue({ maxDepth: 3, noUnicodeString: false })
          .filter((value) => value !== null) as fc.Arbitrary<never>,
      },
      { requiredKeys: [] },
    )
    const app = client({ batchEvents: 40 })
    const logged = fc.sample(event, { numRuns: 400, seed: 4 })
    for (const fields of logged) app.log('every_kind', fields)
    expect(await app.flush()).toBe(true)
    expect(app.stats).toMatchObject({ accepted: 400, quarantined: 0 })
    const rows = await rowsOf(
      app.boot,
      `a_boolean, a_int, a_long::varchar as a_long, a_double, hex(encode(a_string)) as a_string, a_enum,
       epoch_ms(a_timestamp)::varchar as a_timestamp, hex(a_binary) as a_binary, a_list::varchar as a_list, a_json`,
    )
    expect(rows).toEqual(
      logged.map((fields) => ({
        a_boolean: fields.a_boolean ?? null,
        a_int: fields.a_int ?? null,
        a_long: fields.a_long === undefined ? null : String(fields.a_long),
        // JSON has no zero below zero.
        a_double: fields.a_double === undefined ? null : fields.a_double + 0,
        a_string:
          fields.a_string === undefined
            ? null
            : Buffer.from(fields.a_string).toString('hex').toUpperCase(),
        a_enum: fields.a_enum ?? null,
        a_timestamp: fields.a_timestamp === undefined ? null : String(fields.a_timestamp.getTime()),
        a_binary:
          fields.a_binary === undefined
            ? null
            : Buffer.from(fields.a_binary).toString('hex').toUpperCase(),
        a_list:
          fields.a_list === undefined
            ? null
            : `[${fields.a_list.map((value) => value ?? 'NULL').join(', ')}]`,
        a_json: fields.a_json === undefined ? null : JSON.stringify(fields.a_json),
      })),
    )
  })

  test('that do not fit are in quarantine with the reason, which the app is told', async () => {
    const answers: Answer[] = []
    const app = client({ onAnswer: (answer) => answers.push(answer) })
    app.log('strict', { i: 1, text: 'good' })
    app.log('strict', { i: 1.5, text: 'bad' })
    app.log('strict', { i: 2, text: 'cut \ud83d' })
    app.log('strict', undefined as never)
    app.log('no_such_event' as never, {} as never)
    expect(await app.flush()).toBe(true)
    expect(app.stats).toMatchObject({ accepted: 5, quarantined: 4 })
    const reasons = answers.flatMap(({ batches = [] }) =>
      batches.flatMap((batch) => batch.reasons ?? []),
    )
    expect(reasons.map(({ code, field, n }) => [code, field, n])).toEqual([
      ['value_type', 'i', 1],
      ['value_not_unicode', 'text', 2],
      ['field_missing', 'i', 3],
      ['event_unknown', undefined, undefined],
    ])
    expect(await rowsOf(app.boot, 'i, text', 'strict')).toEqual([{ i: 1, text: 'good' }])
  })

  test('of a context land with its events, changes in their order', async () => {
    const app = client({ context: { app: 'one', cells: { exp: 'a' }, since: new Date(5) } })
    app.log('strict', { i: 0, text: '' })
    app.setContext({ app: 'two', cells: null })
    app.log('strict', { i: 1, text: '' })
    await app.flush()
    const rows = await rowsOf(
      app.boot,
      'i, app, cells::varchar as cells, epoch_ms(since)::integer as since',
      'strict',
    )
    expect(rows).toEqual([
      { i: 0, app: 'one', cells: '{exp=a}', since: 5 },
      { i: 1, app: 'two', cells: null, since: 5 },
    ])
  })

  test('of a context without a wire form are refused by name', async () => {
    const app = client()
    app.setContext({ app: (() => 1) as never })
    app.log('strict', { i: 0, text: '' })
    await app.flush()
    expect(app.stats).toMatchObject({ accepted: 1, quarantined: 1 })
    await landed(platform)
    const rows = await ask(
      platform.lake,
      `select reason, field from quarantine where boot = '${app.boot}'`,
    )
    expect(rows).toEqual([{ reason: 'context_invalid', field: 'ctx.app' }])
  })
})

describe('accounts', () => {
  test('of drops are in the ledger: numbered is landed, held, dropped and nothing else', async () => {
    const app = client({ batchEvents: 5 })
    for (let i = 0; i < 60; i++) {
      app.log('strict', { i, text: i % 10 === 0 ? ((() => i) as never) : 'x' })
    }
    expect(await app.flush()).toBe(true)
    await app.flush()
    await landed(platform)
    const [row] = await ask(
      platform.lake,
      `select sum("count")::integer as numbered, sum(landed)::integer as landed, sum(missing)::integer as missing from batches where boot = '${app.boot}'`,
    )
    expect(row).toEqual({ numbered: 54, landed: 54, missing: 0 })
    const dropped = await ask(
      platform.lake,
      `select sum(report."count")::integer as events from (select unnest(dropped) as report from batches where boot = '${app.boot}')`,
    )
    expect(dropped).toEqual([{ events: 6 }])
    expect(app.stats).toMatchObject({ numbered: 60, accepted: 54, dropped: { not_encodable: 6 } })
  })

  test('of answers that were lost on the way: nothing is doubled', async () => {
    const inner = nodeTransport()
    let nth = 0
    const app = client({
      batchEvents: 3,
      transport: {
        send: async (body, request) => {
          const answer = await inner.send(body, request)
          return nth++ % 2 === 0 ? undefined : answer
        },
      },
    })
    for (let i = 0; i < 30; i++) app.log('strict', { i, text: 'x' })
    expect(await app.flush()).toBe(true)
    expect(app.stats.duplicate).toBeGreaterThan(0)
    const rows = await rowsOf(app.boot, 'i', 'strict')
    expect(rows.map(({ i }) => i)).toEqual(Array.from({ length: 30 }, (_, i) => i))
  })
})

describe('ways in', () => {
  test.each([
    ['node, compressed', () => nodeTransport({ gzipFrom: 0 })],
    ['node, never compressed', () => nodeTransport({ gzipFrom: Infinity, connections: 1 })],
    ['fetch', () => undefined],
  ])('%s', async (_name, transport) => {
    const made = transport()
    const options = { url: `${platform.url}/`, key: 'the-right-key' }
    const app =
      made === undefined
        ? createFetchClient<typeof specs>(options)
        : createClient<typeof specs>({ ...options, transport: made })
    for (let i = 0; i < 120; i++) app.log('strict', { i, text: 'naïve 東京 '.repeat(20) })
    expect(await app.flush()).toBe(true)
    const [row] = await rowsOf(app.boot, 'i', 'strict').then((rows) => [rows.length])
    expect(row).toBe(120)
  })

  test('a wrong key keeps the queue', async () => {
    const app = client({ key: 'the-wrong-key' })
    app.log('strict', { i: 0, text: '' })
    expect(await app.flush({ timeoutMs: 300 })).toBe(false)
    expect(app.stats).toMatchObject({ queued: 1, dropped: {} })
  })

  test('nobody there keeps the queue', async () => {
    const app = client({ url: 'http://127.0.0.1:1' })
    app.log('strict', { i: 0, text: '' })
    expect(await app.flush({ timeoutMs: 300 })).toBe(false)
    expect(app.stats).toMatchObject({ queued: 1, dropped: {} })
  })

  test('an event above every bound of the client is dropped; one below them lands', async () => {
    const app = client()
    app.log('every_kind', { a_json: 'x'.repeat(600_000) })
    app.log('every_kind', { a_json: 'x'.repeat(60_000) })
    expect(await app.flush()).toBe(true)
    expect(app.stats).toMatchObject({ accepted: 1, quarantined: 0, dropped: { too_large: 1 } })
  })
})

test('a process that waits for close lives until what it logged is settled, also where that takes waiting', async () => {
  const source = `
    import { createClient } from 'headwater/client/node'
    const client = createClient({ url: 'http://127.0.0.1:1' })
    client.log('strict', { i: 1 })
    const settled = await client.flush({ timeoutMs: 700 })
    console.log(settled, client.stats.queued)`
  const flags = ['--conditions=headwater-source', '--input-type=module', '--eval', source]
  const { stdout } = await promisify(execFile)(process.execPath, flags, { cwd: repository })
  expect(stdout).toBe('false 1\n')
})
