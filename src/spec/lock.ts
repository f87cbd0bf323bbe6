/** The lockfile: every field's permanent Iceberg id, retired ones included, and the refusal of changes that nobody could follow. */
import { error, HeadwaterError } from '../base/errors.ts'
import { failed, ok, type Result } from '../base/result.ts'
import { decided, type TypeChange } from './evolve.ts'
import type { Field, Fields, FieldType, SpecSet } from './field.ts'

/** One field as it was last seen. */
export interface LockedField {
  readonly id: number
  /** The Iceberg type without children, such as `long`, `decimal(9, 2)`, `list`. */
  readonly type: string
  readonly required: boolean
  /** True once the field is no longer specified: its column stays. */
  readonly retired?: true
  /** Members of a struct, `element` of a list, `key` and `value` of a map. */
  readonly children?: LockedFields
}

export type LockedFields = { readonly [name: string]: LockedField }

/** The fields of one owner and the next free id. */
export interface LockedOwner {
  readonly next: number
  readonly fields: LockedFields
}

/** `specs.lock.json`. Context ids are 100 … 999 and the same in every table; ids of an event's own fields start at 1000. */
export interface SpecLock {
  readonly version: 1
  readonly context: LockedOwner
  readonly events: { readonly [name: string]: LockedOwner }
}

const CONTEXT_FIRST = 100
const CONTEXT_END = 1000
const EVENT_FIRST = 1000

/**
 * The lock for `specs`, grown from `known`; refuses what `known` forbids, with the reason and what to do instead. An event
 * type that is renamed or no longer specified keeps its entry, as its table keeps its columns.
 */
export function updateLock(
  known: SpecLock | undefined,
  specs: SpecSet,
): Result<{ readonly lock: SpecLock; readonly changed: boolean }> {
  try {
    const context = updateOwner('the context', known?.context, specs.context.fields, CONTEXT_FIRST)
    if (context.next > CONTEXT_END) {
      throw error(
        'spec_invalid',
        `The context has more than ${CONTEXT_END - CONTEXT_FIRST} fields.`,
      )
    }
    const events: Record<string, LockedOwner> = { ...known?.events }
    for (const [name, spec] of specs.events) {
      const old = [name, ...(spec.was ?? [])].find((each) => Object.hasOwn(events, each))
      const owner = old === undefined ? undefined : events[old]
      const updated = updateOwner(name, owner, spec.fields, EVENT_FIRST)
      refuseSharedNames(name, updated.fields, context.fields)
      events[name] = updated
    }
    const lock: SpecLock = { version: 1, context, events: sorted(events) }
    const changed = known === undefined || stringifyLock(lock) !== stringifyLock(known)
    return ok({ lock, changed })
  } catch (cause) {
    if (cause instanceof HeadwaterError) return failed(cause)
    throw cause
  }
}

/** Context and event share a table, where removed fields keep their columns: neither may take a name of the other's. */
function refuseSharedNames(event: string, fields: LockedFields, context: LockedFields): void {
  for (const name of Object.keys(fields)) {
    if (!Object.hasOwn(context, name)) continue
    throw refusal(
      `${event}.${name}`,
      'the context and the event both have a column of the name, if of a removed field',
      'choose another name',
    )
  }
}

/** Hands out ids that were never used. */
class Ids {
  next: number

  constructor(next: number) {
    this.next = next
  }

  take(): number {
    return this.next++
  }
}

function updateOwner(
  owner: string,
  known: LockedOwner | undefined,
  fields: Fields,
  first: number,
): LockedOwner {
  const ids = new Ids(known?.next ?? first)
  const updated = updateFields(owner, known?.fields, fields, ids)
  return { next: ids.next, fields: updated }
}

/** `known` undefined: the owner is new, and may require what it likes. */
function updateFields(
  owner: string,
  known: LockedFields | undefined,
  fields: Fields,
  ids: Ids,
): LockedFields {
  const rest: Record<string, LockedField> = { ...known }
  const updated: Record<string, LockedField> = {}
  for (const [name, field] of Object.entries(fields)) {
    const old = [name, ...(field.was ?? [])].find((each) => Object.hasOwn(rest, each))
    const locked = old === undefined ? undefined : rest[old]
    if (old === name && locked?.retired === true) refuseRename(`${owner}.${name}`, field, rest)
    if (old !== undefined) delete rest[old]
    updated[name] = updateField(`${owner}.${name}`, locked, field, ids, known === undefined)
  }
  for (const [name, field] of Object.entries(rest)) updated[name] = { ...field, retired: true }
  return sorted(updated)
}

/** The name of a removed field is that of its column: another field cannot be renamed to it. */
function refuseRename(path: string, field: Field, known: LockedFields): void {
  const live = field.was?.find((each) => Object.hasOwn(known, each) && !known[each]!.retired)
  if (live === undefined) return
  throw refusal(
    path,
    `${live} cannot take this name: the column of a removed field has it`,
    'choose another name',
  )
}

function updateField(
  path: string,
  known: LockedField | undefined,
  field: Field,
  ids: Ids,
  ownerIsNew: boolean,
): LockedField {
  const type = typeName(field.type)
  const required = !field.optional
  if (known === undefined) {
    if (required && !ownerIsNew) {
      throw refusal(
        path,
        'a required field cannot be added: old clients do not send it',
        'make it optional',
      )
    }
    const id = ids.take()
    return { id, type, required, ...children(path, undefined, field.type, ids) }
  }
  if (required && !known.required) {
    throw refusal(
      path,
      'an optional field cannot become required: old clients may leave it out',
      'keep it optional',
    )
  }
  if (known.retired === true && required) {
    throw refusal(path, 'a field that was removed cannot come back as required', 'make it optional')
  }
  refuseTypeChange(path, decided(known.type, type))
  return { id: known.id, type, required, ...children(path, known.children, field.type, ids) }
}

function refuseTypeChange(path: string, change: TypeChange): void {
  if (change.allowed) return
  throw refusal(path, change.reason, 'add a new optional field beside it and deprecate this one')
}

function children(
  path: string,
  known: LockedFields | undefined,
  type: FieldType,
  ids: Ids,
): { children?: LockedFields } {
  switch (type.kind) {
    case 'list':
      return { children: updateFields(path, known, { element: type.element }, ids) }
    case 'map': {
      const key: Field = { type: { kind: 'string' }, optional: false }
      return { children: updateFields(path, known, { key, value: type.value }, ids) }
    }
    case 'struct':
      return { children: updateFields(path, known, type.fields, ids) }
    default:
      return {}
  }
}

/** The Iceberg name of a type, without children. */
export function typeName(type: FieldType): string {
  switch (type.kind) {
    case 'enum':
    case 'json':
      return 'string'
    case 'timestamp':
      return 'timestamptz'
    case 'decimal':
      return `decimal(${type.precision}, ${type.scale})`
    default:
      return type.kind
  }
}

function refusal(path: string, reason: string, remedy: string): HeadwaterError {
  return error('spec_incompatible', `${path}: ${reason}; ${remedy}.`)
}

function sorted<T>(record: Readonly<Record<string, T>>): { readonly [name: string]: T } {
  return Object.fromEntries(Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1)))
}

/** The lock as the text of its file: sorted and indented, so that a change is a small diff. */
export function stringifyLock(lock: SpecLock): string {
  return `${JSON.stringify(lock, null, 2)}\n`
}

/** Reads a lockfile; `lock_invalid` where it is not one. */
export function parseLock(text: string): Result<SpecLock> {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    return failed(error('lock_invalid', 'specs.lock.json is not JSON.', cause))
  }
  const problem = lockProblem(value)
  return problem === undefined
    ? ok(value as SpecLock)
    : failed(error('lock_invalid', `specs.lock.json: ${problem}.`))
}

function lockProblem(value: unknown): string | undefined {
  if (!isRecord(value)) return 'not an object'
  if (value['version'] !== 1) return `version ${JSON.stringify(value['version'])} is not known`
  if (!isRecord(value['events'])) return 'events is missing'
  const problem = ownerProblem(value['context'], 'the context', CONTEXT_FIRST, CONTEXT_END)
  if (problem !== undefined) return problem
  for (const [name, owner] of Object.entries(value['events'])) {
    const wrong = ownerProblem(owner, name, EVENT_FIRST, Number.MAX_SAFE_INTEGER)
    if (wrong !== undefined) return wrong
  }
  return undefined
}

/** Ids lie from `first` to before `next`, and `next` is at most `end`. */
function ownerProblem(
  owner: unknown,
  name: string,
  first: number,
  end: number,
): string | undefined {
  if (!isRecord(owner)) return `${name} is missing`
  const next = owner['next']
  if (typeof next !== 'number' || !Number.isInteger(next) || next < first || next > end) {
    return `${name} has no next id`
  }
  return fieldsProblem(owner['fields'], name, { first, next, seen: new Set() })
}

interface IdRange {
  readonly first: number
  readonly next: number
  readonly seen: Set<number>
}

function fieldsProblem(fields: unknown, path: string, ids: IdRange): string | undefined {
  if (!isRecord(fields)) return `${path} has no fields`
  for (const [name, field] of Object.entries(fields)) {
    const wrong = fieldProblem(field, `${path}.${name}`, ids)
    if (wrong !== undefined) return wrong
  }
  return undefined
}

function fieldProblem(field: unknown, path: string, ids: IdRange): string | undefined {
  if (!isRecord(field)) return `${path} is not a field`
  const { id, type, required, retired, children: inner } = field
  if (typeof id !== 'number' || !Number.isInteger(id) || id < ids.first || id >= ids.next) {
    return `${path} has no id`
  }
  if (ids.seen.has(id)) return `${path} has the id ${id} of another field`
  ids.seen.add(id)
  if (typeof required !== 'boolean') return `${path} does not say whether it is required`
  if (retired !== undefined && retired !== true) return `${path} has an unknown retired`
  if (typeof type !== 'string') return `${path} has no type`
  if (!NESTED.has(type)) {
    if (!PRIMITIVE.test(type)) return `${path} has the unknown type ${type}`
    return inner === undefined ? undefined : `${path} of type ${type} has children`
  }
  if (!isRecord(inner) || !childrenFit(type, inner))
    return `${path} has not the children of a ${type}`
  return fieldsProblem(inner, path, ids)
}

const NESTED: ReadonlySet<string> = new Set(['list', 'map', 'struct'])
const PRIMITIVE =
  /^(boolean|int|long|double|string|date|timestamptz|binary|decimal\([1-9]\d?, \d\d?\))$/

function childrenFit(type: string, inner: Readonly<Record<string, unknown>>): boolean {
  const names = Object.keys(inner).sort().join()
  if (type === 'list') return names === 'element'
  if (type === 'map') return names === 'key,value'
  return names !== ''
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
