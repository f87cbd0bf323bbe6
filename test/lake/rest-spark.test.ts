/** Spark works through our catalog: on tables of its own, and on headwater's, which headwater reads on. */
import path from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { createClient } from '../../src/client/node.ts'
import { defineEvent, int, string } from '../../src/spec/index.ts'
import { javaIsThere } from '../support/java/artifacts.ts'
import { startSpark } from '../support/java/spark.ts'
import { landed, projectOf, start } from '../support/platform.ts'
import { temporaryFolder } from '../support/project.ts'

const { folder, remove } = temporaryFolder('spark')
afterAll(remove)

test.skipIf(!javaIsThere())('Spark reads and writes', { timeout: 400_000 }, async () => {
  const specs = {
    seen: defineEvent('seen', { doc: 'Seen.', fields: { size: int(), name: string() } }),
    left: defineEvent('left', { doc: 'Left.', fields: { size: int() } }),
  }
  const token = 'a-token-of-some-length'
  const config = { catalog: { tokens: { spark: { token, scope: 'write' as const } } } }
  const platform = await start(projectOf(path.join(folder, 'lake'), specs, { config }))
  const client = createClient<typeof specs>({ url: platform.url })
  const log = async (from: number, count: number): Promise<void> => {
    for (let i = from; i < from + count; i++) {
      client.log('seen', { size: i, name: `n${i % 3}` })
      client.log('left', { size: i })
      if (i % 20 === 19) {
        expect(await client.flush()).toBe(true)
        await landed(platform)
      }
    }
    expect(await client.flush()).toBe(true)
    await landed(platform)
  }
  await log(0, 100)
  const spark = await startSpark(platform.catalogUrl!, { token, 'cache-enabled': 'false' })
  try {
    const one = async (query: string): Promise<unknown> => (await spark.sql(query))[0]
    expect(await one('select count(*) as n, sum(size) as s from headwater.seen')).toEqual({
      n: 100,
      s: 4950,
    })
    expect(
      await spark.sql(
        'select type, count(*) as n from headwater.events group by type order by type',
      ),
    ).toEqual([
      { type: 'left', n: 100 },
      { type: 'seen', n: 100 },
    ])
    // Tables of its own, with nested names, evolution, merge and time travel.
    await spark.sql('create namespace mine')
    await spark.sql('create namespace mine.deep')
    await spark.sql(
      'create table mine.deep.t partitioned by (bucket(4, size)) as select size, name from headwater.seen',
    )
    await spark.sql('alter table mine.deep.t add column note string')
    await spark.sql(
      "merge into mine.deep.t t using (select 5 as size) s on t.size = s.size when matched then update set note = 'five'",
    )
    await spark.sql('delete from mine.deep.t where size >= 50')
    await spark.sql('alter table mine.deep.t create tag half')
    await spark.sql('insert into mine.deep.t values (1000, null, null)')
    expect(await one('select count(*) as n, count(note) as c from mine.deep.t')).toEqual({
      n: 51,
      c: 1,
    })
    expect(await one("select count(*) as n from mine.deep.t version as of 'half'")).toEqual({
      n: 50,
    })
    await spark.sql('alter table mine.deep.t rename to mine.u')
    await spark.sql('create view mine.v as select size from mine.u where size < 10')
    expect(await one('select count(*) as n from mine.v')).toEqual({ n: 10 })
    await spark.sql('drop view mine.v')
    await spark.sql('drop table mine.u purge')
    await spark.sql('drop namespace mine.deep')
    // Ours: rewritten, deleted from, evolved; never dropped.
    await spark.sql(
      "call lake.system.rewrite_data_files(table => 'headwater.seen', options => map('min-input-files', '2'))",
    )
    await spark.sql('delete from headwater.seen where size < 10')
    await spark.sql('alter table headwater.seen add column label string')
    await expect(spark.sql('drop table headwater.seen')).rejects.toThrow(/headwater alone/)
    await expect(spark.sql('alter table headwater.seen drop column size')).rejects.toThrow(
      /come from the specifications/,
    )
    await log(100, 40)
    expect(
      await one('select count(*) as n, sum(size) as s, count(label) as l from headwater.seen'),
    ).toEqual({ n: 130, s: (139 * 140) / 2 - 45, l: 0 })
    const state = platform.lake.state.tables.get('seen')!
    expect(state.schema.fields.at(-1)!.name).toBe('label')
  } finally {
    await spark.stop()
    await platform.close()
  }
})
