/** Spark deletes, updates and merges by position deletes and deletion vectors; headwater reads what is left, and what changed. */
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openDuck } from '../../src/engine/duckdb/instance.ts'
import { LakeReader } from '../../src/engine/index.ts'
import { startCatalog, type TestCatalog } from '../lake/catalog.ts'
import { javaIsThere } from '../support/java/artifacts.ts'
import { type Spark, startSpark } from '../support/java/spark.ts'
import { unwrap } from '../support/platform.ts'
import { temporaryFolder } from '../support/project.ts'
import { type HandFile, HandTable } from './hand-table.ts'

const { folder, remove } = temporaryFolder('reader-spark')
afterAll(remove)

describe.skipIf(!javaIsThere())('Spark', () => {
  let catalog: TestCatalog
  let reader: LakeReader
  let spark: Spark

  beforeAll(async () => {
    catalog = await startCatalog(path.join(folder, 'lake'))
    reader = await LakeReader.open(catalog.lake, 2)
    spark = await startSpark(catalog.uri)
    await spark.sql('create namespace ns')
  }, 300_000)

  afterAll(async () => {
    await spark.stop()
    reader.close()
    await catalog.close()
  })

  async function ask(sql: string): Promise<unknown[][]> {
    return unwrap(await reader.query(await catalog.lake.refresh(), sql)).rows.map((row) => [...row])
  }

  /** What both engines say of a table now. */
  async function same(table: string): Promise<void> {
    const ours = await ask(
      `select count(*)::int, sum(id)::int, count(distinct name)::int, sum(coalesce(st.a, -1))::int from ns.${table}`,
    )
    const [theirs] = await spark.sql(
      `select count(*) as n, sum(id) as s, count(distinct name) as d, sum(coalesce(st.a, -1)) as a from lake.ns.${table}`,
    )
    expect(ours).toEqual([Object.values(theirs!)])
  }

  for (const version of [2, 3] as const) {
    const kind = version === 2 ? 'position deletes' : 'deletion vectors'
    test(`deletes by ${kind}`, { timeout: 300_000 }, async () => {
      const table = `mor${version}`
      const name = `lake.ns.${table}`
      await spark.sql(
        `create table ${name} (id bigint, name string, at timestamp, st struct<a: int, b: string>) partitioned by (days(at), bucket(3, id))
         tblproperties ('format-version'='${version}', 'write.delete.mode'='merge-on-read', 'write.update.mode'='merge-on-read', 'write.merge.mode'='merge-on-read')`,
      )
      for (const day of [1, 2, 3]) {
        await spark.sql(
          `insert into ${name} select id, concat('n', id % 7), timestamp'2026-03-0${day} 10:00:00' + make_interval(0,0,0,0,0,id), named_struct('a', cast(id as int), 'b', 'x')
           from range(${day * 100}, ${day * 100 + 100})`,
        )
      }
      await same(table)
      const steps = [
        `delete from ${name} where id % 10 = 3`,
        `update ${name} set name = 'changed' where id between 150 and 160`,
        `delete from ${name} where id % 10 = 4 and id < 200`,
        `alter table ${name} add column note string`,
        `alter table ${name} rename column st.b to c`,
        `merge into ${name} t using (select id + 50 as id from range(100, 300)) s on t.id = s.id
         when matched and t.id % 2 = 0 then delete when matched then update set note = 'odd'
         when not matched then insert (id, name) values (s.id, 'new')`,
        `alter table ${name} drop partition field bucket(3, id)`,
        `insert into ${name} (id, name) values (9999, 'late')`,
        `delete from ${name} where name = 'n1'`,
      ]
      for (const step of steps) {
        await spark.sql(step)
        await same(table)
      }
      const files = await ask(
        `select content, file_format, count(*)::int from ns.${table}.files group by all order by all`,
      )
      expect(files.map(([content, format]) => [content, format])).toEqual([
        [0, 'PARQUET'],
        [1, version === 2 ? 'PARQUET' : 'PUFFIN'],
      ])
      // Every snapshot, as both see it.
      const snapshots = await ask(
        `select snapshot_id from ns.${table}.snapshots order by committed_at`,
      )
      expect(snapshots.length).toBeGreaterThan(7)
      for (const [id] of snapshots) {
        const ours = await ask(
          `select count(*)::int, sum(id)::int from ns.${table} for version as of ${String(id)}`,
        )
        const [theirs] = await spark.sql(
          `select count(*) as n, sum(id) as s from ${name} version as of ${String(id)}`,
        )
        expect(ours).toEqual([Object.values(theirs!)])
      }
      // Changes bring each snapshot to the next: what came less what went.
      const first = String(snapshots[0]![0])
      const [counted] = await ask(
        `select count(*) filter (where _change_type = 'insert')::int - count(*) filter (where _change_type = 'delete')::int,
          sum(id) filter (where _change_type = 'insert')::int - coalesce(sum(id) filter (where _change_type = 'delete'), 0)::int
         from changes('ns.${table}', ${first})`,
      )
      const [now] = await ask(`select count(*)::int, sum(id)::int from ns.${table}`)
      const [then] = await ask(`select count(*)::int, sum(id)::int from ns.${table}@${first}`)
      expect(counted).toEqual([
        (now![0] as number) - (then![0] as number),
        (now![1] as number) - (then![1] as number),
      ])
      await spark.sql(
        `call lake.system.rewrite_data_files(table => 'ns.${table}', options => map('rewrite-all', 'true'))`,
      )
      await same(table)
      const [before, after] = (
        await ask(
          `select snapshot_id from ns.${table}.snapshots order by committed_at desc limit 2`,
        )
      ).toReversed()
      expect(
        await ask(
          `select count(*)::int from changes('ns.${table}', ${String(before![0])}, ${String(after![0])})`,
        ),
      ).toEqual([[0]])
    })
  }

  test(
    'rewrites files on delete: the changes are the rows that went',
    { timeout: 120_000 },
    async () => {
      await spark.sql(
        `create table lake.ns.cow (id bigint, name string) tblproperties ('write.delete.mode'='copy-on-write', 'write.update.mode'='copy-on-write')`,
      )
      await spark.sql(`insert into lake.ns.cow select id, concat('n', id) from range(0, 100)`)
      await spark.sql(`delete from lake.ns.cow where id < 3`)
      await spark.sql(`update lake.ns.cow set name = 'x' where id = 50`)
      const [first] = await ask('select snapshot_id from ns.cow.snapshots order by committed_at')
      expect(
        await ask(
          `select _change_ordinal, _change_type, id::int, name from changes('ns.cow', ${String(first![0])}) order by all`,
        ),
      ).toEqual([
        [0, 'delete', 0, 'n0'],
        [0, 'delete', 1, 'n1'],
        [0, 'delete', 2, 'n2'],
        [1, 'delete', 50, 'n50'],
        [1, 'insert', 50, 'x'],
      ])
      expect(
        await ask(
          `select count(*)::int, count(distinct _commit_snapshot_id)::int from changes('ns.cow')`,
        ),
      ).toEqual([[105, 3]])
    },
  )

  test('of format version 1, and members that prune', { timeout: 120_000 }, async () => {
    await spark.sql(
      `create table lake.ns.one (id int, at timestamp_ntz, st struct<a: int>) partitioned by (truncate(10, id)) tblproperties ('format-version'='1')`,
    )
    await spark.sql(
      `insert into lake.ns.one select cast(id as int), timestamp_ntz'2026-01-01 00:00:00', named_struct('a', cast(id as int)) from range(0, 50)`,
    )
    await spark.sql(`alter table lake.ns.one alter column id type bigint`)
    await spark.sql(`insert into lake.ns.one values (4000000000, null, null)`)
    await spark.sql(`delete from lake.ns.one where id = 7`)
    expect(
      await ask('select count(*)::int, sum(id)::bigint, min("at")::varchar from ns.one'),
    ).toEqual([[50, '4000001218', '2026-01-01 00:00:00']])
    const plans = unwrap(
      await reader.explain(catalog.lake.state, 'select * from ns.one where st.a = 25'),
    )
    // The one, and one of a row without the struct, of which nothing is known.
    expect(plans[0]!.files).toBe(2)
    expect(await ask('select id::int from ns.one where st.a = 25')).toEqual([[25]])
    await spark.sql(
      `alter table lake.ns.one set tblproperties ('format-version'='2', 'write.delete.mode'='merge-on-read')`,
    )
    await spark.sql(`delete from lake.ns.one where id = 8`)
    expect(await ask('select count(*)::int from ns.one')).toEqual([[49]])
  })

  test(
    'finds what equality deletes by hand leave, as headwater does',
    { timeout: 120_000 },
    async () => {
      const duck = await openDuck({ threads: 1 })
      const connection = await duck.connect()
      const fields = [
        ['id', 'long'],
        ['name', 'string'],
        ['part', 'string'],
      ].map(([name, type], i) => ({
        id: i + 1,
        name,
        required: false,
        type,
      }))
      const table = new HandTable(connection, path.join(folder, 'lake'), 'equality', {
        schemas: [{ type: 'struct', 'schema-id': 0, fields }],
        'current-schema-id': 0,
        'partition-specs': [
          {
            'spec-id': 0,
            fields: [{ name: 'part', transform: 'identity', 'source-id': 3, 'field-id': 1000 }],
          },
          { 'spec-id': 1, fields: [] },
        ],
      })
      const data = (from: number, part: string): HandFile => ({
        sql: `select i::bigint as id, case when i % 3 = 0 then null else 'n' || i % 5 end as name, '${part}' as part from range(${from}, ${from + 30}) t(i)`,
        ids: 'id: 1, name: 2, part: 3',
        partition: { part },
      })
      const gone = (
        sql: string,
        ids: string,
        equality: readonly number[],
        part?: string,
      ): HandFile => ({
        sql,
        ids,
        content: 2,
        specId: part === undefined ? 1 : 0,
        partition: part === undefined ? {} : { part },
        more: { equality_ids: equality },
      })
      await table.commit([data(0, 'a'), data(100, 'b')])
      await table.commit([
        data(200, 'a'),
        gone('select 5::bigint as id union all select 105 union all select 205', 'id: 1', [1], 'a'),
      ])
      await table.commit([gone('select null::varchar as name', 'name: 2', [2], 'b')])
      await table.commit([
        gone(
          "select 'n1' as name, 11::bigint as id union all select 'n1', 101 union all select null, 12",
          'name: 2, id: 1',
          [2, 1],
        ),
      ])
      await table.commit([data(300, 'b')])
      await table.publish()
      connection.closeSync()
      duck.close()
      const [ours] = await ask('select count(*)::int, sum(id)::int, count(name)::int from equality')
      const [theirs] = await spark.sql(
        'select count(*) as n, sum(id) as s, count(name) as c from lake.headwater.equality',
      )
      expect(ours).toEqual(Object.values(theirs!))
      expect(ours![0]).toBe(120 - 1 - 10 - 3)
    },
  )
})
