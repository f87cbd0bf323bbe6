/** Makes manifests of entries: of files that a commit adds, and of live entries that it carries into other manifests. */
import { error } from '../base/errors.ts'
import { type Random, uuid } from '../base/random.ts'
import {
  decoded,
  decodeManifest,
  encodeManifest,
  type ManifestEntry,
  type ManifestFile,
  type ManifestHeader,
  PARTITION_ID,
  PARTITION_NAME,
  type PartitionSummary,
} from './manifest.ts'
import { currentSchema, type Id, type Metadata } from './metadata.ts'
import { join, type Storage } from './storage.ts'
import { decodeBound, encodeBound } from './values.ts'

/** What a table is at one version of the catalog. */
export interface Table {
  readonly name: string
  readonly metadata: Metadata
  /** Location of the metadata file, and its number N. */
  readonly file: string
  readonly number: number
  /** Manifests of the current snapshot. */
  readonly manifests: readonly ManifestFile[]
}

export interface Ports {
  readonly storage: Storage
  readonly random: Random
}

/** Next metadata and manifests of a table. */
export interface Staged {
  readonly metadata: Metadata
  readonly manifests: readonly ManifestFile[]
}

/** Stands for the sequence number of a commit that is not staged yet. Zero is one that tables of format version 1 have. */
export const PENDING = -1

/** The manifest as its commit names it, once that has its number. */
export function numbered(manifest: ManifestFile, sequence: number): ManifestFile {
  return {
    ...manifest,
    sequence: manifest.sequence === PENDING ? sequence : manifest.sequence,
    minSequence: manifest.minSequence === PENDING ? sequence : manifest.minSequence,
  }
}

/** Whether a partition spec is the one of headwater's own tables, whose manifests it can write: `day(<column>)`. */
export function isOwnSpec(metadata: Metadata, specId: number): boolean {
  const spec = metadata['partition-specs'].find((each) => each['spec-id'] === specId)
  const [field, ...more] = spec?.fields ?? []
  return (
    more.length === 0 &&
    field?.['name'] === PARTITION_NAME &&
    field['transform'] === 'day' &&
    field['field-id'] === PARTITION_ID
  )
}

/** The spec that headwater appends with. Throws HeadwaterError `lake_invalid` when the table has none. */
export function ownSpec(metadata: Metadata): number {
  const own = metadata['partition-specs'].find((spec) => isOwnSpec(metadata, spec['spec-id']))
  if (own !== undefined) return own['spec-id']
  throw error('lake_invalid', `${metadata.location} has no partition spec by day(event time).`)
}

/** Writes a manifest of one own spec; its numbers that are this commit's are `PENDING`. `content`: 0 data, 1 deletes. */
export async function writeManifest(
  { metadata }: Pick<Table, 'metadata'>,
  entries: readonly ManifestEntry[],
  {
    specId,
    snapshotId,
    content,
  }: { readonly specId: number; readonly snapshotId: Id; readonly content: 0 | 1 },
  { storage, random }: Ports,
): Promise<ManifestFile> {
  const location = join(metadata.location, 'metadata', `${uuid(random)}-m0.avro`)
  const bytes = encodeManifest(entries, headerOf(metadata, specId, content), random.bytes(16))
  await storage.write(location, bytes)
  const count = (status: number): number =>
    entries.reduce((sum, entry) => sum + (entry.status === status ? 1 : 0), 0)
  const rows = (status: number): number =>
    entries.reduce((sum, entry) => sum + (entry.status === status ? rowsOf(entry) : 0), 0)
  let minSequence = Infinity
  for (const { status, sequence } of entries) {
    if (status === 2) continue
    // An entry without a number inherits this commit's, which no other is greater than.
    if (sequence !== null) minSequence = Math.min(minSequence, Number(sequence))
  }
  return {
    path: location,
    length: bytes.length,
    specId,
    content,
    sequence: PENDING,
    minSequence: Number.isFinite(minSequence) ? minSequence : PENDING,
    snapshotId,
    addedFiles: count(1),
    existingFiles: count(0),
    deletedFiles: count(2),
    addedRows: rows(1),
    existingRows: rows(0),
    deletedRows: rows(2),
    partitions: [daySummary(entries.map(dayOf))],
  }
}

export function rowsOf({ dataFile }: ManifestEntry): number {
  return Number(dataFile['record_count'])
}

/** Days since 1970 of an entry of an own spec; null where the source column is. */
export function dayOf({ dataFile }: ManifestEntry): number | null {
  const partition = dataFile['partition'] as Readonly<Record<string, number | null>>
  return partition[PARTITION_NAME] ?? null
}

/** First and last day of a manifest of an own spec; undefined where it does not say. */
export function daysOf({ partitions }: ManifestFile): readonly [number, number] | undefined {
  const [summary] = partitions
  const read = (bytes: Uint8Array | null | undefined): unknown =>
    bytes === null || bytes === undefined ? undefined : decodeBound('date', bytes)
  const [first, last] = [read(summary?.lower_bound), read(summary?.upper_bound)]
  return typeof first === 'number' && typeof last === 'number' ? [first, last] : undefined
}

/** Live entries of a manifest as they are carried into another: existing, with the numbers that they inherited. Throws HeadwaterError `lake_invalid`. */
export async function existingEntries(
  manifest: ManifestFile,
  storage: Storage,
): Promise<ManifestEntry[]> {
  const entries = await readManifest(manifest, storage)
  return entries.map((entry) => ({ ...inherited(entry, manifest), status: 0 }))
}

/** The entry with what it leaves to its manifest. Throws HeadwaterError `lake_invalid` where it must have a number of its own. */
export function inherited(entry: ManifestEntry, manifest: ManifestFile): ManifestEntry {
  // Tables of format version 1 have no numbers: zero.
  if (entry.sequence === null && entry.status === 0 && manifest.sequence !== 0) {
    throw error('lake_invalid', `${manifest.path}: a file of an older commit has no number.`)
  }
  return {
    ...entry,
    snapshotId: entry.snapshotId ?? manifest.snapshotId,
    sequence: entry.sequence ?? manifest.sequence,
    fileSequence: entry.fileSequence ?? manifest.sequence,
  }
}

/** Entries of a manifest that are not deleted. Throws HeadwaterError `lake_invalid`. */
export async function readManifest(
  { path: location }: ManifestFile,
  storage: Storage,
): Promise<ManifestEntry[]> {
  const entries = decoded(location, await storage.read(location), decodeManifest)
  return entries.filter(({ status }) => status !== 2)
}

function headerOf(metadata: Metadata, specId: number, content: 0 | 1): ManifestHeader {
  const schema = currentSchema(metadata)
  const spec = metadata['partition-specs'].find((each) => each['spec-id'] === specId)!
  return {
    schema: JSON.stringify(schema),
    schemaId: schema['schema-id'],
    partitionSpec: JSON.stringify(spec.fields),
    specId,
    content: content === 0 ? 'data' : 'deletes',
  }
}

function daySummary(days: readonly (number | null)[]): PartitionSummary {
  let [first, last] = [Infinity, -Infinity]
  for (const day of days) {
    if (day === null) continue
    first = Math.min(first, day)
    last = Math.max(last, day)
  }
  const known = first <= last
  return {
    contains_null: days.includes(null),
    contains_nan: false,
    lower_bound: known ? encodeBound('date', first) : null,
    upper_bound: known ? encodeBound('date', last) : null,
  }
}
