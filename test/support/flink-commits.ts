/** The commits of Flink's sinks as a catalog proxy sees them: which checkpoint they bring, and holding them up on their way. */
import type { CatalogProxy, CatalogRequest, Fate } from './catalog-proxy.ts'

export interface Summarized {
  readonly summary: Readonly<Record<string, string>>
}

/** What a commit of a sink brings: table, job, operator and checkpoint; undefined where it is none. */
export function checkpointOf({ body, table }: CatalogRequest): string | undefined {
  const { updates } = JSON.parse(body) as { updates: { snapshot?: Summarized }[] }
  const summary = updates.find(({ snapshot }) => snapshot !== undefined)?.snapshot?.summary
  const checkpoint = summary?.['flink.max-committed-checkpoint-id']
  if (checkpoint === undefined) return undefined
  return [table, summary!['flink.job-id'], summary!['flink.operator-id'], checkpoint].join(' ')
}

export interface HeldCommit {
  readonly request: CatalogRequest
  readonly checkpoint: string
  release(fate: Fate): void
}

/** Holds up the next commit of a sink that `which` picks; all else passes. */
export function holdCommit(
  proxy: CatalogProxy,
  which: (checkpoint: string) => boolean = () => true,
): Promise<HeldCommit> {
  return new Promise((resolve) => {
    let waiting = true
    proxy.fate = (request) => {
      const checkpoint = request.isCommit ? checkpointOf(request) : undefined
      if (!waiting || checkpoint === undefined || !which(checkpoint)) return 'pass'
      waiting = false
      return new Promise((release) => resolve({ request, checkpoint, release }))
    }
  })
}

/** Whether a commit is of the same table, job and operator: a job that starts again commits several checkpoints as one. */
export function isOfSink(checkpoint: string, other: string): boolean {
  const sink = (text: string): string => text.slice(0, text.lastIndexOf(' '))
  return sink(checkpoint) === sink(other)
}
