/** Generators of fields and of wire values, fitting and not. */
import fc from 'fast-check'
import type { Field, FieldType } from '../../src/spec/field.ts'

const scalarType: fc.Arbitrary<FieldType> = fc.oneof(
  fc.constantFrom<FieldType>(
    { kind: 'boolean' },
    { kind: 'int' },
    { kind: 'long' },
    { kind: 'double' },
    { kind: 'string' },
    { kind: 'date' },
    { kind: 'timestamp' },
    { kind: 'binary' },
    { kind: 'json' },
    { kind: 'enum', values: ['red', 'green'] },
  ),
  fc.tuple(fc.integer({ min: 1, max: 38 }), fc.nat(38)).map(([precision, scale]) => ({
    kind: 'decimal' as const,
    precision,
    scale: Math.min(scale, precision),
  })),
)

const { field } = fc.letrec<{ field: Field; type: FieldType }>((tie) => ({
  field: fc.record({
    type: tie('type'),
    optional: fc.boolean(),
  }) as fc.Arbitrary<Field>,
  type: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    scalarType,
    tie('field').map((element) => ({ kind: 'list' as const, element })),
    tie('field').map((value) => ({ kind: 'map' as const, value })),
    fc
      .dictionary(fc.constantFrom('a', 'b', 'c'), tie('field'), {
        minKeys: 1,
        noNullPrototype: true,
      })
      .map((fields) => ({ kind: 'struct' as const, fields })),
  ),
}))

/** Any field, nested ones included. */
export const anyField: fc.Arbitrary<Field> = field

/** Values that fit `wanted`, as they travel. */
export function fittingValue(wanted: Field): fc.Arbitrary<unknown> {
  const value = fittingType(wanted.type)
  return wanted.optional ? fc.option(value) : value
}

function fittingType(type: FieldType): fc.Arbitrary<unknown> {
  switch (type.kind) {
    case 'boolean':
      return fc.boolean()
    case 'int':
      return fc.integer()
    case 'long':
      return fc.oneof(
        fc.maxSafeInteger(),
        fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String),
      )
    case 'double':
      return fc.double({ noNaN: true, noDefaultInfinity: true })
    case 'decimal':
      return decimalText(type.precision, type.scale)
    case 'string':
      return fc.string({ unit: 'binary', maxLength: 20 })
    case 'enum':
      return fc.constantFrom(...type.values)
    case 'date':
      return fc
        .integer({ min: -700_000, max: 2_900_000 })
        .map((day) => new Date(day * 86_400_000).toISOString().slice(0, 10))
    case 'timestamp':
      return fc.integer({ min: -(2 ** 42), max: 2 ** 42 })
    case 'binary':
      return fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes).toString('base64'))
    case 'json':
      return fc.jsonValue({ maxDepth: 3 }).filter((value) => value !== null)
    case 'list':
      return fc.array(fittingValue(type.element), { maxLength: 4 })
    case 'map':
      return fc.dictionary(fc.string({ unit: 'binary', maxLength: 5 }), fittingValue(type.value), {
        maxKeys: 4,
        noNullPrototype: true,
      })
    case 'struct':
      return fc.record(
        Object.fromEntries(
          Object.entries(type.fields).map(([name, member]) => [name, fittingValue(member)]),
        ),
        { noNullPrototype: true },
      )
  }
}

function decimalText(precision: number, scale: number): fc.Arbitrary<string> {
  return fc
    .bigInt({ min: -(10n ** BigInt(precision)) + 1n, max: 10n ** BigInt(precision) - 1n })
    .map((unscaled) => {
      const digits = (unscaled < 0n ? -unscaled : unscaled).toString().padStart(scale + 1, '0')
      const text = scale === 0 ? digits : `${digits.slice(0, -scale)}.${digits.slice(-scale)}`
      return unscaled < 0n ? `-${text}` : text
    })
}

/** Any value that JSON can carry, lone surrogates included. */
export const anyWireValue: fc.Arbitrary<unknown> = fc.oneof(
  fc.jsonValue({ maxDepth: 2 }),
  fc.constantFrom(
    '\ud800',
    '12',
    '2024-02-30',
    '2024-02-29',
    'AA==',
    'AB==',
    'red',
    1.5,
    2 ** 31,
    2 ** 53,
    -0,
  ),
  fc.integer(),
)
