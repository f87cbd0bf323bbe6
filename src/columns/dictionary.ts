/** Gives each distinct string of a column a small code, so that a repeated string costs one map look-up and four bytes. */
import { ByteIndex } from './byte-index.ts'

/** Codes are 0, 1, 2 … in order of first use. Lives for one epoch. */
export class Dictionary {
  readonly values: string[] = []
  /** UTF-16 units over all values. */
  chars = 0
  /** Whether a value contains U+0000, which C strings cannot carry. */
  hasNul = false
  readonly #codes = new Map<string, number>()
  readonly #byBytes = new ByteIndex()

  /** The code of `value`, or -1 when it has none yet. */
  find(value: string): number {
    return this.#codes.get(value) ?? -1
  }

  /** The code of the value whose UTF-8 is at `start` … `end` of `bytes`; -1 when it has none, or nobody asked for its bytes yet. */
  findBytes(bytes: Uint8Array, start: number, end: number, hash: number): number {
    return this.#byBytes.find(bytes, start, end, hash)
  }

  /** Remembers the bytes of the value with a code, for `findBytes`. */
  rememberBytes(bytes: Uint8Array, start: number, end: number, hash: number, code: number): void {
    this.#byBytes.add(bytes, start, end, hash, code)
  }

  /** Gives a new value its code. The caller has checked that it is new and well formed. */
  add(value: string): number {
    const code = this.values.length
    this.#codes.set(value, code)
    this.values.push(value)
    this.chars += value.length
    if (!this.hasNul && value.includes('\0')) this.hasNul = true
    return code
  }

  /** The code of a value that is known to be well formed. */
  code(value: string): number {
    const known = this.#codes.get(value)
    return known === undefined ? this.add(value) : known
  }

  clear(): void {
    this.#codes.clear()
    this.#byBytes.clear()
    this.values.length = 0
    this.chars = 0
    this.hasNul = false
  }
}
