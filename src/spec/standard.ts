/** Standard Schema (standardschema.dev, version 1) for events: any library that takes one can validate with a specification. */
import { problemOf } from './check.ts'
import type { Field, Fields } from './field.ts'

/** The interface of the Standard Schema specification, as far as it is used. */
export interface StandardSchemaV1<V> {
  readonly '~standard': StandardSchemaV1.Props<V>
}

// oxlint-disable-next-line typescript/no-namespace -- the name that the Standard Schema specification gives it
export declare namespace StandardSchemaV1 {
  interface Props<V> {
    readonly version: 1
    readonly vendor: 'headwater'
    readonly validate: (value: unknown) => Result<V>
    readonly types?: { readonly input: V; readonly output: V }
  }
  type Result<V> =
    { readonly value: V; readonly issues?: undefined } | { readonly issues: readonly Issue[] }
  interface Issue {
    readonly message: string
    readonly path?: readonly PropertyKey[]
  }
}

export function standardOf<V>(fields: Fields): StandardSchemaV1.Props<V> {
  return {
    version: 1,
    vendor: 'headwater',
    validate: (value) => {
      const issues = issuesOf(fields, value)
      return issues.length === 0 ? { value: value as V } : { issues }
    },
  }
}

function issuesOf(fields: Fields, value: unknown): StandardSchemaV1.Issue[] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return [{ message: 'expected an object of fields' }]
  }
  const object = value as Readonly<Record<string, unknown>>
  const issues: StandardSchemaV1.Issue[] = []
  for (const name in object) {
    if (!Object.hasOwn(fields, name))
      issues.push({ message: 'there is no such field', path: [name] })
  }
  for (const [name, field] of Object.entries(fields)) {
    const given = Object.hasOwn(object, name) ? object[name] : null
    const problem = problemOf(field, wireValue(field, given))
    if (problem !== undefined) {
      issues.push({ message: problem.message, path: [name, ...pathKeys(problem.path)] })
    }
  }
  return issues
}

/** The wire form of a value as a program holds it: dates as numbers, bigints as text, bytes as base64 (PROTOCOL.md §5). */
export function wireValue(field: Field, value: unknown): unknown {
  const { type } = field
  if (value instanceof Date) return type.kind === 'timestamp' ? value.getTime() : value
  if (typeof value === 'bigint') return String(value)
  if (value instanceof Uint8Array) return btoa(String.fromCharCode(...value))
  if (Array.isArray(value) && type.kind === 'list') {
    return value.map((item) => wireValue(type.element, item))
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  if (type.kind !== 'struct' && type.kind !== 'map') return value
  const members = Object.entries(value).map(([name, item]) => {
    const member = type.kind === 'map' ? type.value : type.fields[name]
    return [name, member === undefined ? item : wireValue(member, item)]
  })
  return Object.fromEntries(members) as unknown
}

/** `[3].title_id` as `[3, 'title_id']`. */
function pathKeys(path: string): PropertyKey[] {
  return [...path.matchAll(/\[(\d+)\]|\.([^.[]+)/g)].map(([, index, name]) =>
    index === undefined ? name! : Number(index),
  )
}
