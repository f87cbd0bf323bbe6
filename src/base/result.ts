/** Expected failures as values: a `Result` is either a value or the reason there is none. */
import type { HeadwaterError } from './errors.ts'

export type Result<T, E = HeadwaterError> =
  { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: E }

export function ok<T>(value: T): { readonly ok: true; readonly value: T } {
  return { ok: true, value }
}

export function failed<E>(error: E): { readonly ok: false; readonly error: E } {
  return { ok: false, error }
}
