/** Flink, by what docs/lake.md says. */
import { afterAll, expect, test } from 'vitest'
import { javaIsThere } from '../support/java/artifacts.ts'
import { startFlink } from '../support/java/flink.ts'
import { temporaryFolder } from '../support/project.ts'
import { pythonIsThere } from '../support/python/python.ts'
import type { SqlEngine, SqlRow } from '../support/script.ts'
import { type Dialect, expectEveryTable } from './checks.ts'
import { besideCommits, counted, insisting, seed } from './beside.ts'
import { snippets, statements } from './document.ts'
import { type EngineLake, startLake } from './lake.ts'
import { expectPlays } from './waited.ts'

const { folder, remove } = temporaryFolder('engine-flink')
afterAll(remove)

const FLINK: Dialect = {
  quote: (name) => `\`${name}\``,
  table: (name) => `lake.headwater.\`${name}\``,
  text: (value) => `cast(${value} as string)`,
  micros: (value) => {
    const time = `cast(${value} as timestamp(6))`
    const seconds = `timestampdiff(second, timestamp '1970-01-01 00:00:00', ${time})`
    return `cast(${seconds} as bigint) * 1000000 + mod(extract(microsecond from ${time}), 1000000)`
  },
  characters: (value) => `char_length(${value})`,
  bytes: (value) => `char_length(decode(${value}, 'ISO-8859-1'))`,
  members: (value) => `cardinality(${value})`,
  first: (list, member) => `${list}[1].${member}`,
}

test.skipIf(!javaIsThere() || !pythonIsThere())(
  'reads and writes',
  { timeout: 300_000 },
  async () => {
    const lake = await startLake(folder, 4)
    const flink = await startFlink()
    try {
      const rows = []
      for (const { text } of snippets('Flink', lake.uri)) {
        for (const statement of statements(text)) rows.push(...(await flink.sql(statement)))
      }
      await expectPlays(lake, rows.at(-1))
      expect(await expectEveryTable(lake, FLINK, flink.sql)).toBeGreaterThan(14)
      await write(lake, flink)
    } finally {
      await flink.stop()
      await lake.close()
    }
  },
)

async function write(lake: EngineLake, flink: SqlEngine): Promise<void> {
  const run = (statement: string): Promise<SqlRow[]> => insisting(flink.sql, statement)
  const noted = 'lake.headwater.noted'
  await seed(lake, ['seed'])
  await besideCommits(
    lake,
    async () => {
      await run(`insert into ${noted} select * from ${noted} where name = 'seed'`)
      await run(`alter table ${noted} add by_flink bigint`)
      // A table of its own.
      await run('create database lake.flink')
      await run('create table lake.flink.t (size bigint, name string)')
      await run(`insert into lake.flink.t select size, name from ${noted} where name = 'seed'`)
      await run(
        `insert overwrite lake.flink.t select size * 2, name from ${noted} where name = 'seed'`,
      )
    },
    { seed: 20 },
  )
  expect(await counted(lake, 'by_flink is null')).toBe(await counted(lake, 'true'))
  expect(await flink.sql('select count(*) as n, sum(size) as s from lake.flink.t')).toEqual([
    { n: 20, s: 180 },
  ])
  const theirs = await flink.sql(`select count(*) as n from ${noted}`)
  expect(theirs).toEqual([{ n: await counted(lake, 'true') }])
}
