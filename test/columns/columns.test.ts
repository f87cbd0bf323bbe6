import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { problemOf } from '../../src/spec/check.ts'
import type { ListColumn } from '../../src/columns/column.ts'
import { columnFor } from '../../src/columns/compile.ts'
import { StringColumn } from '../../src/columns/text-column.ts'
import { anyField, anyWireValue, fittingValue } from '../support/arbitrary.ts'

describe('a column and its check', () => {
  test('take exactly the same values', () => {
    fc.assert(
      fc.property(anyField, fc.array(anyWireValue, { minLength: 1 }), (field, values) => {
        for (const value of values) {
          const column = columnFor(field)
          column.ensure(1)
          expect(column.putOne(value, 0)).toBe(problemOf(field, value) === undefined)
        }
      }),
      { numRuns: 500 },
    )
  })

  test('take every value that fits', () => {
    const cases = anyField.chain((field) => fc.tuple(fc.constant(field), fittingValue(field)))
    fc.assert(
      fc.property(cases, ([field, value]) => {
        expect(problemOf(field, value)).toBeUndefined()
        const column = columnFor(field)
        column.ensure(1)
        expect(column.putOne(value, 0)).toBe(true)
      }),
      { numRuns: 500 },
    )
  })

  test('a run of values is taken as each of them is', () => {
    const cases = anyField.chain((field) =>
      fc.tuple(fc.constant(field), fc.array(fc.oneof(fittingValue(field), anyWireValue))),
    )
    fc.assert(
      fc.property(cases, ([field, values]) => {
        const column = columnFor(field)
        column.ensure(values.length)
        const fits = values.every((value) => problemOf(field, value) === undefined)
        expect(column.put(values, 0)).toBe(fits)
      }),
      { numRuns: 300 },
    )
  })
})

describe('truncation', () => {
  test('forgets nulls and list elements of the rows cut off', () => {
    const column = columnFor({
      type: { kind: 'list', element: { type: { kind: 'string' }, optional: true } },
      optional: true,
    }) as ListColumn
    column.ensure(4)
    expect(column.putOne(['a', null], 0)).toBe(true)
    expect(column.putOne(null, 1)).toBe(true)
    expect(column.putOne(['b', null, 7], 2)).toBe(false)
    column.truncate(1, 4)
    expect(column.putOne(['x', 'y'], 1)).toBe(true)
    expect(column.isNull(1)).toBe(false)
    expect([column.offsets[1], column.lengths[1]]).toEqual([2, 2])
    const element = column.element as StringColumn
    const texts = [0, 1, 2, 3].map((row) =>
      element.isNull(row) ? null : element.dictionary.values[element.data[row]!],
    )
    expect(texts).toEqual(['a', null, 'x', 'y'])
  })
})

describe('hostile values', () => {
  const string = columnFor({ type: { kind: 'string' }, optional: false })
  const json = columnFor({ type: { kind: 'json' }, optional: false })
  let deep: unknown = 1
  for (let i = 0; i < 50; i++) deep = [deep]
  test.each([
    ['an unpaired surrogate', string, '\ud800', false],
    ['NUL', string, 'a\0b', true],
    ['a very long string', string, 'x'.repeat(70_000), false],
    ['deep nesting', json, deep, false],
    ['__proto__ as a member', json, JSON.parse('{"__proto__": {"a": 1}}'), true],
  ])('%s', (_name, column, value, fits) => {
    column.ensure(1)
    expect(column.putOne(value, 0)).toBe(fits)
  })

  test('__proto__ and constructor are no members of a struct', () => {
    const field = {
      type: { kind: 'struct', fields: { a: { type: { kind: 'int' }, optional: true } } },
      optional: false,
    } as const
    const column = columnFor(field)
    column.ensure(1)
    expect(column.putOne(JSON.parse('{"__proto__": 1}'), 0)).toBe(false)
    expect(column.putOne(JSON.parse('{"constructor": 1}'), 0)).toBe(false)
    expect(problemOf(field, JSON.parse('{"__proto__": 1}'))?.code).toBe('value_type')
  })
})
