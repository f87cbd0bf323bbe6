/** `headwater sql` as a process: queries from everywhere, answers in every form, plans, past states and failures. */
import { spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { TableSchema } from '../../src/spec/iceberg-type.ts'
import { append, DAY_MS, open, placeIn, writeRows } from '../lake/tables.ts'
import { headwater, repository, temporaryFolder, writeProject } from '../support/project.ts'

const { folder, remove } = temporaryFolder('cli-sql')
afterAll(remove)

const SEEN: TableSchema = {
  name: 'seen',
  doc: 'Seen.',
  partitionBy: 'event_time',
  fields: [
    { id: 1, name: 'event_time', required: false, type: 'timestamptz' },
    { id: 5, name: 'n', required: false, type: 'long' },
  ],
}

beforeAll(async () => {
  writeProject(folder, 'examples/streaming/specs.ts')
  const lake = await open(placeIn(folder))
  const first = Math.floor(Date.parse('2026-03-01') / DAY_MS)
  for (let day = first; day < first + 3; day++) {
    const rows = `select make_timestamptz((${day}::bigint * 86400000000 + i)::bigint) as event_time, (i + ${(day - first) * 10})::bigint as n from range(10) t(i)`
    await append(lake, SEEN, [await writeRows(lake, SEEN, day, rows)])
  }
  await lake.close()
})

test('answers in text, JSON and CSV', { timeout: 60_000 }, async () => {
  const query = 'select n, event_time::date as day from seen order by n desc limit 1'
  expect(await headwater(folder, ['sql', '--json', query])).toEqual({
    code: 0,
    stdout: '{"n":29,"day":"2026-03-03"}\n',
    stderr: '',
  })
  expect((await headwater(folder, ['sql', '--csv', query])).stdout).toBe('n,day\n29,2026-03-03\n')
  expect((await headwater(folder, ['sql', query])).stdout).toMatch(
    /n\s+day\s+\n29\s+2026-03-03\s*\n1 row, \d+ ms\n/,
  )
})

test('takes a query from a file and from standard input', { timeout: 60_000 }, async () => {
  const file = path.join(folder, 'query.sql')
  writeFileSync(file, 'select count(*) as n\n-- all\nfrom seen;\n')
  expect((await headwater(folder, ['sql', '--csv', '--file', file])).stdout).toBe('n\n30\n')
  const child = spawn(
    process.execPath,
    ['--conditions=headwater-source', path.join(repository, 'src/cli/main.ts'), 'sql', '--csv'],
    { cwd: folder },
  )
  let out = ''
  child.stdout.on('data', (part: Buffer) => (out += part.toString()))
  child.stdin.end('select max(n) as n from seen')
  expect(await new Promise((resolve) => child.once('close', resolve))).toBe(0)
  expect(out).toBe('n\n29\n')
  expect(await headwater(folder, ['sql', '--file', file, 'select 1'])).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('two queries'),
  })
  expect(await headwater(folder, ['sql', '--file', 'nothing.sql'])).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('nothing.sql cannot be read'),
  })
})

test('explains what it would read', { timeout: 60_000 }, async () => {
  const query = "select count(*) from seen where event_time >= '2026-03-03' or n = 5"
  const { stdout } = await headwater(folder, ['sql', '--explain', '--json', query])
  expect(JSON.parse(stdout)).toEqual({
    table: 'seen',
    snapshot: expect.stringMatching(/^\d+$/),
    committed: expect.stringMatching(/^20.*Z$/),
    files: 2,
    rows: 20,
    bytes: expect.any(Number),
    considered: 3,
    prunedByPartition: 0,
    prunedByStatistics: 1,
    deleteFiles: 0,
    manifests: 3,
    manifestsPruned: 0,
  })
  const text = await headwater(folder, [
    'sql',
    '--explain',
    "select * from seen where event_time < '2026-03-02'",
  ])
  expect(text.stdout).toMatch(
    /^table\s+snapshot.*manifests read\nseen\s+\d+\s+1\s+[\d.]+ k?B\s+10\s+3\s+2\s+0\s+0\s+1 of 3\n$/,
  )
})

test('reads the past, and says what there is where it cannot', { timeout: 60_000 }, async () => {
  const { stdout } = await headwater(folder, [
    'sql',
    '--csv',
    'select snapshot_id from seen.snapshots order by committed_at limit 1',
  ])
  const first = stdout.split('\n')[1]!
  const count = 'select count(*) as n from seen'
  expect((await headwater(folder, ['sql', '--csv', '--at', first, count])).stdout).toBe('n\n10\n')
  expect((await headwater(folder, ['sql', '--csv', '--at', '2100-01-01', count])).stdout).toBe(
    'n\n30\n',
  )
  expect(
    (await headwater(folder, ['sql', '--csv', `select count(*) as n from seen@${first}`])).stdout,
  ).toBe('n\n10\n')
  expect(await headwater(folder, ['sql', '--at', '77', count])).toMatchObject({
    code: 1,
    stdout: '',
    stderr: expect.stringMatching(
      /^snapshot_unknown: There is no such snapshot\.\n {2}seen has no snapshot, tag or branch 77\. Nearest: /,
    ),
  })
  expect(await headwater(folder, ['sql', 'select * from sen'])).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('Did you mean seen?'),
  })
  expect(await headwater(folder, ['sql', 'selekt'])).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('query_failed'),
  })
})
