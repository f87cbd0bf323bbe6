/** Opens a lake on a folder: reads the newest catalog, and commits changes of many tables as one. */
import { assert } from '../base/assert.ts'
import type { Clock } from '../base/clock.ts'
import { error } from '../base/errors.ts'
import type { Files } from '../base/files.ts'
import { limits } from '../base/limits.ts'
import { type Random, uuid } from '../base/random.ts'
import { failed, ok, type Result } from '../base/result.ts'
import type { TableSchema } from '../spec/iceberg-type.ts'
import { type Prepared, prepareAppend, type Staged, stageAppend, type Table } from './append.ts'
import { burst } from './burst.ts'
import { Catalog } from './catalog.ts'
import { type CatalogFile, withEntry } from './catalog-file.ts'
import {
  expireSnapshots,
  Garbage,
  HISTORY,
  type HistoryPolicy,
  logMetadata,
  removeAll,
} from './expire.ts'
import { Courtesy } from './courtesy.ts'
import { diskFailure } from './failure.ts'
import { claim, type Ownership, stillOwned } from './fence.ts'
import type { Appended, LakeChange, LakeState, LiveFile, TableState } from './lake.ts'
import { LakeUpkeep } from './maintain/upkeep.ts'
import type { ManifestFile } from './manifest.ts'
import {
  evolve,
  type Metadata,
  newMetadata,
  reserveColumns,
  stringifyMetadata,
} from './metadata.ts'
import { directoryIdentity, takeOwnership } from './owner.ts'
import { confined } from './places.ts'
import { publishNames } from './publish.ts'
import { Readings, type TableReading } from './reading.ts'
import { folderOf, join, type Storage } from './storage.ts'
import {
  type CatalogEdit,
  type LakeCatalog,
  loadOwn,
  type Stage,
  Transactions,
  unreadable,
} from './transactions.ts'
import { appendsOf, liveFiles, stateOf } from './table-state.ts'
import type { KeptLake, Upkeep } from './upkeep.ts'

export interface LakeOptions {
  readonly storage: Storage
  /** Absolute path of the folder whose lock says who owns the lake; made when missing. */
  readonly lock: string
  readonly namespace: string
  readonly files: Files
  readonly clock: Clock
  readonly random: Random
  /** How long snapshots stay, where a table's properties do not say. */
  readonly history?: HistoryPolicy
  /** Age of an object that no snapshot names before it is removed, ms; longer than any writer takes to commit what it has written. */
  readonly orphanAgeMs?: number
  /** Opens beside the owner, for reading. */
  readonly readOnly?: boolean
  /** Absolute path of the data directory in whose log offsets count; without it nothing keeps two of them apart but the lock. */
  readonly data?: string
  /** Takes the lake from another data directory. */
  readonly takeOver?: boolean
  /** Folders beside the lake's own in which other engines' tables may lie. */
  readonly locations?: readonly string[]
}

/** Tables of one version of the catalog. */
interface Version {
  readonly catalog: CatalogFile
  readonly tables: ReadonlyMap<string, Table>
  readonly state: LakeState
}

/** A version on its way to its number. */
interface Publication {
  readonly change: object
  readonly base: Version
  readonly next: Version
}

/** A lake that is its own catalog, for other engines too. */
export interface CatalogLake extends KeptLake {
  readonly catalog: LakeCatalog
}

export async function openLake(given: LakeOptions): Promise<Result<CatalogLake>> {
  const storage = confined(given.storage, given.locations ?? [])
  const options = { ...given, storage }
  const { lock, files, random } = options
  const catalog = new Catalog(storage)
  try {
    if (options.readOnly === true) {
      const version = await loadNewest(options, catalog)
      return version.ok ? ok(new FileLake(options, catalog, version.value, undefined)) : version
    }
    await files.makeDirectory(lock)
    const release = await takeOwnership(lock, files, random)
    if (!release.ok) return release
    const lake = await openOwned(options, catalog, release.value).catch(async (cause: unknown) => {
      await release.value()
      throw cause
    })
    if (!lake.ok) await release.value()
    return lake
  } catch (cause) {
    return failed(diskFailure(cause, storage.root))
  }
}

/** Goes on from the newest version, and finishes what a crash left. */
async function openOwned(
  options: LakeOptions,
  catalog: Catalog,
  release: () => Promise<void>,
): Promise<Result<CatalogLake>> {
  const newest = await loadNewest(options, catalog)
  const version = newest.ok ? await claimed(options, catalog, newest.value) : newest
  if (!version.ok) return version
  await catalog.pruneAll(version.value.catalog)
  for (const table of version.value.tables.values()) await publishNames(table, options.storage)
  return ok(new FileLake(options, catalog, version.value, release))
}

/** The version as its new owner goes on from it; published when that takes the lake from another. */
async function claimed(
  { data, takeOver = false, files, clock, random }: LakeOptions,
  catalog: Catalog,
  newest: Version,
): Promise<Result<Version>> {
  const owner = data === undefined ? '' : await directoryIdentity(data, files, random)
  const mine = claim(newest.catalog, owner, takeOver)
  if (!mine.ok) return mine
  const taking = mine.value.former !== newest.catalog.former
  if (!taking) return ok(versionOf({ ...newest.catalog, ...mine.value }, newest.tables))
  const next: CatalogFile = {
    ...newest.catalog,
    ...mine.value,
    version: newest.catalog.version + 1,
    committed: clock.wall(),
    commit: uuid(random),
  }
  const published = await catalog.publish(next)
  if (!published.ok) return published
  return published.value
    ? ok(versionOf(next, newest.tables))
    : failed(error('lake_locked', 'Its owner is committing.'))
}

async function loadNewest(options: LakeOptions, catalog: Catalog): Promise<Result<Version>> {
  const newest = await catalog.newest()
  return newest.ok ? loadVersion(options, newest.value, undefined) : newest
}

/** Tables of a catalog file; those that `known` has already are not read again. */
async function loadVersion(
  { namespace, storage }: LakeOptions,
  catalog: CatalogFile,
  known: Version | undefined,
): Promise<Result<Version>> {
  const tables = await loadOwn(catalog, namespace, known?.tables ?? new Map(), storage)
  return tables.ok ? ok(versionOf(catalog, tables.value)) : tables
}

function versionOf(catalog: CatalogFile, tables: ReadonlyMap<string, Table>): Version {
  const states = new Map<string, TableState>()
  for (const [name, table] of tables) states.set(name, stateOf(table))
  const state = { version: catalog.version, offset: catalog.offset, tables: states }
  return { catalog, tables, state }
}

class FileLake implements CatalogLake {
  readonly upkeep: Upkeep
  readonly catalog: LakeCatalog
  readonly #options: LakeOptions
  readonly #commits: Catalog
  readonly #release: (() => Promise<void>) | undefined
  readonly #garbage = new Garbage()
  readonly #courtesy: Courtesy
  readonly #versions = new WeakMap<LakeState, Version>()
  readonly #readings: Readings
  #version: Version
  /** What the fence compares the newest catalog with. */
  #mine: Ownership
  /** A version that is perhaps published, perhaps not; nothing else is committed before that is known. */
  #unsure: Publication | undefined
  #turn: Promise<unknown> = Promise.resolve()
  /** The removal of what commits made old, which nobody waits for. */
  #tidying: Promise<void> = Promise.resolve()

  constructor(
    options: LakeOptions,
    catalog: Catalog,
    version: Version,
    release: (() => Promise<void>) | undefined,
  ) {
    this.#options = options
    this.#commits = catalog
    this.#release = release
    this.#version = version
    this.#mine = version.catalog
    this.#versions.set(version.state, version)
    this.#courtesy = new Courtesy(options.clock)
    const transactions = new Transactions({
      ...options,
      contended: () => this.#courtesy.conflict(),
      catalog: () => this.#version.catalog,
      tables: () => this.#version.tables,
      transact: (edit, stage) => this.#transact(edit, stage),
    })
    this.catalog = transactions
    this.#readings = new Readings(options, (location) => transactions.metadata(location))
    this.upkeep = new LakeUpkeep({
      ...options,
      history: options.history ?? HISTORY,
      garbage: this.#garbage,
      expiresTogether: 1,
      orphanAgeMs: options.orphanAgeMs ?? limits.orphanAgeMs,
      shared: false,
      unsettled: () => Promise.resolve(false),
      newest: () => Promise.resolve(ok(undefined)),
      tables: () => this.#version.tables,
      otherTables: () => transactions.others(),
      edit: (name, stage) => this.#edit(name, stage),
    })
  }

  get state(): LakeState {
    return this.#version.state
  }

  async refresh(): Promise<LakeState> {
    const newest = await this.#commits.newestFrom(this.#version.catalog)
    if (!newest.ok) throw newest.error
    if (newest.value.version === this.#version.catalog.version) return this.state
    const loaded = await loadVersion(this.#options, newest.value, this.#version)
    if (!loaded.ok) throw loaded.error
    this.#become(loaded.value)
    return this.state
  }

  async dataFolder(table: string, day: number): Promise<string> {
    const date = new Date(day * 86_400_000).toISOString().slice(0, 10)
    return this.#options.storage.spool(join(this.#folder(table), 'data', `event_day=${date}`))
  }

  commit(change: LakeChange): Promise<Result<LakeState>> {
    return this.#courtesy.turn().then(() => this.#inTurn(() => this.#commit(change)))
  }

  /** One commit at a time: each is staged on what the one before it made. */
  #inTurn<T>(commit: () => Promise<Result<T>>): Promise<Result<T>> {
    assert(this.#release !== undefined, 'only the owner of a lake commits')
    const done = this.#turn.then(async () => {
      try {
        return await commit()
      } catch (cause) {
        return failed(diskFailure(cause, this.#options.storage.root))
      }
    })
    // A bug in one change must not hold up the others.
    this.#turn = done.catch(() => undefined)
    return done
  }

  history(state: LakeState, name: string): readonly Appended[] {
    const table = this.#versions.get(state)?.tables.get(name)
    if (table === undefined) throw error('table_unknown', `There is no table ${name}.`)
    return appendsOf(table)
  }

  async files(state: LakeState, name: string): Promise<readonly LiveFile[]> {
    const table = this.#versions.get(state)?.tables.get(name)
    if (table === undefined) throw error('table_unknown', `There is no table ${name}.`)
    return liveFiles(table, this.#options.storage)
  }

  reading(state: LakeState, name: string, namespace?: string): Promise<Result<TableReading>> {
    return this.#readings.of(this.#versions.get(state), name, namespace)
  }

  otherTables(state: LakeState): readonly string[] {
    return this.#readings.others(this.#versions.get(state))
  }

  async close(): Promise<void> {
    await this.#turn
    await this.#tidying
    await this.#release?.()
  }

  #folder(table: string): string {
    return join(this.#options.storage.root, this.#options.namespace, table)
  }

  #become(version: Version): void {
    this.#version = version
    this.#versions.set(version.state, version)
  }

  async #commit(change: LakeChange): Promise<Result<LakeState>> {
    const sure = await this.#makeSure(change)
    if (!sure.ok || sure.value) return sure.ok ? ok(this.state) : sure
    const prepared = new Map<string, Prepared>()
    for (let attempt = 0; attempt < limits.commitAttemptsMax; attempt++) {
      const outcome = await this.#attempt(change, prepared)
      if (!outcome.ok || outcome.value) return outcome.ok ? ok(this.state) : outcome
      await this.refresh()
    }
    return failed(error('commit_conflict', `after ${limits.commitAttemptsMax} attempts`))
  }

  /** A change of one table as it is now; `ok(false)` when `stage` declines. */
  #edit(
    name: string,
    stage: (table: Table) => Promise<Staged | undefined>,
  ): Promise<Result<boolean>> {
    return this.#inTurn(async () => {
      const sure = await this.#makeSure(stage)
      if (!sure.ok || sure.value) return sure
      for (let attempt = 0; attempt < limits.commitAttemptsMax; attempt++) {
        const owned = this.#owned()
        if (!owned.ok) return owned
        const base = owned.value
        const table = base.tables.get(name)
        if (table === undefined) throw error('table_unknown', `There is no table ${name}.`)
        const staged = await stage(table)
        if (staged === undefined) return ok(false)
        const now = this.#options.clock.wall()
        const metadata = expireSnapshots(staged.metadata, now, this.#options.history)
        const next = await this.#writeTable(
          table,
          { ...metadata, 'last-updated-ms': Math.max(now, metadata['last-updated-ms']) },
          staged.manifests,
        )
        const published = await this.#publish(base, [next], base.catalog.offset, stage)
        if (!published.ok || published.value) return published
        await this.refresh()
      }
      return failed(error('commit_conflict', `after ${limits.commitAttemptsMax} attempts`))
    })
  }

  /** Settles an outcome that was unclear; `ok(true)`: it was that of this very change, which is committed. */
  async #makeSure(change: object): Promise<Result<boolean>> {
    if (this.#unsure === undefined) return ok(false)
    const same = this.#unsure.change === change
    const published = await this.#resolve(this.#unsure)
    return published.ok ? ok(same && published.value) : published
  }

  /** Publishes again what may be published already: it has its number, or another writer has it. */
  async #resolve(publication: Publication): Promise<Result<boolean>> {
    try {
      const published = await this.#publishVersion(publication)
      if (published.ok && !published.value) await this.refresh()
      return published
    } catch (cause) {
      // Whatever is the matter now, the files of the change must stay.
      const failure = diskFailure(cause, this.#options.storage.root)
      return failed(error('commit_unknown', failure.detail, failure))
    }
  }

  /** The version to build on, as long as nobody took the lake. */
  #owned(): Result<Version> {
    const owned = stillOwned(this.#version.catalog, this.#mine)
    return owned.ok ? ok(this.#version) : owned
  }

  /** `ok(false)`: another writer was first, and everything but the prepared files has to be made again. */
  async #attempt(change: LakeChange, prepared: Map<string, Prepared>): Promise<Result<boolean>> {
    const owned = this.#owned()
    if (!owned.ok) return owned
    const base = owned.value
    assert(change.offset >= base.catalog.offset, 'the offset of a commit never goes back')
    const bases = this.#bases(base, change.schemas)
    if (!bases.ok) return bases
    const changed = new Set([...bases.value.changed, ...change.appends.keys()])
    if (changed.size === 0 && change.offset === base.catalog.offset) return ok(true)
    const staged = await Promise.all(
      [...changed].map((name) => this.#stage(bases.value.tables.get(name), name, change, prepared)),
    )
    return this.#publish(base, staged, change.offset, change)
  }

  /** The commit point for changes of headwater's own tables; `ok(false)`: another writer was first. */
  #publish(
    base: Version,
    staged: readonly Table[],
    offset: number,
    change: object,
  ): Promise<Result<boolean>> {
    const tables = new Map(base.tables)
    let catalog: CatalogFile = { ...base.catalog, offset }
    for (const table of staged) {
      tables.set(table.name, table)
      const id = { namespace: this.#options.namespace, name: table.name }
      catalog = withEntry(catalog, 'tables', id, table.file)
    }
    const next = versionOf(this.#numbered(base, catalog), tables)
    return this.#publishVersion({ change, base, next })
  }

  /** The commit point, and what follows it; `ok(false)`: another writer was first. */
  async #publishVersion(publication: Publication): Promise<Result<boolean>> {
    const { base, next } = publication
    const published = await this.#commits.publish(next.catalog)
    this.#unsure = published.ok ? undefined : publication
    if (!published.ok || !published.value) return published
    this.#become(next)
    this.#mine = next.catalog
    await this.#afterwards(base, changedTables(base, next), next.catalog)
    return ok(true)
  }

  /** A change of anything in the catalog, in its turn. */
  #transact(edit: CatalogEdit, begin: () => Stage): Promise<Result<CatalogFile>> {
    return this.#inTurn(async () => {
      const sure = await this.#makeSure(edit)
      if (!sure.ok || sure.value) return sure.ok ? ok(this.#version.catalog) : sure
      for (let attempt = 0; attempt < limits.commitAttemptsMax; attempt++) {
        const stage = begin()
        let outcome: Result<boolean> | undefined
        try {
          outcome = await this.#edited(edit, stage)
        } finally {
          if (outcome?.ok === true && outcome.value) await stage.kept()
          else if (!isUnknown(outcome, stage)) await stage.discard()
        }
        if (!outcome.ok) return outcome
        if (outcome.value) return ok(this.#version.catalog)
        await this.refresh()
      }
      return failed(error('commit_conflict', `after ${limits.commitAttemptsMax} attempts`))
    })
  }

  async #edited(edit: CatalogEdit, stage: Stage): Promise<Result<boolean>> {
    const owned = this.#owned()
    if (!owned.ok) return owned
    const base = owned.value
    const edited = await edit(base.catalog, stage)
    if (!edited.ok) return edited
    if (edited.value === base.catalog) return ok(true)
    const next = await loadVersion(this.#options, this.#numbered(base, edited.value), base)
    if (!next.ok) return unreadable(next.error.detail)
    stage.offered = true
    const published = await this.#publishVersion({ change: edit, base, next: next.value })
    if (changedTables(base, next.value).length > 0) this.#courtesy.done()
    return published
  }

  /** A catalog as the next version of a base. */
  #numbered(base: Version, catalog: CatalogFile): CatalogFile {
    const { clock, random } = this.#options
    const { owner, former } = this.#mine
    return {
      ...catalog,
      version: base.catalog.version + 1,
      committed: clock.wall(),
      commit: uuid(random),
      ...(owner === undefined ? {} : { owner }),
      ...(former === undefined ? {} : { former }),
    }
  }

  /** The tables to build on: those of the version, created and evolved as the change wants. */
  #bases(
    base: Version,
    schemas: readonly TableSchema[],
  ): Result<{ tables: Map<string, Table>; changed: string[] }> {
    const tables = new Map(base.tables)
    const changed: string[] = []
    for (const schema of schemas) {
      const known = base.tables.get(schema.name)
      if (known === undefined) {
        tables.set(schema.name, this.#newTable(schema))
        changed.push(schema.name)
        continue
      }
      const evolved = evolve(reserveColumns(known.metadata), schema)
      if (!evolved.ok) return evolved
      if (evolved.value === known.metadata) continue
      tables.set(schema.name, { ...known, metadata: evolved.value })
      changed.push(schema.name)
    }
    return ok({ tables, changed })
  }

  #newTable(schema: TableSchema): Table {
    assert(/^[a-z][a-z0-9_]*$/.test(schema.name), `${schema.name} is a table name`)
    const made = newMetadata(schema, {
      uuid: uuid(this.#options.random),
      location: this.#folder(schema.name),
      now: this.#options.clock.wall(),
    })
    const metadata = reserveColumns(made)
    return { name: schema.name, metadata, file: '', number: 0, manifests: [] }
  }

  /** Writes the next metadata file of a table, under its final name that nothing refers to yet. */
  async #stage(
    base: Table | undefined,
    name: string,
    change: LakeChange,
    prepared: Map<string, Prepared>,
  ): Promise<Table> {
    if (base === undefined) throw error('table_unknown', `There is no table ${name}.`)
    const { random, clock } = this.#options
    const storage = burst(this.#options.storage)
    const now = clock.wall()
    let metadata: Metadata = {
      ...base.metadata,
      'last-updated-ms': Math.max(now, base.metadata['last-updated-ms']),
    }
    let { manifests } = base
    const appended = change.appends.get(name)
    if (appended !== undefined && appended.length > 0) {
      const ready = prepared.get(name) ?? (await prepareAppend(base, appended, { storage, random }))
      prepared.set(name, ready)
      const summary = {
        'headwater.offset': String(change.offset),
        ...change.summary,
        ...change.summaries?.get(name),
      }
      const staged = await stageAppend(base, metadata, ready, now, summary, { storage, random })
      manifests = staged.manifests
      metadata = expireSnapshots(staged.metadata, now, this.#options.history)
    }
    return this.#writeTable(base, metadata, manifests, storage)
  }

  async #writeTable(
    base: Table,
    changed: Metadata,
    manifests: readonly ManifestFile[],
    storage: Storage = this.#options.storage,
  ): Promise<Table> {
    const { random } = this.#options
    const metadata = base.number > 0 ? logMetadata(changed, base) : changed
    const number = base.number + 1
    const next = `${number}-${uuid(random)}.metadata.json`
    const file = join(metadata.location, 'metadata', next)
    await storage.write(file, stringifyMetadata(metadata))
    await storage.settle(folderOf(file))
    return { ...base, metadata, manifests, number, file }
  }

  /** What a crash may leave out: names for readers that know only a folder, and the removal of what is old. */
  async #afterwards(base: Version, staged: readonly Table[], newest: CatalogFile): Promise<void> {
    const { storage, clock } = this.#options
    const gone = staged.flatMap((table) => {
      const before = base.tables.get(table.name)
      return before === undefined ? [] : this.#garbage.collect(before, table, clock.wall())
    })
    // Not faster than what is removed.
    await this.#tidying
    this.#tidying = removeAll(gone, storage).then(() => this.#commits.prune(newest))
    await Promise.all(staged.map((table) => publishNames(table, storage).catch(() => undefined)))
  }
}

function changedTables(base: Version, next: Version): Table[] {
  return [...next.tables.values()].filter(({ name, file }) => base.tables.get(name)?.file !== file)
}

/** Whether a change may have been committed for all that is known: then nothing of it may be removed. */
function isUnknown(outcome: Result<boolean> | undefined, { offered }: Stage): boolean {
  return outcome === undefined ? offered : !outcome.ok && outcome.error.code === 'commit_unknown'
}
