/** Values of columns as the JSON text of a record (PROTOCOL.md §17), read back from where they were checked and written. */
import { unreachable } from '../base/assert.ts'
import type {
  BinaryColumn,
  BooleanColumn,
  Column,
  DoubleColumn,
  IntColumn,
  ListColumn,
  LongColumn,
  StructColumn,
} from './column.ts'
import { numberAt } from './ledger-entry.ts'
import type { HugeDecimalColumn } from './number-column.ts'
import type { StringColumn } from './text-column.ts'
import { decimalText } from '../spec/values.ts'

/** JSON text of the value of a row; `null` where it has none. Valid until the column is reset. */
export type ValueText = (row: number) => string

/** The reader of a column. */
export function valueText(column: Column): ValueText {
  const present = presentText(column)
  return (row) => (column.isNull(row) ? 'null' : present(row))
}

/** The reader of a column for rows that have a value. */
export function presentText(column: Column): ValueText {
  const { type } = column.field
  switch (type.kind) {
    case 'boolean':
      return booleanText(column as BooleanColumn)
    case 'int':
      return intText(column as IntColumn)
    case 'long':
      return longText(column as LongColumn)
    case 'double':
      return doubleText(column as DoubleColumn)
    case 'decimal':
      return column.storage === 'hugeint'
        ? hugeDecimalText(column as HugeDecimalColumn, type.scale)
        : shortDecimalText(column as LongColumn, type.scale)
    case 'string':
    case 'enum':
    case 'json':
      return stringText(column as StringColumn)
    case 'date':
      return dateText(column as IntColumn)
    case 'timestamp':
      return timestampText(column as LongColumn)
    case 'binary':
      return binaryText(column as BinaryColumn)
    case 'list':
      return listText(column as ListColumn)
    case 'map':
      return mapText(column as ListColumn)
    case 'struct':
      return structText(column as StructColumn)
    default:
      return unreachable(type)
  }
}

function booleanText(column: BooleanColumn): ValueText {
  return (row) => (column.data[row] === 1 ? 'true' : 'false')
}

function intText(column: IntColumn): ValueText {
  return (row) => `${column.data[row]!}`
}

function longText(column: LongColumn): ValueText {
  return (row) => {
    const near = numberAt(column, row)
    return Number.isSafeInteger(near) ? `${near}` : `"${bigAt(column, row)}"`
  }
}

function bigAt({ data }: LongColumn, row: number): bigint {
  return (BigInt(data[row * 2 + 1]!) << 32n) | BigInt(data[row * 2]! >>> 0)
}

function doubleText(column: DoubleColumn): ValueText {
  return (row) => {
    const value = column.data[row]!
    return value === 0 && 1 / value < 0 ? '-0.0' : `${value}`
  }
}

function shortDecimalText(column: LongColumn, scale: number): ValueText {
  return (row) => {
    const near = numberAt(column, row)
    const unscaled = Number.isSafeInteger(near) ? near : bigAt(column, row)
    return `"${decimalText(unscaled, scale)}"`
  }
}

function hugeDecimalText(column: HugeDecimalColumn, scale: number): ValueText {
  return (row) => {
    const { data } = column
    const unscaled = (data[row * 2 + 1]! << 64n) | BigInt.asUintN(64, data[row * 2]!)
    return `"${decimalText(unscaled, scale)}"`
  }
}

/** A string that repeats is quoted once. */
function stringText(column: StringColumn): ValueText {
  const quoted: string[] = []
  return (row) => {
    const { texts } = column
    if (texts !== undefined) {
      return JSON.stringify(texts.bytes.toString('utf8', texts.starts[row], texts.ends[row]))
    }
    const code = column.data[row]!
    return (quoted[code] ??= JSON.stringify(column.dictionary.values[code]))
  }
}

const DAY_MS = 86_400_000

function dateText(column: IntColumn): ValueText {
  let day = NaN
  let text = ''
  return (row) => {
    const wanted = column.data[row]!
    if (wanted !== day) {
      day = wanted
      text = `"${new Date(day * DAY_MS).toISOString().slice(0, 10)}"`
    }
    return text
  }
}

/** `00` … `99`. */
const PAIRS: readonly string[] = Array.from({ length: 100 }, (_, i) => String(i).padStart(2, '0'))
const DAY_SECONDS = 86_400

/** Times that follow each other mostly share their day; the rest of the text is arithmetic. */
function timestampText(column: LongColumn): ValueText {
  let day = NaN
  let date = ''
  return (row) => {
    const micros = numberAt(column, row)
    const seconds = Math.floor(micros / 1_000_000)
    const wanted = Math.floor(seconds / DAY_SECONDS)
    if (wanted !== day) {
      day = wanted
      date = `"${new Date(day * DAY_MS).toISOString().slice(0, 11)}`
    }
    const time = seconds - day * DAY_SECONDS
    const rest = micros - seconds * 1_000_000
    const [hour, minute] = [(time / 3600) | 0, ((time / 60) | 0) % 60]
    const [first, second] = [(rest / 10_000) | 0, ((rest / 100) | 0) % 100]
    return (
      `${date}${PAIRS[hour]!}:${PAIRS[minute]!}:${PAIRS[time % 60]!}.` +
      `${PAIRS[first]!}${PAIRS[second]!}${PAIRS[rest % 100]!}Z"`
    )
  }
}

function binaryText(column: BinaryColumn): ValueText {
  return (row) => {
    const { buffer, byteOffset, length } = column.data[row]!
    return `"${Buffer.from(buffer, byteOffset, length).toString('base64')}"`
  }
}

function listText(column: ListColumn): ValueText {
  const element = valueText(column.element)
  return (row) => {
    const from = column.offsets[row]!
    const end = from + column.lengths[row]!
    let text = ''
    for (let i = from; i < end; i++) text += i === from ? element(i) : `,${element(i)}`
    return `[${text}]`
  }
}

function mapText(column: ListColumn): ValueText {
  const [key, value] = (column.element as StructColumn).members.map(valueText)
  return (row) => {
    const from = column.offsets[row]!
    const end = from + column.lengths[row]!
    let text = ''
    for (let i = from; i < end; i++) text += `${i === from ? '' : ','}${key!(i)}:${value!(i)}`
    return `{${text}}`
  }
}

/** Members that are null are left out. */
function structText(column: StructColumn): ValueText {
  const { members } = column
  const texts = members.map(valueText)
  // Names are plain words (spec/names.ts).
  const names = column.names.map((name) => `"${name}":`)
  return (row) => {
    let text = ''
    for (let i = 0; i < members.length; i++) {
      if (members[i]!.isNull(row)) continue
      text += `${text === '' ? '' : ','}${names[i]!}${texts[i]!(row)}`
    }
    return `{${text}}`
  }
}
