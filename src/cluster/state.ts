/** What runs where, written down: `cluster.json` in the folder of a cluster, which other programs may read. */
import path from 'node:path'
import { error } from '../base/errors.ts'
import type { Files } from '../base/files.ts'
import { failed, ok, type Result } from '../base/result.ts'

export interface ClusterSize {
  readonly brokers: number
  readonly taskManagers: number
  /** Of each TaskManager. */
  readonly slots: number
  /** Heap of each TaskManager's tasks, MiB. */
  readonly heapMiB: number
}

export interface RunningProcess {
  /** Such as `broker-1`. */
  readonly name: string
  readonly pid: number
  /** ms since 1970. */
  readonly startedMs: number
  /** Tells whether it runs as it would be started now. */
  readonly fingerprint: string
}

export interface ClusterState {
  readonly version: 1
  /** Kafka's id of the cluster. */
  readonly id: string
  readonly size: ClusterSize
  readonly kafka: {
    /** `host:port` of each broker. */
    readonly brokers: readonly string[]
  }
  readonly flink: {
    /** URL of the JobManager's REST API and page. */
    readonly rest: string
    /** URL of the SQL Gateway. */
    readonly gateway: string
    /** URL under which checkpoints are kept, even of jobs that ended. */
    readonly checkpoints: string
    readonly savepoints: string
  }
  /** By what they are for, such as `broker-1`. */
  readonly ports: Readonly<Record<string, number>>
  readonly processes: readonly RunningProcess[]
}

const FILE = 'cluster.json'

/** Undefined where there never was a cluster; cluster_invalid where the file says nothing. */
export async function readState(
  folder: string,
  files: Files,
): Promise<Result<ClusterState | undefined>> {
  const file = path.join(folder, FILE)
  if ((await files.info(file)) === undefined) return ok(undefined)
  try {
    const state = JSON.parse(Buffer.from(await files.read(file)).toString()) as ClusterState
    if (state.version === 1 && Array.isArray(state.processes)) return ok(state)
    return failed(error('cluster_invalid', `${file} is of another version.`))
  } catch (cause) {
    return failed(error('cluster_invalid', `${file}: ${String(cause)}.`, cause))
  }
}

/** Replaces it whole, so that readers never see half of it. */
export async function writeState(folder: string, state: ClusterState, files: Files): Promise<void> {
  const file = path.join(folder, FILE)
  await files.write(`${file}.new`, `${JSON.stringify(state, undefined, 2)}\n`, { sync: true })
  await files.rename(`${file}.new`, file)
}

/** The argument by which a process is known again; it means nothing to Java. */
export function markOf(id: string, name: string): string {
  return `-Dheadwater.process=${id}.${name}`
}
