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
  claimOf,
  type CommitReport,
  Completeness,
  EpochQueue,
  EpochRunner,
  Freshness,
  knownBatches,
  recentEntries,
} from '../engine/index.ts'
import type { Lake, Maintainer } from '../lake/index.ts'
import { type Log, openFileLog } from '../log/index.ts'
import { type CatalogDoor, openOwnCatalog } from './catalog.ts'
import { declareTables } from './declare-tables.ts'
import { openDoor, type Door } from './door.ts'
import type { FlinkConfig } from './flink-config.ts'
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
  /** The Flink that runs beside a project, by its data folder, where the configuration names none. */
  readonly localFlink?: (data: string) => Promise<FlinkConfig | undefined>
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

/** Everything behind the door. */
interface Core {
  readonly lake: Lake
  readonly log: Log
  readonly runner: EpochRunner
  readonly admission: Admission
  readonly completeness: Completeness
  /** Undefined where somebody else's catalog keeps the tables. */
  readonly maintainer: Maintainer | undefined
  readonly replayed: number
}

export async function startPlatform(options: PlatformOptions): Promise<Result<Platform>> {
  const counts = new IntakeCounts()
  const freshness = new Freshness()
  const core = await openCore(options, counts, freshness)
  if (!core.ok) return core
  const { lake, log, runner, admission, completeness, maintainer, replayed } = core.value
  const ready = (): readonly string[] => readiness(admission, runner)
  const intake: Intake = {
    take: (body, facts) => admission.take(body, facts),
    corrupt: (raw, facts, detail) => admission.corrupt(raw, facts, detail),
    ready,
  }
  const catalog = await openOwnCatalog(options, lake)
  if (!catalog.ok) {
    await closeCore(core.value)
    return catalog
  }
  const door = await openDoor({
    ...options,
    intake,
    counts,
    maintenance: maintainer?.counts,
    broker: undefined,
    gauges: embeddedGauges({
      admission,
      completeness,
      freshness,
      log,
      lake,
      catalog: catalog.value?.counts,
      engineFailure: () => runner.failure,
    }),
    tables: [completeReading((table) => claimOf(lake.state, table), lake)],
  })
  if (!door.ok) {
    await catalog.value?.close()
    await closeCore(core.value)
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
    close: () => closeAll(door.value, catalog.value, core.value),
  })
}

/** Opens lake and log, makes old batches known, and lands again what the log has and the lake does not. */
async function openCore(
  options: PlatformOptions,
  counts: IntakeCounts,
  freshness: Freshness,
): Promise<Result<Core>> {
  const { project, files, clock, random } = options
  const schemas = schemasOf(project)
  const lake = await openConfiguredLake(project, options, false)
  if (!lake.ok) return lake
  const declared = await declareTables(lake.value, schemas, options)
  if (!declared.ok) return closing(lake.value, declared.error)
  const log = await openFileLog({
    directory: path.join(project.data, 'log'),
    files,
    clock,
    committed: lake.value.state.offset,
  })
  if (!log.ok) return closing(lake.value, log.error)
  const queue = new EpochQueue(schemas)
  const completeness = new Completeness(project.config.engine.completeness)
  const runner = await EpochRunner.open({
    queue,
    log: log.value,
    lake: lake.value,
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
    log: log.value,
    counts,
    development: options.development,
    times: project.config.time,
  })
  const replayed = await recover(lake.value, log.value, admission, completeness, runner)
  if (!replayed.ok) {
    await runner.stop()
    await log.value.close()
    return closing(lake.value, replayed.error)
  }
  const maintainer = projectMaintainer({
    ...options,
    ...project,
    lake: lake.value,
    busy: () => runner.writing || queue.behind,
    onFailure: options.onMaintenanceFailure ?? (() => {}),
  })
  return ok({
    lake: lake.value,
    log: log.value,
    runner,
    admission,
    completeness,
    maintainer,
    replayed: replayed.value,
  })
}

async function recover(
  lake: Lake,
  log: Log,
  admission: Admission,
  completeness: Completeness,
  runner: EpochRunner,
): Promise<Result<number>> {
  try {
    for (const entry of await recentEntries(lake)) completeness.fold(entry)
    for (const { boot, seq, first, count, fingerprint } of await knownBatches(lake)) {
      admission.recall({ boot: bootWords(boot), seq, first, count }, fingerprint)
    }
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

async function closeCore(core: Core): Promise<void> {
  await core.maintainer?.stop()
  await core.runner.stop()
  await core.log.close()
  await core.lake.close()
}

async function closeAll(door: Door, catalog: CatalogDoor | undefined, core: Core): Promise<void> {
  await Promise.all([door.close(), catalog?.close()])
  await closeCore(core)
}

/** Events are taken while the log has room for them, even if the lake refuses for a while; when it no longer has, both are said. */
function readiness(admission: Admission, runner: EpochRunner): readonly string[] {
  const reasons = admission.ready()
  // What is taken now could land only after somebody has decided whose the lake is.
  if (runner.failure?.code === 'lake_locked') return [...reasons, runner.failure.message]
  if (reasons.length === 0 || runner.failure === undefined) return reasons
  return [...reasons, runner.failure.message]
}
