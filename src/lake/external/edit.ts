/** Changes of one table's files and history in somebody else's catalog: each holds only while the table is what it was made from, and is told from one that did not get through. */
import { type Clock, sleep } from '../../base/clock.ts'
import { error } from '../../base/errors.ts'
import { limits } from '../../base/limits.ts'
import type { Random } from '../../base/random.ts'
import { failed, ok, type Result } from '../../base/result.ts'
import type { Staged, Table } from '../append.ts'
import { removeAll } from '../expire.ts'
import { currentSnapshot } from '../metadata.ts'
import type { Storage } from '../storage.ts'
import { assertRefs, assertUuid, type CommitOutcome, type RestCatalog } from './rest-catalog.ts'
import { goneSnapshots, type Leftovers, updatesOf } from './stage.ts'

/** What an edit needs of the lake whose table it changes. */
export interface EditPorts {
  readonly catalog: RestCatalog
  readonly storage: Storage
  readonly clock: Clock
  readonly random: Random
  readonly leftovers: Leftovers
  /** The table as the catalog has it now. */
  reload(name: string): Promise<Result<Table>>
}

/**
 * Changes one table; `ok(false)` when `stage` declines. Another writer's commit in between means that it is staged again. Fails with
 * `commit_unknown` when nobody can say whether it was made: what it names must stay.
 */
export async function editTable(
  name: string,
  stage: (table: Table) => Promise<Staged | undefined>,
  ports: EditPorts,
): Promise<Result<boolean>> {
  const { catalog, storage, clock, random } = ports
  let unsure = false
  let last = 'nothing was tried'
  let base = await ports.reload(name)
  for (let attempt = 0; attempt < limits.commitAttemptsMax; attempt++) {
    if (!base.ok) return unsure ? failed(unknown(name, base.error.detail)) : base
    const before = base.value
    const staged = await stage(before)
    if (staged === undefined) return unsure ? failed(unknown(name, last)) : ok(false)
    const outcome = await catalog.commit({
      name,
      requirements: [assertUuid(before.metadata), ...assertRefs(before.metadata)],
      updates: updatesOf(before.metadata, staged.metadata, {}),
    })
    base = await ports.reload(name)
    if (base.ok && isMade(before, staged, base.value)) {
      await removeAll(ports.leftovers.after({ base: before, after: base.value }), storage)
      return ok(true)
    }
    // A late answer to it finds the refs moved, or is what the next look shows.
    if (outcome.kind === 'unknown') unsure = true
    else await removeAll(newList(before, staged), storage)
    if (outcome.kind === 'refused' && !unsure) return failed(outcome.error)
    last = reasonOf(outcome)
    await sleep(clock, limits.catalogRetryMsMin * random.float())
  }
  return failed(unsure ? unknown(name, last) : error('commit_conflict', `table ${name}: ${last}.`))
}

/** Whether the table has the change: its snapshot is there, or those that were to go are not. */
function isMade(before: Table, { metadata }: Staged, now: Table): boolean {
  const ids = new Set(now.metadata.snapshots.map((each) => each['snapshot-id']))
  const id = currentSnapshot(metadata)?.['snapshot-id']
  if (id !== currentSnapshot(before.metadata)?.['snapshot-id'])
    return id !== undefined && ids.has(id)
  return goneSnapshots(before.metadata, metadata).every((each) => !ids.has(each['snapshot-id']))
}

/** The manifest list of an attempt that certainly came to nothing. */
function newList(before: Table, { metadata }: Staged): string[] {
  const list = currentSnapshot(metadata)?.['manifest-list']
  return list === undefined || list === currentSnapshot(before.metadata)?.['manifest-list']
    ? []
    : [list]
}

function reasonOf(outcome: CommitOutcome): string {
  switch (outcome.kind) {
    case 'committed':
      return 'the catalog said that it had committed, and has not'
    case 'refused':
      return outcome.error.detail
    case 'conflict':
    case 'unknown':
      return outcome.message
  }
}

function unknown(name: string, why: string): ReturnType<typeof error> {
  return error('commit_unknown', `table ${name}: ${why}.`)
}
