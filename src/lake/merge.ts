/** Merges manifests: their live entries in the order of their days, cut where a day ends, so that readers of a day open few of them. */
import { limits } from '../base/limits.ts'
import type { ManifestEntry, ManifestFile } from './manifest.ts'
import type { Id } from './metadata.ts'
import { dayOf, existingEntries, type Ports, type Table, writeManifest } from './write-manifest.ts'

/** Size of a manifest as a power of `manifestsPerTierMax` files. */
export function manifestTier({
  addedFiles,
  existingFiles,
}: Pick<ManifestFile, 'addedFiles' | 'existingFiles'>): number {
  const files = Math.max(1, addedFiles + existingFiles)
  return Math.floor(Math.log(files) / Math.log(limits.manifestsPerTierMax) + 1e-9)
}

/** Writes the live entries of manifests of one own spec into as few others as `manifestEntriesMax` allows; none where nothing lives. */
export async function mergeManifests(
  table: Table,
  manifests: readonly ManifestFile[],
  snapshotId: Id,
  ports: Ports,
): Promise<ManifestFile[]> {
  const specId = manifests[0]?.specId ?? 0
  const entries: ManifestEntry[] = []
  for (const manifest of manifests) {
    entries.push(...(await existingEntries(manifest, ports.storage)))
  }
  const merged: ManifestFile[] = []
  for (const part of cutByDay(entries, limits.manifestEntriesMax)) {
    merged.push(await writeManifest(table, part, { specId, snapshotId, content: 0 }, ports))
  }
  return merged
}

/** Entries by day in parts of at most `most`, unless one day alone has more; a day is in one part. */
export function cutByDay(entries: readonly ManifestEntry[], most: number): ManifestEntry[][] {
  const days = new Map<number, ManifestEntry[]>()
  for (const entry of entries) {
    const day = dayOf(entry) ?? -Infinity
    const same = days.get(day)
    if (same === undefined) days.set(day, [entry])
    else same.push(entry)
  }
  const parts: ManifestEntry[][] = []
  for (const [, ofDay] of [...days].sort(([a], [b]) => a - b)) {
    const last = parts.at(-1)
    if (last === undefined || last.length + ofDay.length > most) parts.push([...ofDay])
    else last.push(...ofDay)
  }
  return parts
}
