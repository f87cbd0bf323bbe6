/** One append to one table: prepare (files to a manifest, once), stage (manifest list and metadata, per attempt). The commit is the catalog's. */
import { limits } from '../base/limits.ts'
import { below, type Random, uuid } from '../base/random.ts'
import type { DataFile } from './lake.ts'
import {
  dataFileRecord,
  encodeManifestList,
  type ManifestEntry,
  type ManifestFile,
  primitiveTypes,
} from './manifest.ts'
import { manifestTier, mergeManifests } from './merge.ts'
import { currentSchema, currentSnapshot, type Metadata, type Snapshot } from './metadata.ts'
import { join } from './storage.ts'
import {
  isOwnSpec,
  numbered,
  ownSpec,
  type Ports,
  type Staged,
  type Table,
  writeManifest,
} from './write-manifest.ts'

export { readManifest } from './write-manifest.ts'
export type { Ports, Staged, Table } from './write-manifest.ts'

/** Data files in a manifest that is written and durable; valid for any number of attempts. */
export interface Prepared {
  readonly snapshotId: number
  readonly manifest: ManifestFile
  readonly rows: number
  readonly bytes: number
  readonly files: number
  readonly days: number
}

/** An id below 2^53, so that clients that read JSON numbers as doubles get it right. */
export function newSnapshotId(random: Random): number {
  return 1 + below(random, Number.MAX_SAFE_INTEGER - 1)
}

/** Writes the manifest of the new files. */
export async function prepareAppend(
  table: Table,
  files: readonly DataFile[],
  ports: Ports,
): Promise<Prepared> {
  const snapshotId = newSnapshotId(ports.random)
  const entries = await addedEntries(table, files, { snapshotId, sequence: null }, ports)
  const specId = ownSpec(table.metadata)
  return {
    snapshotId,
    files: files.length,
    rows: files.reduce((sum, { rows }) => sum + rows, 0),
    bytes: files.reduce((sum, { bytes }) => sum + bytes, 0),
    days: new Set(files.map(({ day }) => day)).size,
    manifest: await writeManifest(table, entries, { specId, snapshotId, content: 0 }, ports),
  }
}

/** Entries of finished files. `sequence` is their data sequence number; null: that of their commit. */
export async function addedEntries(
  table: Table,
  files: readonly DataFile[],
  { snapshotId, sequence }: { readonly snapshotId: number; readonly sequence: number | null },
  { storage }: Ports,
): Promise<ManifestEntry[]> {
  const types = primitiveTypes(currentSchema(table.metadata).fields)
  return Promise.all(
    files.map(async (file) => ({
      status: 1,
      snapshotId,
      sequence,
      fileSequence: null,
      dataFile: dataFileRecord(file, await storage.adopt(file.path), types),
    })),
  )
}

export async function stageAppend(
  table: Table,
  metadata: Metadata,
  prepared: Prepared,
  now: number,
  summary: Readonly<Record<string, string>>,
  ports: Ports,
): Promise<Staged> {
  const merged = await mergeMany(table, prepared.snapshotId, ports)
  const parent = currentSnapshot(metadata)
  return stageSnapshot(metadata, [prepared.manifest, ...merged], ports, {
    snapshotId: prepared.snapshotId,
    now,
    summary: { ...appendSummary(parent, prepared), ...summary },
  })
}

/** Writes the manifest list of a new snapshot on main, and answers the metadata that has it. */
export async function stageSnapshot(
  metadata: Metadata,
  manifests: readonly ManifestFile[],
  { storage, random }: Ports,
  made: {
    readonly snapshotId: number
    readonly now: number
    readonly summary: Readonly<Record<string, string>>
  },
): Promise<Staged> {
  const { snapshotId, now, summary } = made
  const sequence = metadata['last-sequence-number'] + 1
  const parent = currentSnapshot(metadata)
  const live = manifests
    // What a commit before this one emptied says nothing any more.
    .filter(
      (each) => each.addedFiles !== 0 || each.existingFiles !== 0 || each.snapshotId === snapshotId,
    )
    .map((manifest) => numbered(manifest, sequence))
  const list = join(metadata.location, 'metadata', `snap-${snapshotId}-1-${uuid(random)}.avro`)
  const from = { id: snapshotId, parent: parent?.['snapshot-id'], sequence }
  await storage.write(list, encodeManifestList(live, from, random.bytes(16)))
  const time = Math.max(now, metadata['last-updated-ms'])
  const snapshot: Snapshot = {
    'snapshot-id': snapshotId,
    ...(parent === undefined ? {} : { 'parent-snapshot-id': parent['snapshot-id'] }),
    'sequence-number': sequence,
    'timestamp-ms': time,
    'manifest-list': list,
    summary,
    'schema-id': metadata['current-schema-id'],
  }
  return { metadata: withSnapshot(metadata, snapshot, time), manifests: live }
}

function withSnapshot(metadata: Metadata, snapshot: Snapshot, time: number): Metadata {
  const id = snapshot['snapshot-id']
  return {
    ...metadata,
    'last-sequence-number': snapshot['sequence-number'],
    'last-updated-ms': time,
    'current-snapshot-id': id,
    refs: {
      ...metadata.refs,
      main: { ...metadata.refs['main'], 'snapshot-id': id, type: 'branch' },
    },
    snapshots: [...metadata.snapshots, snapshot],
    'snapshot-log': [...metadata['snapshot-log'], { 'timestamp-ms': time, 'snapshot-id': id }],
  }
}

function appendSummary(
  parent: Snapshot | undefined,
  { rows, files, bytes, days }: Prepared,
): Record<string, string> {
  return {
    operation: 'append',
    'added-data-files': String(files),
    'added-records': String(rows),
    'added-files-size': String(bytes),
    'changed-partition-count': String(days),
    ...totals(parent, { files, rows, bytes, deleteFiles: 0, positionDeletes: 0 }),
  }
}

/** What a commit adds to the totals of a table; negative where it takes away. */
export interface Change {
  readonly files: number
  readonly rows: number
  readonly bytes: number
  readonly deleteFiles: number
  readonly positionDeletes: number
}

/** The totals of a summary after a change of the parent's. */
export function totals(parent: Snapshot | undefined, change: Change): Record<string, string> {
  const after = (key: string, more: number): string =>
    String(Number(parent?.summary[key] ?? 0) + more)
  return {
    'total-records': after('total-records', change.rows),
    'total-files-size': after('total-files-size', change.bytes),
    'total-data-files': after('total-data-files', change.files),
    'total-delete-files': after('total-delete-files', change.deleteFiles),
    'total-position-deletes': after('total-position-deletes', change.positionDeletes),
    'total-equality-deletes': after('total-equality-deletes', 0),
  }
}

/**
 * Manifests of the table, as maintenance left them. Only when that has long not come, those of one size are merged here, lest every
 * commit write a longer list than the one before.
 */
async function mergeMany(
  table: Table,
  snapshotId: number,
  ports: Ports,
): Promise<readonly ManifestFile[]> {
  let current = table.manifests
  if (current.length < limits.manifestsPerTierHardMax) return current
  for (let tier = 0; tier < TIERS_MAX; tier++) {
    const same = current.filter(
      (each) =>
        each.content === 0 && isOwnSpec(table.metadata, each.specId) && manifestTier(each) === tier,
    )
    const oldest = same.at(-1)
    // Entries of the oldest one's spec; another spec has its turn when it is the oldest.
    const old = same.filter(({ specId }) => specId === oldest?.specId)
    if (old.length < limits.manifestsPerTierHardMax) continue
    const merged = await mergeManifests(table, old, snapshotId, ports)
    const gone = new Set(old.map(({ path }) => path))
    current = [...current.filter(({ path }) => !gone.has(path)), ...merged]
  }
  return current
}

const TIERS_MAX = 6
