/** The error table, its page and the code that raises errors are the same list. */
import { describe, expect, test } from 'vitest'
import { configurationPage, errorsPage } from '../../scripts/docs.ts'
import { ERRORS } from '../../src/base/errors.ts'
import type { ErrorEntry } from '../../src/base/errors.ts'
import { optionDocs } from '../../src/platform/config.ts'
import { readProject, sources, walk } from '../support/source.ts'

const table: readonly (readonly [string, ErrorEntry])[] = Object.entries(ERRORS)
const codes = table.map(([code]) => code)

/** Text of every string literal of src but for the table itself, and the words of the launcher, which is JavaScript. */
function literals(): Set<string> {
  const found = new Set(readProject('bin/headwater.js').split(/\W+/))
  for (const file of sources('src').filter(({ path }) => path !== 'src/base/errors.ts'))
    walk(file.tree, (node) => {
      if (node.type === 'Literal' && typeof node['value'] === 'string') found.add(node['value'])
    })
  return found
}

describe('the page docs/errors.md', () => {
  const page = readProject('docs/errors.md')

  test('is what `npm run docs` writes', () => {
    expect(page).toBe(errorsPage())
  })

  test('has a section for each code and no other', () => {
    const titles = [...page.matchAll(/^## (.+)$/gm)].map((match) => match[1])
    expect(titles).toEqual(codes.toSorted())
  })

  test('changes when the table does', () => {
    const entry: ErrorEntry = { ...ERRORS.disk_full, remedy: 'Another remedy.' }
    expect(errorsPage({ ...ERRORS, disk_full: entry })).not.toBe(page)
  })
})

test('docs/configuration.md is what `npm run docs` writes, every option with its meaning', () => {
  const page = readProject('docs/configuration.md')
  expect(page).toBe(configurationPage())
  const options = optionDocs()
  expect(options.length).toBeGreaterThan(10)
  expect(options.filter(({ type, doc }) => type === '' || doc === '')).toEqual([])
})

describe('the table', () => {
  test.each(table)('%s is one sentence, and one on what to do', (code, entry) => {
    expect(code).toMatch(/^[a-z]+(_[a-z0-9]+)*$/)
    expect(entry.summary).toMatch(/^([A-Z`]|specs\.).*\.$/s)
    expect(entry.remedy).toMatch(/^[A-Z`].*\.$/s)
    expect(entry.status).toBeGreaterThanOrEqual(200)
    expect(entry.status).toBeLessThan(600)
  })

  test('every code is raised somewhere', () => {
    const used = literals()
    expect(codes.filter((code) => !used.has(code))).toEqual([])
  })

  test('every code that the protocol names is in it', () => {
    const named = [...readProject('PROTOCOL.md').matchAll(/`([a-z]+(?:_[a-z]+)+)`/g)]
    const words = named.map((match) => match[1]!).filter((word) => !notCodes.has(word))
    expect(words.length).toBeGreaterThan(0)
    expect(words.filter((word) => !codes.includes(word))).toEqual([])
  })
})

/** Words of PROTOCOL.md in the form of a code that are columns or a device's reasons for a drop. */
const notCodes = new Set([
  'too_large',
  'not_encodable',
  'event_time',
  'event_to',
  'time_flag',
  'clamped_past',
  'clamped_future',
  'clamped_spread',
  'event_time_error',
  'received_at',
  'bytes_total',
])
