/** Columns of strings: string, enumOf and json. */
import { limits } from '../base/limits.ts'
import type { Field } from '../spec/field.ts'
import { nesting } from '../spec/values.ts'
import { HASH_START, hashStep } from './byte-index.ts'
import { Column } from './column.ts'
import { Dictionary } from './dictionary.ts'
import { BACKSLASH, behindNull, CLOSE, COMMA, OPEN, QUOTE, readInto } from './plain.ts'
import { Texts } from './texts.ts'

/** Epochs after which a column that is kept as texts is given a dictionary again, to see whether its values still seldom repeat. */
const TEXT_EPOCHS = 64
/** A dictionary of fewer strings stays in the processor's caches and is always worth it. */
const DISTINCT_MIN = 2048
/** Uses of a string above which its dictionary pays. */
const USES_MIN = 8

/**
 * Strings as codes of a dictionary, and what a string must satisfy is checked once per distinct string; or, after an epoch in which
 * they seldom repeated, as texts.
 */
export class StringColumn extends Column {
  readonly storage = 'string'
  data = new Uint32Array(0)
  readonly dictionary: Dictionary = new Dictionary()
  /** Where the strings of this epoch are, when they are not in the dictionary. */
  texts: Texts | undefined
  readonly #lengthMax: number
  #strings = 0
  #textEpochs = 0
  #coded = false

  constructor(field: Field) {
    super(field)
    this.#lengthMax = field.maxLength ?? limits.stringLengthMax
  }

  /** Keeps the column a dictionary for ever, for columns that are read by batch rather than in their order. */
  keepCoded(): void {
    this.#coded = true
  }

  override put(values: readonly unknown[], row: number): boolean {
    if (this.texts !== undefined) return this.#putTexts(this.texts, values, row)
    const { data, dictionary } = this
    this.#strings += values.length
    for (let i = 0; i < values.length; i++) {
      const value = values[i]
      if (typeof value === 'string') {
        let code = dictionary.find(value)
        if (code < 0) {
          if (!this.accepts(value)) return false
          code = dictionary.add(value)
        }
        data[row + i] = code
      } else if (!this.putOne(value, row + i)) return false
    }
    return true
  }

  override read(bytes: Buffer, at: number, row: number, count: number): number {
    if (bytes[at] !== OPEN) return -1
    const { texts } = this
    if (texts === undefined) this.#strings += count
    let position = at + 1
    for (let i = 0; i < count; i++) {
      if (bytes[position] === QUOTE) {
        position =
          texts === undefined
            ? this.#readCoded(bytes, position + 1, row + i)
            : this.#readText(texts, bytes, position + 1, row + i)
        if (position < 0) return -1
      } else {
        position = behindNull(bytes, position)
        if (position < 0 || !this.putNull(row + i)) return -1
      }
      if (bytes[position++] !== (i === count - 1 ? CLOSE : COMMA)) return -1
    }
    return position
  }

  /** Writes the string that begins at `start`, behind its quote; answers the position behind it, or -1. */
  #readCoded(bytes: Buffer, start: number, row: number): number {
    let hash = HASH_START
    let end = start
    let byte
    while ((byte = bytes[end]!) !== QUOTE) {
      // Control characters are not JSON, and escapes are not plain.
      if (!(byte >= 0x20) || byte === BACKSLASH) return -1
      hash = hashStep(hash, byte)
      end++
    }
    const { dictionary } = this
    let code = dictionary.findBytes(bytes, start, end, hash)
    if (code < 0) {
      const value = bytes.toString('utf8', start, end)
      code = dictionary.find(value)
      if (code < 0) {
        if (!this.accepts(value)) return -1
        code = dictionary.add(value)
      }
      dictionary.rememberBytes(bytes, start, end, hash, code)
    }
    this.data[row] = code
    return end + 1
  }

  #readText(texts: Texts, bytes: Buffer, start: number, row: number): number {
    let end = start
    let byte
    while ((byte = bytes[end]!) !== QUOTE) {
      if (!(byte >= 0x20) || byte === BACKSLASH) return -1
      end++
    }
    // A string has at most as many UTF-16 units as bytes.
    if (end - start > this.#lengthMax && !this.accepts(bytes.toString('utf8', start, end))) {
      return -1
    }
    texts.putBytes(bytes, start, end, row)
    return end + 1
  }

  override putOne(value: unknown, row: number): boolean {
    if (typeof value === 'string') {
      if (this.texts === undefined) {
        const code = this.dictionary.find(value)
        if (code >= 0) {
          this.data[row] = code
          this.#strings++
          return true
        }
      }
      if (!this.accepts(value)) return false
      this.set(row, value)
      return true
    }
    return (value === null || value === undefined) && this.putNull(row)
  }

  /** Writes a string that is known to be well formed, of any length. */
  set(row: number, value: string): void {
    if (this.texts !== undefined) {
      this.texts.put(value, row)
      return
    }
    this.data[row] = this.dictionary.code(value)
    this.#strings++
  }

  #putTexts(texts: Texts, values: readonly unknown[], row: number): boolean {
    for (let i = 0; i < values.length; i++) {
      const value = values[i]
      if (typeof value === 'string') {
        if (!this.accepts(value)) return false
        texts.put(value, row + i)
      } else if (!this.putOne(value, row + i)) return false
    }
    return true
  }

  /** Whether a string not seen before may enter the column. */
  protected accepts(value: string): boolean {
    return value.length <= this.#lengthMax && value.isWellFormed()
  }

  override reset(): void {
    super.reset()
    if (this.texts === undefined) this.#chooseTexts()
    else if (++this.#textEpochs < TEXT_EPOCHS) this.texts.clear()
    else this.texts = undefined
    this.dictionary.clear()
    this.#strings = 0
  }

  #chooseTexts(): void {
    const distinct = this.dictionary.values.length
    if (this.#coded || distinct < DISTINCT_MIN || distinct * USES_MIN < this.#strings) return
    this.texts = new Texts()
    this.texts.ensure(this.capacity)
    this.#textEpochs = 0
  }

  protected override grow(capacity: number): void {
    const grown = new Uint32Array(capacity)
    grown.set(this.data)
    this.data = grown
    this.texts?.ensure(capacity)
  }
}

/** Strings out of a fixed list. */
export class EnumColumn extends StringColumn {
  readonly #values: ReadonlySet<string>

  constructor(field: Field, values: readonly string[]) {
    super(field)
    this.#values = new Set(values)
    this.keepCoded()
  }

  protected override accepts(value: string): boolean {
    return this.#values.has(value)
  }
}

/** Any JSON value, stored as its JSON text. */
export class JsonColumn extends StringColumn {
  override read(bytes: Buffer, at: number, row: number, count: number): number {
    return readInto(this, bytes, at, row, count)
  }

  override put(values: readonly unknown[], row: number): boolean {
    for (let i = 0; i < values.length; i++) if (!this.putOne(values[i], row + i)) return false
    return true
  }

  override putOne(value: unknown, row: number): boolean {
    if (value === null || value === undefined) return this.putNull(row)
    if (nesting(value, limits.jsonDepthMax) > limits.jsonDepthMax) return false
    return super.putOne(JSON.stringify(value), row)
  }
}
