/** DuckDB's Iceberg extension and PyIceberg, by what docs/lake.md says. */
import { afterAll, expect, test } from 'vitest'
import { temporaryFolder } from '../support/project.ts'
import { startDuckDb } from '../support/python/duckdb.ts'
import { python, pythonIsThere } from '../support/python/python.ts'
import { DUCKDB, expectEveryTable } from './checks.ts'
import { snippets, statements } from './document.ts'
import { startLake, TOKEN } from './lake.ts'
import { expectPlays } from './waited.ts'

const { folder, remove } = temporaryFolder('engine-duckdb')
afterAll(remove)

test.skipIf(!pythonIsThere())('read', { timeout: 200_000 }, async () => {
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
  } finally {
    await duckdb.stop()
    await lake.close()
  }
})
