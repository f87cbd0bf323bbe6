/** Programmer errors: a failed assertion is a bug in headwater, never bad input. */

/** Throws when `condition` is false. `message` says what must hold, in words. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new Error(`headwater bug: ${message}`)
}

/** Closes an exhaustive switch; reaching it is a bug. */
export function unreachable(value: never): never {
  throw new Error(`headwater bug: unexpected case ${JSON.stringify(value)}`)
}
