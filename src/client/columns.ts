/** Events of one open batch as columns: rows are never built. */
import { clientLimits } from '../base/client-limits.ts'

/** The columns of one event type. */
interface Chunk {
  readonly n: number[]
  readonly at: number[]
  readonly cols: Record<string, unknown[]>
  columns: number
}

/** A value that has no form on the wire. */
const NONE = Symbol()

export class Columns {
  /** Events in the batch. */
  count = 0
  /** About how many bytes the lines will have. */
  bytes = 0
  #chunks = new Map<string, Chunk>()

  /** Adds an event with the next number; false, and nothing is added, when a value cannot be encoded. */
  add(type: string, at: number, fields: Readonly<Record<string, unknown>>): boolean {
    const names = Object.keys(fields)
    const values: unknown[] = []
    let bytes = 24
    for (const name of names) {
      const value = encode(fields[name], clientLimits.clientDepthMax)
      if (value === NONE) return false
      values.push(value)
      bytes += typeof value === 'string' ? value.length + 3 : sizeOf(value)
    }
    let chunk = this.#chunks.get(type)
    if (chunk === undefined) {
      chunk = { n: [], at: [], cols: Object.create(null) as Chunk['cols'], columns: 0 }
      this.#chunks.set(type, chunk)
    }
    const row = chunk.n.length
    names.forEach((name, i) => {
      // A column that begins late was absent until now.
      const column = (chunk.cols[name] ??= (chunk.columns++, new Array(row).fill(null)))
      column.push(values[i])
    })
    chunk.n.push(this.count++)
    chunk.at.push(at)
    if (names.length < chunk.columns) {
      for (const name in chunk.cols) if (chunk.cols[name]!.length === row) chunk.cols[name]!.push(null)
    }
    this.bytes += bytes
    return true
  }

  /** The chunk lines (PROTOCOL.md §4), each with its line feed; the columns are empty afterwards. */
  take(): string {
    let lines = ''
    for (const [type, { n, at, cols }] of this.#chunks) {
      lines += `${JSON.stringify({ type, n, at, cols })}\n`
    }
    this.#chunks = new Map()
    this.count = this.bytes = 0
    return lines
  }
}

/** The wire form of a value (PROTOCOL.md §5), or NONE. */
function encode(value: unknown, depth: number): unknown {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return value
    case 'number':
      return Number.isFinite(value) ? value : NONE
    case 'bigint':
      return Number.isSafeInteger(Number(value)) ? Number(value) : String(value)
    case 'undefined':
      return null
    case 'object':
      return value === null ? null : encodeObject(value, depth)
    default:
      return NONE
  }
}

function encodeObject(value: object, depth: number): unknown {
  if (depth === 0) return NONE
  if (value instanceof Date) return encode(value.getTime(), depth)
  if (value instanceof Uint8Array) {
    let text = ''
    for (const byte of value) text += String.fromCharCode(byte)
    return btoa(text)
  }
  if (Array.isArray(value)) {
    const items = value.map((item) => encode(item, depth - 1))
    return items.includes(NONE) ? NONE : items
  }
  const members: Record<string, unknown> = Object.create(null) as Record<string, unknown>
  for (const name of Object.keys(value)) {
    const member = encode((value as Record<string, unknown>)[name], depth - 1)
    if (member === NONE) return NONE
    members[name] = member
  }
  return members
}

/** About how many bytes a value takes as JSON. */
function sizeOf(value: unknown): number {
  return typeof value === 'object' && value !== null ? JSON.stringify(value).length + 1 : 8
}
