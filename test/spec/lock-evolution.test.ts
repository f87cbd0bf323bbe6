/** The law of ids: through any sequence of legal changes, a column, element, key, value or member keeps its id, and no other has it. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { duckdbType } from '../../src/spec/duckdb-type.ts'
import type { Field, Fields, FieldType, SpecSet } from '../../src/spec/field.ts'
import type { IcebergField, IcebergType } from '../../src/spec/iceberg-type.ts'
import {
  type LockedFields,
  parseLock,
  type SpecLock,
  stringifyLock,
  updateLock,
} from '../../src/spec/lock.ts'
import { batchesTable, eventTable } from '../../src/spec/tables.ts'
import { anyField } from '../support/arbitrary.ts'
import { specSet, valueOf } from './support.ts'

type Change =
  'add' | 'remove' | 'return' | 'rename' | 'promote' | 'addEvent' | 'removeEvent' | 'renameEvent'

interface Step {
  readonly change: Change
  /** Which owner and which of its fields, counted round. */
  readonly owner: number
  readonly pick: number
  readonly field: Field
}

const anyStep: fc.Arbitrary<Step> = fc.record({
  change: fc.constantFrom<Change>(
    ...(['add', 'add', 'remove', 'return', 'rename', 'promote', 'promote'] as const),
    ...(['addEvent', 'removeEvent', 'renameEvent'] as const),
  ),
  owner: fc.nat(20),
  pick: fc.nat(20),
  field: anyField,
})

/** What a developer does to one owner; `born` tells fields apart from names. */
interface Owner {
  live: Record<string, Field>
  removed: Record<string, Field>
  born: Map<string, string>
}

/** A project as its developer knows it. */
class Project {
  context: Owner = { live: {}, removed: {}, born: new Map() }
  events = new Map<string, { owner: Owner; was: readonly string[]; specified: boolean }>()
  #names = 0

  specs(): SpecSet {
    const specified = [...this.events].filter(([, event]) => event.specified)
    return specSet(
      Object.fromEntries(specified.map(([name, { owner }]) => [name, owner.live])),
      this.context.live,
      Object.fromEntries(specified.map(([name, { was }]) => [name, was])),
    )
  }

  /** Owners by the name that the lock has for them; the context has none. */
  owners(): [string | undefined, Owner][] {
    const events = [...this.events].map(([name, { owner }]): [string, Owner] => [name, owner])
    return [[undefined, this.context], ...events]
  }

  apply({ change, owner: which, pick, field }: Step): void {
    const [name, owner] = at(this.owners(), which)!
    const event = name === undefined ? undefined : this.events.get(name)!
    switch (change) {
      case 'addEvent':
        this.events.set(this.#name('e'), { owner: this.#newOwner(field), was: [], specified: true })
        return
      case 'removeEvent':
        if (event !== undefined) event.specified = !event.specified
        return
      case 'renameEvent': {
        if (event?.specified !== true) return
        this.events.delete(name!)
        this.events.set(this.#name('e'), { ...event, was: [name!, ...event.was] })
        return
      }
      // A declaration that is gone cannot be edited.
      case 'add':
        if (event?.specified === false) return
        this.#add(owner, { ...field, optional: true })
        return
      default:
        if (event?.specified === false) return
        this.#change(change, owner, pick, field)
    }
  }

  #change(
    change: 'remove' | 'return' | 'rename' | 'promote',
    owner: Owner,
    pick: number,
    other: Field,
  ) {
    const from = change === 'return' ? owner.removed : owner.live
    const [name, field] = at(Object.entries(from), pick) ?? []
    if (name === undefined || field === undefined) return
    delete from[name]
    switch (change) {
      case 'remove':
        owner.removed[name] = field
        return
      case 'return':
        owner.live[name] = { ...field, optional: true }
        return
      case 'promote':
        owner.live[name] = {
          ...field,
          type: promoted(field.type, other),
          optional: other.optional || field.optional,
        }
        return
      case 'rename': {
        const renamed = this.#name('f')
        owner.live[renamed] = { ...field, was: [name, ...(field.was ?? [])] }
        owner.born.set(renamed, owner.born.get(name)!)
        owner.born.delete(name)
      }
    }
  }

  #newOwner(field: Field): Owner {
    const owner: Owner = { live: {}, removed: {}, born: new Map() }
    this.#add(owner, field)
    return owner
  }

  #add(owner: Owner, field: Field): void {
    const name = this.#name('f')
    owner.live[name] = field
    owner.born.set(name, name)
  }

  #name(letter: string): string {
    return `${letter}${this.#names++}`
  }
}

function at<T>(items: readonly T[], index: number): T | undefined {
  return items.length === 0 ? undefined : items[index % items.length]
}

/** A wider type, everywhere that it can be wider; `other` is a new member of structs. */
function promoted(type: FieldType, other: Field): FieldType {
  const item = (field: Field): Field => ({
    ...field,
    type: promoted(field.type, other),
    optional: true,
  })
  switch (type.kind) {
    case 'int':
      return { kind: 'long' }
    case 'decimal':
      return { ...type, precision: Math.min(38, type.precision + 3) }
    case 'enum':
    case 'json':
      return { kind: 'string' }
    case 'list':
      return { kind: 'list', element: item(type.element) }
    case 'map':
      return { kind: 'map', value: item(type.value) }
    case 'struct': {
      const members = Object.entries(type.fields).map(
        ([name, field]) => [name, item(field)] as const,
      )
      const fields = Object.fromEntries(members.length > 1 ? members.slice(1) : members)
      const fresh = `m${Object.keys(type.fields).join('')}`
      return { kind: 'struct', fields: { ...fields, [fresh]: { ...other, optional: true } } }
    }
    default:
      return type
  }
}

/** Every id of an owner with what it stands for: the field as it was born, and the way into it. */
function identities(fields: LockedFields, bornAs: (name: string) => string): [string, number][] {
  return Object.entries(fields).flatMap(([name, { id, children = {} }]): [string, number][] => {
    const what = bornAs(name)
    const inner = identities(children, (child) => `${what}.${child}`)
    return [[what, id], ...inner]
  })
}

/** Ids given so far by owner; two entries of the same id or of the same identity must be one. */
class History {
  readonly #byOwner = new Map<Owner, { ids: Map<number, string>; whats: Map<string, number> }>()

  check(owner: Owner, fields: LockedFields): void {
    const known = this.#byOwner.get(owner) ?? { ids: new Map(), whats: new Map() }
    this.#byOwner.set(owner, known)
    const now = identities(fields, (name) => owner.born.get(name) ?? `unborn ${name}`)
    for (const [what, id] of now) {
      expect(known.ids.get(id) ?? what, `id ${id} stays that of one column`).toBe(what)
      expect(known.whats.get(what) ?? id, `${what} keeps its id`).toBe(id)
      known.ids.set(id, what)
      known.whats.set(what, id)
    }
    expect(new Set(now.map(([, id]) => id)).size, 'ids are unique').toBe(now.length)
    expect(now.length, 'none is lost').toBe(known.ids.size)
  }
}

function idsOf(type: IcebergType): number[] {
  if (typeof type === 'string') return []
  switch (type.type) {
    case 'struct':
      return type.fields.flatMap((field) => [field.id, ...idsOf(field.type)])
    case 'list':
      return [type['element-id'], ...idsOf(type.element)]
    case 'map':
      return [type['key-id'], type['value-id'], ...idsOf(type.key), ...idsOf(type.value)]
  }
}

/** A table has every id and every name once, and nothing specified is required in it. */
function checkTable(fields: readonly IcebergField[], own: readonly Fields[]): void {
  const ids = idsOf({ type: 'struct', fields })
  expect(new Set(ids).size).toBe(ids.length)
  expect(new Set(fields.map(({ name }) => name)).size).toBe(fields.length)
  for (const name of own.flatMap((each) => Object.keys(each))) {
    expect(fields.find((field) => field.name === name)).toMatchObject({ required: false })
  }
  for (const { type } of fields) expect(duckdbType(type)).not.toBe('')
}

function checkStep(project: Project, known: SpecLock | undefined, history: History): SpecLock {
  const specs = project.specs()
  const { lock } = valueOf(updateLock(known, specs))
  for (const [name, owner] of project.owners()) {
    const locked = name === undefined ? lock.context : lock.events[name]
    history.check(owner, locked?.fields ?? {})
  }
  for (const event of specs.events.values()) {
    checkTable(eventTable(event, specs, lock).fields, [event.fields, specs.context.fields])
  }
  checkTable(batchesTable(specs, lock).fields, [specs.context.fields])
  expect(valueOf(updateLock(lock, specs))).toEqual({ lock, changed: false })
  expect(valueOf(parseLock(stringifyLock(lock)))).toEqual(lock)
  return lock
}

test('ids are for ever, tables keep every column, and the file says what the lock says', () => {
  fc.assert(
    fc.property(fc.array(anyStep, { maxLength: 25 }), (steps) => {
      const project = new Project()
      const history = new History()
      let lock = checkStep(project, undefined, history)
      for (const step of steps) {
        project.apply(step)
        lock = checkStep(project, lock, history)
      }
    }),
    { numRuns: 150 },
  )
})
