/** Manifests and manifest lists (Iceberg spec, "Manifests", "Manifest Lists", format version 2). */
import type { IcebergField } from '../spec/iceberg-type.ts'
import { type AvroRecord, type AvroSchema, decodeAvro, encodeAvro } from './avro.ts'
import type { ColumnStatistics, DataFile, LiveFile } from './lake.ts'
import { cutLower, cutUpper, decodeBound, encodeBound } from './values.ts'

/** One manifest as the manifest list names it. */
export interface ManifestFile {
  readonly path: string
  readonly length: number
  readonly specId: number
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
  readonly partitions: readonly PartitionSummary[]
}

export interface PartitionSummary {
  readonly contains_null: boolean
  readonly contains_nan: boolean | null
  readonly lower_bound: Uint8Array | null
  readonly upper_bound: Uint8Array | null
}

/** An entry of a manifest: a data file in the terms of the table's schema. Unknown parts are carried along in `raw`. */
export interface ManifestEntry {
  /** 0 existing, 1 added, 2 deleted. */
  readonly status: number
  readonly snapshotId: number | bigint | null
  readonly sequence: number | bigint | null
  readonly fileSequence: number | bigint | null
  readonly dataFile: Readonly<Record<string, unknown>>
}

/** The partition field of every headwater table: `day(<source column>)`. */
export const PARTITION_NAME = 'event_day'
export const PARTITION_ID = 1000

const optional = (type: AvroSchema): AvroSchema => ['null', type]

const pairs = (key: number, value: number, type: AvroSchema): AvroSchema =>
  optional({
    type: 'array',
    logicalType: 'map',
    items: {
      type: 'record',
      name: `k${key}_v${value}`,
      fields: [
        { name: 'key', type: 'int', 'field-id': key },
        { name: 'value', type, 'field-id': value },
      ],
    },
  })

const absent = { default: null }

const DATA_FILE: AvroRecord = {
  type: 'record',
  name: 'r2',
  fields: [
    { name: 'content', type: 'int', 'field-id': 134 },
    { name: 'file_path', type: 'string', 'field-id': 100 },
    { name: 'file_format', type: 'string', 'field-id': 101 },
    {
      name: 'partition',
      'field-id': 102,
      type: {
        type: 'record',
        name: 'r102',
        fields: [
          {
            name: PARTITION_NAME,
            type: optional({ type: 'int', logicalType: 'date' }),
            'field-id': PARTITION_ID,
            ...absent,
          },
        ],
      },
    },
    { name: 'record_count', type: 'long', 'field-id': 103 },
    { name: 'file_size_in_bytes', type: 'long', 'field-id': 104 },
    { name: 'column_sizes', type: pairs(117, 118, 'long'), 'field-id': 108, ...absent },
    { name: 'value_counts', type: pairs(119, 120, 'long'), 'field-id': 109, ...absent },
    { name: 'null_value_counts', type: pairs(121, 122, 'long'), 'field-id': 110, ...absent },
    { name: 'nan_value_counts', type: pairs(138, 139, 'long'), 'field-id': 137, ...absent },
    { name: 'lower_bounds', type: pairs(126, 127, 'bytes'), 'field-id': 125, ...absent },
    { name: 'upper_bounds', type: pairs(129, 130, 'bytes'), 'field-id': 128, ...absent },
    { name: 'key_metadata', type: optional('bytes'), 'field-id': 131, ...absent },
    {
      name: 'split_offsets',
      type: optional({ type: 'array', items: 'long', 'element-id': 133 }),
      'field-id': 132,
      ...absent,
    },
    {
      name: 'equality_ids',
      type: optional({ type: 'array', items: 'int', 'element-id': 136 }),
      'field-id': 135,
      ...absent,
    },
    { name: 'sort_order_id', type: optional('int'), 'field-id': 140, ...absent },
  ],
}

const ENTRY: AvroRecord = {
  type: 'record',
  name: 'manifest_entry',
  fields: [
    { name: 'status', type: 'int', 'field-id': 0 },
    { name: 'snapshot_id', type: optional('long'), 'field-id': 1, ...absent },
    { name: 'sequence_number', type: optional('long'), 'field-id': 3, ...absent },
    { name: 'file_sequence_number', type: optional('long'), 'field-id': 4, ...absent },
    { name: 'data_file', type: DATA_FILE, 'field-id': 2 },
  ],
}

const LIST: AvroRecord = {
  type: 'record',
  name: 'manifest_file',
  fields: [
    { name: 'manifest_path', type: 'string', 'field-id': 500 },
    { name: 'manifest_length', type: 'long', 'field-id': 501 },
    { name: 'partition_spec_id', type: 'int', 'field-id': 502 },
    { name: 'content', type: 'int', 'field-id': 517 },
    { name: 'sequence_number', type: 'long', 'field-id': 515 },
    { name: 'min_sequence_number', type: 'long', 'field-id': 516 },
    { name: 'added_snapshot_id', type: 'long', 'field-id': 503 },
    { name: 'added_files_count', type: 'int', 'field-id': 504 },
    { name: 'existing_files_count', type: 'int', 'field-id': 505 },
    { name: 'deleted_files_count', type: 'int', 'field-id': 506 },
    { name: 'added_rows_count', type: 'long', 'field-id': 512 },
    { name: 'existing_rows_count', type: 'long', 'field-id': 513 },
    { name: 'deleted_rows_count', type: 'long', 'field-id': 514 },
    {
      name: 'partitions',
      'field-id': 507,
      ...absent,
      type: optional({
        type: 'array',
        'element-id': 508,
        items: {
          type: 'record',
          name: 'r508',
          fields: [
            { name: 'contains_null', type: 'boolean', 'field-id': 509 },
            { name: 'contains_nan', type: optional('boolean'), 'field-id': 518, ...absent },
            { name: 'lower_bound', type: optional('bytes'), 'field-id': 510, ...absent },
            { name: 'upper_bound', type: optional('bytes'), 'field-id': 511, ...absent },
          ],
        },
      }),
    },
    { name: 'key_metadata', type: optional('bytes'), 'field-id': 519, ...absent },
  ],
}

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
}

export function encodeManifest(
  entries: readonly ManifestEntry[],
  header: ManifestHeader,
  sync: Uint8Array,
): Buffer {
  const records = entries.map((entry) => ({
    status: entry.status,
    snapshot_id: entry.snapshotId,
    sequence_number: entry.sequence,
    file_sequence_number: entry.fileSequence,
    data_file: entry.dataFile,
  }))
  const meta = {
    schema: header.schema,
    'schema-id': String(header.schemaId),
    'partition-spec': header.partitionSpec,
    'partition-spec-id': String(header.specId),
    'format-version': '2',
    content: header.content,
  }
  return encodeAvro(ENTRY, records, meta, sync)
}

/** Entries of a manifest. Throws Error when the bytes are not one. */
export function decodeManifest(bytes: Uint8Array): ManifestEntry[] {
  return decodeAvro(bytes).records.map((record) => ({
    status: record['status'] as number,
    snapshotId: record['snapshot_id'] as number | bigint | null,
    sequence: record['sequence_number'] as number | bigint | null,
    fileSequence: record['file_sequence_number'] as number | bigint | null,
    dataFile: record['data_file'] as Readonly<Record<string, unknown>>,
  }))
}

export function encodeManifestList(
  manifests: readonly ManifestFile[],
  snapshot: {
    readonly id: number | bigint
    readonly parent: number | bigint | undefined
    readonly sequence: number
  },
  sync: Uint8Array,
): Buffer {
  const records = manifests.map((manifest) => ({
    manifest_path: manifest.path,
    manifest_length: manifest.length,
    partition_spec_id: manifest.specId,
    content: manifest.content,
    sequence_number: manifest.sequence,
    min_sequence_number: manifest.minSequence,
    added_snapshot_id: manifest.snapshotId,
    added_files_count: manifest.addedFiles,
    existing_files_count: manifest.existingFiles,
    deleted_files_count: manifest.deletedFiles,
    added_rows_count: manifest.addedRows,
    existing_rows_count: manifest.existingRows,
    deleted_rows_count: manifest.deletedRows,
    partitions: manifest.partitions,
  }))
  const meta = {
    'snapshot-id': String(snapshot.id),
    'parent-snapshot-id': String(snapshot.parent ?? 'null'),
    'sequence-number': String(snapshot.sequence),
    'format-version': '2',
  }
  return encodeAvro(LIST, records, meta, sync)
}

/** Manifests of a manifest list. Throws Error when the bytes are not one. */
export function decodeManifestList(bytes: Uint8Array): ManifestFile[] {
  return decodeAvro(bytes).records.map((record) => ({
    path: record['manifest_path'] as string,
    length: record['manifest_length'] as number,
    specId: record['partition_spec_id'] as number,
    content: record['content'] as number,
    sequence: record['sequence_number'] as number | bigint,
    minSequence: record['min_sequence_number'] as number | bigint,
    snapshotId: record['added_snapshot_id'] as number | bigint,
    addedFiles: record['added_files_count'] as number,
    existingFiles: record['existing_files_count'] as number,
    deletedFiles: record['deleted_files_count'] as number,
    addedRows: record['added_rows_count'] as number,
    existingRows: record['existing_rows_count'] as number,
    deletedRows: record['deleted_rows_count'] as number,
    partitions: (record['partitions'] as PartitionSummary[] | null) ?? [],
  }))
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
  const bound = (column: ColumnStatistics, value: ColumnStatistics['lower']): Buffer | undefined =>
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

function mapOf<T>(entries: unknown): Map<number, T> {
  const list = (entries ?? []) as readonly { readonly key: number; readonly value: T }[]
  return new Map(list.map(({ key, value }) => [key, value]))
}

/** Primitive types of the top-level columns, by field id. */
export function primitiveTypes(fields: readonly IcebergField[]): Map<number, string> {
  const types = new Map<number, string>()
  for (const { id, type } of fields) if (typeof type === 'string') types.set(id, type)
  return types
}
