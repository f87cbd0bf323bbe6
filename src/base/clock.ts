/** Time as a parameter: whoever needs the time is handed a `Clock`. */

export interface Clock {
  /** Milliseconds since 1970-01-01T00:00:00Z; may jump. */
  wall(): number
  /** Milliseconds since some start; never goes back. */
  monotonic(): number
  /** Calls `wake` once after `ms`; the returned function cancels. Never keeps a process alive. */
  after(ms: number, wake: () => void): () => void
}

export const systemClock: Clock = {
  wall: () => Date.now(),
  monotonic: () => performance.now(),
  after: (ms, wake) => {
    const timer: number | NodeJS.Timeout = setTimeout(wake, ms)
    // A number in browsers.
    timer.unref?.()
    return () => clearTimeout(timer)
  },
}

/** Resolves after `ms` of `clock`. */
export function sleep(clock: Clock, ms: number): Promise<void> {
  return new Promise((resolve) => clock.after(ms, resolve))
}

/** The pauses of a loop that can be told to stop, which ends the one under way and those that would come. */
export class Pauses {
  readonly #clock: Clock
  #stopping = false
  #wake = (): void => {}

  constructor(clock: Clock) {
    this.#clock = clock
  }

  get stopping(): boolean {
    return this.#stopping
  }

  /** Resolves after `ms`, or when the loop is to stop. */
  pause(ms: number): Promise<void> {
    if (this.#stopping) return Promise.resolve()
    return new Promise((resolve) => {
      const cancel = this.#clock.after(ms, resolve)
      this.#wake = () => {
        cancel()
        resolve()
      }
    })
  }

  stop(): void {
    this.#stopping = true
    this.#wake()
  }
}

/** Keeps the process alive, which timers do not, until the returned function is called. */
export function keepAwake(): () => void {
  const timer = setInterval(() => {}, 2 ** 30)
  return () => clearInterval(timer)
}
