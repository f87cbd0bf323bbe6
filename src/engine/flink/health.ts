/** How the job of a deployment fares: whether it runs, how often it began again, and how old its last checkpoint is. */
import { ok, type Result } from '../../base/result.ts'
import { ENDED, JobManager } from './jobs.ts'
import { jobName } from './observe.ts'
import {
  type Endpoint,
  type JsonObject,
  member,
  objectsOf,
  request,
  type RestPorts,
  textOf,
} from './rest.ts'

export interface JobHealth {
  /** Jobs that write these tables and have not ended: one, where all is well. */
  readonly live: number
  /** The newest that has not ended, else the newest that has; undefined where the JobManager knows of none. */
  readonly job:
    | {
        readonly id: string
        /** `RUNNING`, `RESTARTING`, `FAILED`, … */
        readonly state: string
        /** Start, ms since 1970. */
        readonly started: number
        /** Its tasks, and those of them that run: a job is `RUNNING` while it waits for slots, too. */
        readonly tasks: number
        readonly running: number
        /** How often it began again after a failure. */
        readonly restarts: number
        readonly checkpoints: CheckpointHealth
        /** Why it failed last; undefined where it never has. */
        readonly failure: string | undefined
      }
    | undefined
}

export interface CheckpointHealth {
  readonly completed: number
  readonly failed: number
  /** The last one that was completed, a savepoint too; undefined before the first. */
  readonly last:
    | {
        /** When it began, ms since 1970: what came before is in it. */
        readonly at: number
        readonly ms: number
        /** Of all that it refers to. */
        readonly bytes: number
      }
    | undefined
}

/** Asks the JobManager, a few requests in all. Fails with `flink_unavailable`, `flink_refused` or `flink_invalid`. */
export async function jobHealth(
  endpoint: Endpoint,
  namespace: string,
  ports: RestPorts,
): Promise<Result<JobHealth>> {
  const jobs = new JobManager(endpoint, ports)
  const all = await request(ports, endpoint, 'GET', '/jobs/overview')
  if (!all.ok) return all
  const own = objectsOf(all.value['jobs'])
    .filter(({ name }) => name === jobName(namespace))
    .sort((a, b) => Number(b['start-time']) - Number(a['start-time']))
  const live = own.filter(({ state }) => !ENDED.has(textOf(state)))
  const job = live[0] ?? own[0]
  if (job === undefined) return ok({ live: 0, job: undefined })
  const id = textOf(job['jid'])
  const tasks = member(job, 'tasks')
  const answer = await request(ports, endpoint, 'GET', `/jobs/${id}/checkpoints`)
  if (!answer.ok) return answer
  const metrics = await request(ports, endpoint, 'GET', `/jobs/${id}/metrics?get=${RESTARTS}`)
  if (!metrics.ok) return metrics
  const failure = await jobs.lastFailure(id)
  if (!failure.ok) return failure
  const [restarts] = objectsOf(metrics.value['items'])
  return ok({
    live: live.length,
    job: {
      id,
      state: textOf(job['state']),
      started: Number(job['start-time']),
      tasks: Number(tasks['total'] ?? 0),
      running: Number(tasks['running'] ?? 0),
      restarts: Number(restarts?.['value'] ?? 0),
      checkpoints: checkpointHealth(answer.value),
      failure: failure.value,
    },
  })
}

const RESTARTS = 'numRestarts'

/** Reads the answer to `/jobs/<id>/checkpoints`. */
function checkpointHealth(answer: JsonObject): CheckpointHealth {
  const counts = member(answer, 'counts')
  const [last] = ['completed', 'savepoint']
    .map((kind) => member(answer, 'latest', kind))
    .filter((each) => typeof each['trigger_timestamp'] === 'number')
    .map((each) => ({
      at: Number(each['trigger_timestamp']),
      ms: Number(each['end_to_end_duration'] ?? 0),
      bytes: Number(each['state_size'] ?? 0),
    }))
    .sort((a, b) => b.at - a.at)
  return {
    completed: Number(counts['completed'] ?? 0),
    failed: Number(counts['failed'] ?? 0),
    last,
  }
}

/** Whether one job lands records, with all of its tasks. */
export function isLanding({ live, job }: JobHealth): boolean {
  return live === 1 && job?.state === 'RUNNING' && job.running === job.tasks
}
