/** Says why a value does not fit its field: the slow, speaking twin of the checked writes in src/columns. */
import { unreachable } from '../base/assert.ts'
import type { ErrorCode } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import type { Field } from './field.ts'
import {
  base64Length,
  decimalParser,
  isBase64,
  nesting,
  parseDate,
  parseLong,
  timestampMicros,
  withinDecimal,
} from './values.ts'

export interface Problem {
  readonly code: ErrorCode
  /** Where inside the value, such as `[3].title_id`; empty for the value itself. */
  readonly path: string
  /** The same as property keys, such as `[3, 'title_id']`: a key of a map may hold any character. */
  readonly keys: readonly (string | number)[]
  readonly message: string
}

/** Undefined exactly when the field's column takes the value (a property test holds the two together). */
export function problemOf(field: Field, value: unknown): Problem | undefined {
  if (value === null || value === undefined) {
    return field.optional ? undefined : problem('field_missing', 'a value is required')
  }
  const { type } = field
  switch (type.kind) {
    case 'boolean':
      return typeof value === 'boolean' ? undefined : wrongType('a boolean', value)
    case 'int':
      return intProblem(field, value)
    case 'long':
      return longProblem(field, value)
    case 'double':
      // JSON has no infinity, but 1e999 is read as one.
      return Number.isFinite(value)
        ? rangeProblem(field, value as number)
        : wrongType('a finite number', value)
    case 'decimal':
      return decimalProblem(field, type.precision, type.scale, value)
    case 'string':
      return stringProblem(field, value)
    case 'enum':
      if (typeof value !== 'string') return wrongType('a string', value)
      return type.values.includes(value)
        ? undefined
        : problem('value_not_in_enum', `${show(value)} is not one of ${type.values.join(', ')}`)
    case 'date':
      return typeof value === 'string' && parseDate(value) !== undefined
        ? undefined
        : wrongType('a date YYYY-MM-DD', value)
    case 'timestamp':
      if (typeof value !== 'number') return wrongType('a number of milliseconds', value)
      return timestampMicros(field, value) === undefined
        ? problem('value_range', `${value} ms is out of range`)
        : undefined
    case 'binary':
      return binaryProblem(field, value)
    case 'json':
      return jsonProblem(field, value)
    case 'list':
      return listProblem(field, type.element, value)
    case 'map':
      return mapProblem(field, type.value, value)
    case 'struct':
      return structProblem(type.fields, value)
    default:
      return unreachable(type)
  }
}

function problem(code: ErrorCode, message: string): Problem {
  return { code, path: '', keys: [], message }
}

/** The problem of a part as one of the whole. */
function inside(key: string | number, found: Problem): Problem {
  const step = typeof key === 'number' ? `[${key}]` : `.${key}`
  return { ...found, path: step + found.path, keys: [key, ...found.keys] }
}

function wrongType(expected: string, value: unknown): Problem {
  return problem('value_type', `expected ${expected}, got ${show(value)}`)
}

/** A short, safe picture of a value. */
function show(value: unknown): string {
  if (Array.isArray(value)) return `an array of ${value.length}`
  if (typeof value === 'object') return 'an object'
  const numeric = typeof value === 'bigint' || typeof value === 'number'
  const text = numeric ? `${value}` : (JSON.stringify(value) ?? '')
  return `${typeof value} ${text.length > 40 ? `${text.slice(0, 40)}…` : text}`
}

function rangeProblem(field: Field, value: number | bigint): Problem | undefined {
  if (field.min !== undefined && value < field.min) {
    return problem('value_range', `${value} is below ${field.min}`)
  }
  if (field.max !== undefined && value > field.max) {
    return problem('value_range', `${value} is above ${field.max}`)
  }
  return undefined
}

function intProblem(field: Field, value: unknown): Problem | undefined {
  if (typeof value !== 'number' || !Number.isInteger(value)) return wrongType('an integer', value)
  if ((value | 0) !== value) return problem('value_range', `${value} does not fit 32 bits`)
  return rangeProblem(field, value)
}

function longProblem(field: Field, value: unknown): Problem | undefined {
  if (typeof value === 'string') {
    const big = parseLong(value)
    return big === undefined ? wrongType('a 64-bit integer', value) : rangeProblem(field, big)
  }
  if (typeof value !== 'number' || !Number.isInteger(value)) return wrongType('an integer', value)
  if (!Number.isSafeInteger(value)) {
    return problem('value_range', `${value} is beyond 2^53: send it as a decimal string`)
  }
  return rangeProblem(field, value)
}

function decimalProblem(field: Field, precision: number, scale: number, value: unknown) {
  if (typeof value !== 'string') return wrongType('a decimal string', value)
  if (decimalParser(precision, scale)(value) === undefined) {
    return wrongType(`a decimal(${precision}, ${scale}) string`, value)
  }
  return withinDecimal(field, value)
    ? undefined
    : problem('value_range', `${show(value)} is outside ${field.min ?? ''}…${field.max ?? ''}`)
}

function stringProblem(field: Field, value: unknown): Problem | undefined {
  if (typeof value !== 'string') return wrongType('a string', value)
  const most = field.maxLength ?? limits.stringLengthMax
  if (value.length > most) {
    return problem('value_too_long', `${value.length} characters, at most ${most} are allowed`)
  }
  return value.isWellFormed()
    ? undefined
    : problem('value_not_unicode', 'the string has an unpaired surrogate')
}

function binaryProblem(field: Field, value: unknown): Problem | undefined {
  if (value instanceof Uint8Array) return undefined
  if (typeof value !== 'string' || !isBase64(value)) return wrongType('padded base64', value)
  const length = base64Length(value)
  return length > (field.maxLength ?? Infinity)
    ? problem('value_too_long', `${length} bytes, at most ${field.maxLength} are allowed`)
    : undefined
}

function jsonProblem(field: Field, value: unknown): Problem | undefined {
  if (nesting(value, limits.jsonDepthMax) > limits.jsonDepthMax) {
    return problem('value_too_deep', `nested deeper than ${limits.jsonDepthMax}`)
  }
  const text = serialized(value)
  if (text === undefined) return wrongType('a JSON value', value)
  return text.length > (field.maxLength ?? limits.stringLengthMax)
    ? problem('value_too_long', `${text.length} characters of JSON`)
    : undefined
}

/** Undefined where a program holds what no JSON can say, such as a bigint or a function. */
function serialized(value: unknown): string | undefined {
  try {
    return JSON.stringify(value)
  } catch {
    return undefined
  }
}

function listProblem(field: Field, element: Field, value: unknown): Problem | undefined {
  if (!Array.isArray(value)) return wrongType('an array', value)
  const most = field.maxLength ?? limits.listElementsMax
  if (value.length > most) {
    return problem('value_too_long', `${value.length} elements, at most ${most} are allowed`)
  }
  for (let i = 0; i < value.length; i++) {
    const found = problemOf(element, value[i])
    if (found !== undefined) return inside(i, found)
  }
  return undefined
}

function mapProblem(field: Field, item: Field, value: unknown): Problem | undefined {
  if (typeof value !== 'object' || Array.isArray(value)) return wrongType('an object', value)
  const entries = Object.entries(value as object)
  const most = field.maxLength ?? limits.listElementsMax
  if (entries.length > most) {
    return problem('value_too_long', `${entries.length} entries, at most ${most} are allowed`)
  }
  for (const [key, entry] of entries) {
    const found =
      stringProblem({ type: { kind: 'string' }, optional: false }, key) ?? problemOf(item, entry)
    if (found !== undefined) return inside(key, found)
  }
  return undefined
}

function structProblem(fields: { readonly [name: string]: Field }, value: unknown) {
  if (typeof value !== 'object' || Array.isArray(value)) return wrongType('an object', value)
  const object = value as Record<string, unknown>
  for (const name in object) {
    if (!Object.hasOwn(fields, name)) {
      return inside(name, problem('value_type', 'there is no such member'))
    }
  }
  for (const [name, field] of Object.entries(fields)) {
    const found = problemOf(field, Object.hasOwn(object, name) ? object[name] : null)
    if (found !== undefined) return inside(name, found)
  }
  return undefined
}
