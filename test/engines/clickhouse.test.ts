/** ClickHouse through the catalog, by what docs/lake.md says. */
import { spawn } from 'node:child_process'
import { createRequire } from 'node:module'
import { afterAll, expect, test } from 'vitest'
import { temporaryFolder } from '../support/project.ts'
import { type SqlEngine, sqlEngine } from '../support/script.ts'
import { type Dialect, expectEveryTable } from './checks.ts'
import { besideCommits, counted, seed } from './beside.ts'
import { snippets, statements } from './document.ts'
import { type EngineLake, startLake } from './lake.ts'
import { expectPlays } from './waited.ts'

const { folder, remove } = temporaryFolder('engine-clickhouse')
afterAll(remove)

const CLICKHOUSE: Dialect = {
  quote: (name) => `\`${name}\``,
  table: (name) => `lake.\`headwater.${name}\``,
  text: (value) => `toString(${value})`,
  micros: (value) => `toUnixTimestamp64Micro(${value})`,
  characters: (value) => `lengthUTF8(${value})`,
  bytes: (value) => `length(${value})`,
  members: (value) => `length(${value})`,
  // It has an empty struct where there is none.
  first: (list, member) => `if(empty(${list}), null, ${list}[1].${member})`,
}

/** Answers as script.ts speaks. */
const PROGRAM = `
const { Session } = require(process.env.CHDB)
const session = new Session(process.env.DATA)
console.log('ready')
require('node:readline').createInterface({ input: process.stdin }).on('line', (line) => {
  try {
    const text = String(session.query(Buffer.from(line, 'base64').toString(), 'JSONEachRow'))
    const rows = text.split('\\n').filter(Boolean)
    console.log(['rows ' + rows.length, ...rows].join('\\n'))
  } catch (cause) {
    console.log('error ' + Buffer.from(cause.message).toString('base64'))
  }
}).on('close', () => process.exit(0))
`

/** It reads only below its working directory. */
function startClickHouse(below: string): Promise<SqlEngine> {
  const chdb = createRequire(import.meta.url).resolve('chdb')
  const env = { ...process.env, CHDB: chdb, DATA: `${below}/clickhouse` }
  return sqlEngine('ClickHouse', spawn(process.execPath, ['-e', PROGRAM], { cwd: below, env }))
}

test('reads, and evolves; its rows are refused', { timeout: 200_000 }, async () => {
  const lake = await startLake(folder, 5)
  const clickhouse = await startClickHouse(folder)
  try {
    const rows = []
    for (const { text } of snippets('ClickHouse', lake.uri)) {
      for (const statement of statements(text)) rows.push(...(await clickhouse.sql(statement)))
    }
    await expectPlays(lake, rows.at(-1))
    await clickhouse.sql('set cast_keep_nullable = 1, aggregate_functions_null_for_empty = 1')
    expect(await expectEveryTable(lake, CLICKHOUSE, clickhouse.sql)).toBeGreaterThan(14)
    await write(lake, clickhouse)
  } finally {
    await clickhouse.stop()
    await lake.close()
  }
})

/** The manifests of 26.7 have no field ids, without which PyIceberg and DuckDB could not read the table any more. */
async function write(lake: EngineLake, clickhouse: SqlEngine): Promise<void> {
  const noted = 'lake.`headwater.noted`'
  await clickhouse.sql('set allow_insert_into_iceberg = 1')
  await seed(lake, ['seed', 'marked'])
  await besideCommits(
    lake,
    async () => {
      await clickhouse.sql(`alter table ${noted} add column by_clickhouse Nullable(Int64)`)
    },
    { seed: 10, marked: 10 },
  )
  const all = await counted(lake, 'true')
  // Nobody commits meanwhile: it is not a conflict.
  for (const statement of [
    `insert into ${noted} select * from ${noted} where name = 'seed'`,
    `alter table ${noted} delete where name = 'marked'`,
  ]) {
    await expect(clickhouse.sql(statement), statement).rejects.toThrow(
      /not successful|Too many unsuccessed retries/,
    )
  }
  expect(await counted(lake, 'true')).toBe(all)
  expect(await counted(lake, 'by_clickhouse is null')).toBe(await counted(lake, 'true'))
  const theirs = await clickhouse.sql(`select toInt32(count()) as n from ${noted}`)
  expect(theirs).toEqual([{ n: await counted(lake, 'true') }])
}
