/** Removes files that crashes left without a name: in no snapshot and too old to belong to a commit under way. */
import path from 'node:path'
import type { Clock } from '../base/clock.ts'
import { HeadwaterError } from '../base/errors.ts'
import type { Files } from '../base/files.ts'
import { limits } from '../base/limits.ts'
import { pathOf, readManifest, type Table } from './append.ts'
import { decodeManifestList, type ManifestFile } from './manifest.ts'

/** Sweeps the folders of tables; answers how many files went. */
export async function sweepOrphans(
  tables: readonly Table[],
  files: Files,
  clock: Clock,
): Promise<number> {
  let removed = 0
  for (const table of tables) {
    const candidates = await oldFiles(table, files, clock.wall() - limits.orphanAgeMs)
    if (candidates.length === 0) continue
    const named = await namedFiles(table, files)
    if (named === undefined) continue
    for (const file of candidates) {
      if (named.has(file)) continue
      await files.remove(file)
      removed++
    }
  }
  return removed
}

async function oldFiles(table: Table, files: Files, before: number): Promise<string[]> {
  const data = path.join(table.folder, 'data')
  const days = (await files.list(data)).map((day) => path.join(data, day))
  const old: string[] = []
  for (const folder of [path.join(table.folder, 'metadata'), ...days]) {
    for (const name of await files.list(folder)) {
      const file = path.join(folder, name)
      const info = await files.info(file)
      if (info !== undefined && !info.directory && info.modified < before) old.push(file)
    }
  }
  return old
}

/** Every file that a snapshot of the table names; undefined when that cannot be known for certain. */
async function namedFiles(table: Table, files: Files): Promise<Set<string> | undefined> {
  const { metadata, number } = table
  const folder = path.join(table.folder, 'metadata')
  const named = new Set([pathOf(table.file), path.join(folder, 'version-hint.text')])
  named.add(path.join(folder, `v${number}.metadata.json`))
  for (const entry of metadata['metadata-log']) {
    const file = pathOf(entry['metadata-file'])
    named.add(file)
    named.add(path.join(folder, `v${Number.parseInt(path.basename(file), 10)}.metadata.json`))
  }
  try {
    const manifests = new Map<string, ManifestFile>()
    for (const snapshot of metadata.snapshots) {
      const list = pathOf(snapshot['manifest-list'])
      named.add(list)
      for (const manifest of decodeManifestList(await files.read(list))) {
        manifests.set(manifest.path, manifest)
      }
    }
    for (const manifest of manifests.values()) {
      named.add(pathOf(manifest.path))
      for (const { dataFile } of await readManifest(manifest, files)) {
        named.add(pathOf(dataFile['file_path'] as string))
      }
    }
    return named
  } catch (cause) {
    if (cause instanceof HeadwaterError) return undefined
    throw cause
  }
}
