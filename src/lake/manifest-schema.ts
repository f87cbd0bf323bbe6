/** Avro schemas of manifests and manifest lists (Iceberg spec, "Manifests", "Manifest Lists", "Appendix A"), format versions 1 to 3. */
import { assert } from '../base/assert.ts'
import { limits } from '../base/limits.ts'
import type { AvroArray, AvroField, AvroRecord, AvroSchema } from './avro.ts'
import { type PartitionField, resultType } from './transforms.ts'

export type FormatVersion = 1 | 2 | 3

const optional = (type: AvroSchema): AvroSchema => ['null', type]

const required = (id: number, name: string, type: AvroSchema): AvroField => ({
  name,
  type,
  'field-id': id,
})

const maybe = (id: number, name: string, type: AvroSchema): AvroField => ({
  name,
  type: optional(type),
  'field-id': id,
  default: null,
})

const pairs = (key: number, value: number, type: AvroSchema): AvroSchema => ({
  type: 'array',
  logicalType: 'map',
  items: {
    type: 'record',
    name: `k${key}_v${value}`,
    fields: [required(key, 'key', 'int'), required(value, 'value', type)],
  },
})

const listOf = (element: number, items: AvroSchema): AvroSchema => ({
  type: 'array',
  items,
  'element-id': element,
})

const CONTENT = required(134, 'content', 'int')
const BLOCK_SIZE = required(105, 'block_size_in_bytes', 'long')
const BEFORE: readonly AvroField[] = [
  required(100, 'file_path', 'string'),
  required(101, 'file_format', 'string'),
]
const AFTER: readonly AvroField[] = [
  required(103, 'record_count', 'long'),
  required(104, 'file_size_in_bytes', 'long'),
]
const METRICS: readonly AvroField[] = [
  maybe(108, 'column_sizes', pairs(117, 118, 'long')),
  maybe(109, 'value_counts', pairs(119, 120, 'long')),
  maybe(110, 'null_value_counts', pairs(121, 122, 'long')),
  maybe(137, 'nan_value_counts', pairs(138, 139, 'long')),
  maybe(125, 'lower_bounds', pairs(126, 127, 'bytes')),
  maybe(128, 'upper_bounds', pairs(129, 130, 'bytes')),
  maybe(131, 'key_metadata', 'bytes'),
  maybe(132, 'split_offsets', listOf(133, 'long')),
]
const EQUALITY_IDS = maybe(135, 'equality_ids', listOf(136, 'int'))
const SORT_ORDER = maybe(140, 'sort_order_id', 'int')
const REFERENCED = maybe(143, 'referenced_data_file', 'string')
const VERSION_3: readonly AvroField[] = [
  maybe(142, 'first_row_id', 'long'),
  REFERENCED,
  maybe(144, 'content_offset', 'long'),
  maybe(145, 'content_size_in_bytes', 'long'),
]

/** Names by field id: what the members are called here, whatever a writer called them. */
const DATA_FILE_NAMES: ReadonlyMap<number, string> = namesOf([
  CONTENT,
  ...BEFORE,
  required(102, 'partition', 'null'),
  ...AFTER,
  BLOCK_SIZE,
  ...METRICS,
  EQUALITY_IDS,
  SORT_ORDER,
  ...VERSION_3,
])

const ENTRY_NAMES: ReadonlyMap<number, string> = new Map([
  [0, 'status'],
  [1, 'snapshot_id'],
  [2, 'data_file'],
  [3, 'sequence_number'],
  [4, 'file_sequence_number'],
])

function namesOf(fields: readonly AvroField[]): Map<number, string> {
  return new Map(fields.map((field) => [field['field-id'] as number, field.name]))
}

/** The schema of a manifest's entries. `others` are members that the specification does not name. */
export function entrySchema(
  version: FormatVersion,
  partition: readonly AvroField[],
  others: readonly AvroField[],
): AvroRecord {
  const struct = required(102, 'partition', { type: 'record', name: 'r102', fields: partition })
  const dataFile: AvroField[] =
    version === 1
      ? [...BEFORE, struct, ...AFTER, BLOCK_SIZE, ...METRICS, SORT_ORDER]
      : [CONTENT, ...BEFORE, struct, ...AFTER, ...METRICS, EQUALITY_IDS, SORT_ORDER]
  // Position deletes of version 2 may say which file they are about, too.
  if (version === 2) dataFile.push(REFERENCED)
  if (version === 3) dataFile.push(...VERSION_3)
  const known = new Set(dataFile.map(({ name }) => name))
  dataFile.push(...others.filter(({ name }) => !known.has(name)))
  const numbers =
    version === 1
      ? []
      : [maybe(3, 'sequence_number', 'long'), maybe(4, 'file_sequence_number', 'long')]
  return {
    type: 'record',
    name: 'manifest_entry',
    fields: [
      required(0, 'status', 'int'),
      version === 1 ? required(1, 'snapshot_id', 'long') : maybe(1, 'snapshot_id', 'long'),
      ...numbers,
      required(2, 'data_file', { type: 'record', name: 'r2', fields: dataFile }),
    ],
  }
}

const SUMMARIES: AvroSchema = {
  type: 'array',
  'element-id': 508,
  items: {
    type: 'record',
    name: 'r508',
    fields: [
      required(509, 'contains_null', 'boolean'),
      maybe(518, 'contains_nan', 'boolean'),
      maybe(510, 'lower_bound', 'bytes'),
      maybe(511, 'upper_bound', 'bytes'),
    ],
  },
}

const COUNTS: readonly (readonly [number, string, 'int' | 'long'])[] = [
  [504, 'added_files_count', 'int'],
  [505, 'existing_files_count', 'int'],
  [506, 'deleted_files_count', 'int'],
  [512, 'added_rows_count', 'long'],
  [513, 'existing_rows_count', 'long'],
  [514, 'deleted_rows_count', 'long'],
]

/** The schema of a manifest list's entries. */
export function listSchema(version: FormatVersion): AvroRecord {
  const head = [
    required(500, 'manifest_path', 'string'),
    required(501, 'manifest_length', 'long'),
    required(502, 'partition_spec_id', 'int'),
  ]
  const numbers = [
    required(517, 'content', 'int'),
    required(515, 'sequence_number', 'long'),
    required(516, 'min_sequence_number', 'long'),
  ]
  const count = version === 1 ? maybe : required
  return {
    type: 'record',
    name: 'manifest_file',
    fields: [
      ...head,
      ...(version === 1 ? [] : numbers),
      required(503, 'added_snapshot_id', 'long'),
      ...COUNTS.map(([id, name, type]) => count(id, name, type)),
      maybe(507, 'partitions', SUMMARIES),
      maybe(519, 'key_metadata', 'bytes'),
      ...(version === 3 ? [maybe(520, 'first_row_id', 'long')] : []),
    ],
  }
}

const LIST_NAMES = new Map([...namesOf(listSchema(2).fields), ...namesOf(listSchema(3).fields)])
const SUMMARY_NAMES: ReadonlyMap<number, string> = new Map([
  [509, 'contains_null'],
  [510, 'lower_bound'],
  [511, 'upper_bound'],
  [518, 'contains_nan'],
])

/** What an entry had beyond what the specification names, so that it can be carried into another manifest. */
export interface WrittenShape {
  /** Types of the partition's values by field id. */
  readonly partition: ReadonlyMap<number, AvroSchema>
  /** Members of the data file that are not in the specification. */
  readonly others: readonly AvroField[]
}

/**
 * A manifest's schema with the names used here in place of the writer's, found by field id; partition values take the names of
 * `partition` (field id → name). Throws Error when it is not that of a manifest.
 */
export function canonicalEntry(
  schema: AvroSchema,
  partition: ReadonlyMap<number, string>,
): { readonly schema: AvroSchema; readonly shape: WrittenShape } {
  const entry = renamed(recordOf(schema), ENTRY_NAMES)
  // By names alone the values of a partition cannot be told, and deletes would be applied to the wrong files, or to none.
  if (entry.fields.every((field) => field['field-id'] === undefined)) {
    throw new Error('its fields have no ids, which Iceberg asks for and other engines read by')
  }
  const dataFile = entry.fields.find(({ name }) => name === 'data_file')
  const members = renamed(recordOf(dataFile?.type), DATA_FILE_NAMES)
  const values = members.fields.find(({ name }) => name === 'partition')
  const struct = renamed(recordOf(values?.type), partition)
  const definitions = definitionsOf(schema)
  const types = struct.fields.flatMap(({ type, 'field-id': id }) =>
    typeof id === 'number' ? [[id, standalone(type, definitions)] as const] : [],
  )
  const named = new Set(DATA_FILE_NAMES.values())
  const others = members.fields
    .filter(({ name }) => !named.has(name))
    .map((field) => ({ ...field, type: nullable(standalone(field.type, definitions)) }))
  const inner = { ...members, fields: replaced(members.fields, 'partition', struct) }
  return {
    schema: { ...entry, fields: replaced(entry.fields, 'data_file', inner) },
    shape: { partition: new Map(types), others },
  }
}

/** As `canonicalEntry`, of a manifest list. */
export function canonicalList(schema: AvroSchema): AvroSchema {
  const list = renamed(recordOf(schema), LIST_NAMES)
  const partitions = list.fields.find(({ name }) => name === 'partitions')
  if (partitions === undefined) return list
  return { ...list, fields: replaced(list.fields, 'partitions', renamedItems(partitions.type)) }
}

function renamedItems(type: AvroSchema): AvroSchema {
  if (Array.isArray(type)) return (type as readonly AvroSchema[]).map(renamedItems)
  const array = type as AvroArray | string | null
  if (typeof array !== 'object' || array?.type !== 'array') return type
  return { ...array, items: renamed(recordOf(array.items), SUMMARY_NAMES) }
}

function recordOf(schema: AvroSchema | undefined): AvroRecord {
  const record = schema as AvroRecord | null | undefined
  if (typeof record !== 'object' || record?.type !== 'record' || !Array.isArray(record.fields)) {
    throw new Error('the Avro schema is not the one of Iceberg')
  }
  return record
}

function renamed(record: AvroRecord, names: ReadonlyMap<number, string>): AvroRecord {
  const fields = record.fields.map((field) => {
    if (typeof field !== 'object' || field === null) throw new Error('an Avro field is not one')
    const name = names.get(field['field-id'] as number)
    return name === undefined || name === field.name ? field : { ...field, name }
  })
  const all = new Set(fields.map(({ name }) => name))
  if (all.size !== fields.length) throw new Error('an Avro record has a field twice')
  return { ...record, fields }
}

function replaced(
  fields: readonly AvroField[],
  name: string,
  type: AvroSchema,
): readonly AvroField[] {
  return fields.map((field) => (field.name === name ? { ...field, type } : field))
}

/** Named types below a schema, which later parts of it may speak of by name alone. */
function definitionsOf(schema: AvroSchema): Map<string, AvroSchema> {
  const found = new Map<string, AvroSchema>()
  const visit = (value: unknown, depth: number): void => {
    if (typeof value !== 'object' || value === null) return
    if (depth > limits.avroDepthMax) throw new Error('an Avro schema is nested too deeply')
    const { name, type } = value as { name?: unknown; type?: unknown }
    if (typeof name === 'string' && (type === 'fixed' || type === 'record')) {
      found.set(name, value as AvroSchema)
    }
    for (const inner of Object.values(value)) visit(inner, depth + 1)
  }
  visit(schema, 0)
  return found
}

/** A type that does not lean on one that was defined elsewhere. */
function standalone(type: AvroSchema, definitions: ReadonlyMap<string, AvroSchema>): AvroSchema {
  if (Array.isArray(type)) {
    return (type as readonly AvroSchema[]).map((branch) => standalone(branch, definitions))
  }
  return typeof type === 'string' ? (definitions.get(type) ?? type) : type
}

function nullable(type: AvroSchema): AvroSchema {
  return Array.isArray(type) ? type : optional(type)
}

/**
 * The Avro fields of a partition. `sources` gives the type of a column by its id; `written` has the types of values whose transform or
 * column is not known any more.
 */
export function partitionSchema(
  fields: readonly PartitionField[],
  sources: ReadonlyMap<number, string>,
  written: ReadonlyMap<number, AvroSchema>,
): AvroField[] {
  return fields.map((field) => {
    const source = field.sourceId === undefined ? undefined : sources.get(field.sourceId)
    const type = source === undefined ? undefined : resultType(field.transform, source)
    const known = (type && avroType(type, field.id)) ?? written.get(field.id)
    assert(known !== undefined, `the type of partition field ${field.name} is known`)
    const name = avroName(field.name)
    const alias = name === field.name ? {} : { 'iceberg-field-name': field.name }
    return { name, type: nullable(known), 'field-id': field.id, default: null, ...alias }
  })
}

/** A name that Avro takes, as the Java implementation makes it. */
export function avroName(name: string): string {
  return Array.from(name, (character, i) => {
    if (/[A-Za-z_]/.test(character)) return character
    if (/[0-9]/.test(character)) return i === 0 ? `_${character}` : character
    return `_x${character.codePointAt(0)!.toString(16).toUpperCase()}`
  }).join('')
}

function avroType(type: string, id: number): AvroSchema | undefined {
  switch (type) {
    case 'boolean':
    case 'int':
    case 'long':
    case 'float':
    case 'double':
    case 'string':
      return type
    case 'binary':
      return 'bytes'
    case 'date':
      return { type: 'int', logicalType: 'date' }
    case 'time':
      return { type: 'long', logicalType: 'time-micros' }
    case 'timestamp':
    case 'timestamptz':
      return stamp('timestamp-micros', type === 'timestamptz')
    case 'timestamp_ns':
    case 'timestamptz_ns':
      return stamp('timestamp-nanos', type === 'timestamptz_ns')
    case 'uuid':
      return { type: 'fixed', name: `uuid_r${id}`, size: 16, logicalType: 'uuid' }
  }
  const fixed = /^fixed\[(\d+)\]$/.exec(type)
  if (fixed !== null) return { type: 'fixed', name: `fixed_r${id}`, size: Number(fixed[1]) }
  const decimal = /^decimal\((\d+), ?(\d+)\)$/.exec(type)
  if (decimal === null) return undefined
  const [precision, scale] = [Number(decimal[1]), Number(decimal[2])]
  const size = decimalBytes(precision)
  return { type: 'fixed', name: `decimal_r${id}`, size, logicalType: 'decimal', precision, scale }
}

function stamp(logicalType: string, adjusted: boolean): AvroSchema {
  return { type: 'long', logicalType, 'adjust-to-utc': adjusted }
}

/** Bytes that decimals of a precision take. */
function decimalBytes(precision: number): number {
  const greatest = 10n ** BigInt(precision) - 1n
  let bytes = 1
  while (BigInt.asIntN(bytes * 8, greatest) !== greatest) bytes++
  return bytes
}
