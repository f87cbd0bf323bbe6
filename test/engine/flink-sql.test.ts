/** The landing pipeline in SQL: every kind of node in both dialects, and what DuckDB makes of records with them. */
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import type { DuckDBConnection } from '@duckdb/node-api'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openDuck } from '../../src/engine/duckdb/instance.ts'
import { duckdbDialect, flinkDialect } from '../../src/engine/flink/dialect.ts'
import { landingPipeline, type Part, type Rows } from '../../src/engine/flink/pipeline.ts'
import type { RecordSource } from '../../src/engine/flink/records.ts'
import { querySql } from '../../src/engine/flink/sql.ts'
import * as spec from '../../src/spec/index.ts'
import { projectOf } from '../support/platform.ts'
import { temporaryFolder } from '../support/project.ts'

const { folder, remove } = temporaryFolder('flink-sql')
afterAll(remove)

/** Both dialects of a node. */
function sideBySide(rows: Rows): string {
  const duckdb = duckdbDialect(({ name }) => [`${name}.jsonl`])
  return `-- Flink\n${querySql(flinkDialect, rows)}\n-- DuckDB\n${querySql(duckdb, rows)}`
}

const source: RecordSource = {
  name: 'events.seen',
  former: [],
  columns: [
    { name: 'boot', type: 'string' },
    {
      name: 'n',
      type: { type: 'list', 'element-id': 0, element: 'long', 'element-required': false },
    },
    {
      name: 'mark',
      type: { type: 'list', 'element-id': 0, element: 'binary', 'element-required': false },
    },
  ],
}
const read: Rows = { kind: 'read', source }

describe('a node in both dialects', () => {
  test('read', () => {
    expect(sideBySide(read)).toMatchInlineSnapshot(`
      "-- Flink
      SELECT *
      FROM \`events.seen\`
      -- DuckDB
      SELECT *
      FROM (SELECT *, ROW_NUMBER() OVER () AS "arrived" FROM read_json(['events.seen.jsonl'], format = 'newline_delimited', columns = {"boot": 'VARCHAR', "n": 'BIGINT[]', "mark": 'VARCHAR[]'}))"
    `)
  })

  test('first', () => {
    expect(sideBySide({ kind: 'first', input: read, by: ['boot'] })).toMatchInlineSnapshot(`
      "-- Flink
      SELECT *
      FROM (
        SELECT *, ROW_NUMBER() OVER (PARTITION BY \`boot\` ORDER BY \`arrived\`) AS \`copy\`
        FROM \`events.seen\`
      )
      WHERE \`copy\` = 1
      -- DuckDB
      SELECT *
      FROM (
        SELECT *, ROW_NUMBER() OVER (PARTITION BY "boot" ORDER BY "arrived") AS "copy"
        FROM (SELECT *, ROW_NUMBER() OVER () AS "arrived" FROM read_json(['events.seen.jsonl'], format = 'newline_delimited', columns = {"boot": 'VARCHAR', "n": 'BIGINT[]', "mark": 'VARCHAR[]'}))
      )
      WHERE "copy" = 1"
    `)
  })

  test('copies, and where', () => {
    const copies: Rows = { kind: 'copies', input: read, by: ['boot'], of: 'n' }
    const left = { kind: 'column', path: ['n'], type: undefined } as const
    const right = { kind: 'column', path: ['original'], type: undefined } as const
    const differs = { kind: 'differs', left, right } as const
    expect(sideBySide({ kind: 'where', input: copies, test: differs })).toMatchInlineSnapshot(`
      "-- Flink
      SELECT *
      FROM (
        SELECT *, COUNT(*) OVER so_far AS \`copy\`, FIRST_VALUE(\`n\`) OVER so_far AS \`original\`
        FROM \`events.seen\`
        WINDOW so_far AS (PARTITION BY \`boot\` ORDER BY \`arrived\` ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
      )
      WHERE \`n\` <> \`original\`
      -- DuckDB
      SELECT *
      FROM (
        SELECT *, COUNT(*) OVER so_far AS "copy", FIRST_VALUE("n") OVER so_far AS "original"
        FROM (SELECT *, ROW_NUMBER() OVER () AS "arrived" FROM read_json(['events.seen.jsonl'], format = 'newline_delimited', columns = {"boot": 'VARCHAR', "n": 'BIGINT[]', "mark": 'VARCHAR[]'}))
        WINDOW so_far AS (PARTITION BY "boot" ORDER BY "arrived" ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
      )
      WHERE "n" <> "original""
    `)
  })

  test('explode and project', () => {
    const rows: Rows = {
      kind: 'project',
      input: { kind: 'explode', input: read, list: 'n' },
      columns: [
        { name: 'n', type: 'long', value: { kind: 'column', path: ['number'], type: undefined } },
        {
          name: 'mark',
          type: 'binary',
          value: { kind: 'element', path: ['mark'], type: 'binary' },
        },
        { name: 'gone', type: 'decimal(9, 2)', value: { kind: 'null', type: 'decimal(9, 2)' } },
      ],
    }
    expect(sideBySide(rows)).toMatchInlineSnapshot(`
      "-- Flink
      SELECT
        \`number\` AS \`n\`,
        \`mark\`[\`place\`] AS \`mark\`,
        CAST(NULL AS DECIMAL(9, 2)) AS \`gone\`
      FROM (
        SELECT *
        FROM \`events.seen\`
      ) AS chunk
      CROSS JOIN UNNEST(chunk.\`n\`) WITH ORDINALITY AS event(\`number\`, \`place\`)
      -- DuckDB
      SELECT
        "number" AS "n",
        from_base64("mark"["place"]) AS "mark",
        CAST(NULL AS DECIMAL(9, 2)) AS "gone"
      FROM (
        SELECT *
        FROM (SELECT *, ROW_NUMBER() OVER () AS "arrived" FROM read_json(['events.seen.jsonl'], format = 'newline_delimited', columns = {"boot": 'VARCHAR', "n": 'BIGINT[]', "mark": 'VARCHAR[]'}))
      ) AS chunk
      CROSS JOIN UNNEST(chunk."n") WITH ORDINALITY AS event("number", "place")"
    `)
  })

  test('union, choose, and text', () => {
    const boot = { kind: 'column', path: ['boot'], type: 'string' } as const
    const value = {
      kind: 'choose',
      when: { kind: 'absent', of: boot },
      yes: { kind: 'text', text: "nobody's" },
      no: boot,
    } as const
    const rows: Rows = {
      kind: 'project',
      input: { kind: 'where', input: read, test: { kind: 'present', of: boot } },
      columns: [{ name: 'boot', type: 'string', value }],
    }
    expect(sideBySide({ kind: 'union', inputs: [rows, rows] })).toMatchInlineSnapshot(`
      "-- Flink
      SELECT
        CASE WHEN \`boot\` IS NULL THEN 'nobody''s' ELSE \`boot\` END AS \`boot\`
      FROM \`events.seen\`
      WHERE \`boot\` IS NOT NULL
      UNION ALL
      SELECT
        CASE WHEN \`boot\` IS NULL THEN 'nobody''s' ELSE \`boot\` END AS \`boot\`
      FROM \`events.seen\`
      WHERE \`boot\` IS NOT NULL
      -- DuckDB
      SELECT
        CASE WHEN "boot" IS NULL THEN 'nobody''s' ELSE "boot" END AS "boot"
      FROM (SELECT *, ROW_NUMBER() OVER () AS "arrived" FROM read_json(['events.seen.jsonl'], format = 'newline_delimited', columns = {"boot": 'VARCHAR', "n": 'BIGINT[]', "mark": 'VARCHAR[]'}))
      WHERE "boot" IS NOT NULL
      UNION ALL
      SELECT
        CASE WHEN "boot" IS NULL THEN 'nobody''s' ELSE "boot" END AS "boot"
      FROM (SELECT *, ROW_NUMBER() OVER () AS "arrived" FROM read_json(['events.seen.jsonl'], format = 'newline_delimited', columns = {"boot": 'VARCHAR', "n": 'BIGINT[]', "mark": 'VARCHAR[]'}))
      WHERE "boot" IS NOT NULL"
    `)
  })
})

describe('records in DuckDB', () => {
  const member = spec.struct({ l: spec.long().optional(), b: spec.binary().optional() })
  const specs = {
    context: spec.defineContext({
      doc: 'The app.',
      fields: { app: spec.string(), since: spec.timestamp().optional() },
    }),
    every: spec.defineEvent('every', {
      doc: 'Every kind.',
      fields: {
        flag: spec.boolean().optional(),
        count: spec.int().optional(),
        big: spec.long().optional(),
        share: spec.double().optional(),
        price: spec.decimal(38, 4).optional(),
        name: spec.string().optional(),
        color: spec.enumOf('red', 'green').optional(),
        day: spec.date().optional(),
        time: spec.timestamp().optional(),
        bytes: spec.binary().optional(),
        any: spec.json().optional(),
        times: spec.list(spec.timestamp().optional()).optional(),
        marks: spec.map(spec.list(spec.binary())).optional(),
        members: spec.list(member).optional(),
      },
    }),
  }
  const { specs: set, lock } = projectOf(folder, specs)
  const parts = landingPipeline(set, lock)
  let connection: DuckDBConnection

  beforeAll(async () => {
    connection = await (await openDuck({ threads: 1 })).connect()
  })
  afterAll(() => connection.closeSync())

  /** Rows of a table, out of records by topic. */
  async function rowsOf(
    table: string,
    records: Readonly<Record<string, readonly object[]>>,
    columns: string,
    order = 'n',
  ): Promise<unknown[]> {
    for (const { name } of parts.flatMap((part: Part) => part.sources)) {
      const lines = (records[name] ?? []).map((record) => `${JSON.stringify(record)}\n`)
      writeFileSync(path.join(folder, `${name}.jsonl`), lines.join(''))
    }
    const sink = parts.flatMap(({ sinks }) => sinks).find((each) => each.table.name === table)!
    const dialect = duckdbDialect(({ name }) => [path.join(folder, `${name}.jsonl`)])
    const query = `SELECT ${columns} FROM (\n${querySql(dialect, sink.rows)}\n) ORDER BY ${order}`
    return (await connection.runAndReadAll(query)).getRowsJson()
  }

  const chunk = {
    v: 1,
    boot: 'b',
    seq: 0,
    part: 0,
    rows: 2,
    received_at: '2026-11-25T10:11:12.000000Z',
    ctx: { app: 'tv', since: '2020-01-01T00:00:00.000001Z' },
    n: [3, 5],
    event_time: ['2026-11-25T10:11:11.800001Z', '2026-11-24T00:00:00.000000Z'],
    at: [1.5, 2],
    within: [null, 3],
    cols: { count: [1, 2] },
  }

  test('a chunk becomes its rows, whatever came twice', async () => {
    const records = {
      'events.every': [
        chunk,
        {
          ...chunk,
          part: 1,
          n: [7],
          event_time: [chunk.event_time[1]],
          at: [3],
          within: undefined,
          cols: {},
        },
        { ...chunk, received_at: '2026-11-25T10:11:13.000000Z' },
      ],
    }
    expect(
      await rowsOf(
        'every',
        records,
        'boot, n, event_time, received_at, "at", "within", app, since, count',
      ),
    ).toEqual([
      [
        'b',
        '3',
        '2026-11-25 10:11:11.800001+00',
        '2026-11-25 10:11:12+00',
        1.5,
        null,
        'tv',
        '2020-01-01 00:00:00.000001+00',
        1,
      ],
      [
        'b',
        '5',
        '2026-11-24 00:00:00+00',
        '2026-11-25 10:11:12+00',
        2,
        '3',
        'tv',
        '2020-01-01 00:00:00.000001+00',
        2,
      ],
      [
        'b',
        '7',
        '2026-11-24 00:00:00+00',
        '2026-11-25 10:11:12+00',
        3,
        null,
        'tv',
        '2020-01-01 00:00:00.000001+00',
        null,
      ],
    ])
  })

  test('every kind of value arrives exactly', async () => {
    const cols = {
      flag: [true, null],
      count: [-(2 ** 31), null],
      big: ['-9223372036854775808', 9007199254740991],
      share: [5e-324, 0.1],
      price: ['-1234567890123456789012345678901234.5678', '0.0001'],
      name: ['a\u0000é𝄞', ''],
      color: ['red', null],
      day: ['0001-01-01', '9999-12-31'],
      time: ['1969-12-31T23:59:59.999999Z', null],
      bytes: ['AP8=', ''],
      any: ['{"a":[1]}', '"x"'],
      times: [['2026-11-25T10:11:11.800001Z', null], []],
      marks: [{ a: ['AP8='], b: [] }, {}],
      members: [[{ l: 1, b: 'AQ==' }, {}], null],
    }
    const texts = new Set(['bytes', 'marks', 'members'])
    const names = Object.keys(cols).map((name) =>
      texts.has(name) ? `${name}::VARCHAR` : `"${name}"`,
    )
    const rows = await rowsOf('every', { 'events.every': [{ ...chunk, cols }] }, names.join(', '))
    expect(rows).toEqual([
      [
        true,
        -(2 ** 31),
        '-9223372036854775808',
        5e-324,
        '-1234567890123456789012345678901234.5678',
        'a\u0000é𝄞',
        'red',
        '0001-01-01',
        '1969-12-31 23:59:59.999999+00',
        '\\x00\\xFF',
        '{"a":[1]}',
        ['2026-11-25 10:11:11.800001+00', null],
        '{a=[\\x00\\xFF], b=[]}',
        "[{'l': 1, 'b': \\x01}, {'l': NULL, 'b': NULL}]",
      ],
      [
        null,
        null,
        '9007199254740991',
        0.1,
        '0.0001',
        '',
        null,
        '9999-12-31',
        null,
        '',
        '"x"',
        [],
        '{}',
        null,
      ],
    ])
  })

  const batch = {
    v: 1,
    received_at: '2026-11-25T10:11:12.000000Z',
    boot: 'b',
    seq: 0,
    first: 0,
    count: 5,
    status: 'accepted',
    landed: 3,
    quarantined: 1,
    missing: 1,
    fingerprint: 7,
    sent: 1,
    booted: 2,
    clock: 'monotonic',
    bytes: 100,
    event_to: '2026-11-25T10:11:11.800001Z',
    types: [{ type: 'every', landed: 3, quarantined: 1 }],
    dropped: [{ reason: 'queue_full', first: 1, count: 2 }],
    ctx: { app: 'tv' },
  }
  const held = {
    v: 1,
    i: 0,
    fingerprint: 7,
    received_at: '2026-11-25T10:11:12.000000Z',
    boot: 'b',
    seq: 0,
    n: 4,
    events: 1,
    reason: 'value_type',
    message: 'm',
    payload: '{}',
  }

  test('copies of a batch are duplicates, and contradictions are told', async () => {
    const records = {
      batches: [batch, { ...batch, seq: 1 }, batch, { ...batch, fingerprint: 8 }],
      quarantine: [
        held,
        held,
        { ...held, i: 1 },
        {
          received_at: held.received_at,
          events: 0,
          reason: 'body_corrupt',
          message: 'm',
          bytes: 'AP8=',
          bytes_total: 2,
        },
        {
          received_at: held.received_at,
          events: 0,
          reason: 'body_corrupt',
          message: 'm',
          bytes: 'AP8=',
          bytes_total: 2,
        },
      ],
    }
    const ledger =
      'seq, status, landed, quarantined, missing, fingerprint, event_to IS NULL, types, dropped, app'
    const dropped = [{ reason: 'queue_full', first: '1', count: '2' }]
    const { types } = batch
    expect(await rowsOf('batches', records, ledger, 'seq, status')).toEqual([
      [0, 'accepted', 3, 1, 1, '7', false, types, dropped, 'tv'],
      [0, 'duplicate', 0, 0, 0, '7', true, null, dropped, 'tv'],
      [0, 'quarantined', 0, 5, 0, '8', true, null, dropped, 'tv'],
      [1, 'accepted', 3, 1, 1, '7', false, types, dropped, 'tv'],
    ])
    const quarantine = 'boot, seq, n, events, reason, bytes, bytes_total'
    const nobody = [null, null, null, 0, 'body_corrupt', '\\x00\\xFF', '2']
    expect(await rowsOf('quarantine', records, quarantine, 'reason')).toEqual([
      ['b', 0, null, 5, 'batch_conflict', null, null],
      nobody,
      nobody,
      ['b', 0, '4', 1, 'value_type', null, null],
      ['b', 0, '4', 1, 'value_type', null, null],
    ])
  })
})
