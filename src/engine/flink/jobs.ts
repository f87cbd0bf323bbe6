/** Flink's JobManager over REST: which jobs there are, how they fare, their checkpoints, and how to stop them. */
import { error } from '../../base/errors.ts'
import { limits } from '../../base/limits.ts'
import { failed, ok, type Result } from '../../base/result.ts'
import {
  type Endpoint,
  type JsonObject,
  member,
  objectsOf,
  poll,
  request,
  type RestPorts,
  rootCause,
  textOf,
} from './rest.ts'

/** A job as the JobManager tells of it. */
export interface Job {
  readonly id: string
  readonly name: string
  /** `RUNNING`, `RESTARTING`, `FAILED`, `CANCELED`, `FINISHED`, … */
  readonly state: string
  /** Start, ms since 1970. */
  readonly started: number
}

export interface Checkpoints {
  /** How many it has completed since it started, those before a restart included. */
  readonly completed: number
  readonly failed: number
  /** The newest completed one that can be started from: a savepoint, or a checkpoint where it is retained. */
  readonly newest: { readonly path: string; readonly at: number } | undefined
}

export class JobManager {
  readonly #endpoint: Endpoint
  readonly #ports: RestPorts

  constructor(endpoint: Endpoint, ports: RestPorts) {
    this.#endpoint = endpoint
    this.#ports = ports
  }

  /** Every job that the JobManager remembers, those that have ended included; newest first. */
  async jobs(): Promise<Result<Job[]>> {
    const answer = await this.#get('/jobs/overview')
    if (!answer.ok) return answer
    const jobs = objectsOf(answer.value['jobs']).map((job) => ({
      id: textOf(job['jid']),
      name: textOf(job['name']),
      state: textOf(job['state']),
      started: Number(job['start-time']),
    }))
    return ok(jobs.sort((a, b) => b.started - a.started))
  }

  /** What the job was given as `pipeline.global-job-parameters`. */
  async parameters(id: string): Promise<Result<ReadonlyMap<string, string>>> {
    const answer = await this.#get(`/jobs/${id}/config`)
    if (!answer.ok) return answer
    const config = member(answer.value, 'execution-config', 'user-config')
    return ok(new Map(Object.entries(config).map(([name, value]) => [name, textOf(value)])))
  }

  async state(id: string): Promise<Result<string>> {
    const answer = await this.#get(`/jobs/${id}`)
    return answer.ok ? ok(textOf(answer.value['state'])) : answer
  }

  async checkpoints(id: string): Promise<Result<Checkpoints>> {
    const answer = await this.#get(`/jobs/${id}/checkpoints`)
    if (!answer.ok) return answer
    const counts = member(answer.value, 'counts')
    const latest = ['completed', 'savepoint', 'restored'].flatMap((kind) => {
      const each = member(answer.value, 'latest', kind)
      const path = each['external_path']
      const at = each['latest_ack_timestamp'] ?? each['restore_timestamp']
      // Flink says so where a checkpoint is not retained.
      const usable = typeof path === 'string' && !path.startsWith('<')
      return usable ? [{ path, at: Number(at) }] : []
    })
    const newest = latest.sort((a, b) => b.at - a.at)[0]
    return ok({
      completed: Number(counts['completed'] ?? 0),
      failed: Number(counts['failed'] ?? 0),
      newest,
    })
  }

  /** URI of the folder where the checkpoints of all jobs are; undefined where Flink keeps none. */
  async checkpointFolder(): Promise<Result<string | undefined>> {
    const answer = await request(this.#ports, this.#endpoint, 'GET', '/jobmanager/config')
    if (!answer.ok) return answer
    const entries = objectsOf(answer.value['items'])
    const folder = entries.find(({ key }) => FOLDERS.has(textOf(key)))
    return ok(folder === undefined ? undefined : textOf(folder['value']))
  }

  /** Why the job failed last, in Flink's words; undefined where it never has. */
  async lastFailure(id: string): Promise<Result<string | undefined>> {
    const answer = await this.#get(`/jobs/${id}/exceptions?maxExceptions=1`)
    if (!answer.ok) return answer
    const entry = objectsOf(member(answer.value, 'exceptionHistory')['entries'])[0]
    const trace = entry?.['stacktrace']
    return ok(typeof trace === 'string' ? rootCause(trace) : undefined)
  }

  /** Ends a job at once; what it has not checkpointed is read again by whoever follows. Waits until it has ended. */
  async cancel(id: string): Promise<Result<void>> {
    const sent = await request(this.#ports, this.#endpoint, 'PATCH', `/jobs/${id}?mode=cancel`)
    if (!sent.ok) return sent
    const ended = await poll(this.#ports.clock, limits.flinkSavepointMsMax, async () => {
      const state = await this.state(id)
      return state.ok && !ENDED.has(state.value) ? ok(undefined) : state
    })
    if (!ended.ok) return ended
    if (ended.value !== undefined) return ok(undefined)
    const waited = `in ${limits.flinkSavepointMsMax} ms`
    return failed(error('flink_unavailable', `The job ${id} did not end ${waited}.`))
  }

  /** Stops a job with a savepoint in `folder` (the cluster's own where undefined) and answers the savepoint's path. */
  async stop(id: string, folder: string | undefined): Promise<Result<string>> {
    const body = { drain: false, ...(folder === undefined ? {} : { targetDirectory: folder }) }
    const sent = await request(this.#ports, this.#endpoint, 'POST', `/jobs/${id}/stop`, body)
    if (!sent.ok) return sent
    const trigger = textOf(sent.value['request-id'])
    const done = await poll(this.#ports.clock, limits.flinkSavepointMsMax, async () => {
      const answer = await this.#get(`/jobs/${id}/savepoints/${trigger}`)
      if (!answer.ok) return answer
      const { id: progress } = member(answer.value, 'status')
      return ok(progress === 'COMPLETED' ? answer.value : undefined)
    })
    if (!done.ok) return done
    if (done.value === undefined) {
      const waited = `in ${limits.flinkSavepointMsMax} ms`
      return failed(error('flink_unavailable', `The job ${id} made no savepoint ${waited}.`))
    }
    const operation = member(done.value, 'operation')
    const path = operation['location']
    if (typeof path === 'string') return ok(path)
    const trace = member(operation, 'failure-cause')['stack-trace']
    const why = typeof trace === 'string' ? rootCause(trace) : 'Flink does not say why'
    return failed(error('flink_refused', `The job ${id} could not be stopped: ${why}.`))
  }

  #get(path: string): Promise<Result<JsonObject>> {
    return request(this.#ports, this.#endpoint, 'GET', path)
  }
}

/** Names that the setting of that folder has and had. */
const FOLDERS: ReadonlySet<string> = new Set([
  'execution.checkpointing.dir',
  'state.checkpoints.dir',
])

/** States that a job does not leave. */
export const ENDED: ReadonlySet<string> = new Set(['FINISHED', 'CANCELED', 'FAILED'])
