/** Schemas, partition specs and sort orders that clients bring: checked, numbered, and equal ones used again. */
import { isDeepStrictEqual } from 'node:util'
import { error } from '../base/errors.ts'
import type { IcebergField, IcebergType } from '../spec/iceberg-type.ts'
import { schemaProblem } from './metadata-shape.ts'
import {
  maxId,
  type Metadata,
  type PartitionField,
  type PartitionSpec,
  type Schema,
  type SortField,
  type SortOrder,
} from './metadata.ts'

/** A schema as it comes, before the table gives it its number. */
export type NewSchema = Omit<Schema, 'schema-id'>
export type NewSpec = {
  readonly fields: readonly (Omit<PartitionField, 'field-id'> & {
    readonly 'field-id'?: number | undefined
  })[]
}
export type NewOrder = Omit<SortOrder, 'order-id'>

type FormatVersion = Metadata['format-version']

/** The numbered list with a new member, or with the equal one that it has; and the number of either. */
interface Placed<T> {
  readonly list: readonly T[]
  readonly id: number
}

const FIRST_PARTITION_ID = 1000

/** Throws HeadwaterError `update_invalid`. */
export function placeSchema(
  schema: NewSchema,
  schemas: readonly Schema[],
  version: FormatVersion,
): Placed<Schema> {
  const problem = schemaProblem(schema) ?? typesProblem(schema.fields, version)
  if (problem !== undefined) throw error('update_invalid', `Invalid schema: ${problem}.`)
  const known = schemas.find((each) => sameSchema(each, schema))
  if (known !== undefined) return { list: schemas, id: known['schema-id'] }
  const id = nextId(schemas.map((each) => each['schema-id']))
  return { list: [...schemas, { ...schema, 'schema-id': id }], id }
}

export function sameSchema(one: NewSchema, other: NewSchema): boolean {
  const identifiers = (schema: NewSchema): number[] =>
    [...(schema['identifier-field-ids'] ?? [])].sort((a, b) => a - b)
  return (
    isDeepStrictEqual(one.fields, other.fields) &&
    isDeepStrictEqual(identifiers(one), identifiers(other))
  )
}

/** Throws HeadwaterError `update_invalid`. */
export function placeSpec(spec: NewSpec, metadata: SpecContext): Placed<PartitionSpec> {
  const specs = metadata['partition-specs']
  const known = specs.find((each) => sameSpec(each, spec))
  if (known !== undefined) return { list: specs, id: known['spec-id'] }
  const fields = numberedFields(spec, metadata)
  const problem = specProblem(fields, metadata)
  if (problem !== undefined) throw error('update_invalid', `Invalid partition spec: ${problem}.`)
  const id = nextId(specs.map((each) => each['spec-id']))
  return { list: [...specs, { 'spec-id': id, fields }], id }
}

/** What a spec is checked against. */
export interface SpecContext {
  readonly 'format-version': FormatVersion
  readonly schema: NewSchema
  readonly 'partition-specs': readonly PartitionSpec[]
  readonly 'last-partition-id': number
}

/** Equal but for the ids of its fields. */
function sameSpec(one: NewSpec, other: NewSpec): boolean {
  const essence = ({ fields }: NewSpec): unknown[] =>
    fields.map((field) => [field.name, field.transform, sourcesOf(field)])
  return isDeepStrictEqual(essence(one), essence(other))
}

/** The same source and transform has the same id in every spec of a table. */
function numberedFields(spec: NewSpec, metadata: SpecContext): PartitionField[] {
  const known = metadata['partition-specs'].flatMap(({ fields }) => fields)
  let last = Math.max(metadata['last-partition-id'], FIRST_PARTITION_ID - 1)
  return spec.fields.map((field) => {
    if (field['field-id'] !== undefined) {
      last = Math.max(last, field['field-id'])
      return { ...field, 'field-id': field['field-id'] }
    }
    const same = known.find(
      (each) =>
        each.transform === field.transform && isDeepStrictEqual(sourcesOf(each), sourcesOf(field)),
    )
    return { ...field, 'field-id': same?.['field-id'] ?? ++last }
  })
}

function specProblem(
  fields: readonly PartitionField[],
  { schema, 'format-version': version }: SpecContext,
): string | undefined {
  const columns = new Map(schema.fields.map((field) => [field.name, field.id]))
  const names = new Set<string>()
  const ids = new Set<number>()
  for (const [i, field] of fields.entries()) {
    const { name, transform, 'field-id': id } = field
    const where = `the field ${JSON.stringify(name)}`
    if (name === '' || names.has(name)) return `${where} is there twice or has no name`
    if (ids.has(id)) return `the field id ${id} is there twice`
    if (id < FIRST_PARTITION_ID) return `${where} has an id below ${FIRST_PARTITION_ID}`
    if (version === 1 && id !== FIRST_PARTITION_ID + i) {
      return `${where} breaks the sequence of ids that format version 1 wants`
    }
    names.add(name)
    ids.add(id)
    const problem = transformProblem(field, schema)
    if (problem !== undefined) return `${where}: ${problem}`
    const column = columns.get(name)
    const own = transform === 'identity' && sourcesOf(field)[0] === column
    if (column !== undefined && !own && transform !== 'void') {
      return `${where} has the name of a column, which only identity of that column may have`
    }
  }
  return undefined
}

/** Throws HeadwaterError `update_invalid`. */
export function placeOrder(
  order: NewOrder,
  orders: readonly SortOrder[],
  schema: NewSchema,
): Placed<SortOrder> {
  const known = orders.find((each) => isDeepStrictEqual(each.fields, order.fields))
  if (known !== undefined) return { list: orders, id: known['order-id'] }
  for (const field of order.fields) {
    const problem = transformProblem(field, schema)
    if (problem !== undefined) throw error('update_invalid', `Invalid sort order: ${problem}.`)
  }
  // Zero is the number of no order.
  const id = order.fields.length === 0 ? 0 : Math.max(1, nextId(orders.map((o) => o['order-id'])))
  return { list: [...orders, { ...order, 'order-id': id }], id }
}

const TRANSFORM = /^(identity|void|year|month|day|hour|(bucket|truncate)\[[1-9]\d{0,9}\])$/

function transformProblem(
  field: Omit<PartitionField, 'field-id' | 'name'>,
  schema: NewSchema,
): string | undefined {
  if (!TRANSFORM.test(field.transform)) return `the transform ${field.transform} is not known`
  return sourceProblem(field, schema)
}

/** What is wrong with what a field is made from: every source must be a column with a plain value. */
export function sourceProblem(
  field: Pick<PartitionField | SortField, 'transform' | 'source-id' | 'source-ids'>,
  schema: NewSchema,
): string | undefined {
  if (field.transform === 'void') return undefined
  const types = primitives(schema.fields)
  const missing = sourcesOf(field).find((id) => !types.has(id))
  return missing === undefined ? undefined : `Cannot find source column: ${missing}`
}

function sourcesOf(field: Pick<PartitionField, 'source-id' | 'source-ids'>): readonly number[] {
  return field['source-ids'] ?? (field['source-id'] === undefined ? [] : [field['source-id']])
}

/** Ids of columns with plain values, those inside structs included. */
function primitives(
  fields: readonly IcebergField[],
  into: Set<number> = new Set<number>(),
): Set<number> {
  for (const { id, type } of fields) {
    if (typeof type === 'string') into.add(id)
    else if (type.type === 'struct') primitives(type.fields, into)
  }
  return into
}

const PLAIN =
  /^(boolean|int|long|float|double|date|time|timestamp|timestamptz|string|uuid|binary|fixed\[\d{1,9}\]|decimal\((\d{1,2}), ?(\d{1,2})\))$/
const PLAIN_3 = /^(timestamp_ns|timestamptz_ns|unknown|variant|geometry|geography)(\(.*\))?$/

/** What is wrong with the types of fields in a table of a format version. */
function typesProblem(fields: readonly IcebergField[], version: FormatVersion): string | undefined {
  for (const field of fields) {
    const problem = typeProblem(field.type, version)
    if (problem !== undefined) return `the field ${JSON.stringify(field.name)}: ${problem}`
    const fallback = (field as { 'initial-default'?: unknown })['initial-default'] ?? null
    if (version < 3 && fallback !== null) {
      return `the field ${JSON.stringify(field.name)}: a non-null default is not supported until v3`
    }
  }
  return undefined
}

function typeProblem(type: IcebergType, version: FormatVersion): string | undefined {
  if (typeof type === 'string') {
    const plain = PLAIN.exec(type)
    if (plain !== null) {
      const [precision, scale] = [Number(plain[2] ?? 1), Number(plain[3] ?? 0)]
      const fits = precision >= 1 && precision <= 38 && scale <= precision
      return fits ? undefined : `${type} is not a type`
    }
    if (!PLAIN_3.test(type)) return `${type} is not a type`
    return version >= 3 ? undefined : `${type} is not supported until v3`
  }
  switch (type.type) {
    case 'struct':
      return typesProblem(type.fields, version)
    case 'list':
      return typeProblem(type.element, version)
    case 'map':
      return typeProblem(type.key, version) ?? typeProblem(type.value, version)
  }
}

/** A schema with the ids 1, 2, 3 …, level by level as Java numbers them, and what each old id became. */
export function renumbered(schema: NewSchema): {
  readonly schema: NewSchema
  readonly ids: ReadonlyMap<number, number>
} {
  const ids = new Map<number, number>()
  let last = 0
  const fresh = (old: number): number => {
    last++
    // Of ids that are there twice the first one counts.
    if (!ids.has(old)) ids.set(old, last)
    return last
  }
  const ofFields = (fields: readonly IcebergField[]): IcebergField[] =>
    fields
      .map((field) => ({ ...field, id: fresh(field.id) }))
      .map((field) => ({ ...field, type: ofType(field.type) }))
  const ofType = (type: IcebergType): IcebergType => {
    if (typeof type === 'string') return type
    switch (type.type) {
      case 'struct':
        return { ...type, fields: ofFields(type.fields) }
      case 'list': {
        const id = fresh(type['element-id'])
        return { ...type, 'element-id': id, element: ofType(type.element) }
      }
      case 'map': {
        const [key, value] = [fresh(type['key-id']), fresh(type['value-id'])]
        const types = { key: ofType(type.key), value: ofType(type.value) }
        return { ...type, ...types, 'key-id': key, 'value-id': value }
      }
    }
  }
  const { 'identifier-field-ids': identifiers, ...rest } = schema
  const fields = ofFields(schema.fields)
  const named = identifiers?.map((id) => ids.get(id) ?? id)
  return {
    schema: { ...rest, fields, ...(named === undefined ? {} : { 'identifier-field-ids': named }) },
    ids,
  }
}

/** Fields of a spec or an order with the ids that their sources have become. */
export function resourced<T extends Pick<PartitionField, 'source-id' | 'source-ids'>>(
  fields: readonly T[],
  ids: ReadonlyMap<number, number>,
): T[] {
  // An id that no column had is none of the new ones either.
  const of = (old: number): number => ids.get(old) ?? -1
  return fields.map((field) => ({
    ...field,
    ...(field['source-id'] === undefined ? {} : { 'source-id': of(field['source-id']) }),
    ...(field['source-ids'] === undefined ? {} : { 'source-ids': field['source-ids'].map(of) }),
  }))
}

/** The greatest column id of a schema. */
export function highestId(schema: NewSchema): number {
  return maxId(schema.fields)
}

function nextId(ids: readonly number[]): number {
  return ids.reduce((most, id) => Math.max(most, id), -1) + 1
}
