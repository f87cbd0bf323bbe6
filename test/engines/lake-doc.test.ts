/** docs/lake.md and the tests that run it say the same: every block belongs to a test, and the configuration is one. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, expect, test } from 'vitest'
import { readConfig } from '../../src/platform/index.ts'
import { unwrap } from '../support/platform.ts'
import { repository, temporaryFolder } from '../support/project.ts'
import { codeBlocks } from '../support/readme.ts'
import { properties, sections, statements } from './document.ts'
import { TOKEN } from './lake.ts'

const { folder, remove } = temporaryFolder('lake-doc')
afterAll(remove)

/** Languages of the blocks of each section, as the tests take them, and the test. */
const RUN: Readonly<Record<string, readonly [blocks: string, by: string]>> = {
  Tokens: ['ts', 'lake-doc'],
  PyIceberg: ['python', 'duckdb'],
  DuckDB: ['sql', 'duckdb'],
  Spark: ['properties sql', 'spark'],
  Flink: ['sql', 'flink'],
  ClickHouse: ['sql', 'clickhouse'],
  Trino: ['properties sql', 'trino'],
}

test('every block is run by a test', () => {
  const found = [...sections()].map(([title, text]) => [
    title,
    codeBlocks(text)
      .map(({ language }) => language)
      .join(' '),
  ])
  const named = found.filter(([, blocks]) => blocks !== '')
  expect(Object.fromEntries(named)).toEqual(
    Object.fromEntries(Object.entries(RUN).map(([title, [blocks]]) => [title, blocks])),
  )
  for (const [title, [, by]] of Object.entries(RUN)) {
    const file = path.join(repository, `test/engines/${by}.test.ts`)
    expect(existsSync(file), title).toBe(true)
    if (by !== 'lake-doc') expect(readFileSync(file, 'utf8')).toContain(`snippets('${title}'`)
  }
})

test('its configuration is one, with the port and the token that the snippets have', async () => {
  const text = sections().get('Tokens')!
  const file = path.join(folder, 'headwater.config.ts')
  writeFileSync(file, codeBlocks(text)[0]!.text)
  const module = (await import(pathToFileURL(file).href)) as { readonly default: unknown }
  const { catalog } = unwrap(readConfig(module.default))
  expect(catalog.tokens).toEqual({ analysts: { token: TOKEN, scope: 'write' } })
  const document = readFileSync(path.join(repository, 'docs/lake.md'), 'utf8')
  const ports = [...document.matchAll(/127\.0\.0\.1:(\d+)/g)].map(([, port]) => Number(port))
  expect(new Set(ports)).toEqual(new Set([catalog.port]))
  const tokens = [...document.matchAll(/a-long-[\w-]+/g)].map(([token]) => token)
  expect(new Set(tokens)).toEqual(new Set([TOKEN]))
})

test('statements and properties are taken apart as engines do', () => {
  expect(statements("-- a\nselect 1;\nset 'a' = 'b; c';\n\nselect\n  2;")).toEqual([
    'select 1',
    "set 'a' = 'b; c'",
    'select\n  2',
  ])
  expect(properties('# no\na.b   c d\ne=f=g\n')).toEqual({ 'a.b': 'c d', e: 'f=g' })
})
