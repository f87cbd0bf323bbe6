/**
 * Which checkpoint of a Flink job a table has: Iceberg's sinks write it into the summary of each commit, and look for it there before they
 * commit what a checkpoint held. They look once, so a commit that was on its way when its job died can come in between: the catalog looks
 * again at the commit itself.
 */
import type { Update } from './updates.ts'
import { ancestors, type Metadata } from './metadata.ts'

const JOB = 'flink.job-id'
const OPERATOR = 'flink.operator-id'
const CHECKPOINT = 'flink.max-committed-checkpoint-id'

/** A commit that would add what the table has from the same job and checkpoint, or a later one, in words; undefined where there is none. */
export function repeatedCheckpoint(before: Metadata, after: Metadata): string | undefined {
  const known = new Set(before.snapshots.map((each) => each['snapshot-id']))
  for (const snapshot of after.snapshots) {
    const { [JOB]: job, [OPERATOR]: operator, [CHECKPOINT]: checkpoint } = snapshot.summary
    if (known.has(snapshot['snapshot-id']) || job === undefined || checkpoint === undefined) {
      continue
    }
    // A rewrite repeats what the newest commit says of itself.
    if (snapshot.summary['operation'] === 'replace') continue
    const earlier = ancestors(after, snapshot['parent-snapshot-id']).find(
      ({ summary }) =>
        summary[JOB] === job && summary[OPERATOR] === operator && CHECKPOINT in summary,
    )
    const last = earlier?.summary[CHECKPOINT]
    if (last !== undefined && Number(last) >= Number(checkpoint)) {
      return `it has checkpoint ${last} of the job ${job}, so ${checkpoint} is not committed again`
    }
  }
  return undefined
}

/**
 * Why a commit that met a conflict must not be tried again, in words; undefined where it may. What its own job committed meanwhile may be
 * part of it: a job that starts again commits several checkpoints as one, under the number of the last.
 */
export function overtaken(before: Metadata, updates: readonly Update[]): string | undefined {
  for (const update of updates) {
    if (update.action !== 'add-snapshot') continue
    const { summary, 'parent-snapshot-id': parent } = update.snapshot
    const { [JOB]: job, [OPERATOR]: operator } = summary
    if (job === undefined || summary['operation'] === 'replace') continue
    const line = ancestors(before, before['current-snapshot-id'])
    const base = line.findIndex((each) => each['snapshot-id'] === parent)
    const since = base < 0 ? line : line.slice(0, base)
    const own = since.find(
      (each) =>
        each.summary[JOB] === job &&
        each.summary[OPERATOR] === operator &&
        each.summary['operation'] !== 'replace',
    )
    if (own !== undefined) {
      return `the job ${job} has committed checkpoint ${own.summary[CHECKPOINT]} since this commit was made`
    }
  }
  return undefined
}

/**
 * What a rewrite repeats in its own summary: the newest commit of a Flink job before it, which would not be found any more once its
 * snapshot has expired.
 */
export function lastCheckpoint(metadata: Metadata): Readonly<Record<string, string>> {
  const newest = ancestors(metadata, metadata['current-snapshot-id']).find(
    ({ summary }) => JOB in summary && CHECKPOINT in summary,
  )
  if (newest === undefined) return {}
  return Object.fromEntries(
    [JOB, OPERATOR, CHECKPOINT].flatMap((key) => {
      const value = newest.summary[key]
      return value === undefined ? [] : [[key, value] as const]
    }),
  )
}
