/** Tells what is wrong with table metadata before anything relies on it: its members by type, and what must hold between them. */
import { z } from 'zod'
import { limits } from '../base/limits.ts'

const INT64_MAX = 2n ** 63n - 1n

/** A 64-bit integer: number up to 2^53, bigint beyond. */
export const int64: z.ZodType<number | bigint> = z.union([
  z.int(),
  z.bigint().min(-INT64_MAX).max(INT64_MAX),
])
const count = z.int().min(0)
/** Java's int. */
const int32 = z
  .int()
  .min(-(2 ** 31))
  .max(2 ** 31 - 1)
/** Any: clients number a new table's columns as they like, and it numbers them anew. */
const fieldId = int32
const texts = z.record(z.string(), z.string())

const anyType: z.ZodType = z.lazy(() =>
  z.union([z.string().min(1), structShape, listShape, mapShape], {
    error: 'not a type',
  }),
)

const fieldShape = z.looseObject({
  id: fieldId,
  name: z.string(),
  required: z.boolean(),
  type: anyType,
  doc: z.string().optional(),
})

const structShape = z.looseObject({ type: z.literal('struct'), fields: z.array(fieldShape) })

const listShape = z.looseObject({
  type: z.literal('list'),
  'element-id': fieldId,
  element: anyType,
  'element-required': z.boolean(),
})

const mapShape = z.looseObject({
  type: z.literal('map'),
  'key-id': fieldId,
  key: anyType,
  'value-id': fieldId,
  value: anyType,
  'value-required': z.boolean(),
})

export const schemaShape: z.ZodType = structShape.extend({
  'schema-id': int32.optional(),
  'identifier-field-ids': z.array(fieldId).optional(),
})

const transformed = {
  transform: z.string(),
  'source-id': int32.optional(),
  'source-ids': z.array(int32).min(1).optional(),
}

export const partitionFieldShape: z.ZodType = z
  .looseObject({ ...transformed, name: z.string(), 'field-id': int32.optional() })
  .refine(hasSource, 'no source-id')

export const specShape: z.ZodType = z.looseObject({
  'spec-id': int32.optional(),
  fields: z.array(partitionFieldShape),
})

export const orderShape: z.ZodType = z.looseObject({
  'order-id': int32.optional(),
  fields: z.array(
    z
      .looseObject({
        ...transformed,
        direction: z.enum(['asc', 'desc']),
        'null-order': z.enum(['nulls-first', 'nulls-last']),
      })
      .refine(hasSource, 'no source-id'),
  ),
})

function hasSource(field: Readonly<Record<string, unknown>>): boolean {
  return field['source-id'] !== undefined || field['source-ids'] !== undefined
}

export const snapshotShape: z.ZodType = z.looseObject({
  'snapshot-id': int64,
  'parent-snapshot-id': int64.nullish(),
  'sequence-number': count.optional(),
  'timestamp-ms': count,
  'manifest-list': z.string({
    error: 'no manifest-list: manifests inside the metadata are not supported',
  }),
  summary: texts.optional(),
  'schema-id': int32.nullish(),
  'first-row-id': int64.nullish(),
  'added-rows': int64.nullish(),
})

export const refShape: z.ZodType = z.looseObject({
  'snapshot-id': int64,
  type: z.enum(['branch', 'tag']),
  'min-snapshots-to-keep': count.min(1).nullish(),
  'max-snapshot-age-ms': count.min(1).nullish(),
  'max-ref-age-ms': count.min(1).nullish(),
})

export const statisticsShape: z.ZodType = z.looseObject({
  'snapshot-id': int64,
  'statistics-path': z.string(),
})

const metadataShape = z.looseObject({
  'format-version': z.literal([1, 2, 3], { error: 'not 1, 2 or 3' }),
  'table-uuid': z.string(),
  location: z.string().min(1),
  'last-sequence-number': count,
  'last-updated-ms': count,
  'last-column-id': int32.min(0),
  'current-schema-id': int32,
  schemas: z.array(schemaShape).min(1),
  'default-spec-id': int32,
  'partition-specs': z.array(specShape).min(1),
  'last-partition-id': int32.min(0),
  'default-sort-order-id': int32,
  'sort-orders': z.array(orderShape).min(1),
  properties: texts,
  'current-snapshot-id': int64.optional(),
  refs: z.record(z.string(), refShape),
  snapshots: z.array(snapshotShape),
  'snapshot-log': z.array(z.looseObject({ 'timestamp-ms': count, 'snapshot-id': int64 })),
  'metadata-log': z.array(z.looseObject({ 'timestamp-ms': count, 'metadata-file': z.string() })),
  statistics: z.array(statisticsShape).optional(),
  'partition-statistics': z.array(statisticsShape).optional(),
  'next-row-id': int64.optional(),
})

/** The first thing that is wrong with a value, and where; undefined when it fits. Never throws. */
export function misfit(shape: z.ZodType, value: unknown): string | undefined {
  try {
    const parsed = shape.safeParse(value)
    if (parsed.success) return undefined
    const [issue] = parsed.error.issues
    const where = issue!.path.join('.')
    return where === '' ? issue!.message : `${where}: ${issue!.message}`
  } catch (cause) {
    // Nested deeper than the stack.
    if (cause instanceof RangeError) return 'it is nested too deeply'
    throw cause
  }
}

interface Checked {
  readonly 'last-sequence-number': number
  readonly 'current-schema-id': number
  readonly schemas: readonly CheckedSchema[]
  readonly 'default-spec-id': number
  readonly 'partition-specs': readonly { readonly 'spec-id': number }[]
  readonly 'default-sort-order-id': number
  readonly 'sort-orders': readonly { readonly 'order-id': number }[]
  readonly 'current-snapshot-id'?: number | bigint
  readonly refs: Readonly<Record<string, { readonly 'snapshot-id': number | bigint }>>
  readonly snapshots: readonly {
    readonly 'snapshot-id': number | bigint
    readonly 'parent-snapshot-id'?: number | bigint | null
    readonly 'sequence-number'?: number
  }[]
}

type CheckedType =
  | string
  | { readonly type: 'struct'; readonly fields: readonly CheckedField[] }
  | { readonly type: 'list'; readonly 'element-id': number; readonly element: CheckedType }
  | {
      readonly type: 'map'
      readonly 'key-id': number
      readonly key: CheckedType
      readonly 'value-id': number
      readonly value: CheckedType
    }

interface CheckedField {
  readonly id: number
  readonly name: string
  readonly type: CheckedType
}

interface CheckedSchema {
  readonly 'schema-id': number
  readonly fields: readonly CheckedField[]
  readonly 'identifier-field-ids'?: readonly number[]
}

/** What is wrong with table metadata; undefined when readers and writers can rely on it. Never throws. */
export function metadataProblem(value: unknown): string | undefined {
  return misfit(metadataShape, value) ?? relationProblem(value as Checked)
}

function relationProblem(metadata: Checked): string | undefined {
  for (const schema of metadata.schemas) {
    const problem = schemaProblem(schema)
    if (problem !== undefined) return `schema ${schema['schema-id']}: ${problem}`
  }
  return (
    chosen('schema', metadata.schemas, 'schema-id', metadata['current-schema-id']) ??
    chosen('partition spec', metadata['partition-specs'], 'spec-id', metadata['default-spec-id']) ??
    chosen('sort order', metadata['sort-orders'], 'order-id', metadata['default-sort-order-id']) ??
    historyProblem(metadata)
  )
}

function chosen<Key extends string>(
  what: string,
  list: readonly Readonly<Record<Key, number>>[],
  key: Key,
  current: number,
): string | undefined {
  const ids = new Set<number>()
  for (const { [key]: id } of list) {
    if (id === undefined) return `a ${what} has no ${key}`
    if (ids.has(id)) return `the ${what} ${id} is there twice`
    ids.add(id)
  }
  return ids.has(current) ? undefined : `the current ${what} ${current} is missing`
}

/** What is wrong with a schema that has the right members: ids and names that are there twice, too deep a nesting. */
export function schemaProblem(schema: {
  readonly fields: readonly CheckedField[]
  readonly 'identifier-field-ids'?: readonly number[]
}): string | undefined {
  const ids = new Set<number>()
  const take = (id: number): string | undefined => {
    if (ids.has(id)) return `the field id ${id} is there twice`
    ids.add(id)
    return undefined
  }
  const ofFields = (fields: readonly CheckedField[], depth: number): string | undefined => {
    const names = new Set<string>()
    for (const { id, name, type } of fields) {
      if (names.has(name)) return `the field ${JSON.stringify(name)} is there twice`
      names.add(name)
      const problem = take(id) ?? ofType(type, depth)
      if (problem !== undefined) return problem
    }
    return undefined
  }
  const ofType = (type: CheckedType, depth: number): string | undefined => {
    if (typeof type === 'string') return undefined
    if (depth > limits.schemaDepthMax) return `it is nested more than ${limits.schemaDepthMax} deep`
    switch (type.type) {
      case 'struct':
        return ofFields(type.fields, depth + 1)
      case 'list':
        return take(type['element-id']) ?? ofType(type.element, depth + 1)
      case 'map':
        return (
          take(type['key-id']) ??
          take(type['value-id']) ??
          ofType(type.key, depth + 1) ??
          ofType(type.value, depth + 1)
        )
    }
  }
  const problem = ofFields(schema.fields, 1)
  if (problem !== undefined) return problem
  const stranger = schema['identifier-field-ids']?.find((id) => !ids.has(id))
  return stranger === undefined ? undefined : `the identifier field ${stranger} is missing`
}

function historyProblem(metadata: Checked): string | undefined {
  const parents = new Map<number | bigint, number | bigint | null | undefined>()
  for (const snapshot of metadata.snapshots) {
    const id = snapshot['snapshot-id']
    if (parents.has(id)) return `the snapshot ${id} is there twice`
    if ((snapshot['sequence-number'] ?? 0) > metadata['last-sequence-number']) {
      return `the snapshot ${id} has a sequence number after the last one`
    }
    parents.set(id, snapshot['parent-snapshot-id'])
  }
  const current = metadata['current-snapshot-id']
  if (current !== undefined && !parents.has(current)) {
    return `the current snapshot ${current} is missing`
  }
  for (const [name, ref] of Object.entries(metadata.refs)) {
    if (!parents.has(ref['snapshot-id'])) {
      return `the ref ${name} names the snapshot ${ref['snapshot-id']}, which is missing`
    }
  }
  if (metadata.refs['main']?.['snapshot-id'] !== current) {
    return 'the branch main is not at the current snapshot'
  }
  return circleOf(parents)
}

function circleOf(
  parents: ReadonlyMap<number | bigint, number | bigint | null | undefined>,
): string | undefined {
  const done = new Set<number | bigint>()
  for (const start of parents.keys()) {
    const path = new Set<number | bigint>()
    for (
      let each: number | bigint | null | undefined = start;
      each !== undefined && each !== null && !done.has(each);
      each = parents.get(each)
    ) {
      if (path.has(each)) return `the snapshot ${each} is its own ancestor`
      path.add(each)
    }
    for (const each of path) done.add(each)
  }
  return undefined
}
