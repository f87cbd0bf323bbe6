/** A lake in somebody else's catalog: tables change one after the other, or as one where the catalog can, and each change lands once. */
import { assert } from '../../base/assert.ts'
import type { Clock } from '../../base/clock.ts'
import { sleep } from '../../base/clock.ts'
import { error, HeadwaterError } from '../../base/errors.ts'
import { limits } from '../../base/limits.ts'
import { below, type Random, uuid } from '../../base/random.ts'
import { failed, ok, type Result } from '../../base/result.ts'
import type { TableSchema } from '../../spec/iceberg-type.ts'
import { prepareAppend, type Staged, type Table } from '../append.ts'
import { Garbage, removeAll } from '../expire.ts'
import { diskFailure } from '../failure.ts'
import type { Appended, LakeChange, LakeState, LiveFile } from '../lake.ts'
import { readList } from '../load.ts'
import { LakeUpkeep } from '../maintain/upkeep.ts'
import { currentSnapshot } from '../metadata.ts'
import { join, type Storage } from '../storage.ts'
import { ManifestCache, TableReading } from '../reading.ts'
import { appendsOf, liveFiles, stateOf } from '../table-state.ts'
import type { KeptLake, Upkeep } from '../upkeep.ts'
import { editTable } from './edit.ts'
import type { OwnerFolder, Part, Pending } from './pending.ts'
import type { CommitOutcome, RestCatalog } from './rest-catalog.ts'
import { ensureShape, isOurs } from './shape.ts'
import { covers, isOverdue, Leftovers, type StagedPart, stagePart, UNBROKEN } from './stage.ts'
import { type Loaded, markOf } from './table-metadata.ts'

/** What an owner has and a reader has not. */
export interface Owner {
  readonly writer: string
  readonly folder: OwnerFolder
  readonly release: () => Promise<void>
}

export interface ExternalLakeParts {
  readonly catalog: RestCatalog
  readonly storage: Storage
  readonly clock: Clock
  readonly random: Random
  /** The table whose commit completes a change: the last one of each, and in every one. */
  readonly ledger: string
}

/** A change that is on its way into the tables. */
interface Unfinished {
  /** Undefined when a crash left it: nobody will ask for it. */
  readonly change: LakeChange | undefined
  readonly work: Pending
  /** Whether a crash would find it. */
  saved: boolean
}

export class ExternalLake implements KeptLake {
  readonly upkeep: Upkeep
  readonly #parts: ExternalLakeParts
  readonly #owner: Owner | undefined
  readonly #leftovers = new Leftovers()
  readonly #views = new WeakMap<LakeState, ReadonlyMap<string, Table>>()
  #tables: ReadonlyMap<string, Table> = new Map()
  #state: LakeState = { version: 0, offset: 0, tables: new Map() }
  #pending: Unfinished | undefined
  /** While it takes over, marks of the writer before it are nothing to stop for. */
  #claiming = false
  #fenced: HeadwaterError | undefined
  readonly #manifests = new ManifestCache()
  #turn: Promise<unknown> = Promise.resolve()

  constructor(parts: ExternalLakeParts, owner: Owner | undefined) {
    this.#parts = parts
    this.#owner = owner
    this.upkeep = new LakeUpkeep({
      ...parts,
      history: UNBROKEN,
      garbage: new Garbage(),
      expiresTogether: limits.expireSnapshotsMin,
      orphanAgeMs: limits.orphanAgeElsewhereMs,
      shared: true,
      unsettled: () => this.#inTurn(() => Promise.resolve(this.#pending !== undefined)),
      tables: () => this.#tables,
      otherTables: () => Promise.resolve(ok([])),
      newest: (name) => this.#inTurn(() => this.#reload(name)),
      edit: (name, stage) => this.#inTurn(() => this.#guarded(() => this.#edit(name, stage))),
    })
  }

  get state(): LakeState {
    return this.#state
  }

  /** Tables of headwater that the catalog has now. */
  get tables(): ReadonlyMap<string, Table> {
    return this.#tables
  }

  refresh(): Promise<LakeState> {
    return this.#inTurn(async () => {
      const loaded = await this.loadAll()
      if (!loaded.ok) throw loaded.error
      for (const table of this.#tables.values()) this.#fence(table)
      return this.#state
    })
  }

  /** Reads every table anew. */
  async loadAll(): Promise<Result<void>> {
    const names = await this.#parts.catalog.tables()
    if (!names.ok) return names
    const tables = new Map<string, Table>()
    const problem = await sideBySide(names.value, async (name) => {
      const loaded = await this.#parts.catalog.load(name, this.#owner === undefined)
      if (!loaded.ok) return loaded.error
      // One that was dropped since the list was made, or that is none of ours.
      if (loaded.value === undefined || !isOurs(loaded.value.metadata)) return undefined
      const table = await this.#tableOf(name, loaded.value)
      if (!table.ok) return table.error
      tables.set(name, table.value)
      return undefined
    })
    if (problem !== undefined) return failed(problem)
    this.#become(tables)
    return ok(undefined)
  }

  async dataFolder(name: string, day: number): Promise<string> {
    const table = this.#tables.get(name)
    if (table === undefined) throw unknownTable(name)
    const { location, properties } = table.metadata
    const data = properties['write.data.path'] ?? join(location, 'data')
    const date = new Date(day * 86_400_000).toISOString().slice(0, 10)
    return this.#parts.storage.spool(join(data, `event_day=${date}`))
  }

  commit(change: LakeChange): Promise<Result<LakeState>> {
    assert(this.#owner !== undefined, 'only the owner of a lake commits')
    return this.#inTurn(() => this.#guarded(() => this.#commit(change)))
  }

  history(state: LakeState, name: string): readonly Appended[] {
    const table = this.#views.get(state)?.get(name)
    if (table === undefined) throw unknownTable(name)
    return appendsOf(table)
  }

  async files(state: LakeState, name: string): Promise<readonly LiveFile[]> {
    const table = this.#views.get(state)?.get(name)
    if (table === undefined) throw unknownTable(name)
    return liveFiles(table, this.#parts.storage)
  }

  async reading(state: LakeState, name: string, namespace?: string): Promise<Result<TableReading>> {
    const table = namespace === undefined ? this.#views.get(state)?.get(name) : undefined
    if (table === undefined) {
      return failed(unknownTable(namespace === undefined ? name : `${namespace}.${name}`))
    }
    return ok(new TableReading(table, this.#parts.storage, this.#manifests))
  }

  otherTables(): readonly string[] {
    return []
  }

  async close(): Promise<void> {
    await this.#turn
    await this.#owner?.release()
  }

  /** Completes a change that a crash left between two tables. */
  finish(work: Pending): Promise<Result<LakeState>> {
    this.#pending = { change: undefined, work, saved: true }
    return this.#inTurn(() => this.#guarded(() => this.#finishPending()))
  }

  /** Puts our name on every table, so that the writer before us finds it at its next commit. */
  claim(offset: number): Promise<Result<LakeState>> {
    const change = { schemas: [], appends: new Map(), offset }
    return this.#inTurn(async () => {
      this.#claiming = true
      const claimed = await this.#guarded(() => this.#begin(change, [...this.#tables.keys()]))
      this.#claiming = !claimed.ok
      return claimed
    })
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(work)
    this.#turn = done.catch(() => undefined)
    return done
  }

  async #guarded<T>(work: () => Promise<Result<T>>): Promise<Result<T>> {
    try {
      return await work()
    } catch (cause) {
      const failure = diskFailure(cause, this.#parts.storage.root)
      // Tables may name the files already.
      return failed(this.#pending === undefined ? failure : unknown(failure.detail, failure))
    }
  }

  /** A change of one table alone, which keeps its rows and our mark. */
  async #edit(
    name: string,
    stage: (table: Table) => Promise<Staged | undefined>,
  ): Promise<Result<boolean>> {
    assert(this.#owner !== undefined, 'only the owner of a lake commits')
    if (this.#fenced !== undefined) return failed(this.#fenced)
    const finished = this.#pending === undefined ? ok(this.#state) : await this.#finishPending()
    if (!finished.ok) return finished
    const reload = (table: string): Promise<Result<Table>> => this.#reload(table)
    return editTable(name, stage, { ...this.#parts, leftovers: this.#leftovers, reload })
  }

  async #commit(change: LakeChange): Promise<Result<LakeState>> {
    if (this.#fenced !== undefined) return failed(this.#fenced)
    if (this.#pending !== undefined) {
      const same = this.#pending.change === change
      const finished = await this.#finishPending()
      if (same || !finished.ok) return finished
    }
    assert(change.offset >= this.#state.offset, 'the offset of a commit never goes back')
    const shaped = await this.#shape(change.schemas)
    if (!shaped.ok) return shaped
    const names = [...change.appends].flatMap(([name, files]) => (files.length > 0 ? [name] : []))
    if (names.length === 0 && change.offset === this.#state.offset) return ok(this.#state)
    return this.#begin(change, names)
  }

  async #shape(schemas: readonly TableSchema[]): Promise<Result<void>> {
    const { catalog } = this.#parts
    const tables = new Map(this.#tables)
    const problem = await sideBySide(schemas, async (schema) => {
      const known = tables.get(schema.name)
      // What another engine made under the name is looked at too.
      const found = known === undefined ? await catalog.load(schema.name, false) : ok(known)
      if (!found.ok) return found.error
      const shaped = await ensureShape(catalog, schema, found.value)
      if (!shaped.ok) return shaped.error
      if (known !== undefined && shaped.value === known) return undefined
      const table = await this.#tableOf(schema.name, shaped.value)
      if (!table.ok) return table.error
      tables.set(schema.name, table.value)
      return undefined
    })
    this.#become(tables)
    return problem === undefined ? ok(undefined) : failed(problem)
  }

  /** Prepares the files of a change, makes sure that a crash cannot forget it, and commits it. */
  async #begin(change: LakeChange, names: readonly string[]): Promise<Result<LakeState>> {
    const { ledger, random } = this.#parts
    const { writer } = this.#owner!
    const parts: Part[] = []
    for (const name of [...names.filter((each) => each !== ledger), ledger]) {
      const table = this.#tables.get(name)
      if (table === undefined) return failed(unknownTable(name))
      const files = change.appends.get(name) ?? []
      const prepared = files.length > 0 ? await prepareAppend(table, files, this.#parts) : undefined
      const snapshotId = prepared?.snapshotId ?? 1 + below(random, Number.MAX_SAFE_INTEGER - 1)
      const own = change.summaries?.get(name)
      parts.push({
        name,
        snapshotId,
        ...(prepared === undefined ? {} : { prepared }),
        ...(own === undefined ? {} : { summary: own }),
      })
    }
    const { offset, summary = {} } = change
    const work = { writer, commit: uuid(random), offset, summary, parts }
    // From here on tables may name the files: whatever fails, they stay.
    this.#pending = { change, work, saved: false }
    return this.#finishPending()
  }

  /** Commits what is left of the pending change. The last table's commit is the commit point of the whole. */
  async #finishPending(): Promise<Result<LakeState>> {
    const { work } = this.#pending!
    if (!this.#pending!.saved) await this.#owner!.folder.write(work)
    this.#pending!.saved = true
    let last = 'nothing was tried'
    for (let attempt = 0; attempt < limits.commitAttemptsMax; attempt++) {
      const left: Part[] = []
      for (const part of work.parts) {
        const table = this.#tables.get(part.name)
        if (table === undefined) {
          const { detail } = unknownTable(part.name)
          return failed(unknown(`${detail} ${this.#owner!.folder.pendingFile} has rows for it.`))
        }
        if (!covers(table, part, work)) left.push(part)
      }
      if (left.length === 0) {
        await this.#owner!.folder.clear()
        this.#pending = undefined
        return ok(this.#state)
      }
      const tried = await this.#try(left, work)
      if (!tried.ok) return tried
      if (tried.value === undefined) continue
      last = tried.value
      await sleep(this.#parts.clock, limits.catalogRetryMsMin * this.#parts.random.float())
    }
    return failed(unknown(`after ${limits.commitAttemptsMax} attempts: ${last}`))
  }

  /** One attempt at the parts that are left; the value says why some still are. Fails when another attempt now is of no use. */
  async #try(left: readonly Part[], work: Pending): Promise<Result<string | undefined>> {
    const { catalog, ledger } = this.#parts
    const staged: StagedPart[] = []
    const problem = await sideBySide(left, async (part) => {
      const one = await this.#stage(part, work)
      if (!one.ok) return one.error
      if (one.value !== undefined) staged.push(one.value)
      return undefined
    })
    if (problem !== undefined) return this.#hopeless(problem)
    const outcomes = new Map<StagedPart, CommitOutcome>()
    const each = async (parts: readonly StagedPart[]): Promise<void> => {
      await sideBySide(parts, async (part) => {
        outcomes.set(part, await catalog.commit(part.change))
        return undefined
      })
    }
    if (catalog.transactions && staged.length > 1) {
      const outcome = await catalog.commitAll(staged.map(({ change }) => change))
      for (const part of staged) outcomes.set(part, outcome)
    } else {
      await each(staged.filter(({ part }) => part.name !== ledger))
      const all = [...outcomes.values()].every(({ kind }) => kind === 'committed')
      if (all) await each(staged.filter(({ part }) => part.name === ledger))
    }
    return this.#settle(outcomes, work)
  }

  /** The part on the newest metadata we know; undefined when it turns out to be in the table. */
  async #stage(part: Part, work: Pending): Promise<Result<StagedPart | undefined>> {
    const now = this.#parts.clock.wall()
    let table = this.#tables.get(part.name)!
    const expire = isOverdue(table, now)
    if (expire) {
      // A tag or branch that was made since we looked must not lose its snapshot.
      const again = await this.#reload(part.name, work)
      if (!again.ok) return again
      table = again.value
      if (covers(table, part, work)) return ok(undefined)
    }
    return ok(await stagePart(table, part, work, { now, expire }, this.#parts))
  }

  async #settle(
    outcomes: ReadonlyMap<StagedPart, CommitOutcome>,
    work: Pending,
  ): Promise<Result<string | undefined>> {
    const leftovers: string[] = []
    const made: [string, Table][] = []
    const unsettled: [StagedPart, Exclude<CommitOutcome, { kind: 'committed' }>][] = []
    const problem = await sideBySide([...outcomes], async ([staged, outcome]) => {
      if (outcome.kind !== 'committed') {
        unsettled.push([staged, outcome])
        return undefined
      }
      const table = await this.#committed(staged, outcome.loaded, work)
      if (!table.ok) return table.error
      if (table.value === undefined) {
        const message = `table ${staged.part.name} does not have what the catalog said it had committed.`
        unsettled.push([staged, { kind: 'unknown', message }])
        return undefined
      }
      made.push([staged.part.name, table.value])
      leftovers.push(...this.#leftovers.after({ ...staged, after: table.value }))
      return undefined
    })
    // All at once: the offset, which the ledger has, is never seen before the rows.
    this.#become(new Map([...this.#tables, ...made]))
    await removeAll(leftovers, this.#parts.storage)
    if (problem !== undefined) return this.#hopeless(problem)
    let why: string | undefined
    for (const [{ part, base }, outcome] of unsettled) {
      const now = await this.#reload(part.name, work)
      if (!now.ok) return this.#hopeless(now.error)
      const same = now.value.metadata['last-updated-ms'] === base.metadata['last-updated-ms']
      // Refused, although the table is what we took it for: it will be refused again.
      if (outcome.kind === 'refused' && same && !covers(now.value, part, work)) {
        return this.#hopeless(outcome.error)
      }
      why = outcome.kind === 'refused' ? outcome.error.detail : outcome.message
    }
    return ok(why)
  }

  /**
   * The table after our commit, as the catalog answered it. Where it did not, it is looked at: Apache's own reference catalog answers a
   * transaction with success although a table of it, changed by another engine meanwhile, was left as it was. Undefined then.
   */
  async #committed(
    { part, after }: StagedPart,
    answer: Loaded | undefined,
    work: Pending,
  ): Promise<Result<Table | undefined>> {
    const { name, snapshotId } = part
    if (answer?.metadata['current-snapshot-id'] === snapshotId) return ok({ ...after, ...answer })
    if (answer === undefined) {
      const found = await this.#parts.catalog.load(name, true)
      if (!found.ok) return found
      if (found.value?.metadata['current-snapshot-id'] === snapshotId) {
        // Snapshots that no ref points to were left out of the answer.
        const { snapshots, 'snapshot-log': snapshotLog } = after.metadata
        const metadata = { ...found.value.metadata, snapshots, 'snapshot-log': snapshotLog }
        return ok({ ...after, metadata, file: found.value.file })
      }
    }
    const table = await this.#reload(name, work)
    return !table.ok || covers(table.value, part, work) ? table : ok(undefined)
  }

  /** Reads a table anew, and stops for ever when another headwater has written to it. */
  async #reload(name: string, work?: Pending): Promise<Result<Table>> {
    const before = this.#tables.get(name)
    if (before === undefined) return failed(unknownTable(name))
    const loaded = await this.#parts.catalog.load(name, false)
    if (!loaded.ok) return loaded
    if (loaded.value === undefined) return failed(unknownTable(name))
    const table = await this.#tableOf(name, loaded.value)
    if (!table.ok) return table
    const mark = markOf(table.value.metadata)
    const known = [markOf(before.metadata)?.commit, work?.commit]
    // Ours, but not of this process: another one runs on a copy of its folder.
    const twin = mark !== undefined && !known.includes(mark.commit) && !this.#claiming
    if (this.#fence(table.value, twin) !== undefined) return failed(this.#fenced!)
    this.#become(new Map([...this.#tables, [name, table.value]]))
    return table
  }

  /** Stops for ever when another headwater has written to a table. */
  #fence({ name, metadata }: Table, certain = false): HeadwaterError | undefined {
    const mark = markOf(metadata)
    const writer = this.#owner?.writer
    if (mark === undefined || writer === undefined || this.#claiming) return undefined
    if (mark.writer !== writer || certain) {
      const detail = `table ${name} was written by ${mark.writer} up to offset ${mark.offset}; this is ${writer}.`
      this.#fenced ??= error('lake_fenced', detail)
    }
    return this.#fenced
  }

  /** A failure in the midst of a change: its files must stay. */
  #hopeless(failure: HeadwaterError): Result<never> {
    return failed(failure.code === 'lake_fenced' ? failure : unknown(failure.detail, failure))
  }

  async #tableOf(name: string, { metadata, file }: Loaded): Promise<Result<Table>> {
    const { storage } = this.#parts
    if (schemeOf(metadata.location) !== schemeOf(storage.root)) {
      const detail = `table ${name} lies at ${metadata.location}, and the storage of this project at ${storage.root}.`
      return failed(error('config_invalid', detail))
    }
    const known = this.#tables.get(name)
    const snapshot = currentSnapshot(metadata)
    const same =
      known !== undefined &&
      snapshot?.['snapshot-id'] === currentSnapshot(known.metadata)?.['snapshot-id']
    if (same) return ok({ ...known, metadata, file })
    const list =
      snapshot === undefined ? ok([]) : await readList(snapshot['manifest-list'], storage)
    return list.ok ? ok({ name, metadata, file, number: 0, manifests: list.value }) : list
  }

  #become(tables: ReadonlyMap<string, Table>): void {
    const states = new Map([...tables].map(([name, table]) => [name, stateOf(table)]))
    const ledger = tables.get(this.#parts.ledger)
    const offset = (ledger === undefined ? undefined : markOf(ledger.metadata)?.offset) ?? 0
    this.#tables = tables
    this.#state = { version: this.#state.version + 1, offset, tables: states }
    this.#views.set(this.#state, tables)
  }
}

/** Runs `work` over items, a bounded number at once; answers the first problem, after which no other item is begun. */
async function sideBySide<T>(
  items: readonly T[],
  work: (item: T) => Promise<HeadwaterError | undefined>,
): Promise<HeadwaterError | undefined> {
  const rest = [...items]
  let problem: HeadwaterError | undefined
  const some = async (): Promise<void> => {
    for (let item = rest.shift(); item !== undefined; item = rest.shift()) {
      const found = await work(item)
      problem ??= found
      if (problem !== undefined) rest.length = 0
    }
  }
  await Promise.all(Array.from({ length: limits.catalogRequestsMax }, some))
  return problem
}

function schemeOf(location: string): string {
  return (/^([a-z][a-z0-9+.-]*):/.exec(location)?.[1] ?? 'file').replace(/^s3[an]$/, 's3')
}

function unknownTable(name: string): HeadwaterError {
  return error('table_unknown', `The catalog has no table ${name}.`)
}

function unknown(detail: string, cause?: unknown): HeadwaterError {
  return error('commit_unknown', detail, cause)
}
