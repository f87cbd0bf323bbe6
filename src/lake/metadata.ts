/** Table metadata, format version 2 (Iceberg spec, "Table Metadata"), as plain data and its JSON. */
import { error, type HeadwaterError } from '../base/errors.ts'
import { failed, ok, type Result } from '../base/result.ts'
import type { IcebergField, IcebergStruct, IcebergType, TableSchema } from '../spec/iceberg-type.ts'
import { parseExact, stringifyExact } from './json.ts'
import { PARTITION_ID, PARTITION_NAME } from './manifest.ts'

export type Id = number | bigint

export interface Schema extends IcebergStruct {
  readonly 'schema-id': number
}

export interface Snapshot {
  readonly 'snapshot-id': Id
  readonly 'parent-snapshot-id'?: Id
  readonly 'sequence-number': number
  readonly 'timestamp-ms': number
  readonly 'manifest-list': string
  readonly summary: Readonly<Record<string, string>>
  readonly 'schema-id'?: number
}

export interface Metadata {
  readonly 'format-version': 2
  readonly 'table-uuid': string
  readonly location: string
  readonly 'last-sequence-number': number
  readonly 'last-updated-ms': number
  readonly 'last-column-id': number
  readonly 'current-schema-id': number
  readonly schemas: readonly Schema[]
  readonly 'default-spec-id': number
  readonly 'partition-specs': readonly {
    readonly 'spec-id': number
    readonly fields: readonly Readonly<Record<string, unknown>>[]
  }[]
  readonly 'last-partition-id': number
  readonly 'default-sort-order-id': number
  readonly 'sort-orders': readonly unknown[]
  readonly properties: Readonly<Record<string, string>>
  readonly 'current-snapshot-id'?: Id
  readonly refs: Readonly<Record<string, Readonly<Record<string, unknown>>>>
  readonly snapshots: readonly Snapshot[]
  readonly 'snapshot-log': readonly {
    readonly 'timestamp-ms': number
    readonly 'snapshot-id': Id
  }[]
  readonly 'metadata-log': readonly {
    readonly 'timestamp-ms': number
    readonly 'metadata-file': string
  }[]
}

/** Metadata of a table that has no snapshot yet. */
export function newMetadata(
  schema: TableSchema,
  options: { readonly uuid: string; readonly location: string; readonly now: number },
): Metadata {
  const source = partitionSource(schema)
  return {
    'format-version': 2,
    'table-uuid': options.uuid,
    location: options.location,
    'last-sequence-number': 0,
    'last-updated-ms': options.now,
    'last-column-id': maxId(schema.fields),
    'current-schema-id': 0,
    schemas: [{ type: 'struct', 'schema-id': 0, fields: schema.fields }],
    'default-spec-id': 0,
    'partition-specs': [
      {
        'spec-id': 0,
        fields: [
          { name: PARTITION_NAME, transform: 'day', 'source-id': source, 'field-id': PARTITION_ID },
        ],
      },
    ],
    'last-partition-id': PARTITION_ID,
    'default-sort-order-id': 0,
    'sort-orders': [{ 'order-id': 0, fields: [] }],
    properties: {
      comment: schema.doc,
      'headwater.partition-by': schema.partitionBy,
      'write.parquet.compression-codec': 'zstd',
    },
    refs: {},
    snapshots: [],
    'snapshot-log': [],
    'metadata-log': [],
  }
}

function partitionSource(schema: TableSchema): number {
  const field = schema.fields.find(({ name }) => name === schema.partitionBy)
  if (field === undefined) throw new Error(`headwater bug: no column ${schema.partitionBy}`)
  return field.id
}

/** The schema that readers use now. */
export function currentSchema(metadata: Metadata): Schema {
  const id = metadata['current-schema-id']
  const schema = metadata.schemas.find((each) => each['schema-id'] === id)
  if (schema === undefined) throw new Error(`headwater bug: no schema ${id}`)
  return schema
}

export function currentSnapshot(metadata: Metadata): Snapshot | undefined {
  const id = metadata['current-snapshot-id']
  return metadata.snapshots.find((snapshot) => snapshot['snapshot-id'] === id)
}

/** Metadata with the columns of `wanted`: unchanged when they are the same; refused when readers could not follow. */
export function evolve(metadata: Metadata, wanted: TableSchema): Result<Metadata> {
  const schema = currentSchema(metadata)
  const sameDoc = metadata.properties['comment'] === wanted.doc
  if (sameDoc && JSON.stringify(schema.fields) === JSON.stringify(wanted.fields))
    return ok(metadata)
  const problem = evolutionProblem(schema.fields, wanted.fields, wanted.name)
  if (problem !== undefined) return failed(problem)
  const known = metadata.schemas.find(
    (each) => JSON.stringify(each.fields) === JSON.stringify(wanted.fields),
  )
  const next = Math.max(...metadata.schemas.map((each) => each['schema-id'])) + 1
  const added: Schema = { type: 'struct', 'schema-id': next, fields: wanted.fields }
  return ok({
    ...metadata,
    schemas: known === undefined ? [...metadata.schemas, added] : metadata.schemas,
    'current-schema-id': known?.['schema-id'] ?? next,
    'last-column-id': Math.max(metadata['last-column-id'], maxId(wanted.fields)),
    properties: { ...metadata.properties, comment: wanted.doc },
  })
}

function evolutionProblem(
  old: readonly IcebergField[],
  wanted: readonly IcebergField[],
  table: string,
): HeadwaterError | undefined {
  const byId = new Map(wanted.map((field) => [field.id, field]))
  for (const field of old) {
    const next = byId.get(field.id)
    const where = `table ${table}, column ${field.name} (id ${field.id})`
    if (next === undefined) return error('spec_incompatible', `${where} would be removed.`)
    if (!follows(field.type, next.type)) {
      return error('spec_incompatible', `${where} would change its type.`)
    }
  }
  return undefined
}

/** Whether values of type `old` can be read as `next`. */
function follows(old: IcebergType, next: IcebergType): boolean {
  if (typeof old === 'string' || typeof next === 'string') {
    if (old === next || (old === 'int' && next === 'long')) return true
    const [from, to] = [decimal(old), decimal(next)]
    return (
      from !== undefined &&
      to !== undefined &&
      from.scale === to.scale &&
      from.precision <= to.precision
    )
  }
  if (old.type === 'list' && next.type === 'list') return follows(old.element, next.element)
  if (old.type === 'map' && next.type === 'map') return follows(old.value, next.value)
  if (old.type !== 'struct' || next.type !== 'struct') return false
  const members = new Map(next.fields.map((field) => [field.id, field]))
  return old.fields.every((field) => {
    const member = members.get(field.id)
    return member !== undefined && follows(field.type, member.type)
  })
}

function decimal(type: IcebergType): { precision: number; scale: number } | undefined {
  const match = typeof type === 'string' ? /^decimal\((\d+), ?(\d+)\)$/.exec(type) : null
  return match === null ? undefined : { precision: Number(match[1]), scale: Number(match[2]) }
}

function maxId(fields: readonly IcebergField[]): number {
  return Math.max(...fields.map((field) => Math.max(field.id, maxChild(field.type))))
}

function maxChild(type: IcebergType): number {
  if (typeof type === 'string') return 0
  switch (type.type) {
    case 'struct':
      return maxId(type.fields)
    case 'list':
      return Math.max(type['element-id'], maxChild(type.element))
    case 'map':
      return Math.max(type['key-id'], type['value-id'], maxChild(type.value))
  }
}

/** JSON of snapshots, which never change: a table that commits every second has hundreds, and each commit writes them all. */
const snapshotTexts = new WeakMap<Snapshot, string>()

export function stringifyMetadata({ snapshots, ...rest }: Metadata): string {
  const texts = snapshots.map((snapshot) => {
    const text = snapshotTexts.get(snapshot) ?? stringifyExact(snapshot)
    snapshotTexts.set(snapshot, text)
    return text
  })
  return `${stringifyExact(rest).slice(0, -1)},"snapshots":[${texts.join(',')}]}`
}

/** Reads a metadata file; `lake_invalid` with its name when it is not one that headwater wrote. */
export function parseMetadata(text: string, file: string): Result<Metadata> {
  let value: unknown
  try {
    value = parseExact(text)
  } catch (cause) {
    return failed(error('lake_invalid', `${file} is not JSON.`, cause))
  }
  const problem = metadataProblem(value)
  if (problem !== undefined) return failed(error('lake_invalid', `${file}: ${problem}.`))
  return ok(value as Metadata)
}

function metadataProblem(value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null) return 'not an object'
  const metadata = value as Partial<Metadata>
  if (metadata['format-version'] !== 2) return 'the format version is not 2'
  for (const key of ['table-uuid', 'location'] as const) {
    if (typeof metadata[key] !== 'string') return `${key} is missing`
  }
  for (const key of [
    'schemas',
    'partition-specs',
    'snapshots',
    'snapshot-log',
    'metadata-log',
  ] as const) {
    if (!Array.isArray(metadata[key])) return `${key} is missing`
  }
  for (const key of ['last-sequence-number', 'last-column-id', 'current-schema-id'] as const) {
    if (typeof metadata[key] !== 'number') return `${key} is missing`
  }
  const full = value as Metadata
  if (!full.schemas.some((schema) => schema['schema-id'] === full['current-schema-id'])) {
    return 'the current schema is missing'
  }
  const current = full['current-snapshot-id']
  if (current !== undefined && currentSnapshot(full) === undefined) {
    return `the current snapshot ${current} is missing`
  }
  return undefined
}
