/** The catalog: one small file per version that names every table's metadata. Linking it to its number is the commit point of the lake. */
import { error, HeadwaterError } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import { failed, ok, type Result } from '../base/result.ts'
import { type CatalogFile, EMPTY_CATALOG, parseCatalog, stringifyCatalog } from './catalog-file.ts'
import { takeovers } from './fence.ts'
import { join, type Storage } from './storage.ts'

export class Catalog {
  readonly #folder: string
  readonly #storage: Storage

  constructor(storage: Storage) {
    this.#folder = join(storage.root, 'catalog')
    this.#storage = storage
  }

  /** The newest version; the empty catalog where there is none. */
  async newest(): Promise<Result<CatalogFile>> {
    const versions = await this.#versions()
    const newest = versions.at(-1)
    return newest === undefined ? ok(EMPTY_CATALOG) : this.read(newest)
  }

  /** The newest version at or after a known one, found without listing the folder. */
  async newestFrom(known: CatalogFile): Promise<Result<CatalogFile>> {
    let version = known.version
    while ((await this.#storage.info(this.#file(version + 1))) !== undefined) version++
    if (version === known.version) return ok(known)
    const read = await this.read(version)
    // The file may have been removed as too old while it was looked for.
    return read.ok ? read : this.newest()
  }

  async read(version: number): Promise<Result<CatalogFile>> {
    const file = this.#file(version)
    let bytes: Uint8Array
    try {
      bytes = await this.#storage.read(file)
    } catch (cause) {
      if (cause instanceof HeadwaterError) return failed(cause)
      return failed(error('lake_invalid', `${file} cannot be read.`, cause))
    }
    return parseCatalog(Buffer.from(bytes).toString(), file, version)
  }

  /**
   * Publishes the next version. `ok(false)`: another writer has that number. Rejects when storage refuses before there is an
   * outcome; `commit_unknown` when it refuses after, or when there may be one: then the same version is to be published again.
   */
  async publish(next: CatalogFile): Promise<Result<boolean>> {
    // The commit point: before this the old version is the lake, after it the new one.
    const file = this.#file(next.version)
    try {
      if (await this.#storage.create(file, stringifyCatalog(next))) return await this.#durable()
    } catch (cause) {
      if (cause instanceof HeadwaterError && cause.code === 'commit_unknown') return failed(cause)
      throw cause
    }
    // It may be ours: the answer to an earlier request may have been lost.
    const winner = await this.read(next.version)
    if (!winner.ok) return failed(error('commit_unknown', `${file} cannot be read.`, winner.error))
    return winner.value.commit === next.commit ? this.#durable() : ok(false)
  }

  /** Makes published versions survive a power cut; `commit_unknown` when the disk refuses. */
  async #durable(): Promise<Result<true>> {
    try {
      await this.#storage.settle(this.#folder)
      return ok(true)
    } catch (cause) {
      return failed(error('commit_unknown', `${this.#folder} cannot be synced.`, cause))
    }
  }

  /** Removes versions that are too old for any reader, and temporary files of writers that died. */
  async prune(newest: CatalogFile): Promise<void> {
    const old = newest.version - limits.catalogVersionsKept
    if (old > 0 && !takeovers(newest).has(old))
      await this.#storage.remove(this.#file(old)).catch(() => undefined)
  }

  /** As `prune`, for all that was left behind by earlier processes. */
  async pruneAll(newest: CatalogFile): Promise<void> {
    const kept = takeovers(newest)
    const oldest = newest.version - limits.catalogVersionsKept
    for (const name of await this.#storage.names(this.#folder)) {
      const version = versionOf(name)
      const old = version !== undefined && version <= oldest && !kept.has(version)
      if (old || name.endsWith('.tmp')) await this.#storage.remove(join(this.#folder, name))
    }
  }

  async #versions(): Promise<number[]> {
    const names = await this.#storage.names(this.#folder)
    return names.flatMap((name) => versionOf(name) ?? []).sort((a, b) => a - b)
  }

  #file(version: number): string {
    return join(this.#folder, `${String(version).padStart(16, '0')}.json`)
  }
}

function versionOf(name: string): number | undefined {
  return /^\d{16}\.json$/.test(name) ? Number(name.slice(0, 16)) : undefined
}
