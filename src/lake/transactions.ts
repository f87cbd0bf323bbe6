/** Changes of any namespaces, tables and views of a lake, all of each change at the one commit point; and what they build on. */
import type { Clock } from '../base/clock.ts'
import { error } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import { uuid } from '../base/random.ts'
import { failed, ok, type Result } from '../base/result.ts'
import { type CatalogFile, tablesOf } from './catalog-file.ts'
import { logMetadata, removeAll } from './expire.ts'
import { diskFailure } from './failure.ts'
import { loadTable, readList, readText } from './load.ts'
import type { ManifestFile } from './manifest.ts'
import { type Metadata, parseMetadata, stringifyMetadata } from './metadata.ts'
import { isInside } from './places.ts'
import { folderOf, join, nameOf } from './storage.ts'
import { objectsOf, removeUnnamed } from './sweep.ts'
import { parseView, stringifyView, type ViewMetadata } from './view.ts'
import { type Ports, readManifest, rowsOf, type Table } from './write-manifest.ts'

/**
 * What a catalog is to become, out of what it is; the same object for no change. It is called again when another writer was first. Files
 * that it stages are removed when nothing comes of it.
 */
export type CatalogEdit = (catalog: CatalogFile, stage: Stage) => Promise<Result<CatalogFile>>

/** A file as a manifest names it. */
export interface NamedFile {
  readonly location: string
  readonly rows: number
  /** Whether its rows delete others. */
  readonly deletes: boolean
}

export interface LakeCatalog {
  /** Location of the warehouse. */
  readonly root: string
  /** Folders beside it in which tables of other engines may lie. */
  readonly locations: readonly string[]
  /** Key of the namespace of headwater's own tables. */
  readonly namespace: string
  /** The newest version. */
  readonly current: CatalogFile
  /** Metadata of the table at a location; `lake_invalid` where there is none. */
  metadata(location: string): Promise<Result<Metadata>>
  view(location: string): Promise<Result<ViewMetadata>>
  /** Manifests that a manifest list names; `lake_invalid` where it cannot be read. */
  manifests(list: string): Promise<Result<readonly ManifestFile[]>>
  /** Data and delete files that live in a manifest. */
  filesOf(manifest: ManifestFile): Promise<Result<readonly NamedFile[]>>
  commit(edit: CatalogEdit): Promise<Result<CatalogFile>>
  /** Makes the folder in which a client will write the manifests of a new table; not every client makes it. */
  prepare(location: string): Promise<void>
  /** To be told when a commit to one of headwater's own tables has to be made again. */
  contended(): void
  /** Removes the objects of a table that was dropped, but none that another table names; answers how many went. */
  purge(location: string): Promise<Result<number>>
}

/** What the lake lends to its catalog. */
export interface Transactor extends Ports {
  readonly clock: Clock
  readonly namespace: string
  readonly locations?: readonly string[]
  catalog(): CatalogFile
  /** Headwater's own tables. */
  tables(): ReadonlyMap<string, Table>
  transact(edit: CatalogEdit, stage: () => Stage): Promise<Result<CatalogFile>>
  contended(): void
}

/** Writes metadata files under names that nothing refers to yet, for one attempt of one change. */
export class Stage {
  /** Whether the commit point was reached. */
  offered = false
  readonly #ports: Ports
  readonly #written: string[] = []
  readonly #obsolete: string[] = []

  constructor(ports: Ports) {
    this.#ports = ports
  }

  /** Writes the next metadata of a table; answers its location. */
  async table(
    metadata: Metadata,
    previous: { readonly file: string; readonly metadata: Metadata } | undefined,
  ): Promise<string> {
    const next =
      previous === undefined ? metadata : logMetadata(metadata, previous, logMaxOf(metadata))
    if (next.properties['write.metadata.delete-after-commit.enabled'] === 'true') {
      const kept = new Set(next['metadata-log'].map((entry) => entry['metadata-file']))
      for (const { 'metadata-file': file } of previous?.metadata['metadata-log'] ?? []) {
        // A log may name anything: what lies elsewhere stays.
        if (!kept.has(file) && isInside(next.location, file)) this.#obsolete.push(file)
      }
    }
    return this.#write(next, previous?.file, stringifyMetadata(next))
  }

  /** Writes the next metadata of a view; answers its location. */
  view(view: ViewMetadata, previous: string | undefined): Promise<string> {
    return this.#write(view, previous, stringifyView(view))
  }

  /** The change is committed: what it made useless can go. */
  async kept(): Promise<void> {
    await removeAll(this.#obsolete, this.#ports.storage)
  }

  /** Nothing refers to what was written, and nothing will. */
  async discard(): Promise<void> {
    await removeAll(this.#written.splice(0), this.#ports.storage)
  }

  async #write(
    of: { readonly location: string; readonly properties: Readonly<Record<string, string>> },
    previous: string | undefined,
    text: string,
  ): Promise<string> {
    const { storage, random } = this.#ports
    const number = previous === undefined ? 1 : numberOf(previous) + 1
    const folder = of.properties[METADATA_PATH] ?? join(of.location, 'metadata')
    const file = join(folder, `${number}-${uuid(random)}.metadata.json`)
    if (text.length > limits.metadataCharsMax) {
      const most = `more than ${limits.metadataCharsMax} characters of metadata`
      throw error('update_invalid', `${of.location} would have ${most}.`)
    }
    this.#written.push(file)
    await storage.write(file, text)
    await storage.settle(folderOf(file))
    return file
  }
}

/** The property of a table or view that says where its metadata files are to be. */
export const METADATA_PATH = 'write.metadata.path'

/** The number of a metadata file, in the forms of all writers: `3-…`, `00003-…`, `v3.…`; 0 where it has none. */
function numberOf(location: string): number {
  const number = Number(/^v?(\d{1,15})[-.]/.exec(nameOf(location))?.[1] ?? 0)
  return Number.isSafeInteger(number) ? number : 0
}

function logMaxOf({ properties }: Metadata): number {
  const wanted = Number(properties['write.metadata.previous-versions-max'] ?? NaN)
  return Number.isInteger(wanted)
    ? Math.min(Math.max(1, wanted), limits.metadataLogMax)
    : limits.metadataLogMax
}

export class Transactions implements LakeCatalog {
  readonly #of: Transactor
  /** Location → metadata, the oldest first. A metadata file never changes. */
  readonly #known = new Map<string, Metadata>()

  constructor(of: Transactor) {
    this.#of = of
  }

  get root(): string {
    return this.#of.storage.root
  }

  get namespace(): string {
    return this.#of.namespace
  }

  get locations(): readonly string[] {
    return this.#of.locations ?? []
  }

  get current(): CatalogFile {
    return this.#of.catalog()
  }

  commit(edit: CatalogEdit): Promise<Result<CatalogFile>> {
    return this.#of.transact(edit, () => new Stage(this.#of))
  }

  async prepare(location: string): Promise<void> {
    const { storage } = this.#of
    // An object store has no folders.
    if (storage.root.startsWith('file:')) await storage.spool(join(location, 'metadata'))
  }

  contended(): void {
    this.#of.contended()
  }

  async metadata(location: string): Promise<Result<Metadata>> {
    const own = this.#own(location)
    if (own !== undefined) return ok(own)
    const { storage } = this.#of
    // What is remembered of a file that is gone would only put off the trouble.
    if ((await storage.info(location)) === undefined) {
      const message = `Failed to open input stream for file: ${location}`
      return failed(error('metadata_missing', message))
    }
    const known = this.#known.get(location)
    if (known !== undefined) {
      this.#remember(location, known)
      return ok(known)
    }
    const text = await readText(location, storage)
    if (!text.ok) return text
    const parsed = parseMetadata(text.value, location)
    if (parsed.ok) this.#remember(location, parsed.value)
    return parsed
  }

  async view(location: string): Promise<Result<ViewMetadata>> {
    const text = await readText(location, this.#of.storage)
    return text.ok ? parseView(text.value, location) : text
  }

  manifests(list: string): Promise<Result<readonly ManifestFile[]>> {
    return readList(list, this.#of.storage)
  }

  async filesOf(manifest: ManifestFile): Promise<Result<readonly NamedFile[]>> {
    try {
      const entries = await readManifest(manifest, this.#of.storage)
      return ok(
        entries.map((entry) => ({
          location: entry.dataFile['file_path'] as string,
          rows: rowsOf(entry),
          deletes: manifest.content !== 0,
        })),
      )
    } catch (cause) {
      return failed(diskFailure(cause, manifest.path))
    }
  }

  /** Tables of other engines; fails when one cannot be read. */
  async others(): Promise<Result<readonly Table[]>> {
    const tables: Table[] = []
    for (const { namespace, name, location } of tablesOf(this.current)) {
      if (namespace === this.namespace) continue
      const table = await this.#foreign(name, location)
      if (table.ok) tables.push(table.value)
      // A table whose metadata is gone names nothing any more.
      else if (table.error.code !== 'metadata_missing') return table
    }
    return ok(tables)
  }

  async purge(location: string): Promise<Result<number>> {
    const table = await this.#foreign('dropped', location)
    if (!table.ok) return table
    const others = await this.others()
    if (!others.ok) return others
    const named = await objectsOf(table.value, this.#of.storage)
    if (!named.ok) return named
    const all = [...this.#of.tables().values(), ...others.value]
    const removed = await removeUnnamed([...named.value], table.value, [], all, this.#of.storage)
    return removed.ok ? ok(removed.value.length) : removed
  }

  #own(location: string): Metadata | undefined {
    for (const { file, metadata } of this.#of.tables().values()) {
      if (file === location) return metadata
    }
    return undefined
  }

  /** A table that other engines write: its manifests are not kept, since only a sweep asks for them. */
  async #foreign(name: string, location: string): Promise<Result<Table>> {
    const metadata = await this.metadata(location)
    if (!metadata.ok) return metadata
    const number = numberOf(location)
    return ok({ name, file: location, number, metadata: metadata.value, manifests: [] })
  }

  #remember(location: string, metadata: Metadata): void {
    this.#known.delete(location)
    this.#known.set(location, metadata)
    const [oldest] = this.#known.keys()
    if (this.#known.size > limits.catalogCacheEntriesMax) this.#known.delete(oldest!)
  }
}

/** Loads headwater's own tables of a catalog; those that are known already are not read again. */
export async function loadOwn(
  catalog: CatalogFile,
  namespace: string,
  known: ReadonlyMap<string, Table>,
  storage: Ports['storage'],
): Promise<Result<Map<string, Table>>> {
  const tables = new Map<string, Table>()
  for (const [name, location] of catalog.namespaces.get(namespace)?.tables ?? []) {
    const same = known.get(name)
    if (same?.file === location) {
      tables.set(name, same)
      continue
    }
    const loaded = await loadTable(name, location, storage)
    if (!loaded.ok) return loaded
    tables.set(name, loaded.value)
  }
  return ok(tables)
}

/** The failure of a change that would leave headwater's own tables unreadable: the client's, not the lake's. */
export function unreadable(detail: string): Result<never> {
  return failed(error('update_invalid', `The table could not be read after this: ${detail}`))
}
