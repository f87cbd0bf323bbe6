/** PyIceberg writes tables of every type, transform and evolution; headwater reads the same rows, also when it prunes. */
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { LakeReader } from '../../src/engine/index.ts'
import { unwrap } from '../support/platform.ts'
import { temporaryFolder } from '../support/project.ts'
import { python, pythonIsThere } from '../support/python/python.ts'
import { startCatalog, type TestCatalog } from '../lake/catalog.ts'

const { folder, remove } = temporaryFolder('reader-pyiceberg')
afterAll(remove)

const OPEN = `
import json, sys, datetime as dt, decimal, uuid
import pyarrow as pa
from pyiceberg.catalog import load_catalog
from pyiceberg.schema import Schema
from pyiceberg.types import *
from pyiceberg.partitioning import PartitionSpec, PartitionField
from pyiceberg.transforms import *
catalog = load_catalog('lake', type='rest', uri=sys.argv[1])
def say(value): print(json.dumps(value, default=str))
UTC = dt.timezone.utc
`

describe.skipIf(!pythonIsThere())('PyIceberg', () => {
  let catalog: TestCatalog
  let reader: LakeReader

  beforeAll(async () => {
    catalog = await startCatalog(path.join(folder, 'lake'))
    reader = await LakeReader.open(catalog.lake, 2)
    await python(`${OPEN}\ncatalog.create_namespace('ns')`, [catalog.uri])
  }, 300_000)

  afterAll(async () => {
    reader.close()
    await catalog.close()
  })

  /** Rows as objects, values as DuckDB gives them in JSON. */
  async function ask(sql: string): Promise<Record<string, unknown>[]> {
    const answer = unwrap(await reader.query(await catalog.lake.refresh(), sql))
    return answer.rows.map((row) =>
      Object.fromEntries(answer.columns.map((column, i) => [column, row[i]])),
    )
  }

  /** How many files a query reads, of how many. */
  async function files(sql: string): Promise<[read: number, considered: number]> {
    const plans = unwrap(await reader.explain(await catalog.lake.refresh(), sql))
    return [
      plans.reduce((sum, plan) => sum + plan.files, 0),
      plans.reduce((sum, plan) => sum + plan.counts.considered, 0),
    ]
  }

  test(
    'writes values of every type, which are read as they are',
    { timeout: 120_000 },
    async () => {
      const said = await python(
        `${OPEN}
schema = Schema(
  NestedField(1, 'b', BooleanType()), NestedField(2, 'i', IntegerType()), NestedField(3, 'l', LongType()),
  NestedField(4, 'f', FloatType()), NestedField(5, 'd', DoubleType()), NestedField(6, 'dec', DecimalType(20, 3)),
  NestedField(7, 'day', DateType()), NestedField(8, 'tm', TimeType()), NestedField(9, 'ts', TimestampType()),
  NestedField(10, 'tz', TimestamptzType()), NestedField(11, 's', StringType()), NestedField(12, 'u', UUIDType()),
  NestedField(13, 'fx', FixedType(4)), NestedField(14, 'bin', BinaryType()),
  NestedField(15, 'li', ListType(16, IntegerType(), element_required=False)), NestedField(17, 'm', MapType(18, StringType(), 19, LongType(), value_required=False)),
  NestedField(20, 'st', StructType(NestedField(21, 'x', IntegerType()), NestedField(22, 'y', ListType(23, StructType(NestedField(24, 'z', StringType())), element_required=False)))))
t = catalog.create_table('ns.types', schema)
rows = [
  dict(b=True, i=-2**31, l=2**63-1, f=1.5, d=0.1, dec=decimal.Decimal('-12345678901234567.891'), day=dt.date(1969,12,31), tm=dt.time(23,59,59,999999),
    ts=dt.datetime(1969,12,31,23,59,59,999999), tz=dt.datetime(2026,3,1,12,0,0,1,tzinfo=UTC), s='ä\\U0001F600', u=uuid.UUID('f79c3e09-677c-4bbd-a479-3f349cb785e7').bytes,
    fx=b'\\x00\\x01\\x02\\xff', bin=b'\\x00', li=[1,None,3], m=[('k',1),('j',None)], st=dict(x=7,y=[dict(z='a'),dict(z=None)])),
  {},
]
t.append(pa.Table.from_pylist(rows, schema=t.schema().as_arrow()))
say(len(t.scan().to_arrow()))
`,
        [catalog.uri],
      )
      expect(said).toEqual([2])
      const rows = await ask('select * from ns.types order by b nulls last')
      expect(rows[0]).toEqual({
        b: true,
        i: -(2 ** 31),
        l: '9223372036854775807',
        f: 1.5,
        d: 0.1,
        dec: '-12345678901234567.891',
        day: '1969-12-31',
        tm: '23:59:59.999999',
        ts: '1969-12-31 23:59:59.999999',
        tz: '2026-03-01 12:00:00.000001+00',
        s: 'ä😀',
        u: 'f79c3e09-677c-4bbd-a479-3f349cb785e7',
        fx: '\\x00\\x01\\x02\\xFF',
        bin: '\\x00',
        li: [1, null, 3],
        m: [
          { key: 'k', value: '1' },
          { key: 'j', value: null },
        ],
        st: { x: 7, y: [{ z: 'a' }, { z: null }] },
      })
      expect(new Set(Object.values(rows[1]!))).toEqual(new Set([null]))
      const fits = [
        'b',
        'i < 0',
        'l = 9223372036854775807',
        'f = 1.5',
        'd < 0.2',
        'dec = -12345678901234567.891',
        "day < '1970-01-01'",
        "tm > '23:00:00'",
        "ts < '1970-01-01'",
        "tz = '2026-03-01 12:00:00.000001+00'",
        "tz::date = '2026-03-01'",
        "s like 'ä%'",
        "u = 'f79c3e09-677c-4bbd-a479-3f349cb785e7'",
        "fx = from_hex('000102ff')",
        "bin = '\\x00'::blob",
        'st.x = 7',
        'tz < now()',
        'day is not null and (i = 5 or l > 5)',
      ]
      for (const where of fits) {
        expect({
          where,
          n: (await ask(`select count(*) as n from ns.types where ${where}`))[0]!['n'],
        }).toEqual({
          where,
          n: where === 'tz < now()' ? expect.stringMatching(/^[01]$/) : '1',
        })
      }
      const misses = [
        'i > 0',
        'l < 0',

        'd < 0',
        'dec > 0',
        "day >= '1970-01-01'",
        "tm < '01:00'",
        "ts >= '1970-01-01'",
        "tz < '2026-03-01'",
        "tz::date = '2026-03-02'",
        "tz > timestamptz '2026-03-01' + interval 13 hours",
        "s = 'a'",
        "u = '00000000-677c-4bbd-a479-3f349cb785e7'",

        'i in (1, 2)',
        'i between 0 and 10',
      ]
      for (const where of misses) {
        expect({ where, files: await files(`select * from ns.types where ${where}`) }).toEqual({
          where,
          files: [0, 1],
        })
      }
      // What is not understood, or may be true of other rows, reads the file.
      for (const where of [
        'i + 0 > 0',
        'not (i = 5 and l = 5)',
        "s ilike 'a%'",
        'f > 2 or random() < 2',
        'd is null',
        // Of members PyIceberg keeps counts alone.
        'st.x = 8',
        // NaN is greater than everything, and PyIceberg does not count it.
        'f > 2',
        "l::varchar = '1'",
      ]) {
        expect({ where, files: await files(`select * from ns.types where ${where}`) }).toEqual({
          where,
          files: [1, 1],
        })
      }
    },
  )

  test('evolves columns, members of structs and specs', { timeout: 120_000 }, async () => {
    const said = await python(
      `${OPEN}
schema = Schema(
  NestedField(1, 'id', IntegerType()), NestedField(2, 'old', StringType()), NestedField(3, 'amount', DecimalType(9, 2)), NestedField(4, 'ratio', FloatType()),
  NestedField(5, 'st', StructType(NestedField(6, 'a', IntegerType()), NestedField(7, 'b', StringType()), NestedField(8, 'gone', IntegerType()))),
  NestedField(9, 'ls', ListType(10, StructType(NestedField(11, 'p', IntegerType()), NestedField(12, 'q', IntegerType())), element_required=False)),
  NestedField(13, 'mp', MapType(14, StringType(), 15, StructType(NestedField(16, 'v', IntegerType())), value_required=False)))
t = catalog.create_table('ns.evolved', schema, partition_spec=PartitionSpec(PartitionField(1, 1000, BucketTransform(4), 'part')))
def put(rows): t.append(pa.Table.from_pylist(rows, schema=t.schema().as_arrow()))
put([dict(id=i, old=f'o{i}', amount=decimal.Decimal('1.25'), ratio=0.5, st=dict(a=i, b=f'b{i}', gone=1), ls=[dict(p=i, q=-i)], mp=[('k', dict(v=i))]) for i in range(4)] + [dict(id=4)])
first = t.current_snapshot().snapshot_id
with t.update_schema() as u:
  u.rename_column('old', 'new'); u.update_column('id', LongType()); u.update_column('amount', DecimalType(18, 2)); u.update_column('ratio', DoubleType())
  u.rename_column('st.a', 'b2'); u.add_column(('st', 'c'), StringType()); u.delete_column('st.gone'); u.move_first('st.b')
  u.rename_column('ls.element.p', 'q2'); u.move_first('ls.q'); u.add_column(('mp', 'value', 'w'), StringType()); u.add_column('note', StringType()); u.move_first('note')
with t.update_spec() as u: u.remove_field('part'); u.add_field('new', TruncateTransform(1), 'letter')
put([dict(id=2**40, new='x', amount=decimal.Decimal('12345678901.50'), ratio=0.25, st=dict(b='n', b2=9, c='c'), ls=[dict(q=1, q2=2)], mp=[('k', dict(v=1, w='w'))], note='n')])
with t.update_spec() as u: u.remove_field('letter')
with t.update_schema() as u: u.delete_column('new')
with t.update_schema() as u: u.add_column('new', IntegerType())
put([dict(id=7, new=77)])
say(str(first))
say(sorted([json.loads(json.dumps(r, default=str)) for r in t.scan().to_arrow().to_pylist()], key=lambda r: r['id']))
`,
      [catalog.uri],
    )
    const rows = await ask('select * from ns.evolved order by id')
    expect(rows).toHaveLength(7)
    expect(Object.keys(rows[0]!)).toEqual([
      'note',
      'id',
      'amount',
      'ratio',
      'st',
      'ls',
      'mp',
      'new',
    ])
    expect(rows[1]).toEqual({
      note: null,
      id: '1',
      amount: '1.25',
      ratio: 0.5,
      st: { b: 'b1', b2: 1, c: null },
      ls: [{ q: -1, q2: 1 }],
      mp: [{ key: 'k', value: { v: 1, w: null } }],
      new: null,
    })
    // Maps come as pairs from Python.
    const theirs = (said[1] as Record<string, any>[]).map((row) => ({
      ...row,
      id: String(row['id']),
      mp: row['mp'].map(([key, value]: unknown[]) => ({ key, value })),
    }))
    expect(rows).toEqual(theirs)
    expect(rows[6]).toEqual({
      note: 'n',
      id: '1099511627776',
      amount: '12345678901.50',
      ratio: 0.25,
      st: { b: 'n', b2: 9, c: 'c' },
      ls: [{ q: 1, q2: 2 }],
      mp: [{ key: 'k', value: { v: 1, w: 'w' } }],
      new: null,
    })
    expect(rows[5]).toMatchObject({ id: '7', new: 77 })
    // As it was, with the schema of then.
    const before = await ask(
      `select * from ns.evolved for version as of ${String(said[0])} order by id`,
    )
    expect(Object.keys(before[0]!)).toEqual(['id', 'old', 'amount', 'ratio', 'st', 'ls', 'mp'])
    expect(before[1]).toMatchObject({ id: 1, old: 'o1', st: { a: 1, b: 'b1', gone: 1 } })
    for (const [where, n] of [
      ['id = 1', 1],
      ['id = 1099511627776', 1],
      ['st.b2 = 9', 1],
      ['id in (0, 3, 7)', 3],
      ['amount > 2', 1],
      ['note is null', 6],
      ["note = 'n'", 1],
      ['ratio < 0.3', 1],
    ] as const) {
      expect([
        where,
        (await ask(`select count(*) as n from ns.evolved where ${where}`))[0]!['n'],
      ]).toEqual([where, String(n)])
    }
    const [read, considered] = await files('select * from ns.evolved where id = 1')
    expect(read).toBeLessThan(considered)
  })

  test(
    'partitions by every transform, and every file is found or passed over rightly',
    { timeout: 240_000 },
    async () => {
      await python(
        `${OPEN}
schema = Schema(NestedField(1, 'n', LongType()), NestedField(2, 'day', DateType()), NestedField(3, 'ts', TimestampType()), NestedField(4, 'tz', TimestamptzType()), NestedField(5, 's', StringType()), NestedField(6, 'dec', DecimalType(9, 2)))
def value(i):
  if i == 0: return {}
  at = dt.datetime(1969, 12, 20) + dt.timedelta(hours=13 * i, microseconds=i)
  return dict(n=i*7-20, day=at.date(), ts=at, tz=at.replace(tzinfo=UTC), s='abcdefghij'[i%10]*3 + str(i), dec=decimal.Decimal(i*37-300)/100)
data = [value(i) for i in range(40)]
specs = dict(identity_n=(1, IdentityTransform()), identity_day=(2, IdentityTransform()), identity_s=(5, IdentityTransform()), identity_dec=(6, IdentityTransform()), identity_ts=(3, IdentityTransform()), bucket_n=(1, BucketTransform(5)), bucket_s=(5, BucketTransform(5)), bucket_dec=(6, BucketTransform(5)), bucket_tz=(4, BucketTransform(5)),
  trunc_n=(1, TruncateTransform(10)), trunc_s=(5, TruncateTransform(2)), trunc_dec=(6, TruncateTransform(50)), year=(2, YearTransform()), month=(3, MonthTransform()), day=(4, DayTransform()), hour=(4, HourTransform()), day_date=(2, DayTransform()))
for name, (source, transform) in specs.items():
  t = catalog.create_table('ns.by_' + name, schema, partition_spec=PartitionSpec(PartitionField(source, 1000, transform, 'p')))
  t.append(pa.Table.from_pylist(data, schema=t.schema().as_arrow()))
catalog.create_table('ns.plain', schema).append(pa.Table.from_pylist(data, schema=schema.as_arrow()))
`,
        [catalog.uri],
        200_000,
      )
      const names = catalog.lake
        .otherTables(await catalog.lake.refresh())
        .filter((name) => name.startsWith('ns.by_'))
      expect(names).toHaveLength(17)
      const wheres = [
        'n = 8',
        'n < -5',
        'n >= 250',
        'n in (1, 50, 99)',
        'n is null',
        'n is not null',
        'n != 1',
        "day = '1969-12-31'",
        "day < '1969-12-25'",
        "day > '1970-01-05'",
        "ts <= '1969-12-31 23:00'",
        "ts between '1969-12-30' and '1970-01-02'",
        "tz::date = '1970-01-01'",
        "tz > '1970-01-08'",
        "s like 'cc%'",
        "s >= 'i'",
        "s = 'bbb1'",
        'dec = 0.7',
        'dec < -1.5',
        'dec between 1 and 3',
        "n > 100 and s < 'd'",
        "n < 0 or s = 'jjj39'",
      ]
      for (const where of wheres) {
        const [want] = await ask(`select count(*) as n, sum(n) as s from ns.plain where ${where}`)
        for (const name of names) {
          const [have] = await ask(`select count(*) as n, sum(n) as s from ${name} where ${where}`)
          expect({ name, where, ...have }).toEqual({ name, where, ...want })
        }
      }
      // Each transform prunes by its own column.
      for (const [table, where] of [
        ['identity_n', 'n = 8'],
        ['identity_s', "s like 'cc%'"],
        ['identity_dec', 'dec < -1.5'],
        ['bucket_n', 'n = 8'],
        ['bucket_s', "s = 'bbb1'"],
        ['bucket_dec', 'dec = 0.7'],
        ['trunc_n', 'n < -5'],
        ['trunc_s', "s like 'cc%'"],
        ['year', "day < '1969-12-25'"],
        ['day', "tz > '1970-01-08'"],
        ['hour', "tz::date = '1970-01-01'"],
        ['month', "ts > '1970-01-05'"],
      ] as const) {
        const plans = unwrap(
          await reader.explain(catalog.lake.state, `select * from ns.by_${table} where ${where}`),
        )
        expect([table, plans[0]!.counts.prunedByPartition]).not.toEqual([table, 0])
        expect(plans[0]!.files).toBeGreaterThan(0)
      }
    },
  )

  test('says the same of its metadata', { timeout: 120_000 }, async () => {
    const [theirs] = (await python(
      `${OPEN}
t = catalog.create_table('ns.meta', Schema(NestedField(1, 'a', LongType()), NestedField(2, 'at', TimestamptzType())), partition_spec=PartitionSpec(PartitionField(1, 1000, BucketTransform(4), 'part'), PartitionField(2, 1001, MonthTransform(), 'month')))
def put(*ids): t.append(pa.Table.from_pylist([dict(a=i, at=dt.datetime(2026, 1 + i % 3, 1, tzinfo=UTC)) for i in ids], schema=t.schema().as_arrow()))
put(1, 2, 3); put(4, 5)
with t.manage_snapshots() as m: m.create_tag(t.current_snapshot().snapshot_id, 'keep')
t.delete('a == 5')
with t.update_spec() as u: u.remove_field('part')
put(6)
say(dict(
  snapshots=[[s['snapshot_id'], s['parent_id'], s['operation']] for s in t.inspect.snapshots().to_pylist()],
  files=sorted([f['content'], f['file_path'], f['spec_id'], f['record_count'], f['file_size_in_bytes'], sorted(f['lower_bounds'] and [k for k, v in f['lower_bounds']])] for f in t.inspect.files().to_pylist()),
  manifests=sorted([m['path'], m['length'], m['partition_spec_id'], m['added_data_files_count']] for m in t.inspect.manifests().to_pylist()),
  summaries=sorted([[p['lower_bound'] for p in m['partition_summaries']] for m in t.inspect.manifests().to_pylist()]),
  history=[[h['snapshot_id'], h['parent_id'], h['is_current_ancestor']] for h in t.inspect.history().to_pylist()],
  refs=[[r['name'], r['type'], r['snapshot_id']] for r in t.inspect.refs().to_pylist()],
  log=[[e['file'], e['latest_snapshot_id']] for e in t.inspect.metadata_log_entries().to_pylist()],
  partitions=sum(p['record_count'] for p in t.inspect.partitions().to_pylist())))
`,
      [catalog.uri],
    )) as [Record<string, any>]
    const list = async (sql: string): Promise<unknown[][]> =>
      unwrap(await reader.query(await catalog.lake.refresh(), sql)).rows.map((row) => [...row])
    const texts = (rows: unknown): unknown =>
      JSON.parse(JSON.stringify(rows), (_key, value: unknown) =>
        typeof value === 'number' ? String(value) : value,
      )
    expect(texts(await list('select count(*) from ns.meta.snapshots'))).toEqual([
      [String(theirs['snapshots'].length)],
    ])
    expect(
      texts(
        await list(
          'select content, file_path, spec_id, record_count, file_size_in_bytes from ns.meta.files order by all',
        ),
      ),
    ).toEqual(texts(theirs['files'].map((file: unknown[]) => file.slice(0, 5))))
    expect(
      texts(
        await list(
          'select path, length, partition_spec_id, added_data_files_count from ns.meta.manifests order by all',
        ),
      ),
    ).toEqual(texts(theirs['manifests']))
    expect(
      await list(
        `select list_transform(partition_summaries, lambda p: p.lower_bound) from ns.meta.manifests order by all`,
      ),
    ).toEqual(theirs['summaries'].map((one: unknown) => [one]))
    expect(
      (await list('select file from ns.meta.metadata_log_entries')).map(([file]) => file),
    ).toEqual(theirs['log'].map(([file]: [string]) => file))
    expect(await list('select name, type from ns.meta.refs')).toEqual(
      theirs['refs'].map((ref: unknown[]) => ref.slice(0, 2)),
    )
    expect(await list('select operation from ns.meta.snapshots order by committed_at')).toEqual(
      theirs['snapshots'].map(([, , operation]: unknown[]) => [operation]),
    )
    expect(await list('select sum(record_count)::int from ns.meta.partitions')).toEqual([
      [theirs['partitions']],
    ])
    expect(await list('select distinct is_current_ancestor from ns.meta.history')).toEqual([[true]])
    expect(
      await list(
        'select distinct partition.month from ns.meta.data_files where spec_id = 0 order by 1 limit 1',
      ),
    ).toEqual([[672]])
  })
})
