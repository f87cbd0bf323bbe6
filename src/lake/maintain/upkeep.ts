/** The upkeep of a lake with one commit point: surveys that read each manifest once, and changes that are prepared outside their turn. */
import type { Clock } from '../../base/clock.ts'
import { error } from '../../base/errors.ts'
import { limits } from '../../base/limits.ts'
import { failed, ok, type Result } from '../../base/result.ts'
import { expireSnapshots, type Garbage, type HistoryPolicy, removeAll } from '../expire.ts'
import { diskFailure } from '../failure.ts'
import type { Metadata } from '../metadata.ts'
import {
  type PreparedRewrite,
  prepareMerge,
  prepareReplacements,
  type Replacement,
  stageRewrite,
} from '../rewrite.ts'
import { hasOurName, removeUnnamed, type Swept, sweepTables } from '../sweep.ts'
import type { Replaced, TableSurvey, Upkeep } from '../upkeep.ts'
import type { Ports, Staged, Table } from '../write-manifest.ts'
import { Surveyor } from './survey.ts'

/** What upkeep needs of the lake that it keeps. */
export interface Editor extends Ports {
  readonly clock: Clock
  readonly history: HistoryPolicy
  readonly garbage: Garbage
  /** Tables of the newest version. */
  tables(): ReadonlyMap<string, Table>
  /** Snapshots and refs that are forgotten together, at least. */
  readonly expiresTogether: number
  /** Age from which on an object that no table names is an orphan, ms. */
  readonly orphanAgeMs: number
  /** Whether others commit to these tables elsewhere: only what has our names is removed then, and tables are looked at after their folders. */
  readonly shared: boolean
  /** Whether a change is on its way whose objects no table names yet. */
  unsettled(): Promise<boolean>
  /** Tables of other engines, which may name objects of ours; fails when one cannot be read. */
  otherTables(): Promise<Result<readonly Table[]>>
  /** Looks at a table again, where others change it elsewhere: what a tag of theirs names must be known before anything is removed. */
  newest(table: string): Promise<Result<unknown>>
  /** Changes one table in its turn; `ok(false)` when `stage` declines. */
  edit(
    table: string,
    stage: (table: Table) => Promise<Staged | undefined>,
  ): Promise<Result<boolean>>
}

export class LakeUpkeep implements Upkeep {
  readonly #editor: Editor
  readonly #surveyor: Surveyor

  constructor(editor: Editor) {
    this.#editor = editor
    this.#surveyor = new Surveyor(editor.storage)
  }

  async survey(name: string): Promise<TableSurvey> {
    const { clock, history, garbage, expiresTogether } = this.#editor
    const table = this.#table(name)
    const now = clock.wall()
    const kept = expireSnapshots(table.metadata, now, history)
    const expired = things(table.metadata) - things(kept)
    return {
      ...(await this.#surveyor.survey(table)),
      expired: expired < expiresTogether ? 0 : expired,
      garbage: garbage.leftBefore(name, now - limits.garbageAgeMs).length,
    }
  }

  local(location: string): Promise<string> {
    return this.#editor.storage.local(location)
  }

  async replace(name: string, replacements: readonly Replacement[]): Promise<Result<Replaced>> {
    return this.#guarded(async () => {
      const done = await this.#rewrite(name, (table) =>
        prepareReplacements(table, replacements, this.#editor),
      )
      if (!done.ok) return done
      const { refused, removed } = done.value
      this.#editor.garbage.note(name, removed, this.#editor.clock.wall())
      const out = new Set(refused.map(({ replacement }) => replacement))
      return ok({ committed: replacements.filter((each) => !out.has(each)), refused })
    })
  }

  async mergeManifests(name: string, paths: readonly string[]): Promise<Result<number>> {
    return this.#guarded(async () => {
      const wanted = new Set(paths)
      const done = await this.#rewrite(name, (table) => prepareMerge(table, wanted, this.#editor))
      return done.ok ? ok(done.value.manifests.length) : done
    })
  }

  async expire(name: string): Promise<Result<number>> {
    return this.#guarded(async () => {
      const { clock, history } = this.#editor
      let gone = 0
      const done = await this.#editor.edit(name, async ({ metadata, manifests }) => {
        const kept = expireSnapshots(metadata, clock.wall(), history)
        gone = metadata.snapshots.length - kept.snapshots.length
        return kept === metadata ? undefined : { metadata: kept, manifests }
      })
      return done.ok ? ok(done.value ? gone : 0) : done
    })
  }

  async collect(name: string): Promise<Result<number>> {
    return this.#guarded(async () => {
      const { storage, clock, garbage } = this.#editor
      const looked = await this.#editor.newest(name)
      if (!looked.ok) return looked
      const left = garbage.leftBefore(name, clock.wall() - limits.garbageAgeMs)
      const own = [...this.#editor.tables().values()]
      const others = await this.#editor.otherTables()
      if (!others.ok) return others
      const table = this.#table(name)
      const removed = await removeUnnamed(left, table, own, others.value, storage)
      if (!removed.ok) return removed
      garbage.forget(name, removed.value)
      // What a kept snapshot still names is looked for again only when that may have gone.
      const gone = new Set(removed.value)
      const named = left.filter((location) => !gone.has(location))
      garbage.note(name, named, clock.wall() + limits.garbageAgainMs)
      return ok(removed.value.length)
    })
  }

  async sweep(): Promise<Result<Swept>> {
    return this.#guarded(async () => {
      const { storage, clock, garbage, orphanAgeMs, shared } = this.#editor
      if (await this.#editor.unsettled()) return ok({ objects: 0, bytes: 0 })
      const now = clock.wall()
      const others = await this.#editor.otherTables()
      if (!others.ok) return others
      const tables = [...this.#editor.tables().values()]
      return sweepTables(tables, others.value, storage, {
        before: now - orphanAgeMs,
        spare: (table, location) =>
          (shared && !hasOurName(location)) ||
          garbage.isFresh(table, location, now - limits.garbageAgeMs),
        ...(shared ? { lookAgain: () => this.#lookAgain(tables) } : {}),
      })
    })
  }

  /** The same tables as they are now; a failure when one of them is gone. */
  async #lookAgain(tables: readonly Table[]): Promise<Result<readonly Table[]>> {
    for (const { name } of tables) {
      const looked = await this.#editor.newest(name)
      if (!looked.ok) return looked
    }
    return ok(tables.map(({ name }) => this.#table(name)))
  }

  /** Prepares beside the writers and stages in turn, again when the table changed in between. */
  async #rewrite(
    name: string,
    prepare: (table: Table) => Promise<PreparedRewrite>,
  ): Promise<Result<PreparedRewrite>> {
    for (let attempt = 0; attempt < limits.commitAttemptsMax; attempt++) {
      const prepared = await prepare(this.#table(name))
      if (prepared.replaced.size === 0) return ok(prepared)
      const done = await this.#editor.edit(name, (table) =>
        stageRewrite(table, table.metadata, prepared, this.#editor.clock.wall(), this.#editor),
      )
      if (done.ok && done.value) return ok(prepared)
      if (!done.ok && done.error.code === 'commit_unknown') return done
      const written = prepared.manifests.map(({ path }) => path)
      await removeAll(written, this.#editor.storage)
      if (!done.ok) return done
    }
    return failed(
      error('commit_conflict', `table ${name}: it changes faster than it is rewritten.`),
    )
  }

  #table(name: string): Table {
    const table = this.#editor.tables().get(name)
    if (table === undefined) throw error('table_unknown', `There is no table ${name}.`)
    return table
  }

  async #guarded<T>(work: () => Promise<Result<T>>): Promise<Result<T>> {
    try {
      return await work()
    } catch (cause) {
      return failed(diskFailure(cause, this.#editor.storage.root))
    }
  }
}

function things({ snapshots, refs }: Metadata): number {
  return snapshots.length + Object.keys(refs).length
}
