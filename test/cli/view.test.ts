/** What `headwater dev` shows, and how answers are set: readable at every size, and harmless whatever devices sent. */
import { stripVTControlCharacters } from 'node:util'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { answerText, csv, jsonLines } from '../../src/cli/render.ts'
import { size } from '../../src/base/size.ts'
import { grouped, printable, textTable } from '../../src/cli/text-table.ts'
import { viewLines, type ViewState } from '../../src/cli/view.ts'

const state: ViewState = {
  url: 'http://127.0.0.1:8642',
  catalogUrl: 'http://127.0.0.1:8643/iceberg',
  seconds: 3725,
  eventsPerSecond: 1499.6,
  landed: 1_234_567,
  quarantined: 4321,
  batches: 99_999,
  duplicates: 77,
  freshness: { p50: 940, p99: 1312 },
  commits: 42,
  lakeBytes: 12_345_678,
  tables: Array.from({ length: 18 }, (_, i) => ({ name: `table_${i}`, rows: i * 1000, added: i })),
  reasons: Array.from({ length: 5 }, (_, i) => ({
    text: `reason_${i}  event.field: expected an integer, got string "1"`,
    count: 5 - i,
  })),
  notReady: [],
  notice: { text: 'log.ts is logging', bad: false },
  stopping: false,
  queries: [1, 2, 3].map((i) => `npx headwater sql "select ${i} from a_table where something"`),
}

const plain = (lines: readonly string[]): string[] =>
  lines.map((line) => stripVTControlCharacters(line))
const shown = (over: Partial<ViewState> = {}, width = 100, height = 40): string[] =>
  plain(viewLines({ ...state, ...over }, width, height))

describe('the live view', () => {
  test('says everything on a usual terminal', () => {
    const text = shown().join('\n')
    for (const part of [
      'http://127.0.0.1:8642',
      'up 01:02:05',
      '1,500/s',
      '1,234,567 landed',
      '4,321 in quarantine (0.35 %)',
      '77 duplicates caught',
      '0.94 s after they are acknowledged (p99 1.31 s)',
      'commit 42   12.3 MB',
      'log.ts is logging',
      'table_17  17,000  +17',
      'reason_0  event.field: expected an integer',
      ...state.queries,
      'Iceberg REST catalog for other engines http://127.0.0.1:8643/iceberg',
      '/readyz',
      '/metrics',
      'Ctrl-C',
    ]) {
      expect(text).toContain(part)
    }
  })

  test('names the tables with most rows first, and how many it leaves out', () => {
    const lines = shown({}, 80, 24)
    expect(lines.findIndex((line) => line.includes('table_17'))).toBeGreaterThan(0)
    expect(lines.join('\n')).toMatch(/… and \d+ more: npx headwater tables/)
    expect(lines.join('\n')).not.toContain('table_0 ')
  })

  test('says why events are not taken, what became of the program, and that it stops', () => {
    const text = shown({
      notReady: ['disk_full: no space'],
      notice: { text: 'log.ts ended with code 1: TypeError: no', bad: true },
      stopping: true,
    }).join('\n')
    expect(text).toContain('not taking events: disk_full: no space')
    expect(text).toContain('log.ts ended with code 1: TypeError: no')
    expect(text).toContain('stopping')
  })

  test('says where events go while there are none', () => {
    const over = { landed: 0, quarantined: 0, notice: undefined, freshness: undefined, reasons: [] }
    const text = shown(over).join('\n')
    expect(text).toContain('events are awaited at http://127.0.0.1:8642/v1/events')
    expect(text).toContain('Quarantine is empty.')
  })

  test('fits every terminal: never scrolls it, and never breaks a line but a query', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 20, max: 250 }),
        fc.integer({ min: 2, max: 100 }),
        fc.boolean(),
        (width, height, bad) => {
          const over = bad ? { notReady: ['a', 'b'], notice: { text: 'x', bad } } : {}
          const lines = shown(over, width, height)
          const rows = lines.reduce(
            (sum, line) => sum + Math.max(1, Math.ceil(line.length / width)),
            0,
          )
          expect(rows).toBeLessThan(height)
          for (const line of lines.filter((each) => each.length > width)) {
            expect(state.queries).toContain(line.trim())
          }
          expect(lines[0]).toMatch(/^headwater/)
        },
      ),
    )
  })

  test('does nothing to the terminal but colour it', () => {
    const evil = 'a\u001b[2Jb\u001b]0;title\u0007\r\nc\u009b2J'
    const lines = viewLines(
      {
        ...state,
        reasons: [{ text: evil, count: 1 }],
        notReady: [evil],
        notice: { text: evil, bad: true },
      },
      200,
      50,
    )
    const text = lines.join('').replaceAll(/\u001b\[\d+m/g, '')
    // eslint-disable-next-line no-control-regex
    expect(text).not.toMatch(/[\u0000-\u001f\u007f-\u009f]/)
    expect(text).toContain(String.raw`a\x1b[2Jb\x1b]0;title\x07\r\nc\x9b2J`)
  })
})

describe('an answer', () => {
  const answer = {
    columns: ['name', 'count', 'nested'],
    types: ['VARCHAR', 'BIGINT', 'STRUCT(a INTEGER)'],
    rows: [
      ['naïve 東京', '12', { a: 1 }],
      [null, '9007199254740993', null],
    ],
  }

  test('is a table where it fits', () => {
    const lines = stripVTControlCharacters(answerText(answer, 80, 7)).split('\n')
    expect(lines.map((line) => line.trimEnd())).toEqual([
      'name                   count  nested',
      'naïve 東京                12  {"a":1}',
      'null        9007199254740993  null',
      '2 rows, 7 ms',
      '',
    ])
  })

  test('is records where a table would break', () => {
    expect(stripVTControlCharacters(answerText(answer, 20, 7))).toBe(
      [
        'row 1',
        '  name    naïve 東京',
        '  count   12',
        '  nested  {"a":1}',
        'row 2',
        '  name    null',
        '  count   9007199254740993',
        '  nested  null',
        '2 rows, 7 ms',
        '',
      ].join('\n'),
    )
  })

  test('of one row is one row, of none is its columns', () => {
    expect(answerText({ ...answer, rows: answer.rows.slice(0, 1) }, 80, 1)).toMatch(
      /\n1 row, 1 ms\n$/,
    )
    const none = stripVTControlCharacters(answerText({ ...answer, rows: [] }, 80, 1))
    expect(none).toBe('name  count  nested\n0 rows, 1 ms\n')
  })

  test('as CSV and JSON is exact', () => {
    expect(csv(answer)).toBe('name,count,nested\nnaïve 東京,12,"{""a"":1}"\n,9007199254740993,\n')
    expect(jsonLines(answer)).toBe(
      '{"name":"naïve 東京","count":12,"nested":{"a":1}}\n{"name":null,"count":"9007199254740993","nested":null}\n',
    )
  })
})

test('any text becomes one line without control characters, and well-behaved text stays as it is', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const line = printable(text)
      // eslint-disable-next-line no-control-regex
      expect(line).not.toMatch(/[\u0000-\u001f\u007f-\u009f]/)
      // eslint-disable-next-line no-control-regex
      if (!/[\u0000-\u001f\u007f-\u009f]/.test(text)) expect(line).toBe(text)
    }),
  )
})

test('sizes and counts are for people', () => {
  expect([0, 999, 1000, 1_250_000, 3e15].map(size)).toEqual([
    '0 B',
    '999 B',
    '1.0 kB',
    '1.3 MB',
    '3000.0 TB',
  ])
  expect([0, 999.6, 1_234_567].map(grouped)).toEqual(['0', '1,000', '1,234,567'])
})

test('a table has its numbers to the right, and wide characters keep the columns straight', () => {
  const table = textTable(
    ['text', 'n'],
    [
      ['東京', '1'],
      ['a', '10'],
    ],
    [false, true],
  )
  expect(stripVTControlCharacters(table).split('\n')).toEqual(['text   n', '東京   1', 'a     10'])
})
