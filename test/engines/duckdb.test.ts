/** DuckDB's Iceberg extension and PyIceberg, by what docs/lake.md says. */
import { afterAll, expect, test } from 'vitest'
import { temporaryFolder } from '../support/project.ts'
import type { SqlEngine } from '../support/script.ts'
import { startDuckDb } from '../support/python/duckdb.ts'
import { python, pythonIsThere } from '../support/python/python.ts'
import { DUCKDB, expectEveryTable } from './checks.ts'
import { besideCommits, counted, insisting, seed } from './beside.ts'
import { snippets, statements } from './document.ts'
import { type EngineLake, startLake, TOKEN } from './lake.ts'
import { expectPlays } from './waited.ts'

const { folder, remove } = temporaryFolder('engine-duckdb')
afterAll(remove)

test.skipIf(!pythonIsThere())('read and write', { timeout: 300_000 }, async () => {
  const lake = await startLake(folder, 1)
  const duckdb = await startDuckDb(lake.uri, TOKEN)
  try {
    const rows = []
    for (const { text } of snippets('DuckDB', lake.uri)) {
      for (const statement of statements(text)) rows.push(...(await duckdb.sql(statement)))
    }
    await expectPlays(lake, rows.at(-1))
    const [snippet] = snippets('PyIceberg', lake.uri)
    const printed = await python(snippet!.text)
    const [plays, waited] = printed[0] as number[]
    await expectPlays(lake, { plays, waited })
    const attached = { ...DUCKDB, table: (name: string) => `lake.headwater."${name}"` }
    expect(await expectEveryTable(lake, attached, duckdb.sql)).toBeGreaterThan(14)
    const names = [...lake.platform.lake.state.tables.keys()]
    await duckdb.sql(`tables ${names.join(' ')}`)
    expect(await expectEveryTable(lake, DUCKDB, duckdb.sql)).toBeGreaterThan(14)
    await writeByDuckDb(lake, duckdb)
    await writeByPyIceberg(lake)
  } finally {
    await duckdb.stop()
    await lake.close()
  }
})

async function writeByDuckDb(lake: EngineLake, duckdb: SqlEngine): Promise<void> {
  const run = (statement: string): ReturnType<SqlEngine['sql']> => insisting(duckdb.sql, statement)
  const noted = 'lake.headwater.noted'
  await seed(lake, ['seed', 'doomed'])
  await besideCommits(
    lake,
    async () => {
      await run(`insert into ${noted} select * from ${noted} where name = 'seed'`)
      await run(`delete from ${noted} where name = 'doomed'`)
      await run(`alter table ${noted} add column by_duckdb bigint`)
      await run(`update ${noted} set by_duckdb = size where name = 'seed'`)
      // A table of its own.
      await run('create schema lake.duck')
      await run(`create table lake.duck.t as select size, name from ${noted} where name = 'seed'`)
      await run('alter table lake.duck.t rename column name to title')
      await run('alter table lake.duck.t alter column size type bigint')
      await run('insert into lake.duck.t values (5000000000, null)')
      await run('delete from lake.duck.t where size = 1')
    },
    { seed: 20, doomed: 0 },
  )
  expect(await counted(lake, 'by_duckdb = size')).toBe(20)
  expect(await duckdb.sql('select count(*) as n, sum(size)::bigint as s from lake.duck.t')).toEqual(
    [{ n: 19, s: 5_000_000_088 }],
  )
  const docs = lake.platform.lake.state.tables.get('noted')!.schema.fields.map(({ doc }) => doc)
  expect(docs.filter((doc) => doc !== undefined).length).toBeGreaterThan(10)
}

async function writeByPyIceberg(lake: EngineLake): Promise<void> {
  await seed(lake, ['grown', 'gone'])
  await besideCommits(
    lake,
    async () => {
      await python(PYICEBERG, [lake.uri, TOKEN])
    },
    { grown: 20, gone: 0, seed: 20 },
  )
  expect(await counted(lake, 'by_pyiceberg is null')).toBe(await counted(lake, 'true'))
}

const PYICEBERG = `
import sys
from pyiceberg.catalog import load_catalog
from pyiceberg.exceptions import CommitFailedException
from pyiceberg.types import LongType
lake = load_catalog('lake', type='rest', uri=sys.argv[1], token=sys.argv[2])
def insist(change):
  while True:
    try: return change(lake.load_table('headwater.noted'))
    except CommitFailedException: pass
def evolve(table):
  with table.update_schema() as update: update.add_column('by_pyiceberg', LongType())
rows = lake.load_table('headwater.noted').scan("name == 'grown'").to_arrow()
insist(lambda table: table.append(rows))
insist(lambda table: table.delete("name == 'gone'"))
insist(evolve)
`
