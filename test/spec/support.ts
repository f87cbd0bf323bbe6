/** Sets of specifications out of plain fields, and what to expect of results. */
import { expect } from 'vitest'
import { HeadwaterError } from '../../src/base/errors.ts'
import type { ErrorCode } from '../../src/base/errors.ts'
import type { Result } from '../../src/base/result.ts'
import type { Field, Fields, FieldType, SpecSet } from '../../src/spec/field.ts'
import { type SpecLock, updateLock } from '../../src/spec/lock.ts'

export const required = (type: FieldType): Field => ({ type, optional: false })
export const optional = (type: FieldType): Field => ({ type, optional: true })

/** Fields by event type, former names of event types, and the fields of the context. */
export function specSet(
  events: Readonly<Record<string, Fields>>,
  context: Fields = {},
  was: Readonly<Record<string, readonly string[]>> = {},
): SpecSet {
  return {
    events: new Map(
      Object.entries(events).map(([name, fields]) => [
        name,
        {
          spec: 'event',
          name,
          doc: 'It happens.',
          fields,
          was: Object.hasOwn(was, name) ? was[name]! : [],
        },
      ]),
    ),
    context: { spec: 'context', doc: 'The app.', fields: context },
  }
}

export function valueOf<T>(result: Result<T>): T {
  if (!result.ok) throw result.error
  return result.value
}

/** The lock after each of `steps`, each grown from the one before. */
export function lockAfter(...steps: readonly SpecSet[]): SpecLock {
  let lock: SpecLock | undefined
  for (const specs of steps) lock = valueOf(updateLock(lock, specs)).lock
  expect(lock).toBeDefined()
  return lock!
}

export function expectFailure(
  result: Result<unknown>,
  code: ErrorCode,
  ...words: readonly string[]
): void {
  expect(result.ok, 'it is refused').toBe(false)
  if (!result.ok) expectError(result.error, code, ...words)
}

export function expectThrown(
  run: () => unknown,
  code: ErrorCode,
  ...words: readonly string[]
): void {
  let thrown: unknown
  try {
    run()
  } catch (cause) {
    thrown = cause
  }
  expectError(thrown, code, ...words)
}

function expectError(error: unknown, code: ErrorCode, ...words: readonly string[]): void {
  expect(error).toBeInstanceOf(HeadwaterError)
  const { code: found, detail } = error as HeadwaterError
  expect(found).toBe(code)
  for (const word of words) expect(detail).toContain(word)
}
