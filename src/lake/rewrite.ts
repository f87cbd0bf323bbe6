/**
 * Replaces files or manifests of a table by others with the same rows. Everything large is prepared beside the writers; in its turn at the
 * commit point a replacement writes what an append does, or declines because the table has changed under it.
 */
import { limits } from '../base/limits.ts'
import { addedEntries, type Change, newSnapshotId, stageSnapshot, totals } from './append.ts'
import { lastCheckpoint } from './checkpoints.ts'
import type { DataFile } from './lake.ts'
import type { ManifestEntry, ManifestFile } from './manifest.ts'
import { cutByDay, mergeManifests } from './merge.ts'
import { currentSnapshot, type Metadata } from './metadata.ts'
import {
  dayOf,
  daysOf,
  existingEntries,
  isOwnSpec,
  ownSpec,
  type Ports,
  readManifest,
  rowsOf,
  type Staged,
  type Table,
  writeManifest,
} from './write-manifest.ts'

/** Finished files in place of others of one day. */
export interface Replacement {
  /** Locations as the manifests name them. */
  readonly removed: readonly string[]
  readonly added: readonly DataFile[]
  readonly day: number
  /** Sequence number of the snapshot that was read. */
  readonly sequence: number
  /** Whether rows that position deletes name were left out. */
  readonly deleted: boolean
  /** Locations of delete files that concern no file but the removed ones: they go too. */
  readonly spent: readonly string[]
}

/** Manifests that are written and durable, and what they stand in for. */
export interface PreparedRewrite {
  readonly snapshotId: number
  /** Paths of the manifests that go. */
  readonly replaced: ReadonlySet<string>
  readonly manifests: readonly ManifestFile[]
  /** Paths of the delete manifests that were looked at: another one may concern the replaced files. */
  readonly deletes: ReadonlySet<string>
  readonly summary: Readonly<Record<string, string>>
  readonly change: Change
  /** Locations of the data files that go. */
  readonly removed: readonly string[]
  /** Replacements that the table as it is now does not allow, with the reason. */
  readonly refused: readonly { readonly replacement: Replacement; readonly reason: string }[]
}

/** Writes the manifests of replacements; those whose files are no longer live, or have got deletes since, are refused. */
export async function prepareReplacements(
  table: Table,
  replacements: readonly Replacement[],
  ports: Ports,
): Promise<PreparedRewrite> {
  const holders = await holdersOf(table, replacements, ports)
  const { accepted, refused } = await sifted(table, replacements, holders, ports)
  const snapshotId = newSnapshotId(ports.random)
  const removed = new Set(accepted.flatMap((each) => each.removed))
  const without = carryWithout(holders, removed, snapshotId)
  const spent = new Set(accepted.flatMap((each) => each.spent))
  const cleared = carryWithout(
    await spentHolders(table, accepted, holders, ports),
    spent,
    snapshotId,
  )
  const added = await replacingEntries(table, accepted, snapshotId, ports)
  const files = accepted.flatMap((each) => each.added)
  const rows = files.reduce((sum, each) => sum + each.rows, 0)
  const bytes = files.reduce((sum, each) => sum + each.bytes, 0)
  return {
    snapshotId,
    replaced: new Set([...without.replaced, ...cleared.replaced]),
    manifests: [
      ...(await writeCarried(table, without, added, { snapshotId, content: 0 }, ports)),
      ...(await writeCarried(table, cleared, [], { snapshotId, content: 1 }, ports)),
    ],
    deletes: deletePaths(table),
    removed: [...removed, ...cleared.locations],
    refused,
    change: {
      files: files.length - removed.size,
      rows: rows - without.rows,
      bytes: bytes - without.bytes - cleared.bytes,
      deleteFiles: -cleared.locations.length,
      positionDeletes: -cleared.rows,
    },
    summary: {
      'added-data-files': String(files.length),
      'deleted-data-files': String(removed.size),
      'added-records': String(rows),
      'deleted-records': String(without.rows),
      'added-files-size': String(bytes),
      'removed-files-size': String(without.bytes + cleared.bytes),
      'changed-partition-count': String(new Set(accepted.map(({ day }) => day)).size),
      ...(cleared.locations.length === 0
        ? {}
        : {
            'removed-delete-files': String(cleared.locations.length),
            'removed-position-delete-files': String(cleared.locations.length),
            'removed-position-deletes': String(cleared.rows),
          }),
    },
  }
}

type Refusal = PreparedRewrite['refused'][number]

/** Replacements that the table allows as it is now, and those that it does not. */
async function sifted(
  table: Table,
  replacements: readonly Replacement[],
  holders: readonly Holder[],
  ports: Ports,
): Promise<{ accepted: Replacement[]; refused: Refusal[] }> {
  const live = new Set(holders.flatMap(({ entries }) => entries.map(locationOf)))
  const concerned = await newDeletes(table, replacements, ports)
  const accepted: Replacement[] = []
  const refused: Refusal[] = []
  for (const replacement of replacements) {
    const gone = replacement.removed.find((location) => !live.has(location))
    if (gone !== undefined) {
      refused.push({ replacement, reason: `${gone} is no longer live` })
    } else if (concerned(replacement)) {
      refused.push({ replacement, reason: 'rows were deleted since' })
    } else {
      accepted.push(replacement)
      // A file is replaced once.
      for (const location of replacement.removed) live.delete(location)
    }
  }
  return { accepted, refused }
}

/** What manifests are without some of their entries. */
interface Carried {
  /** Paths of the manifests that go; those that hold none of the entries are not touched. */
  readonly replaced: readonly string[]
  /** Entries for manifests of this commit, by their spec: those that go, and live ones that lie beside them in small manifests. */
  readonly entries: ReadonlyMap<number, readonly ManifestEntry[]>
  /** Live entries of large manifests, which stay by themselves: readers of a day open few of them. */
  readonly apart: readonly { readonly specId: number; readonly entries: readonly ManifestEntry[] }[]
  readonly locations: readonly string[]
  readonly rows: number
  readonly bytes: number
}

function carryWithout(
  holders: readonly Holder[],
  removed: ReadonlySet<string>,
  snapshotId: number,
): Carried {
  const replaced: string[] = []
  const entries = new Map<number, ManifestEntry[]>()
  const apart: { specId: number; entries: ManifestEntry[] }[] = []
  const gone: ManifestEntry[] = []
  for (const { manifest, entries: held } of holders) {
    const [going, live] = partition(held, (entry) => removed.has(locationOf(entry)))
    if (going.length === 0) continue
    const { specId, path } = manifest
    replaced.push(path)
    gone.push(...going)
    const gathered = entries.get(specId) ?? []
    entries.set(specId, gathered)
    gathered.push(...going.map((entry) => deletedEntry(entry, snapshotId)))
    if (live.length > limits.manifestsPerTierMax) apart.push({ specId, entries: live })
    else gathered.push(...live)
  }
  return {
    replaced,
    entries,
    apart,
    locations: gone.map(locationOf),
    rows: gone.reduce((sum, entry) => sum + rowsOf(entry), 0),
    bytes: gone.reduce((sum, { dataFile }) => sum + Number(dataFile['file_size_in_bytes']), 0),
  }
}

function partition<T>(items: readonly T[], is: (item: T) => boolean): [yes: T[], no: T[]] {
  return [items.filter(is), items.filter((item) => !is(item))]
}

/** Says that a file goes with this snapshot. Nobody reads it, so what its columns are like would only cost those who look for files. */
function deletedEntry(entry: ManifestEntry, snapshotId: number): ManifestEntry {
  const dataFile = { ...entry.dataFile }
  for (const name of STATISTICS) dataFile[name] = null
  return { ...entry, status: 2, snapshotId, dataFile }
}

const STATISTICS = [
  'column_sizes',
  'value_counts',
  'null_value_counts',
  'nan_value_counts',
  'lower_bounds',
  'upper_bounds',
]

/** Writes what was carried, and the new files, into as few manifests as that makes. */
async function writeCarried(
  table: Table,
  { entries, apart }: Carried,
  added: readonly ManifestEntry[],
  kind: { readonly snapshotId: number; readonly content: 0 | 1 },
  ports: Ports,
): Promise<ManifestFile[]> {
  const gathered = new Map(entries)
  if (added.length > 0) {
    const specId = ownSpec(table.metadata)
    gathered.set(specId, [...added, ...(gathered.get(specId) ?? [])])
  }
  const parts = [...gathered].flatMap(([specId, all]) =>
    cutByDay(all, limits.manifestEntriesMax).map((part) => ({ specId, entries: part })),
  )
  const manifests: ManifestFile[] = []
  for (const part of [...parts, ...apart]) {
    manifests.push(
      await writeManifest(table, part.entries, { ...kind, specId: part.specId }, ports),
    )
  }
  return manifests
}

/** Delete manifests with the spent files, as long as no other live data file is old enough to be concerned. */
async function spentHolders(
  table: Table,
  accepted: readonly Replacement[],
  holders: readonly Holder[],
  { storage }: Ports,
): Promise<Holder[]> {
  const spent = new Set(accepted.flatMap((each) => each.spent))
  if (spent.size === 0) return []
  const removed = new Set(accepted.flatMap((each) => each.removed))
  const others = holders
    .flatMap(({ entries }) => entries)
    .filter((entry) => !removed.has(locationOf(entry)))
  const found: Holder[] = []
  for (const manifest of table.manifests) {
    if (manifest.content === 0 || !isOwnSpec(table.metadata, manifest.specId)) continue
    const entries = await existingEntries(manifest, storage)
    const needed = entries.some(
      (entry) =>
        spent.has(locationOf(entry)) &&
        others.some(
          (each) => dayOf(each) === dayOf(entry) && Number(each.sequence) <= Number(entry.sequence),
        ),
    )
    if (!needed) found.push({ manifest, entries })
  }
  return found
}

/** Writes the live entries of manifests into fewer ones, in the order of their days. */
export async function prepareMerge(
  table: Table,
  paths: ReadonlySet<string>,
  ports: Ports,
): Promise<PreparedRewrite> {
  const snapshotId = newSnapshotId(ports.random)
  const old = table.manifests.filter(({ path }) => paths.has(path))
  const manifests: ManifestFile[] = []
  for (const specId of new Set(old.map((each) => each.specId))) {
    const same = old.filter((each) => each.specId === specId)
    manifests.push(...(await mergeManifests(table, same, snapshotId, ports)))
  }
  return {
    snapshotId,
    replaced: new Set(old.map(({ path }) => path)),
    manifests,
    deletes: new Set(),
    removed: [],
    refused: [],
    change: { files: 0, rows: 0, bytes: 0, deleteFiles: 0, positionDeletes: 0 },
    summary: {
      'manifests-created': String(manifests.length),
      'manifests-kept': String(table.manifests.length - old.length),
      'manifests-replaced': String(old.length),
      'entries-processed': String(manifests.reduce((sum, each) => sum + each.existingFiles, 0)),
    },
  }
}

/** The table after the replacement; undefined when it has to be prepared again. */
export async function stageRewrite(
  table: Table,
  metadata: Metadata,
  prepared: PreparedRewrite,
  now: number,
  ports: Ports,
): Promise<Staged | undefined> {
  const { replaced, manifests, snapshotId, removed } = prepared
  const present = new Set(table.manifests.map(({ path }) => path))
  if ([...replaced].some((path) => !present.has(path))) return undefined
  if (removed.length > 0) {
    if ([...deletePaths(table)].some((path) => !prepared.deletes.has(path))) return undefined
  }
  const parent = currentSnapshot(metadata)
  const kept = table.manifests.filter(({ path }) => !replaced.has(path))
  return stageSnapshot(metadata, [...manifests, ...kept], ports, {
    snapshotId,
    now,
    summary: {
      operation: 'replace',
      ...prepared.summary,
      ...totals(parent, prepared.change),
      ...carriedSummary(parent?.summary ?? {}),
      ...lastCheckpoint(metadata),
    },
  })
}

/** What headwater says of a snapshot holds for one with the same rows: the log offset above all. */
function carriedSummary(summary: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(summary).filter(([key]) => key.startsWith('headwater.')))
}

interface Holder {
  readonly manifest: ManifestFile
  /** Its live entries, as they are carried into another manifest. */
  readonly entries: readonly ManifestEntry[]
}

/** Manifests that may hold files of the replacements, by their days. */
async function holdersOf(
  table: Table,
  replacements: readonly Replacement[],
  { storage }: Ports,
): Promise<Holder[]> {
  const holders: Holder[] = []
  for (const manifest of table.manifests) {
    if (manifest.content !== 0 || !isOwnSpec(table.metadata, manifest.specId)) continue
    const days = daysOf(manifest)
    const may = replacements.some(
      ({ day }) => days === undefined || (days[0] <= day && day <= days[1]),
    )
    if (may) holders.push({ manifest, entries: await existingEntries(manifest, storage) })
  }
  return holders
}

/** Entries of the new files. */
async function replacingEntries(
  table: Table,
  replacements: readonly Replacement[],
  snapshotId: number,
  ports: Ports,
): Promise<ManifestEntry[]> {
  const entries: ManifestEntry[] = []
  for (const { added, sequence, deleted } of replacements) {
    // The number of the snapshot that was read: equality deletes committed since concern the new files as they did the old ones.
    // Files that left out deleted rows are newer than those deletes; of such, none may have come since.
    const number = deleted ? null : sequence
    entries.push(...(await addedEntries(table, added, { snapshotId, sequence: number }, ports)))
  }
  return entries
}

/** Whether deletes were committed after a replacement read its files, which it does not heed. */
async function newDeletes(
  table: Table,
  replacements: readonly Replacement[],
  { storage }: Ports,
): Promise<(replacement: Replacement) => boolean> {
  const first = Math.min(...replacements.map(({ sequence }) => sequence))
  const newest = { position: -Infinity, any: -Infinity }
  for (const manifest of table.manifests) {
    if (manifest.content === 0 || Number(manifest.sequence) <= first) continue
    for (const entry of await readManifest(manifest, storage)) {
      const sequence = Number(entry.sequence ?? manifest.sequence)
      newest.any = Math.max(newest.any, sequence)
      if (entry.dataFile['content'] === 1) newest.position = Math.max(newest.position, sequence)
    }
  }
  // Equality deletes find their rows in the new files too, by the sequence number, unless these have a new one.
  return ({ sequence, deleted }) => (deleted ? newest.any : newest.position) > sequence
}

function deletePaths({ manifests }: Table): Set<string> {
  return new Set(manifests.flatMap(({ content, path }) => (content === 0 ? [] : [path])))
}

function locationOf({ dataFile }: ManifestEntry): string {
  return dataFile['file_path'] as string
}
