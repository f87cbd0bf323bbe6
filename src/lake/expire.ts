/** Forgets old snapshots inside a commit, and removes the metadata files that nothing names any more after it. */
import { limits } from '../base/limits.ts'
import type { Table } from './append.ts'
import type { Id, Metadata } from './metadata.ts'
import { folderOf, join, nameOf, type Storage } from './storage.ts'

/**
 * Metadata without the snapshots that are too old to be read; the newest `snapshotsMin` and every ref's stay. The table's own property
 * for their age goes before ours.
 */
export function expireSnapshots(metadata: Metadata, now: number): Metadata {
  const { snapshots } = metadata
  const named = new Set(Object.values(metadata.refs).map((ref) => ref['snapshot-id'] as Id))
  const own = Number(metadata.properties['history.expire.max-snapshot-age-ms'] ?? NaN)
  const oldest = now - (own >= 0 ? own : limits.snapshotAgeMs)
  const kept = snapshots.filter(
    (snapshot, i) =>
      snapshot['timestamp-ms'] >= oldest ||
      i >= snapshots.length - limits.snapshotsMin ||
      named.has(snapshot['snapshot-id']),
  )
  if (kept.length === snapshots.length) return metadata
  const ids = new Set(kept.map((snapshot) => snapshot['snapshot-id']))
  // The log must not name a snapshot that is gone, nor have a hole: it loses everything up to the last one removed.
  const log = metadata['snapshot-log']
  const lastGone = log.findLastIndex((entry) => !ids.has(entry['snapshot-id']))
  return { ...metadata, snapshots: kept, 'snapshot-log': log.slice(lastGone + 1) }
}

/** Metadata that remembers the file before it; the oldest beyond `metadataLogMax` are forgotten. */
export function logMetadata(metadata: Metadata, previous: Table): Metadata {
  const entry = {
    'timestamp-ms': previous.metadata['last-updated-ms'],
    'metadata-file': previous.file,
  }
  const log = [...metadata['metadata-log'], entry]
  return { ...metadata, 'metadata-log': log.slice(-limits.metadataLogMax) }
}

/**
 * What a commit left without a name: lists of expired snapshots, old metadata files, and manifests that were merged away once no
 * snapshot that named them is left.
 */
export class Garbage {
  /** Merged manifests by table: path, and the last sequence number that a snapshot naming it can have. */
  readonly #merged = new Map<string, { readonly path: string; readonly until: number }[]>()

  /** Locations that can be removed now that `after` has replaced `before`. */
  collect(before: Table, after: Table): string[] {
    const live = new Set(after.metadata.snapshots.map((snapshot) => snapshot['snapshot-id']))
    const lists = before.metadata.snapshots
      .filter((snapshot) => !live.has(snapshot['snapshot-id']))
      .map((snapshot) => snapshot['manifest-list'])
    return [...lists, ...oldMetadata(before, after), ...this.#manifests(before, after)]
  }

  #manifests(before: Table, after: Table): string[] {
    const present = new Set(after.manifests.map((manifest) => manifest.path))
    const until = before.metadata['last-sequence-number']
    const merged = this.#merged.get(after.name) ?? []
    for (const { path: location } of before.manifests) {
      if (!present.has(location)) merged.push({ path: location, until })
    }
    const [oldest] = after.metadata.snapshots
    const first = oldest?.['sequence-number'] ?? 0
    this.#merged.set(
      after.name,
      merged.filter((manifest) => manifest.until >= first),
    )
    return merged.filter((manifest) => manifest.until < first).map(({ path: file }) => file)
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
