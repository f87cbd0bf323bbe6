/** Removes files that crashes left without a name: in no snapshot and too old to belong to a commit under way. */
import type { Clock } from '../base/clock.ts'
import { HeadwaterError } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import { readManifest, type Table } from './append.ts'
import { decodeManifestList, type ManifestFile } from './manifest.ts'
import { folderOf, join, nameOf, type Storage } from './storage.ts'

/** Sweeps the folders of tables; answers how many objects went. */
export async function sweepOrphans(
  tables: readonly Table[],
  storage: Storage,
  clock: Clock,
): Promise<number> {
  let removed = 0
  for (const table of tables) {
    const candidates = await oldObjects(table, storage, clock.wall() - limits.orphanAgeMs)
    if (candidates.length === 0) continue
    const named = await namedObjects(table, storage)
    if (named === undefined) continue
    for (const location of candidates) {
      if (named.has(storage.identity(location))) continue
      await storage.remove(location)
      removed++
    }
  }
  return removed
}

async function oldObjects(table: Table, storage: Storage, before: number): Promise<string[]> {
  const old: string[] = []
  for await (const { location, modified } of storage.list(table.metadata.location)) {
    if (modified < before) old.push(location)
  }
  return old
}

/** Every object that a snapshot of the table names; undefined when that cannot be known for certain. */
async function namedObjects(table: Table, storage: Storage): Promise<Set<string> | undefined> {
  const { metadata, number } = table
  const folder = folderOf(table.file)
  const named = new Set([table.file, join(folder, 'version-hint.text')])
  named.add(join(folder, `v${number}.metadata.json`))
  for (const entry of metadata['metadata-log']) {
    const file = entry['metadata-file']
    named.add(file)
    named.add(join(folder, `v${Number.parseInt(nameOf(file), 10)}.metadata.json`))
  }
  try {
    const manifests = new Map<string, ManifestFile>()
    for (const snapshot of metadata.snapshots) {
      const list = snapshot['manifest-list']
      named.add(list)
      for (const manifest of decodeManifestList(await storage.read(list))) {
        manifests.set(manifest.path, manifest)
      }
    }
    for (const manifest of manifests.values()) {
      named.add(manifest.path)
      for (const { dataFile } of await readManifest(manifest, storage)) {
        named.add(dataFile['file_path'] as string)
      }
    }
    return new Set([...named].map((location) => storage.identity(location)))
  } catch (cause) {
    if (cause instanceof HeadwaterError) return undefined
    throw cause
  }
}
