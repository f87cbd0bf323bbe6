/** Spark, by what docs/lake.md says. */
import { afterAll, expect, test } from 'vitest'
import { javaIsThere } from '../support/java/artifacts.ts'
import { startSparkWith } from '../support/java/spark.ts'
import { temporaryFolder } from '../support/project.ts'
import type { SqlRow } from '../support/script.ts'
import { type Dialect, expectEveryTable } from './checks.ts'
import { properties, snippets, statements } from './document.ts'
import { startLake } from './lake.ts'
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

test.skipIf(!javaIsThere())('reads', { timeout: 200_000 }, async () => {
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
  } finally {
    await spark.stop()
    await lake.close()
  }
})
