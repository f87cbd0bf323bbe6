/** Which names fields, event types and context members may have. */
import { error } from '../base/errors.ts'
import { ENVELOPE } from './envelope.ts'
import type { ContextSpec, EventSpec, Field, Fields } from './field.ts'
import { LEDGER } from './system-tables.ts'

const NAME = /^[a-z][a-z0-9_]{0,63}$/
const ENVELOPE_NAMES: ReadonlySet<string> = new Set(ENVELOPE.map(({ name }) => name))
const LEDGER_NAMES: ReadonlySet<string> = new Set(LEDGER.map(({ name }) => name))

/** Names that headwater's own tables and views have. */
export const RESERVED_TABLES: ReadonlySet<string> = new Set([
  'batches',
  'quarantine',
  'events',
  'sessions',
  'spans',
])

/** Throws `spec_invalid` where an event type or a field of it cannot have its name. */
export function checkEvent(event: EventSpec): void {
  for (const name of [event.name, ...(event.was ?? [])]) {
    if (!NAME.test(name)) throw badName(`event type ${JSON.stringify(name)}`)
    if (RESERVED_TABLES.has(name)) throw reserved(`event type ${name}`, 'table')
  }
  checkFields(event.fields, `event type ${event.name}`, ENVELOPE_NAMES)
}

/** Throws `spec_invalid` where a context member cannot have its name: it becomes a column of every table and of the ledger. */
export function checkContext(context: ContextSpec): void {
  checkFields(context.fields, 'the context', new Set([...ENVELOPE_NAMES, ...LEDGER_NAMES]))
}

function checkFields(fields: Fields, owner: string, taken: ReadonlySet<string>): void {
  const seen = new Set<string>()
  for (const [name, field] of Object.entries(fields)) {
    for (const each of [name, ...(field.was ?? [])]) {
      const where = `${owner}, field ${JSON.stringify(each)}`
      if (!NAME.test(each)) throw badName(where)
      if (taken.has(each)) throw reserved(where, 'column')
      if (seen.has(each)) throw error('spec_invalid', `${where}: the name is used twice.`)
      seen.add(each)
    }
    checkMembers(field, `${owner}, field ${name}`)
  }
}

/** Names inside structs, wherever they are nested. */
function checkMembers({ type }: Field, where: string): void {
  if (type.kind === 'list') checkNameless(type.element, where)
  if (type.kind === 'map') checkNameless(type.value, where)
  if (type.kind !== 'struct') return
  if (Object.keys(type.fields).length === 0) {
    throw error('spec_invalid', `${where}: a struct needs a member.`)
  }
  for (const [name, member] of Object.entries(type.fields)) {
    if (!NAME.test(name)) throw badName(`${where}, member ${JSON.stringify(name)}`)
    if (member.was !== undefined) {
      throw error('spec_invalid', `${where}, member ${name}: members of structs cannot be renamed.`)
    }
    checkMembers(member, `${where}.${name}`)
  }
}

/** Elements of lists and values of maps have no name that could change. */
function checkNameless(item: Field, where: string): void {
  if (item.was !== undefined) {
    throw error('spec_invalid', `${where}: what has no name cannot have had another.`)
  }
  checkMembers(item, where)
}

function badName(where: string): Error {
  return error(
    'spec_invalid',
    `${where}: a name is a lower-case letter, then at most 63 of a-z, 0-9 and _.`,
  )
}

function reserved(where: string, what: string): Error {
  return error('spec_invalid', `${where}: headwater has a ${what} of that name.`)
}
