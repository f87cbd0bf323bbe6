/** Brings what runs on Flink to what the specifications say: told beforehand, without losing a row, and back where it does not work. */
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { error, type HeadwaterError } from '../../base/errors.ts'
import type { Files } from '../../base/files.ts'
import { failed, ok, type Result } from '../../base/result.ts'
import {
  type Bundle,
  compileBundle,
  deploymentFingerprint,
  loadBundle,
  storeBundle,
} from './bundle.ts'
import { type GatewaySession, openSession } from './gateway.ts'
import { ENDED, JobManager } from './jobs.ts'
import {
  checkpointOnDisk,
  jobName,
  jobParameters,
  observe,
  type DeployedJob,
  readLast,
  writeLast,
} from './observe.ts'
import { runnablePlan, statesOf } from './plan.ts'
import { type Endpoint, poll, type RestPorts } from './rest.ts'
import {
  catalogProperties,
  type CompiledPart,
  type Connector,
  type LakeCatalog,
  sessionSettings,
  setupStatements,
} from './statements.ts'

/** A Flink cluster, and how jobs run on it. */
export interface FlinkSite {
  readonly gateway: Endpoint
  readonly jobManager: Endpoint
  /** Absolute path of a folder for plans, which the gateway sees under the same path. */
  readonly plans: string
  /** URI of the folder for savepoints; undefined: Flink's own. */
  readonly savepoints: string | undefined
  /** How long copies of a batch are known, ms. */
  readonly stateTtlMs: number
  /** More settings of Flink for the job. */
  readonly settings: Readonly<Record<string, string>>
  /** A job that has not made its checkpoints by then does not work. */
  readonly healthyMs: number
}

/** What is to run. */
export interface Wanted {
  readonly parts: readonly CompiledPart[]
  readonly connector: Connector
  readonly catalog: LakeCatalog
}

export interface DeployPorts extends RestPorts {
  readonly files: Files
  /** Told of each step, in words. */
  readonly onStep: (step: string) => void
}

/** What becomes of a part. */
export interface PartChange {
  readonly part: string
  readonly tables: readonly string[]
  readonly change: 'same' | 'added' | 'changed' | 'removed'
  /** Whether what is known of batches, and the place in the topics, is found again. */
  readonly state: 'kept' | 'lost' | 'none'
}

export interface DeployPlan {
  readonly action: 'none' | 'start' | 'resume' | 'upgrade'
  readonly fingerprint: string
  /** The job that runs; undefined where none does. */
  readonly job: DeployedJob | undefined
  /** What the new job starts from; undefined: a savepoint that is still to be made, or nothing. */
  readonly from: string | undefined
  readonly changes: readonly PartChange[]
  /** What is otherwise than it should be, in words. */
  readonly drift: readonly string[]
  readonly bundle: Bundle
  /** What runs or ran; undefined where it is not known any more. */
  readonly before: Bundle | undefined
}

export interface Deployed {
  readonly jobId: string
  /** What the job started from. */
  readonly from: string | undefined
}

/** Completed checkpoints after which a job is taken to work: what the first one held has been committed when there is a second. */
const HEALTHY_CHECKPOINTS = 2

export class Deployer {
  readonly #site: FlinkSite
  readonly #wanted: Wanted
  readonly #ports: DeployPorts
  readonly #jobs: JobManager

  constructor(site: FlinkSite, wanted: Wanted, ports: DeployPorts) {
    this.#site = site
    this.#wanted = wanted
    this.#ports = ports
    this.#jobs = new JobManager(site.jobManager, ports)
  }

  get #namespace(): string {
    return this.#wanted.catalog.namespace
  }

  /** What `roll` would do. Changes nothing that runs; fails where Flink cannot plan what is wanted. */
  async plan(): Promise<Result<DeployPlan>> {
    const { plans } = this.#site
    const { parts } = this.#wanted
    const { files } = this.#ports
    const seen = await observe(this.#jobs, this.#namespace)
    if (!seen.ok) return seen
    const { live, ended } = seen.value
    if (live.length > 1) {
      const ids = live.map(({ id }) => id).join(', ')
      const why = 'several jobs write these tables, each row as often; cancel all but one'
      return failed(error('deploy_refused', `${why}: ${ids}.`))
    }
    const fingerprint = deploymentFingerprint(parts, this.#settings())
    const bundle = await this.#compile(fingerprint)
    if (!bundle.ok) return bundle
    const [job] = live
    const source = job ?? ended
    const last = source === undefined ? await readLast(plans, this.#namespace, files) : undefined
    const known = source?.fingerprint ?? last?.fingerprint
    const before = known === undefined ? undefined : await loadBundle(plans, known, files)
    const left = await this.#leftBy(source, last)
    if (!left.ok) return left
    const action = actionOf(job, fingerprint, source !== undefined || last !== undefined)
    const drift = await this.#drift(job, ended, last !== undefined)
    const from = action === 'resume' ? left.value : undefined
    const changes = changesOf(bundle.value, before, source?.parts, action)
    return ok({ action, fingerprint, job, from, changes, drift, bundle: bundle.value, before })
  }

  /** Does what the plan says. Fails with `deploy_failed` where the new job does not work; the message says what runs then. */
  async roll(plan: DeployPlan): Promise<Result<Deployed>> {
    const { plans, savepoints } = this.#site
    const { action, job, bundle } = plan
    if (action === 'none') return ok({ jobId: job!.id, from: undefined })
    await storeBundle(plans, bundle, this.#ports.files)
    let { from } = plan
    if (job !== undefined && action === 'upgrade') {
      this.#ports.onStep(`stopping the job ${job.id} with a savepoint`)
      const stopped = await this.#jobs.stop(job.id, savepoints)
      if (!stopped.ok) return stopped
      from = stopped.value
    } else if (job !== undefined) {
      this.#ports.onStep(`ending the job ${job.id}, which does not run as it should`)
      const ended = await this.#jobs.cancel(job.id)
      if (!ended.ok) return ended
    }
    const started = await this.#start(bundle, from)
    const failure = started.ok ? await this.#unhealthy(started.value) : started.error
    if (failure === undefined && started.ok) return ok({ jobId: started.value, from })
    return failed(await this.#back(plan, failure!, started.ok ? started.value : undefined, from))
  }

  /** Goes back to what ran before; answers what to tell. */
  async #back(
    plan: DeployPlan,
    failure: HeadwaterError,
    jobId: string | undefined,
    from: string | undefined,
  ): Promise<HeadwaterError> {
    this.#ports.onStep(`the new job does not work: ${failure.detail}`)
    let start = from
    if (jobId !== undefined) {
      // What the new job has committed must not be read again.
      const checkpoints = await this.#jobs.checkpoints(jobId)
      if (checkpoints.ok) start = checkpoints.value.newest?.path ?? from
      const ended = await this.#jobs.cancel(jobId)
      if (!ended.ok) {
        const left = `The job ${jobId} does not work (${failure.detail}) and does not end`
        return error('deploy_failed', `${left}: ${ended.error.detail}`, failure)
      }
    }
    const { before, bundle } = plan
    const state = start === undefined ? 'Nothing runs.' : `Nothing runs; its state is in ${start}.`
    if (before === undefined || before.fingerprint === bundle.fingerprint) {
      return error('deploy_failed', `${failure.detail} ${state}`, failure)
    }
    this.#ports.onStep('going back to what ran before')
    const again = await this.#start(before, start)
    const broken = again.ok ? await this.#unhealthy(again.value) : again.error
    const now =
      broken === undefined && again.ok
        ? `What ran before runs again, as job ${again.value}.`
        : `What ran before does not start either (${broken?.detail ?? ''}). ${state}`
    return error('deploy_failed', `${failure.detail} ${now}`, failure)
  }

  /** Starts the job of a bundle and answers its id. */
  async #start(bundle: Bundle, from: string | undefined): Promise<Result<string>> {
    const { files, onStep } = this.#ports
    const { plans } = this.#site
    onStep(from === undefined ? 'starting a job' : `starting a job from ${from}`)
    const runnable = runnablePlan(bundle.plan, catalogProperties(this.#wanted.catalog))
    if (!runnable.ok) return runnable
    // With the catalog's token in it, so only for as long as Flink reads it.
    const file = path.join(plans, `${bundle.fingerprint}.run`)
    await files.write(file, runnable.value)
    const settings = {
      ...this.#settings(),
      'pipeline.name': jobName(this.#namespace),
      'pipeline.global-job-parameters': jobParameters(bundle.fingerprint, bundle.parts),
      ...(from === undefined ? {} : RESTORE(from)),
    }
    const submitted = await this.#inSession(bundle.parts, settings, (session) =>
      session.run(`EXECUTE PLAN '${pathToFileURL(file).href}'`),
    )
    await files.remove(file)
    if (!submitted.ok) return submitted
    const { jobId } = submitted.value
    if (jobId === undefined) return failed(error('flink_invalid', 'Flink names no job.'))
    const folder = await this.#jobs.checkpointFolder()
    const checkpoints = folder.ok ? folder.value : undefined
    const { fingerprint } = bundle
    await writeLast(plans, this.#namespace, { jobId, fingerprint, checkpoints }, files)
    return ok(jobId)
  }

  /** Why a job does not work; undefined once it does. */
  async #unhealthy(jobId: string): Promise<HeadwaterError | undefined> {
    const { healthyMs } = this.#site
    this.#ports.onStep(`waiting for checkpoints of the job ${jobId}`)
    const healthy = await poll(this.#ports.clock, healthyMs, async () => {
      const state = await this.#healthOf(jobId)
      // A JobManager that is away for a moment, or fails on a job that it is still starting, says nothing about the job.
      return state.ok ? state : ok(undefined)
    })
    if (healthy.ok && healthy.value === 'RUNNING') return undefined
    if (!healthy.ok) return healthy.error
    const reason = await this.#jobs.lastFailure(jobId)
    const why = reason.ok && reason.value !== undefined ? reason.value : 'Flink does not say why'
    const what =
      healthy.value === undefined
        ? `made no ${HEALTHY_CHECKPOINTS} checkpoints in ${healthyMs} ms`
        : `ended as ${healthy.value}`
    return error('deploy_failed', `The job ${jobId} ${what}: ${why}.`)
  }

  /** `RUNNING` once it has made its checkpoints, or the state that it ended in; undefined while neither is known. */
  async #healthOf(jobId: string): Promise<Result<string | undefined>> {
    const state = await this.#jobs.state(jobId)
    if (!state.ok || ENDED.has(state.value)) return state
    const checkpoints = await this.#jobs.checkpoints(jobId)
    if (!checkpoints.ok) return checkpoints
    const enough = checkpoints.value.completed >= HEALTHY_CHECKPOINTS
    return ok(enough && state.value === 'RUNNING' ? state.value : undefined)
  }

  #compile(fingerprint: string): Promise<Result<Bundle>> {
    const { parts } = this.#wanted
    const { plans } = this.#site
    return this.#inSession(parts, this.#settings(), (session) =>
      compileBundle(session, parts, fingerprint, plans, this.#ports.files),
    )
  }

  async #inSession<T>(
    parts: readonly CompiledPart[],
    settings: Readonly<Record<string, string>>,
    use: (session: GatewaySession) => Promise<Result<T>>,
  ): Promise<Result<T>> {
    const { connector, catalog } = this.#wanted
    const { gateway } = this.#site
    const session = await openSession(gateway, jobName(this.#namespace), settings, this.#ports)
    if (!session.ok) return session
    try {
      const sources = parts.flatMap((part) => part.sources)
      for (const statement of setupStatements(sources, connector, catalog)) {
        const done = await session.value.run(statement)
        if (!done.ok) return done
      }
      return await use(session.value)
    } finally {
      await session.value.close()
    }
  }

  /** Settings of the job, without what is different at each start. */
  #settings(): Record<string, string> {
    const { stateTtlMs, settings } = this.#site
    return {
      'execution.checkpointing.externalized-checkpoint-retention': 'RETAIN_ON_CANCELLATION',
      ...settings,
      ...sessionSettings(stateTtlMs),
    }
  }

  /** Where a job left what it knew: the JobManager says so, or the folder of its checkpoints. */
  async #leftBy(
    job: DeployedJob | undefined,
    last: Awaited<ReturnType<typeof readLast>>,
  ): Promise<Result<string | undefined>> {
    if (job === undefined) {
      return ok(last === undefined ? undefined : await checkpointOnDisk(last, this.#ports.files))
    }
    const checkpoints = await this.#jobs.checkpoints(job.id)
    return checkpoints.ok ? ok(checkpoints.value.newest?.path) : checkpoints
  }

  async #drift(
    job: DeployedJob | undefined,
    ended: DeployedJob | undefined,
    forgotten: boolean,
  ): Promise<string[]> {
    const why = async ({ id }: DeployedJob): Promise<string> => {
      const reason = await this.#jobs.lastFailure(id)
      return reason.ok && reason.value !== undefined ? `: ${reason.value}` : ''
    }
    if (job !== undefined) {
      return job.state === 'RUNNING' ? [] : [`the job ${job.id} is ${job.state}${await why(job)}`]
    }
    if (ended !== undefined) return [`the job ${ended.id} is ${ended.state}${await why(ended)}`]
    return forgotten ? ['the JobManager does not know of the job any more'] : []
  }
}

/** State of parts that are no longer there, or planned otherwise, is left out: the plan said so. */
const RESTORE = (from: string): Record<string, string> => ({
  'execution.state-recovery.path': from,
  'execution.state-recovery.ignore-unclaimed-state': 'true',
})

/** `RUNNING` is how it should be; a job that is on its way there, or restarts by itself, is let. */
function actionOf(
  job: DeployedJob | undefined,
  fingerprint: string,
  known: boolean,
): DeployPlan['action'] {
  if (job === undefined) return known ? 'resume' : 'start'
  if (job.fingerprint === fingerprint) return 'none'
  return job.state === 'RUNNING' ? 'upgrade' : 'resume'
}

/** What becomes of each part, in the order of their names. */
function changesOf(
  bundle: Bundle,
  before: Bundle | undefined,
  running: ReadonlyMap<string, string> | undefined,
  action: DeployPlan['action'],
): PartChange[] {
  const old = new Map(before?.parts.map((part) => [part.name, part]))
  const fingerprints =
    running ?? new Map(before?.parts.map((part) => [part.name, part.fingerprint]))
  const names = bundle.parts.map(({ name }) => name)
  const states = statesOf(bundle.plan, names)
  const oldStates = before === undefined ? undefined : statesOf(before.plan, [...old.keys()])
  const changes = bundle.parts.map(({ name, tables, fingerprint }): PartChange => {
    const was = action === 'start' ? undefined : fingerprints.get(name)
    if (was === undefined) return { part: name, tables, change: 'added', state: 'none' }
    // Without the plan of before, a part that is the same is planned the same.
    const kept =
      oldStates === undefined ? was === fingerprint : oldStates.get(name) === states.get(name)
    const change = was === fingerprint ? 'same' : 'changed'
    return { part: name, tables, change, state: kept ? 'kept' : 'lost' }
  })
  const removed = [...fingerprints.keys()].filter((name) => !names.includes(name))
  return [
    ...changes,
    ...removed.map((part): PartChange => {
      const tables = old.get(part)?.tables ?? [part]
      return { part, tables, change: 'removed', state: 'lost' }
    }),
  ].sort((a, b) => (a.part < b.part ? -1 : 1))
}
