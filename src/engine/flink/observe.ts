/** What runs of a deployment, and where a job that has ended or is gone left what it knew. */
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Files } from '../../base/files.ts'
import { ok, type Result } from '../../base/result.ts'
import { ENDED, type Job, type JobManager } from './jobs.ts'

/** A job of a deployment. */
export interface DeployedJob extends Job {
  /** That of its bundle; undefined where the job does not say. */
  readonly fingerprint: string | undefined
  /** Fingerprint of each part. */
  readonly parts: ReadonlyMap<string, string>
}

export interface Observed {
  /** Jobs that have not ended, newest first: one, or none. */
  readonly live: readonly DeployedJob[]
  /** The newest job that has ended; undefined where the JobManager knows of none. */
  readonly ended: DeployedJob | undefined
}

const FINGERPRINT = 'headwater.fingerprint'
const PART = 'headwater.part.'

export function jobName(namespace: string): string {
  return `headwater ${namespace}`
}

/** What a job is told, so that it can tell what it was made from; names and fingerprints need no quotation marks. */
export function jobParameters(
  fingerprint: string,
  parts: readonly { readonly name: string; readonly fingerprint: string }[],
): string {
  const own = parts.map((part) => `${PART}${part.name}:${part.fingerprint}`)
  return [`${FINGERPRINT}:${fingerprint}`, ...own].join(',')
}

export async function observe(jobs: JobManager, namespace: string): Promise<Result<Observed>> {
  const all = await jobs.jobs()
  if (!all.ok) return all
  const own = all.value.filter(({ name }) => name === jobName(namespace))
  const live: DeployedJob[] = []
  let ended: DeployedJob | undefined
  for (const job of own) {
    const over = ENDED.has(job.state)
    if (over && ended !== undefined) continue
    const parameters = await jobs.parameters(job.id)
    if (!parameters.ok) return parameters
    const parts = [...parameters.value].flatMap(([name, value]) =>
      name.startsWith(PART) ? [[name.slice(PART.length), value] as const] : [],
    )
    const fingerprint = parameters.value.get(FINGERPRINT)
    const deployed = { ...job, fingerprint, parts: new Map(parts) }
    if (over) ended = deployed
    else live.push(deployed)
  }
  return ok({ live, ended })
}

/** The last start of a deployment, for when no JobManager remembers it. */
export interface LastStart {
  readonly jobId: string
  readonly fingerprint: string
  /** Folder of the checkpoints of all jobs, as a URI; undefined where Flink has none. */
  readonly checkpoints: string | undefined
}

const lastFile = (folder: string, namespace: string): string =>
  path.join(folder, `${namespace}.last.json`)

export async function writeLast(
  folder: string,
  namespace: string,
  last: LastStart,
  files: Files,
): Promise<void> {
  const file = lastFile(folder, namespace)
  const temporary = `${file}.new`
  await files.write(temporary, JSON.stringify(last), { sync: true })
  await files.rename(temporary, file)
}

export async function readLast(
  folder: string,
  namespace: string,
  files: Files,
): Promise<LastStart | undefined> {
  const file = lastFile(folder, namespace)
  if ((await files.info(file)) === undefined) return undefined
  return JSON.parse(Buffer.from(await files.read(file)).toString()) as LastStart
}

/** The newest whole checkpoint that a job left in a folder of this machine; undefined where there is none, or the folder is elsewhere. */
export async function checkpointOnDisk(
  { jobId, checkpoints }: LastStart,
  files: Files,
): Promise<string | undefined> {
  if (checkpoints === undefined || !checkpoints.startsWith('file:')) return undefined
  const folder = path.join(fileURLToPath(withSlashes(checkpoints)), jobId)
  const numbers = (await files.list(folder))
    .flatMap((name) => /^chk-(\d+)$/.exec(name)?.[1] ?? [])
    .map(Number)
    .sort((a, b) => b - a)
  for (const number of numbers) {
    const checkpoint = path.join(folder, `chk-${number}`)
    // It is written last.
    const metadata = await files.info(path.join(checkpoint, '_metadata'))
    if (metadata !== undefined) return `file://${checkpoint}`
  }
  return undefined
}

/** Flink writes `file:/path` as well. */
function withSlashes(uri: string): string {
  return uri.replace(/^file:\/(?!\/)/, 'file:///')
}
