/** Turns what COPY … RETURN_STATS says of a Parquet file into Iceberg column statistics, leaving out what it gets wrong. */
import type { TableSchema, IcebergField } from '../../spec/iceberg-type.ts'
import type { RowSet } from '../../columns/table.ts'
import { StringColumn } from '../../columns/text-column.ts'
import type { Bound, ColumnStatistics } from '../../lake/lake.ts'

/** One column as DuckDB reports it: all values are text. */
export type ReportedStatistics = Readonly<Record<string, string>>

/** Lower and upper bound of a string column's values, as known from its dictionary: enumerations are reported without. */
export interface TextBounds {
  readonly lower: string
  readonly upper: string
}

/**
 * Statistics of the top-level columns; nothing inside lists, maps and structs, whose null counts DuckDB gets wrong.
 * `reported` is keyed by the column's quoted path.
 */
export function columnStatistics(
  schema: TableSchema,
  reported: ReadonlyMap<string, ReportedStatistics>,
  textBounds: ReadonlyMap<string, TextBounds>,
): ColumnStatistics[] {
  const statistics: ColumnStatistics[] = []
  for (const field of schema.fields) {
    const column = reported.get(`"${field.name}"`)
    if (typeof field.type !== 'string' || column === undefined) continue
    const nulls = column['null_count']
    const text = textBounds.get(field.name)
    const bounds = text ?? reportedBounds(field, column)
    statistics.push({
      fieldId: field.id,
      bytes: Number(column['column_size_bytes'] ?? 0),
      values: Number(column['num_values'] ?? 0),
      ...(nulls === undefined ? {} : { nulls: Number(nulls) }),
      ...(column['has_nan'] === 'false' ? { nans: 0 } : {}),
      ...bounds,
    })
  }
  return statistics
}

function reportedBounds(
  field: IcebergField,
  column: ReportedStatistics,
): { lower?: Bound; upper?: Bound } {
  const { min, max } = column
  if (min === undefined || max === undefined) return {}
  const lower = boundOf(field.type as string, min)
  const upper = boundOf(field.type as string, max)
  if (lower === undefined || upper === undefined) return {}
  // DuckDB reports -0.0 for a maximum of 0.0 (and the other way round): zero bounds take the wider sign.
  if (field.type === 'double') {
    return { lower: lower === 0 ? -0 : lower, upper: upper === 0 ? 0 : upper }
  }
  return { lower, upper }
}

/** The value that a reported bound stands for; undefined for types whose text form is not exact. Enumerations are reported without. */
function boundOf(type: string, text: string): Bound | undefined {
  switch (type) {
    case 'boolean':
      return BOOLEANS[text]
    case 'int':
      return Number(text)
    case 'long':
      return BigInt(text)
    case 'double':
      return Number(text)
    case 'date':
      return Math.floor(Date.parse(`${text}T00:00:00Z`) / 86_400_000)
    case 'timestamptz':
      return timestampMicros(text)
    case 'string':
      return text
    default:
      return type.startsWith('decimal') ? unscaled(type, text) : undefined
  }
}

/** DuckDB reports booleans as numbers. */
const BOOLEANS: Readonly<Record<string, boolean>> = {
  '0': false,
  '1': true,
  false: false,
  true: true,
}

/** The integer that a decimal's digits make, at the scale of its type; undefined where the text has another. */
function unscaled(type: string, text: string): bigint | undefined {
  const scale = Number(/,\s*(\d+)\)$/.exec(type)?.[1])
  const match = /^(-?)(\d+)(?:\.(\d+))?$/.exec(text)
  if (match === null || (match[3] ?? '').length !== scale) return undefined
  const value = BigInt(`${match[2]}${match[3] ?? ''}`)
  return match[1] === '-' ? -value : value
}

/** µs since 1970 of `YYYY-MM-DD HH:MM:SS[.ffffff]+00`, DuckDB's text in a UTC session. */
export function timestampMicros(text: string): bigint | undefined {
  const match = /^(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d)(?:\.(\d{1,6}))?(?:\+00)?$/.exec(text)
  if (match === null) return undefined
  const seconds = Date.parse(`${match[1]}T${match[2]}Z`)
  return BigInt(seconds) * 1000n + BigInt((match[3] ?? '').padEnd(6, '0'))
}

/** Bounds of the string columns of a row set; batch columns share theirs over all tables of an epoch. */
export class TextBoundsOf {
  readonly #known = new Map<object, TextBounds | undefined>()

  of(rows: RowSet): Map<string, TextBounds> {
    const bounds = new Map<string, TextBounds>()
    rows.sources.forEach(({ column }, i) => {
      if (!(column instanceof StringColumn) || column.texts !== undefined) return
      const { dictionary } = column
      let known = this.#known.get(dictionary)
      if (!this.#known.has(dictionary)) {
        known = boundsOfTexts(dictionary.values)
        this.#known.set(dictionary, known)
      }
      if (known !== undefined) bounds.set(rows.schema.fields[i]!.name, known)
    })
    return bounds
  }
}

/** Bounds in UTF-8 byte order, which is code point order; JavaScript compares UTF-16, so astral characters give none. */
function boundsOfTexts(values: readonly string[]): TextBounds | undefined {
  let lower = values[0]
  let upper = values[0]
  if (lower === undefined || upper === undefined) return undefined
  for (const value of values) {
    if (/[\ud800-\udfff]/.test(value)) return undefined
    if (value < lower) lower = value
    if (value > upper) upper = value
  }
  return { lower, upper }
}
