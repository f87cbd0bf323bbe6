/** Trino, by what docs/lake.md says. */
import path from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { javaOfTrino, startTrino } from '../support/java/trino.ts'
import { temporaryFolder } from '../support/project.ts'
import { type Dialect, expectEveryTable } from './checks.ts'
import { snippets, statements } from './document.ts'
import { startLake } from './lake.ts'
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

test.skipIf(javaOfTrino() === undefined)('reads', { timeout: 300_000 }, async () => {
  const lake = await startLake(folder, 3)
  const [catalog, queries] = snippets('Trino', lake.uri)
  const trino = await startTrino(path.join(folder, 'trino'), catalog!.text)
  try {
    const rows = []
    for (const statement of statements(queries!.text)) rows.push(...(await trino.sql(statement)))
    await expectPlays(lake, rows[0])
    expect(await expectEveryTable(lake, TRINO, trino.sql)).toBeGreaterThan(14)
  } finally {
    await trino.stop()
    await lake.close()
  }
})
