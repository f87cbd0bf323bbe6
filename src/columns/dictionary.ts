/** Gives each distinct string of a column a small code, so that a repeated string costs one map look-up and four bytes. */

/** Codes are 0, 1, 2 … in order of first use. Lives for one epoch. */
export class Dictionary {
  readonly values: string[] = []
  /** UTF-16 units over all values. */
  chars = 0
  /** Whether a value contains U+0000, which C strings cannot carry. */
  hasNul = false
  readonly #codes = new Map<string, number>()

  /** The code of `value`, or -1 when it has none yet. */
  find(value: string): number {
    return this.#codes.get(value) ?? -1
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
    this.values.length = 0
    this.chars = 0
    this.hasNul = false
  }
}
