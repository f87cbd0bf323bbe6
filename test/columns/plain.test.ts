/** What is read straight from bytes is what JSON.parse and `put` would have made of it; what is not plain is left to them. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ByteIndex, HASH_START, hashStep } from '../../src/columns/byte-index.ts'
import { columnFor } from '../../src/columns/compile.ts'
import { Numbers } from '../../src/columns/plain.ts'
import { StringColumn } from '../../src/columns/text-column.ts'
import { anyField, anyWireValue, fittingValue } from '../support/arbitrary.ts'
import { valueAt } from '../support/column-values.ts'

/** Numbers as people and programs write them, JSON or not. */
const numeral: fc.Arbitrary<string> = fc.oneof(
  fc.double().map((value) => JSON.stringify(value)),
  fc.integer().map(String),
  fc.maxSafeInteger().map(String),
  fc.maxSafeInteger().map((value) => String(value / 10)),
  fc.bigInt({ min: -(10n ** 20n), max: 10n ** 20n }).map(String),
  fc.tuple(fc.nat(), fc.stringMatching(/^[0-9]{0,18}$/)).map(([a, b]) => `${a}.${b}`),
  fc.constantFrom('-0', '0', '00', '01', '-', '.5', '5.', '-0.0', '1e3', 'nul', 'null', '', ' 1'),
  fc.constantFrom('9007199254740991', '9007199254740992', '9007199254740993', '0.1', '1.7e308'),
)

describe('numbers', () => {
  test('are those of JSON.parse, or are left to it', () => {
    const texts = fc.array(numeral, { minLength: 1, maxLength: 5 })
    fc.assert(
      fc.property(texts, fc.constantFrom(']', '}', ',]', ''), fc.nat(3), (items, close, before) => {
        const text = `${' '.repeat(before)}[${items.join(',')}${close}tail`
        const numbers = new Numbers()
        const end = numbers.read(Buffer.from(text), before, 5)
        if (end < 0) return
        const parsed = JSON.parse(text.slice(before, end)) as (number | null)[]
        const read = [...numbers.values.subarray(0, numbers.length)]
        expect(read).toEqual(parsed.map((value) => value ?? NaN))
      }),
      { numRuns: 2000 },
    )
  })

  test('that clients send are all read, however many', () => {
    const sent = fc.array(
      fc.oneof(
        fc.maxSafeInteger(),
        fc.integer(),
        fc.integer({ min: 0, max: 1e12 }).map((tenths) => tenths / 10),
        fc.constant(null),
      ),
      { minLength: 1, maxLength: 300 },
    )
    fc.assert(
      fc.property(sent, (values) => {
        const numbers = new Numbers()
        const text = Buffer.from(JSON.stringify(values))
        expect(numbers.read(text, 0, values.length)).toBe(text.length)
        expect([...numbers.values.subarray(0, numbers.length)]).toEqual(
          values.map((value) => (value === null ? NaN : value)),
        )
        if (values.length > 1) expect(numbers.read(text, 0, values.length - 1)).toBe(-1)
      }),
    )
  })
})

describe('a column', () => {
  const cases = anyField.chain((field) =>
    fc.tuple(
      fc.constant(field),
      fc.array(fc.oneof({ weight: 9, arbitrary: fittingValue(field) }, anyWireValue), {
        minLength: 1,
        maxLength: 6,
      }),
    ),
  )

  test('reads what it would have put, and nothing that it would have refused', () => {
    let reads = 0
    fc.assert(
      fc.property(cases, fc.nat(9), fc.boolean(), ([field, values], row, again) => {
        const [read, put] = [columnFor(field), columnFor(field)]
        for (const column of [read, put]) {
          column.ensure(row + values.length)
          if (row > 0) column.setNulls(0, row)
        }
        const text = Buffer.from(`${JSON.stringify(values)},`)
        const parsed = JSON.parse(text.toString('utf8', 0, text.length - 1)) as unknown[]
        let end = read.read(text, 0, row, values.length, new Numbers())
        const fits = put.put(parsed, row)
        if (end < 0) return
        expect(fits).toBe(true)
        expect(end).toBe(text.length - 1)
        if (again) {
          // What is known by its bytes is found by them.
          read.truncate(row, row + values.length)
          end = read.read(text, 0, row, values.length, new Numbers())
          expect(end).toBe(text.length - 1)
        }
        for (let i = 0; i < values.length; i++) {
          expect(valueAt(read, row + i)).toEqual(valueAt(put, row + i))
        }
        reads++
      }),
      { numRuns: 800 },
    )
    expect(reads).toBeGreaterThan(200)
  })

  test.each(['[1,2', '[1 ,2]', '[1,2]', '[1,2,3,4]', '{"a":1}', '1', '', '[1,"2",3]', '[1,2,3}'])(
    'does not read three ints of %s',
    (text) => {
      const column = columnFor({ type: { kind: 'int' }, optional: true })
      column.ensure(8)
      expect(column.read(Buffer.from(text), 0, 0, 3, new Numbers())).toBe(-1)
    },
  )

  test('of strings keeps what its bytes say once it is kept as texts', () => {
    const column = new StringColumn({ type: { kind: 'string' }, optional: true, maxLength: 40 })
    column.ensure(5000)
    const seldom = Array.from({ length: 5000 }, (_, i) => `value ${i}`)
    expect(column.put(seldom, 0)).toBe(true)
    column.reset()
    expect(column.texts).toBeDefined()
    const read = (text: Buffer, row: number, count: number): number =>
      column.read(text, 0, row, count)
    const values = ['detektif 東京', null, '', 'x'.repeat(40), 'a', '\u007f']
    const text = Buffer.from(JSON.stringify(values))
    expect(read(text, 0, values.length)).toBe(text.length)
    expect(values.map((_, i) => valueAt(column, i))).toEqual(values)
    const long = Buffer.from(JSON.stringify(['y'.repeat(41)]))
    expect(read(long, 6, 1)).toBe(-1)
    const wide = Buffer.from(JSON.stringify(['東'.repeat(40)]))
    expect(read(wide, 6, 1)).toBe(wide.length)
  })
})

describe('the index by bytes', () => {
  const hashOf = (bytes: Uint8Array): number => bytes.reduce(hashStep, HASH_START)

  test('finds what was added, and never another string', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.string({ maxLength: 6 }), { maxLength: 400 }), (strings) => {
        const index = new ByteIndex()
        strings.forEach((string, code) => {
          const bytes = Buffer.from(string)
          expect(index.find(bytes, 0, bytes.length, hashOf(bytes))).toBe(-1)
          index.add(bytes, 0, bytes.length, hashOf(bytes), code)
        })
        let found = 0
        strings.forEach((string, code) => {
          const bytes = Buffer.from(`<${string}>`)
          const inner = bytes.subarray(1, -1)
          const at = index.find(bytes, 1, bytes.length - 1, hashOf(inner))
          expect([code, -1]).toContain(at)
          if (at === code) found++
        })
        // A full neighbourhood may leave one out now and then.
        expect(found).toBeGreaterThanOrEqual(Math.floor(strings.length * 0.95))
        index.clear()
        for (const string of strings) {
          const bytes = Buffer.from(string)
          expect(index.find(bytes, 0, bytes.length, hashOf(bytes))).toBe(-1)
        }
      }),
    )
  })

  test('strings of one hash stay apart, and those that find no place are not found', () => {
    const index = new ByteIndex()
    const strings = Array.from({ length: 100 }, (_, i) => Buffer.from(`string ${i}`))
    strings.forEach((bytes, code) => index.add(bytes, 0, bytes.length, 7, code))
    const found = strings.map((bytes) => index.find(bytes, 0, bytes.length, 7))
    found.forEach((at, code) => expect([code, -1]).toContain(at))
    expect(found.filter((at) => at >= 0).length).toBeGreaterThanOrEqual(10)
  })
})
