/** The fence between data directories that use one lake: whose log the offset of the catalog counts in, and who may commit. */
import { error } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import { failed, ok, type Result } from '../base/result.ts'

/** What the catalog remembers of a data directory that owned the lake before. */
export interface FormerOwner {
  /** Offset of its log up to which everything has landed. */
  readonly offset: number
  /** Version by which the next owner took the lake. Never pruned, so that a process which slept through it meets it. */
  readonly taken: number
}

/** The part of a catalog file that the fence looks after. */
export interface Ownership {
  /** Identity of the data directory in whose log `offset` counts. */
  readonly owner?: string
  /** Log offset up to which everything has landed. */
  readonly offset: number
  /** Those that owned the lake before, by their identity. */
  readonly former?: Readonly<Record<string, FormerOwner>>
}

type Owned = Ownership & { readonly version: number }

/**
 * Ownership for `owner` at the opening of a lake: itself when it has it already or nobody has. Else `lake_locked`, or, with `takeOver`,
 * a new ownership that is to be published: its offset is where this owner's own log stood when it last had the lake.
 */
export function claim(newest: Owned, owner: string, takeOver: boolean): Result<Ownership> {
  const { offset, former = {} } = newest
  const holder = newest.owner ?? ''
  if (holder === owner) return ok(newest)
  if (holder === '') return ok({ ...newest, owner })
  if (!takeOver) {
    return failed(
      error(
        'lake_locked',
        `It belongs to the data directory ${holder}, whose log may hold events that have not landed; this one is ${owner}.`,
      ),
    )
  }
  if (Object.keys(former).length >= limits.formerOwnersMax) {
    return failed(error('lake_locked', `It has had ${limits.formerOwnersMax} owners already.`))
  }
  const { [owner]: mine, ...others } = former
  return ok({
    owner,
    offset: mine?.offset ?? 0,
    former: { ...others, [holder]: { offset, taken: newest.version + 1 } },
  })
}

/** Whether the newest catalog is still what its owner left: nobody took the lake, and nobody moved the offset of its log. */
export function stillOwned(newest: Ownership, mine: Ownership): Result<void> {
  // Before anybody owns a lake, the first commit that gets through decides.
  const unclaimed = (newest.owner ?? '') === ''
  if (!unclaimed && newest.owner !== mine.owner) {
    return failed(error('lake_locked', `The data directory ${newest.owner} took it over.`))
  }
  if (newest.offset !== mine.offset) {
    const moved = `from ${mine.offset} to ${newest.offset}`
    return failed(error('lake_locked', `Another process moved the offset of the log ${moved}.`))
  }
  return ok(undefined)
}

/** Versions that pruning leaves alone. */
export function takeovers(catalog: Ownership): ReadonlySet<number> {
  return new Set(Object.values(catalog.former ?? {}).map(({ taken }) => taken))
}
