/** Building fields: what each builder and each modifier makes, and what cannot be built. */
import { describe, expect, test } from 'vitest'
import type { Builder } from '../../src/spec/build.ts'
import {
  binary,
  boolean,
  date,
  decimal,
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
import { expectThrown, required } from './support.ts'

describe('a builder', () => {
  test.each<[string, Builder, object]>([
    ['boolean', boolean(), { kind: 'boolean' }],
    ['int', int(), { kind: 'int' }],
    ['long', long(), { kind: 'long' }],
    ['double', double(), { kind: 'double' }],
    ['decimal', decimal(9, 2), { kind: 'decimal', precision: 9, scale: 2 }],
    ['string', string(), { kind: 'string' }],
    ['enum', enumOf('a', 'b'), { kind: 'enum', values: ['a', 'b'] }],
    ['date', date(), { kind: 'date' }],
    ['timestamp', timestamp(), { kind: 'timestamp' }],
    ['binary', binary(), { kind: 'binary' }],
    ['json', json(), { kind: 'json' }],
    ['list', list(int()), { kind: 'list', element: required({ kind: 'int' }) }],
    ['map', map(int()), { kind: 'map', value: required({ kind: 'int' }) }],
    ['struct', struct({ a: int() }), { kind: 'struct', fields: { a: required({ kind: 'int' }) } }],
  ])('of %s makes a required field of that kind', (_kind, builder, type) => {
    expect(builder.field).toEqual({ type, optional: false })
  })

  test('makes frozen data', () => {
    const { field } = struct({ color: enumOf('red') }).optional()
    const { type } = field
    expect(Object.isFrozen(field)).toBe(true)
    expect(Object.isFrozen(type)).toBe(true)
    expect(type.kind === 'struct' && Object.isFrozen(type.fields)).toBe(true)
    expect(
      type.kind === 'struct' && Object.isFrozen((type.fields['color']!.type as never)['values']),
    ).toBe(true)
  })
})

describe('modifiers', () => {
  test('add to the field, in any order', () => {
    const one = int().min(-5).max(5).unit('ms').doc('Lag.').optional()
    const other = int().optional().doc('Lag.').unit('ms').max(5).min(-5)
    expect(one.field).toEqual({
      type: { kind: 'int' },
      optional: true,
      doc: 'Lag.',
      unit: 'ms',
      min: -5,
      max: 5,
    })
    expect(other.field).toEqual(one.field)
  })

  test('say what personal data it is, why not to use it, and former names', () => {
    const { field } = string().personal('e-mail').deprecated('Use member.').was('mail', 'email')
    expect(field).toMatchObject({
      personal: 'e-mail',
      deprecated: 'Use member.',
      was: ['mail', 'email'],
    })
  })

  test('leave the builder they were called on as it was', () => {
    const plain = string()
    plain.optional()
    plain.maxLength(3)
    plain.doc('Text.')
    expect(plain.field).toEqual(string().field)
  })

  test.each<[string, Builder]>([
    ['string', string().maxLength(3)],
    ['binary', binary().maxLength(3)],
    ['list', list(int()).maxLength(3)],
    ['map', map(int()).maxLength(3)],
    ['json', json().maxLength(3)],
    ['optional string', string().optional().maxLength(3)],
  ])('bound the length of %s', (_kind, builder) => {
    expect(builder.field.maxLength).toBe(3)
  })

  test.each<[string, Builder]>([
    ['int', int().min(1).max(2)],
    ['long', long().min(1).max(2)],
    ['double', double().min(1).max(2)],
    ['decimal', decimal(3, 1).min(1).max(2)],
    ['timestamp', timestamp().min(1).max(2)],
    ['optional int', int().optional().min(1).max(2)],
  ])('bound the range of %s', (_kind, builder) => {
    expect(builder.field).toMatchObject({ min: 1, max: 2 })
  })

  test('bound a range to one value, and a length to nothing', () => {
    expect(int().min(4).max(4).field).toMatchObject({ min: 4, max: 4 })
    expect(string().maxLength(0).field.maxLength).toBe(0)
  })
})

describe('what cannot be built', () => {
  test.each<[string, () => unknown, string]>([
    ['a decimal without digits', () => decimal(0, 0), 'decimal(0, 0)'],
    ['a decimal of 39 digits', () => decimal(39, 0), 'decimal(39, 0)'],
    ['more digits behind the point than in all', () => decimal(4, 5), 'decimal(4, 5)'],
    ['a negative scale', () => decimal(4, -1), 'decimal(4, -1)'],
    ['a fraction of a digit', () => decimal(4.5, 1), 'decimal(4.5, 1)'],
    ['an enumeration with a value twice', () => enumOf('a', 'b', 'a'), 'twice'],
    [
      'an enumeration without values',
      () => (enumOf as unknown as () => unknown)(),
      'needs a value',
    ],
    ['a least value above the greatest', () => int().max(1).min(2), 'From 2 to 1'],
    ['a greatest value below the least', () => double().optional().min(2).max(1), 'From 2 to 1'],
    ['a bound that is no number', () => int().min(NaN), 'NaN'],
    ['a bound without end', () => double().min(-Infinity), '-Infinity'],
    ['a negative length', () => string().maxLength(-1), 'maxLength(-1)'],
    ['a fraction of a length', () => list(int()).maxLength(1.5), 'maxLength(1.5)'],
  ])('%s', (_what, build, words) => {
    expectThrown(build, 'spec_invalid', words)
  })
})
