/** A batch that is landed from its bytes leaves exactly what one that is landed from objects leaves, whatever the bytes are. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { splitBody } from '../../src/collector/decode.ts'
import { type Ground, landBatch, type Outcome } from '../../src/collector/land.ts'
import { Ledger } from '../../src/collector/ledger.ts'
import { Epoch, type Schemas } from '../../src/columns/epoch.ts'
import { PlainReader } from '../../src/columns/plain-chunk.ts'
import { schemasOf } from '../../src/platform/schemas.ts'
import {
  boolean,
  collectSpecs,
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
  string,
  struct,
  timestamp,
} from '../../src/spec/index.ts'
import { updateLock } from '../../src/spec/lock.ts'
import { fittingValue } from '../support/arbitrary.ts'
import { rowsOf } from '../support/column-values.ts'

const RECEIVED = 1_763_900_060_000
const collected = collectSpecs({
  context: defineContext({ doc: 'The app.', fields: { app: string().optional() } }),
  everything: defineEvent('everything', {
    doc: 'A field of every kind.',
    fields: {
      i: int().min(-5).max(1_000_000),
      l: long(),
      d: double(),
      s: string().maxLength(12),
      o: string().optional(),
      b: boolean(),
      e: enumOf('red', 'green'),
      t: timestamp(),
      day: date().optional(),
      price: decimal(9, 2),
      tags: list(string()).optional(),
      card: struct({ row: int(), title: string().optional() }),
      free: json().optional(),
    },
  }),
  plain: defineEvent('plain', {
    doc: 'A few fields.',
    fields: { id: long(), name: string().was('label'), note: string().optional() },
  }),
  nothing: defineEvent('nothing', { doc: 'No field.', fields: {} }),
})
if (!collected.ok) throw collected.error
const specs = collected.value
const locked = updateLock(undefined, specs)
if (!locked.ok) throw locked.error
const schemas: Schemas = schemasOf({ specs, lock: locked.value.lock })
const names = new Map([...specs.events.keys()].map((name) => [name, name]))

const fieldsOf = (type: string) => Object.entries(specs.events.get(type)!.fields)

/** Values of one column: fitting, with one that may not fit. */
const column = (field: Parameters<typeof fittingValue>[0], length: number) =>
  fc
    .tuple(
      fc.array(fittingValue(field), { minLength: length, maxLength: length }),
      fc.option(fc.tuple(fc.nat(length - 1), fc.jsonValue({ maxDepth: 1 })), { freq: 12 }),
    )
    .map(([values, odd]) => (odd === null ? values : values.with(odd[0], odd[1])))

const chunk = (type: string, length: number): fc.Arbitrary<Record<string, unknown>> =>
  fc
    .record({
      n: fc.shuffledSubarray([...Array(length + 3).keys()], {
        minLength: length,
        maxLength: length,
      }),
      at: fc.array(
        fc.oneof(
          { weight: 30, arbitrary: fc.integer({ min: 0, max: 600_000 }).map((t) => t / 10) },
          fc.constantFrom<unknown>(-1e9, 1e12, null, 86_400_000, 'x'),
        ),
        { minLength: length, maxLength: length },
      ),
      within: fc.option(
        fc.array(fc.option(fc.integer({ min: -9, max: 9 })), {
          minLength: length,
          maxLength: length,
        }),
      ),
      cols: fc.record(
        Object.fromEntries(fieldsOf(type).map(([name, field]) => [name, column(field, length)])),
        {
          noNullPrototype: true,
          requiredKeys: fieldsOf(type)
            .filter(([, { optional }]) => !optional)
            .map(([name]) => name),
        },
      ),
    })
    .map(({ n, at, within, cols }) => ({ type, n, at, ...(within ? { within } : {}), cols }))

const anyChunk = fc
  .tuple(fc.constantFrom(...specs.events.keys()), fc.integer({ min: 1, max: 6 }))
  .chain(([type, length]) => chunk(type, length))

/** What goes wrong with a line on its way. */
const harm: fc.Arbitrary<(line: string) => string> = fc.oneof(
  { weight: 6, arbitrary: fc.constant((line: string) => line) },
  fc.constantFrom<(line: string) => string>(
    (line) => line.replace('"cols"', '"boot":1,"cols"'),
    (line) => line.replace('"n":[', '"n": ['),
    (line) => `${line}\r`,
    (line) => `${line} `,
    (line) => line.replace('"cols":{', '"cols":{"extra":[1],'),
    (line) => line.replace('"name"', '"label"'),
    (line) => line.replace('"type":"plain"', '"type":"unheard"'),
    (line) => line.replace('"cols":{', '"cols":{"note":[null],'),
    (line) => line.replace('}}', ',"id":[1]}}'),
    (line) => line.replace('}}', '},"more":1}'),
  ),
  fc.tuple(fc.nat(400), fc.constantFrom('', '"', ']', ',', '0', '}', '\\', 'é', '\u0001')).map(
    ([at, by]) =>
      (line: string) =>
        line.slice(0, at % line.length) + by + line.slice((at % line.length) + 1),
  ),
)

const anyBody = fc.array(fc.tuple(anyChunk, harm), { minLength: 1, maxLength: 5 }).map((lines) => {
  const header = {
    boot: 'Vx3kP0aZ8mQe5rT1uY7wLg',
    seq: 0,
    first: 100,
    count: 9,
    sent: 60_000,
    booted: RECEIVED - 60_000,
    ctx: { app: 'tv' },
  }
  return [JSON.stringify(header), ...lines.map(([made, hurt]) => hurt(JSON.stringify(made)))].join(
    '\n',
  )
})

class Counting extends PlainReader {
  landed = 0
  override land(...given: Parameters<PlainReader['land']>): number {
    const landed = super.land(...given)
    if (landed > 0) this.landed += landed
    return landed
  }
}

function land(body: Buffer, plain: PlainReader, objects: boolean): unknown {
  const epoch = new Epoch(schemas)
  const ledger = new Ledger(epoch.batches, specs.context.fields)
  const times = { pastDays: 30, futureMs: 3_600_000 }
  const ground: Ground = { epoch, ledger, names, times, plain }
  const outcomes: Outcome[] = []
  const facts = { received: RECEIVED, source: 'open', enrichment: { robot: false } }
  const parts = splitBody(body)
  for (const part of parts) {
    if (part.kind !== 'batch') continue
    if (objects) expect(part.chunks.length).toBeGreaterThanOrEqual(0)
    outcomes.push(landBatch(ground, { part, body, facts, fingerprint: 1 }))
  }
  const tables = [...epoch.tables].flatMap(([name, table]) =>
    [...table.days]
      .filter(([, rows]) => rows.rows > 0)
      .map(([day, rows]) => [name, day, rowsOf(rows)]),
  )
  return {
    parts: parts.map((part) => ({ kind: part.kind, start: part.start, end: part.end })),
    outcomes,
    tables,
    ledger: rowsOf(epoch.batches),
    quarantine: rowsOf(epoch.quarantine),
    rows: epoch.rows,
  }
}

test('bytes and objects land alike', () => {
  const plain = new Counting()
  fc.assert(
    fc.property(anyBody, (text) => {
      const body = Buffer.from(text)
      expect(land(body, plain, false)).toEqual(land(body, plain, true))
    }),
    { numRuns: 250 },
  )
  expect(plain.landed).toBeGreaterThan(200)
})
