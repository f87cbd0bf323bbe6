/** Forgets old snapshots inside a commit, and keeps count of the objects that nothing names any more after it. */
import { limits } from '../base/limits.ts'
import type { Table } from './write-manifest.ts'
import type { Id, Metadata, Snapshot, StatisticsFile } from './metadata.ts'
import { isInside, plainForm } from './places.ts'
import { folderOf, join, nameOf, type Storage } from './storage.ts'

/** How long snapshots stay. A table's own properties go before these. */
export interface HistoryPolicy {
  /** Age up to which every snapshot stays, ms; `history.expire.max-snapshot-age-ms`. */
  readonly snapshotAgeMs: number
  /** Newest ones of a branch that stay whatever their age; `history.expire.min-snapshots-to-keep`. */
  readonly snapshotsMin: number
  /** Of older ones one per this time stays, ms; `headwater.history.keep-every-ms`. */
  readonly keepEveryMs: number
  /** For this long, ms; 0: none of them; `headwater.history.keep-for-ms`. */
  readonly keepForMs: number
}

export const HISTORY: HistoryPolicy = {
  snapshotAgeMs: limits.snapshotAgeMs,
  snapshotsMin: limits.snapshotsMin,
  keepEveryMs: limits.snapshotEveryMs,
  keepForMs: limits.snapshotKeepMs,
}

type Refs = Metadata['refs']

/** Metadata without the snapshots and refs that are too old; unchanged when there are none, or the table forbids it (`gc.enabled`). */
export function expireSnapshots(
  metadata: Metadata,
  now: number,
  defaults: HistoryPolicy = HISTORY,
): Metadata {
  if (!collects(metadata)) return metadata
  const byId = new Map(metadata.snapshots.map((snapshot) => [snapshot['snapshot-id'], snapshot]))
  const refs = liveRefs(metadata, byId, now)
  const ids = keptIds(metadata, refs, byId, now, policyOf(metadata.properties, defaults))
  const sameRefs = Object.keys(refs).length === Object.keys(metadata.refs).length
  if (ids.size === metadata.snapshots.length && sameRefs) return metadata
  const snapshots = metadata.snapshots.filter((snapshot) => ids.has(snapshot['snapshot-id']))
  // The log must not name a snapshot that is gone, nor have a hole: it loses everything up to the last one removed.
  const log = metadata['snapshot-log']
  const lastGone = log.findLastIndex((entry) => !ids.has(entry['snapshot-id']))
  return {
    ...metadata,
    ...statisticsOf(metadata, ids),
    refs,
    snapshots,
    'snapshot-log': log.slice(lastGone + 1),
  }
}

/** Whether objects and history of the table may be removed. */
export function collects(metadata: Metadata): boolean {
  return metadata.properties['gc.enabled'] !== 'false'
}

function policyOf(
  properties: Readonly<Record<string, string>>,
  defaults: HistoryPolicy,
): HistoryPolicy {
  const read = (name: string, fallback: number): number => {
    const value = Number(properties[name] ?? NaN)
    return Number.isFinite(value) && value >= 0 ? value : fallback
  }
  return {
    snapshotAgeMs: read('history.expire.max-snapshot-age-ms', defaults.snapshotAgeMs),
    snapshotsMin: Math.max(1, read('history.expire.min-snapshots-to-keep', defaults.snapshotsMin)),
    keepEveryMs: read('headwater.history.keep-every-ms', defaults.keepEveryMs),
    keepForMs: read('headwater.history.keep-for-ms', defaults.keepForMs),
  }
}

function liveRefs(metadata: Metadata, byId: ReadonlyMap<Id, Snapshot>, now: number): Refs {
  const most = Number(metadata.properties['history.expire.max-ref-age-ms'] ?? Infinity)
  return Object.fromEntries(
    Object.entries(metadata.refs).filter(([name, ref]) => {
      const snapshot = byId.get(ref['snapshot-id'])
      if (name === 'main') return true
      if (snapshot === undefined) return false
      return now - snapshot['timestamp-ms'] <= (ref['max-ref-age-ms'] ?? most)
    }),
  )
}

/** The rules of the Iceberg specification ("Snapshot retention policy"), and of older snapshots the newest of each period. */
function keptIds(
  metadata: Metadata,
  refs: Refs,
  byId: ReadonlyMap<Id, Snapshot>,
  now: number,
  policy: HistoryPolicy,
): Set<Id> {
  const kept = new Set<Id>()
  const reached = new Set<Id>()
  for (const ref of Object.values(refs)) {
    const head = byId.get(ref['snapshot-id'])
    if (head === undefined) continue
    kept.add(head['snapshot-id'])
    if (ref['type'] === 'tag') continue
    const most = ref['min-snapshots-to-keep'] ?? policy.snapshotsMin
    const oldest = now - (ref['max-snapshot-age-ms'] ?? policy.snapshotAgeMs)
    // Not `reached`, which other branches have filled: metadata that is in a circle must end too.
    const line = new Set<Id>()
    for (let each: Snapshot | undefined = head; each !== undefined;) {
      const id = each['snapshot-id']
      const stays = line.size < most || each['timestamp-ms'] >= oldest
      if (stays) kept.add(id)
      else if (reached.has(id)) break
      line.add(id)
      reached.add(id)
      const parent: Id | undefined = each['parent-snapshot-id']
      each = parent === undefined || line.has(parent) ? undefined : byId.get(parent)
    }
  }
  const periods = new Map<number, Id>()
  for (const { 'snapshot-id': id, 'timestamp-ms': time } of metadata.snapshots) {
    if (!reached.has(id) && time >= now - policy.snapshotAgeMs) kept.add(id)
    const old = time < now - policy.snapshotAgeMs && time >= now - policy.keepForMs
    if (old && policy.keepEveryMs > 0) periods.set(Math.floor(time / policy.keepEveryMs), id)
  }
  for (const id of periods.values()) kept.add(id)
  return kept
}

/** Statistics files of snapshots that stay. */
function statisticsOf(
  metadata: Metadata,
  ids: ReadonlySet<Id>,
): Pick<Metadata, 'statistics' | 'partition-statistics'> {
  const { statistics, 'partition-statistics': partitions } = metadata
  const live = (files: readonly StatisticsFile[]): StatisticsFile[] =>
    files.filter((file) => ids.has(file['snapshot-id']))
  return {
    ...(statistics === undefined ? {} : { statistics: live(statistics) }),
    ...(partitions === undefined ? {} : { 'partition-statistics': live(partitions) }),
  }
}

/** Metadata that remembers the file before it; the oldest beyond `metadataLogMax` are forgotten. */
export function logMetadata(
  metadata: Metadata,
  previous: Pick<Table, 'file' | 'metadata'>,
  most: number = limits.metadataLogMax,
): Metadata {
  const entry = {
    'timestamp-ms': previous.metadata['last-updated-ms'],
    'metadata-file': previous.file,
  }
  const log = [...metadata['metadata-log'], entry]
  return { ...metadata, 'metadata-log': log.slice(-most) }
}

/**
 * Manifests and data files that left the current snapshot of a table. Older snapshots may name them still: they are removed when
 * none does (sweep.ts). Kept in memory; what a process forgets at its end, the sweep finds by age.
 */
export class Garbage {
  /** Table → location → wall clock when it left, ms. */
  readonly #left = new Map<string, Map<string, number>>()

  /** Takes note of what left; beyond `garbageMax` objects it is the sweep's. */
  note(table: string, locations: Iterable<string>, now: number): void {
    const left = this.#left.get(table) ?? new Map<string, number>()
    this.#left.set(table, left)
    for (const location of locations) {
      if (left.size < limits.garbageMax) left.set(location, now)
    }
  }

  /** What left a table before a time. */
  leftBefore(table: string, time: number): string[] {
    const left = [...(this.#left.get(table) ?? [])]
    return left.flatMap(([location, when]) => (when < time ? [location] : []))
  }

  /** Whether an object left the table so late that readers may still plan with it. */
  isFresh(table: string, location: string, time: number): boolean {
    return (this.#left.get(table)?.get(location) ?? -Infinity) >= time
  }

  forget(table: string, locations: Iterable<string>): void {
    for (const location of locations) this.#left.get(table)?.delete(location)
  }

  /** Takes note of manifests that `after` no longer has, and answers what only `before` named: lists and old metadata files. */
  collect(before: Table, after: Table, now: number): string[] {
    const present = new Set(after.manifests.map(({ path }) => path))
    const gone = before.manifests.map(({ path }) => path).filter((path) => !present.has(path))
    this.note(after.name, gone, now)
    if (!collects(after.metadata)) return []
    const listOf = (snapshot: Snapshot): string => snapshot['manifest-list']
    const lists = new Set(after.metadata.snapshots.map((each) => plainForm(listOf(each))))
    const old = before.metadata.snapshots.map(listOf)
    const unnamed = old.filter((list) => !lists.has(plainForm(list)))
    // What lies elsewhere was only lent to the table, and may be anybody's.
    return [...unnamed, ...oldMetadata(before, after)].filter((location) =>
      isInside(after.metadata.location, location),
    )
  }
}

function oldMetadata(before: Table, after: Table): string[] {
  const kept = new Set(after.metadata['metadata-log'].map((entry) => entry['metadata-file']))
  return before.metadata['metadata-log']
    .filter((entry) => !kept.has(entry['metadata-file']))
    .flatMap((entry) => {
      const file = entry['metadata-file']
      const number = /^(\d+)-/.exec(nameOf(file))?.[1]
      const link = join(folderOf(file), `v${Number(number)}.metadata.json`)
      return number === undefined ? [file] : [file, link]
    })
}

/** Removes objects; what cannot be removed is left for the sweep. */
export async function removeAll(locations: readonly string[], storage: Storage): Promise<void> {
  await Promise.all(locations.map((location) => storage.remove(location).catch(() => undefined)))
}
