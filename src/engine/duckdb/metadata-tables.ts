/** Metadata tables: what a table is made of, as rows, with the columns that other engines give them. */
import { assert } from '../../base/assert.ts'
import { type ManifestEntry, type ManifestFile, mapOf } from '../../lake/manifest.ts'
import { ancestors, type Metadata, type Snapshot } from '../../lake/metadata.ts'
import { partitionValues, type Spec, specsOf } from '../../lake/partition.ts'
import type { TableReading } from '../../lake/reading.ts'
import { decodeBound } from '../../lake/values.ts'
import { identifier, literal } from './parquet.ts'
import { columnType } from './projection.ts'
import type { ColumnTypes } from './relations.ts'
import { hexText, boundText, partitionText } from './value-text.ts'

/** Columns with DuckDB's types, and rows as JSON has them. */
export interface MetadataTable {
  readonly columns: ColumnTypes
  readonly rows: readonly Readonly<Record<string, unknown>>[]
  /** SQL of columns that JSON cannot have as they are: bytes are text of hexadecimal digits there. */
  readonly made?: Readonly<Record<string, string>>
}

/** SQL that reads a metadata table whose rows are in a table of DuckDB. */
export function selectFrom(table: string, { columns, made = {} }: MetadataTable): string {
  const list = Object.keys(columns).map((name) => {
    const sql = made[name]
    return sql === undefined ? identifier(name) : `${sql} AS ${identifier(name)}`
  })
  return `SELECT ${list.join(', ')} FROM ${table}`
}

export const METADATA_TABLES: ReadonlySet<string> = new Set([
  'snapshots',
  'history',
  'refs',
  'metadata_log_entries',
  'manifests',
  'files',
  'data_files',
  'delete_files',
  'entries',
  'partitions',
])

/** A metadata table by its name. `snapshot` is the one whose files are told; undefined: the table has none. */
export async function metadataTable(
  name: string,
  reading: TableReading,
  snapshot: Snapshot | undefined,
): Promise<MetadataTable> {
  const { metadata } = reading
  switch (name) {
    case 'snapshots':
      return snapshots(metadata)
    case 'history':
      return history(metadata)
    case 'refs':
      return refs(metadata)
    case 'metadata_log_entries':
      return logEntries(metadata, reading.file)
  }
  const manifests = snapshot === undefined ? [] : await reading.manifests(snapshot)
  switch (name) {
    case 'manifests':
      return manifestRows(metadata, manifests)
    case 'partitions':
      return partitions(reading, manifests)
    case 'files':
    case 'data_files':
    case 'delete_files':
    case 'entries':
      return files(name, reading, manifests)
    default:
      assert(false, `${name} is a metadata table`)
  }
}

const time = (ms: number): string => new Date(ms).toISOString()

function snapshots({ snapshots: all }: Metadata): MetadataTable {
  return {
    columns: {
      committed_at: 'TIMESTAMPTZ',
      snapshot_id: 'BIGINT',
      parent_id: 'BIGINT',
      operation: 'VARCHAR',
      manifest_list: 'VARCHAR',
      summary: 'MAP(VARCHAR, VARCHAR)',
    },
    rows: all.map((snapshot) => ({
      committed_at: time(snapshot['timestamp-ms']),
      snapshot_id: snapshot['snapshot-id'],
      parent_id: snapshot['parent-snapshot-id'] ?? null,
      operation: snapshot.summary['operation'] ?? null,
      manifest_list: snapshot['manifest-list'],
      summary: Object.fromEntries(
        Object.entries(snapshot.summary).filter(([key]) => key !== 'operation'),
      ),
    })),
  }
}

function history(metadata: Metadata): MetadataTable {
  const byId = new Map(metadata.snapshots.map((each) => [each['snapshot-id'], each]))
  const line = ancestors(metadata, metadata['current-snapshot-id'])
  const current = new Set(line.map((each) => each['snapshot-id']))
  return {
    columns: {
      made_current_at: 'TIMESTAMPTZ',
      snapshot_id: 'BIGINT',
      parent_id: 'BIGINT',
      is_current_ancestor: 'BOOLEAN',
    },
    rows: metadata['snapshot-log'].map((entry) => ({
      made_current_at: time(entry['timestamp-ms']),
      snapshot_id: entry['snapshot-id'],
      parent_id: byId.get(entry['snapshot-id'])?.['parent-snapshot-id'] ?? null,
      is_current_ancestor: current.has(entry['snapshot-id']),
    })),
  }
}

function refs(metadata: Metadata): MetadataTable {
  return {
    columns: {
      name: 'VARCHAR',
      type: 'VARCHAR',
      snapshot_id: 'BIGINT',
      max_reference_age_in_ms: 'BIGINT',
      min_snapshots_to_keep: 'INTEGER',
      max_snapshot_age_in_ms: 'BIGINT',
    },
    rows: Object.entries(metadata.refs).map(([name, ref]) => ({
      name,
      type: ref.type.toUpperCase(),
      snapshot_id: ref['snapshot-id'],
      max_reference_age_in_ms: ref['max-ref-age-ms'] ?? null,
      min_snapshots_to_keep: ref['min-snapshots-to-keep'] ?? null,
      max_snapshot_age_in_ms: ref['max-snapshot-age-ms'] ?? null,
    })),
  }
}

function logEntries(metadata: Metadata, file: string): MetadataTable {
  const current = { 'timestamp-ms': metadata['last-updated-ms'], 'metadata-file': file }
  return {
    columns: {
      timestamp: 'TIMESTAMPTZ',
      file: 'VARCHAR',
      latest_snapshot_id: 'BIGINT',
      latest_schema_id: 'INTEGER',
      latest_sequence_number: 'BIGINT',
    },
    rows: [...metadata['metadata-log'], current].map((entry) => {
      const at = entry['timestamp-ms']
      const id = metadata['snapshot-log'].findLast((each) => each['timestamp-ms'] <= at)
      const snapshot = metadata.snapshots.find(
        (each) => each['snapshot-id'] === id?.['snapshot-id'],
      )
      return {
        timestamp: time(at),
        file: entry['metadata-file'],
        latest_snapshot_id: snapshot?.['snapshot-id'] ?? null,
        latest_schema_id: snapshot?.['schema-id'] ?? null,
        latest_sequence_number: snapshot?.['sequence-number'] ?? null,
      }
    }),
  }
}

function manifestRows(metadata: Metadata, manifests: readonly ManifestFile[]): MetadataTable {
  const specs = specsOf(metadata)
  const count = (value: number, wanted: boolean): number | null =>
    wanted ? (value < 0 ? null : value) : 0
  return {
    columns: {
      content: 'INTEGER',
      path: 'VARCHAR',
      length: 'BIGINT',
      partition_spec_id: 'INTEGER',
      added_snapshot_id: 'BIGINT',
      added_data_files_count: 'INTEGER',
      existing_data_files_count: 'INTEGER',
      deleted_data_files_count: 'INTEGER',
      added_delete_files_count: 'INTEGER',
      existing_delete_files_count: 'INTEGER',
      deleted_delete_files_count: 'INTEGER',
      partition_summaries:
        'STRUCT(contains_null BOOLEAN, contains_nan BOOLEAN, lower_bound VARCHAR, upper_bound VARCHAR)[]',
    },
    rows: manifests.map((manifest) => {
      const [data, deletes] = [manifest.content === 0, manifest.content !== 0]
      return {
        content: manifest.content,
        path: manifest.path,
        length: manifest.length,
        partition_spec_id: manifest.specId,
        added_snapshot_id: manifest.snapshotId,
        added_data_files_count: count(manifest.addedFiles, data),
        existing_data_files_count: count(manifest.existingFiles, data),
        deleted_data_files_count: count(manifest.deletedFiles, data),
        added_delete_files_count: count(manifest.addedFiles, deletes),
        existing_delete_files_count: count(manifest.existingFiles, deletes),
        deleted_delete_files_count: count(manifest.deletedFiles, deletes),
        partition_summaries: summaries(manifest, specs.get(manifest.specId)),
      }
    }),
  }
}

function summaries({ partitions: all }: ManifestFile, spec: Spec | undefined): object[] {
  return all.map((summary, i) => {
    const [type, field] = [spec?.types[i], spec?.fields[i]]
    const text = (bytes: Uint8Array | null): string | null => {
      if (bytes === null || type === undefined || field === undefined) return null
      const value = decodeBound(type, bytes)
      return value === undefined ? null : partitionText(field.transform, type, value)
    }
    return {
      contains_null: summary.contains_null,
      contains_nan: summary.contains_nan,
      lower_bound: text(summary.lower_bound),
      upper_bound: text(summary.upper_bound),
    }
  })
}

/** The partition struct of a table: the fields of all its specs, by name. */
class PartitionColumn {
  readonly type: Readonly<Record<string, string>>
  /** SQL that makes the struct, where a member has bytes. */
  readonly made: Readonly<Record<string, string>>
  readonly #specs: ReadonlyMap<number, Spec>
  /** Name by field id. */
  readonly #names = new Map<number, string>()

  constructor(metadata: Metadata) {
    this.#specs = specsOf(metadata)
    const types: Record<string, string> = {}
    for (const spec of this.#specs.values()) {
      spec.fields.forEach(({ id, name }, i) => {
        if (this.#names.has(id)) return
        const unique = name in types ? `${name}_${id}` : name
        this.#names.set(id, unique)
        types[unique] = columnType(spec.types[i] ?? 'string')
      })
    }
    const members = Object.entries(types).map(([name, type]) => {
      const value = `struct_extract(partition, ${literal(name)})`
      return `${identifier(name)} := ${type === 'BLOB' ? `from_hex(${value})` : value}`
    })
    const bytes = Object.values(types).includes('BLOB')
    this.made = bytes ? { partition: `struct_pack(${members.join(', ')})` } : {}
    this.type = Object.fromEntries(
      Object.entries(types).map(([name, type]) => [name, type === 'BLOB' ? 'VARCHAR' : type]),
    )
  }

  /** As a column of its own, where the table has partitions. */
  get column(): ColumnTypes {
    return this.#names.size === 0 ? {} : { partition: this.type }
  }

  value(entry: ManifestEntry, specId: number): Record<string, unknown> {
    if (this.#names.size === 0) return {}
    const spec = this.#specs.get(specId)
    const all = Object.fromEntries(
      [...this.#names.values()].map((name) => [name, null] as [string, unknown]),
    )
    if (spec === undefined) return { partition: all }
    const values = partitionValues(entry, spec)
    spec.fields.forEach(({ id }, i) => {
      const [value, type] = [values.get(id), spec.types[i]]
      const none = value === null || value === undefined || type === undefined
      all[this.#names.get(id)!] = none ? null : (boundText(type, value) ?? null)
    })
    return { partition: all }
  }
}

const FILE_COLUMNS = {
  record_count: 'BIGINT',
  file_size_in_bytes: 'BIGINT',
  column_sizes: 'MAP(INTEGER, BIGINT)',
  value_counts: 'MAP(INTEGER, BIGINT)',
  null_value_counts: 'MAP(INTEGER, BIGINT)',
  nan_value_counts: 'MAP(INTEGER, BIGINT)',
  lower_bounds: 'MAP(INTEGER, VARCHAR)',
  upper_bounds: 'MAP(INTEGER, VARCHAR)',
  key_metadata: 'VARCHAR',
  split_offsets: 'BIGINT[]',
  equality_ids: 'INTEGER[]',
  sort_order_id: 'INTEGER',
} as const

const bytesIn = (map: string): string =>
  `map_from_entries(list_transform(map_entries(${map}), lambda e: struct_pack("key" := e.key, "value" := from_hex(e.value))))`

const FILE_BYTES = {
  lower_bounds: bytesIn('lower_bounds'),
  upper_bounds: bytesIn('upper_bounds'),
  key_metadata: 'from_hex(key_metadata)',
}

async function files(
  name: 'files' | 'data_files' | 'delete_files' | 'entries',
  reading: TableReading,
  manifests: readonly ManifestFile[],
): Promise<MetadataTable> {
  const partition = new PartitionColumn(reading.metadata)
  const rows: Record<string, unknown>[] = []
  for (const manifest of manifests) {
    const wanted = manifest.content === 0 ? name !== 'delete_files' : name !== 'data_files'
    for (const entry of wanted ? await reading.entries(manifest) : []) {
      if (entry.status === 2 && name !== 'entries') continue
      rows.push({ ...entryRow(entry), ...fileRow(entry, manifest, partition) })
    }
  }
  const entries = {
    status: 'INTEGER',
    snapshot_id: 'BIGINT',
    sequence_number: 'BIGINT',
    file_sequence_number: 'BIGINT',
  }
  return {
    columns: {
      ...(name === 'entries' ? entries : {}),
      content: 'INTEGER',
      file_path: 'VARCHAR',
      file_format: 'VARCHAR',
      spec_id: 'INTEGER',
      ...partition.column,
      ...FILE_COLUMNS,
    },
    rows,
    made: { ...FILE_BYTES, ...partition.made },
  }
}

function entryRow(entry: ManifestEntry): Record<string, unknown> {
  const { status, snapshotId, sequence, fileSequence } = entry
  return {
    status,
    snapshot_id: snapshotId,
    sequence_number: sequence,
    file_sequence_number: fileSequence,
  }
}

function fileRow(
  entry: ManifestEntry,
  { specId }: ManifestFile,
  partition: PartitionColumn,
): Record<string, unknown> {
  const { dataFile } = entry
  const numbers = (key: string): unknown =>
    dataFile[key] === null || dataFile[key] === undefined
      ? null
      : Object.fromEntries(mapOf<number | bigint>(dataFile[key]))
  const bounds = (key: string): unknown =>
    dataFile[key] === null || dataFile[key] === undefined
      ? null
      : Object.fromEntries(
          [...mapOf<Uint8Array>(dataFile[key])].map(([id, bytes]) => [id, hexText(bytes)]),
        )
  const secret = dataFile['key_metadata']
  return {
    content: dataFile['content'],
    file_path: dataFile['file_path'],
    file_format: dataFile['file_format'],
    spec_id: specId,
    ...partition.value(entry, specId),
    record_count: dataFile['record_count'],
    file_size_in_bytes: dataFile['file_size_in_bytes'],
    column_sizes: numbers('column_sizes'),
    value_counts: numbers('value_counts'),
    null_value_counts: numbers('null_value_counts'),
    nan_value_counts: numbers('nan_value_counts'),
    lower_bounds: bounds('lower_bounds'),
    upper_bounds: bounds('upper_bounds'),
    key_metadata: secret instanceof Uint8Array ? hexText(secret) : null,
    split_offsets: dataFile['split_offsets'] ?? null,
    equality_ids: dataFile['equality_ids'] ?? null,
    sort_order_id: dataFile['sort_order_id'] ?? null,
  }
}

async function partitions(
  reading: TableReading,
  manifests: readonly ManifestFile[],
): Promise<MetadataTable> {
  const partition = new PartitionColumn(reading.metadata)
  const found = new Map<string, PartitionRow>()
  const times = new Map(
    reading.metadata.snapshots.map((each) => [each['snapshot-id'], each['timestamp-ms']]),
  )
  for (const manifest of manifests) {
    for (const entry of await reading.entries(manifest)) {
      if (entry.status === 2) continue
      const value = partition.value(entry, manifest.specId)
      const key = JSON.stringify([manifest.specId, value])
      const row = found.get(key) ?? newPartition(value, manifest.specId)
      found.set(key, row)
      addFile(row, entry, times.get(entry.snapshotId ?? -1))
    }
  }
  return {
    columns: {
      ...partition.column,
      spec_id: 'INTEGER',
      record_count: 'BIGINT',
      file_count: 'INTEGER',
      total_data_file_size_in_bytes: 'BIGINT',
      position_delete_record_count: 'BIGINT',
      position_delete_file_count: 'INTEGER',
      equality_delete_record_count: 'BIGINT',
      equality_delete_file_count: 'INTEGER',
      last_updated_at: 'TIMESTAMPTZ',
      last_updated_snapshot_id: 'BIGINT',
    },
    made: partition.made,
    rows: [...found.values()].map(({ updated, ...row }) => ({
      ...row,
      last_updated_at: updated === undefined ? null : time(updated),
    })),
  }
}

interface PartitionRow extends Record<string, unknown> {
  record_count: number
  file_count: number
  total_data_file_size_in_bytes: number
  position_delete_record_count: number
  position_delete_file_count: number
  equality_delete_record_count: number
  equality_delete_file_count: number
  last_updated_snapshot_id: number | bigint | null
  updated: number | undefined
}

function newPartition(value: Record<string, unknown>, specId: number): PartitionRow {
  return {
    ...value,
    spec_id: specId,
    record_count: 0,
    file_count: 0,
    total_data_file_size_in_bytes: 0,
    position_delete_record_count: 0,
    position_delete_file_count: 0,
    equality_delete_record_count: 0,
    equality_delete_file_count: 0,
    last_updated_snapshot_id: null,
    updated: undefined,
  }
}

function addFile(row: PartitionRow, entry: ManifestEntry, at: number | undefined): void {
  const { dataFile, snapshotId } = entry
  const rows = dataFile['record_count'] as number
  switch (dataFile['content']) {
    case 1:
      row.position_delete_record_count += rows
      row.position_delete_file_count++
      break
    case 2:
      row.equality_delete_record_count += rows
      row.equality_delete_file_count++
      break
    default:
      row.record_count += rows
      row.file_count++
      row.total_data_file_size_in_bytes += dataFile['file_size_in_bytes'] as number
  }
  if (at === undefined || (row.updated !== undefined && at <= row.updated)) return
  row.updated = at
  row.last_updated_snapshot_id = snapshotId
}
