/** The signals that end a command in order. */
import { systemClock } from '../base/clock.ts'

/** A terminal and npm hand on one Ctrl-C each, so that what follows at once is not a second one. */
const REPEAT_MS = 1000

/** Resolves with the first SIGINT, SIGTERM or SIGHUP; a later one ends the process at once. */
export function stopSignal(): Promise<string> {
  return new Promise((resolve) => {
    let first: number | undefined
    const heard = (signal: string): void => {
      const now = systemClock.monotonic()
      first ??= now
      if (now - first > REPEAT_MS) process.exit(130)
      resolve(signal)
    }
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, heard)
  })
}
