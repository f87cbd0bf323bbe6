/**
 * A platform whose tables live in somebody else's catalog, which may be away when it starts: events are taken into the log meanwhile, and
 * land once the catalog is back.
 */
import { Pauses, sleep } from '../base/clock.ts'
import { error, HeadwaterError } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import { failed, ok, type Result } from '../base/result.ts'
import { Admission, type Epochs } from '../collector/admit.ts'
import { refusal } from '../collector/answer.ts'
import { IntakeCounts } from '../collector/counts.ts'
import type { Intake, IntakeAnswer, RequestFacts } from '../collector/intake.ts'
import { Epoch, type Schemas } from '../columns/epoch.ts'
import { Freshness } from '../engine/index.ts'
import type { Lake } from '../lake/index.ts'
import { type Log, openFileLog } from '../log/index.ts'
import { type Door, openDoor } from './door.ts'
import { completeReading, embeddedGauges } from './gauges.ts'
import {
  closeCore,
  type Core,
  logPlace,
  openCore,
  openTables,
  type Platform,
  type PlatformOptions,
  readiness,
  type Tallies,
} from './platform.ts'
import { schemasOf } from './schemas.ts'

export interface PatientPlatform extends Pick<
  Platform,
  'url' | 'catalogUrl' | 'counts' | 'log' | 'ready' | 'close'
> {
  /** Undefined until the catalog is there. */
  readonly lake: Lake | undefined
}

/**
 * Starts although the catalog is away, where this data folder has been at it before: a first start has to find out whose the tables are.
 * Fails as `startPlatform` does otherwise. That it waits is told by `onFailure`, at each attempt.
 */
export async function startPatientPlatform(
  options: PlatformOptions,
): Promise<Result<PatientPlatform>> {
  const tables = openTables(options)
  const early = await Promise.race([
    tables,
    sleep(options.clock, limits.catalogPatienceMs).then(() => undefined),
  ])
  if (early?.ok === false && early.error.code !== 'catalog_unavailable') return early
  let log = await openLog(options, early?.ok === true ? early.value.state.offset : undefined)
  if (log.ok && log.value.durableEnd === 0 && early?.ok !== true) {
    // Nothing was ever written here: the offset to begin at is the catalog's to say.
    await log.value.close()
    const lake = await tables
    if (!lake.ok) return lake
    log = await openLog(options, lake.value.state.offset)
  }
  if (log.ok) return new Patience(options, log.value).start(tables)
  const lake = await tables
  if (lake.ok) await lake.value.close()
  return log
}

function openLog(
  options: PlatformOptions,
  committed: number | undefined,
): ReturnType<typeof openFileLog> {
  return openFileLog({ ...logPlace(options), ...(committed === undefined ? {} : { committed }) })
}

class Patience {
  readonly #options: PlatformOptions
  readonly #log: Log
  readonly #tallies: Tallies = { counts: new IntakeCounts(), freshness: new Freshness() }
  readonly #intake: Relay
  /** Where the log stood when it was opened: the lake cannot be ahead of it. */
  readonly #end: number
  #core: Core | undefined
  /** Why there is no core yet. */
  #failure: HeadwaterError | undefined
  #door: Door | undefined
  #arriving: Promise<void> = Promise.resolve()
  readonly #pauses: Pauses

  constructor(options: PlatformOptions, log: Log) {
    this.#options = options
    this.#log = log
    this.#pauses = new Pauses(options.clock)
    this.#end = log.durableEnd
    const schemas = schemasOf(options.project)
    const { counts } = this.#tallies
    const full = (): boolean => log.bytes > limits.catalogAwayLogBytesMax
    const epochs = new Unkept(schemas, full)
    const { development, project } = options
    const times = project.config.time
    // Checks, answers and logs as ever; what is a repeat of what landed before this start, is told when it lands.
    this.#intake = new Relay(new Admission({ schemas, epochs, log, counts, development, times }))
  }

  async start(tables: ReturnType<typeof openTables>): Promise<Result<PatientPlatform>> {
    const { counts, freshness } = this.#tallies
    const door = await openDoor({
      ...this.#options,
      intake: {
        take: (...body) => this.#intake.take(...body),
        corrupt: (...raw) => this.#intake.corrupt(...raw),
        ready: () => this.#ready(),
      },
      counts,
      maintenance: undefined,
      broker: undefined,
      gauges: embeddedGauges({
        log: this.#log,
        freshness,
        catalog: undefined,
        engineFailure: () => this.#failure ?? this.#core?.runner.failure,
        behind: () => this.#core,
      }),
      tables: [completeReading(() => this.#core?.lake)],
    })
    if (!door.ok) {
      const lake = await tables
      if (lake.ok) await lake.value.close()
      await this.#log.close()
      return door
    }
    this.#door = door.value
    this.#failure = error('catalog_unavailable', 'it has not answered yet.')
    this.#arriving = this.#untilThere(tables)
    const lake = (): Lake | undefined => this.#core?.lake
    return ok({
      url: door.value.url,
      catalogUrl: undefined,
      counts,
      log: this.#log,
      get lake() {
        return lake()
      },
      ready: () => this.#ready(),
      close: () => this.#close(),
    })
  }

  #ready(): readonly string[] {
    if (this.#core !== undefined) return readiness(this.#core.admission, this.#core.runner)
    const reasons = this.#intake.ready()
    // Events are taken for a catalog that will be back, and not for one that will refuse them.
    const waits = this.#failure === undefined || isAway(this.#failure)
    return waits ? reasons : [...reasons, this.#failure!.message]
  }

  /** Looks for the catalog until it is there and everything has landed, or the platform closes. */
  async #untilThere(first: ReturnType<typeof openTables>): Promise<void> {
    let tables = first
    let waitMs: number = limits.catalogAwayMsMin
    for (;;) {
      const lake = await tables
      const core = lake.ok ? await this.#arrive(lake.value) : lake
      if (core.ok) {
        this.#core = core.value
        this.#failure = undefined
        core.value.runner.start()
        if (this.#options.project.config.maintenance.enabled) core.value.maintainer?.start()
        return
      }
      this.#failure = core.error
      this.#options.onFailure?.(core.error)
      if (core.error.code === 'log_corrupt') this.#intake.become(refusing(core.error))
      if (this.#pauses.stopping) return
      await this.#pauses.pause(waitMs)
      if (this.#pauses.stopping) return
      waitMs = Math.min(limits.catalogAwayMsMax, waitMs * 2)
      tables = openTables(this.#options)
    }
  }

  /** Lands what the log has; events are let into the core when it is nearly nothing. The lake is closed when that fails. */
  async #arrive(lake: Core['lake']): Promise<Result<Core>> {
    const core = await this.#opened(lake)
    if (!core.ok) {
      await lake.close()
      return core
    }
    const { replay, admission } = core.value
    try {
      while (this.#log.durableEnd - lake.state.offset > limits.catalogBackBytesMax) {
        const landed = this.#pauses.stopping ? stopped() : await replay()
        if (!landed.ok) return await this.#given(core.value, landed.error)
      }
      await this.#intake.hold()
      const landed = this.#pauses.stopping ? stopped() : await replay()
      if (!landed.ok) return await this.#given(core.value, landed.error)
      this.#intake.become(admission)
      return core
    } finally {
      this.#intake.release()
    }
  }

  async #opened(lake: Core['lake']): Promise<Result<Core>> {
    const { offset } = lake.state
    if (offset > this.#end) {
      const detail = `the lake has rows up to offset ${offset}, and the log ended at ${this.#end}.`
      return failed(error('log_corrupt', detail))
    }
    return openCore(this.#options, this.#tallies, lake, this.#log)
  }

  /** Lets go of a core that could not land everything; the log stays. */
  async #given(core: Core, failure: HeadwaterError): Promise<Result<never>> {
    await core.runner.stop()
    await core.lake.close()
    return failed(failure)
  }

  async #close(): Promise<void> {
    this.#pauses.stop()
    await this.#door?.close()
    await this.#arriving
    if (this.#core === undefined) await this.#log.close()
    else await closeCore(this.#core, this.#log)
  }
}

function stopped(): Result<never> {
  return failed(error('draining', 'the platform closes.'))
}

function isAway({ code }: HeadwaterError): boolean {
  return code === 'catalog_unavailable' || code === 'storage_unavailable'
}

/** Hands bodies to one intake, and, once that has answered for all it has, to another. */
class Relay implements Intake {
  #to: Intake
  #held: { readonly until: Promise<void>; readonly release: () => void } | undefined
  readonly #answering = new Set<Promise<IntakeAnswer>>()

  constructor(to: Intake) {
    this.#to = to
  }

  take(body: Uint8Array, facts: RequestFacts): Promise<IntakeAnswer> {
    return this.#passed((to) => to.take(body, facts))
  }

  corrupt(raw: Uint8Array, facts: RequestFacts, detail: string): Promise<IntakeAnswer> {
    return this.#passed((to) => to.corrupt(raw, facts, detail))
  }

  ready(): readonly string[] {
    return this.#to.ready()
  }

  become(to: Intake): void {
    this.#to = to
  }

  /** Keeps bodies until `release`; resolves when the ones before are answered for. */
  async hold(): Promise<void> {
    const { promise: until, resolve: release } = Promise.withResolvers<void>()
    this.#held = { until, release }
    await Promise.all(this.#answering)
  }

  release(): void {
    this.#held?.release()
    this.#held = undefined
  }

  async #passed(take: (to: Intake) => Promise<IntakeAnswer>): Promise<IntakeAnswer> {
    await this.#held?.until
    const answer = take(this.#to)
    this.#answering.add(answer)
    try {
      return await answer
    } finally {
      this.#answering.delete(answer)
    }
  }
}

function refusing(failure: HeadwaterError): Intake {
  const answer = (): Promise<IntakeAnswer> => Promise.resolve(refusal(failure))
  return { take: answer, corrupt: answer, ready: () => [failure.message] }
}

/** Rows that are checked and let go again: the log has their batches. */
class Unkept implements Epochs {
  readonly #full: () => boolean
  readonly #epoch: Epoch

  constructor(schemas: Schemas, full: () => boolean) {
    this.#full = full
    this.#epoch = new Epoch(schemas)
  }

  get behind(): boolean {
    return this.#full()
  }

  open(day: number): Epoch | undefined {
    if (this.behind) return undefined
    const epoch = this.#epoch
    const spent = epoch.rows >= UNKEPT_ROWS_MAX || epoch.files > limits.epochFilesMax
    const far = epoch.lateFiles >= limits.epochLateFilesMax
    if (!epoch.empty && (epoch.day !== day || spent || far)) epoch.reset()
    epoch.day = day
    return epoch
  }
}

const UNKEPT_ROWS_MAX = 10_000
