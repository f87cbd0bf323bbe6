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

/** The lock for `specs`, grown from `known`; refuses what `known` forbids, with the reason and what to do instead. */
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
      const old = [name, ...(spec.was ?? [])].find((each) => events[each] !== undefined)
      const owner = old === undefined ? undefined : events[old]
      if (old !== undefined && old !== name) delete events[old]
      events[name] = updateOwner(name, owner, spec.fields, EVENT_FIRST)
    }
    const lock: SpecLock = { version: 1, context, events: sorted(events) }
    const changed = known === undefined || stringifyLock(lock) !== stringifyLock(known)
    return ok({ lock, changed })
  } catch (cause) {
    if (cause instanceof HeadwaterError) return failed(cause)
    throw cause
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
    if (old !== undefined) delete rest[old]
    updated[name] = updateField(`${owner}.${name}`, locked, field, ids, known === undefined)
  }
  for (const [name, field] of Object.entries(rest)) updated[name] = { ...field, retired: true }
  return sorted(updated)
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
  const owners = { context: value['context'], ...value['events'] }
  for (const [name, owner] of Object.entries(owners)) {
    if (!isRecord(owner) || !Number.isInteger(owner['next'])) return `${name} has no next id`
    const seen = new Set<number>()
    const wrong = fieldsProblem(owner['fields'], name, seen, owner['next'] as number)
    if (wrong !== undefined) return wrong
  }
  return undefined
}

/** Every id is an integer below `next` and used once. */
function fieldsProblem(
  fields: unknown,
  path: string,
  seen: Set<number>,
  next: number,
): string | undefined {
  if (!isRecord(fields)) return `${path} has no fields`
  for (const [name, field] of Object.entries(fields)) {
    const where = `${path}.${name}`
    if (!isRecord(field) || typeof field['type'] !== 'string') return `${where} has no type`
    const id = field['id']
    if (typeof id !== 'number' || !Number.isInteger(id) || id >= next) return `${where} has no id`
    if (seen.has(id)) return `${where} has the id ${id} of another field`
    seen.add(id)
    if (field['children'] === undefined) continue
    const wrong = fieldsProblem(field['children'], where, seen, next)
    if (wrong !== undefined) return wrong
  }
  return undefined
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
