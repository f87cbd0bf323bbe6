/** Flink, by what docs/lake.md says. */
import { afterAll, expect, test } from 'vitest'
import { javaIsThere } from '../support/java/artifacts.ts'
import { startFlink } from '../support/java/flink.ts'
import { temporaryFolder } from '../support/project.ts'
import { pythonIsThere } from '../support/python/python.ts'
import { type Dialect, expectEveryTable } from './checks.ts'
import { snippets, statements } from './document.ts'
import { startLake } from './lake.ts'
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

test.skipIf(!javaIsThere() || !pythonIsThere())('reads', { timeout: 300_000 }, async () => {
  const lake = await startLake(folder, 4)
  const flink = await startFlink()
  try {
    const rows = []
    for (const { text } of snippets('Flink', lake.uri)) {
      for (const statement of statements(text)) rows.push(...(await flink.sql(statement)))
    }
    await expectPlays(lake, rows.at(-1))
    expect(await expectEveryTable(lake, FLINK, flink.sql)).toBeGreaterThan(14)
  } finally {
    await flink.stop()
    await lake.close()
  }
})
