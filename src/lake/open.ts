/** Opens a lake on a folder: reads the newest catalog, and commits changes of many tables as one. */
import { assert } from '../base/assert.ts'
import type { Clock } from '../base/clock.ts'
import { error, HeadwaterError } from '../base/errors.ts'
import { errnoOf, type Files } from '../base/files.ts'
import { limits } from '../base/limits.ts'
import { type Random, uuid } from '../base/random.ts'
import { failed, ok, type Result } from '../base/result.ts'
import type { TableSchema } from '../spec/iceberg-type.ts'
import { type Prepared, prepareAppend, readManifest, stageAppend, type Table } from './append.ts'
import { Catalog, type CatalogFile } from './catalog.ts'
import { expireSnapshots, Garbage, logMetadata, removeAll } from './expire.ts'
import type { Appended, Lake, LakeChange, LakeState, LiveFile, TableState } from './lake.ts'
import { liveFile, primitiveTypes } from './manifest.ts'
import {
  currentSchema,
  currentSnapshot,
  evolve,
  type Metadata,
  newMetadata,
  stringifyMetadata,
} from './metadata.ts'
import { takeOwnership } from './owner.ts'
import { publishNames } from './publish.ts'
import { folderOf, join, type Storage } from './storage.ts'
import { loadTable } from './load.ts'
import { sweepOrphans } from './sweep.ts'

export interface LakeOptions {
  readonly storage: Storage
  /** Absolute path of the folder whose lock says who owns the lake; made when missing. */
  readonly lock: string
  readonly namespace: string
  readonly files: Files
  readonly clock: Clock
  readonly random: Random
  /** Opens beside the owner, for reading. */
  readonly readOnly?: boolean
}

/** Tables of one version of the catalog. */
interface Version {
  readonly catalog: CatalogFile
  readonly tables: ReadonlyMap<string, Table>
  readonly state: LakeState
}

export async function openLake(options: LakeOptions): Promise<Result<Lake>> {
  const { storage, lock, files, random, clock } = options
  const catalog = new Catalog(storage)
  try {
    if (options.readOnly === true) {
      const version = await loadNewest(options, catalog)
      return version.ok ? ok(new FileLake(options, catalog, version.value, undefined)) : version
    }
    await files.makeDirectory(lock)
    const release = await takeOwnership(lock, files, random)
    if (!release.ok) return release
    const version = await loadNewest(options, catalog)
    if (!version.ok) {
      await release.value()
      return version
    }
    await catalog.pruneAll(version.value.catalog.version)
    for (const table of version.value.tables.values()) await publishNames(table, storage)
    await sweepOrphans([...version.value.tables.values()], storage, clock)
    return ok(new FileLake(options, catalog, version.value, release.value))
  } catch (cause) {
    return failed(diskFailure(cause, storage.root))
  }
}

async function loadNewest(options: LakeOptions, catalog: Catalog): Promise<Result<Version>> {
  const newest = await catalog.newest()
  return newest.ok ? loadVersion(options, newest.value, undefined) : newest
}

/** Tables of a catalog file; those that `known` has already are not read again. */
async function loadVersion(
  options: LakeOptions,
  catalog: CatalogFile,
  known: Version | undefined,
): Promise<Result<Version>> {
  const tables = new Map<string, Table>()
  for (const [name, location] of Object.entries(catalog.tables)) {
    const [namespace, table] = name.split('.')
    if (namespace !== options.namespace || table === undefined) continue
    const same = known?.tables.get(table)
    if (same?.file === location) {
      tables.set(table, same)
      continue
    }
    const loaded = await loadTable(table, location, options.storage)
    if (!loaded.ok) return loaded
    tables.set(table, loaded.value)
  }
  return ok(versionOf(catalog, tables))
}

function versionOf(catalog: CatalogFile, tables: ReadonlyMap<string, Table>): Version {
  const states = new Map<string, TableState>()
  for (const [name, table] of tables) states.set(name, knownStateOf(table))
  const state = { version: catalog.version, offset: catalog.offset, tables: states }
  return { catalog, tables, state }
}

/** States of tables that a commit did not change stay what they are. */
const STATES = new WeakMap<Table, TableState>()

function knownStateOf(table: Table): TableState {
  const known = STATES.get(table) ?? stateOf(table)
  STATES.set(table, known)
  return known
}

function stateOf({ name, metadata }: Table): TableState {
  const snapshot = currentSnapshot(metadata)
  const total = (key: string): number => Number(snapshot?.summary[key] ?? 0)
  const schema = currentSchema(metadata)
  return {
    name,
    uuid: metadata['table-uuid'],
    location: metadata.location,
    schema: {
      name,
      doc: metadata.properties['comment'] ?? '',
      fields: schema.fields,
      partitionBy: metadata.properties['headwater.partition-by'] ?? '',
    },
    schemaId: schema['schema-id'],
    snapshotId: snapshot === undefined ? undefined : BigInt(snapshot['snapshot-id']),
    updated: metadata['last-updated-ms'],
    rows: total('total-records'),
    files: total('total-data-files'),
    bytes: total('total-files-size'),
    claims:
      metadata.snapshots.findLast(({ summary }) => VALID_THROUGH in summary)?.summary ?? NO_CLAIMS,
  }
}

const VALID_THROUGH = 'headwater.valid-through-ms'
const NO_CLAIMS = {}

class FileLake implements Lake {
  readonly #options: LakeOptions
  readonly #catalog: Catalog
  readonly #release: (() => Promise<void>) | undefined
  readonly #garbage = new Garbage()
  readonly #versions = new WeakMap<LakeState, Version>()
  #version: Version
  /** A change that is published but perhaps not durable yet. */
  #unsure: LakeChange | undefined
  #turn: Promise<unknown> = Promise.resolve()

  constructor(
    options: LakeOptions,
    catalog: Catalog,
    version: Version,
    release: (() => Promise<void>) | undefined,
  ) {
    this.#options = options
    this.#catalog = catalog
    this.#release = release
    this.#version = version
    this.#versions.set(version.state, version)
  }

  get state(): LakeState {
    return this.#version.state
  }

  async refresh(): Promise<LakeState> {
    const newest = await this.#catalog.newestFrom(this.#version.catalog)
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
    assert(this.#release !== undefined, 'only the owner of a lake commits')
    // One commit at a time: each is staged on what the one before it made.
    const done = this.#turn.then(() => this.#commit(change))
    this.#turn = done
    return done
  }

  history(state: LakeState, name: string): readonly Appended[] {
    const table = this.#versions.get(state)?.tables.get(name)
    if (table === undefined) throw error('table_unknown', `There is no table ${name}.`)
    return table.metadata.snapshots
      .filter(({ summary }) => summary['operation'] === 'append')
      .map((snapshot) => ({
        at: snapshot['timestamp-ms'],
        rows: Number(snapshot.summary['added-records'] ?? 0),
        files: Number(snapshot.summary['added-data-files'] ?? 0),
        bytes: Number(snapshot.summary['added-files-size'] ?? 0),
      }))
  }

  async files(state: LakeState, name: string): Promise<readonly LiveFile[]> {
    const table = this.#versions.get(state)?.tables.get(name)
    if (table === undefined) throw error('table_unknown', `There is no table ${name}.`)
    const types = primitiveTypes(currentSchema(table.metadata).fields)
    const live: LiveFile[] = []
    const { storage } = this.#options
    for (const manifest of table.manifests) {
      for (const { dataFile } of await readManifest(manifest, storage)) {
        live.push(liveFile(dataFile, types, await storage.local(dataFile['file_path'] as string)))
      }
    }
    return live
  }

  async close(): Promise<void> {
    await this.#turn
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
    try {
      if (this.#unsure !== undefined) {
        const durable = await this.#catalog.durable()
        if (!durable.ok) return durable
        const same = this.#unsure === change
        this.#unsure = undefined
        if (same) return ok(this.state)
      }
      const prepared = new Map<string, Prepared>()
      for (let attempt = 0; attempt < limits.commitAttemptsMax; attempt++) {
        const outcome = await this.#attempt(change, prepared)
        if (!outcome.ok || outcome.value) return outcome.ok ? ok(this.state) : outcome
        await this.refresh()
      }
      return failed(error('commit_conflict', `after ${limits.commitAttemptsMax} attempts`))
    } catch (cause) {
      return failed(diskFailure(cause, this.#options.storage.root))
    }
  }

  /** `ok(false)`: another writer was first, and everything but the prepared files has to be made again. */
  async #attempt(change: LakeChange, prepared: Map<string, Prepared>): Promise<Result<boolean>> {
    const base = this.#version
    assert(change.offset >= base.catalog.offset, 'the offset of a commit never goes back')
    const bases = this.#bases(base, change.schemas)
    if (!bases.ok) return bases
    const changed = new Set([...bases.value.changed, ...change.appends.keys()])
    if (changed.size === 0 && change.offset === base.catalog.offset) return ok(true)
    const staged = await Promise.all(
      [...changed].map((name) => this.#stage(bases.value.tables.get(name), name, change, prepared)),
    )
    const tables = new Map(base.tables)
    for (const table of staged) tables.set(table.name, table)
    const next = this.#nextCatalog(base, staged, change.offset)
    const published = await this.#catalog.publish(next)
    if (published.ok && !published.value) return published
    this.#become(versionOf(next, tables))
    if (!published.ok) {
      this.#unsure = change
      return published
    }
    await this.#afterwards(base, staged, next.version)
    return ok(true)
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
      const evolved = evolve(known.metadata, schema)
      if (!evolved.ok) return evolved
      if (evolved.value === known.metadata) continue
      tables.set(schema.name, { ...known, metadata: evolved.value })
      changed.push(schema.name)
    }
    return ok({ tables, changed })
  }

  #newTable(schema: TableSchema): Table {
    assert(/^[a-z][a-z0-9_]*$/.test(schema.name), `${schema.name} is a table name`)
    const metadata = newMetadata(schema, {
      uuid: uuid(this.#options.random),
      location: this.#folder(schema.name),
      now: this.#options.clock.wall(),
    })
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
    const { storage, random, clock } = this.#options
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
      metadata = expireSnapshots(staged.metadata, now)
    }
    if (base.number > 0) metadata = logMetadata(metadata, base)
    const number = base.number + 1
    const next = `${number}-${uuid(random)}.metadata.json`
    const file = join(metadata.location, 'metadata', next)
    await storage.write(file, stringifyMetadata(metadata))
    await storage.settle(folderOf(file))
    return { ...base, metadata, manifests, number, file }
  }

  #nextCatalog(base: Version, staged: readonly Table[], offset: number): CatalogFile {
    const { namespace, clock, random } = this.#options
    const changed = staged.map(({ name, file }) => [`${namespace}.${name}`, file] as const)
    return {
      format: 1,
      version: base.catalog.version + 1,
      offset,
      committed: clock.wall(),
      commit: uuid(random),
      tables: { ...base.catalog.tables, ...Object.fromEntries(changed) },
    }
  }

  /** What a crash may leave out: names for readers that know only a folder, and the removal of what is old. */
  async #afterwards(base: Version, staged: readonly Table[], version: number): Promise<void> {
    const { storage } = this.#options
    const work = staged.map(async (table) => {
      await publishNames(table, storage).catch(() => undefined)
      const before = base.tables.get(table.name)
      if (before !== undefined) await removeAll(this.#garbage.collect(before, table), storage)
    })
    await Promise.all([...work, this.#catalog.prune(version)])
  }
}

/** A refusal of the disk in our terms. */
function diskFailure(cause: unknown, where: string): HeadwaterError {
  if (cause instanceof HeadwaterError) return cause
  const code = errnoOf(cause)
  if (code === undefined) throw cause
  const message = cause instanceof Error ? cause.message : String(cause)
  return error(code === 'ENOSPC' ? 'disk_full' : 'disk_failed', `${where}: ${message}.`, cause)
}
