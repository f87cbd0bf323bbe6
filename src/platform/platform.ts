/** The composition root: lake, log, engine and collector of one process, opened in the order that recovery needs and closed in reverse. */
import path from 'node:path'
import type { Clock } from '../base/clock.ts'
import { HeadwaterError } from '../base/errors.ts'
import type { Files } from '../base/files.ts'
import type { Random } from '../base/random.ts'
import { failed, ok, type Result } from '../base/result.ts'
import { Admission } from '../collector/admit.ts'
import { IntakeCounts } from '../collector/counts.ts'
import { bootWords } from '../collector/decode.ts'
import type { Intake } from '../collector/intake.ts'
import {
  type CommitReport,
  Completeness,
  EpochQueue,
  EpochRunner,
  Freshness,
  knownBatches,
  recentEntries,
} from '../engine/index.ts'
import type { CatalogLake, KeptLake, Lake, Maintainer } from '../lake/index.ts'
import { type Log, openFileLog } from '../log/index.ts'
import { openOwnCatalog } from './catalog.ts'
import { declareTables } from './declare-tables.ts'
import { openDoor } from './door.ts'
import type { LocalFlink } from './flink-config.ts'
import { completeReading, embeddedGauges } from './gauges.ts'
import { projectMaintainer } from './maintenance.ts'
import type { Project } from './project.ts'
import { openConfiguredLake } from './project-lake.ts'
import { schemasOf } from './schemas.ts'

export interface PlatformOptions {
  readonly project: Project
  readonly files: Files
  readonly clock: Clock
  readonly random: Random
  /** All quarantine reasons in answers; open CORS. */
  readonly development: boolean
  /** Asked where the configuration names no Flink. */
  readonly localFlink?: LocalFlink
  readonly onCommit?: (report: CommitReport) => void
  readonly onFailure?: (failure: HeadwaterError) => void
  /** `table` is empty when the failure concerns all of them. Maintenance tries again by itself. */
  readonly onMaintenanceFailure?: (table: string, failure: HeadwaterError) => void
}

export interface Platform {
  /** Where events are sent, such as `http://127.0.0.1:8642`. */
  readonly url: string
  /** Where other engines find the tables, such as `http://127.0.0.1:8643/iceberg`; undefined where another catalog has them. */
  readonly catalogUrl: string | undefined
  readonly counts: IntakeCounts
  readonly lake: Lake
  readonly log: Log
  /** Undefined where somebody else's catalog keeps the tables. */
  readonly maintainer: Maintainer | undefined
  /** Frames of the log that were landed again at the start. */
  readonly replayed: number
  /** Why events cannot be taken now; empty when they can. */
  ready(): readonly string[]
  /** Answers what is in flight, writes what was taken, and closes. */
  close(): Promise<void>
}

/** Everything behind the door, but for the log. */
export interface Core {
  readonly lake: KeptLake | CatalogLake
  readonly runner: EpochRunner
  readonly admission: Admission
  readonly completeness: Completeness
  /** Undefined where somebody else's catalog keeps the tables. */
  readonly maintainer: Maintainer | undefined
  /** Lands what the log has and the lake does not; answers how many frames that were. */
  readonly replay: () => Promise<Result<number>>
}

/** What counts a platform's work from its first moment to its last. */
export interface Tallies {
  readonly counts: IntakeCounts
  readonly freshness: Freshness
}

/** Fails with `catalog_unavailable` and the like where the lake cannot be reached; `startPatientPlatform` takes events meanwhile. */
export async function startPlatform(options: PlatformOptions): Promise<Result<Platform>> {
  const tallies = { counts: new IntakeCounts(), freshness: new Freshness() }
  const lake = await openTables(options)
  if (!lake.ok) return lake
  const log = await openFileLog({ ...logPlace(options), committed: lake.value.state.offset })
  if (!log.ok) return closing(lake.value, log.error)
  const core = await openCore(options, tallies, lake.value, log.value)
  if (!core.ok) {
    await log.value.close()
    return closing(lake.value, core.error)
  }
  const replayed = await core.value.replay()
  if (!replayed.ok) {
    await closeCore(core.value, log.value)
    return replayed
  }
  return openPlatform(options, tallies, core.value, { log: log.value, replayed: replayed.value })
}

/** Opens catalog and door on what is behind them. */
async function openPlatform(
  options: PlatformOptions,
  { counts, freshness }: Tallies,
  core: Core,
  { log, replayed }: { readonly log: Log; readonly replayed: number },
): Promise<Result<Platform>> {
  const { lake, runner, admission, completeness, maintainer } = core
  const ready = (): readonly string[] => readiness(admission, runner)
  const intake: Intake = {
    take: (body, facts) => admission.take(body, facts),
    corrupt: (raw, facts, detail) => admission.corrupt(raw, facts, detail),
    ready,
  }
  const catalog = await openOwnCatalog(options, lake)
  if (!catalog.ok) {
    await closeCore(core, log)
    return catalog
  }
  const behind = { admission, completeness, lake }
  const door = await openDoor({
    ...options,
    intake,
    counts,
    maintenance: maintainer?.counts,
    broker: undefined,
    gauges: embeddedGauges({
      log,
      freshness,
      catalog: catalog.value?.counts,
      engineFailure: () => runner.failure,
      behind: () => behind,
    }),
    tables: [completeReading(() => lake)],
  })
  if (!door.ok) {
    await catalog.value?.close()
    await closeCore(core, log)
    return door
  }
  runner.start()
  if (options.project.config.maintenance.enabled) maintainer?.start()
  return ok({
    url: door.value.url,
    catalogUrl: catalog.value?.url,
    counts,
    lake,
    log,
    maintainer,
    replayed,
    ready,
    close: async () => {
      await Promise.all([door.value.close(), catalog.value?.close()])
      await closeCore(core, log)
    },
  })
}

/** Opens the lake, and makes its tables what the specifications say. */
export async function openTables(options: PlatformOptions): Promise<Result<Core['lake']>> {
  const { project } = options
  const lake = await openConfiguredLake(project, options, false)
  if (!lake.ok) return lake
  const declared = await declareTables(lake.value, schemasOf(project), options)
  return declared.ok ? lake : closing(lake.value, declared.error)
}

/** Where a project's log is. */
export function logPlace({ project, files, clock }: PlatformOptions): {
  directory: string
  files: Files
  clock: Clock
} {
  return { directory: path.join(project.data, 'log'), files, clock }
}

/** Makes the batches of the ledger known. What the log has and the lake does not is landed by `replay`. */
export async function openCore(
  options: PlatformOptions,
  { counts, freshness }: Tallies,
  lake: Core['lake'],
  log: Log,
): Promise<Result<Core>> {
  const { project, files, clock, random } = options
  const schemas = schemasOf(project)
  const queue = new EpochQueue(schemas)
  const completeness = new Completeness(project.config.engine.completeness)
  const runner = await EpochRunner.open({
    queue,
    log,
    lake,
    files,
    clock,
    random,
    cadence: project.config.engine,
    completeness,
    writers: project.config.engine.writers,
    onCommit: (report) => {
      freshness.add(report.freshnessMs)
      options.onCommit?.(report)
    },
    onFailure: options.onFailure ?? (() => {}),
  })
  const admission = new Admission({
    schemas,
    epochs: queue,
    log,
    counts,
    development: options.development,
    times: project.config.time,
  })
  const recalled = await recall(lake, admission, completeness)
  if (!recalled.ok) {
    await runner.stop()
    return recalled
  }
  const maintainer = projectMaintainer({
    ...options,
    ...project,
    lake,
    busy: () => runner.writing || queue.behind,
    onFailure: options.onMaintenanceFailure ?? (() => {}),
  })
  const again = (): Promise<Result<number>> => replay(lake, log, admission, runner)
  return ok({ lake, runner, admission, completeness, maintainer, replay: again })
}

async function recall(
  lake: Lake,
  admission: Admission,
  completeness: Completeness,
): Promise<Result<void>> {
  try {
    for (const entry of await recentEntries(lake)) completeness.fold(entry)
    for (const { boot, seq, first, count, fingerprint } of await knownBatches(lake)) {
      admission.recall({ boot: bootWords(boot), seq, first, count }, fingerprint)
    }
    return ok(undefined)
  } catch (cause) {
    if (cause instanceof HeadwaterError) return failed(cause)
    throw cause
  }
}

async function replay(
  lake: Lake,
  log: Log,
  admission: Admission,
  runner: EpochRunner,
): Promise<Result<number>> {
  try {
    let frames = 0
    for await (const stored of log.read(lake.state.offset)) {
      while (!admission.replay(stored)) {
        const drained = await runner.drain()
        if (!drained.ok) return drained
      }
      frames++
    }
    const drained = await runner.drain()
    return drained.ok ? ok(frames) : drained
  } catch (cause) {
    if (cause instanceof HeadwaterError) return failed(cause)
    throw cause
  }
}

async function closing(lake: Lake, failure: HeadwaterError): Promise<Result<never>> {
  await lake.close()
  return failed(failure)
}

export async function closeCore(core: Core, log: Log): Promise<void> {
  await core.maintainer?.stop()
  await core.runner.stop()
  await log.close()
  await core.lake.close()
}

/** Events are taken while the log has room for them, even if the lake refuses for a while; when it no longer has, both are said. */
export function readiness(admission: Admission, runner: EpochRunner): readonly string[] {
  const reasons = admission.ready()
  // What is taken now could land only after somebody has decided whose the lake is.
  if (runner.failure?.code === 'lake_locked') return [...reasons, runner.failure.message]
  if (reasons.length === 0 || runner.failure === undefined) return reasons
  return [...reasons, runner.failure.message]
}
