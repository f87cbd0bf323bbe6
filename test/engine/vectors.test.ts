/** Rows of columns reach DuckDB, and through it Parquet, as they were put: every kind of field, nested, null, and across vectors. */
import path from 'node:path'
import type { DuckDBConnection } from '@duckdb/node-api'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { nodeFiles } from '../../src/base/node/files.ts'
import { seededRandom } from '../../src/base/random.ts'
import { columnFor } from '../../src/columns/compile.ts'
import type { RowSet } from '../../src/columns/table.ts'
import { StringColumn } from '../../src/columns/text-column.ts'
import { type Duck, openDuck } from '../../src/engine/duckdb/instance.ts'
import { literal, ParquetWriter } from '../../src/engine/duckdb/parquet.ts'
import { RowsFunction } from '../../src/engine/duckdb/rows-function.ts'
import { TextBoundsOf } from '../../src/engine/duckdb/statistics.ts'
import { Enumerations } from '../../src/engine/duckdb/types.ts'
import { feedOf, VECTOR_ROWS } from '../../src/engine/duckdb/vectors.ts'
import { duckdbType } from '../../src/spec/duckdb-type.ts'
import type { Field, Fields, FieldType } from '../../src/spec/field.ts'
import type { TableSchema } from '../../src/spec/iceberg-type.ts'
import { eventTable } from '../../src/spec/tables.ts'
import { lockAfter, specSet } from '../spec/support.ts'
import { anyField, fittingValue } from '../support/arbitrary.ts'
import { temporaryFolder } from '../support/project.ts'
import { blobShown } from '../support/records.ts'

const { folder, remove } = temporaryFolder('vectors')
let duck: Duck
let connection: DuckDBConnection
let rowsFunction: RowsFunction
let writer: ParquetWriter

beforeAll(async () => {
  duck = await openDuck({ threads: 1 })
  connection = await duck.connect()
  rowsFunction = new RowsFunction(connection)
  writer = new ParquetWriter(connection, rowsFunction, nodeFiles, seededRandom(1))
})
afterAll(() => {
  connection.closeSync()
  duck.close()
  remove()
})

/** The columns that an event type with these fields has, without the envelope. */
function schemaOf(fields: Fields): TableSchema {
  const specs = specSet({ t: fields })
  const table = eventTable(specs.events.get('t')!, specs, lockAfter(specs))
  return { ...table, fields: table.fields.filter(({ name }) => Object.hasOwn(fields, name)) }
}

/** A row set of one column per field, each row of its own, or gathered from the rows of batches. */
function rowsOf(
  fields: Fields,
  values: readonly Readonly<Record<string, unknown>>[],
  batch?: readonly number[],
): RowSet {
  const sources = Object.entries(fields).map(([name, field]) => {
    const column = columnFor(field)
    if (batch !== undefined && column instanceof StringColumn) column.keepCoded()
    column.ensure(values.length)
    values.forEach((row, i) => {
      if (!column.putOne(row[name] ?? null, i))
        throw new Error(`${name} takes no ${JSON.stringify(row[name])}`)
    })
    return { column, ofBatch: batch !== undefined }
  })
  return {
    schema: schemaOf(fields),
    sources,
    rows: batch?.length ?? values.length,
    batch: Uint32Array.from(batch ?? []),
  }
}

type Rows = readonly (readonly unknown[])[]

/** What DuckDB reads: straight from the columns, and from the Parquet file that it makes of them. */
async function read(rows: RowSet): Promise<{ straight: Rows; parquet: Rows }> {
  const select = rows.schema.fields.map(
    ({ name, type }) => `CAST("${name}" AS ${duckdbType(type)})`,
  )
  const straight = await rowsFunction.offer(feedOf(rows, new Enumerations()), async (relation) =>
    (await connection.runAndReadAll(`SELECT ${select.join(', ')} FROM ${relation}`)).getRowsJson(),
  )
  const scope = { enumerations: new Enumerations(), textBounds: new TextBoundsOf() }
  const { path: file } = await writer.write(rows, folder, 0, scope)
  const reader = await connection.runAndReadAll(`SELECT * FROM read_parquet(${literal(file)})`)
  return { straight, parquet: reader.getRowsJson() }
}

/** A wire value as DuckDB writes it in JSON. */
function shown(type: FieldType, value: unknown): unknown {
  if (value === null || value === undefined) return null
  switch (type.kind) {
    case 'boolean':
    case 'int':
    case 'string':
    case 'enum':
      return value
    case 'double':
      return (value as number) + 0
    case 'long':
      return `${value as number | string}`
    case 'decimal':
      return decimalShown(value as string, type.scale)
    case 'date':
      return value
    case 'timestamp':
      return timestampShown(value as number)
    case 'binary':
      return blobShown(Buffer.from(value as string, 'base64'))
    case 'json':
      return JSON.stringify(value)
    case 'list':
      return (value as unknown[]).map((item) => shown(type.element.type, item))
    case 'map':
      return Object.entries(value).map(([key, item]) => ({
        key,
        value: shown(type.value.type, item),
      }))
    case 'struct':
      return Object.fromEntries(
        Object.entries(type.fields).map(([name, member]) => [
          name,
          shown(member.type, (value as Record<string, unknown>)[name]),
        ]),
      )
  }
}

function decimalShown(text: string, scale: number): string {
  const [, sign, whole, fraction = ''] = /^(-?)0*(\d*)(?:\.(\d*))?$/.exec(text)!
  const zero = /^0*$/.test(whole! + fraction)
  const digits = `${whole === '' ? '0' : whole}${scale === 0 ? '' : `.${fraction.padEnd(scale, '0')}`}`
  return zero ? digits : sign + digits
}

function timestampShown(ms: number): string {
  const [day, time] = new Date(ms).toISOString().split('T') as [string, string]
  const seconds = time
    .replace('Z', '')
    .replace(/0+$/, '')
    .replace(/[.:]$/, (end) => (end === ':' ? ':00' : ''))
  return `${day} ${seconds.length < 8 ? seconds.padEnd(8, '0') : seconds}+00`
}

const aTable = fc.dictionary(fc.constantFrom('a', 'b', 'position', 'order'), anyField, {
  minKeys: 1,
  noNullPrototype: true,
})
const aRow = (fields: Fields): fc.Arbitrary<Record<string, unknown>> =>
  fc.record(
    Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, fittingValue(field)])),
  )

const expected = (fields: Fields, rows: readonly Readonly<Record<string, unknown>>[]): Rows =>
  rows.map((row) => Object.entries(fields).map(([name, field]) => shown(field.type, row[name])))

describe('rows are read as they were put', () => {
  test('whatever their fields and values are', { timeout: 60_000 }, async () => {
    const cases = aTable.chain((fields) =>
      fc.tuple(fc.constant(fields), fc.array(aRow(fields), { minLength: 1, maxLength: 20 })),
    )
    await fc.assert(
      fc.asyncProperty(cases, async ([fields, values]) => {
        const { straight, parquet } = await read(rowsOf(fields, values))
        expect(straight).toEqual(expected(fields, values))
        expect(parquet).toEqual(straight)
      }),
      { numRuns: 60, seed: 11 },
    )
  })

  test(
    'also gathered from the rows of their batches, in any order and any number of times',
    { timeout: 60_000 },
    async () => {
      const scalar = anyField.filter(({ type }) => !['list', 'map', 'struct'].includes(type.kind))
      const cases = fc
        .dictionary(fc.constantFrom('a', 'b'), scalar, { minKeys: 1, noNullPrototype: true })
        .chain((fields) =>
          fc
            .array(aRow(fields), { minLength: 1, maxLength: 9 })
            .chain((values) =>
              fc.tuple(
                fc.constant(fields),
                fc.constant(values),
                fc.array(fc.nat(values.length - 1), { minLength: 1, maxLength: 30 }),
              ),
            ),
        )
      await fc.assert(
        fc.asyncProperty(cases, async ([fields, values, batch]) => {
          const { straight, parquet } = await read(rowsOf(fields, values, batch))
          expect(straight).toEqual(
            expected(
              fields,
              batch.map((row) => values[row]!),
            ),
          )
          expect(parquet).toEqual(straight)
        }),
        { numRuns: 40, seed: 12 },
      )
    },
  )

  test('across the vectors of many rows', async () => {
    const string: Field = { type: { kind: 'string' }, optional: true }
    const struct: Field = {
      type: {
        kind: 'struct',
        fields: { x: { type: { kind: 'long' }, optional: true }, y: string },
      },
      optional: true,
    }
    const fields = {
      number: { type: { kind: 'int' }, optional: true } as Field,
      few: string,
      many: string,
      list: { type: { kind: 'list', element: struct }, optional: true } as Field,
      map: {
        type: { kind: 'map', value: { type: { kind: 'double' }, optional: true } },
        optional: true,
      } as Field,
    }
    const values = Array.from({ length: 2 * VECTOR_ROWS + 77 }, (_, i) => ({
      number: i % 3 === 0 ? null : i,
      few: i % 5 === 0 ? null : `few ${i % 4}`,
      many: `many ${i}`,
      list:
        i % 7 === 0
          ? null
          : Array.from({ length: i % 4 }, (_each, j) =>
              j === 2 ? null : { x: i + j, y: i % 2 === 0 ? null : `${i}` },
            ),
      map:
        i % 11 === 0
          ? null
          : Object.fromEntries(
              Array.from({ length: i % 3 }, (_each, j) => [`key ${j}`, j === 1 ? null : i / 4]),
            ),
    }))
    const { straight, parquet } = await read(rowsOf(fields, values))
    expect(straight).toEqual(expected(fields, values))
    expect(parquet).toEqual(straight)
  })
})

test('files name every column by its permanent id, children included', async () => {
  const fields: Fields = {
    a: {
      type: {
        kind: 'list',
        element: {
          type: { kind: 'struct', fields: { x: { type: { kind: 'int' }, optional: true } } },
          optional: true,
        },
      },
      optional: true,
    },
    b: { type: { kind: 'map', value: { type: { kind: 'long' }, optional: true } }, optional: true },
  }
  const rows = rowsOf(fields, [{ a: [{ x: 1 }], b: { k: 1 } }])
  const scope = { enumerations: new Enumerations(), textBounds: new TextBoundsOf() }
  const { path: file } = await writer.write(rows, folder, 0, scope)
  expect(path.dirname(file)).toBe(folder)
  const answer = await connection.runAndReadAll(
    `SELECT field_id FROM parquet_schema(${literal(file)}) WHERE field_id IS NOT NULL`,
  )
  const ids = answer.getRowsJson().map(([id]) => Number(id))
  const flat = JSON.stringify(rows.schema.fields)
  const declared = [...flat.matchAll(/"(?:id|element-id|key-id|value-id)":(\d+)/g)].map((match) =>
    Number(match[1]),
  )
  expect(declared).toHaveLength(new Set(declared).size)
  expect(ids.toSorted((one, other) => one - other)).toEqual(
    declared.toSorted((one, other) => one - other),
  )
})
