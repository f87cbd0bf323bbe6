/** Spark, by what docs/lake.md says. */
import { afterAll, expect, test } from 'vitest'
import { javaIsThere } from '../support/java/artifacts.ts'
import { startSparkWith } from '../support/java/spark.ts'
import { temporaryFolder } from '../support/project.ts'
import type { SqlEngine, SqlRow } from '../support/script.ts'
import { type Dialect, expectEveryTable } from './checks.ts'
import { besideCommits, counted, insisting, seed } from './beside.ts'
import { properties, snippets, statements } from './document.ts'
import { type EngineLake, startLake } from './lake.ts'
import { expectPlays } from './waited.ts'

const { folder, remove } = temporaryFolder('engine-spark')
afterAll(remove)

const SPARK: Dialect = {
  quote: (name) => `\`${name}\``,
  table: (name) => `lake.headwater.\`${name}\``,
  text: (value) => `cast(${value} as string)`,
  micros: (value) => `unix_micros(${value})`,
  characters: (value) => `char_length(${value})`,
  bytes: (value) => `octet_length(${value})`,
  members: (value) => `cardinality(${value})`,
  first: (list, member) => `try_element_at(${list}, 1).${member}`,
}

test.skipIf(!javaIsThere())('reads and writes', { timeout: 300_000 }, async () => {
  const lake = await startLake(folder, 2)
  const [settings, queries] = snippets('Spark', lake.uri)
  const spark = await startSparkWith({
    ...properties(settings!.text),
    'spark.sql.catalog.lake.cache-enabled': 'false',
  })
  try {
    const answers: SqlRow[][] = []
    for (const statement of statements(queries!.text)) answers.push(await spark.sql(statement))
    const [plays, events] = answers
    await expectPlays(lake, plays![0])
    expect(events!.length).toBeGreaterThan(10)
    expect(await expectEveryTable(lake, SPARK, spark.sql)).toBeGreaterThan(14)
    await write(lake, spark)
  } finally {
    await spark.stop()
    await lake.close()
  }
})

async function write(lake: EngineLake, spark: SqlEngine): Promise<void> {
  const run = (statement: string): Promise<SqlRow[]> => insisting(spark.sql, statement)
  const noted = 'lake.headwater.noted'
  await seed(lake, ['seed', 'marked', 'copied'])
  await besideCommits(
    lake,
    async () => {
      await run(`insert into ${noted} select * from ${noted} where name = 'seed'`)
      await run(`alter table ${noted} set tblproperties ('write.delete.mode' = 'merge-on-read')`)
      await run(`delete from ${noted} where name = 'marked' and size >= 5`)
      await run(`alter table ${noted} set tblproperties ('write.delete.mode' = 'copy-on-write')`)
      await run(`delete from ${noted} where name = 'copied' and size >= 5`)
      await run(`alter table ${noted} add column by_spark bigint`)
      await run(`update ${noted} set by_spark = size where name = 'seed'`)
      await run(
        "call lake.system.rewrite_data_files(table => 'headwater.noted', options => map('rewrite-all', 'true'))",
      )
      await run("call lake.system.rewrite_manifests(table => 'headwater.noted')")
      // A table of its own.
      await run('create namespace lake.spark')
      await run(
        `create table lake.spark.t partitioned by (bucket(2, size)) as select size, name from ${noted} where name = 'seed'`,
      )
      await run('alter table lake.spark.t rename column name to title')
      await run('alter table lake.spark.t alter column size type bigint')
      await run('insert into lake.spark.t values (5000000000, null)')
      await run('delete from lake.spark.t where size = 1')
    },
    { seed: 20, marked: 5, copied: 5 },
  )
  expect(await counted(lake, 'by_spark = size')).toBe(20)
  expect(await spark.sql('select count(*) as n, sum(size) as s from lake.spark.t')).toEqual([
    { n: 19, s: 5_000_000_088 },
  ])
  const theirs = await spark.sql(`select count(*) as n from ${noted}`)
  expect(theirs).toEqual([{ n: await counted(lake, 'true') }])
}
