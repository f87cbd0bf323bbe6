/** Remembers how fresh the latest commits were: the age of the oldest row of each when it became queryable. */
import { limits } from '../base/limits.ts'

export class Freshness {
  readonly #ages: number[] = []

  /** Takes the freshness of a commit, ms. */
  add(ms: number): void {
    this.#ages.push(ms)
    if (this.#ages.length > limits.freshnessCommitsMax) this.#ages.shift()
  }

  /** The age that a share of the latest commits did not exceed, ms; undefined before the first. */
  quantile(share: number): number | undefined {
    const sorted = this.#ages.toSorted((a, b) => a - b)
    return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]
  }
}
