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

/** Keeps the process alive, which timers do not, until the returned function is called. */
export function keepAwake(): () => void {
  const timer = setInterval(() => {}, 2 ** 30)
  return () => clearInterval(timer)
}
