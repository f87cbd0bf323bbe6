/** Commands that ask: `sql`, `tables` and `--help` as processes, beside a platform that takes events. */
import { spawn } from 'node:child_process'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createClient } from '../../src/client/node.ts'
import type * as streaming from '../../examples/streaming/specs.ts'
import {
  headwater,
  repository,
  type Running,
  sql,
  startHeadwater,
  temporaryFolder,
  writeProject,
} from '../support/project.ts'

const { folder, remove } = temporaryFolder('questions')
let platform: Running
const EVIL = 'x\u001b[2Jy\nz\u0007'

const NUMBERS = Array.from({ length: 30 }, (_, i) => i)

beforeAll(async () => {
  writeProject(folder, 'examples/streaming/specs.ts', { engine: { epochMs: 50 } })
  platform = await startHeadwater(folder)
  const app = createClient<typeof streaming>({
    url: platform.url,
    context: { app: 'a', app_version: '1', platform: 'web' },
  })
  for (const i of NUMBERS) app.log('searched', { query: `q "${i}", q`, results: i, latency: 5 })
  app.log('searched', { query: EVIL, results: 77, latency: 5 })
  app.log('searched', { query: 7 as never, results: 78, latency: 5 })
  expect(await app.flush()).toBe(true)
  for (let waited = 0; waited < 400; waited++) {
    const [row] = await sql(folder, 'select count(*) as n from searched')
    if (row!['n'] === 31) return
  }
  throw new Error('the events do not land')
})
afterAll(async () => {
  await platform.kill('SIGTERM')
  remove()
})

describe('sql', () => {
  test('prints a table with its rows counted, and nothing but text where there is no terminal', async () => {
    const { code, stdout, stderr } = await headwater(folder, [
      'sql',
      'select results, query, null as nothing, 1.50::decimal(9,2) as price from searched where results < 2 order by 1',
    ])
    expect([code, stderr]).toEqual([0, ''])
    const lines = stdout.split('\n').map((line) => line.trimEnd())
    expect(lines.slice(0, 3)).toEqual([
      'results  query     nothing  price',
      '      0  q "0", q     null   1.50',
      '      1  q "1", q     null   1.50',
    ])
    expect(lines[3]).toMatch(/^2 rows, \d+ ms$/)
    expect(stdout).not.toContain('\u001b')
  })

  test('shows the first of many rows, and says so', async () => {
    const { code, stdout } = await headwater(folder, [
      'sql',
      'select range as i from range(300000)',
    ])
    expect(code).toBe(0)
    const lines = stdout.trimEnd().split('\n')
    expect(lines).toHaveLength(1002)
    expect(lines.at(-1)).toMatch(/^300,000 rows, \d+ ms; 299,000 of them not shown: --csv/)
  })

  test('writes out what could do something to a terminal', async () => {
    const { stdout } = await headwater(folder, [
      'sql',
      'select query from searched where results = 77',
    ])
    expect(stdout).toContain(String.raw`x\x1b[2Jy\nz\x07`)
    expect(stdout).not.toContain('\u001b')
  })

  test('prints CSV that a reader takes back', async () => {
    const { code, stdout } = await headwater(folder, [
      'sql',
      '--csv',
      'select results, query, null as nothing from searched where results in (0, 77) order by 1',
    ])
    expect(code).toBe(0)
    expect(stdout).toBe(`results,query,nothing\n0,"q ""0"", q",\n77,"${EVIL}",\n`)
  })

  test('prints JSON of the whole truth: exact numbers, nested values, null', async () => {
    const { stdout } = await headwater(folder, [
      'sql',
      '--json',
      `select 42::bigint as small, 9223372036854775807 as large, null as nothing, [1, null] as list, {'a': 1} as struct,
              query from searched where results = 77`,
    ])
    expect(stdout).toBe(
      `${JSON.stringify({ small: 42, large: '9223372036854775807', nothing: null, list: [1, null], struct: { a: 1 }, query: EVIL })}\n`,
    )
  })

  test('sees one state of all tables', async () => {
    const [row] = await sql(
      folder,
      `select (select count(*) from searched) as landed, (select sum(landed) from batches) as ledger,
              (select sum(events) from quarantine) as held, (select count(*) from events) as events`,
    )
    expect(row).toEqual({ landed: 31, ledger: 31, held: 1, events: 31 })
  })

  test.each([
    ['SQL that is none', 'selec 1', /query_failed.*selec/s],
    ['a column that is not there', 'select colour from searched', /query_failed.*colour/s],
    [
      'a table that is not there',
      'select * from serched',
      /table_unknown.*serched.*Did you mean searched\?/s,
    ],
  ])('says what is wrong with %s', async (_name, query, message) => {
    const { code, stdout, stderr } = await headwater(folder, ['sql', query])
    expect([code, stdout]).toEqual([1, ''])
    expect(stderr).toMatch(message)
    expect(stderr).not.toMatch(/^\s+at /m)
  })

  test.each([
    ['an option that is none', ['sql', '--jsn', 'select 1'], /--json/],
    ['two forms at once', ['sql', '--json', '--csv', 'select 1'], /cannot be used with/],
    ['no query', ['sql'], /query/],
    ['a command that is none', ['sqll', 'select 1'], /Did you mean sql/],
    ['no command', [], /Usage/],
  ])('%s is wrong usage', async (_name, args, message) => {
    const { code, stdout, stderr } = await headwater(folder, args)
    expect([code, stdout]).toEqual([2, ''])
    expect(stderr).toMatch(message)
  })

  test('ends in silence when its reader has seen enough', async () => {
    const main = `${repository}/src/cli/main.ts`
    const args = ['sql', '--csv', 'select * from range(300000)']
    const child = spawn(process.execPath, ['--conditions=headwater-source', main, ...args], {
      cwd: folder,
    })
    let stderr = ''
    child.stderr.on('data', (part: Buffer) => (stderr += part.toString()))
    child.stdout.once('data', () => child.stdout.destroy())
    const code = await new Promise((resolve) => child.once('close', resolve))
    expect([code, stderr]).toEqual([0, ''])
  })
})

describe('tables', () => {
  test('lists every table for people', async () => {
    const { code, stdout } = await headwater(folder, ['tables'])
    expect(code).toBe(0)
    const [head, ...lines] = stdout.trimEnd().split('\n')
    expect(head).toMatch(/^table +rows +files +size +newest .*snapshot$/)
    expect(lines.find((line) => line.startsWith('searched '))).toMatch(
      /^searched +31 +\d+ +[\d.]+ kB +\d{4}-\d\d-\d\dT[\d:.]+Z .*\d+$/,
    )
    expect(lines.map((line) => line.split(' ')[0])).toEqual(
      expect.arrayContaining(['batches', 'quarantine', 'play_started']),
    )
  })

  test('and for programs', async () => {
    const { stdout } = await headwater(folder, ['tables', '--json'])
    const rows = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>)
    expect(rows.find(({ table }) => table === 'searched')).toMatchObject({
      rows: 31,
      files: expect.any(Number) as number,
      bytes: expect.any(Number) as number,
      snapshot: expect.stringMatching(/^\d+$/) as string,
    })
    expect(rows.find(({ table }) => table === 'play_started')).toMatchObject({ rows: 0 })
  })
})

describe('where there is nothing yet', () => {
  const nothing = temporaryFolder('nothing')
  afterAll(nothing.remove)

  test('no project: what to do', async () => {
    for (const args of [['sql', 'select 1'], ['tables'], ['dev'], ['run']]) {
      const { code, stderr } = await headwater(nothing.folder, args)
      expect(code).toBe(1)
      expect(stderr).toMatch(/^project_missing: .*init/s)
    }
    const { code, stderr } = await headwater(folder, ['sql', '-p', '/nowhere', 'select 1'])
    expect([code, stderr]).toEqual([1, expect.stringContaining('/nowhere')])
  })

  test('no tables: what to do', async () => {
    writeProject(nothing.folder, 'examples/streaming/specs.ts')
    const tables = await headwater(nothing.folder, ['tables'])
    expect([tables.code, tables.stdout]).toEqual([0, expect.stringContaining('headwater dev')])
    const query = await headwater(nothing.folder, ['sql', 'select * from searched'])
    expect([query.code, query.stderr]).toEqual([1, expect.stringContaining('headwater dev')])
    const events = await headwater(nothing.folder, [
      'sql',
      '--json',
      'select count(*) as n from events',
    ])
    expect(events.stdout).toBe('{"n":0}\n')
  })
})

describe('--help', () => {
  test('names every command, and the exit codes', async () => {
    const { code, stdout } = await headwater(folder, ['--help'])
    expect(code).toBe(0)
    for (const word of [
      'dev',
      'run',
      'sql',
      'tables',
      'compact',
      'init',
      'Exit codes',
      'Examples',
    ]) {
      expect(stdout).toContain(word)
    }
  })

  test.each(['dev', 'run', 'sql', 'tables', 'compact', 'init'])(
    'of %s says what it does, each option, and examples',
    async (name) => {
      const { code, stdout, stderr } = await headwater(folder, [name, '--help'])
      expect([code, stderr]).toEqual([0, ''])
      expect(stdout).toMatch(new RegExp(`^Usage: headwater ${name} `))
      expect(stdout).toContain(`Examples:\n  headwater ${name}`)
      const options = stdout.slice(stdout.indexOf('Options:'), stdout.indexOf('Examples:'))
      for (const line of options.split('\n').filter((each) => /^ {2}-/.test(each))) {
        expect(line).toMatch(/^ {2}-\S.* {2}\S/)
      }
    },
  )

  test('--version is that of the package', async () => {
    const { stdout } = await headwater(folder, ['--version'])
    expect(stdout).toMatch(/^\d+\.\d+\.\d+\n$/)
  })
})
