/** Removes objects of tables that no snapshot names: of crashes by their age, of rewrites once their time is over. In doubt, nothing. */
import { error, HeadwaterError } from '../base/errors.ts'
import { failed, ok, type Result } from '../base/result.ts'
import { collects } from './expire.ts'
import { decoded, decodeManifestList, type ManifestFile } from './manifest.ts'
import { formsOf, isInside, plainForm } from './places.ts'
import { folderOf, join, nameOf, type Storage, type StoredObject } from './storage.ts'
import { readManifest, type Table } from './write-manifest.ts'

export interface Swept {
  readonly objects: number
  readonly bytes: number
}

export interface SweepOptions {
  /** Objects modified later than this stay, ms since 1970. */
  readonly before: number
  /** Objects that stay although no snapshot names them. */
  readonly spare: (table: string, location: string) => boolean
  /** The tables as they are after the listing, where somebody else may have committed meanwhile. */
  readonly lookAgain?: () => Promise<Result<readonly Table[]>>
}

/**
 * Sweeps the folders of headwater's tables. `others` are those of other engines, whose own folders are left to these. Fails, with nothing
 * removed, when any object that names others cannot be read.
 */
export async function sweepTables(
  tables: readonly Table[],
  others: readonly Table[],
  storage: Storage,
  options: SweepOptions,
): Promise<Result<Swept>> {
  const old: StoredObject[] = []
  const all = [...tables, ...others]
  for (const table of tables) old.push(...(await oldObjects(table, all, storage, options)))
  if (old.length === 0) return ok({ objects: 0, bytes: 0 })
  const now = (await options.lookAgain?.()) ?? ok(tables)
  if (!now.ok) return now
  // A table may name what lies in another's folder.
  const named = await namedObjects([...now.value, ...others], storage)
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

/** A data file, manifest or manifest list by the names that headwater gives. */
export function hasOurName(location: string): boolean {
  return OUR_NAME.test(nameOf(location))
}

const UUID = '[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}'
const OUR_NAME = new RegExp(`^(${UUID}\\.parquet|${UUID}-m0\\.avro|snap-\\d+-1-${UUID}\\.avro)$`)

/** Objects in the folder of a table, but for those in another's folder inside it. */
async function oldObjects(
  { name, metadata }: Table,
  tables: readonly Table[],
  storage: Storage,
  { before, spare }: SweepOptions,
): Promise<StoredObject[]> {
  if (!collects(metadata)) return []
  const inside = tables
    .map((each) => `${each.metadata.location}/`)
    .filter((folder) => folder.startsWith(`${metadata.location}/`))
    .filter((folder) => folder !== `${metadata.location}/`)
  const old: StoredObject[] = []
  for await (const object of storage.list(metadata.location)) {
    const others = inside.some((folder) => object.location.startsWith(folder))
    if (object.modified < before && !others && !spare(name, object.location)) old.push(object)
  }
  return old
}

/**
 * Of objects in its folder that left a table those that no snapshot names, its own, of one of `tables` at the same place, or of one of `others`, wherever
 * that lies; they are removed.
 */
export async function removeUnnamed(
  candidates: readonly string[],
  table: Table,
  tables: readonly Table[],
  others: readonly Table[],
  storage: Storage,
): Promise<Result<readonly string[]>> {
  // What lies elsewhere was only lent to the table, and may be anybody's.
  const own = candidates.filter((location) => isInside(table.metadata.location, location))
  if (own.length === 0 || !collects(table.metadata)) return ok([])
  const place = (each: Table): string => `${plainForm(each.metadata.location)}/`
  const near = tables.filter(
    (each) => place(each).startsWith(place(table)) || place(table).startsWith(place(each)),
  )
  const named = await namedObjects([...near, ...others], storage)
  if (!named.ok) return named
  const unnamed = own.filter((location) => !formsOf(location).some((form) => named.value.has(form)))
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
      for (const manifest of decoded(list, await storage.read(list), decodeManifestList)) {
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
