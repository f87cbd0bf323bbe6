/** The lock: ids that stay, changes that old data and old clients can follow, and those they cannot. */
import { describe, expect, test } from 'vitest'
import type { Fields, FieldType } from '../../src/spec/field.ts'
import { parseLock, stringifyLock, updateLock } from '../../src/spec/lock.ts'
import { eventTable } from '../../src/spec/tables.ts'
import { expectFailure, lockAfter, optional, required, specSet, valueOf } from './support.ts'

const int: FieldType = { kind: 'int' }
const long: FieldType = { kind: 'long' }
const text: FieldType = { kind: 'string' }
const decimal = (precision: number, scale: number): FieldType => ({
  kind: 'decimal',
  precision,
  scale,
})
const listOf = (type: FieldType, absent = false): FieldType => ({
  kind: 'list',
  element: { type, optional: absent },
})
const mapOf = (type: FieldType, absent = false): FieldType => ({
  kind: 'map',
  value: { type, optional: absent },
})
const structOf = (fields: Fields): FieldType => ({ kind: 'struct', fields })

/** The lock of the one event type `played` after each of `steps`. */
const playedAfter = (...steps: readonly Fields[]) =>
  lockAfter(...steps.map((played) => specSet({ played }))).events['played']!

describe('ids', () => {
  test('of the context begin at 100, those of each event type at 1000', () => {
    const lock = lockAfter(
      specSet({ one: { a: required(int) }, two: { b: required(int) } }, { c: required(text) }),
    )
    expect(lock.context).toEqual({
      next: 101,
      fields: { c: { id: 100, type: 'string', required: true } },
    })
    expect(lock.events['one']!.fields['a']!.id).toBe(1000)
    expect(lock.events['two']!.fields['b']!.id).toBe(1000)
  })

  test('are given to elements, keys, values and members', () => {
    const fields = {
      l: required(listOf(int)),
      m: required(mapOf(int, true)),
      s: required(structOf({ a: required(int), b: optional(listOf(text)) })),
    }
    expect(playedAfter(fields)).toEqual({
      next: 1009,
      fields: {
        l: {
          id: 1000,
          type: 'list',
          required: true,
          children: { element: { id: 1001, type: 'int', required: true } },
        },
        m: {
          id: 1002,
          type: 'map',
          required: true,
          children: {
            key: { id: 1003, type: 'string', required: true },
            value: { id: 1004, type: 'int', required: false },
          },
        },
        s: {
          id: 1005,
          type: 'struct',
          required: true,
          children: {
            a: { id: 1006, type: 'int', required: true },
            b: {
              id: 1007,
              type: 'list',
              required: false,
              children: { element: { id: 1008, type: 'string', required: true } },
            },
          },
        },
      },
    })
  })

  test('do not depend on the order of fields once given', () => {
    const one = playedAfter({ a: required(int), b: required(int) })
    const other = playedAfter(
      { a: required(int), b: required(int) },
      { b: required(int), a: required(int) },
    )
    expect(other).toEqual(one)
  })

  test('of a removed field stay, and it is marked', () => {
    const { next, fields } = playedAfter(
      { a: required(int), b: required(int) },
      { b: required(int) },
    )
    expect(next).toBe(1002)
    expect(fields['a']).toEqual({ id: 1000, type: 'int', required: true, retired: true })
  })

  test('of a removed field are its own again when it comes back', () => {
    const { fields } = playedAfter({ a: required(int) }, {}, { a: optional(long) })
    expect(fields).toEqual({ a: { id: 1000, type: 'long', required: false } })
  })

  test('of a renamed field stay, also over two names and after old names are forgotten', () => {
    const { fields } = playedAfter(
      { a: required(int) },
      { b: { ...required(int), was: ['a'] } },
      { c: { ...required(int), was: ['b', 'a'] } },
      { c: required(int) },
    )
    expect(fields).toEqual({ c: { id: 1000, type: 'int', required: true } })
  })

  test('of a removed field pass to the field that it is renamed to', () => {
    const { fields } = playedAfter(
      { a: required(int) },
      {},
      { b: { ...optional(int), was: ['a'] } },
    )
    expect(fields).toEqual({ b: { id: 1000, type: 'int', required: false } })
  })

  test('of a renamed event type are those of its fields, also if it is named like a prototype member', () => {
    const lock = lockAfter(
      specSet({ play: { a: required(int) } }),
      specSet({ played: { a: required(int) } }, {}, { played: ['constructor', 'play'] }),
    )
    expect(lock.events['played']!.fields['a']!.id).toBe(1000)
    expect(lock.events['played']!.next).toBe(1001)
    expect(lockAfter(specSet({ constructor: { a: required(int) } })).events).toEqual({
      constructor: { next: 1001, fields: { a: { id: 1000, type: 'int', required: true } } },
    })
  })

  test('of a table whose event type was renamed are not given to other fields', () => {
    const lock = lockAfter(
      specSet({ play: { a: required(int) } }),
      specSet({ played: { a: required(int) } }, {}, { played: ['play'] }),
      specSet({ played: { a: required(int) }, play: { b: optional(text) } }),
    )
    expect(lock.events['play']!.fields).toMatchObject({ a: { id: 1000 }, b: { id: 1001 } })
  })

  test('of an event type that is not specified any more stay', () => {
    const before = lockAfter(specSet({ played: { a: required(int) } }))
    const without = valueOf(updateLock(before, specSet({})))
    expect(without.lock.events).toEqual(before.events)
    expect(without.changed).toBe(false)
  })
})

describe('whether the lock changes', () => {
  test('is true for a first lock, and false for the same specifications', () => {
    const specs = specSet({ played: { a: required(int) } }, { app: required(text) })
    const first = valueOf(updateLock(undefined, specs))
    expect(first.changed).toBe(true)
    const second = valueOf(updateLock(first.lock, specs))
    expect(second.changed).toBe(false)
    expect(second.lock).toEqual(first.lock)
  })

  test('is false for what columns do not show', () => {
    const specs = specSet({ played: { a: required({ kind: 'enum', values: ['x'] }) } })
    const described = specSet({
      played: {
        a: { ...required({ kind: 'enum', values: ['x', 'y'] }), doc: 'It.', maxLength: 3 },
      },
    })
    const { changed } = valueOf(updateLock(lockAfter(specs), described))
    expect(changed).toBe(false)
  })
})

/** [what, before, after]. */
type Change = [string, Fields, Fields]

describe('a change that can be followed', () => {
  test.each<Change>([
    ['an optional field is added', {}, { a: optional(int) }],
    ['a field is removed', { a: required(int) }, {}],
    ['a required field becomes optional', { a: required(int) }, { a: optional(int) }],
    ['int to long', { a: required(int) }, { a: required(long) }],
    ['a wider decimal', { a: required(decimal(9, 2)) }, { a: required(decimal(10, 2)) }],
    ['enum to string', { a: required({ kind: 'enum', values: ['x'] }) }, { a: required(text) }],
    ['json to string', { a: required({ kind: 'json' }) }, { a: required(text) }],
    ['int to long in a list', { a: required(listOf(int)) }, { a: required(listOf(long)) }],
    ['int to long in a map', { a: required(mapOf(int)) }, { a: required(mapOf(long)) }],
    ['elements may be absent', { a: required(listOf(int)) }, { a: required(listOf(int, true)) }],
    ['values may be absent', { a: required(mapOf(int)) }, { a: required(mapOf(int, true)) }],
    [
      'an optional member is added',
      { a: required(structOf({ b: required(int) })) },
      { a: required(structOf({ b: required(int), c: optional(int) })) },
    ],
    [
      'a member is removed',
      { a: required(structOf({ b: required(int), c: required(int) })) },
      { a: required(structOf({ b: required(int) })) },
    ],
    [
      'an optional struct with required members is added',
      {},
      { a: optional(structOf({ b: required(int) })) },
    ],
  ])('%s', (_what, before, after) => {
    const event = lockAfter(specSet({ played: before }))
    expect(valueOf(updateLock(event, specSet({ played: after }))).lock.events).toHaveProperty(
      'played',
    )
    const context = lockAfter(specSet({}, before))
    expect(valueOf(updateLock(context, specSet({}, after))).lock.version).toBe(1)
  })
})

describe('a change that cannot be followed', () => {
  const refused: readonly (readonly [...Change, string])[] = [
    ['a required field is added', {}, { a: required(int) }, 'make it optional'],
    ['an optional field becomes required', { a: optional(int) }, { a: required(int) }, 'keep it'],
    ['long to int', { a: required(long) }, { a: required(int) }, 'from long to int'],
    ['int to double', { a: required(int) }, { a: required({ kind: 'double' }) }, 'int to double'],
    ['int to string', { a: required(int) }, { a: required(text) }, 'from int to string'],
    [
      'date to timestamp',
      { a: required({ kind: 'date' }) },
      { a: required({ kind: 'timestamp' }) },
      'from date to timestamptz',
    ],
    [
      'a narrower decimal',
      { a: required(decimal(9, 2)) },
      { a: required(decimal(8, 2)) },
      'digits would be lost',
    ],
    [
      'another scale',
      { a: required(decimal(9, 2)) },
      { a: required(decimal(12, 3)) },
      'scale of a decimal is fixed',
    ],
    ['a value to a list', { a: required(int) }, { a: required(listOf(int)) }, 'from int to list'],
    ['a list to a map', { a: required(listOf(int)) }, { a: required(mapOf(int)) }, 'list to map'],
    [
      'long to int in a list',
      { a: required(listOf(long)) },
      { a: required(listOf(int)) },
      'element',
    ],
    ['long to int in a map', { a: required(mapOf(long)) }, { a: required(mapOf(int)) }, 'a.value'],
    [
      'elements become required',
      { a: required(listOf(int, true)) },
      { a: required(listOf(int)) },
      'a.element',
    ],
    [
      'a required member is added',
      { a: required(structOf({ b: required(int) })) },
      { a: required(structOf({ b: required(int), c: required(int) })) },
      'a.c',
    ],
    [
      'another type under a new name',
      { a: required(int) },
      { b: { ...required(text), was: ['a'] } },
      'from int to string',
    ],
  ]

  test.each(refused)('%s', (_what, before, after, words) => {
    const event = lockAfter(specSet({ played: before }))
    expectFailure(updateLock(event, specSet({ played: after })), 'spec_incompatible', words)
    const context = lockAfter(specSet({}, before))
    expectFailure(updateLock(context, specSet({}, after)), 'spec_incompatible', words)
  })

  test('a removed field comes back as required', () => {
    const known = lockAfter(specSet({ played: { a: required(int) } }), specSet({ played: {} }))
    const back = updateLock(known, specSet({ played: { a: required(int) } }))
    expectFailure(back, 'spec_incompatible', 'played.a', 'removed')
  })

  test('a removed field comes back with another type', () => {
    const known = lockAfter(specSet({ played: { a: required(int) } }), specSet({ played: {} }))
    const back = updateLock(known, specSet({ played: { a: optional(text) } }))
    expectFailure(back, 'spec_incompatible', 'played.a', 'from int to string')
  })

  test('a field takes the name of a removed one, whose column has it', () => {
    const known = lockAfter(
      specSet({ played: { a: required(int), b: required(int) } }),
      specSet({ played: { a: required(int) } }),
    )
    const renamed = specSet({ played: { b: { ...optional(int), was: ['a'] } } })
    expectFailure(updateLock(known, renamed), 'spec_incompatible', 'played.b', 'another name')
  })

  test('an event takes the name of a removed context member, or the other way round', () => {
    const member = lockAfter(specSet({ played: {} }, { a: optional(int) }), specSet({ played: {} }))
    const field = updateLock(member, specSet({ played: { a: optional(int) } }))
    expectFailure(field, 'spec_incompatible', 'played.a', 'another name')
    const removed = lockAfter(specSet({ played: { a: optional(int) } }), specSet({ played: {} }))
    const context = updateLock(removed, specSet({ played: {} }, { a: optional(int) }))
    expectFailure(context, 'spec_incompatible', 'played.a', 'another name')
  })

  test('the context has more members than ids', () => {
    const fields = (count: number): Fields =>
      Object.fromEntries(Array.from({ length: count }, (_, i) => [`f${i}`, optional(int)]))
    const full = lockAfter(specSet({ played: {} }, fields(900)))
    expect(full.context.next).toBe(1000)
    expect(parseLock(stringifyLock(full)).ok).toBe(true)
    expectFailure(updateLock(undefined, specSet({}, fields(901))), 'spec_invalid', '900')
  })

  test('leaves the known lock as it was', () => {
    const known = lockAfter(specSet({ played: { a: required(int), b: required(int) } }))
    const before = structuredClone(known)
    updateLock(known, specSet({ played: { a: optional(long), c: required(int) } }))
    updateLock(known, specSet({ played: { a: optional(long), c: optional(int) } }))
    expect(known).toEqual(before)
  })
})

test('a table that keeps its removed columns has each name once', () => {
  const specs = specSet({ played: { b: optional(int) } }, { d: optional(int) })
  const lock = lockAfter(specSet({ played: { a: required(int) } }, { c: required(int) }), specs)
  const names = eventTable(specs.events.get('played')!, specs, lock).fields.map(({ name }) => name)
  expect(names.slice(-4)).toEqual(['d', 'c', 'b', 'a'])
  expect(new Set(names).size).toBe(names.length)
})
