/** Lets other engines commit to headwater's tables: who commits every second would otherwise always be first. */
import type { Clock } from '../base/clock.ts'
import { limits } from '../base/limits.ts'

/**
 * After `foreignConflictsMin` commits of others that headwater was before, its own ones wait: until one of theirs is through, and
 * never longer than `foreignYieldMs`.
 */
export class Courtesy {
  readonly #clock: Clock
  #conflicts = 0
  #waiting: Promise<void> | undefined
  #over: () => void = () => {}

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Another engine has to start over because of us. */
  conflict(): void {
    this.#conflicts++
    if (this.#conflicts < limits.foreignConflictsMin || this.#waiting !== undefined) return
    this.#waiting = new Promise((resolve) => {
      const cancel = this.#clock.after(limits.foreignYieldMs, () => this.#over())
      this.#over = () => {
        cancel()
        this.#waiting = undefined
        this.#conflicts = 0
        this.#over = () => {}
        resolve()
      }
    })
  }

  /** Another engine's commit is through. */
  done(): void {
    this.#conflicts = 0
    this.#over()
  }

  /** Resolves when headwater may commit. */
  turn(): Promise<void> {
    return this.#waiting ?? Promise.resolve()
  }
}
