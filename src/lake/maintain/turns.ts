/** Whose turn it is: of the jobs that are due, which one is done next, so that commits stay quick and no kind of work starves another. */
import { limits } from '../../base/limits.ts'
import type { Job } from './plan.ts'

/** Urgent jobs in a row, after which another kind of job has its turn. */
const URGENT_MAX = 3

/**
 * First manifests that a commit would soon have to merge itself, three times in a row at most; else the kind of job that was done longest
 * ago, and of a kind the job that is worth most.
 */
export class Turns {
  /** Kind → number of the turn in which it had its last. */
  readonly #last = new Map<Job['kind'], number>()
  #turn = 0
  #urgent = 0

  /** The job whose turn it is; undefined for no jobs. `taken` makes it count. */
  choose(jobs: readonly Job[]): Job | undefined {
    const urgent = jobs.filter(isUrgent)
    const others = jobs.filter(({ kind }) => kind !== 'manifests')
    const hurry = urgent.length > 0 && (this.#urgent < URGENT_MAX || others.length === 0)
    if (hurry) return most(urgent)
    const from = this.#urgent >= URGENT_MAX && others.length > 0 ? others : jobs
    const last = ({ kind }: Job): number => this.#last.get(kind) ?? -1
    const oldest = Math.min(...from.map(last))
    return most(from.filter((job) => last(job) === oldest))
  }

  taken(job: Job): void {
    this.#last.set(job.kind, this.#turn++)
    this.#urgent = isUrgent(job) ? this.#urgent + 1 : 0
  }
}

/** Whether a commit would soon do the job itself, and be slow. */
function isUrgent(job: Job): boolean {
  return job.kind === 'manifests' && job.manifests.length >= limits.manifestsUrgentMin
}

/** The job that is worth most; of different kinds that are as old, the one on metadata. */
function most(jobs: readonly Job[]): Job | undefined {
  let best: Job | undefined
  for (const job of jobs) if (best === undefined || worth(job) > worth(best)) best = job
  return best
}

/** Comparable within a kind: files that go per byte that is written, or what is taken away. */
function worth(job: Job): number {
  switch (job.kind) {
    case 'compact':
      return (job.files.length - 1) / Math.max(job.bytes, 1 << 20)
    case 'manifests':
      return job.manifests.length
    case 'expire':
    case 'collect':
      return job.objects
  }
}
