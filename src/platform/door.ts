/** Wires the collector of a platform: keys, origins, look-ups, metrics, and the port it listens on. */
import type { Clock } from '../base/clock.ts'
import type { HeadwaterError } from '../base/errors.ts'
import { error } from '../base/errors.ts'
import { errnoOf } from '../base/files.ts'
import { failed, ok, type Result } from '../base/result.ts'
import type { Admission } from '../collector/admit.ts'
import { corsOf } from '../collector/cors.ts'
import type { IntakeCounts } from '../collector/counts.ts'
import { openEnricher } from '../collector/enrich.ts'
import { type Collector, createCollector } from '../collector/http.ts'
import type { Intake } from '../collector/intake.ts'
import { keysOf } from '../collector/keys.ts'
import { createMetrics, DoorCounts, type Reading } from '../collector/metrics.ts'
import { claimOf, type Completeness, type Freshness } from '../engine/index.ts'
import type { Lake, MaintenanceCounts, RestCounts } from '../lake/index.ts'
import type { Log } from '../log/index.ts'
import type { Project } from './project.ts'

export interface DoorOptions {
  readonly project: Project
  readonly clock: Clock
  readonly intake: Intake
  readonly counts: IntakeCounts
  readonly admission: Admission
  readonly completeness: Completeness
  readonly freshness: Freshness
  readonly log: Log
  readonly lake: Lake
  /** What the REST catalog counts, where there is one. */
  readonly catalog: RestCounts | undefined
  /** What maintenance counts, where the lake is maintained here. */
  readonly maintenance: MaintenanceCounts | undefined
  readonly development: boolean
  /** Why the engine cannot commit, while it cannot. */
  readonly engineFailure: () => HeadwaterError | undefined
}

export interface Door {
  readonly url: string
  close(): Promise<void>
}

export async function openDoor(options: DoorOptions): Promise<Result<Door>> {
  const { project, clock, intake, counts, development } = options
  const { http, keys, enrich } = project.config
  const door = new DoorCounts()
  let collector: Collector | undefined
  const registry = createMetrics({
    intake: counts,
    door,
    maintenance: options.maintenance,
    gauges: gauges(options, () => collector),
    tables: [
      {
        name: 'complete_share',
        help: 'Share of the expected events of a table that landed, as its snapshot says.',
        read: () => completeShares(options.lake),
      },
    ],
  })
  collector = createCollector({
    intake,
    clock,
    keys: keysOf(keys),
    cors: corsOf(development ? ['*'] : http.origins),
    enricher: await openEnricher(enrich),
    counts: door,
    metrics: () => registry.metrics(),
    trustProxyHops: http.trustProxyHops,
  })
  try {
    const { port } = await collector.listen(http.port, http.host)
    return ok({ url: `http://${http.host}:${port}`, close: () => collector.close() })
  } catch (cause) {
    return failed(listenFailure(cause, http))
  }
}

/** Share landed of what is expected, by table. */
function completeShares({ state }: Lake): ReadonlyMap<string, number> {
  const shares = new Map<string, number>()
  for (const name of state.tables.keys()) {
    const share = claimOf(state, name)?.share
    if (share !== undefined) shares.set(name, share)
  }
  return shares
}

function gauges(options: DoorOptions, collector: () => Collector | undefined): Reading[] {
  const { admission, completeness, freshness, log, lake, catalog, intake, engineFailure } = options
  const total = (pick: 'rows' | 'files' | 'bytes'): number =>
    [...lake.state.tables.values()].reduce((sum, table) => sum + table[pick], 0)
  return [
    {
      name: 'ready',
      help: '1 while events are taken.',
      read: () => (intake.ready().length === 0 ? 1 : 0),
    },
    {
      name: 'engine_failing',
      help: '1 while the lake refuses commits; the log keeps what is taken.',
      read: () => (engineFailure() === undefined ? 0 : 1),
    },
    { name: 'boots', help: 'Boots remembered for duplicates.', read: () => admission.boots },
    {
      name: 'in_flight_bytes',
      help: 'Bytes of bodies in memory.',
      read: () => collector()?.inFlightBytes ?? 0,
    },
    { name: 'connections', help: 'Open connections.', read: () => collector()?.connections ?? 0 },
    { name: 'log_bytes', help: 'Bytes of the log on disk.', read: () => log.bytes },
    {
      name: 'log_offset',
      help: 'Offset after the last durable frame.',
      read: () => log.durableEnd,
    },
    {
      name: 'lake_offset',
      help: 'Log offset that the lake covers.',
      read: () => lake.state.offset,
    },
    { name: 'lake_version', help: 'Commits of the lake.', read: () => lake.state.version },
    { name: 'lake_rows', help: 'Rows over all tables.', read: () => total('rows') },
    { name: 'lake_files', help: 'Data files over all tables.', read: () => total('files') },
    { name: 'lake_bytes', help: 'Bytes of data files.', read: () => total('bytes') },
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
    {
      name: 'active_boots',
      help: 'Boots heard of within the silence.',
      read: () => completeness.active,
    },
    {
      name: 'valid_through_seconds',
      help: 'Event time, in seconds since 1970, before which the tables are complete to the objective.',
      read: () => (claimOf(lake.state, 'batches')?.validThrough ?? 0) / 1000,
    },
    ...(catalog === undefined ? [] : catalogGauges(catalog)),
  ]
}

function catalogGauges(counts: RestCounts): Reading[] {
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

/** Why the address cannot be taken, in our terms. */
function listenFailure(
  cause: unknown,
  { host, port }: { host: string; port: number },
): HeadwaterError {
  const message = cause instanceof Error ? cause.message : String(cause)
  const code = errnoOf(cause) === 'EADDRINUSE' ? 'port_in_use' : 'listen_failed'
  return error(code, `${host}:${port}: ${message}.`, cause)
}
