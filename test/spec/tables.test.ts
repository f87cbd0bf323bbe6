/** Tables: what each field kind is in Iceberg and in DuckDB, nested optionality, and the columns around an event's own. */
import { describe, expect, test } from 'vitest'
import { duckdbType } from '../../src/spec/duckdb-type.ts'
import { ENVELOPE } from '../../src/spec/envelope.ts'
import type { Field, Fields, FieldType } from '../../src/spec/field.ts'
import type { IcebergField, IcebergType } from '../../src/spec/iceberg-type.ts'
import { LEDGER, QUARANTINE } from '../../src/spec/system-tables.ts'
import { batchesTable, eventTable, quarantineTable } from '../../src/spec/tables.ts'
import { lockAfter, optional, required, specSet } from './support.ts'

/** The event's own columns once it has had the fields of each of `steps`. */
function columnsAfter(...steps: readonly Fields[]): readonly IcebergField[] {
  const sets = steps.map((played) => specSet({ played }))
  const specs = sets.at(-1)!
  const table = eventTable(specs.events.get('played')!, specs, lockAfter(...sets))
  expect(table.fields.slice(0, ENVELOPE.length)).toEqual(ENVELOPE)
  return table.fields.slice(ENVELOPE.length)
}

const columnOf = (field: Field): IcebergField => columnsAfter({ it: field })[0]!

describe('a field kind', () => {
  const kinds: readonly (readonly [string, FieldType, IcebergType, string])[] = [
    ['boolean', { kind: 'boolean' }, 'boolean', 'BOOLEAN'],
    ['int', { kind: 'int' }, 'int', 'INTEGER'],
    ['long', { kind: 'long' }, 'long', 'BIGINT'],
    ['double', { kind: 'double' }, 'double', 'DOUBLE'],
    ['decimal', { kind: 'decimal', precision: 9, scale: 2 }, 'decimal(9, 2)', 'DECIMAL(9, 2)'],
    [
      'huge decimal',
      { kind: 'decimal', precision: 38, scale: 38 },
      'decimal(38, 38)',
      'DECIMAL(38, 38)',
    ],
    ['string', { kind: 'string' }, 'string', 'VARCHAR'],
    ['enum', { kind: 'enum', values: ['a'] }, 'string', 'VARCHAR'],
    ['json', { kind: 'json' }, 'string', 'VARCHAR'],
    ['date', { kind: 'date' }, 'date', 'DATE'],
    ['timestamp', { kind: 'timestamp' }, 'timestamptz', 'TIMESTAMP WITH TIME ZONE'],
    ['binary', { kind: 'binary' }, 'binary', 'BLOB'],
    [
      'list',
      { kind: 'list', element: required({ kind: 'enum', values: ['a'] }) },
      { type: 'list', 'element-id': 1001, element: 'string', 'element-required': true },
      'VARCHAR[]',
    ],
    [
      'map',
      { kind: 'map', value: required({ kind: 'timestamp' }) },
      {
        type: 'map',
        'key-id': 1001,
        key: 'string',
        'value-id': 1002,
        value: 'timestamptz',
        'value-required': true,
      },
      'MAP(VARCHAR, TIMESTAMP WITH TIME ZONE)',
    ],
    [
      'struct',
      { kind: 'struct', fields: { b: required({ kind: 'int' }), a: optional({ kind: 'json' }) } },
      {
        type: 'struct',
        fields: [
          { id: 1001, name: 'b', required: false, type: 'int' },
          { id: 1002, name: 'a', required: false, type: 'string' },
        ],
      },
      'STRUCT("b" INTEGER, "a" VARCHAR)',
    ],
  ]

  test.each(kinds)('%s has its type in Iceberg and in DuckDB', (_kind, type, iceberg, duckdb) => {
    const column = columnOf(required(type))
    expect(column).toEqual({ id: 1000, name: 'it', required: false, type: iceberg })
    expect(duckdbType(column.type)).toBe(duckdb)
    expect(columnOf(optional(type))).toEqual(column)
  })

  test.each(kinds.filter(([kind]) => kind !== 'struct'))(
    '%s keeps its type in the column of a removed field',
    (_kind, type, iceberg) => {
      expect(columnsAfter({ it: required(type) }, {})).toEqual([
        { id: 1000, name: 'it', required: false, type: iceberg, doc: 'Removed.' },
      ])
    },
  )

  test('stays optional inside the column of a removed field', () => {
    const [list, map] = columnsAfter(
      {
        a: required({ kind: 'list', element: optional({ kind: 'int' }) }),
        b: required({ kind: 'map', value: optional({ kind: 'int' }) }),
      },
      {},
    )
    expect(list!.type).toHaveProperty('element-required', false)
    expect(map!.type).toHaveProperty('value-required', false)
  })

  test('struct keeps its members in the column of a removed field, by name', () => {
    const [column] = columnsAfter({ it: required(kinds.at(-1)![1]) }, {})
    expect(column).toMatchObject({ id: 1000, name: 'it', required: false })
    expect(column!.type).toEqual({
      type: 'struct',
      fields: [
        { id: 1002, name: 'a', required: false, type: 'string', doc: 'Removed.' },
        { id: 1001, name: 'b', required: false, type: 'int', doc: 'Removed.' },
      ],
    })
  })
})

describe('nested types', () => {
  test('say at each level what may be absent', () => {
    const struct: FieldType = {
      kind: 'struct',
      fields: {
        all: required({ kind: 'list', element: required({ kind: 'int' }) }),
        some: optional({ kind: 'list', element: optional({ kind: 'int' }) }),
      },
    }
    const { type } = columnOf(
      required({
        kind: 'list',
        element: optional({ kind: 'map', value: optional(struct) }),
      }),
    )
    expect(type).toEqual({
      type: 'list',
      'element-id': 1001,
      'element-required': false,
      element: {
        type: 'map',
        'key-id': 1002,
        key: 'string',
        'value-id': 1003,
        'value-required': false,
        value: {
          type: 'struct',
          fields: [
            {
              id: 1004,
              name: 'all',
              required: false,
              type: { type: 'list', 'element-id': 1005, element: 'int', 'element-required': true },
            },
            {
              id: 1006,
              name: 'some',
              required: false,
              type: { type: 'list', 'element-id': 1007, element: 'int', 'element-required': false },
            },
          ],
        },
      },
    })
    expect(duckdbType(type)).toBe('MAP(VARCHAR, STRUCT("all" INTEGER[], "some" INTEGER[]))[]')
  })

  test('keep removed members at the end of their struct', () => {
    const struct = (...names: readonly string[]): Fields => ({
      it: required({
        kind: 'struct',
        fields: Object.fromEntries(names.map((name) => [name, optional({ kind: 'int' })])),
      }),
    })
    const [column] = columnsAfter(struct('a', 'b'), struct('b', 'c'))
    const members = (column!.type as { fields: readonly IcebergField[] }).fields
    expect(members.map(({ id, name, doc }) => [id, name, doc])).toEqual([
      [1002, 'b', undefined],
      [1003, 'c', undefined],
      [1001, 'a', 'Removed.'],
    ])
  })
})

test('DuckDB has the types of headwater’s own columns, and no made-up ones', () => {
  const own = [...ENVELOPE, ...LEDGER, ...QUARANTINE].map(({ type }) => duckdbType(type))
  expect(own).toContain('STRUCT("reason" VARCHAR, "first" BIGINT, "count" BIGINT)[]')
  expect(() => duckdbType('geometry')).toThrow('no DuckDB type for geometry')
})

test('the comment of a column says what the field means, its unit, and what to mind', () => {
  const field = { ...required({ kind: 'int' }), doc: 'Lag.', unit: 'ms', personal: 'habits' }
  expect(columnOf({ ...field, deprecated: 'Use delay.' }).doc).toBe(
    'Lag. Unit: ms. Personal: habits. Deprecated: Use delay.',
  )
  expect(columnOf(required({ kind: 'int' }))).not.toHaveProperty('doc')
})

describe('a table', () => {
  const context = { app: required({ kind: 'string' }), gone: optional({ kind: 'long' }) }
  const before = specSet({ played: { b: required({ kind: 'int' }) } }, context)
  const specs = specSet({ played: { b: required({ kind: 'int' }) } }, { app: context.app })
  const lock = lockAfter(before, specs)

  test('of an event type is the envelope, the context, then its own fields', () => {
    const table = eventTable(specs.events.get('played')!, specs, lock)
    expect(table).toMatchObject({ name: 'played', doc: 'It happens.', partitionBy: 'event_time' })
    expect(table.fields.slice(0, ENVELOPE.length)).toEqual(ENVELOPE)
    expect(table.fields.slice(ENVELOPE.length)).toEqual([
      { id: 100, name: 'app', required: false, type: 'string' },
      { id: 101, name: 'gone', required: false, type: 'long', doc: 'Removed.' },
      { id: 1000, name: 'b', required: false, type: 'int' },
    ])
  })

  test('of batches is the ledger, then the context with the same ids', () => {
    const table = batchesTable(specs, lock)
    expect(table).toMatchObject({ name: 'batches', partitionBy: 'received_at' })
    expect(table.fields.slice(0, LEDGER.length)).toEqual(LEDGER)
    expect(table.fields.slice(LEDGER.length).map(({ id, name }) => [id, name])).toEqual([
      [100, 'app'],
      [101, 'gone'],
    ])
  })

  test('is partitioned by a column that is always there', () => {
    const played = eventTable(specs.events.get('played')!, specs, lock)
    for (const table of [played, batchesTable(specs, lock), quarantineTable()]) {
      const column = table.fields.find(({ name }) => name === table.partitionBy)
      expect(column).toMatchObject({ type: 'timestamptz', required: true })
    }
  })
})
