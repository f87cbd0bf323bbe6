/** Manifests and manifest lists of any table (Iceberg spec, "Manifests", "Manifest Lists", format versions 1 to 3). */
import { error, HeadwaterError } from '../base/errors.ts'
import type { IcebergField } from '../spec/iceberg-type.ts'
import { type AvroSchema, encodeAvro } from './avro.ts'
import { decodeAvro } from './avro-decode.ts'
import type { Bound, ColumnStatistics, DataFile, LiveFile } from './data-file.ts'
import {
  avroName,
  canonicalEntry,
  canonicalList,
  entrySchema,
  type FormatVersion,
  listSchema,
  partitionSchema,
  type WrittenShape,
} from './manifest-schema.ts'
import { primitivesOf } from './schema-types.ts'
import { type PartitionField, partitionFields } from './transforms.ts'
import {
  bigEndianOf,
  cutLower,
  cutUpper,
  decodeBound,
  encodeBound,
  fromBigEndian,
} from './values.ts'

/** One manifest as the manifest list names it. A count of -1 is one that its writer, of format version 1, left out. */
export interface ManifestFile {
  readonly path: string
  readonly length: number
  readonly specId: number
  /** 0 data files, 1 delete files. */
  readonly content: number
  readonly sequence: number | bigint
  readonly minSequence: number | bigint
  readonly snapshotId: number | bigint
  readonly addedFiles: number
  readonly existingFiles: number
  readonly deletedFiles: number
  readonly addedRows: number
  readonly existingRows: number
  readonly deletedRows: number
  /** One per field of the spec; none where they are not known. */
  readonly partitions: readonly PartitionSummary[]
  readonly keyMetadata?: Uint8Array
  /** Format version 3. */
  readonly firstRowId?: number | bigint
}

export interface PartitionSummary {
  readonly contains_null: boolean
  readonly contains_nan: boolean | null
  readonly lower_bound: Uint8Array | null
  readonly upper_bound: Uint8Array | null
}

/**
 * An entry of a manifest. `dataFile` has the members that the specification names, under its names, and those that it does not; its
 * `partition` has a value per name of the spec's fields.
 */
export interface ManifestEntry {
  /** 0 existing, 1 added, 2 deleted. */
  readonly status: number
  readonly snapshotId: number | bigint | null
  /** Null where it is inherited from the manifest. */
  readonly sequence: number | bigint | null
  readonly fileSequence: number | bigint | null
  readonly dataFile: Readonly<Record<string, unknown>>
  /** There when the entry was read: what writing it again needs. */
  readonly written?: WrittenShape
}

/** The partition field of every headwater table: `day(<source column>)`. */
export const PARTITION_NAME = 'event_day'
export const PARTITION_ID = 1000

/** What the header of a manifest says of its table. */
export interface ManifestHeader {
  /** JSON of the table's schema. */
  readonly schema: string
  readonly schemaId: number
  /** JSON of the partition fields. */
  readonly partitionSpec: string
  readonly specId: number
  /** What its entries are. */
  readonly content: 'data' | 'deletes'
  /** That of the table; 2 where it is left out. */
  readonly formatVersion?: FormatVersion
}

export function encodeManifest(
  entries: readonly ManifestEntry[],
  header: ManifestHeader,
  sync: Uint8Array,
): Buffer {
  const { formatVersion = 2, content } = header
  const fields = partitionFields(JSON.parse(header.partitionSpec) as readonly unknown[])
  const schema = JSON.parse(header.schema) as { readonly fields: readonly IcebergField[] }
  const shape = sharedShape(entries)
  const avro = partitionSchema(fields, primitivesOf(schema.fields), shape.partition)
  const records = entries.map((entry) => ({
    status: entry.status,
    snapshot_id: entry.snapshotId,
    sequence_number: entry.sequence,
    file_sequence_number: entry.fileSequence,
    data_file: {
      // Format version 1 wants a size that nobody reads.
      ...(formatVersion === 1 ? { block_size_in_bytes: 67_108_864 } : {}),
      ...entry.dataFile,
      partition: writtenPartition(entry.dataFile['partition'], fields, avro),
    },
  }))
  const meta = {
    schema: header.schema,
    'schema-id': String(header.schemaId),
    'partition-spec': header.partitionSpec,
    'partition-spec-id': String(header.specId),
    'format-version': String(formatVersion),
    ...(formatVersion === 1 ? {} : { content }),
  }
  return encodeAvro(entrySchema(formatVersion, avro, shape.others), records, meta, sync)
}

/** What entries out of several manifests had, taken together. */
function sharedShape(entries: readonly ManifestEntry[]): WrittenShape {
  const shapes = [...new Set(entries.flatMap(({ written }) => written ?? []))]
  const others = shapes.flatMap((shape) =>
    shape.others.map((field) => [field.name, field] as const),
  )
  return {
    partition: new Map(shapes.flatMap(({ partition }) => [...partition])),
    others: [...new Map(others).values()],
  }
}

function writtenPartition(
  values: unknown,
  fields: readonly PartitionField[],
  avro: readonly { readonly type: AvroSchema }[],
): Record<string, unknown> {
  const record = (values ?? {}) as Readonly<Record<string, unknown>>
  return Object.fromEntries(
    fields.map(({ name }, i) => [avroName(name), fitted(record[name], avro[i]!.type)]),
  )
}

/** A partition value as its Avro type has it: decimals are as wide as their precision asks, which a column may have outgrown. */
function fitted(value: unknown, type: AvroSchema): unknown {
  const branches = Array.isArray(type) ? (type as readonly AvroSchema[]) : [type]
  const named = branches.find((branch) => typeof branch === 'object') as
    Readonly<Record<string, unknown>> | undefined
  if (named?.['logicalType'] !== 'decimal' || named['type'] !== 'fixed') return value
  const size = named['size'] as number
  if (typeof value === 'bigint') return bigEndianOf(value, size)
  return value instanceof Uint8Array ? bigEndianOf(fromBigEndian(value), size) : value
}

/** Entries of a manifest. Throws Error when the bytes are not one. */
export function decodeManifest(bytes: Uint8Array): ManifestEntry[] {
  let shape: WrittenShape | undefined
  const { meta, records } = decodeAvro(bytes, (schema, header) => {
    const canonical = canonicalEntry(schema, partitionNames(header.get('partition-spec')))
    shape = canonical.shape
    return canonical.schema
  })
  const version = meta.get('format-version') ?? '1'
  const inherited = (value: unknown): number | bigint | null => {
    // Version 1 has no sequence numbers: all its files are older than any delete.
    if (version === '1') return longOf(value ?? 0)
    if (value === undefined) throw new Error('a manifest has no sequence numbers')
    return longOf(value)
  }
  return records.map((record) => {
    const status = record['status']
    if (status !== 0 && status !== 1 && status !== 2) throw new Error('an entry has no status')
    const dataFile = record['data_file'] as Readonly<Record<string, unknown>>
    checkDataFile(dataFile)
    return {
      status,
      snapshotId: longOf(record['snapshot_id'] ?? null),
      sequence: inherited(record['sequence_number']),
      fileSequence: inherited(record['file_sequence_number']),
      dataFile: dataFile['content'] === undefined ? { ...dataFile, content: 0 } : dataFile,
      ...(shape === undefined ? {} : { written: shape }),
    }
  })
}

function partitionNames(spec: string | undefined): Map<number, string> {
  const fields: unknown = JSON.parse(spec ?? '[]')
  if (!Array.isArray(fields)) throw new Error('the partition spec is not a list')
  return new Map(partitionFields(fields).map(({ id, name }) => [id, name]))
}

function longOf(value: unknown): number | bigint | null {
  if (value === null || typeof value === 'number' || typeof value === 'bigint') return value
  throw new Error('an entry has a number that is none')
}

function checkDataFile(file: Readonly<Record<string, unknown>> | null | undefined): void {
  if (typeof file !== 'object' || file === null) throw new Error('an entry has no data file')
  const { file_path: path, content = 0, partition } = file
  if (typeof path !== 'string' || path === '') throw new Error('a data file has no path')
  if (typeof file['file_format'] !== 'string') throw new Error(`${path} has no format`)
  if (content !== 0 && content !== 1 && content !== 2) throw new Error(`${path} has no content`)
  if (typeof partition !== 'object' || partition === null) throw new Error(`${path}: no partition`)
  for (const count of [file['record_count'], file['file_size_in_bytes']]) {
    if (typeof count !== 'number' || count < 0) throw new Error(`${path} has an impossible size`)
  }
}

export function encodeManifestList(
  manifests: readonly ManifestFile[],
  snapshot: {
    readonly id: number | bigint
    readonly parent: number | bigint | undefined
    readonly sequence: number
    /** That of the table; 2 where it is left out. */
    readonly formatVersion?: FormatVersion
  },
  sync: Uint8Array,
): Buffer {
  const { formatVersion = 2 } = snapshot
  const count = (value: number, path: string): number | null => {
    if (value >= 0) return value
    if (formatVersion === 1) return null
    throw error('unsupported', `${path} has no counts, which format version 2 wants.`)
  }
  const records = manifests.map((manifest) => ({
    manifest_path: manifest.path,
    manifest_length: manifest.length,
    partition_spec_id: manifest.specId,
    content: manifest.content,
    sequence_number: manifest.sequence,
    min_sequence_number: manifest.minSequence,
    added_snapshot_id: manifest.snapshotId,
    added_files_count: count(manifest.addedFiles, manifest.path),
    existing_files_count: count(manifest.existingFiles, manifest.path),
    deleted_files_count: count(manifest.deletedFiles, manifest.path),
    added_rows_count: count(manifest.addedRows, manifest.path),
    existing_rows_count: count(manifest.existingRows, manifest.path),
    deleted_rows_count: count(manifest.deletedRows, manifest.path),
    partitions: manifest.partitions.length === 0 ? null : manifest.partitions,
    key_metadata: manifest.keyMetadata ?? null,
    first_row_id: manifest.firstRowId ?? null,
  }))
  const meta = {
    'snapshot-id': String(snapshot.id),
    'parent-snapshot-id': String(snapshot.parent ?? 'null'),
    ...(formatVersion === 1 ? {} : { 'sequence-number': String(snapshot.sequence) }),
    'format-version': String(formatVersion),
  }
  return encodeAvro(listSchema(formatVersion), records, meta, sync)
}

/** Manifests of a manifest list. Throws Error when the bytes are not one. */
export function decodeManifestList(bytes: Uint8Array): ManifestFile[] {
  return decodeAvro(bytes, canonicalList).records.map((record) => {
    const path = record['manifest_path']
    if (typeof path !== 'string' || path === '') throw new Error('a manifest has no path')
    const count = (key: string): number => {
      const value = record[key] ?? -1
      if (typeof value !== 'number' || value < -1) throw new Error(`${path}: ${key} is impossible`)
      return value
    }
    const long = (key: string): number | bigint => longOf(record[key] ?? 0)!
    const content = record['content'] ?? 0
    if (content !== 0 && content !== 1) throw new Error(`${path} has no content`)
    const specId = record['partition_spec_id']
    if (typeof specId !== 'number') throw new Error(`${path} has no partition spec`)
    const [key, rowId] = [record['key_metadata'], longOf(record['first_row_id'] ?? null)]
    return {
      path,
      length: count('manifest_length'),
      specId,
      content,
      sequence: long('sequence_number'),
      minSequence: long('min_sequence_number'),
      snapshotId: long('added_snapshot_id'),
      addedFiles: count('added_files_count'),
      existingFiles: count('existing_files_count'),
      deletedFiles: count('deleted_files_count'),
      addedRows: count('added_rows_count'),
      existingRows: count('existing_rows_count'),
      deletedRows: count('deleted_rows_count'),
      partitions: summariesOf(record['partitions']),
      ...(key instanceof Uint8Array ? { keyMetadata: key } : {}),
      ...(rowId === null ? {} : { firstRowId: rowId }),
    }
  })
}

function summariesOf(value: unknown): PartitionSummary[] {
  if (value !== null && value !== undefined && !Array.isArray(value)) {
    throw new Error('the partitions of a manifest are not a list')
  }
  return ((value ?? []) as readonly Readonly<Record<string, unknown>>[]).map((summary) => {
    const bytes = (key: string): Uint8Array | null => {
      const bound = summary[key]
      return bound instanceof Uint8Array ? bound : null
    }
    const nan = summary['contains_nan']
    return {
      // One that does not say so may have nulls.
      contains_null: summary['contains_null'] !== false,
      contains_nan: typeof nan === 'boolean' ? nan : null,
      lower_bound: bytes('lower_bound'),
      upper_bound: bytes('upper_bound'),
    }
  })
}

/** What `decode` makes of an object's bytes; throws HeadwaterError `lake_invalid` with the location when they are not what they should be. */
export function decoded<T>(
  location: string,
  bytes: Uint8Array,
  decode: (bytes: Uint8Array) => T,
): T {
  try {
    return decode(bytes)
  } catch (cause) {
    if (cause instanceof HeadwaterError) throw cause
    const message = cause instanceof Error ? cause.message : String(cause)
    throw error('lake_invalid', `${location}: ${message}.`, cause)
  }
}

/** The manifest's form of a finished file. `uri` is the file's location. */
export function dataFileRecord(
  file: DataFile,
  uri: string,
  types: ReadonlyMap<number, string>,
): Readonly<Record<string, unknown>> {
  const known = file.columns.filter(({ fieldId }) => types.has(fieldId))
  const map = (pick: (column: ColumnStatistics) => unknown): unknown[] =>
    known.flatMap((column) => {
      const value = pick(column)
      return value === undefined ? [] : [{ key: column.fieldId, value }]
    })
  const bound = (column: ColumnStatistics, value: Bound | undefined): Buffer | undefined =>
    value === undefined ? undefined : encodeBound(types.get(column.fieldId)!, value)
  return {
    content: 0,
    file_path: uri,
    file_format: 'PARQUET',
    partition: { [PARTITION_NAME]: file.day },
    record_count: file.rows,
    file_size_in_bytes: file.bytes,
    column_sizes: map(({ bytes }) => bytes),
    value_counts: map(({ values }) => values),
    null_value_counts: map(({ nulls }) => nulls),
    nan_value_counts: map(({ nans }) => nans),
    lower_bounds: map((column) =>
      bound(column, column.lower === undefined ? undefined : cutLower(column.lower)),
    ),
    upper_bounds: map((column) =>
      bound(column, column.upper === undefined ? undefined : cutUpper(column.upper)),
    ),
    sort_order_id: 0,
  }
}

/** The reader's form of a manifest's data file; `path` is where it lies on this machine. */
export function liveFile(
  record: Readonly<Record<string, unknown>>,
  types: ReadonlyMap<number, string>,
  path: string,
): LiveFile {
  const maps = {
    bytes: mapOf<number>(record['column_sizes']),
    values: mapOf<number>(record['value_counts']),
    nulls: mapOf<number>(record['null_value_counts']),
    nans: mapOf<number>(record['nan_value_counts']),
    lower: mapOf<Uint8Array>(record['lower_bounds']),
    upper: mapOf<Uint8Array>(record['upper_bounds']),
  }
  const columns = [...maps.values.keys()].map((fieldId): ColumnStatistics => {
    const type = types.get(fieldId)
    const bound = (bytes: Uint8Array | undefined): ColumnStatistics['lower'] =>
      bytes === undefined || type === undefined ? undefined : decodeBound(type, bytes)
    const [nulls, nans] = [maps.nulls.get(fieldId), maps.nans.get(fieldId)]
    const [lower, upper] = [bound(maps.lower.get(fieldId)), bound(maps.upper.get(fieldId))]
    return {
      fieldId,
      bytes: maps.bytes.get(fieldId) ?? 0,
      values: maps.values.get(fieldId) ?? 0,
      ...(nulls === undefined ? {} : { nulls }),
      ...(nans === undefined ? {} : { nans }),
      ...(lower === undefined ? {} : { lower }),
      ...(upper === undefined ? {} : { upper }),
    }
  })
  const partition = record['partition'] as Readonly<Record<string, number | null>>
  return {
    path,
    rows: record['record_count'] as number,
    bytes: record['file_size_in_bytes'] as number,
    day: partition[PARTITION_NAME] ?? 0,
    columns,
  }
}

/** A map of the columns' metrics, by field id. Throws HeadwaterError `lake_invalid` when it is none. */
export function mapOf<T>(entries: unknown): Map<number, T> {
  if (entries === null || entries === undefined) return new Map()
  if (!Array.isArray(entries)) throw error('lake_invalid', 'The metrics of a file are not a map.')
  return new Map(
    (entries as readonly { key: number; value: T }[]).map(({ key, value }) => [key, value]),
  )
}

/** Primitive types of the top-level columns, by field id. */
export function primitiveTypes(fields: readonly IcebergField[]): Map<number, string> {
  return new Map(
    fields.flatMap(({ id, type }) => (typeof type === 'string' ? [[id, type] as const] : [])),
  )
}
