/** Follows tables that another engine writes: how fresh their rows were, when the newest came, and how complete they are. */
import { limits } from '../base/limits.ts'
import { arrivals, type Lake } from '../lake/index.ts'
import { claimSummaries, type TableClaim, tableClaim } from './claims.ts'
import { Completeness, type CompletenessOptions } from './completeness.ts'
import { entriesSince } from './duckdb/known-batches.ts'
import { Freshness } from './freshness.ts'

/** Every batch is a row of it, and has landed when it is there. */
const LEDGER = 'batches'
const ARRIVED = 'received_at'

export class Landings {
  /** Age of the oldest batch of each commit of the ledger when it was committed. */
  readonly freshness: Freshness = new Freshness()
  readonly #lake: Lake
  readonly #options: CompletenessOptions
  /** By table: the newest commit that was looked at, and the arrival of its newest row so far, ms since 1970. */
  readonly #seen = new Map<string, { sequence: number; newest: number }>()
  #completeness: Completeness | undefined
  #claims: ReadonlyMap<string, TableClaim> = new Map()

  constructor(lake: Lake, options: CompletenessOptions) {
    this.#lake = lake
    this.#options = options
  }

  /** When the newest row of each table came to a collector, ms since 1970; empty tables are absent. */
  get newest(): ReadonlyMap<string, number> {
    return new Map([...this.#seen].map(([table, { newest }]) => [table, newest]))
  }

  /** What is claimed of each table (PROTOCOL.md §15). */
  get claims(): ReadonlyMap<string, TableClaim> {
    return this.#claims
  }

  /** Boots heard of within the silence. */
  get active(): number {
    return this.#completeness?.active ?? 0
  }

  /** Looks at what has been committed since. Rejects with HeadwaterError; the next look makes up for it. */
  async look(): Promise<void> {
    const { state } = this.#lake
    for (const table of state.tables.keys()) {
      if (table !== LEDGER) await this.#follow(table)
    }
    const since = await this.#follow(LEDGER)
    if (since !== undefined) await this.#reckon(since)
  }

  /** When the oldest row came that was committed since, ms since 1970; undefined without any. */
  async #follow(table: string): Promise<number | undefined> {
    const reading = await this.#lake.reading(this.#lake.state, table)
    if (!reading.ok) throw reading.error
    const known = this.#seen.get(table)
    const after = known?.sequence ?? 0
    const came = await arrivals(reading.value, ARRIVED, after, limits.watchCommitsMax)
    const last = came.at(-1)
    if (last === undefined) return undefined
    const newest = Math.max(known?.newest ?? 0, ...came.map(({ to }) => Number(to / 1000n)))
    if (table === LEDGER && known !== undefined) {
      for (const { at, from } of came) this.freshness.add(Math.max(0, at - Number(from) / 1000))
    }
    this.#seen.set(table, { sequence: last.sequence, newest })
    return Math.min(...came.map(({ from }) => Number(from / 1000n)))
  }

  /** Takes the batches that were committed since; those of before change nothing. */
  async #reckon(since: number): Promise<void> {
    const begun = this.#completeness
    const from = begun === undefined ? 0 : since
    const entries = await entriesSince(this.#lake, from, limits.watchBatchesMax)
    this.#completeness = entries && (begun ?? new Completeness(this.#options))
    for (const entry of entries ?? []) this.#completeness!.fold(entry)
    this.#claims = claimsOf(this.#completeness, this.#lake)
  }
}

/** What can be claimed of each table by the ledger as it is now; nothing where there are more than `most` recent batches. */
export async function ledgerClaims(
  lake: Lake,
  options: CompletenessOptions,
): Promise<ReadonlyMap<string, TableClaim>> {
  const entries = await entriesSince(lake, 0, limits.watchBatchesMax)
  if (entries === undefined) return new Map()
  const completeness = new Completeness(options)
  for (const entry of entries) completeness.fold(entry)
  return claimsOf(completeness, lake)
}

/** The very claims that snapshots would carry. */
function claimsOf(
  completeness: Completeness | undefined,
  { state }: Lake,
): ReadonlyMap<string, TableClaim> {
  const summaries = claimSummaries(completeness?.claim(), state.tables.keys())
  return new Map(
    [...summaries].flatMap(([table, claims]) => {
      const claim = tableClaim(claims, claims)
      return claim === undefined ? [] : [[table, claim]]
    }),
  )
}
