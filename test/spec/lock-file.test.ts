/** The lockfile as text: what is not a lock is refused by code, whatever has been done to it by hand. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { duckdbType } from '../../src/spec/duckdb-type.ts'
import type { Field } from '../../src/spec/field.ts'
import { parseLock, stringifyLock, updateLock } from '../../src/spec/lock.ts'
import { eventTable } from '../../src/spec/tables.ts'
import { anyField } from '../support/arbitrary.ts'
import { expectFailure, lockAfter, optional, required, specSet, valueOf } from './support.ts'

type Json = { [name: string]: Json } & number

const fields: Readonly<Record<string, Field>> = {
  i: required({ kind: 'int' }),
  d: optional({ kind: 'decimal', precision: 9, scale: 2 }),
  l: required({ kind: 'list', element: required({ kind: 'string' }) }),
  m: required({ kind: 'map', value: required({ kind: 'int' }) }),
  s: required({ kind: 'struct', fields: { a: required({ kind: 'int' }) } }),
}
const specs = specSet({ played: fields, context: {} }, { app: required({ kind: 'string' }) })
const lock = lockAfter(specs)

describe('the file', () => {
  test('is read as it was written', () => {
    expect(valueOf(parseLock(stringifyLock(lock)))).toEqual(lock)
  })

  test('is sorted, indented and ends its last line, so that a change is a small diff', () => {
    const unsorted = lockAfter(
      specSet({ b: { y: optional({ kind: 'int' }), x: optional({ kind: 'int' }) }, a: {} }),
    )
    const text = stringifyLock(unsorted)
    expect(text.endsWith('}\n')).toBe(true)
    expect(text).toContain('\n  "context": {\n')
    const order = ['"a"', '"b"', '"x"', '"y"'].map((name) => text.indexOf(name))
    expect(order.toSorted((one, other) => one - other)).toEqual(order)
  })
})

describe('what is not a lock', () => {
  test.each([
    '',
    '{',
    'null',
    '[]',
    '3',
    '{}',
    '{"version":1}',
    '{"version":2,"context":{"next":100,"fields":{}},"events":{}}',
    '{"version":1,"events":{}}',
    '{"version":1,"context":{"next":100,"fields":{}},"events":[]}',
    '<<<<<<< HEAD\n',
  ])('%j', (text) => {
    expectFailure(parseLock(text), 'lock_invalid', 'specs.lock.json')
  })

  test.each<[string, (lock: Json) => unknown]>([
    ['no context', (it) => delete it['context']],
    ['no next id', (it) => delete it['events']!['played']!['next']],
    ['a next id that is taken', (it) => ((it['events']!['played']!['next'] as number) = 1003)],
    ['a next id before the first', (it) => ((it['events']!['played']!['next'] as number) = 5)],
    ['a next id out of the context', (it) => ((it['context']!['next'] as number) = 1001)],
    ['no fields', (it) => delete it['events']!['played']!['fields']],
    [
      'a context with another id, beside an event type called context',
      (it) => {
        ;(it['context']!['fields']!['app']!['id'] as number) = 7
      },
    ],
    ['a field without an id', (it) => delete it['events']!['played']!['fields']!['i']!['id']],
    [
      'a field that is null',
      (it) => ((it['events']!['played']!['fields']!['i'] as unknown) = null),
    ],
    ['an id twice', (it) => ((it['events']!['played']!['fields']!['i']!['id'] as number) = 1001)],
    [
      'an id of the envelope',
      (it) => ((it['events']!['played']!['fields']!['i']!['id'] as number) = 1),
    ],
    [
      'a fraction of an id',
      (it) => ((it['events']!['played']!['fields']!['i']!['id'] as number) = 1000.5),
    ],
    ['a field without a type', (it) => delete it['events']!['played']!['fields']!['i']!['type']],
    [
      'an unknown type',
      (it) => ((it['events']!['played']!['fields']!['i']!['type'] as unknown) = 'uint'),
    ],
    [
      'no word on being required',
      (it) => delete it['events']!['played']!['fields']!['i']!['required'],
    ],
    [
      'a retired that is false',
      (it) => ((it['events']!['played']!['fields']!['i']!['retired'] as unknown) = false),
    ],
    [
      'children of an int',
      (it) => ((it['events']!['played']!['fields']!['i']!['children'] as unknown) = {}),
    ],
    [
      'a list without children',
      (it) => delete it['events']!['played']!['fields']!['l']!['children'],
    ],
    [
      'a list without its element',
      (it) => ((it['events']!['played']!['fields']!['l']!['children'] as unknown) = {}),
    ],
    [
      'a map without its key',
      (it) => delete it['events']!['played']!['fields']!['m']!['children']!['key'],
    ],
    [
      'a struct without members',
      (it) => ((it['events']!['played']!['fields']!['s']!['children'] as unknown) = {}),
    ],
    [
      'a member without an id',
      (it) => delete it['events']!['played']!['fields']!['s']!['children']!['a']!['id'],
    ],
  ])('%s', (_what, corrupt) => {
    const value = JSON.parse(stringifyLock(lock)) as Json
    corrupt(value)
    expectFailure(parseLock(JSON.stringify(value)), 'lock_invalid', 'specs.lock.json')
  })
})

/** Every place of a JSON value, as the object that has it and its name. */
function places(value: unknown): [Record<string, unknown>, string][] {
  if (typeof value !== 'object' || value === null) return []
  const object = value as Record<string, unknown>
  return Object.keys(object).flatMap((name) => [[object, name], ...places(object[name])] as never)
}

const anyDamage = fc.record({
  place: fc.nat(1000),
  how: fc.constantFrom('drop', 'replace', 'rename', 'borrow', 'borrow', 'borrow'),
  value: fc.oneof(
    fc.jsonValue({ maxDepth: 1 }),
    fc.constantFrom('list', 'int', true, 1000, 1002, 100),
  ),
})

type Damage = typeof anyDamage extends fc.Arbitrary<infer D> ? D : never

function damage(value: unknown, { place, how, value: other }: Damage): void {
  const all = places(value)
  const [object, name] = all[place % all.length]!
  const alike = all.filter(([, each]) => each === name)
  const [lender] = alike[(place * 7) % alike.length]!
  if (how === 'replace') object[name] = other
  if (how === 'borrow') object[name] = structuredClone(lender[name])
  if (how === 'rename') object[`${name}_old`] = object[name]
  if (how === 'rename' || how === 'drop') delete object[name]
}

test('a damaged lock is refused by code, or still one that tables can be made of', () => {
  const cases = fc.tuple(
    fc.dictionary(fc.constantFrom('f1', 'f2', 'f3'), anyField, { noNullPrototype: true }),
    fc.array(anyDamage, { minLength: 1, maxLength: 2 }),
  )
  const outcomes = { invalid: 0, incompatible: 0, fine: 0 }
  fc.assert(
    fc.property(cases, ([generated, damages]) => {
      const before = specSet({ played: { ...fields, ...generated } })
      const value = JSON.parse(stringifyLock(lockAfter(before))) as unknown
      for (const each of damages) damage(value, each)
      const parsed = parseLock(JSON.stringify(value))
      const updated = parsed.ok ? updateLock(parsed.value, before) : parsed
      if (!updated.ok) {
        expect(['lock_invalid', 'spec_incompatible', 'spec_invalid']).toContain(updated.error.code)
        outcomes[updated.error.code === 'lock_invalid' ? 'invalid' : 'incompatible']++
        return
      }
      outcomes.fine++
      const table = eventTable(before.events.get('played')!, before, updated.value.lock)
      for (const { type } of table.fields) expect(duckdbType(type)).not.toBe('')
    }),
    { numRuns: 500 },
  )
  for (const count of Object.values(outcomes)) expect(count).toBeGreaterThan(0)
})
