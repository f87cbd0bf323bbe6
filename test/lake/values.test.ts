/** Single values, hashes and transforms by the examples of the Iceberg specification, and pruning that never loses a row. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { bucketHash } from '../../src/lake/murmur3.ts'
import { type Condition, mayFit, mayFitPartition, rangeOf } from '../../src/lake/predicate.ts'
import { applyTransform, parseTransform } from '../../src/lake/transforms.ts'
import {
  compareBounds,
  cutLower,
  cutUpper,
  decodeBound,
  encodeBound,
} from '../../src/lake/values.ts'
import type { Bound } from '../../src/lake/data-file.ts'

const uuid = Buffer.from('f79c3e09677c4bbda4793f349cb785e7', 'hex')
const second = 1_000_000n
const at = BigInt(Date.parse('2017-11-16T22:31:08Z')) * 1000n
const day = Math.floor(Date.parse('2017-11-16T00:00:00Z') / 86_400_000)

describe('the specification', () => {
  test.each([
    ['int', 34, 2017239379],
    ['long', 34n, 2017239379],
    ['decimal(9, 2)', 1420n, -500754589],
    ['date', day, -653330422],
    ['time', 81_068n * second, -662762989],
    ['timestamp', at, -2047944441],
    ['timestamp', at + 1n, -1207196810],
    ['timestamptz', at, -2047944441],
    ['timestamptz', at + 1n, -1207196810],
    ['timestamp_ns', at * 1000n, -2047944441],
    ['timestamp_ns', (at + 1n) * 1000n + 1n, -1207196810],
    ['timestamptz_ns', (at + 1n) * 1000n + 1n, -1207196810],
    ['string', 'iceberg', 1210000089],
    ['uuid', uuid, 1488055340],
    ['fixed[4]', Buffer.from([0, 1, 2, 3]), -188683207],
    ['binary', Buffer.from([0, 1, 2, 3]), -188683207],
  ] as const)('hashes %s %s to %i', (type, value, hash) => {
    expect(bucketHash(type, value)).toBe(hash)
  })

  test.each([
    ['truncate[10]', 'int', 1, 0],
    ['truncate[10]', 'int', -1, -10],
    ['truncate[10]', 'long', 1n, 0n],
    ['truncate[10]', 'long', -1n, -10n],
    ['truncate[50]', 'decimal(9, 2)', 1065n, 1050n],
    ['truncate[3]', 'string', 'iceberg', 'ice'],
    ['truncate[2]', 'string', '😀😀x', '😀😀'],
    ['truncate[3]', 'binary', Buffer.from([1, 2, 3, 4, 5]), Buffer.from([1, 2, 3])],
    ['year', 'date', -1, -1],
    ['year', 'timestamp', at, 47],
    ['month', 'timestamptz', at, 574],
    ['month', 'date', -1, -1],
    ['day', 'timestamp', at, day],
    ['day', 'timestamp', -1n, -1],
    ['hour', 'timestamp', at, 419_686],
    ['hour', 'timestamp', -1n, -1],
    ['hour', 'timestamp_ns', -1n, -1],
    ['day', 'date', 5, 5],
    ['identity', 'string', 'x', 'x'],
    ['bucket[16]', 'long', 34n, 2017239379 % 16],
  ] as const)('%s of %s %s is %s', (transform, type, value, made) => {
    expect(applyTransform(parseTransform(transform), type, value)).toEqual(made)
  })

  test('passes over transforms that it does not know', () => {
    for (const text of [
      'void',
      'zorder[4]',
      'bucket[0]',
      'bucket[-1]',
      'truncate[99999999999]',
      'bucket',
      'hours',
    ]) {
      expect(applyTransform(parseTransform(text), 'int', 5)).toBeUndefined()
    }
    expect(applyTransform(parseTransform('hour'), 'date', 5)).toBeUndefined()
    expect(applyTransform(parseTransform('bucket[4]'), 'double', 5)).toBeUndefined()
  })
})

test('years and months are those of the calendar', () => {
  fc.assert(
    fc.property(fc.integer({ min: -90_000_000, max: 90_000_000 }), (days) => {
      const date = new Date(days * 86_400_000)
      const years = date.getUTCFullYear() - 1970
      expect(applyTransform({ kind: 'year' }, 'date', days)).toBe(years)
      expect(applyTransform({ kind: 'month' }, 'date', days)).toBe(years * 12 + date.getUTCMonth())
    }),
  )
})

const long = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })
const bytes = (length?: number): fc.Arbitrary<Buffer> =>
  fc
    .uint8Array(length === undefined ? {} : { minLength: length, maxLength: length })
    .map((value) => Buffer.from(value))
const near = fc.bigInt({ min: -200_000_000_000_000n, max: 200_000_000_000_000n })
/** Values of every type that has bounds. */
const TYPES: Readonly<Record<string, fc.Arbitrary<Bound>>> = {
  boolean: fc.boolean(),
  int: fc.oneof(fc.integer(), fc.integer({ min: -30, max: 30 })),
  date: fc.oneof(fc.integer(), fc.integer({ min: -800, max: 800 })),
  long: fc.oneof(long, fc.bigInt({ min: -30n, max: 30n })),
  time: fc.bigInt({ min: 0n, max: 86_399_999_999n }),
  timestamp: near,
  timestamptz: near,
  timestamp_ns: near,
  float: fc.float().map((value) => Math.fround(value)),
  double: fc.double(),
  string: fc.oneof(
    fc.string({ unit: 'grapheme' }),
    fc.string({ unit: fc.constantFrom('a', 'b', '😀', '\uffff') }),
  ),
  uuid: bytes(16),
  'fixed[3]': bytes(3),
  binary: bytes(),
  'decimal(38, 3)': fc.oneof(
    fc.bigInt({ min: -(10n ** 38n), max: 10n ** 38n }),
    fc.bigInt({ min: -300n, max: 300n }),
  ),
}

describe.each(Object.entries(TYPES))('bounds of %s', (type, value) => {
  test('come back', () => {
    fc.assert(
      fc.property(value, (one) => {
        expect(decodeBound(type, encodeBound(type, one))).toEqual(one)
      }),
    )
  })

  test('are in order', () => {
    fc.assert(
      fc.property(value, value, value, (a, b, c) => {
        expect(Math.sign(compareBounds(a, b))).toBe(-Math.sign(compareBounds(b, a)) || 0)
        expect(compareBounds(a, a)).toBe(0)
        if (compareBounds(a, b) <= 0 && compareBounds(b, c) <= 0)
          expect(compareBounds(a, c)).toBeLessThanOrEqual(0)
        if (typeof a === 'string')
          expect(Math.sign(compareBounds(a, b))).toBe(
            Buffer.compare(Buffer.from(a), Buffer.from(b as string)),
          )
        expect(compareBounds(cutLower(a), a)).toBeLessThanOrEqual(0)
        const upper = cutUpper(a)
        if (upper !== undefined) expect(compareBounds(upper, a)).toBeGreaterThanOrEqual(0)
      }),
    )
  })

  const condition = fc.oneof(
    fc.record({
      kind: fc.constantFrom('=', '!=', '<', '<=', '>', '>='),
      fieldId: fc.constant(1),
      value,
    }),
    fc.record({
      kind: fc.constant('in'),
      fieldId: fc.constant(1),
      values: fc.array(value, { maxLength: 4 }),
    }),
    fc.record({ kind: fc.constantFrom('null', 'present'), fieldId: fc.constant(1) }),
    ...(type === 'string'
      ? [fc.record({ kind: fc.constant('prefix'), fieldId: fc.constant(1), value })]
      : []),
  ) as fc.Arbitrary<Condition>

  test('never pass over a value that fits', () => {
    fc.assert(
      fc.property(fc.array(fc.option(value), { minLength: 1 }), condition, (rows, wanted) => {
        if (!rows.some((row) => fits(wanted, row))) return
        expect(mayFit(wanted, rangeOfRows(rows))).toBe(true)
      }),
      { numRuns: 300 },
    )
  })

  test('nor do partitions of any transform', () => {
    const transform = fc
      .constantFrom(
        'identity',
        'bucket[3]',
        'truncate[2]',
        'truncate[10]',
        'year',
        'month',
        'day',
        'hour',
        'void',
        'other',
      )
      .map(parseTransform)
    fc.assert(
      fc.property(fc.option(value), condition, transform, (row, wanted, by) => {
        const made = row === null ? null : applyTransform(by, type, row)
        if (made === undefined || !fits(wanted, row)) return
        expect(mayFitPartition(wanted, by, type, rangeOfRows([made]))).toBe(true)
      }),
      { numRuns: 1000 },
    )
  })
})

/** What SQL says. */
function fits(condition: Condition, row: Bound | null): boolean {
  if (condition.kind === 'null') return row === null
  if (row === null) return false
  switch (condition.kind) {
    case 'present':
      return true
    case 'in':
      return condition.values.some((value) => compareBounds(value, row) === 0)
    case 'prefix':
      return (row as string).startsWith(condition.value)
    case '=':
      return compareBounds(row, condition.value) === 0
    case '!=':
      return compareBounds(row, condition.value) !== 0
    case '<':
      return compareBounds(row, condition.value) < 0
    case '<=':
      return compareBounds(row, condition.value) <= 0
    case '>':
      return compareBounds(row, condition.value) > 0
    case '>=':
      return compareBounds(row, condition.value) >= 0
  }
}

/** What a writer would say of rows: bounds without NaN, and whether there are nulls, values and NaNs. */
function rangeOfRows(rows: readonly (Bound | null)[]): ReturnType<typeof rangeOf> {
  const values = rows.filter((row) => row !== null)
  const numbers = values.filter((row) => !Number.isNaN(row)).toSorted(compareBounds)
  const [lower, upper] = [numbers[0], numbers.at(-1)]
  return rangeOf(
    lower === undefined ? undefined : cutLower(lower),
    upper === undefined ? undefined : cutUpper(upper),
    { nulls: rows.includes(null), values: values.length > 0, nans: numbers.length < values.length },
  )
}

test('bounds that are none of their type are not known', () => {
  expect(decodeBound('int', Buffer.alloc(3))).toBeUndefined()
  expect(decodeBound('long', Buffer.from([255, 255, 255, 255]))).toBe(-1n)
  expect(decodeBound('timestamp', Buffer.alloc(4))).toBeUndefined()
  expect(decodeBound('double', encodeBound('float', 0.5))).toBe(0.5)
  expect(decodeBound('boolean', Buffer.from([2]))).toBeUndefined()
  expect(decodeBound('string', Buffer.from([0xff]))).toBeUndefined()
  expect(decodeBound('uuid', Buffer.alloc(15))).toBeUndefined()
  expect(decodeBound('fixed[4]', Buffer.alloc(3))).toBeUndefined()
  expect(decodeBound('decimal(9, 2)', Buffer.alloc(0))).toBeUndefined()
  expect(decodeBound('variant', Buffer.alloc(4))).toBeUndefined()
  const lying = rangeOf(9, 1, { nulls: false, values: true, nans: false })
  expect(mayFit({ kind: '=', fieldId: 1, value: 5 }, lying)).toBe(true)
})
