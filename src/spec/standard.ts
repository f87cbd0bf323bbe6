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
      issues.push({ message: problem.message, path: [name, ...problem.keys] })
    }
  }
  return issues
}

/** The wire form of a value as a program holds it: dates as numbers, bigints as text, bytes as base64 (PROTOCOL.md §5). */
function wireValue({ type }: Field, value: unknown): unknown {
  switch (type.kind) {
    case 'long':
      return typeof value === 'bigint' ? String(value) : value
    case 'timestamp':
      return value instanceof Date ? value.getTime() : value
    case 'binary':
      return value instanceof Uint8Array ? base64(value) : value
    case 'list':
      return Array.isArray(value) ? value.map((item) => wireValue(type.element, item)) : value
    case 'map':
      return mapMembers(value, () => type.value)
    case 'struct':
      return mapMembers(value, (name) =>
        Object.hasOwn(type.fields, name) ? type.fields[name] : undefined,
      )
    default:
      return value
  }
}

function mapMembers(value: unknown, fieldOf: (name: string) => Field | undefined): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  // A Map or a Date would travel as an empty object: as text it is refused, and named.
  const tag = Object.prototype.toString.call(value)
  if (tag !== '[object Object]') return tag
  const members = Object.entries(value).map(([name, item]) => {
    const field = fieldOf(name)
    return [name, field === undefined ? item : wireValue(field, item)] as const
  })
  return Object.fromEntries(members)
}

function base64(bytes: Uint8Array): string {
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(''))
}
