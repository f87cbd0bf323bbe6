/** Types inferred from specifications; that the lines marked as errors do not compile is checked by tsc. */
import { describe, expect, expectTypeOf, test } from 'vitest'
import {
  binary,
  boolean,
  collectSpecs,
  type ContextOf,
  date,
  decimal,
  defineContext,
  defineEvent,
  double,
  enumOf,
  type EventsOf,
  int,
  json,
  type JsonValue,
  list,
  long,
  map,
  string,
  struct,
  timestamp,
} from '../../src/spec/index.ts'

const specs = {
  context: defineContext({
    doc: 'The app.',
    fields: { app: enumOf('tv', 'web'), member: long().optional() },
  }),
  everyKind: defineEvent('every_kind', {
    doc: 'Every kind.',
    fields: {
      boolean: boolean(),
      int: int(),
      long: long(),
      double: double(),
      decimal: decimal(9, 2),
      string: string(),
      enum: enumOf('red', 'green'),
      date: date(),
      timestamp: timestamp(),
      binary: binary(),
      list: list(int()),
      map: map(string()),
      struct: struct({ a: int(), b: string().optional() }),
      json: json(),
    },
  }),
  everyModifier: defineEvent('every_modifier', {
    doc: 'Every modifier.',
    fields: {
      described: int().doc('It.').unit('ms').personal('It.').deprecated('No.').was('old'),
      bounded: int().min(0).max(9),
      short: string().maxLength(3),
      optional_first: int().optional().min(0).max(9).unit('ms'),
      optional_last: string().maxLength(3).doc('It.').optional(),
      optional_enum: enumOf('red').optional(),
      elements: list(int().optional()),
      values: map(struct({ a: int() }).optional()),
      nested: list(list(boolean())).optional(),
    },
  }),
  empty: defineEvent('empty', { doc: 'Nothing more to say.', fields: {} }),
  colors: ['red', 'green'],
  version: 3,
}

type Events = EventsOf<typeof specs>
type Context = ContextOf<typeof specs>
type EveryKind = Events['every_kind']
type EveryModifier = Events['every_modifier']

/** What a client does with the types. */
function log<N extends keyof Events>(name: N, fields: Events[N]): [N, Events[N]] {
  return [name, fields]
}

const kinds: EveryKind = {
  boolean: true,
  int: 1,
  long: 2n,
  double: 0.5,
  decimal: '1.50',
  string: '',
  enum: 'red',
  date: '2024-02-29',
  timestamp: new Date(0),
  binary: new Uint8Array(1),
  list: [1],
  map: { a: 'b' },
  struct: { a: 1 },
  json: { a: [null] },
}

const modifiers: EveryModifier = {
  described: 1,
  bounded: 1,
  short: '',
  elements: [1, null],
  values: { a: { a: 1 }, b: null },
}

describe('an event type', () => {
  test('is found by its name, other exports are not', () => {
    expectTypeOf<keyof Events>().toEqualTypeOf<'every_kind' | 'every_modifier' | 'empty'>()
  })

  test('has the values of every kind', () => {
    expectTypeOf<EveryKind['boolean']>().toEqualTypeOf<boolean>()
    expectTypeOf<EveryKind['int']>().toEqualTypeOf<number>()
    expectTypeOf<EveryKind['long']>().toEqualTypeOf<number | bigint>()
    expectTypeOf<EveryKind['double']>().toEqualTypeOf<number>()
    expectTypeOf<EveryKind['decimal']>().toEqualTypeOf<string>()
    expectTypeOf<EveryKind['string']>().toEqualTypeOf<string>()
    expectTypeOf<EveryKind['enum']>().toEqualTypeOf<'red' | 'green'>()
    expectTypeOf<EveryKind['date']>().toEqualTypeOf<string>()
    expectTypeOf<EveryKind['timestamp']>().toEqualTypeOf<number | Date>()
    expectTypeOf<EveryKind['binary']>().toEqualTypeOf<Uint8Array>()
    expectTypeOf<EveryKind['list']>().toEqualTypeOf<readonly number[]>()
    expectTypeOf<EveryKind['map']>().toEqualTypeOf<{ readonly [key: string]: string }>()
    expectTypeOf<EveryKind['struct']['a']>().toEqualTypeOf<number>()
    expectTypeOf<EveryKind['struct']['b']>().toEqualTypeOf<string | null | undefined>()
    expectTypeOf<EveryKind['json']>().toEqualTypeOf<JsonValue>()
  })

  test('has the values of every modifier', () => {
    expectTypeOf<EveryModifier['described']>().toEqualTypeOf<number>()
    expectTypeOf<EveryModifier['bounded']>().toEqualTypeOf<number>()
    expectTypeOf<EveryModifier['short']>().toEqualTypeOf<string>()
    expectTypeOf<EveryModifier['optional_first']>().toEqualTypeOf<number | null | undefined>()
    expectTypeOf<EveryModifier['optional_last']>().toEqualTypeOf<string | null | undefined>()
    expectTypeOf<EveryModifier['optional_enum']>().toEqualTypeOf<'red' | null | undefined>()
    expectTypeOf<EveryModifier['elements']>().toEqualTypeOf<readonly (number | null)[]>()
    expectTypeOf<null>().toExtend<EveryModifier['values'][string]>()
    expectTypeOf<NonNullable<EveryModifier['values'][string]>['a']>().toEqualTypeOf<number>()
    expectTypeOf<EveryModifier['nested']>().toEqualTypeOf<
      readonly (readonly boolean[])[] | null | undefined
    >()
  })

  test('validates to the same type', () => {
    const result = specs.everyModifier['~standard'].validate(modifiers)
    expect(result.issues).toBeUndefined()
    if (result.issues === undefined) expectTypeOf(result.value).toEqualTypeOf<EveryModifier>()
    expect(specs.everyKind['~standard'].validate(kinds).issues).toBeUndefined()
  })

  test('takes what fits it', () => {
    expect(log('empty', {})).toEqual(['empty', {}])
    expect(log('every_kind', { ...kinds, long: 1, timestamp: 0 })[0]).toBe('every_kind')
    expect(log('every_modifier', { ...modifiers, optional_first: undefined })[1]).toBeDefined()
  })
})

describe('what must not compile', () => {
  /** The lines are never run: tsc fails where one of them compiles. */
  const expectErrors = (lines: () => unknown): void => expect(lines).toBeTypeOf('function')

  test('an event type', () => {
    expectErrors(() => [
      // @ts-expect-error -- there is no such event type
      log('every_knid', {}),
      // @ts-expect-error -- it is known by its name, not by that of the export
      log('everyKind', kinds),
      // @ts-expect-error -- the context is no event type
      log('context', { app: 'tv' }),
      // @ts-expect-error -- required fields are missing
      log('every_kind', {}),
      // @ts-expect-error -- one required field is missing
      log('every_modifier', { described: 1, bounded: 1, short: '', elements: [] }),
      // @ts-expect-error -- there is no such field
      log('every_modifier', { ...modifiers, unknown: 1 }),
      // @ts-expect-error -- null is no value of a required field
      log('every_modifier', { ...modifiers, described: null }),
      // @ts-expect-error -- nor is undefined
      log('every_modifier', { ...modifiers, described: undefined }),
      // @ts-expect-error -- an old name is for old clients
      log('every_modifier', { ...modifiers, old: 1 }),
    ])
  })

  test('a value of another type', () => {
    expectErrors((): Partial<EveryKind>[] => [
      // @ts-expect-error -- not a boolean
      { boolean: 1 },
      // @ts-expect-error -- an int is no bigint
      { int: 1n },
      // @ts-expect-error -- nor text
      { int: '1' },
      // @ts-expect-error -- wire text is for the wire
      { long: '1' },
      // @ts-expect-error -- not a number
      { double: '0.5' },
      // @ts-expect-error -- a decimal is text
      { decimal: 1.5 },
      // @ts-expect-error -- not a string
      { string: 1 },
      // @ts-expect-error -- not one of the enumeration
      { enum: 'blue' },
      // @ts-expect-error -- a date is text
      { date: new Date(0) },
      // @ts-expect-error -- a timestamp is not
      { timestamp: '2024-02-29' },
      // @ts-expect-error -- bytes, not base64
      { binary: 'AA==' },
      // @ts-expect-error -- an element of another type
      { list: ['1'] },
      // @ts-expect-error -- an absent element
      { list: [null] },
      // @ts-expect-error -- a value of another type in a map
      { map: { a: 1 } },
      // @ts-expect-error -- a member is missing
      { struct: {} },
      // @ts-expect-error -- there is no such member
      { struct: { a: 1, c: 1 } },
      // @ts-expect-error -- JSON has no functions
      { json: () => 1 },
      // @ts-expect-error -- nor bigints
      { json: 1n },
    ])
  })

  test('a declaration', () => {
    expectErrors(() => [
      // @ts-expect-error -- an enumeration has a value
      enumOf(),
      // @ts-expect-error -- a boolean has no order
      boolean().min(1),
      // @ts-expect-error -- nor a length
      boolean().maxLength(1),
      // @ts-expect-error -- a number has no length
      int().maxLength(1),
      // @ts-expect-error -- text has no order
      string().min(1),
      // @ts-expect-error -- a decimal has its digits
      decimal(3),
      // @ts-expect-error -- a list has an element
      list(),
      // @ts-expect-error -- a field is a builder
      defineEvent('a', { doc: 'A.', fields: { a: 'string' } }),
      // @ts-expect-error -- an event type says when it happens
      defineEvent('a', { fields: {} }),
    ])
  })
})

describe('the context', () => {
  test('has its members, each of which may be set later', () => {
    expectTypeOf<Context['app']>().toEqualTypeOf<'tv' | 'web' | undefined>()
    expectTypeOf<Context['member']>().toEqualTypeOf<number | bigint | null | undefined>()
    expectTypeOf<keyof Context>().toEqualTypeOf<'app' | 'member'>()
  })

  test('refuses what it has not', () => {
    const set = (context: Context): Context => context
    expect(set({})).toEqual({})
    expect(set({ app: 'tv', member: null })).toEqual({ app: 'tv', member: null })
    // @ts-expect-error -- there is no such member
    expect(set({ device: 'tv' })).toBeDefined()
    // @ts-expect-error -- not one of the enumeration
    expect(set({ app: 'radio' })).toBeDefined()
    // @ts-expect-error -- a required member is not null
    expect(set({ app: null })).toBeDefined()
  })

  test('is open where none is declared', () => {
    expectTypeOf<ContextOf<{ readonly empty: typeof specs.empty }>>().toEqualTypeOf<
      Readonly<Record<string, unknown>>
    >()
  })

  test('is collected with the event types that the types name', () => {
    const collected = collectSpecs(specs)
    const names = collected.ok ? [...collected.value.events.keys()] : []
    expect(names).toEqual(['empty', 'every_kind', 'every_modifier'] satisfies (keyof Events)[])
  })
})
