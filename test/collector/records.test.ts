/** Records say what a lake would have got: the same rows, values, reasons and ledger, whatever was sent. */
import { crc32 } from 'node:zlib'
import type { DuckDBConnection } from '@duckdb/node-api'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { limits } from '../../src/base/limits.ts'
import { nodeFiles } from '../../src/base/node/files.ts'
import { seededRandom } from '../../src/base/random.ts'
import { splitBody } from '../../src/collector/decode.ts'
import type { RequestFacts } from '../../src/collector/intake.ts'
import { eventNames, landBatch, type Outcome } from '../../src/collector/land.ts'
import { Ledger } from '../../src/collector/ledger.ts'
import { writeUnreadable } from '../../src/collector/quarantine.ts'
import { RecordMaker } from '../../src/collector/records.ts'
import { Epoch, type Schemas } from '../../src/columns/epoch.ts'
import { PlainReader } from '../../src/columns/plain-chunk.ts'
import type { RowSet } from '../../src/columns/table.ts'
import { type Duck, openDuck } from '../../src/engine/duckdb/instance.ts'
import { literal, ParquetWriter } from '../../src/engine/duckdb/parquet.ts'
import { RowsFunction } from '../../src/engine/duckdb/rows-function.ts'
import { TextBoundsOf } from '../../src/engine/duckdb/statistics.ts'
import { Enumerations } from '../../src/engine/duckdb/types.ts'
import type { StreamRecord } from '../../src/log/records.ts'
import { schemasOf } from '../../src/platform/schemas.ts'
import type { Fields } from '../../src/spec/field.ts'
import { lockAfter, optional, required, specSet } from '../spec/support.ts'
import { anyField, anyWireValue, fittingValue } from '../support/arbitrary.ts'
import { temporaryFolder } from '../support/project.ts'
import { eventRows, read, type Row, systemRow } from '../support/records.ts'

const { folder, remove } = temporaryFolder('records')
let duck: Duck
let connection: DuckDBConnection
let writer: ParquetWriter

beforeAll(async () => {
  duck = await openDuck({ threads: 1 })
  connection = await duck.connect()
  writer = new ParquetWriter(connection, new RowsFunction(connection), nodeFiles, seededRandom(1))
})
afterAll(() => {
  connection.closeSync()
  duck.close()
  remove()
})

const TIMES = { pastDays: 30, futureMs: 60_000 }
const RECEIVED = Date.UTC(2026, 10, 25, 10, 11, 12, 345)
const FACTS: RequestFacts = {
  received: RECEIVED,
  source: 'web',
  enrichment: { geo_country: 'DE', ua_browser: 'Firefox', robot: false },
}

/** Rows by table. */
type Tables = Readonly<Record<string, readonly Row[]>>

/** What DuckDB reads of a body that was landed as an embedded platform lands it. */
async function landed(
  schemas: Schemas,
  body: Buffer,
  facts: RequestFacts,
): Promise<{ tables: Tables; outcomes: Outcome[] }> {
  const epoch = new Epoch(schemas)
  const ledger = new Ledger(epoch.batches, schemas.specs.context.fields)
  const ground = {
    epoch,
    ledger,
    names: eventNames(schemas),
    times: TIMES,
    plain: new PlainReader(),
  }
  const outcomes: Outcome[] = []
  for (const part of splitBody(body)) {
    if (part.kind === 'bytes') {
      writeUnreadable(epoch.quarantine, body.subarray(part.start, part.end), part, facts)
    } else {
      const fingerprint = crc32(body.subarray(part.chunksAt, part.end))
      outcomes.push(landBatch(ground, { part, body, facts, fingerprint }))
    }
  }
  const tables: Record<string, Row[]> = {}
  const sets: readonly RowSet[] = [
    epoch.batches,
    epoch.quarantine,
    ...[...epoch.tables.values()].flatMap(({ days }) => [...days.values()]),
  ]
  const scope = { enumerations: new Enumerations(), textBounds: new TextBoundsOf() }
  for (const rows of sets.filter((each) => each.rows > 0)) {
    const { path } = await writer.write(rows, folder, 0, scope)
    const answer = await connection.runAndReadAll(`SELECT * FROM read_parquet(${literal(path)})`)
    const names = rows.schema.fields.map(({ name }) => name)
    const found = answer
      .getRowsJson()
      .map((row) => Object.fromEntries(names.map((name, i) => [name, row[i]])))
    ;(tables[rows.schema.name] ??= []).push(...found)
  }
  return { tables: sorted(tables), outcomes }
}

/** The records of a body. */
function made(
  maker: RecordMaker,
  body: Buffer,
  facts: RequestFacts,
): { records: StreamRecord[]; outcomes: Outcome[] } {
  const records: StreamRecord[] = []
  const outcomes: Outcome[] = []
  for (const part of splitBody(body)) {
    if (part.kind === 'bytes') {
      records.push(maker.bytes(body.subarray(part.start, part.end), part, facts))
    } else {
      const { outcome, rows, ledger } = maker.batch(part, body, facts)
      outcomes.push(outcome)
      records.push(...rows, ledger)
    }
  }
  return { records, outcomes }
}

/** What the reader of the test makes of records. */
function tablesOf(schemas: Schemas, records: readonly StreamRecord[]): Tables {
  const tables: Record<string, Row[]> = {}
  for (const record of records) {
    const value = read(record)
    expect(value['v']).toBe(1)
    expect(record.key).toBe(value['boot'] ?? null)
    const type = /^events\.(.*)$/.exec(record.topic)?.[1]
    const rows =
      type === undefined
        ? [systemRow(value, record.topic === 'batches' ? schemas.batches : schemas.quarantine)]
        : eventRows(value, schemas.events.get(type)!)
    ;(tables[type ?? record.topic] ??= []).push(...rows)
  }
  return sorted(tables)
}

function sorted(tables: Readonly<Record<string, Row[]>>): Tables {
  const key = (row: Row): string => JSON.stringify(row)
  return Object.fromEntries(
    Object.entries(tables).map(([name, rows]) => [
      name,
      rows.map((row) => ({ ...row })).toSorted((one, other) => (key(one) < key(other) ? -1 : 1)),
    ]),
  )
}

/** Every identity of a record at most once, in its topic. */
function identities(records: readonly StreamRecord[]): string[] {
  return records.flatMap((record) => {
    const { boot, seq, part, i } = read(record)
    return boot === undefined ? [] : [JSON.stringify([record.topic, boot, seq, part, i])]
  })
}

const someFields = (...names: readonly string[]): fc.Arbitrary<Fields> =>
  fc.dictionary(fc.constantFrom(...names), anyField, { minKeys: 1, noNullPrototype: true })

const aValue = (field: Fields[string]): fc.Arbitrary<unknown> =>
  fc.oneof({ weight: 12, arbitrary: fittingValue(field) }, { weight: 1, arbitrary: anyWireValue })

function aChunk(type: string, fields: Fields): fc.Arbitrary<unknown> {
  const row = fc.record({
    n: fc.oneof({ weight: 9, arbitrary: fc.nat(29) }, fc.constantFrom(-1, 30, 'x', null)),
    at: fc.oneof(
      { weight: 9, arbitrary: fc.double({ min: 59_000, max: 60_000, noNaN: true }) },
      fc.constantFrom(-86_400_000, -40 * 86_400_000, 90_000, 1e12, 1e300, null),
    ),
    within: fc.oneof(fc.constant(null), fc.integer({ min: -9, max: 9 }), fc.constant(1.5)),
    values: fc.record(
      Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, aValue(field)])),
    ),
    strange: fc.oneof(fc.constant(null), anyWireValue),
  })
  const shape = fc.record({
    within: fc.boolean(),
    strange: fc.boolean(),
    absent: fc.subarray(Object.keys(fields), { maxLength: 1 }),
    wrong: fc.nat(30),
  })
  return fc.tuple(fc.array(row, { maxLength: 6 }), shape).map(([rows, { absent, ...has }]) => {
    const names = Object.keys(fields).filter((name) => !absent.includes(name))
    const cols = Object.fromEntries(
      names.map((name) => [name, rows.map((each) => each.values[name])]),
    )
    if (has.strange) cols['unheard_of'] = rows.map((each) => each.strange)
    return {
      type: has.wrong === 0 ? 'no_such_type' : type,
      n: rows.map((each) => each.n),
      at: rows.map((each) => each.at).slice(has.wrong === 1 ? 1 : 0),
      ...(has.within ? { within: rows.map((each) => each.within) } : {}),
      cols,
    }
  })
}

function aBatch(events: Readonly<Record<string, Fields>>, context: Fields): fc.Arbitrary<string[]> {
  const header = fc.record(
    {
      boot: fc.constantFrom('AAAAAAAAAAAAAAAAAAAAAA', 'Vx3kP0aZ8mQe5rT1uY7wLg', 'not a boot'),
      seq: fc.nat(5),
      first: fc.constantFrom(0, 812, 2 ** 52),
      count: fc.constant(30),
      sent: fc.constant(60_000.5),
      booted: fc.constant(RECEIVED - 60_000),
      clock: fc.constantFrom('monotonic', 'wall'),
      rtt: fc.constantFrom(41, 0.3),
      sdk: fc.constant('test/1'),
      ctx: fc
        .tuple(
          fc.record(
            Object.fromEntries(
              Object.entries(context).map(([name, field]) => [name, aValue(field)]),
            ),
          ),
          fc.record(
            { install: fc.string(), session: fc.string(), unheard_of: anyWireValue },
            { requiredKeys: [] },
          ),
        )
        .map(([own, others]) => ({ ...own, ...others })),
      dropped: fc.constantFrom([['queue_full', 3, 2]], []),
    },
    { requiredKeys: ['boot', 'seq', 'first', 'count', 'sent', 'booted', 'ctx'] },
  )
  const chunk = fc.oneof(
    ...Object.entries(events).map(([type, fields]) => ({
      weight: 6,
      arbitrary: aChunk(type, fields).map((each) => JSON.stringify(each)),
    })),
    fc.constantFrom('{"n":', '[]', '{"type":"a"}'),
  )
  return fc
    .tuple(header, fc.array(chunk, { maxLength: 5 }))
    .map(([head, chunks]) => [JSON.stringify(head), ...chunks])
}

describe('records of random bodies', () => {
  test('hold what DuckDB holds, row for row', { timeout: 120_000 }, async () => {
    const cases = fc
      .tuple(someFields('a', 'b', 'c'), someFields('d'), someFields('app', 'plan'))
      .chain(([first, second, context]) =>
        fc.tuple(
          fc.constant({ events: { first, second }, context }),
          fc.array(aBatch({ first, second }, context), { minLength: 1, maxLength: 3 }),
        ),
      )
    await fc.assert(
      fc.asyncProperty(cases, async ([{ events, context }, batches]) => {
        const specs = specSet(events, context)
        const schemas = schemasOf({ specs, lock: lockAfter(specs) })
        const maker = new RecordMaker(schemas, TIMES)
        const body = Buffer.from(batches.flat().join('\n'))
        // The second time in columns that have been used.
        for (let round = 0; round < 2; round++) {
          const lake = await landed(schemas, body, FACTS)
          const { records, outcomes } = made(maker, body, FACTS)
          expect(outcomes).toEqual(lake.outcomes)
          expect(tablesOf(schemas, records)).toEqual(lake.tables)
        }
      }),
      { numRuns: 50, seed: 17 },
    )
  })
})

const tick = { t: { i: required({ kind: 'int' }), text: optional({ kind: 'string' }) } } as const
const tickSchemas = (): Schemas => {
  const specs = specSet(tick)
  return schemasOf({ specs, lock: lockAfter(specs) })
}

/** A batch of `count` events with texts of `length`, in two chunks of one type, the later numbers first. */
function ticks(count: number, length: number, at = 59_000): Buffer {
  const head = {
    boot: 'Vx3kP0aZ8mQe5rT1uY7wLg',
    seq: 4,
    first: 1000,
    count,
    sent: 60_000,
    booted: RECEIVED - 60_000,
  }
  const chunk = (from: number, end: number): object => {
    const n = Array.from({ length: end - from }, (_, i) => from + i)
    const text = n.map((i) => String(i).padEnd(length, 'x'))
    return { type: 't', n, at: n.map((i) => at + (i % 2) * -43_200_000), cols: { i: n, text } }
  }
  const half = Math.floor(count / 2)
  return Buffer.from(
    [head, chunk(half, count), chunk(0, half)].map((line) => JSON.stringify(line)).join('\n'),
  )
}

describe('a batch', () => {
  test('has one record of a type, whatever its chunks and days', async () => {
    const schemas = tickSchemas()
    const { records } = made(new RecordMaker(schemas, TIMES), ticks(10, 3), FACTS)
    expect(records.map(({ topic }) => topic)).toEqual(['events.t', 'batches'])
    expect(read(records[0]!)).toMatchObject({ part: 0, rows: 10, seq: 4, robot: false })
    expect(read(records[0]!)['event_to']).toBe('2026-11-25T10:11:11.345000Z')
    expect(records.every(({ time }) => time === RECEIVED)).toBe(true)
  })

  test('that is large is divided by number, and every copy alike', async () => {
    const schemas = tickSchemas()
    const body = ticks(1000, 2000)
    const parts = Math.ceil((body.length - body.indexOf(10) - 1) / limits.recordSplitBytes)
    expect(parts).toBeGreaterThan(2)
    const numbers = (facts: RequestFacts): [number, number[]][] => {
      const { records } = made(new RecordMaker(schemas, TIMES), body, facts)
      const events = records.filter(({ topic }) => topic === 'events.t')
      expect(new Set(identities(records)).size).toBe(records.length)
      return events
        .map((record) => read(record))
        .map(({ part, n }): [number, number[]] => [
          part as number,
          (n as number[]).toSorted((one, other) => one - other),
        ])
        .toSorted(([one], [other]) => one - other)
    }
    const first = numbers(FACTS)
    expect(first).toHaveLength(parts)
    expect(first.flatMap(([, n]) => n)).toEqual(Array.from({ length: 1000 }, (_, i) => 1000 + i))
    // Hours later, the days of its events fall otherwise.
    expect(numbers({ ...FACTS, received: RECEIVED + 9 * 3_600_000 })).toEqual(first)
    const lake = await landed(schemas, body, FACTS)
    const { records } = made(new RecordMaker(schemas, TIMES), body, FACTS)
    expect(tablesOf(schemas, records)).toEqual(lake.tables)
  })

  test('keeps in quarantine what is longer than a value may be', async () => {
    const schemas = tickSchemas()
    const [head] = ticks(1, 3).toString().split('\n')
    const long = 'ü'.repeat(limits.stringLengthMax + 1)
    const chunk = (type: string): string =>
      JSON.stringify({ type, n: [0], at: [59_000], cols: { i: [1], text: [long] } })
    const body = Buffer.from(`${head}\n${chunk('t')}\n${chunk('unheard_of')}\n`)
    const lake = await landed(schemas, body, FACTS)
    const { records, outcomes } = made(new RecordMaker(schemas, TIMES), body, FACTS)
    expect(outcomes[0]!.reasons.map(({ code }) => code)).toEqual([
      'value_too_long',
      'event_unknown',
    ])
    expect(tablesOf(schemas, records)).toEqual(lake.tables)
    expect(read(records[1]!)['payload']).toBe(chunk('unheard_of'))
  })

  test('keeps the sign of zero, and numbers beyond 2^53', () => {
    const specs = specSet({
      t: {
        d: required({ kind: 'double' }),
        l: required({ kind: 'long' }),
        h: required({ kind: 'decimal', precision: 38, scale: 38 }),
      },
    })
    const schemas = schemasOf({ specs, lock: lockAfter(specs) })
    const head = JSON.stringify({
      boot: 'A'.repeat(22),
      seq: 0,
      first: 0,
      count: 2,
      sent: 1,
      booted: 1,
    })
    const chunk =
      '{"type":"t","n":[0,1],"at":[1,-0.0],"cols":{"d":[-0.0,1e300],"l":["-9223372036854775808",9007199254740991],"h":["-0.1","0"]}}'
    const { records } = made(
      new RecordMaker(schemas, TIMES),
      Buffer.from(`${head}\n${chunk}`),
      FACTS,
    )
    const text = records[0]!.value.toString()
    expect(text).toContain('"at":[1,-0.0]')
    expect(text).toContain('"d":[-0.0,1e+300]')
    expect(text).toContain('"l":["-9223372036854775808",9007199254740991]')
    expect(text).toContain(`"h":["-0.1${'0'.repeat(37)}","0.${'0'.repeat(38)}"]`)
  })

  test('is told from others by (boot, seq, part or i), also in memory that is used again', () => {
    const schemas = tickSchemas()
    const maker = new RecordMaker(schemas, TIMES)
    const body = ticks(100, 10)
    const rounds = Math.ceil((2.5 * limits.scratchRowsMax) / 100)
    for (let round = 0; round < rounds; round++) {
      const { records } = made(maker, body, FACTS)
      expect(records).toHaveLength(2)
      expect(read(records[0]!)['rows']).toBe(100)
    }
  })
})
