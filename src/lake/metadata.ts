/** Table metadata (Iceberg spec, "Table Metadata", format versions 1 to 3) as plain data and its JSON, and that of headwater's own tables. */
import { isDeepStrictEqual } from 'node:util'
import { error, type HeadwaterError } from '../base/errors.ts'
import { failed, ok, type Result } from '../base/result.ts'
import type { IcebergField, IcebergStruct, IcebergType, TableSchema } from '../spec/iceberg-type.ts'
import { parseExact, stringifyExact } from './json.ts'
import { PARTITION_ID, PARTITION_NAME } from './manifest.ts'
import { metadataProblem } from './metadata-shape.ts'
import { normalised } from './metadata-versions.ts'

/** A snapshot id: 64 bits, a number up to 2^53 and a bigint beyond, so that equal ids are identical values. */
export type Id = number | bigint

export interface Schema extends IcebergStruct {
  readonly 'schema-id': number
  readonly 'identifier-field-ids'?: readonly number[]
}

export interface PartitionField {
  readonly name: string
  /** Such as `day` or `bucket[16]`; readers must expect ones that they do not know. */
  readonly transform: string
  /** Format version 3 may have `source-ids` instead. */
  readonly 'source-id'?: number
  readonly 'source-ids'?: readonly number[]
  readonly 'field-id': number
}

export interface PartitionSpec {
  readonly 'spec-id': number
  readonly fields: readonly PartitionField[]
}

export interface SortField {
  readonly transform: string
  readonly 'source-id'?: number
  readonly 'source-ids'?: readonly number[]
  readonly direction: 'asc' | 'desc'
  readonly 'null-order': 'nulls-first' | 'nulls-last'
}

export interface SortOrder {
  readonly 'order-id': number
  readonly fields: readonly SortField[]
}

export interface Snapshot {
  readonly 'snapshot-id': Id
  readonly 'parent-snapshot-id'?: Id
  readonly 'sequence-number': number
  readonly 'timestamp-ms': number
  readonly 'manifest-list': string
  readonly summary: Readonly<Record<string, string>>
  readonly 'schema-id'?: number
  /** Format version 3. */
  readonly 'first-row-id'?: Id
  readonly 'added-rows'?: Id
}

/** A branch or a tag. */
export interface Ref {
  readonly 'snapshot-id': Id
  readonly type: 'branch' | 'tag'
  readonly 'min-snapshots-to-keep'?: number
  readonly 'max-snapshot-age-ms'?: number
  readonly 'max-ref-age-ms'?: number
}

export interface StatisticsFile {
  readonly 'snapshot-id': Id
  readonly 'statistics-path': string
}

/**
 * The metadata of any Iceberg table. Format version 1 is brought to the form of 2 when it is read. Members that are not listed here are
 * there at run time and are kept: change metadata by `{ ...metadata, … }` only.
 */
export interface Metadata {
  readonly 'format-version': 1 | 2 | 3
  readonly 'table-uuid': string
  readonly location: string
  readonly 'last-sequence-number': number
  readonly 'last-updated-ms': number
  readonly 'last-column-id': number
  readonly 'current-schema-id': number
  readonly schemas: readonly Schema[]
  readonly 'default-spec-id': number
  readonly 'partition-specs': readonly PartitionSpec[]
  readonly 'last-partition-id': number
  readonly 'default-sort-order-id': number
  readonly 'sort-orders': readonly SortOrder[]
  readonly properties: Readonly<Record<string, string>>
  readonly 'current-snapshot-id'?: Id
  readonly refs: Readonly<Record<string, Ref>>
  readonly snapshots: readonly Snapshot[]
  readonly 'snapshot-log': readonly {
    readonly 'timestamp-ms': number
    readonly 'snapshot-id': Id
  }[]
  readonly 'metadata-log': readonly {
    readonly 'timestamp-ms': number
    readonly 'metadata-file': string
  }[]
  readonly statistics?: readonly StatisticsFile[]
  readonly 'partition-statistics'?: readonly StatisticsFile[]
  /** Format version 3. */
  readonly 'next-row-id'?: Id
}

/**
 * Ids of columns that other engines add to headwater's tables begin here, so that they never meet those of a lockfile. A table's
 * `last-column-id`, after which engines number on, is never less than the one before it.
 */
export const FOREIGN_COLUMN_FIRST = 1_000_000

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

/** A snapshot and those before it, newest first, as far as they are there. */
export function ancestors(
  { snapshots }: Pick<Metadata, 'snapshots'>,
  from: Id | undefined,
): Snapshot[] {
  const byId = new Map(snapshots.map((each) => [each['snapshot-id'], each]))
  // A circle ends where it began.
  const line = new Set<Snapshot>()
  let each = from === undefined ? undefined : byId.get(from)
  while (each !== undefined && !line.has(each)) {
    line.add(each)
    const parent = each['parent-snapshot-id']
    each = parent === undefined ? undefined : byId.get(parent)
  }
  return [...line]
}

/**
 * Metadata with the columns of `wanted`, and those that other engines added behind them: unchanged when they are the same; refused
 * when readers could not follow.
 */
export function evolve(metadata: Metadata, wanted: TableSchema): Result<Metadata> {
  const { fields } = currentSchema(metadata)
  const own = fields.filter(({ id }) => id < FOREIGN_COLUMN_FIRST)
  const foreign = fields.filter(({ id }) => id >= FOREIGN_COLUMN_FIRST)
  const sameDoc = metadata.properties['comment'] === wanted.doc
  const same = sameFields(own, wanted.fields)
  if (sameDoc && same) return ok(metadata)
  const problem = evolutionProblem(own, wanted, foreign)
  if (problem !== undefined) return failed(problem)
  const all = same ? fields : [...wanted.fields, ...foreign]
  const known = metadata.schemas.find((each) => sameFields(each.fields, all))
  const next = Math.max(...metadata.schemas.map((each) => each['schema-id'])) + 1
  const added: Schema = { type: 'struct', 'schema-id': next, fields: all }
  return ok({
    ...metadata,
    schemas: known === undefined ? [...metadata.schemas, added] : metadata.schemas,
    'current-schema-id': same ? metadata['current-schema-id'] : (known?.['schema-id'] ?? next),
    'last-column-id': Math.max(metadata['last-column-id'], maxId(wanted.fields)),
    properties: { ...metadata.properties, comment: wanted.doc },
  })
}

/** Metadata whose new columns of other engines get ids that no lockfile will give; unchanged when they do already. */
export function reserveColumns(metadata: Metadata): Metadata {
  const last = FOREIGN_COLUMN_FIRST - 1
  return metadata['last-column-id'] >= last ? metadata : { ...metadata, 'last-column-id': last }
}

function sameFields(one: readonly IcebergField[], other: readonly IcebergField[]): boolean {
  return isDeepStrictEqual(one, other)
}

function evolutionProblem(
  old: readonly IcebergField[],
  { name: table, fields }: TableSchema,
  foreign: readonly IcebergField[],
): HeadwaterError | undefined {
  const byId = new Map(fields.map((field) => [field.id, field]))
  for (const field of old) {
    const next = byId.get(field.id)
    const where = `table ${table}, column ${field.name} (id ${field.id})`
    if (next === undefined) return error('spec_incompatible', `${where} would be removed.`)
    if (!follows(field.type, next.type)) {
      return error('spec_incompatible', `${where} would change its type.`)
    }
  }
  const names = new Set(fields.map(({ name }) => name.toLowerCase()))
  const taken = foreign.find(({ name }) => names.has(name.toLowerCase()))
  if (taken === undefined) return undefined
  return error(
    'spec_incompatible',
    `table ${table} has a column ${taken.name} (id ${taken.id}) of another engine: rename or drop that one, or name the field otherwise.`,
  )
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

/** The greatest id of fields and what is inside them; 0 of none. */
export function maxId(fields: readonly IcebergField[]): number {
  return fields.reduce((most, field) => Math.max(most, field.id, maxChild(field.type)), 0)
}

/** The least id of a field and what is inside it. */
export function minId(field: IcebergField): number {
  return Math.min(field.id, minChild(field.type))
}

function minChild(type: IcebergType): number {
  if (typeof type === 'string') return Infinity
  switch (type.type) {
    case 'struct':
      return type.fields.reduce((least, field) => Math.min(least, minId(field)), Infinity)
    case 'list':
      return Math.min(type['element-id'], minChild(type.element))
    case 'map':
      return Math.min(type['key-id'], type['value-id'], minChild(type.key), minChild(type.value))
  }
}

function maxChild(type: IcebergType): number {
  if (typeof type === 'string') return 0
  switch (type.type) {
    case 'struct':
      return maxId(type.fields)
    case 'list':
      return Math.max(type['element-id'], maxChild(type.element))
    case 'map':
      return Math.max(type['key-id'], type['value-id'], maxChild(type.key), maxChild(type.value))
  }
}

/** JSON of snapshots, which never change: a table that commits every second has hundreds, and each commit writes them all. */
const snapshotTexts = new WeakMap<object, string>()

/** The JSON of a metadata file, in the form of the table's own format version. */
export function stringifyMetadata(metadata: Metadata): string {
  const { snapshots, ...rest } = metadataJson(metadata)
  const texts = snapshots.map((snapshot) => {
    const text = snapshotTexts.get(snapshot) ?? stringifyExact(snapshot)
    snapshotTexts.set(snapshot, text)
    return text
  })
  return `${stringifyExact(rest).slice(0, -1)},"snapshots":[${texts.join(',')}]}`
}

/** Metadata as it is written and sent: format version 1 has members of its own, and no sequence numbers. */
export function metadataJson(metadata: Metadata): {
  readonly snapshots: readonly object[]
  readonly [member: string]: unknown
} {
  if (metadata['format-version'] !== 1) return { ...metadata }
  const { 'last-sequence-number': _, ...rest } = metadata
  const spec = metadata['partition-specs'].find(
    (each) => each['spec-id'] === metadata['default-spec-id'],
  )
  return {
    ...rest,
    schema: currentSchema(metadata),
    'partition-spec': spec?.fields ?? [],
    snapshots: metadata.snapshots.map(({ 'sequence-number': number, ...snapshot }) =>
      number === 0 ? snapshot : { ...snapshot, 'sequence-number': number },
    ),
  }
}

/** Reads a metadata file; `lake_invalid` with its name and what is wrong when it is not one that can be relied on. */
export function parseMetadata(text: string, file: string): Result<Metadata> {
  let value: unknown
  try {
    value = parseExact(text)
  } catch (cause) {
    return failed(error('lake_invalid', `${file} is not JSON.`, cause))
  }
  return readMetadata(value, file)
}

/** Metadata out of parsed JSON, brought to the form of version 2 and checked; `lake_invalid` with where it came from. */
export function readMetadata(value: unknown, where: string): Result<Metadata> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return failed(error('lake_invalid', `${where} is not a JSON object.`))
  }
  const full = normalised(value as Readonly<Record<string, unknown>>)
  const problem = metadataProblem(full)
  return problem === undefined
    ? ok(full as unknown as Metadata)
    : failed(error('lake_invalid', `${where}: ${problem}.`))
}
