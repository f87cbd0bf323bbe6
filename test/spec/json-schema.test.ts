/** JSON Schema of specifications: the schema of every kind and modifier, and that it takes whatever the collector takes. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { limits } from '../../src/base/limits.ts'
import type { Builder } from '../../src/spec/build.ts'
import { problemOf } from '../../src/spec/check.ts'
import type { Field } from '../../src/spec/field.ts'
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
  type JsonSchema,
  jsonSchemaOf,
  list,
  long,
  map,
  string,
  struct,
  timestamp,
} from '../../src/spec/index.ts'
import { anyField, anyWireValue, fittingValue } from '../support/arbitrary.ts'

function schemaOf(field: Field): JsonSchema {
  const event = { spec: 'event', name: 'played', doc: '', fields: { it: field } } as const
  return jsonSchemaOf(event).properties!['it']!
}

const text = { type: 'string', maxLength: limits.stringLengthMax }
const safe = { minimum: Number.MIN_SAFE_INTEGER, maximum: Number.MAX_SAFE_INTEGER }
const longText = '^-?[0-9]{1,19}$'
const ints = { minimum: -(2 ** 31), maximum: 2 ** 31 - 1 }

describe('a field', () => {
  test.each<[string, Builder, object]>([
    ['boolean', boolean(), { type: 'boolean' }],
    ['int', int(), { type: 'integer', ...ints }],
    ['int in a range', int().min(0).max(9), { type: 'integer', minimum: 0, maximum: 9 }],
    ['int in too wide a range', int().min(-1e12).max(1e12), { type: 'integer', ...ints }],
    ['long', long(), { type: ['integer', 'string'], ...safe, pattern: longText }],
    [
      'long in a range',
      long().min(0).max(1e18),
      {
        type: ['integer', 'string'],
        minimum: 0,
        maximum: safe.maximum,
        pattern: longText,
        'headwater:min': 0,
        'headwater:max': 1e18,
      },
    ],
    ['double', double(), { type: 'number' }],
    ['double in a range', double().min(-1).max(0), { type: 'number', minimum: -1, maximum: 0 }],
    ['timestamp', timestamp(), { type: 'number' }],
    ['timestamp since', timestamp().min(5), { type: 'number', minimum: 5 }],
    [
      'decimal',
      decimal(9, 2).max(10),
      { type: 'string', pattern: '^-?0*[0-9]{1,7}(\\.[0-9]{1,2})?$', 'headwater:max': 10 },
    ],
    ['whole decimal', decimal(3, 0), { type: 'string', pattern: '^-?0*[0-9]{1,3}$' }],
    ['fraction', decimal(3, 3), { type: 'string', pattern: '^-?0+(\\.[0-9]{1,3})?$' }],
    ['string', string(), text],
    ['short string', string().maxLength(2), { type: 'string', maxLength: 2 }],
    ['enum', enumOf('a', 'b'), { type: 'string', enum: ['a', 'b'] }],
    ['date', date(), { type: 'string', format: 'date', pattern: '^[0-9]{4}-[0-9]{2}-[0-9]{2}$' }],
    ['binary', binary(), { type: 'string', contentEncoding: 'base64' }],
    [
      'short binary',
      binary().maxLength(4),
      { type: 'string', contentEncoding: 'base64', maxLength: 8 },
    ],
    [
      'json',
      json().maxLength(9),
      { type: ['array', 'boolean', 'number', 'object', 'string'], 'headwater:maxLength': 9 },
    ],
    [
      'list',
      list(boolean().optional()),
      { type: 'array', items: { type: ['boolean', 'null'] }, maxItems: limits.listElementsMax },
    ],
    ['short list', list(string()).maxLength(2), { type: 'array', items: text, maxItems: 2 }],
    [
      'map',
      map(boolean()).maxLength(2),
      {
        type: 'object',
        additionalProperties: { type: 'boolean' },
        propertyNames: { maxLength: limits.stringLengthMax },
        maxProperties: 2,
      },
    ],
    [
      'struct',
      struct({ a: boolean().doc('Of a.'), b: boolean().optional() }),
      {
        type: 'object',
        properties: {
          a: { type: 'boolean', description: 'Of a.' },
          b: { type: ['boolean', 'null'] },
        },
        required: ['a'],
        additionalProperties: false,
      },
    ],
  ])('of kind %s', (_kind, builder, schema) => {
    expect(schemaOf(builder.field)).toEqual(schema)
  })

  test('may be null where it is optional', () => {
    expect(schemaOf(int().optional().field).type).toEqual(['integer', 'null'])
    expect(schemaOf(long().optional().field).type).toEqual(['integer', 'string', 'null'])
    expect(schemaOf(enumOf('a').optional().field)).toEqual({
      type: ['string', 'null'],
      enum: ['a', null],
    })
  })

  test('says what it means, for people and for programs', () => {
    const field = boolean().doc('It.').unit('ms').personal('habits').deprecated('No.').was('a', 'b')
    expect(schemaOf(field.field)).toEqual({
      type: 'boolean',
      description: 'It. Unit: ms. Personal: habits. Deprecated: No.',
      deprecated: true,
      'headwater:unit': 'ms',
      'headwater:personal': 'habits',
      'headwater:was': ['a', 'b'],
    })
  })
})

const draft = 'https://json-schema.org/draft/2020-12/schema'

test('an event type is an object of its fields', () => {
  const played = defineEvent('played', {
    doc: 'It plays.',
    owner: 'playback',
    deprecated: 'Use started.',
    was: ['play'],
    fields: { a: boolean(), b: boolean().optional() },
  })
  expect(jsonSchemaOf(played)).toEqual({
    $schema: draft,
    title: 'played',
    description: 'It plays. Deprecated: Use started.',
    deprecated: true,
    type: 'object',
    properties: { a: { type: 'boolean' }, b: { type: ['boolean', 'null'] } },
    required: ['a'],
    additionalProperties: false,
    'headwater:owner': 'playback',
    'headwater:was': ['play'],
  })
})

test('the context is one too', () => {
  const context = defineContext({ doc: 'The app.', fields: { app: boolean() } })
  expect(jsonSchemaOf(context)).toEqual({
    $schema: draft,
    title: 'context',
    description: 'The app.',
    type: 'object',
    properties: { app: { type: 'boolean' } },
    required: ['app'],
    additionalProperties: false,
  })
})

/** Keywords of draft 2020-12 that constrain, by the type of value that they constrain. */
const constraints: Readonly<Record<string, readonly string[]>> = {
  integer: ['minimum', 'maximum'],
  number: ['minimum', 'maximum'],
  string: ['enum', 'pattern', 'maxLength', 'format', 'contentEncoding'],
  array: ['items', 'maxItems'],
  object: ['properties', 'required', 'additionalProperties', 'propertyNames', 'maxProperties'],
  boolean: [],
  null: ['enum'],
}
const annotations = ['type', 'title', 'description', 'deprecated']

/** Keywords that are undefined, unknown, or of a type that the schema does not allow. */
function strangers(schema: JsonSchema): string[] {
  const types = [schema.type].flat()
  const known = new Set([...annotations, ...types.flatMap((type) => constraints[type] ?? ['?'])])
  const own = Object.entries(schema)
    .filter(([keyword, value]) => value === undefined || !known.has(keyword))
    .filter(([keyword]) => !keyword.startsWith('headwater:'))
    .map(([keyword]) => keyword)
  const { items, additionalProperties, properties = {} } = schema
  const inner = [items, additionalProperties, ...Object.values(properties)]
  return [...own, ...inner.flatMap((each) => (each ? strangers(each) : []))]
}

/** Whether a value fits, as draft 2020-12 says of the keywords that are used; format is an annotation there. */
function fits(schema: JsonSchema, value: unknown): boolean {
  const types = [schema.type].flat()
  const integer = Number.isInteger(value) && types.includes('integer')
  const type = value === null ? 'null' : Array.isArray(value) ? 'array' : typeof value
  if (!integer && !types.some((each) => each === type)) return false
  if (schema.enum !== undefined && !schema.enum.includes(value as string | null)) return false
  if (typeof value === 'number') {
    return value >= (schema.minimum ?? -Infinity) && value <= (schema.maximum ?? Infinity)
  }
  if (typeof value === 'string') {
    const { pattern = '', maxLength = Infinity } = schema
    return new RegExp(pattern, 'u').test(value) && Array.from(value).length <= maxLength
  }
  if (Array.isArray(value)) {
    const { items, maxItems = Infinity } = schema
    return value.length <= maxItems && value.every((item) => !items || fits(items, item))
  }
  return typeof value !== 'object' || value === null || membersFit(schema, value)
}

function membersFit(schema: JsonSchema, object: object): boolean {
  const { properties = {}, required = [], additionalProperties: rest, maxProperties } = schema
  if (Object.keys(object).length > (maxProperties ?? Infinity)) return false
  if (!required.every((name) => Object.hasOwn(object, name))) return false
  return Object.entries(object).every(([name, member]) => {
    const known = Object.hasOwn(properties, name) ? properties[name]! : rest
    return known === undefined || (known !== false && fits(known, member))
  })
}

test('every field has a schema of known keywords', () => {
  fc.assert(
    fc.property(anyField, (field) => {
      const schema = schemaOf(field)
      expect(strangers(schema)).toEqual([])
      expect(JSON.parse(JSON.stringify(schema))).toEqual(schema)
    }),
    { numRuns: 500 },
  )
})

test('what the collector takes, the schema takes', () => {
  const cases = anyField.chain((field) =>
    fc.tuple(fc.constant(field), fc.oneof(fittingValue(field), anyWireValue)),
  )
  fc.assert(
    fc.property(cases, ([field, value]) => {
      if (problemOf(field, value) === undefined) expect(fits(schemaOf(field), value)).toBe(true)
    }),
    { numRuns: 1500 },
  )
})

test.each<[string, Builder, unknown]>([
  ['a fraction', int(), 1.5],
  ['33 bits', int(), 2 ** 31],
  ['a number below the least', int().min(3), 2],
  ['a long that a number cannot hold', long(), 2 ** 53],
  ['text for a long', long(), '1e3'],
  ['too many digits', decimal(4, 2), '123.45'],
  ['too many digits behind the point', decimal(4, 2), '1.234'],
  ['a decimal as a number', decimal(4, 2), 1.5],
  ['a long text', string().maxLength(2), 'abc'],
  ['another value', enumOf('a'), 'b'],
  ['a date in words', date(), '24 November'],
  ['long bytes', binary().maxLength(3), 'AAAAAAAA'],
  ['null for json', json(), null],
  ['a bad element', list(int()), ['a']],
  ['too many elements', list(int()).maxLength(1), [1, 2]],
  ['a bad value', map(int()), { a: 'b' }],
  ['too many entries', map(int()).maxLength(0), { a: 1 }],
  ['a missing member', struct({ a: int() }), {}],
  ['an unknown member', struct({ a: int() }), { a: 1, b: 2 }],
  ['null for what is required', boolean(), null],
])('the schema refuses %s, as the collector does', (_what, { field }, value) => {
  expect(problemOf(field, value)).toBeDefined()
  expect(fits(schemaOf(field), value)).toBe(false)
})
