/** Trino, by what docs/lake.md says. */
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, expect, test } from 'vitest'
import { javaOfTrino, startTrino } from '../support/java/trino.ts'
import { temporaryFolder } from '../support/project.ts'
import type { SqlEngine, SqlRow } from '../support/script.ts'
import { type Dialect, expectEveryTable } from './checks.ts'
import { besideCommits, counted, insisting, seed } from './beside.ts'
import { snippets, statements } from './document.ts'
import { type EngineLake, startLake } from './lake.ts'
import { expectPlays } from './waited.ts'

const { folder, remove } = temporaryFolder('engine-trino')
afterAll(remove)

const TRINO: Dialect = {
  quote: (name) => `"${name}"`,
  table: (name) => `lake.headwater."${name}"`,
  text: (value) => `cast(${value} as varchar)`,
  micros: (value) => `cast(round(to_unixtime(${value}) * 1000000) as bigint)`,
  characters: (value) => `length(${value})`,
  bytes: (value) => `length(${value})`,
  members: (value) => `cardinality(${value})`,
  first: (list, member) => `element_at(${list}, 1).${member}`,
}

test.skipIf(javaOfTrino() === undefined)('reads and writes', { timeout: 300_000 }, async () => {
  const lake = await startLake(folder, 3)
  const [catalog, queries] = snippets('Trino', lake.uri)
  const trino = await startTrino(path.join(folder, 'trino'), catalog!.text)
  try {
    const rows = []
    for (const statement of statements(queries!.text)) rows.push(...(await trino.sql(statement)))
    await expectPlays(lake, rows[0])
    expect(await expectEveryTable(lake, TRINO, trino.sql)).toBeGreaterThan(14)
    await write(lake, trino)
  } finally {
    await trino.stop()
    await lake.close()
  }
})

async function write(lake: EngineLake, trino: SqlEngine): Promise<void> {
  const run = (statement: string): Promise<SqlRow[]> => insisting(trino.sql, statement)
  const noted = 'lake.headwater.noted'
  await seed(lake, ['seed', 'marked'])
  await besideCommits(
    lake,
    async () => {
      await run(`insert into ${noted} select * from ${noted} where name = 'seed'`)
      await run(`delete from ${noted} where name = 'marked' and size >= 5`)
      await run(`alter table ${noted} add column by_trino bigint`)
      await run(`update ${noted} set by_trino = size where name = 'seed'`)
      await run(`alter table ${noted} execute optimize`)
      await run(`alter table ${noted} execute optimize_manifests`)
      // A table of its own.
      const root = pathToFileURL(path.join(lake.folder, '.headwater/lake')).href
      await run(`create schema lake.trino with (location = '${root}/trino')`)
      await run(`create table lake.trino.t as select size, name from ${noted} where name = 'seed'`)
      await run('alter table lake.trino.t rename column name to title')
      await run('alter table lake.trino.t alter column size set data type bigint')
      await run('insert into lake.trino.t values (5000000000, null)')
      await run('delete from lake.trino.t where size = 1')
      await run(
        'merge into lake.trino.t t using (values 2) s (size) on t.size = s.size when matched then delete',
      )
    },
    { seed: 20, marked: 5 },
  )
  expect(await counted(lake, 'by_trino = size')).toBe(20)
  expect(await trino.sql('select count(*) as n, sum(size) as s from lake.trino.t')).toEqual([
    { n: 17, s: 5_000_000_084 },
  ])
  const theirs = await trino.sql(`select count(*) as n from ${noted}`)
  expect(theirs).toEqual([{ n: await counted(lake, 'true') }])
}
