/** What of a cluster runs, and whether it is ready for work. */
import path from 'node:path'
import { error } from '../base/errors.ts'
import { failed, ok, type Result } from '../base/result.ts'
import { HOST } from './layout.ts'
import { askJson, brokersAlive, type ProbePorts, taskManagersOf } from './probe.ts'
import { type ProcessPorts, seen } from './processes.ts'
import { type ClusterState, markOf, readState, type RunningProcess } from './state.ts'

export interface ProcessStatus {
  readonly name: string
  readonly pid: number
  readonly alive: boolean
  /** Whether it does its work: a broker answers and sees the others, a TaskManager has registered its slots. */
  readonly ready: boolean
  readonly memoryBytes: number
  /** `host:port` of a broker, URL of a JobManager or Gateway. */
  readonly address: string | undefined
  /** Absolute path. */
  readonly log: string
}

export interface ClusterStatus {
  readonly state: ClusterState
  /** Empty after `down`. */
  readonly processes: readonly ProcessStatus[]
}

export type StatusPorts = ProcessPorts & ProbePorts

/** Fails with cluster_missing where there never was one. */
export async function clusterStatus(
  folder: string,
  ports: StatusPorts,
): Promise<Result<ClusterStatus>> {
  const read = await readState(folder, ports.files)
  if (!read.ok) return read
  const state = read.value
  if (state === undefined) return failed(error('cluster_missing', `Nothing is in ${folder}.`))
  const processes = await Promise.all(
    state.processes.map((process) => processStatus(folder, state, process, ports)),
  )
  return ok({ state, processes })
}

async function processStatus(
  folder: string,
  state: ClusterState,
  process: RunningProcess,
  ports: StatusPorts,
): Promise<ProcessStatus> {
  const { name, pid } = process
  const found = await seen(pid, markOf(state.id, name), ports)
  return {
    name,
    pid,
    alive: found !== undefined,
    ready: found !== undefined && (await isReady(state, process, ports)),
    memoryBytes: found?.residentBytes ?? 0,
    address: addressOf(state, name),
    log: path.join(folder, 'logs', `${name}.log`),
  }
}

function addressOf({ kafka, flink, ports }: ClusterState, name: string): string | undefined {
  if (name === 'jobmanager') return flink.rest
  if (name === 'gateway') return flink.gateway
  return kafka.brokers.find((address) => address === `${HOST}:${ports[name]}`)
}

/** Whether a process that runs does its work. */
export async function isReady(
  state: ClusterState,
  { name, startedMs }: RunningProcess,
  ports: ProbePorts,
): Promise<boolean> {
  const { flink, size } = state
  if (name === 'jobmanager') return (await askJson(`${flink.rest}/overview`, ports)) !== undefined
  if (name === 'gateway') return (await askJson(`${flink.gateway}/v3/info`, ports)) !== undefined
  if (name.startsWith('broker-')) {
    return (await brokersAlive(HOST, state.ports[name]!, ports.clock)) === size.brokers
  }
  const known = await taskManagersOf(flink.rest, ports)
  // One that was killed is known by the same name for a while.
  return (
    known?.some(({ id, slots, heardMs }) => id === name && slots > 0 && heardMs > startedMs) ===
    true
  )
}
