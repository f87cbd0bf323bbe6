/** Removes objects of tables that no snapshot names: of crashes by their age, of rewrites once their time is over. In doubt, nothing. */
import { error, HeadwaterError } from '../base/errors.ts'
import { failed, ok, type Result } from '../base/result.ts'
import { collects } from './expire.ts'
import { decodeManifestList, type ManifestFile } from './manifest.ts'
import { folderOf, join, nameOf, type Storage } from './storage.ts'
import { readManifest, type Table } from './write-manifest.ts'

export interface Swept {
  readonly objects: number
  readonly bytes: number
}

export interface SweepOptions {
  /** Every table of the catalog, since one may name what lies in another's folder. */
  readonly all: readonly Table[]
  /** Objects modified later than this stay, ms since 1970. */
  readonly before: number
  /** Objects that stay although no snapshot names them. */
  readonly spare: (location: string) => boolean
}

/** Sweeps the folder of a table. Fails, with nothing removed, when any object that names others cannot be read. */
export async function sweepTable(
  table: Table,
  storage: Storage,
  { all, before, spare }: SweepOptions,
): Promise<Result<Swept>> {
  if (!collects(table.metadata)) return ok({ objects: 0, bytes: 0 })
  const { location: folder } = table.metadata
  const inside = all
    .map(({ metadata }) => metadata.location)
    .filter((each) => each !== folder && each.startsWith(`${folder}/`))
  const old: { location: string; bytes: number }[] = []
  for await (const { location, bytes, modified } of storage.list(folder)) {
    const others = inside.some((each) => location.startsWith(`${each}/`))
    if (modified < before && !others && !spare(location)) old.push({ location, bytes })
  }
  if (old.length === 0) return ok({ objects: 0, bytes: 0 })
  const named = await namedObjects(all, storage)
  if (!named.ok) return named
  let [objects, bytes] = [0, 0]
  for (const orphan of old) {
    if (formsOf(orphan.location).some((form) => named.value.has(form))) continue
    await storage.remove(orphan.location)
    objects++
    bytes += orphan.bytes
  }
  return ok({ objects, bytes })
}

/** Of `candidates` those that no snapshot of any table names; they are removed. */
export async function removeUnnamed(
  candidates: readonly string[],
  all: readonly Table[],
  storage: Storage,
): Promise<Result<readonly string[]>> {
  if (candidates.length === 0) return ok([])
  const named = await namedObjects(all, storage)
  if (!named.ok) return named
  const unnamed = candidates.filter(
    (location) => !formsOf(location).some((form) => named.value.has(form)),
  )
  for (const location of unnamed) await storage.remove(location)
  return ok(unnamed)
}

/** Every object that the tables name, in every form; a failure when that cannot be known for certain. */
async function namedObjects(
  tables: readonly Table[],
  storage: Storage,
): Promise<Result<ReadonlySet<string>>> {
  const named = new Set<string>()
  for (const table of tables) {
    const objects = await objectsOf(table, storage)
    if (!objects.ok) return objects
    for (const location of objects.value) for (const form of formsOf(location)) named.add(form)
  }
  return ok(named)
}

/** Every object that a table names, as it names them; a failure when that cannot be known for certain. */
export async function objectsOf(
  table: Table,
  storage: Storage,
): Promise<Result<ReadonlySet<string>>> {
  const named = new Set(metadataObjects(table))
  try {
    const manifests = new Map<string, ManifestFile>()
    for (const { 'manifest-list': list } of table.metadata.snapshots) {
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
    return ok(named)
  } catch (cause) {
    if (cause instanceof HeadwaterError) return failed(cause)
    const message = cause instanceof Error ? cause.message : String(cause)
    return failed(error('lake_invalid', `Nothing is removed: ${message}.`, cause))
  }
}

/** Objects that the metadata itself names. */
function metadataObjects({ metadata, file, number }: Table): string[] {
  const folder = folderOf(file)
  const linkOf = (version: number): string => join(folder, `v${version}.metadata.json`)
  const log = metadata['metadata-log'].flatMap((entry) => {
    const location = entry['metadata-file']
    return [location, linkOf(Number.parseInt(nameOf(location), 10))]
  })
  const statistics = [
    ...(metadata.statistics ?? []),
    ...(metadata['partition-statistics'] ?? []),
  ].map((each) => each['statistics-path'])
  return [file, linkOf(number), join(folder, 'version-hint.text'), ...log, ...statistics]
}

/**
 * Every way in which writers name the same object: `file:/a`, `file:///a`, `file://localhost/a` and `/a`; with `%20` decoded and, since some
 * writers do not encode, as it stands; `s3a:` and `s3n:` as `s3:`.
 */
export function formsOf(location: string): string[] {
  if (location.startsWith('file:') || location.startsWith('/')) {
    const raw = location.replace(/^file:(\/\/localhost)?/, '').replace(/^\/+/, '/')
    if (!location.startsWith('file:')) return [raw]
    try {
      return [raw, decodeURIComponent(raw)]
    } catch {
      return [raw]
    }
  }
  return [location.replace(/^s3[an]:/, 's3:')]
}
