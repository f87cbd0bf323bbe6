/** Plans reads of a table, whoever wrote it: which files of a snapshot may hold rows that fit, and which delete files apply to each. */
import { error } from '../base/errors.ts'
import { type DeleteFile, deleteFile, DeleteIndex } from './delete-index.ts'
import type { Bound } from './data-file.ts'
import { type ManifestEntry, type ManifestFile, mapOf } from './manifest.ts'
import type { Metadata, Schema } from './metadata.ts'
import {
  partitionKey,
  type PartitionValues,
  partitionValues,
  type Spec,
  specsOf,
} from './partition.ts'
import {
  type Condition,
  mayFit,
  mayFitPartition,
  mayMatch,
  type Predicate,
  type Range,
  rangeOf,
} from './predicate.ts'
import { fieldsById, type PlacedField } from './schema-types.ts'
import { decodeBound } from './values.ts'

/** A data file of a plan. */
export interface ScanFile {
  readonly location: string
  readonly rows: number
  readonly bytes: number
  readonly specId: number
  readonly partition: PartitionValues
  /** Equal for the files of one partition. */
  readonly partitionKey: string
  readonly sequence: number | bigint
  /** What may delete rows of the file. */
  readonly deletes: readonly DeleteFile[]
}

/** What a plan went through. */
export interface ScanCounts {
  readonly manifests: number
  readonly manifestsPruned: number
  /** Live data files, those of manifests that were not read included. */
  readonly considered: number
  readonly prunedByPartition: number
  readonly prunedByStatistics: number
  readonly deleteFiles: number
  /** Bytes of the data and delete files that remain. */
  readonly bytes: number
}

/** Gathers the plan of one snapshot: first every manifest of deletes, then those of data. */
export class Planner {
  readonly files: ScanFile[] = []
  readonly #specs: ReadonlyMap<number, Spec>
  readonly #columns: ReadonlyMap<number, PlacedField>
  readonly #predicate: Predicate | undefined
  readonly #deletes = new DeleteIndex()
  #manifests = 0
  #manifestsPruned = 0
  #considered = 0
  #byPartition = 0
  #byStatistics = 0

  constructor(metadata: Metadata, schema: Schema, predicate: Predicate | undefined) {
    this.#specs = specsOf(metadata)
    this.#columns = fieldsById(schema.fields)
    this.#predicate = predicate
  }

  /** Whether a manifest may name files with rows that fit. */
  wants(manifest: ManifestFile): boolean {
    this.#manifests++
    if (this.#predicate === undefined) return true
    const spec = this.#specs.get(manifest.specId)
    const { partitions } = manifest
    if (spec === undefined || partitions.length !== spec.fields.length) return true
    const ranges = partitions.map((summary, i) => {
      const type = spec.types[i]
      const bound = (bytes: Uint8Array | null): Bound | undefined =>
        bytes === null || type === undefined ? undefined : decodeBound(type, bytes)
      return rangeOf(bound(summary.lower_bound), bound(summary.upper_bound), {
        nulls: summary.contains_null,
        values: true,
        nans: isFloat(type) && summary.contains_nan !== false,
      })
    })
    const may = (condition: Condition): boolean => mayFitPartitions(condition, spec, ranges)
    if (mayMatch(this.#predicate, may)) return true
    this.#manifestsPruned++
    if (manifest.content === 0) {
      const files = Math.max(0, manifest.addedFiles) + Math.max(0, manifest.existingFiles)
      this.#considered += files
      this.#byPartition += files
    }
    return false
  }

  /** Throws HeadwaterError `lake_invalid` or `unsupported`. */
  takeDelete(entry: ManifestEntry, manifest: ManifestFile): void {
    if (entry.status === 2) return
    const spec = this.#specOf(manifest)
    const { unpartitioned } = spec
    this.#deletes.add(deleteFile(entry, { key: partitionKey(entry, spec), unpartitioned }))
  }

  /** Throws HeadwaterError `lake_invalid` or `unsupported`. */
  takeData(entry: ManifestEntry, manifest: ManifestFile): void {
    if (entry.status === 2) return
    const { dataFile } = entry
    const location = dataFile['file_path'] as string
    if (dataFile['content'] !== 0) {
      throw error('lake_invalid', `${manifest.path} has data and deletes in one manifest.`)
    }
    this.#considered++
    const spec = this.#specOf(manifest)
    const partition = partitionValues(entry, spec)
    if (!this.#mayHold(dataFile, spec, partition)) return
    checkReadable(dataFile, location)
    const key = partitionKey(entry, spec)
    this.files.push({
      location,
      rows: dataFile['record_count'] as number,
      bytes: dataFile['file_size_in_bytes'] as number,
      specId: spec.id,
      partition,
      sequence: entry.sequence ?? 0,
      partitionKey: key,
      deletes: this.#deletes.of(location, entry.sequence ?? 0, key),
    })
  }

  counts(): ScanCounts {
    const deletes = new Set(this.files.flatMap((file) => file.deletes))
    return {
      manifests: this.#manifests,
      manifestsPruned: this.#manifestsPruned,
      considered: this.#considered,
      prunedByPartition: this.#byPartition,
      prunedByStatistics: this.#byStatistics,
      deleteFiles: deletes.size,
      bytes: [...this.files, ...deletes].reduce((sum, { bytes }) => sum + bytes, 0),
    }
  }

  #specOf({ path, specId }: ManifestFile): Spec {
    const spec = this.#specs.get(specId)
    if (spec !== undefined) return spec
    throw error('lake_invalid', `${path} is of partition spec ${specId}, which the table has not.`)
  }

  #mayHold(
    dataFile: Readonly<Record<string, unknown>>,
    spec: Spec,
    partition: PartitionValues,
  ): boolean {
    if (this.#predicate === undefined) return true
    const ranges = spec.fields.map(({ id }): Range => {
      const value = partition.get(id)
      const bound = value ?? undefined
      const [nulls, values] = [value === null || value === undefined, value !== null]
      return rangeOf(bound, bound, {
        nulls,
        values,
        nans: value === undefined || Number.isNaN(value),
      })
    })
    const inPartition = (condition: Condition): boolean => mayFitPartitions(condition, spec, ranges)
    if (!mayMatch(this.#predicate, inPartition)) {
      this.#byPartition++
      return false
    }
    const columns = new FileColumns(dataFile, this.#columns)
    const may = (condition: Condition): boolean =>
      inPartition(condition) && mayFit(condition, columns.range(condition.fieldId))
    if (mayMatch(this.#predicate, may)) return true
    this.#byStatistics++
    return false
  }
}

function mayFitPartitions(condition: Condition, spec: Spec, ranges: readonly Range[]): boolean {
  return spec.fields.every(({ sourceId, transform }, i) => {
    const type = spec.sources[i]
    if (sourceId !== condition.fieldId || type === undefined) return true
    return mayFitPartition(condition, transform, type, ranges[i]!)
  })
}

function isFloat(type: string | undefined): boolean {
  return type === 'float' || type === 'double'
}

/** What a data file says of its columns, looked up once it is asked for. */
class FileColumns {
  readonly #maps = new Map<string, ReadonlyMap<number, unknown>>()
  readonly #file: Readonly<Record<string, unknown>>
  readonly #columns: ReadonlyMap<number, PlacedField>

  constructor(file: Readonly<Record<string, unknown>>, columns: ReadonlyMap<number, PlacedField>) {
    this.#file = file
    this.#columns = columns
  }

  range(fieldId: number): Range {
    const placed = this.#columns.get(fieldId)
    const type = placed?.field.type
    const known = typeof type === 'string' ? type : undefined
    const bound = (key: string): Bound | undefined => {
      const bytes = this.#value(key, fieldId)
      if (!(bytes instanceof Uint8Array) || known === undefined) return undefined
      return decodeBound(known, bytes)
    }
    const [lower, upper] = [bound('lower_bounds'), bound('upper_bounds')]
    // The first version of headwater wrote false for both bounds of every boolean.
    const wrong = lower === false && upper === false
    // Inside a struct, writers disagree on what counts as a null.
    const nulls = placed?.path?.length === 1 ? this.#value('null_value_counts', fieldId) : undefined
    return rangeOf(lower, wrong ? undefined : upper, {
      nulls: nulls !== 0,
      values: typeof nulls !== 'number' || nulls < (this.#file['record_count'] as number),
      nans: isFloat(known) && this.#value('nan_value_counts', fieldId) !== 0,
    })
  }

  #value(key: string, fieldId: number): unknown {
    let map = this.#maps.get(key)
    if (map === undefined) {
      map = mapOf<unknown>(this.#file[key])
      this.#maps.set(key, map)
    }
    return map.get(fieldId)
  }
}

function checkReadable(dataFile: Readonly<Record<string, unknown>>, location: string): void {
  const format = (dataFile['file_format'] as string).toUpperCase()
  if (format !== 'PARQUET') {
    throw error('unsupported', `${location} is ${format}: data files must be Parquet.`)
  }
  if (dataFile['key_metadata'] instanceof Uint8Array) {
    throw error('unsupported', `${location} is encrypted.`)
  }
}
