/** Declaring event types and the context: the data that results, and which names are refused. */
import { describe, expect, test } from 'vitest'
import type { Builders } from '../../src/spec/build.ts'
import { ENVELOPE } from '../../src/spec/envelope.ts'
import { defineContext, defineEvent, int, list, map, string, struct } from '../../src/spec/index.ts'
import { RESERVED_TABLES } from '../../src/spec/names.ts'
import { LEDGER } from '../../src/spec/system-tables.ts'
import { expectThrown } from './support.ts'

const event = (name: string, fields: Builders = {}, was: readonly string[] = []): unknown =>
  defineEvent(name, { doc: 'It happens.', fields, was })
const context = (fields: Builders): unknown => defineContext({ doc: 'The app.', fields })

describe('a declaration', () => {
  test('is frozen data of what it says', () => {
    const played = defineEvent('played', {
      doc: 'It plays.',
      owner: 'playback',
      deprecated: 'Use started.',
      was: ['play'],
      fields: { title: int().doc('The title.') },
    })
    expect(played).toMatchObject({
      spec: 'event',
      name: 'played',
      doc: 'It plays.',
      owner: 'playback',
      deprecated: 'Use started.',
      was: ['play'],
      fields: { title: { type: { kind: 'int' }, optional: false, doc: 'The title.' } },
    })
    expect(Object.isFrozen(played)).toBe(true)
    expect(Object.isFrozen(played.fields)).toBe(true)
  })

  test('has no member for what it does not say', () => {
    const played = defineEvent('played', { doc: 'It plays.', fields: {} })
    expect(Object.keys(played).sort()).toEqual(['doc', 'fields', 'name', 'spec', '~standard'])
  })

  test('of the context is data too', () => {
    const app = defineContext({ doc: 'The app.', fields: { app: string() } })
    expect(app).toMatchObject({ spec: 'context', doc: 'The app.' })
    expect(app.fields['app']).toEqual(string().field)
    expect(Object.isFrozen(app)).toBe(true)
  })

  test('takes names of 64 characters, digits and prototype members', () => {
    const name = `a${'9'.repeat(63)}`
    expect(event(name, { [name]: int(), constructor: int() })).toMatchObject({ name })
  })
})

const badNames = ['', 'Played', 'play-started', '1st', '_x', 'é', 'a b', `a${'9'.repeat(64)}`]

describe('a name that is not snake_case', () => {
  test.each(badNames)('%j is refused wherever a name stands', (name) => {
    const quoted = JSON.stringify(name)
    expectThrown(() => event(name), 'spec_invalid', `event type ${quoted}`)
    expectThrown(() => event('played', {}, [name]), 'spec_invalid', `event type ${quoted}`)
    expectThrown(() => event('played', { [name]: int() }), 'spec_invalid', 'played', quoted)
    expectThrown(() => event('played', { a: int().was(name) }), 'spec_invalid', 'played', quoted)
    expectThrown(() => context({ [name]: int() }), 'spec_invalid', 'the context', quoted)
    const member = struct({ [name]: int() })
    expectThrown(() => event('played', { a: member }), 'spec_invalid', 'field a', quoted)
    expectThrown(() => event('played', { a: list(map(member)) }), 'spec_invalid', quoted)
  })
})

describe('a name that headwater has', () => {
  test.each([...RESERVED_TABLES])('table %s', (name) => {
    expectThrown(() => event(name), 'spec_invalid', name, 'table of that name')
    expectThrown(() => event('played', {}, [name]), 'spec_invalid', name)
  })

  test.each(ENVELOPE.filter(({ name }) => !name.startsWith('_')).map(({ name }) => name))(
    'column %s of events',
    (name) => {
      const words = [JSON.stringify(name), 'column of that name']
      expectThrown(() => event('played', { [name]: int() }), 'spec_invalid', ...words)
      expectThrown(() => event('played', { a: int().was(name) }), 'spec_invalid', ...words)
      expectThrown(() => context({ [name]: int() }), 'spec_invalid', ...words)
    },
  )

  test.each(LEDGER.map(({ name }) => name))('column %s of the ledger, in the context', (name) => {
    expectThrown(() => context({ [name]: int() }), 'spec_invalid', 'column of that name')
    expectThrown(() => context({ a: int().was(name) }), 'spec_invalid', 'column of that name')
  })

  test('is free inside a struct, and a column of the ledger alone in an event', () => {
    expect(() => event('played', { a: struct({ boot: int() }), landed: int() })).not.toThrow()
  })
})

describe('a name that stands for two fields', () => {
  test.each<[string, Builders]>([
    ['a field and a former name', { a: int(), b: int().was('a') }],
    ['a former name and a later field', { b: int().was('a'), a: int() }],
    ['two former names', { b: int().was('a'), c: int().was('a') }],
    ['one former name twice', { b: int().was('a', 'a') }],
    ['its own former name', { a: int().was('a') }],
  ])('%s', (_what, fields) => {
    expectThrown(() => event('played', fields), 'spec_invalid', '"a"', 'used twice')
    expectThrown(() => context(fields), 'spec_invalid', '"a"', 'used twice')
  })
})

describe('inside other types', () => {
  test('a struct needs a member', () => {
    expectThrown(() => event('played', { a: struct({}) }), 'spec_invalid', 'field a', 'member')
    expectThrown(() => event('played', { a: list(struct({})) }), 'spec_invalid', 'field a')
    expectThrown(() => event('played', { a: struct({ b: struct({}) }) }), 'spec_invalid', 'a.b')
  })

  test.each<[string, Builders]>([
    ['a member of a struct', { a: struct({ b: int().was('c') }) }],
    ['an element of a list', { a: list(int().was('c')) }],
    ['a value of a map', { a: map(int().was('c')) }],
  ])('%s has no former name', (_what, fields) => {
    expectThrown(() => event('played', fields), 'spec_invalid', 'field a')
  })
})
