/** Does one job of a plan, from reading files to the commit that replaces them. */
import type { Files } from '../../base/files.ts'
import { ok, type Result } from '../../base/result.ts'
import type { DataFile } from '../lake.ts'
import type { CompactJob, Job } from './plan.ts'
import type { Rewriter } from './rewriter.ts'
import type { KeptLake, TableSurvey } from '../upkeep.ts'

/** What became of a job. */
export interface Done {
  /** Data files, manifests or objects that went, and that came. */
  readonly before: number
  readonly after: number
  readonly bytesRead: number
  readonly bytesWritten: number
  /** Why nothing was committed; undefined when it was. */
  readonly refused: string | undefined
}

export interface Hands {
  readonly lake: Pick<KeptLake, 'state' | 'upkeep' | 'dataFolder'>
  readonly rewriter: Rewriter
  readonly files: Files
}

/** Does a job that was planned from `survey`. */
export async function doJob(job: Job, survey: TableSurvey, hands: Hands): Promise<Result<Done>> {
  const { upkeep } = hands.lake
  const done = (before: number, after: number): Result<Done> =>
    ok({ before, after, bytesRead: 0, bytesWritten: 0, refused: undefined })
  switch (job.kind) {
    case 'compact':
      return compact(job, survey, hands)
    case 'manifests': {
      const paths = job.manifests.map(({ path }) => path)
      const merged = await upkeep.mergeManifests(job.table, paths)
      return merged.ok ? done(paths.length, merged.value) : merged
    }
    case 'expire': {
      const expired = await upkeep.expire(job.table)
      return expired.ok ? done(expired.value, 0) : expired
    }
    case 'collect': {
      const collected = await upkeep.collect(job.table)
      return collected.ok ? done(collected.value, 0) : collected
    }
  }
}

async function compact(
  job: CompactJob,
  survey: TableSurvey,
  { lake, rewriter, files }: Hands,
): Promise<Result<Done>> {
  const { upkeep } = lake
  const located = job.files.map(async ({ location }) => ({
    location,
    path: await upkeep.local(location),
  }))
  const written = await rewriter.rewrite({
    schema: survey.schema,
    day: job.day,
    files: await Promise.all(located),
    rows: job.rows,
    bytes: job.bytes,
    deletes: await Promise.all(job.deletes.map(({ location }) => upkeep.local(location))),
    folder: await lake.dataFolder(job.table, job.day),
  })
  if (!written.ok) return written
  const added = written.value === undefined ? [] : [written.value]
  const replaced = await upkeep.replace(job.table, [
    {
      removed: job.files.map(({ location }) => location),
      added,
      day: job.day,
      sequence: survey.sequence,
      deleted: job.deletes.length > 0,
      spent: job.spent.map(({ location }) => location),
    },
  ])
  const [refusal] = replaced.ok ? replaced.value.refused : []
  const open = !replaced.ok && replaced.error.code === 'commit_unknown'
  if (!open && (!replaced.ok || refusal !== undefined)) await discard(added, files)
  if (!replaced.ok) return replaced
  return ok({
    before: job.files.length,
    after: refusal === undefined ? added.length : job.files.length,
    bytesRead: job.bytes,
    bytesWritten: added.reduce((sum, { bytes }) => sum + bytes, 0),
    refused: refusal?.reason,
  })
}

/** What cannot be removed now is an orphan, which the sweep finds. */
async function discard(added: readonly DataFile[], files: Files): Promise<void> {
  for (const { path } of added) await files.remove(path).catch(() => undefined)
}
