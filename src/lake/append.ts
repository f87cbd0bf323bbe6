/** One append to one table: prepare (files to a manifest, once), stage (manifest list and metadata, per attempt). The commit is the catalog's. */
import { error, HeadwaterError } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import { below, type Random, uuid } from '../base/random.ts'
import type { DataFile } from './lake.ts'
import {
  dataFileRecord,
  decodeManifest,
  encodeManifest,
  encodeManifestList,
  type ManifestEntry,
  type ManifestFile,
  type ManifestHeader,
  primitiveTypes,
} from './manifest.ts'
import {
  currentSchema,
  currentSnapshot,
  type Id,
  type Metadata,
  type Snapshot,
} from './metadata.ts'
import { join, type Storage } from './storage.ts'
import { encodeBound } from './values.ts'

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

/** Data files in a manifest that is written and durable; valid for any number of attempts. */
export interface Prepared {
  readonly snapshotId: number
  readonly manifest: ManifestFile
  readonly rows: number
  readonly bytes: number
  readonly files: number
}

/** Writes the manifest of the new files. */
export async function prepareAppend(
  table: Table,
  files: readonly DataFile[],
  ports: Ports,
): Promise<Prepared> {
  const types = primitiveTypes(currentSchema(table.metadata).fields)
  // Below 2^53, so that clients that read JSON numbers as doubles get it right.
  const snapshotId = 1 + below(ports.random, Number.MAX_SAFE_INTEGER - 1)
  const entries = await Promise.all(
    files.map(async (file): Promise<ManifestEntry> => ({
      status: 1,
      snapshotId,
      sequence: null,
      fileSequence: null,
      dataFile: dataFileRecord(file, await ports.storage.adopt(file.path), types),
    })),
  )
  const rows = files.reduce((sum, file) => sum + file.rows, 0)
  const days = files.map(({ day }) => day)
  const written = await writeManifest(table, entries, ports)
  return {
    snapshotId,
    rows,
    files: files.length,
    bytes: files.reduce((sum, file) => sum + file.bytes, 0),
    manifest: {
      ...written,
      specId: 0,
      content: 0,
      // The number of this commit; set when it is staged.
      sequence: 0,
      minSequence: 0,
      snapshotId,
      addedFiles: files.length,
      existingFiles: 0,
      deletedFiles: 0,
      addedRows: rows,
      existingRows: 0,
      deletedRows: 0,
      partitions: [daySummary(Math.min(...days), Math.max(...days))],
    },
  }
}

/** Next metadata and manifests of a table after an append. `merged` are manifests that others replace. */
export interface Staged {
  readonly metadata: Metadata
  readonly manifests: readonly ManifestFile[]
}

export async function stageAppend(
  table: Table,
  metadata: Metadata,
  prepared: Prepared,
  now: number,
  summary: Readonly<Record<string, string>>,
  ports: Ports,
): Promise<Staged> {
  const sequence = metadata['last-sequence-number'] + 1
  const added = { ...prepared.manifest, sequence, minSequence: sequence }
  const manifests = await mergeTier(table, [added, ...table.manifests], prepared.snapshotId, ports)
  const parent = currentSnapshot(metadata)
  const name = `snap-${prepared.snapshotId}-1-${uuid(ports.random)}.avro`
  const list = join(metadata.location, 'metadata', name)
  const bytes = encodeManifestList(
    // A manifest that merging made has this commit's number too.
    manifests.map((manifest) => (manifest.sequence === 0 ? { ...manifest, sequence } : manifest)),
    { id: prepared.snapshotId, parent: parent?.['snapshot-id'], sequence },
    ports.random.bytes(16),
  )
  await ports.storage.write(list, bytes)
  const time = Math.max(now, metadata['last-updated-ms'])
  const snapshot: Snapshot = {
    'snapshot-id': prepared.snapshotId,
    ...(parent === undefined ? {} : { 'parent-snapshot-id': parent['snapshot-id'] }),
    'sequence-number': sequence,
    'timestamp-ms': time,
    'manifest-list': list,
    summary: { ...appendSummary(parent, prepared), ...summary },
    'schema-id': metadata['current-schema-id'],
  }
  return {
    metadata: withSnapshot(metadata, snapshot, time),
    manifests: manifests.map((manifest) =>
      manifest.sequence === 0 ? { ...manifest, sequence } : manifest,
    ),
  }
}

function withSnapshot(metadata: Metadata, snapshot: Snapshot, time: number): Metadata {
  const id = snapshot['snapshot-id']
  return {
    ...metadata,
    'last-sequence-number': snapshot['sequence-number'],
    'last-updated-ms': time,
    'current-snapshot-id': id,
    refs: { ...metadata.refs, main: { 'snapshot-id': id, type: 'branch' } },
    snapshots: [...metadata.snapshots, snapshot],
    'snapshot-log': [...metadata['snapshot-log'], { 'timestamp-ms': time, 'snapshot-id': id }],
  }
}

function appendSummary(
  parent: Snapshot | undefined,
  { rows, files, bytes }: Prepared,
): Record<string, string> {
  const before = (key: string): number => Number(parent?.summary[key] ?? 0)
  return {
    operation: 'append',
    'added-data-files': String(files),
    'added-records': String(rows),
    'added-files-size': String(bytes),
    'changed-partition-count': '1',
    'total-records': String(before('total-records') + rows),
    'total-files-size': String(before('total-files-size') + bytes),
    'total-data-files': String(before('total-data-files') + files),
    'total-delete-files': '0',
    'total-position-deletes': '0',
    'total-equality-deletes': '0',
  }
}

/**
 * Merges manifests of one size tier once there are `manifestsPerTierMax` of them, so that their number grows with the logarithm of
 * the files: a file is rewritten into a bigger manifest a few times in its life, not once a commit.
 */
async function mergeTier(
  table: Table,
  manifests: readonly ManifestFile[],
  snapshotId: Id,
  ports: Ports,
): Promise<ManifestFile[]> {
  let current = [...manifests]
  for (let tier = 0; tier < TIERS_MAX; tier++) {
    const same = current.filter((manifest) => tierOf(manifest) === tier)
    if (same.length < limits.manifestsPerTierMax) continue
    // The manifest of this very commit stays out: its entries must be seen as added by it.
    const old = same.filter((manifest) => manifest.snapshotId !== snapshotId)
    const merged = await mergeManifests(table, old, snapshotId, ports)
    const gone = new Set(old.map(({ path: location }) => location))
    current = [...current.filter(({ path: location }) => !gone.has(location)), merged]
  }
  return current
}

const TIERS_MAX = 6

function tierOf({ addedFiles, existingFiles }: ManifestFile): number {
  const files = Math.max(1, addedFiles + existingFiles)
  return Math.floor(Math.log(files) / Math.log(limits.manifestsPerTierMax) + 1e-9)
}

async function mergeManifests(
  table: Table,
  manifests: readonly ManifestFile[],
  snapshotId: Id,
  ports: Ports,
): Promise<ManifestFile> {
  const entries: ManifestEntry[] = []
  for (const manifest of manifests)
    entries.push(...(await existingEntries(manifest, ports.storage)))
  const rows = entries.reduce((sum, { dataFile }) => sum + Number(dataFile['record_count']), 0)
  const sequences = entries.map(({ sequence }) => Number(sequence))
  const written = await writeManifest(table, entries, ports)
  return {
    ...written,
    specId: 0,
    content: 0,
    sequence: 0,
    minSequence: Math.min(...sequences),
    snapshotId,
    addedFiles: 0,
    existingFiles: entries.length,
    deletedFiles: 0,
    addedRows: 0,
    existingRows: rows,
    deletedRows: 0,
    partitions: [mergedSummary(manifests)],
  }
}

/** Live entries of a manifest as they are carried into another: existing, with the numbers that they inherited. */
async function existingEntries(manifest: ManifestFile, storage: Storage): Promise<ManifestEntry[]> {
  const entries = await readManifest(manifest, storage)
  return entries.map((entry) => ({
    ...entry,
    status: 0,
    snapshotId: entry.snapshotId ?? manifest.snapshotId,
    sequence: entry.sequence ?? manifest.sequence,
    fileSequence: entry.fileSequence ?? manifest.sequence,
  }))
}

/** Entries of a manifest that are not deleted. Throws HeadwaterError `lake_invalid`. */
export async function readManifest(
  { path: location }: ManifestFile,
  storage: Storage,
): Promise<ManifestEntry[]> {
  const bytes = await storage.read(location)
  try {
    return decodeManifest(bytes).filter(({ status }) => status !== 2)
  } catch (cause) {
    if (cause instanceof HeadwaterError) throw cause
    throw error(
      'lake_invalid',
      `${location}: ${cause instanceof Error ? cause.message : ''}.`,
      cause,
    )
  }
}

async function writeManifest(
  table: Table,
  entries: readonly ManifestEntry[],
  { storage, random }: Ports,
): Promise<{ path: string; length: number }> {
  const location = join(table.metadata.location, 'metadata', `${uuid(random)}-m0.avro`)
  const bytes = encodeManifest(entries, headerOf(table.metadata), random.bytes(16))
  await storage.write(location, bytes)
  return { path: location, length: bytes.length }
}

function headerOf(metadata: Metadata): ManifestHeader {
  const schema = currentSchema(metadata)
  const [spec] = metadata['partition-specs']
  return {
    schema: JSON.stringify(schema),
    schemaId: schema['schema-id'],
    partitionSpec: JSON.stringify(spec!.fields),
    specId: spec!['spec-id'],
  }
}

function daySummary(first: number, last: number): ManifestFile['partitions'][number] {
  return {
    contains_null: false,
    contains_nan: false,
    lower_bound: encodeBound('date', first),
    upper_bound: encodeBound('date', last),
  }
}

function mergedSummary(manifests: readonly ManifestFile[]): ManifestFile['partitions'][number] {
  const bounds = manifests.flatMap(({ partitions }) => {
    const [summary] = partitions
    const read = (bytes: Uint8Array | null | undefined): number[] =>
      bytes === null || bytes === undefined ? [] : [Buffer.from(bytes).readInt32LE()]
    return [...read(summary?.lower_bound), ...read(summary?.upper_bound)]
  })
  return daySummary(Math.min(...bounds), Math.max(...bounds))
}
