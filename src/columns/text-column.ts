/** Columns whose storage is dictionary codes: string, enumOf and json. */
import { limits } from '../base/limits.ts'
import type { Field } from '../spec/field.ts'
import { nesting } from '../spec/values.ts'
import { Column } from './column.ts'
import { Dictionary } from './dictionary.ts'

/** Strings as codes of a dictionary; what a string must satisfy is checked once per distinct string. */
export class StringColumn extends Column {
  readonly storage = 'string'
  data = new Uint32Array(0)
  readonly dictionary: Dictionary = new Dictionary()
  readonly #lengthMax: number

  constructor(field: Field) {
    super(field)
    this.#lengthMax = field.maxLength ?? limits.stringLengthMax
  }

  override put(values: readonly unknown[], row: number): boolean {
    const { data, dictionary } = this
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

  override putOne(value: unknown, row: number): boolean {
    if (typeof value === 'string') {
      let code = this.dictionary.find(value)
      if (code < 0) {
        if (!this.accepts(value)) return false
        code = this.dictionary.add(value)
      }
      this.data[row] = code
      return true
    }
    return (value === null || value === undefined) && this.putNull(row)
  }

  /** Whether a string not seen before may enter the dictionary. */
  protected accepts(value: string): boolean {
    return value.length <= this.#lengthMax && value.isWellFormed()
  }

  override reset(): void {
    super.reset()
    this.dictionary.clear()
  }

  protected override grow(capacity: number): void {
    const grown = new Uint32Array(capacity)
    grown.set(this.data)
    this.data = grown
  }
}

/** Strings out of a fixed list. */
export class EnumColumn extends StringColumn {
  readonly #values: ReadonlySet<string>

  constructor(field: Field, values: readonly string[]) {
    super(field)
    this.#values = new Set(values)
  }

  protected override accepts(value: string): boolean {
    return this.#values.has(value)
  }
}

/** Any JSON value, stored as its JSON text. */
export class JsonColumn extends StringColumn {
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
