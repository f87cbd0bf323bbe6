/** Events of one open batch as columns: rows are never built. */

/** The columns of one event type. */
interface Chunk {
  readonly n: number[]
  readonly at: number[]
  /** Without a prototype, so that every name is a plain member. */
  readonly cols: Record<string, unknown[]>
}

export class Columns {
  /** Events in the batch. */
  count = 0
  /** About how many characters its lines will have. */
  size = 0
  readonly #chunks = new Map<string, Chunk>()

  /** Adds an event with the next number: its time, and the wire forms of its fields, of about `size` characters. */
  add(type: string, at: number, fields: Readonly<Record<string, unknown>>, size: number): void {
    let chunk = this.#chunks.get(type)
    if (!chunk) this.#chunks.set(type, (chunk = { n: [], at: [], cols: Object.create(null) }))
    for (const [name, value] of Object.entries(fields)) {
      // Absence needs no value: JSON has null where an array has a hole.
      if (value !== null) (chunk.cols[name] ??= [])[chunk.n.length] = value
    }
    chunk.n.push(this.count++)
    chunk.at.push(at)
    this.size += size
  }

  /** The chunk lines (PROTOCOL.md §4), each with its line feed; the columns are empty afterwards. */
  take(): string {
    let lines = ''
    for (const [type, chunk] of this.#chunks) {
      for (const column of Object.values(chunk.cols)) column.length = chunk.n.length
      lines += `${JSON.stringify({ type, ...chunk })}\n`
    }
    this.#chunks.clear()
    this.count = this.size = 0
    return lines
  }
}
