/** What an app can do to a client: every value and name is sent in a form that can land, or counted as a drop; nothing throws. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import * as limits from '../../src/base/client-limits.ts'
import { encode } from '../../src/client/encode.ts'
import { problemOf } from '../../src/spec/check.ts'
import type { Field } from '../../src/spec/field.ts'
import { world, type World } from './support.ts'

const encoded = (value: unknown): unknown => encode(value, { left: limits.clientBodyBytesMax })

describe('the wire form of a value (PROTOCOL.md §5)', () => {
  class Money {
    readonly cents = 5
    toJSON(): string {
      return '0.05'
    }
  }
  class Point {
    readonly x = 1
    readonly #secret = 2
    get sum(): number {
      return this.x + this.#secret
    }
  }
  test.each<[string, unknown, unknown]>([
    ['a boolean', true, true],
    ['zero below zero', -0, -0],
    ['an integer', 2 ** 31 - 1, 2 ** 31 - 1],
    ['a fraction', 0.1, 0.1],
    ['the largest exact integer', 2n ** 53n - 1n, 2 ** 53 - 1],
    ['the first that is not', 2n ** 53n, '9007199254740992'],
    ['the least long', -(2n ** 63n), '-9223372036854775808'],
    ['a text', 'naïve 東京 👩‍🚀', 'naïve 東京 👩‍🚀'],
    ['NUL', 'a\0b', 'a\0b'],
    ['half of a surrogate pair', '\ud83d', '\ud83d'],
    ['a moment', new Date('2026-01-02T03:04:05.678Z'), 1_767_323_045_678],
    ['bytes', new Uint8Array([0, 1, 254, 255]), 'AAH+/w=='],
    ['a buffer', Buffer.from('ÿ', 'latin1'), '/w=='],
    ['no bytes', new Uint8Array(0), ''],
    ['a list', [1, null, 'a'], [1, null, 'a']],
    // eslint-disable-next-line no-sparse-arrays
    ['a list with holes', [1, , 3], [1, null, 3]],
    ['a map of values', { a: { b: [true] } }, { a: { b: [true] } }],
    ['absence', undefined, null],
    ['null', null, null],
    ['absence within', { a: undefined, b: [undefined] }, { a: null, b: [null] }],
    ['an object of a class', new Point(), { x: 1 }],
    ['an object that says itself how it is written', new Money(), '0.05'],
    ['an object without a prototype', Object.assign(Object.create(null), { a: 1 }), { a: 1 }],
    [
      'a member called __proto__',
      JSON.parse('{"__proto__":{"a":1}}'),
      JSON.parse('{"__proto__":{"a":1}}'),
    ],
    ['a moment within', [new Date(7)], [7]],
  ])('%s', (_name, value, wire) => {
    expect(encoded(value)).toEqual(wire)
    expect(JSON.parse(JSON.stringify([encoded(value)]))).toEqual(JSON.parse(JSON.stringify([wire])))
  })

  test('of every exact integer is itself; beyond, its digits', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (value) => {
        const wire = encoded(value)
        expect(BigInt(wire as number | string)).toBe(value)
        const long: Field = { type: { kind: 'long' }, optional: false }
        expect(problemOf(long, wire)).toBeUndefined()
      }),
    )
  })

  test('of bytes is their base64', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        expect(encoded(bytes)).toBe(Buffer.from(bytes).toString('base64'))
      }),
    )
  })

  test('of JSON is that JSON, and a copy', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 5 }), (value) => {
        const wire = encoded(value)
        expect(JSON.stringify(wire)).toBe(JSON.stringify(value))
        if (typeof value === 'object' && value !== null) expect(wire).not.toBe(value)
      }),
    )
  })
})

const cycle: Record<string, unknown> = {}
cycle['self'] = [cycle]
let deep: unknown = 1
for (let i = 0; i <= limits.clientDepthMax; i++) deep = [deep]
const endless = (): object => ({ toJSON: () => endless() })

const hostile: [string, unknown][] = [
  ['NaN', NaN],
  ['infinity', -Infinity],
  ['NaN within', { a: [1, NaN] }],
  ['a moment that is none', new Date(NaN)],
  ['a function', () => 1],
  ['a symbol', Symbol('x')],
  ['a cycle', cycle],
  ['depth', deep],
  ['toJSON without an end', endless()],
  [
    'toJSON that fails',
    {
      toJSON: () => {
        throw new Error('no')
      },
    },
  ],
  ['toJSON that gives a function', { toJSON: () => () => 1 }],
  [
    'a getter that fails',
    {
      get a() {
        throw new Error('no')
      },
    },
  ],
  [
    'a proxy that fails',
    new Proxy(
      {},
      {
        ownKeys: () => {
          throw new Error('no')
        },
      },
    ),
  ],
  ['a revoked proxy', revoked()],
  ['a Map', new Map([['a', 1]])],
  ['a Set', new Set([1])],
  ['a failure', new Error('x')],
  ['a pattern', /x/],
  ['a promise', Promise.resolve(1)],
  ['numbers of a machine', new Float64Array(2)],
  ['an array buffer', new ArrayBuffer(2)],
  ['a boxed number', Object(1)],
]

/** Stands for a hostile value. */
class Hostile {
  readonly place: number
  constructor(place: number) {
    this.place = place
  }
}

function valueOf(generated: unknown): unknown {
  return generated instanceof Hostile ? hostile[generated.place]![1] : generated
}

function revoked(): object {
  const { proxy, revoke } = Proxy.revocable({}, {})
  revoke()
  return proxy
}

/** Everything that was sent, after the given events between two good ones. */
async function around(act: (it: World) => void): Promise<World> {
  const it = world()
  it.log('good', { i: 0 })
  act(it)
  it.log('good', { i: 1 })
  await it.client.flush()
  return it
}

const good = ({ transport }: World): unknown[] =>
  transport.batches.flatMap(({ chunks }) =>
    chunks.filter(({ type }) => type === 'good').flatMap(({ cols }) => cols['i']!),
  )

describe('a value without a wire form', () => {
  test.each(hostile)(
    '%s is a drop that is counted and reported; its neighbours are sent',
    async (_name, value) => {
      const it = await around(({ log }) => log('bad', { fine: 1, value }))
      expect(good(it)).toEqual([0, 1])
      expect(it.client.stats).toMatchObject({
        numbered: 3,
        accepted: 2,
        dropped: { not_encodable: 1 },
      })
      const reports = it.transport.batches.flatMap(({ dropped = [] }) => dropped)
      expect(reports).toEqual([['not_encodable', 1, 1]])
      expect(it.transport.batches.map(({ first, count }) => [first, count])).toEqual([
        [0, 1],
        [2, 1],
      ])
    },
  )

  test.each<[string, unknown]>([
    ['a text', 'x'.repeat(limits.clientBodyBytesMax)],
    ['a list', new Array(limits.clientBodyBytesMax / 4).fill(0)],
    ['names', Object.fromEntries(Array.from({ length: 60_000 }, (_, i) => [`name ${i}`, 1]))],
    ['a list that claims to be long', new Array(2 ** 32 - 1)],
  ])('%s that fits no body is dropped as too large', async (_name, value) => {
    const it = await around(({ log }) => log('bad', { value }))
    expect(good(it)).toEqual([0, 1])
    expect(it.client.stats.dropped).toEqual({ too_large: 1 })
  })

  test('whatever it is, nothing throws, and every number is accounted for', async () => {
    const anything = fc.oneof(
      fc.anything({
        withBigInt: true,
        withDate: true,
        withTypedArray: true,
        withMap: true,
        withSet: true,
        withNullPrototype: true,
        withSparseArray: true,
      }),
      // By its place: what generates values looks at them.
      fc.nat(hostile.length - 1).map((place) => new Hostile(place)),
    )
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(anything, anything), { maxLength: 20 }),
        async (events) => {
          const { log, setContext, client, clock, transport } = world({ batchEvents: 3 })
          for (const [fields, change] of events.map((pair) => pair.map(valueOf))) {
            log('a', fields)
            log('b', { fields })
            try {
              setContext(change)
            } catch {
              // The app's own failure, such as that of a proxy.
            }
          }
          for (let i = 0; i < 2; i++) {
            void client.flush()
            await clock.advance(60_000)
          }
          const { numbered, accepted, dropped, queued } = client.stats
          const lost = Object.values(dropped).reduce((sum, count) => sum + count, 0)
          expect([accepted + lost, queued]).toEqual([numbered, 0])
          expect(transport.batches.reduce((sum, { count }) => sum + count, 0)).toBe(accepted)
        },
      ),
      { numRuns: 100 },
    )
  })
})

describe('a name that is none', () => {
  test.each<[string, unknown]>([
    ['a symbol', Symbol('x')],
    ['a bigint', 5n],
    ['an object', {}],
    ['nothing', undefined],
    [
      'an object that will not be a text',
      {
        toString: () => {
          throw new Error('no')
        },
      },
    ],
    ['an object without a prototype', Object.create(null)],
    ['__proto__', '__proto__'],
    ['the name of a method', 'constructor'],
  ])('%s: its neighbours are sent, and it is counted', async (_name, name) => {
    const it = await around(({ log }) => log(name, { a: 1 }))
    expect(good(it)).toEqual([0, 1])
    const { numbered, accepted, dropped } = it.client.stats
    expect(numbered).toBe(3)
    expect(accepted + (dropped.not_encodable ?? 0)).toBe(3)
    const types = it.transport.batches.flatMap(({ chunks }) => chunks.map(({ type }) => type))
    // A chunk without a type would be held as one row for all its events.
    expect(types.every((type) => typeof type === 'string')).toBe(true)
  })

  test.each([undefined, null])('fields %s are none', async (fields) => {
    const it = await around(({ client }) => client.log('empty', fields))
    expect(it.client.stats).toMatchObject({ accepted: 3, dropped: {} })
  })

  test('of a field is a column of its own', async () => {
    const it = await around(({ log }) => {
      log('odd', JSON.parse('{"__proto__":1,"constructor":2,"":3,"a b":4}'))
    })
    const chunk = it.transport.batches[0]!.chunks.find(({ type }) => type === 'odd')!
    expect(Object.entries(chunk.cols)).toEqual([
      ['__proto__', [1]],
      ['constructor', [2]],
      ['', [3]],
      ['a b', [4]],
    ])
  })

  test('events logged while an event is read have their own numbers', async () => {
    const it = await around(({ log }) => {
      log('outer', {
        get a(): number {
          log('inner', {})
          return 1
        },
      })
    })
    const rows = it.transport.batches.flatMap(({ first, chunks }) =>
      chunks.flatMap(({ type, n }) => n.map((offset) => [first + offset, type] as const)),
    )
    expect(rows.toSorted(([a], [b]) => a - b)).toEqual([
      [0, 'good'],
      [1, 'inner'],
      [2, 'outer'],
      [3, 'good'],
    ])
  })
})

describe('a context', () => {
  test.each(hostile)(
    'with %s is sent so that the collector refuses it by name, whatever the field takes',
    async (_name, value) => {
      const it = await around(({ setContext }) => setContext({ app: 'x', value }))
      expect(it.client.stats).toMatchObject({ numbered: 2, accepted: 2 })
      const { ctx } = it.transport.batches.at(-1)!
      expect(ctx['app']).toBe('x')
      for (const kind of ['string', 'long', 'boolean', 'double', 'binary', 'timestamp'] as const) {
        expect(problemOf({ type: { kind }, optional: true }, ctx['value'])).toBeDefined()
      }
    },
  )

  test.each([undefined, null])('changed by %s stays as it is', async (change) => {
    const it = world({ context: { app: 'x' } })
    it.setContext(change)
    it.log('a')
    await it.client.flush()
    expect(it.transport.batches[0]!.ctx).toEqual({ app: 'x' })
  })

  test("changed by a getter that fails stays as it is, and the failure is the app's to see", async () => {
    const it = world({ context: { app: 'x' } })
    const change = {
      member: 7,
      get app() {
        throw new Error('of the app')
      },
    }
    expect(() => it.setContext(change)).toThrow('of the app')
    it.log('a')
    await it.client.flush()
    expect(it.transport.batches[0]!.ctx).toEqual({ app: 'x' })
  })

  test('takes members of any name', async () => {
    const it = world()
    it.setContext(JSON.parse('{"__proto__":{"app":"x"},"constructor":1}'))
    it.log('a')
    await it.client.flush()
    expect(Object.entries(it.transport.batches[0]!.ctx)).toEqual([
      ['__proto__', { app: 'x' }],
      ['constructor', 1],
    ])
  })

  test('loses a member that is too large, by name, not the events', async () => {
    const it = world({
      context: { app: 'x', huge: 'y'.repeat(limits.clientContextCharsMax) },
    })
    it.setContext({ member: 7 })
    it.log('a')
    await it.client.flush()
    const [batch] = it.transport.batches
    expect(batch!.ctx).toMatchObject({ app: 'x', member: 7 })
    expect(JSON.stringify(batch!.ctx).length).toBeLessThan(1000)
    expect(it.client.stats.accepted).toBe(1)
  })

  test('may be set again and again to what fills it', async () => {
    const it = world()
    for (let i = 0; i < 5; i++) {
      it.setContext({ app: 'x'.repeat(limits.clientContextCharsMax - 100 + i) })
      it.log('a')
      await it.client.flush()
    }
    const sizes = it.transport.batches.map(({ ctx }) => (ctx['app'] as string).length)
    expect(sizes).toEqual([0, 1, 2, 3, 4].map((i) => limits.clientContextCharsMax - 100 + i))
  })
})
