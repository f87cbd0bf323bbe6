/** Standard Schema: values as a program holds them are taken, others are refused with the path of what is wrong. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Builders } from '../../src/spec/build.ts'
import { problemOf } from '../../src/spec/check.ts'
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
import { standardOf } from '../../src/spec/standard.ts'
import { anyField, anyWireValue, fittingValue } from '../support/arbitrary.ts'

const event = (fields: Builders) => defineEvent('played', { doc: 'It plays.', fields })

/** Paths of what is wrong with `value` as the only field, without the field's own name. */
function wrong(builder: Builders[string], value: unknown): (readonly PropertyKey[])[] {
  const { issues = [] } = event({ it: builder })['~standard'].validate({ it: value })
  for (const { message } of issues) expect(message).not.toBe('')
  return issues.map(({ path }) => {
    expect(path?.[0]).toBe('it')
    return path!.slice(1)
  })
}

test('says its version and its vendor', () => {
  const context = defineContext({ doc: 'The app.', fields: { app: string() } })
  for (const spec of [event({}), context]) {
    expect(spec['~standard']).toMatchObject({ version: 1, vendor: 'headwater' })
  }
  expect(context['~standard'].validate({ app: 'tv' })).toEqual({ value: { app: 'tv' } })
})

describe('a value of its TypeScript type is taken', () => {
  test.each<[string, Builders[string], unknown]>([
    ['boolean', boolean(), false],
    ['int', int(), -(2 ** 31)],
    ['long', long(), 2 ** 53 - 1],
    ['long beyond 2^53', long(), 2n ** 63n - 1n],
    ['double', double(), -0.5],
    ['decimal', decimal(4, 2), '-12.50'],
    ['string', string(), ''],
    ['enum', enumOf('red', 'green'), 'green'],
    ['date', date(), '2024-02-29'],
    ['timestamp', timestamp(), 1763900000000.25],
    ['timestamp as a Date', timestamp(), new Date(0)],
    ['binary', binary(), new Uint8Array([0, 255])],
    ['a megabyte of binary', binary(), new Uint8Array(1 << 20)],
    ['json', json(), { a: [1, null, 'b'] }],
    ['list', list(long()), [1, 2n]],
    ['list of absent values', list(int().optional()), [1, null]],
    ['map', map(timestamp()), { 'a.b[0]': new Date(0), '': 1 }],
    ['struct', struct({ a: int(), b: binary().optional() }), { a: 1, b: new Uint8Array(3) }],
    ['struct without what is optional', struct({ a: int().optional() }), {}],
    ['null for what is optional', int().optional(), null],
    ['undefined for what is optional', int().optional(), undefined],
  ])('%s', (_kind, builder, value) => {
    expect(wrong(builder, value)).toEqual([])
  })

  test('and answered as it was given', () => {
    const value = { moment: new Date(5), bytes: new Uint8Array([1]) }
    const result = event({ moment: timestamp(), bytes: binary() })['~standard'].validate(value)
    expect(result.issues).toBeUndefined()
    expect('value' in result && result.value).toBe(value)
  })
})

describe('another value is refused', () => {
  test.each<[string, Builders[string], unknown]>([
    ['boolean', boolean(), 1],
    ['int of 33 bits', int(), 2 ** 31],
    ['int with a fraction', int(), 1.5],
    ['int as a bigint', int(), 1n],
    ['int below min', int().min(3), 2],
    ['long beyond 2^53 as a number', long(), 2 ** 53],
    ['long of 65 bits', long(), 2n ** 63n],
    ['long above max', long().max(5), 6n],
    ['double NaN', double(), NaN],
    ['double infinite, if optional', double().optional(), -Infinity],
    ['decimal with too many digits', decimal(4, 2), '123.45'],
    ['decimal as a number', decimal(4, 2), 1.5],
    ['decimal as a bigint', decimal(4, 0), 5n],
    ['decimal above max', decimal(4, 2).max(10), '10.01'],
    ['string as a bigint', string(), 5n],
    ['string too long', string().maxLength(2), 'abc'],
    ['string with an unpaired surrogate', string(), '\ud800'],
    ['enum', enumOf('red'), 'blue'],
    ['date that does not exist', date(), '2023-02-29'],
    ['date as a Date', date(), new Date(0)],
    ['timestamp of an invalid Date', timestamp(), new Date(NaN)],
    ['timestamp before min', timestamp().min(10), new Date(9)],
    ['binary too long', binary().maxLength(2), new Uint8Array(3)],
    ['binary not base64', binary(), 'AB=='],
    ['json with a bigint', json(), { a: 1n }],
    ['json of a function', json(), () => 1],
    ['json too deep', json(), JSON.parse('['.repeat(40) + ']'.repeat(40))],
    ['json too long', json().maxLength(3), [1, 2]],
    ['list as an object', list(int()), { 0: 1 }],
    ['list too long', list(int()).maxLength(1), [1, 2]],
    ['map as a list', map(int()), [1]],
    ['map as a Map', map(int()), new Map([['a', 1]])],
    ['map too long', map(int()).maxLength(1), { a: 1, b: 2 }],
    ['struct as text', struct({ a: int() }), 'a'],
    ['struct as a Date', struct({ a: int().optional() }), new Date(0)],
    ['null for what is required', int(), null],
    ['undefined for what is required', int(), undefined],
  ])('%s', (_kind, builder, value) => {
    expect(wrong(builder, value)).toEqual([[]])
  })

  test.each<[string, Builders[string], unknown, readonly PropertyKey[]]>([
    ['an element', list(int()), [1, 'x'], [1]],
    ['an absent element', list(int()), [1, null], [1]],
    ['a member', struct({ a: int() }), { a: 'x' }, ['a']],
    ['an absent member', struct({ a: int() }), {}, ['a']],
    ['an unknown member', struct({ a: int() }), { a: 1, b: 1 }, ['b']],
    [
      'an unknown member of an old name',
      struct({ a: int() }),
      { constructor: {} },
      ['constructor'],
    ],
    ['a value of a map', map(int()), { k: 'x' }, ['k']],
    ['a value at a key with a point', map(int()), { 'a.b': 'x' }, ['a.b']],
    ['a value at a key like an index', map(int()), { '[0]': 'x' }, ['[0]']],
    ['a value at the empty key', map(int()), { '': 'x' }, ['']],
    ['a key that is no text', map(int()), { '\ud800': 1 }, ['\ud800']],
    [
      'what is nested deeply',
      list(struct({ a: map(list(long())) })),
      [{ a: { k: [1n, 2n ** 70n] } }],
      [0, 'a', 'k', 1],
    ],
  ])('with the path of %s', (_what, builder, value, path) => {
    expect(wrong(builder, value)).toEqual([path])
  })

  test('with an issue for each field, unknown ones first', () => {
    const spec = event({ a: int(), b: string(), c: boolean().optional() })
    const { issues } = spec['~standard'].validate({ a: 'x', d: 1 })
    expect(issues?.map(({ path }) => path)).toEqual([['d'], ['a'], ['b']])
  })

  test.each([[null], [undefined], [3], ['text'], [[]]])('%j as an event', (value) => {
    const { issues } = event({})['~standard'].validate(value)
    expect(issues?.map(({ path }) => path)).toEqual([undefined])
  })
})

test('takes exactly the values that travel, as the check of the collector does', () => {
  const cases = anyField.chain((field) =>
    fc.tuple(fc.constant(field), fc.oneof(anyWireValue, fittingValue(field))),
  )
  fc.assert(
    fc.property(cases, ([field, value]) => {
      const { issues = [] } = standardOf({ it: field }).validate({ it: value })
      const problem = problemOf(field, value)
      const expected =
        problem === undefined ? [] : [{ message: problem.message, path: ['it', ...problem.keys] }]
      expect(issues).toEqual(expected)
    }),
    { numRuns: 1000 },
  )
})
