/** PyIceberg writes tables through our catalog, and works beside headwater on headwater's own. */
import path from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { createClient } from '../../src/client/node.ts'
import { defineEvent, int, string } from '../../src/spec/index.ts'
import { ask, landed, projectOf, start } from '../support/platform.ts'
import { temporaryFolder } from '../support/project.ts'
import { python, pythonIsThere } from '../support/python/python.ts'
import { startCatalog } from './catalog.ts'

const { folder, remove } = temporaryFolder('pyiceberg')
afterAll(remove)

const OPEN = `
import json, sys
import pyarrow as pa
from pyiceberg.catalog import load_catalog
catalog = load_catalog('lake', type='rest', uri=sys.argv[1])
def say(value): print(json.dumps(value, default=str))
`

test.skipIf(!pythonIsThere())(
  'creates, appends, evolves, tags, deletes and drops',
  { timeout: 240_000 },
  async () => {
    const { uri, bugs, close } = await startCatalog(path.join(folder, 'own'))
    const said = await python(
      `${OPEN}
from pyiceberg.partitioning import PartitionSpec, PartitionField
from pyiceberg.transforms import BucketTransform, DayTransform
from pyiceberg.schema import Schema
from pyiceberg.types import LongType, StringType, NestedField, TimestamptzType, StructType
catalog.create_namespace('ns', {'owner': 'x'})
catalog.create_namespace(('ns', 'deep'))
schema = Schema(
  NestedField(7, 'id', LongType(), required=True),
  NestedField(9, 'at', TimestamptzType()),
  NestedField(8, 'who', StructType(NestedField(3, 'name', StringType()))),
  identifier_field_ids=[7])
spec = PartitionSpec(PartitionField(9, 1000, DayTransform(), 'day'), PartitionField(7, 1001, BucketTransform(4), 'part'))
table = catalog.create_table('ns.t', schema, partition_spec=spec, properties={'a': '1'})
say([[f.field_id, f.name] for f in table.schema().fields])
import datetime as dt
def rows(ids): return pa.table({
  'id': pa.array(ids, pa.int64()),
  'at': pa.array([dt.datetime(2026, 1, 1 + i % 3, tzinfo=dt.timezone.utc) for i in ids], pa.timestamp('us', 'UTC')),
  'who': pa.array([{'name': f'n{i}'} for i in ids], pa.struct([('name', pa.string())])),
}, schema=pa.schema([pa.field('id', pa.int64(), nullable=False), pa.field('at', pa.timestamp('us','UTC')), pa.field('who', pa.struct([('name', pa.string())]))]))
table.append(rows([1, 2, 3]))
table.append(rows([2**60 + 1]))
first = table.current_snapshot().snapshot_id
with table.manage_snapshots() as m: m.create_tag(first, 'before')
with table.update_schema() as u: u.add_column('note', StringType())
with table.update_spec() as u: u.remove_field('part')
table.delete('id == 2')
with table.transaction() as tx:
  tx.set_properties(b='2')
  tx.remove_properties('a')
again = catalog.load_table('ns.t')
say(sorted(again.scan().to_arrow()['id'].to_pylist()))
say(sorted(again.scan(snapshot_id=first).to_arrow()['id'].to_pylist()))
say([sorted(again.refs()), again.properties.get('b'), again.properties.get('a'), again.schema().column_names])
say([catalog.list_namespaces(), catalog.list_namespaces('ns'), catalog.list_tables('ns')])
staged = catalog.create_table_transaction('ns.deep.s', schema)
with staged as tx: tx.append(rows([5]))
say(catalog.load_table('ns.deep.s').scan().to_arrow()['id'].to_pylist())
catalog.rename_table('ns.deep.s', 'ns.s')
say([catalog.table_exists('ns.s'), catalog.table_exists('ns.deep.s')])
catalog.purge_table('ns.s')
catalog.drop_namespace(('ns', 'deep'))
stale = catalog.load_table('ns.t')
again.append(rows([8]))
try:
  with stale.update_schema() as u: u.add_column('other', StringType())
  say('no conflict')
except Exception as e: say(type(e).__name__)
try: catalog.load_table('ns.none')
except Exception as e: say(type(e).__name__)
`,
      [uri],
    )
    await close()
    expect(said).toEqual([
      [
        [1, 'id'],
        [2, 'at'],
        [3, 'who'],
      ],
      // 2^60 + 1 as Python writes it is more than JavaScript reads.
      [1, 3, Number(2n ** 60n + 1n)],
      [1, 2, 3, Number(2n ** 60n + 1n)],
      [['before', 'main'], '2', null, ['id', 'at', 'who.name', 'who', 'note']],
      [[['ns']], [['ns', 'deep']], [['ns', 't']]],
      [5],
      [true, false],
      'no conflict',
      'NoSuchTableError',
    ])
    expect(bugs).toEqual([])
  },
)

test.skipIf(!pythonIsThere())(
  'appends to, deletes from and adds columns to an event table beside headwater',
  { timeout: 240_000 },
  async () => {
    const specs = {
      seen: defineEvent('seen', { doc: 'Seen.', fields: { size: int(), name: string() } }),
    }
    const own = path.join(folder, 'platform')
    const before = projectOf(own, specs)
    const platform = await start(before)
    const client = createClient<typeof specs>({ url: platform.url })
    const log = async (from: number, count: number): Promise<void> => {
      for (let i = from; i < from + count; i++) client.log('seen', { size: i, name: `n${i}` })
      expect(await client.flush()).toBe(true)
      await landed(platform)
    }
    await log(0, 100)
    const uri = platform.catalogUrl!
    const said = await python(
      `${OPEN}
from pyiceberg.types import StringType
table = catalog.load_table('headwater.seen')
data = table.scan().to_arrow()
say(data.num_rows)
table.delete('size < 10')
with table.update_schema() as u: u.add_column('label', StringType())
copy = data.slice(0, 5)
table = catalog.load_table('headwater.seen')
table.append(copy)
with table.manage_snapshots() as m: m.create_tag(table.current_snapshot().snapshot_id, 'kept')
say([table.schema().find_field('label').field_id, table.scan().to_arrow().num_rows])
for change in ('rename', 'drop', 'delete column', 'retype', 'property', 'ledger'):
  try:
    table = catalog.load_table('headwater.seen')
    if change == 'rename': catalog.rename_table('headwater.seen', 'headwater.other')
    if change == 'drop': catalog.purge_table('headwater.seen')
    if change == 'delete column':
      with table.update_schema() as u: u.delete_column('size')
    if change == 'retype':
      with table.update_schema() as u: u.rename_column('size', 'length')
    if change == 'property':
      with table.transaction() as tx: tx.set_properties({'headwater.partition-by': 'size'})
    if change == 'ledger': catalog.load_table('headwater.batches').delete('seq == 0')
    say([change, 'done'])
  except Exception as e: say([change, type(e).__name__])
`,
      [uri],
    )
    expect(said).toEqual([
      100,
      [1_000_000, 95],
      ['rename', 'BadRequestError'],
      ['drop', 'BadRequestError'],
      ['delete column', 'BadRequestError'],
      ['retype', 'BadRequestError'],
      ['property', 'BadRequestError'],
      ['ledger', 'BadRequestError'],
    ])
    await log(100, 50)
    expect(await ask(platform.lake, 'select count(*) as n, count(label) as l from seen')).toEqual([
      { n: '145', l: '0' },
    ])
    await platform.close()
    // A field that the specification gains later does not meet the column of the other engine.
    const grown = {
      seen: defineEvent('seen', {
        doc: 'Seen.',
        fields: { size: int(), name: string(), more: int().optional() },
      }),
    }
    const after = await start(projectOf(own, grown, { before: before.lock }))
    const newer = createClient<typeof grown>({ url: after.url })
    newer.log('seen', { size: 1, name: 'x', more: 7 })
    expect(await newer.flush()).toBe(true)
    await landed(after)
    const columns = after.lake.state.tables.get('seen')!.schema.fields.map(({ name }) => name)
    expect(columns.slice(-2)).toEqual(['more', 'label'])
    const rows = await python(
      `${OPEN}
data = catalog.load_table('headwater.seen').scan().to_arrow()
say([data.num_rows, sum(v or 0 for v in data['more'].to_pylist()), data['label'].null_count])
`,
      [after.catalogUrl!],
    )
    expect(rows).toEqual([[146, 7, 146]])
    await after.close()
  },
)
