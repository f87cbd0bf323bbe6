/** Table schemas out of specifications and lock: the envelope, the context, then the event's own fields. */
import { assert } from '../base/assert.ts'
import { ENVELOPE } from './envelope.ts'
import type { EventSpec, Field, Fields, FieldType, SpecSet } from './field.ts'
import type { IcebergField, IcebergType, TableSchema } from './iceberg-type.ts'
import { type LockedField, type LockedFields, type SpecLock, typeName } from './lock.ts'
import { LEDGER, QUARANTINE } from './system-tables.ts'

/**
 * The table of an event type. Columns of specified fields are never `required`: a required field may become optional later, and
 * Iceberg readers must go on reading old files. Fields that were removed stay as columns at the end.
 */
export function eventTable(event: EventSpec, specs: SpecSet, lock: SpecLock): TableSchema {
  const locked = lock.events[event.name]
  assert(locked !== undefined, `the lock has ${event.name}`)
  return {
    name: event.name,
    doc: event.doc,
    partitionBy: 'event_time',
    fields: [
      ...ENVELOPE,
      ...columns(specs.context.fields, lock.context.fields),
      ...columns(event.fields, locked.fields),
    ],
  }
}

/** The ledger: its own columns, then the context. */
export function batchesTable(specs: SpecSet, lock: SpecLock): TableSchema {
  return {
    name: 'batches',
    doc: 'Every batch that arrived, and what became of it.',
    partitionBy: 'received_at',
    fields: [...LEDGER, ...columns(specs.context.fields, lock.context.fields)],
  }
}

export function quarantineTable(): TableSchema {
  return {
    name: 'quarantine',
    doc: 'What did not land, and why.',
    partitionBy: 'received_at',
    fields: QUARANTINE,
  }
}

function columns(fields: Fields, locked: LockedFields): IcebergField[] {
  const live = Object.entries(fields).map(([name, field]) => {
    const known = locked[name]
    assert(known !== undefined, `the lock has ${name}`)
    return column(name, field, known)
  })
  const retired = Object.entries(locked)
    .filter(([name]) => !Object.hasOwn(fields, name))
    .map(([name, field]) => retiredColumn(name, field))
  return [...live, ...retired]
}

function column(name: string, field: Field, locked: LockedField): IcebergField {
  const doc = docOf(field)
  const type = icebergType(field.type, locked)
  return { id: locked.id, name, required: false, type, ...(doc === '' ? {} : { doc }) }
}

/** What a field means, in words for whoever reads a column or a schema; empty where nothing is said. */
export function docOf(
  field: Partial<Pick<Field, 'doc' | 'unit' | 'personal' | 'deprecated'>>,
): string {
  return [
    field.doc,
    field.unit === undefined ? undefined : `Unit: ${field.unit}.`,
    field.personal === undefined ? undefined : `Personal: ${field.personal}.`,
    field.deprecated === undefined ? undefined : `Deprecated: ${field.deprecated}`,
  ]
    .filter((part) => part !== undefined)
    .join(' ')
}

/** The Iceberg type of a field's values, with the ids that the lock gives its children. */
export function icebergType(type: FieldType, locked: Pick<LockedField, 'children'>): IcebergType {
  const child = (name: string): LockedField => {
    const known = locked.children?.[name]
    assert(known !== undefined, `the lock has the child ${name}`)
    return known
  }
  switch (type.kind) {
    case 'list':
      return {
        type: 'list',
        'element-id': child('element').id,
        element: icebergType(type.element.type, child('element')),
        'element-required': !type.element.optional,
      }
    case 'map':
      return {
        type: 'map',
        'key-id': child('key').id,
        key: 'string',
        'value-id': child('value').id,
        value: icebergType(type.value.type, child('value')),
        'value-required': !type.value.optional,
      }
    case 'struct':
      return { type: 'struct', fields: columns(type.fields, locked.children ?? {}) }
    default:
      return typeName(type)
  }
}

function retiredColumn(name: string, locked: LockedField): IcebergField {
  return { id: locked.id, name, required: false, type: retiredType(locked), doc: 'Removed.' }
}

function retiredType(locked: LockedField): IcebergType {
  const { children = {} } = locked
  switch (locked.type) {
    case 'list': {
      const element = children['element']!
      return {
        type: 'list',
        'element-id': element.id,
        element: retiredType(element),
        'element-required': element.required,
      }
    }
    case 'map': {
      const value = children['value']!
      return {
        type: 'map',
        'key-id': children['key']!.id,
        key: 'string',
        'value-id': value.id,
        value: retiredType(value),
        'value-required': value.required,
      }
    }
    case 'struct': {
      const members = Object.entries(children).map(([name, child]) => retiredColumn(name, child))
      return { type: 'struct', fields: members }
    }
    default:
      return locked.type
  }
}
