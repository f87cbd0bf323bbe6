/** SQL over headwater's own tables: pruned without losing a row, in the past, as far as they are complete, and while files go. */
import { rmSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { HeadwaterError } from '../../src/base/errors.ts'
import { momentOf, travel } from '../../src/engine/duckdb/time-travel.ts'
import { openDuck } from '../../src/engine/duckdb/instance.ts'
import { LakeReader } from '../../src/engine/index.ts'
import type { KeptLake } from '../../src/lake/index.ts'
import type { TableSchema } from '../../src/spec/iceberg-type.ts'
import { DAY_MS, open, placeIn, writeRows } from '../lake/tables.ts'
import { unwrap } from '../support/platform.ts'
import { temporaryFolder } from '../support/project.ts'
import { HandTable, openForReading } from './hand-table.ts'

const { folder, remove } = temporaryFolder('reader')
afterAll(remove)

const column = (id: number, name: string, type: string): TableSchema['fields'][number] => ({
  id,
  name,
  required: false,
  type,
})

const eventTable = (name: string): TableSchema => ({
  name,
  doc: 'Seen.',
  partitionBy: 'event_time',
  fields: [
    column(1, 'event_time', 'timestamptz'),
    column(4, 'boot', 'string'),
    column(5, 'n', 'long'),
    column(1000, 'size', 'int'),
    column(1001, 'label', 'string'),
    column(1002, 'muted', 'boolean'),
  ],
})

const SEEN = eventTable('seen')
const LEFT = eventTable('left')
/** Days since 1970 of the first day; files are of five days. */
const FIRST = Math.floor(Date.parse('2026-03-01T00:00:00Z') / DAY_MS)

const rowsOf = (day: number): string =>
  `select make_timestamptz((${day}::bigint * 86400000000 + i * 3600000000)::bigint) as event_time, 'b' || (i % 2) as boot, (i + ${day - FIRST} * 24)::bigint as n,
     case when i % 6 = 0 then null else (i + ${(day - FIRST) * 10})::int end as size, 'l' || ${day - FIRST} || '-' || i as label, i % 2 = 0 as muted from range(24) t(i)`

let lake: KeptLake
let reader: LakeReader

beforeAll(async () => {
  lake = await open(placeIn(folder))
  for (let i = 0; i < 5; i++) {
    const day = FIRST + i
    const files = new Map([['seen', [await writeRows(lake, SEEN, day, rowsOf(day))]]])
    if (i % 2 === 0) files.set('left', [await writeRows(lake, LEFT, day, rowsOf(day))])
    const summaries = new Map([
      [
        'seen',
        {
          'headwater.valid-through-ms': String(day * DAY_MS + 3_600_000),
          'headwater.complete-share': i === 4 ? '0.900000' : '0.999500',
        },
      ],
    ])
    unwrap(await lake.commit({ schemas: [SEEN, LEFT], appends: files, offset: i + 1, summaries }))
  }
  reader = await LakeReader.open(lake, 2)
})

afterAll(async () => {
  reader.close()
  await lake.close()
})

async function ask(sql: string, at?: string): Promise<unknown[][]> {
  const when = at === undefined ? {} : { at: momentOf(at) }
  return unwrap(await reader.query(lake.state, sql, when)).rows.map((row) => [...row])
}

async function failure(sql: string): Promise<HeadwaterError> {
  const answer = await reader.query(lake.state, sql)
  if (answer.ok) throw new Error('it answered')
  return answer.error
}

async function plan(sql: string): Promise<(readonly [table: string, files: number])[]> {
  return unwrap(await reader.explain(lake.state, sql)).map(({ table, files }) => [table, files])
}

describe('pruning', () => {
  test.each([
    ["select * from seen where event_time >= '2026-03-04'", [['seen', 2]]],
    [
      "select * from seen where event_time >= timestamptz '2026-03-01 00:00:00+00' + interval 3 day",
      [['seen', 2]],
    ],
    ["select * from seen s where s.event_time::date = '2026-03-02'", [['seen', 1]]],
    [
      "select * from seen where cast(event_time as date) between '2026-03-02' and '2026-03-03'",
      [['seen', 2]],
    ],
    ['select * from seen where event_time > now()', [['seen', expect.any(Number)]]],
    ['select * from seen where n = 30', [['seen', 1]]],
    ['select * from seen where 30 >= n and n > 20', [['seen', 2]]],
    ["select * from seen where label like 'l3%'", [['seen', 1]]],
    ["select * from seen where label in ('l0-1', 'l4-2')", [['seen', 2]]],
    ['select * from seen where size is not null and n < 24', [['seen', 1]]],
    ['select * from seen where n = 3 or n = 100', [['seen', 2]]],
    ['select * from seen where SEEN.N = 3', [['seen', 1]]],
    ['with s as (select * from seen where n = 3) select * from s where n = 100', [['seen', 1]]],
    ['select (select max(size) from "seen" where n < 10)', [['seen', 1]]],
    // Places where a table is read twice ask for what either asks.
    ['select * from seen where n = 3 union all select * from seen where n = 100', [['seen', 2]]],
    ['select * from seen a join seen b using (n) where a.n = 3', [['seen', 5]]],
    [
      'select * from seen join "left" l on seen.n = l.n where l.n = 3',
      [
        ['seen', 5],
        ['left', 1],
      ],
    ],
    [
      'select * from seen join "left" l on seen.n = l.n and l.n = 3',
      [
        ['seen', 5],
        ['left', 1],
      ],
    ],
    [
      "select * from events where event_time < '2026-03-02'",
      [
        ['left', 1],
        ['seen', 1],
      ],
    ],
    ["select * from events where type = 'left' and n < 24", [['left', 1]]],
    ["select type, count(*) from events where type in ('seen') group by all", [['seen', 5]]],
    // What must not be pruned.
    ['select * from seen', [['seen', 5]]],
    ['select * from seen where n + 0 = 3', [['seen', 5]]],
    ['select * from seen where n = size', [['seen', 5]]],
    ['select * from seen where n = 3 or size = 1 or random() < 2', [['seen', 5]]],
    ['select n + 100 as n2, * from seen where n2 = 103', [['seen', 5]]],
    ['select n as size2, label as boot from seen where boot = 3::varchar', [['seen', 5]]],
    ['select * from seen a left join seen b on a.n = b.n where b.n is null', [['seen', 5]]],
    [
      'select * from "left" l left join seen on l.n = seen.n where seen.n = 3',
      [
        ['left', 3],
        ['seen', 5],
      ],
    ],
    [
      'select * from "left" l left join seen on l.n = seen.n where l.n = 3',
      [
        ['left', 1],
        ['seen', 5],
      ],
    ],
    [
      'select * from "left" l asof join seen on l.n >= seen.n where seen.n = 3',
      [
        ['left', 3],
        ['seen', 5],
      ],
    ],
    ['select * from seen tablesample 50% where n = 3', [['seen', 5]]],
    ['select * from seen where n = 3 using sample 50%', [['seen', 5]]],
    ['select * from seen t(a, b, c) where a is not null', [['seen', 5]]],
    ['with seen as (select 1 as n) select * from seen where n = 3', [['seen', 5]]],
    ['from (pivot seen on muted using count(*)) where n = 3', [['seen', 5]]],
    ['select count(*) filter (where n = 3) from seen', [['seen', 5]]],
    ['select * from seen qualify row_number() over () = 3', [['seen', 5]]],
  ] as const)('%s reads %j', async (sql, files) => {
    expect(await plan(sql)).toEqual(files)
    // The statement itself is right, too.
    unwrap(await reader.query(lake.state, sql))
  })

  test('goes by bounds that are those of the values', async () => {
    const [bounds] = await ask(
      'select lower_bounds[1002]::varchar, upper_bounds[1002]::varchar, lower_bounds[1000]::varchar from seen.files order by file_path limit 1',
    )
    // Of booleans DuckDB reports numbers.
    expect(bounds!.slice(0, 2)).toEqual(['\\x00', '\\x01'])
    expect(await ask('select count(*)::int from seen where muted')).toEqual([[60]])
    expect(await ask('select count(*)::int from seen where muted = false')).toEqual([[60]])
  })

  test('loses no row, whatever is asked', { timeout: 120_000 }, async () => {
    const atom = fc.oneof(
      fc
        .tuple(
          fc.constantFrom('n', 'size', '-size'),
          fc.constantFrom('=', '<>', '<', '<=', '>', '>='),
          fc.integer({ min: -5, max: 130 }),
        )
        .map((parts) => parts.join(' ')),
      fc
        .tuple(
          fc.constantFrom('n', 'size'),
          fc.array(fc.integer({ min: 0, max: 125 }), { minLength: 1, maxLength: 3 }),
        )
        .map(([name, all]) => `${name} in (${all.join(', ')})`),
      fc
        .tuple(fc.integer({ min: 0, max: 6 }), fc.constantFrom('<', '<=', '=', '>', '>='))
        .map(([day, op]) => `event_time::date ${op} date '2026-02-28' + ${day}`),
      fc
        .tuple(fc.integer({ min: 0, max: 150 }), fc.constantFrom('<', '>='))
        .map(([hours, op]) => `event_time ${op} timestamp '2026-02-28' + interval ${hours} hours`),
      fc
        .tuple(fc.constantFrom('=', '<', '>'), fc.constantFrom("'l1-3'", "'l2'", "'z'"))
        .map(([op, value]) => `label ${op} ${value}`),
      fc.constantFrom(
        "label like 'l1%'",
        "label like '%3'",
        "starts_with(label, 'l4')",
        'size is null',
        'size is not null',
        'muted',
        'not muted',
        "boot = 'b1'",
        'n between 10 and 40',
        "n = '30'",
        'n = 30.5',
        'n < 30.5',
        'size > 1e1',
        'n = null',
        'n is not distinct from 3',
      ),
    )
    const { where } = fc.letrec((tie) => ({
      where: fc.oneof(
        { maxDepth: 3 },
        atom,
        fc
          .tuple(tie('where'), fc.constantFrom('and', 'or'), tie('where'))
          .map((parts) => `(${parts.join(' ')})`),
        tie('where').map((part) => `not (${String(part)})`),
      ),
    }))
    await fc.assert(
      fc.asyncProperty(where, async (condition) => {
        const [pruned] = await ask(`select count(*), sum(n) from seen where ${condition}`)
        const [whole] = await ask(
          `select count(*) filter (where ${condition}), sum(n) filter (where ${condition}) from seen`,
        )
        expect(pruned).toEqual(whole)
      }),
      { numRuns: 300 },
    )
  })
})

describe('the past', () => {
  const ids = async (): Promise<string[]> =>
    (
      await ask(
        'select snapshot_id::varchar from seen.snapshots order by committed_at, snapshot_id',
      )
    ).map(([id]) => id as string)

  test('is read by id, tag, time and name, in the middle of anything', async () => {
    const log = await ask('select snapshot_id::varchar, made_current_at::varchar from seen.history')
    const [first, firstAt] = log[0] as [string, string]
    const [third] = log[2] as [string]
    const at = firstAt.replace('+00', 'Z')
    for (const sql of [
      `select count(*)::int from seen for version as of ${first}`,
      `select count(*)::int from seen FOR SYSTEM_VERSION AS OF '${first}'`,
      `select count(*)::int from seen@${first}`,
      `select count(*)::int from "seen"@${first} as s where s.n >= 0`,
      `select count(*)::int from seen for version as of ${first} where seen.n >= 0`,
      `select count(*)::int from seen /* for version as of 5 */ for -- really
         version as of ${first}`,
      `select (select count(*)::int from seen@${first}) from seen@${third} limit 1`,
      `with s as (from seen for version as of ${first}) select count(*)::int from s`,
    ]) {
      expect([sql, await ask(sql)]).toEqual([sql, [[24]]])
    }
    expect(await ask(`select count(*)::int from seen for timestamp as of '${at}'`)).toEqual([
      [expect.any(Number)],
    ])
    expect(
      await ask(
        `select a.n::int, b.n::int from seen@${third} a, seen@${first} b where a.n = b.n and a.n < 2 order by 1`,
      ),
    ).toEqual([
      [0, 0],
      [1, 1],
    ])
    expect(await ask(`select count(*)::int from seen@${third} where n < 24`)).toEqual([[24]])
    expect(await plan(`select * from seen@${third} where n >= 24`)).toEqual([['seen', 2]])
    expect(await ask("select count(*)::int from seen for timestamp as of '2100-01-01'")).toEqual([
      [120],
    ])
    expect(await ask(`select count(*)::int from seen.files for version as of ${third}`)).toEqual([
      [3],
    ])
    expect(await ask('select count(*)::int from seen', third)).toEqual([[72]])
    expect(await ask('select count(*)::int from seen, "left"', '2100-01-01 00:00')).toEqual([
      [120 * 72],
    ])
    // A snapshot of one table stands for its time in the others.
    const [[many]] = (await ask('select count(*)::int from events', '2100-01-01')) as [[number]]
    expect(many).toBe(192)
    expect(await ask(`describe seen@${first}`)).toHaveLength(6)
    expect(
      await ask(`create table kept as select * from seen@${first}; select count(*)::int from kept`),
    ).toEqual([[24]])
  })

  test('says what there is where it has none', async () => {
    const all = await ids()
    expect(await failure('select * from seen@5')).toMatchObject({
      code: 'snapshot_unknown',
      detail: expect.stringMatching(/Nearest: \d+ of 20.*main/),
    })
    expect((await failure('select * from seen@5')).detail).toContain(
      all.toSorted((a, b) => Number(a) - Number(b))[0],
    )
    expect(await failure("select * from seen for version as of 'nothing'")).toMatchObject({
      code: 'snapshot_unknown',
    })
    expect(await failure("select * from seen for timestamp as of '1999-01-01'")).toMatchObject({
      code: 'snapshot_unknown',
      detail: expect.stringContaining('1999-01-01T00:00:00.000Z'),
    })
    expect(await failure("select * from seen for timestamp as of 'soon'")).toMatchObject({
      code: 'query_failed',
    })
    expect(await failure('select * from nothing@5')).toMatchObject({ code: 'table_unknown' })
  })

  test('tells what changed', async () => {
    const all = (await ask('select snapshot_id::varchar from seen.history')).map(([id]) =>
      String(id),
    )
    expect(
      await ask(
        `select _change_ordinal, _change_type, _commit_snapshot_id::varchar, count(*)::int, min(n)::int from changes('seen', ${all[1]}, ${all[3]}) group by all order by 1`,
      ),
    ).toEqual([
      [0, 'insert', all[2], 24, 48],
      [1, 'insert', all[3], 24, 72],
    ])
    expect(await ask("select count(*)::int from changes('seen')")).toEqual([[120]])
    expect(await ask(`select count(*)::int from changes('seen', null, ${all[0]})`)).toEqual([[24]])
    expect(await ask(`select count(*)::int from changes('seen', ${all[2]}, ${all[2]})`)).toEqual([
      [0],
    ])
    expect(await failure(`select * from changes('seen', ${all[3]}, ${all[1]})`)).toMatchObject({
      code: 'snapshot_unknown',
    })
    expect(await failure("select * from changes('events')")).toMatchObject({ code: 'query_failed' })
  })

  test('is as complete as the snapshots claim', async () => {
    // Through 01:00 of the last day; at three nines only the day before is.
    expect(await ask('select count(*)::int from seen as of complete')).toEqual([[98]])
    expect(await ask("select count(*)::int from seen for complete as of '99.9%'")).toEqual([[74]])
    expect(await ask('select count(*)::int from seen s', 'complete 90%')).toEqual([[98]])
    expect(await ask('select count(*)::int from seen as of complete where n >= 96')).toEqual([[2]])
    expect(await plan("select * from seen for complete as of '99.9%'")).toEqual([['seen', 4]])
    expect(await failure("select * from seen for complete as of '99.99%'")).toMatchObject({
      code: 'snapshot_unknown',
      detail: expect.stringContaining('90%'),
    })
    expect(await failure('select * from "left" as of complete')).toMatchObject({
      code: 'snapshot_unknown',
    })
    expect(await ask('select type, count(*)::int from events as of complete group by all')).toEqual(
      [['seen', 98]],
    )
  })
})

describe('text', () => {
  test.each([
    'select \'for version as of 5\', "seen for version as of 5" from seen',
    'select 1 -- seen for version as of 5\n from seen',
    'select 1 /* seen@5 /* seen@6 */ seen@7 */ from seen',
    'select $$ seen@5 $$, $x$ seen@6 $$ $x$ from seen',
    "select e'\\' seen@5 ' from seen",
    'select @ -5, @n from seen',
    'select seen @ 5',
    'select * from seen as s',
    'select x for, y from z',
    "select changes('a') over () from s.changes('x')".replace("changes('a') over ()", '1'),
    'select * from t for version as of x',
  ])('%s is left as it is', (sql) => {
    expect(travel(sql)).toEqual({ sql, references: new Map() })
  })

  test('of any kind keeps its strings and comments', () => {
    const piece = fc.constantFrom(
      "'",
      '"',
      '--',
      '\n',
      '/*',
      '*/',
      '$$',
      'seen',
      '@5',
      ' for version as of 5 ',
      'e',
      ' ',
      '.',
      "''",
      ' as of complete ',
      "changes('x')",
      '1',
    )
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 14 }), (pieces) => {
        const sql = pieces.join('')
        const { sql: out, references } = travel(sql)
        if (references.size === 0) expect(out).toBe(sql)
        // What was put in is a name; what is left of the text is as it was.
        for (const schema of references.keys())
          expect(out).toContain(`"${schema.replaceAll('"', '""')}".`)
      }),
      { numRuns: 3000 },
    )
  })
})

test('unknown tables are told with those that may be meant', async () => {
  expect(await failure('select * from sene')).toMatchObject({
    code: 'table_unknown',
    detail: 'There is no table sene. Did you mean seen?',
  })
  expect(await failure('select * from quite_another')).toMatchObject({
    code: 'table_unknown',
    detail: 'There is no table quite_another.',
  })
  expect(await failure('select nothing from seen')).toMatchObject({
    code: 'query_failed',
    detail: expect.stringContaining('nothing'),
  })
  expect(await ask('select count(*)::int from SEEN')).toEqual([[120]])
  expect((await ask('show tables')).map(([name]) => name)).toEqual(['events', 'left', 'seen'])
  // Nothing of one query is left for the next.
  expect(await failure('select * from __headwater.t0')).toMatchObject({
    code: expect.stringMatching(/table_unknown|query_failed/),
  })
})

test('a file that goes while it is read is looked for in a newer state, once', async () => {
  const own = temporaryFolder('reader-race')
  const root = path.join(own.folder, '.headwater/lake')
  const duck = await openDuck({ threads: 1 })
  const connection = await duck.connect()
  const table = new HandTable(connection, root, 'moving', {
    schemas: [{ type: 'struct', 'schema-id': 0, fields: [column(1, 'id', 'int')] }],
    'current-schema-id': 0,
  })
  const data = (id: number): { sql: string; ids: string } => ({
    sql: `select ${id}::int as id`,
    ids: 'id: 1',
  })
  const [first] = await table.commit([data(1)])
  await table.publish()
  const beside = await openForReading(root)
  const own2 = await LakeReader.open(beside, 1)
  const state = beside.state
  expect(unwrap(await own2.query(state, 'select id from moving')).rows).toEqual([[1]])
  // The owner has put another file in its place, and removed the one that the state names.
  const rewritten = data(2)
  const location = await table.file(rewritten)
  table.snapshot([table.manifest(await table.entry(rewritten, location), {}, 200, 2)], 'replace')
  await table.publish()
  rmSync(fileURLToPath(first!))
  expect(unwrap(await own2.query(state, 'select id from moving')).rows).toEqual([[2]])
  // What is gone from the newest state, too, is a failure that names the file.
  rmSync(fileURLToPath(location))
  const gone = await own2.query(beside.state, 'select id from moving')
  expect(gone).toMatchObject({
    ok: false,
    error: { detail: expect.stringContaining(path.basename(location)) },
  })
  own2.close()
  await beside.close()
  connection.closeSync()
  duck.close()
  own.remove()
})
