/** A table as readers get at it: its history, the manifests of any snapshot, plans of what to read, and the bytes themselves. */
import { error } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import { failed, ok, type Result } from '../base/result.ts'
import { type CatalogFile, LEVELS, tableAt, tablesOf } from './catalog-file.ts'
import type { DeleteFile } from './delete-index.ts'
import {
  decoded,
  decodeManifest,
  decodeManifestList,
  type ManifestEntry,
  type ManifestFile,
} from './manifest.ts'
import {
  currentSchema,
  currentSnapshot,
  type Metadata,
  type Schema,
  type Snapshot,
} from './metadata.ts'
import type { Predicate } from './predicate.ts'
import { decodeVector } from './puffin.ts'
import { Planner, type ScanCounts, type ScanFile } from './scan.ts'
import type { Storage } from './storage.ts'
import { inherited, type Table } from './write-manifest.ts'

export interface Scan {
  /** Undefined: the table has no snapshot. */
  readonly snapshot: Snapshot | undefined
  readonly schema: Schema
  readonly files: readonly ScanFile[]
  readonly counts: ScanCounts
}

export interface ScanOptions {
  /** The one to read; the current one where it is left out. */
  readonly snapshot?: Snapshot | undefined
  /** The schema to read with; that of the snapshot where one is given, else the current one. */
  readonly schema?: Schema
  readonly predicate?: Predicate | undefined
  /** Paths of manifests of data that are passed over. */
  readonly without?: ReadonlySet<string>
}

/** Decoded manifests by location: they never change. The ones used longest ago go first. */
export class ManifestCache {
  readonly #entries = new Map<string, readonly ManifestEntry[]>()
  #count = 0

  async get(
    location: string,
    load: () => Promise<readonly ManifestEntry[]>,
  ): Promise<readonly ManifestEntry[]> {
    const known = this.#entries.get(location)
    const entries = known ?? (await load())
    if (!this.#entries.delete(location)) this.#count += entries.length + 1
    this.#entries.set(location, entries)
    for (const [oldest, old] of this.#entries) {
      if (this.#count <= limits.manifestCacheEntriesMax || oldest === location) break
      this.#entries.delete(oldest)
      this.#count -= old.length + 1
    }
    return entries
  }
}

/** Manifests of tables of one lake share a cache. Its methods reject with HeadwaterError `lake_invalid` or `unsupported`, or as storage does. */
export class TableReading {
  readonly name: string
  readonly metadata: Metadata
  /** Location of the metadata file. */
  readonly file: string
  readonly #storage: Storage
  readonly #cache: ManifestCache

  constructor(
    table: { readonly name: string; readonly metadata: Metadata; readonly file: string },
    storage: Storage,
    cache: ManifestCache,
  ) {
    this.name = table.name
    this.metadata = table.metadata
    this.file = table.file
    this.#storage = storage
    this.#cache = cache
  }

  /** The schema that a snapshot was written with. */
  schemaOf(snapshot: Snapshot): Schema {
    const id = snapshot['schema-id']
    const schema = this.metadata.schemas.find((each) => each['schema-id'] === id)
    return schema ?? currentSchema(this.metadata)
  }

  /** Every manifest of a snapshot. */
  async manifests(snapshot: Snapshot): Promise<ManifestFile[]> {
    const location: string | undefined = snapshot['manifest-list']
    if (location === undefined) {
      const detail = `Snapshot ${snapshot['snapshot-id']} of ${this.name} has no manifest list.`
      throw error('unsupported', detail)
    }
    return decoded(location, await this.#storage.read(location), decodeManifestList)
  }

  /** Entries of a manifest, deleted ones too, with the numbers that they inherit. */
  entries(manifest: ManifestFile): Promise<readonly ManifestEntry[]> {
    return this.#cache.get(manifest.path, async () => {
      const bytes = await this.#storage.read(manifest.path)
      return decoded(manifest.path, bytes, decodeManifest).map((entry) =>
        inherited(entry, manifest),
      )
    })
  }

  async scan(options: ScanOptions = {}): Promise<Scan> {
    const snapshot = options.snapshot ?? currentSnapshot(this.metadata)
    const schema =
      options.schema ??
      (options.snapshot === undefined
        ? currentSchema(this.metadata)
        : this.schemaOf(options.snapshot))
    const planner = new Planner(this.metadata, schema, options.predicate)
    const manifests = snapshot === undefined ? [] : await this.manifests(snapshot)
    for (const manifest of manifests.filter(({ content }) => content !== 0)) {
      if (!planner.wants(manifest)) continue
      for (const entry of await this.entries(manifest)) planner.takeDelete(entry, manifest)
    }
    for (const manifest of manifests.filter(({ content }) => content === 0)) {
      if (options.without?.has(manifest.path) === true || !planner.wants(manifest)) continue
      for (const entry of await this.entries(manifest)) planner.takeData(entry, manifest)
    }
    return { snapshot, schema, files: planner.files, counts: planner.counts() }
  }

  /** Absolute path of a local file with an object's bytes. */
  local(location: string): Promise<string> {
    return this.#storage.local(location)
  }

  /** Positions that a deletion vector deletes in a data file. */
  async vector(deletes: DeleteFile, file: ScanFile): Promise<Float64Array> {
    const bytes = await this.#storage.read(deletes.location)
    const expected = { count: deletes.rows, rows: file.rows }
    return decoded(deletes.location, bytes, (raw) => decodeVector(raw, deletes, expected))
  }
}

/** What a version of a catalog has for readers. */
interface Readable {
  readonly catalog: CatalogFile
  readonly tables: ReadonlyMap<string, Pick<Table, 'metadata' | 'file'>>
}

/** Gives out the tables of a lake that is its own catalog: headwater's, and those of other engines in other namespaces. */
export class Readings {
  readonly #cache = new ManifestCache()
  readonly #storage: Storage
  readonly #namespace: string
  readonly #metadata: (location: string) => Promise<Result<Metadata>>

  constructor(
    { storage, namespace }: { readonly storage: Storage; readonly namespace: string },
    metadata: (location: string) => Promise<Result<Metadata>>,
  ) {
    this.#storage = storage
    this.#namespace = namespace
    this.#metadata = metadata
  }

  /** `namespace` has its levels between dots. `table_unknown` when there is none; `lake_invalid` when it cannot be read. */
  async of(
    version: Readable | undefined,
    name: string,
    namespace: string | undefined,
  ): Promise<Result<TableReading>> {
    const key = namespace?.replaceAll('.', LEVELS) ?? this.#namespace
    const own = key === this.#namespace ? version?.tables.get(name) : undefined
    if (own !== undefined) return ok(new TableReading({ ...own, name }, this.#storage, this.#cache))
    const file =
      version === undefined ? undefined : tableAt(version.catalog, { namespace: key, name })
    if (file === undefined) {
      const full = namespace === undefined ? name : `${namespace}.${name}`
      return failed(error('table_unknown', `There is no table ${full}.`))
    }
    const metadata = await this.#metadata(file)
    if (!metadata.ok) return metadata
    const table = { name, metadata: metadata.value, file }
    return ok(new TableReading(table, this.#storage, this.#cache))
  }

  /** Tables outside the own namespace, as `namespace.table`. */
  others(version: Readable | undefined): string[] {
    if (version === undefined) return []
    return [...tablesOf(version.catalog)]
      .filter(({ namespace }) => namespace !== this.#namespace)
      .map(({ namespace, name }) => `${namespace.replaceAll(LEVELS, '.')}.${name}`)
  }
}
