/** Answers of SQL as text: a table, records one below the other where a table is wider than the terminal, CSV, or JSON lines. */
import { styleText } from 'node:util'
import { stringify } from 'csv-stringify/sync'
import { limits } from '../base/limits.ts'
import type { Answer } from '../engine/index.ts'
import { grouped, printable, textTable } from './text-table.ts'

const NUMERIC = /^(TINYINT|SMALLINT|INTEGER|BIGINT|HUGEINT|U[A-Z]+INT|FLOAT|DOUBLE|DECIMAL)/

/** One JSON object per row. */
export function jsonLines({ columns, types, rows }: Answer): string {
  return rows
    .map((row) => {
      const values = row.map((value, i) => jsonValue(value, types[i]!))
      return `${JSON.stringify(Object.fromEntries(columns.map((name, i) => [name, values[i]])))}\n`
    })
    .join('')
}

/** A header line and one line per row; null is nothing. */
export function csv({ columns, rows }: Answer): string {
  const cells = rows.map((row) => row.map((value) => (value === null ? '' : textOf(value))))
  return stringify([columns, ...cells])
}

/**
 * For people, at most `width` columns wide if it can be, and of the first `shownRowsMax` rows; `ms` is how long the query took.
 */
export function answerText(answer: Answer, width: number, ms: number): string {
  const { columns, types, rows } = answer
  const cells = rows
    .slice(0, limits.shownRowsMax)
    .map((row) => row.map((value) => printable(textOf(value))))
  const numeric = types.map((type) => NUMERIC.test(type))
  const wide = columns.map((name, i) =>
    cells.reduce((most, row) => Math.max(most, row[i]!.length), name.length),
  )
  const total = wide.reduce((sum, each) => sum + each + 2, -2)
  const body = total > width ? records(columns, cells) : textTable(columns, cells, numeric)
  const count = `${grouped(rows.length)} ${rows.length === 1 ? 'row' : 'rows'}, ${ms} ms`
  const hidden = rows.length - cells.length
  const more =
    hidden === 0 ? '' : `; ${grouped(hidden)} of them not shown: --csv and --json print all`
  return `${body}\n${count}${more}\n`
}

function records(columns: readonly string[], rows: readonly (readonly string[])[]): string {
  const wide = Math.max(...columns.map((name) => name.length))
  return rows
    .map((row, i) => {
      const fields = row.map((value, j) => `  ${columns[j]!.padEnd(wide)}  ${value}`)
      return [styleText('bold', `row ${i + 1}`), ...fields].join('\n')
    })
    .join('\n')
}

/** 64-bit integers come as text; those that a JSON number holds exactly become numbers. */
function jsonValue(value: unknown, type: string): unknown {
  if (typeof value !== 'string' || !/^(BIGINT|HUGEINT|UBIGINT)$/.test(type)) return value
  const number = Number(value)
  return Number.isSafeInteger(number) ? number : value
}

function textOf(value: unknown): string {
  if (value === null) return 'null'
  return typeof value === 'string' ? value : JSON.stringify(value)
}
