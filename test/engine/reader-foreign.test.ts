/** Tables as other engines may leave them: equality deletes, columns that are in no file, files without ids, and what cannot be read. */
import { readFileSync, truncateSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import type { DuckDBConnection } from '@duckdb/node-api'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { HeadwaterError } from '../../src/base/errors.ts'
import { type Duck, openDuck } from '../../src/engine/duckdb/instance.ts'
import { LakeReader } from '../../src/engine/index.ts'
import { unwrap } from '../support/platform.ts'
import { temporaryFolder } from '../support/project.ts'
import { clickhouse, icebergTable } from '../lake/clickhouse.ts'
import { HandTable, openForReading } from './hand-table.ts'

const { folder, remove } = temporaryFolder('reader-foreign')
const root = path.join(folder, '.headwater/lake')
let duck: Duck
let connection: DuckDBConnection

beforeAll(async () => {
  duck = await openDuck({ threads: 1 })
  connection = await duck.connect()
})

afterAll(() => {
  connection.closeSync()
  duck.close()
  remove()
})

async function reading<T>(
  use: (reader: LakeReader, lake: Awaited<ReturnType<typeof openForReading>>) => Promise<T>,
): Promise<T> {
  const lake = await openForReading(root)
  const reader = await LakeReader.open(lake, 1)
  try {
    return await use(reader, lake)
  } finally {
    reader.close()
    await lake.close()
  }
}

const ask = (sql: string): Promise<unknown[][]> =>
  reading(async (reader, lake) =>
    unwrap(await reader.query(lake.state, sql)).rows.map((row) => [...row]),
  )

const failure = (sql: string): Promise<HeadwaterError> =>
  reading(async (reader, lake) => {
    const answer = await reader.query(lake.state, sql)
    if (answer.ok) throw new Error(`it answered ${JSON.stringify(answer.value.rows)}`)
    return answer.error
  })

const field = (id: number, name: string, type: unknown, more: object = {}): object => ({
  id,
  name,
  required: false,
  type,
  ...more,
})

const one = (...fields: readonly object[]): object => ({
  schemas: [{ type: 'struct', 'schema-id': 0, fields }],
  'current-schema-id': 0,
})

test('equality deletes delete what is older, in their partition or everywhere, nulls too', async () => {
  const schema = {
    schemas: [
      {
        type: 'struct',
        'schema-id': 0,
        fields: [
          field(1, 'id', 'long'),
          field(2, 'name', 'string'),
          field(3, 'part', 'string'),
          field(4, 'old', 'int'),
        ],
      },
      {
        type: 'struct',
        'schema-id': 1,
        fields: [field(1, 'key', 'long'), field(2, 'name', 'string'), field(3, 'part', 'string')],
      },
    ],
    'current-schema-id': 0,
    'partition-specs': [
      {
        'spec-id': 0,
        fields: [{ name: 'part', transform: 'identity', 'source-id': 3, 'field-id': 1000 }],
      },
      { 'spec-id': 1, fields: [] },
    ],
  }
  const table = new HandTable(connection, root, 'equality', schema)
  const ids = 'id: 1, name: 2, part: 3, old: 4'
  const rows = (from: number, part: string): string =>
    `select i::bigint as id, case when i % 3 = 0 then null else 'n' || i % 5 end as name, '${part}' as part, (i % 4)::int as old from range(${from}, ${from + 20}) t(i)`
  const data = (from: number, part: string): object => ({
    sql: rows(from, part),
    ids,
    partition: { part },
    more: {},
  })
  const deletes = (sql: string, eq: readonly number[], partition?: string): any => ({
    sql,
    ids: eq.map((id) => `${['', 'id', 'name', 'part', 'old'][id]}: ${id}`).join(', '),
    content: 2,
    specId: partition === undefined ? 1 : 0,
    partition: partition === undefined ? {} : { part: partition },
    more: { equality_ids: eq },
  })
  await table.commit([data(0, 'a'), data(100, 'b')] as any)
  await table.commit([
    data(200, 'a') as any,
    deletes('select 5::bigint as id union all select 105 union all select 205', [1], 'a'),
  ])
  await table.commit([deletes('select null::varchar as name', [2], 'b')])
  await table.publish()
  // ClickHouse knows deletes of one partition; those that are everywhere it passes over.
  const [early] = await ask('select list(id order by id) from equality')
  const [[theirs]] = clickhouse(folder, [
    `select arraySort(groupArray(toInt32(id))) as ids from ${icebergTable('equality')}`,
  ]) as any
  expect((early![0] as string[]).map(Number)).toEqual(theirs.ids)
  await table.commit([
    deletes("select 'n1' as name, 1::int as old union all select 'n2', 2", [2, 4]),
  ])
  await table.commit([data(300, 'a') as any])
  await table.publish()
  const [want] = (
    await connection.runAndReadAll(
      `select list(id order by id) from (
       select *, 1 as seq from (${rows(0, 'a')}) union all select *, 1 from (${rows(100, 'b')}) union all select *, 2 from (${rows(200, 'a')}) union all select *, 5 from (${rows(300, 'a')}))
     where (part = 'a' and seq < 2 and id in (5, 105, 205)) is not true and (part = 'b' and seq < 3 and name is null) is not true
       and (seq < 4 and ((name = 'n1' and old = 1) or (name = 'n2' and old = 2))) is not true`,
    )
  ).getRowsJson() as [[string[]]]
  const kept = want[0].map(Number)
  expect(kept.length).toBeGreaterThan(50)
  expect(kept.length).toBeLessThan(75)
  const [ours] = await ask('select list(id order by id) from equality')
  expect((ours![0] as string[]).map(Number)).toEqual(kept)
  // Columns that are renamed or dropped are compared all the same (ClickHouse gives up on both).
  table.metadata['current-schema-id'] = 1
  await table.publish()
  const [later] = await ask('select list(key order by key) from equality')
  expect((later![0] as string[]).map(Number)).toEqual(kept)
  // Each commit took away what it says, and changes say so.
  expect(
    await ask(
      "select _commit_snapshot_id::int, _change_type, count(*)::int from changes('equality') group by all order by all",
    ),
  ).toEqual([
    [100, 'insert', 40],
    [200, 'delete', 1],
    [200, 'insert', 20],
    [300, 'delete', expect.any(Number)],
    [400, 'delete', expect.any(Number)],
    [500, 'insert', 20],
  ])
  const [[before], [after]] = [
    await ask('select count(*)::int from equality@400'),
    await ask('select count(*)::int from equality'),
  ]
  expect(after![0]).toBe((before![0] as number) + 20)
})

test('members of structs are compared, and position deletes heed partition and age', async () => {
  const struct = { type: 'struct', fields: [field(2, 'a', 'int'), field(3, 'b', 'string')] }
  const table = new HandTable(connection, root, 'members', {
    ...one(field(1, 'id', 'int'), field(4, 's', struct)),
    'partition-specs': [
      {
        'spec-id': 0,
        fields: [{ name: 'p', transform: 'bucket[4]', 'source-id': 1, 'field-id': 1000 }],
      },
    ],
  })
  const data = (from: number, p: number): any => ({
    sql: `select i::int as id, case when i % 5 = 0 then null else {a: i::int % 3, b: 'b'} end as s from range(${from}, ${from + 10}) t(i)`,
    ids: 'id: 1, s: {__duckdb_field_id: 4, a: 2, b: 3}',
    partition: { p },
  })
  const [first, second] = await table.commit([data(0, 0), data(10, 1)])
  const positions = (locations: readonly string[], pos: number, p: number): any => ({
    sql: `select * from (values ${locations.map((location) => `('${location}', ${pos}::bigint)`).join(', ')}) t(file_path, pos)`,
    ids: 'file_path: 2147483546, pos: 2147483545',
    content: 1,
    partition: { p },
  })
  const [third] = await table.commit([data(20, 0), positions([first!, second!], 3, 0)])
  // One that comes with the file it is about applies to it.
  await table.commit([
    positions([third!, first!], 4, 0),
    {
      sql: 'select {a: 1::int} as s',
      ids: 's: {__duckdb_field_id: 4, a: 2}',
      content: 2,
      partition: { p: 1 },
      more: { equality_ids: [2] },
    },
  ])
  await table.publish()
  const gone = new Set([
    3,
    4,
    24,
    ...[10, 11, 12, 13, 14, 15, 16, 17, 18, 19].filter((id) => id % 5 !== 0 && id % 3 === 1),
  ])
  const kept = Array.from({ length: 30 }, (_, id) => id).filter((id) => !gone.has(id))
  expect((await ask('select list(id order by id) from members'))[0]![0]).toEqual(kept)
  expect(
    await ask(
      "select list(id order by id) from changes('members', 200) where _change_type = 'delete'",
    ),
  ).toEqual([[[...gone].filter((id) => id !== 3).toSorted((a, b) => a - b)]])
})

test('a file that is named twice has its rows twice, whether or not rows of it are deleted', async () => {
  const file = { sql: 'select i::bigint as id from range(5) t(i)', ids: 'id: 1' }
  const table = new HandTable(connection, root, 'twice', one(field(1, 'id', 'long')))
  const location = await table.file(file)
  const named = table.manifest(await table.entry(file, location), file, 100, 1)
  table.snapshot([named, { ...named }], 'append')
  await table.publish()
  const asked = 'select count(*)::int, count(distinct id)::int from twice'
  expect(await ask(asked)).toEqual([[10, 5]])
  const theirs = `select toInt64(count()) as n from ${icebergTable('twice')}`
  expect(clickhouse(folder, [theirs])).toEqual([[{ n: 10 }]])
  await table.commit([
    { sql: 'select 3::bigint as id', ids: 'id: 1', content: 2, more: { equality_ids: [1] } },
  ])
  await table.publish()
  expect(await ask(asked)).toEqual([[8, 4]])
})

test('columns that are in no file come from the partition or from their default', async () => {
  const table = new HandTable(connection, root, 'absent', {
    'format-version': 3,
    'next-row-id': 0,
    ...one(
      field(1, 'id', 'int'),
      field(2, 'country', 'string'),
      field(3, 'amount', 'decimal(9, 2)'),
      field(4, 'added', 'int', { 'initial-default': 7, 'write-default': 8 }),
      field(5, 'day', 'date', { 'initial-default': '2020-02-29' }),
      field(6, 'raw', 'binary', { 'initial-default': '00ff' }),
      field(7, 'nothing', 'unknown'),
      field(8, 'exact', 'timestamptz_ns'),
      field(9, 's', {
        type: 'struct',
        fields: [field(10, 'a', 'int'), field(11, 'b', 'string', { 'initial-default': "it's" })],
      }),
      field(12, 'fine', 'timestamp_ns'),
    ),
    'partition-specs': [
      {
        'spec-id': 0,
        fields: [
          { name: 'country', transform: 'identity', 'source-id': 2, 'field-id': 1000 },
          { name: 'amount', transform: 'identity', 'source-id': 3, 'field-id': 1001 },
        ],
      },
    ],
  })
  const ids = 'id: 1, s: {__duckdb_field_id: 9, a: 10}, fine: 12'
  const rows = (from: number): string =>
    `select i::int as id, {a: i::int} as s, make_timestamp_ns(1000000000 + i) as fine from range(${from}, ${from + 2}) t(i)`
  await table.commit([
    { sql: rows(0), ids, partition: { country: "d'e", amount: 150n } },
    { sql: rows(2), ids, partition: { country: null, amount: -5n } },
    {
      sql: "select 9::int as id, 'fr' as country, 1.00::decimal(9,2) as amount, 1::int as added, timestamptz '2026-01-01' as exact",
      ids: 'id: 1, country: 2, amount: 3, added: 4, exact: 8',
      partition: { country: 'fr', amount: 100n },
    },
  ])
  await table.publish()
  expect(
    await ask(
      'select id, country, amount, added, day, raw, nothing, s, fine from absent order by id',
    ),
  ).toEqual([
    [
      0,
      "d'e",
      '1.50',
      7,
      '2020-02-29',
      '\\x00\\xFF',
      null,
      { a: 0, b: "it's" },
      '1970-01-01 00:00:01',
    ],
    [
      1,
      "d'e",
      '1.50',
      7,
      '2020-02-29',
      '\\x00\\xFF',
      null,
      { a: 1, b: "it's" },
      '1970-01-01 00:00:01.000000001',
    ],
    [
      2,
      null,
      '-0.05',
      7,
      '2020-02-29',
      '\\x00\\xFF',
      null,
      { a: 2, b: "it's" },
      '1970-01-01 00:00:01.000000002',
    ],
    [
      3,
      null,
      '-0.05',
      7,
      '2020-02-29',
      '\\x00\\xFF',
      null,
      { a: 3, b: "it's" },
      '1970-01-01 00:00:01.000000003',
    ],
    [9, 'fr', '1.00', 1, '2020-02-29', '\\x00\\xFF', null, null, null],
  ])
  expect(await ask("select count(*)::int from absent where country = 'fr'")).toEqual([[1]])
  expect(await ask('select count(*)::int from absent where country is null')).toEqual([[2]])
  // Instants of nanoseconds would lose their digits: nobody is given them, and everything else is read.
  const said = await failure('select exact from absent')
  expect(said).toMatchObject({ code: 'unsupported', detail: expect.stringContaining('exact') })
})

test('files without field ids are read by a name mapping, and by nothing else', async () => {
  const fields = [
    field(1, 'id', 'int'),
    field(2, 'tags', {
      type: 'list',
      'element-id': 3,
      element: 'string',
      'element-required': false,
    }),
    field(4, 'm', {
      type: 'map',
      'key-id': 5,
      key: 'string',
      'value-id': 6,
      value: 'int',
      'value-required': false,
    }),
    field(7, 's', { type: 'struct', fields: [field(8, 'renamed', 'int')] }),
  ]
  const mapping = [
    { 'field-id': 1, names: ['id', 'ident'] },
    { 'field-id': 2, names: ['tags'], fields: [{ 'field-id': 3, names: ['element'] }] },
    {
      'field-id': 4,
      names: ['m'],
      fields: [
        { 'field-id': 5, names: ['key'] },
        { 'field-id': 6, names: ['value'] },
      ],
    },
    { 'field-id': 7, names: ['s'], fields: [{ 'field-id': 8, names: ['x'] }] },
  ]
  const sql =
    "select 5::int as ident, ['a', null] as tags, map {'k': 1::int} as m, {x: 9::int} as s, 'other' as more"
  for (const [name, properties] of [
    ['mapped', { 'schema.name-mapping.default': JSON.stringify(mapping) }],
    ['unmapped', {}],
  ] as const) {
    const table = new HandTable(connection, root, name, { ...one(...fields), properties })
    await table.commit([{ sql }])
    await table.publish()
  }
  expect(await ask('select * from mapped')).toEqual([
    [5, ['a', null], [{ key: 'k', value: 1 }], { renamed: 9 }],
  ])
  expect(await failure('select id from unmapped')).toMatchObject({
    code: 'unsupported',
    detail: expect.stringContaining('no field ids'),
  })
})

test('what cannot be read is said, with the name of the file', async () => {
  const table = new HandTable(
    connection,
    root,
    'broken',
    one(field(1, 'id', 'int'), field(2, 'n', 'int')),
  )
  const ids = 'id: 1, n: 2'
  const [location] = await table.commit([{ sql: "select 1::int as id, 'text' as n", ids }])
  await table.publish()
  // A column of another type than the schema has is given to nobody.
  expect(await ask('select id from broken')).toEqual([[1]])
  expect(await failure('select n from broken')).toMatchObject({
    code: 'unsupported',
    detail: expect.stringContaining('VARCHAR'),
  })
  const kinds = new HandTable(connection, root, 'kinds', one(field(1, 'id', 'int')))
  await kinds.commit([{ sql: 'select 1::int as id', ids: 'id: 1', more: { file_format: 'AVRO' } }])
  await kinds.publish()
  expect(await failure('select * from kinds')).toMatchObject({
    code: 'unsupported',
    detail: expect.stringContaining('AVRO'),
  })
  await kinds.commit([
    { sql: 'select 1::int as id', ids: 'id: 1', more: { key_metadata: Buffer.from([1]) } },
  ])
  await kinds.publish()
  expect(await failure("select * from changes('kinds', 100)")).toMatchObject({
    code: 'unsupported',
    detail: expect.stringContaining('encrypted'),
  })
  // A data file that is cut, gone, or none.
  const file = fileURLToPath(location!)
  const bytes = readFileSync(file)
  truncateSync(file, bytes.length - 20)
  expect((await failure('select id from broken')).code).toBe('query_failed')
  writeFileSync(file, bytes)
  expect(await ask('select id from broken')).toEqual([[1]])
  // Manifests that are none.
  const [manifest] = (await ask('select path from broken.manifests'))[0] as [string]
  writeFileSync(fileURLToPath(manifest), 'Obj\u0001 nonsense')
  const said = await failure('select id from broken')
  expect(said).toMatchObject({ code: 'lake_invalid', detail: expect.stringContaining(manifest) })
})
