/** What /metrics tells of the parts behind the door. */
import type { HeadwaterError } from '../base/errors.ts'
import type { Admission } from '../collector/admit.ts'
import type { Reading, TableReading } from '../collector/metrics.ts'
import { claimOf, type Completeness, type Freshness } from '../engine/index.ts'
import type { Lake, RestCounts } from '../lake/index.ts'
import type { Log } from '../log/index.ts'
import type { ClaimOf } from './claims.ts'

/** The parts of a platform that is one process. */
export interface Embedded {
  readonly log: Log
  readonly freshness: Freshness
  /** Why the engine cannot commit, while it cannot. */
  readonly engineFailure: () => HeadwaterError | undefined
  /** What the REST catalog counts, where there is one. */
  readonly catalog: RestCounts | undefined
  /** What lands rows; undefined while the lake is not there yet. */
  readonly behind: () => Behind | undefined
}

export interface Behind {
  readonly admission: Admission
  readonly completeness: Completeness
  readonly lake: Lake
}

/** What the snapshots of a lake claim; nothing while it is not there. */
function claimsIn(lake: () => Lake | undefined): ClaimOf {
  return (table) => {
    const now = lake()
    return now && claimOf(now.state, table)
  }
}

/** What is claimed of how complete tables are (PROTOCOL.md §15); by their snapshots, unless another says. */
export function completeReading(
  lake: () => Lake | undefined,
  claimOfTable: ClaimOf = claimsIn(lake),
): TableReading {
  const shares = (): ReadonlyMap<string, number> =>
    new Map(
      [...(lake()?.state.tables.keys() ?? [])].flatMap((table) => {
        const share = claimOfTable(table)?.share
        return share === undefined ? [] : [[table, share]]
      }),
    )
  return {
    name: 'complete_share',
    help: 'Share of the expected events of a table that landed.',
    read: shares,
  }
}

/** How fresh and complete the tables are, whichever engine writes them. */
export function freshnessGauges(
  freshness: Freshness,
  active: () => number,
  claimOfTable: ClaimOf,
): Reading[] {
  return [
    {
      name: 'freshness_p50_seconds',
      help: 'Age of the oldest row of a commit when it became queryable, median of the latest.',
      read: () => (freshness.quantile(0.5) ?? 0) / 1000,
    },
    {
      name: 'freshness_p99_seconds',
      help: 'The same, 99th percentile.',
      read: () => (freshness.quantile(0.99) ?? 0) / 1000,
    },
    { name: 'active_boots', help: 'Boots heard of within the silence.', read: active },
    {
      name: 'valid_through_seconds',
      help: 'Event time, in seconds since 1970, before which the tables are complete to the objective.',
      read: () => (claimOfTable('batches')?.validThrough ?? 0) / 1000,
    },
  ]
}

/** What an embedded platform tells of its log, engine and lake. */
export function embeddedGauges(options: Embedded): Reading[] {
  const { log, freshness, catalog, engineFailure, behind } = options
  return [
    {
      name: 'engine_failing',
      help: '1 while the lake refuses commits; the log keeps what is taken.',
      read: () => (engineFailure() === undefined ? 0 : 1),
    },
    {
      name: 'boots',
      help: 'Boots remembered for duplicates.',
      read: () => behind()?.admission.boots ?? 0,
    },
    { name: 'log_bytes', help: 'Bytes of the log on disk.', read: () => log.bytes },
    {
      name: 'log_offset',
      help: 'Offset after the last durable frame.',
      read: () => log.durableEnd,
    },
    {
      name: 'lake_offset',
      help: 'Log offset that the lake covers.',
      // What the log keeps is all that is known while there is no lake.
      read: () => behind()?.lake.state.offset ?? log.durableEnd - log.bytes,
    },
    ...lakeGauges(() => behind()?.lake),
    ...freshnessGauges(
      freshness,
      () => behind()?.completeness.active ?? 0,
      claimsIn(() => behind()?.lake),
    ),
    ...(catalog === undefined ? [] : catalogGauges(catalog)),
  ]
}

/** What other engines did at the catalog. */
export function catalogGauges(counts: RestCounts): Reading[] {
  const failures = (): number =>
    [...counts.responses].reduce((sum, [status, count]) => sum + (status >= 500 ? count : 0), 0)
  const answers = (): number => [...counts.responses.values()].reduce((sum, each) => sum + each, 0)
  return [
    { name: 'catalog_answers', help: 'Answers of the REST catalog.', read: answers },
    { name: 'catalog_failures', help: 'Answers with a status of 5xx.', read: failures },
    { name: 'catalog_commits', help: 'Commits of other engines.', read: () => counts.commits },
    {
      name: 'catalog_conflicts',
      help: 'Commits of other engines that have to be made again.',
      read: () => counts.conflicts,
    },
    {
      name: 'catalog_reports',
      help: 'Scan and commit reports of other engines.',
      read: () => counts.reports,
    },
    {
      name: 'catalog_purged_objects',
      help: 'Objects of purged tables that were removed.',
      read: () => counts.purgedObjects,
    },
  ]
}

/** What is in the lake; nothing while it is not there. */
export function lakeGauges(lake: () => Lake | undefined): Reading[] {
  const total = (pick: 'rows' | 'files' | 'bytes'): number =>
    [...(lake()?.state.tables.values() ?? [])].reduce((sum, table) => sum + table[pick], 0)
  return [
    { name: 'lake_version', help: 'Commits of the lake.', read: () => lake()?.state.version ?? 0 },
    { name: 'lake_rows', help: 'Rows over all tables.', read: () => total('rows') },
    { name: 'lake_files', help: 'Data files over all tables.', read: () => total('files') },
    { name: 'lake_bytes', help: 'Bytes of data files.', read: () => total('bytes') },
  ]
}
