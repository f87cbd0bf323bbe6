/** What a query asks of columns, and whether a partition or a file might hold a row that fits: in doubt it might. */
import type { Bound } from './data-file.ts'
import { applyTransform, type Transform } from './transforms.ts'
import { compareBounds, storageOf } from './values.ts'

/** Values are of the column's own type, as bounds are held. */
export type Predicate =
  { readonly kind: 'all' | 'any'; readonly of: readonly Predicate[] } | Condition

export type Comparison = '=' | '!=' | '<' | '<=' | '>' | '>='

/** A condition on one column, as SQL has it: none but `null` holds for a row without a value. NaN equals itself and is the greatest number. */
export type Condition =
  | { readonly kind: Comparison; readonly fieldId: number; readonly value: Bound }
  | { readonly kind: 'in'; readonly fieldId: number; readonly values: readonly Bound[] }
  | { readonly kind: 'prefix'; readonly fieldId: number; readonly value: string }
  | { readonly kind: 'null'; readonly fieldId: number }
  | { readonly kind: 'present'; readonly fieldId: number }

/** What is known of the values of one column, or of one partition field, in a file or in many. */
export interface Range {
  /** No value but NaN is less; undefined: not known. */
  readonly lower: Bound | undefined
  readonly upper: Bound | undefined
  readonly mayBeNull: boolean
  /** Whether there may be a value at all. */
  readonly mayBeValue: boolean
  readonly mayBeNan: boolean
}

/** Whether rows may fit, given whether they may fit each condition. */
export function mayMatch(predicate: Predicate, may: (condition: Condition) => boolean): boolean {
  switch (predicate.kind) {
    case 'all':
      return predicate.of.every((part) => mayMatch(part, may))
    case 'any':
      return predicate.of.some((part) => mayMatch(part, may))
    default:
      return may(predicate)
  }
}

/** The range of bounds that may be lying: a lower one above the upper says nothing. */
export function rangeOf(
  lower: Bound | undefined,
  upper: Bound | undefined,
  kinds: { readonly nulls: boolean; readonly values: boolean; readonly nans: boolean },
): Range {
  const useless =
    isNan(lower) ||
    isNan(upper) ||
    (lower !== undefined && upper !== undefined && compareBounds(lower, upper) > 0)
  return {
    lower: useless ? undefined : lower,
    upper: useless ? undefined : upper,
    mayBeNull: kinds.nulls,
    mayBeValue: kinds.values,
    mayBeNan: kinds.nans,
  }
}

function isNan(value: Bound | undefined): boolean {
  return typeof value === 'number' && Number.isNaN(value)
}

/** Whether a row in the range may fit a condition on its values. */
export function mayFit(condition: Condition, range: Range): boolean {
  switch (condition.kind) {
    case 'null':
      return range.mayBeNull
    case 'present':
      return range.mayBeValue
    case 'in':
      return range.mayBeValue && condition.values.some((value) => mayCompare('=', value, range))
    case 'prefix':
      return range.mayBeValue && mayBegin(condition.value, range)
    default:
      return range.mayBeValue && mayCompare(condition.kind, condition.value, range)
  }
}

function mayCompare(kind: Comparison, value: Bound, { lower, upper, mayBeNan }: Range): boolean {
  if (isNan(value)) return true
  switch (kind) {
    case '=':
      return (
        (lower === undefined || compareBounds(lower, value) <= 0) &&
        (upper === undefined || compareBounds(upper, value) >= 0)
      )
    case '<':
      return lower === undefined || compareBounds(lower, value) < 0
    case '<=':
      return lower === undefined || compareBounds(lower, value) <= 0
    case '>':
      return mayBeNan || upper === undefined || compareBounds(upper, value) > 0
    case '>=':
      return mayBeNan || upper === undefined || compareBounds(upper, value) >= 0
    case '!=': {
      if (mayBeNan || lower === undefined || upper === undefined) return true
      // Bounds of text may be cut, so that equal ones do not mean that all values are.
      if (typeof lower === 'string' || lower instanceof Uint8Array) return true
      return compareBounds(lower, value) !== 0 || compareBounds(upper, value) !== 0
    }
  }
}

function mayBegin(prefix: string, { lower, upper }: Range): boolean {
  if (typeof lower === 'string' && compareBounds(lower, prefix) > 0 && !lower.startsWith(prefix)) {
    return false
  }
  return typeof upper !== 'string' || compareBounds(upper, prefix) >= 0
}

/** Whether a row with the partition value in `range` may fit a condition on the column it was made of; `type` is that column's. */
export function mayFitPartition(
  condition: Condition,
  transform: Transform,
  type: string,
  range: Range,
): boolean {
  if (transform.kind === 'void' || transform.kind === 'unknown') return true
  if (transform.kind === 'identity') return mayFit(condition, range)
  if (condition.kind === 'null') return range.mayBeNull
  if (!range.mayBeValue) return false
  if (condition.kind === 'present') return true
  if (condition.kind === 'in') {
    return condition.values.some((value) => mayEqual(value, transform, type, range))
  }
  if (condition.kind === 'prefix') {
    return transform.kind !== 'truncate' || mayBeginCut(condition.value, transform.width, range)
  }
  if (condition.kind === '=') return mayEqual(condition.value, transform, type, range)
  if (condition.kind === '!=' || transform.kind === 'bucket') return true
  const up = condition.kind === '>' || condition.kind === '>='
  const value = applyTransform(transform, type, nearestMatch(condition, type))
  if (value === undefined) return true
  return mayCompare(up ? '>=' : '<=', up ? value : later(transform, value), range)
}

/** The value nearest to a bound that fits a condition, for types with a next value; else the bound itself. */
function nearestMatch({ kind, value }: { kind: Comparison; value: Bound }, type: string): Bound {
  const storage = storageOf(type)
  if (storage !== 'int' && storage !== 'long' && storage !== 'decimal') return value
  const step = kind === '<' ? -1 : kind === '>' ? 1 : 0
  return typeof value === 'bigint' ? value + BigInt(step) : Number(value) + step
}

/** Whether text cut to `width` characters may begin with a prefix, of which it may have but a part. */
function mayBeginCut(prefix: string, width: number, range: Range): boolean {
  const characters = Array.from(prefix)
  if (characters.length < width) return mayBegin(prefix, range)
  return mayCompare('=', characters.slice(0, width).join(''), range)
}

function mayEqual(value: Bound, transform: Transform, type: string, range: Range): boolean {
  const made = applyTransform(transform, type, value)
  if (made === undefined) return true
  return mayCompare('>=', made, range) && mayCompare('<=', later(transform, made), range)
}

/** Old writers rounded times before 1970 towards it: their partition may be one later than the right one. */
function later({ kind }: Transform, value: Bound): Bound {
  const time = kind === 'year' || kind === 'month' || kind === 'day' || kind === 'hour'
  return time && typeof value === 'number' && value < 0 ? value + 1 : value
}
