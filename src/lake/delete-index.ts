/** Finds the delete files that apply to a data file, by the sequence numbers and partitions of both (Iceberg spec, "Scan Planning"). */
import { error } from '../base/errors.ts'
import { type ManifestEntry, mapOf } from './manifest.ts'

/** A live delete file. */
export interface DeleteFile {
  /** Positions in a Parquet file, values in a Parquet file, or a deletion vector in a Puffin file. */
  readonly kind: 'position' | 'equality' | 'vector'
  readonly location: string
  readonly sequence: number | bigint
  readonly rows: number
  readonly bytes: number
  /** Field ids of the columns that are compared; of equality deletes. */
  readonly equalityIds: readonly number[]
  /** The one data file that it is about, where it says so. */
  readonly referenced: string | undefined
  /** Equal to that of the data files in its partition; undefined: it applies to every file. */
  readonly partitionKey: string | undefined
  /** Where a deletion vector lies in its file. */
  readonly offset: number
  readonly size: number
  /** Bounds of the locations in a file of positions; undefined where they are not known. */
  readonly paths: readonly [lower: Buffer | undefined, upper: Buffer | undefined]
}

/** Reserved field ids of position delete files. */
export const DELETE_PATH_ID = 2_147_483_546
export const DELETE_POSITION_ID = 2_147_483_545

/** A delete file as a manifest's entry has it. Throws HeadwaterError `lake_invalid` or `unsupported`. */
export function deleteFile(
  { dataFile, sequence }: ManifestEntry,
  partition: { readonly key: string; readonly unpartitioned: boolean },
): DeleteFile {
  const location = dataFile['file_path'] as string
  const content = dataFile['content'] as number
  const format = (dataFile['file_format'] as string).toUpperCase()
  if (content === 0) throw error('lake_invalid', `${location} is data in a manifest of deletes.`)
  if (dataFile['key_metadata'] instanceof Uint8Array) {
    throw error('unsupported', `${location} is encrypted.`)
  }
  const kind = content === 2 ? 'equality' : format === 'PUFFIN' ? 'vector' : 'position'
  if (kind !== 'vector' && format !== 'PARQUET') {
    throw error('unsupported', `${location} is ${format}: delete files must be Parquet or Puffin.`)
  }
  const equalityIds = (dataFile['equality_ids'] ?? []) as readonly number[]
  if (kind === 'equality' && equalityIds.length === 0) {
    throw error('lake_invalid', `${location} does not say which columns it compares.`)
  }
  const referenced = dataFile['referenced_data_file']
  const [offset, size] = [dataFile['content_offset'], dataFile['content_size_in_bytes']]
  const placed = typeof offset === 'number' && typeof size === 'number'
  if (kind === 'vector' && (typeof referenced !== 'string' || !placed)) {
    throw error('lake_invalid', `${location} does not say where its deletion vector is.`)
  }
  return {
    kind,
    location,
    sequence: sequence ?? 0,
    rows: dataFile['record_count'] as number,
    bytes: kind === 'vector' ? (size as number) : (dataFile['file_size_in_bytes'] as number),
    equalityIds,
    partitionKey: kind === 'equality' && partition.unpartitioned ? undefined : partition.key,
    referenced: typeof referenced === 'string' ? referenced : undefined,
    offset: placed ? offset : 0,
    size: placed ? size : 0,
    paths: [pathBound(dataFile['lower_bounds']), pathBound(dataFile['upper_bounds'])],
  }
}

function pathBound(bounds: unknown): Buffer | undefined {
  const bytes = mapOf<Uint8Array>(bounds).get(DELETE_PATH_ID)
  return bytes === undefined ? undefined : Buffer.from(bytes)
}

export class DeleteIndex {
  /** Position and equality deletes by partition. */
  readonly #partitions = new Map<string, DeleteFile[]>()
  /** Equality deletes of specs without partitions concern every file. */
  readonly #everywhere: DeleteFile[] = []
  readonly #vectors = new Map<string, DeleteFile>()

  /** Throws HeadwaterError `lake_invalid`. */
  add(file: DeleteFile): void {
    const partition = file.partitionKey
    if (file.kind === 'vector') {
      if (this.#vectors.has(file.referenced!)) {
        throw error('lake_invalid', `${file.referenced} has two deletion vectors.`)
      }
      this.#vectors.set(file.referenced!, file)
      return
    }
    if (partition === undefined) {
      this.#everywhere.push(file)
      return
    }
    const same = this.#partitions.get(partition)
    if (same === undefined) this.#partitions.set(partition, [file])
    else same.push(file)
  }

  /** Delete files that apply to a data file of a partition with a data sequence number. */
  of(location: string, sequence: number | bigint, partition: string): DeleteFile[] {
    const vector = this.#vectors.get(location)
    const applies = vector !== undefined && vector.sequence >= sequence
    const candidates = [...(this.#partitions.get(partition) ?? []), ...this.#everywhere]
    if (candidates.length === 0) return applies ? [vector] : []
    const path = Buffer.from(location)
    const files = candidates.filter((file) =>
      file.kind === 'equality'
        ? file.sequence > sequence
        : // A deletion vector has all that files of positions said before.
          !applies && file.sequence >= sequence && mayName(file, location, path),
    )
    return applies ? [vector, ...files] : files
  }
}

/** Whether a file of positions may be about a data file; text is in order as its bytes are. */
function mayName(
  { referenced, paths: [lower, upper] }: DeleteFile,
  location: string,
  path: Buffer,
): boolean {
  if (referenced !== undefined) return referenced === location
  return (
    (lower === undefined || Buffer.compare(lower, path) <= 0) &&
    (upper === undefined || Buffer.compare(upper, path) >= 0)
  )
}
