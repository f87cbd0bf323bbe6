/** Starts and stops a local cluster: what runs as it should is left alone, what does not is started, and data is taken up again. */
import { createHash } from 'node:crypto'
import path from 'node:path'
import { sleep } from '../base/clock.ts'
import { error, HeadwaterError } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import { failed, ok, type Result } from '../base/result.ts'
import { runCommand } from './command.ts'
import type { FetchPorts } from './fetch.ts'
import { install, type InstallOptions } from './install.ts'
import {
  addresses,
  brokerData,
  configuration,
  type Installation,
  type PlannedProcess,
  plannedProcesses,
  portNames,
} from './layout.ts'
import { locked } from './lock.ts'
import { freePort, isFree } from './ports.ts'
import { seen, startProcess, stopProcess } from './processes.ts'
import { isReady } from './status.ts'
import {
  type ClusterSize,
  type ClusterState,
  markOf,
  readState,
  type RunningProcess,
  writeState,
} from './state.ts'

export type ClusterPorts = FetchPorts

export interface UpOptions extends InstallOptions {
  /** Absolute path of the folder for data, logs and `cluster.json`. */
  readonly folder: string
  /** What is left out is as it was, or as by default. */
  readonly size: Partial<ClusterSize>
}

export const DEFAULT_SIZE: ClusterSize = { brokers: 1, taskManagers: 1, slots: 2, heapMiB: 768 }

export interface Up {
  readonly state: ClusterState
  /** Names of the processes that were not running. */
  readonly started: readonly string[]
}

/**
 * Everything ready when it resolves. Fails with what `install` fails with, cluster_busy, cluster_invalid, cluster_differs, or
 * cluster_failed, after which `down` ends what was started.
 */
export async function clusterUp(options: UpOptions, ports: ClusterPorts): Promise<Result<Up>> {
  const installed = await install(options, ports)
  if (!installed.ok) return installed
  const { folder } = options
  return locked(folder, ports, async () => {
    const before = await readState(folder, ports.files)
    if (!before.ok) return before
    const { size } = options
    const brokers = before.value?.size.brokers
    if (brokers !== undefined && size.brokers !== undefined && size.brokers !== brokers) {
      return failed(error('cluster_differs', `${folder} has ${brokers} of them.`))
    }
    const state = await nextState(folder, before.value, size, ports)
    const run = new Run(folder, state, installed.value, options.env, ports)
    try {
      return ok(await run.up())
    } catch (cause) {
      if (cause instanceof HeadwaterError) return failed(cause)
      throw cause
    }
  })
}

/** Names of what was ended; nothing runs when it resolves. Fails with cluster_missing, cluster_busy, cluster_invalid or cluster_failed. */
export async function clusterDown(folder: string, ports: ClusterPorts): Promise<Result<string[]>> {
  const found = await readState(folder, ports.files)
  if (!found.ok) return found
  if (found.value === undefined) {
    return failed(error('cluster_missing', `Nothing is in ${folder}.`))
  }
  return locked(folder, ports, async () => {
    const read = await readState(folder, ports.files)
    if (!read.ok) return read
    const state = read.value!
    const ended: string[] = []
    // Flink before Kafka, and brokers last, so that each finds what it needs to end in order.
    for (const brokers of [false, true]) {
      const group = state.processes.filter(({ name }) => name.startsWith('broker-') === brokers)
      const gone = await Promise.all(group.map((each) => stop(state, each, ports)))
      const left = group.find((_, i) => gone[i] === undefined)
      if (left !== undefined) {
        return failed(error('cluster_failed', `${left.name} (${left.pid}) does not end.`))
      }
      ended.push(...group.filter((_, i) => gone[i] === true).map(({ name }) => name))
    }
    await writeState(folder, { ...state, processes: [] }, ports.files)
    return ok(ended)
  })
}

/** Whether it ran until now; undefined where it runs on. */
async function stop(
  { id }: ClusterState,
  { name, pid }: RunningProcess,
  ports: ClusterPorts,
): Promise<boolean | undefined> {
  const mark = markOf(id, name)
  if ((await seen(pid, mark, ports)) === undefined) return false
  return (await stopProcess(pid, mark, ports)) ? true : undefined
}

/** The state to reach; ports of before are kept. */
async function nextState(
  folder: string,
  before: ClusterState | undefined,
  asked: Partial<ClusterSize>,
  { random }: ClusterPorts,
): Promise<ClusterState> {
  const size: ClusterSize = { ...DEFAULT_SIZE, ...before?.size, ...asked }
  const ports: Record<string, number> = { ...before?.ports }
  for (const name of portNames(size)) {
    ports[name] ??= await freePort(random, new Set(Object.values(ports)))
  }
  return {
    version: 1,
    // Kafka's form of an id: 16 bytes in base64url. It may not begin with a dash.
    id: before?.id ?? `h${Buffer.from(random.bytes(16)).toString('base64url').slice(1, 22)}`,
    size,
    ...addresses(folder, size, ports),
    ports,
    processes: before?.processes ?? [],
  }
}

/** One `up`. */
class Run {
  readonly #folder: string
  readonly #installation: Installation
  readonly #env: InstallOptions['env']
  readonly #ports: ClusterPorts
  #state: ClusterState

  constructor(
    folder: string,
    state: ClusterState,
    installation: Installation,
    env: InstallOptions['env'],
    ports: ClusterPorts,
  ) {
    this.#folder = folder
    this.#state = state
    this.#installation = installation
    this.#env = env
    this.#ports = ports
  }

  async up(): Promise<Up> {
    for (const name of ['conf', 'logs', 'tmp', 'checkpoints', 'savepoints', 'kafka']) {
      await this.#ports.files.makeDirectory(path.join(this.#folder, name))
    }
    const kept = await this.#keep()
    await this.#replacePorts(kept)
    const planned = this.#planned().filter(({ name }) => !kept.has(name))
    for (const [file, text] of configuration(this.#folder, this.#state)) {
      await this.#ports.files.write(file, text)
    }
    await Promise.all(
      planned.filter(({ role }) => role === 'broker').map(({ name }) => this.#format(name)),
    )
    for (const each of planned) await this.#start(each)
    await this.#ready()
    return { state: this.#state, started: planned.map(({ name }) => name) }
  }

  #planned(): PlannedProcess[] {
    return plannedProcesses(this.#folder, this.#state, this.#installation)
  }

  /** Names of the processes that run as planned; others that run are ended. */
  async #keep(): Promise<Set<string>> {
    const planned = new Map(this.#planned().map((each) => [each.name, fingerprint(each)]))
    const kept: RunningProcess[] = []
    for (const each of this.#state.processes) {
      const mark = markOf(this.#state.id, each.name)
      if ((await seen(each.pid, mark, this.#ports)) === undefined) continue
      if (planned.get(each.name) === each.fingerprint) kept.push(each)
      else if (!(await stopProcess(each.pid, mark, this.#ports))) {
        throw error('cluster_failed', `${each.name} (${each.pid}) does not end.`)
      }
    }
    this.#state = { ...this.#state, processes: kept }
    return new Set(kept.map(({ name }) => name))
  }

  /** Other ports for what is to be started where somebody else took its own meanwhile. */
  async #replacePorts(kept: ReadonlySet<string>): Promise<void> {
    const ports: Record<string, number> = { ...this.#state.ports }
    for (const { name, ports: names } of this.#planned()) {
      if (kept.has(name)) continue
      for (const each of names) {
        if (await isFree(ports[each]!)) continue
        ports[each] = await freePort(this.#ports.random, new Set(Object.values(ports)))
      }
    }
    this.#state = { ...this.#state, ...addresses(this.#folder, this.#state.size, ports), ports }
    await this.#write()
  }

  /** A broker's disk is formatted once. */
  async #format(name: string): Promise<void> {
    const { files, clock } = this.#ports
    const data = brokerData(this.#folder, name)
    if ((await files.info(path.join(data, 'meta.properties'))) !== undefined) return
    const file = path.join(this.#folder, 'conf', `${name}.properties`)
    const jars = this.#installation.kafkaJars.join(path.delimiter)
    const format = ['format', '-t', this.#state.id, '-c', file, '--ignore-formatted']
    const { code, output } = await runCommand(
      this.#installation.java,
      ['-Xmx128m', '-XX:TieredStopAtLevel=1', '-cp', jars, STORAGE_TOOL, ...format],
      clock,
    )
    if (code !== 0) throw error('cluster_failed', `${name} cannot be formatted: ${output.trim()}`)
  }

  async #start(planned: PlannedProcess): Promise<void> {
    const { name, args, env, output } = planned
    const { files, clock } = this.#ports
    const temporary = path.join(this.#folder, 'tmp', name)
    // What a process that was killed left there.
    await files.removeDirectory(temporary)
    await files.makeDirectory(temporary)
    const startedMs = clock.wall()
    const plan = { command: this.#installation.java, args, folder: temporary, output }
    const pid = startProcess({ ...plan, env: { ...this.#env, ...env } })
    if (pid === undefined) {
      throw error('java_missing', `${this.#installation.java} cannot be started.`)
    }
    const process = { name, pid, startedMs, fingerprint: fingerprint(planned) }
    this.#state = { ...this.#state, processes: [...this.#state.processes, process] }
    await this.#write()
  }

  #write(): Promise<void> {
    return writeState(this.#folder, this.#state, this.#ports.files)
  }

  async #ready(): Promise<void> {
    const { clock } = this.#ports
    const until = clock.monotonic() + limits.clusterReadyMsMax
    let waiting = this.#state.processes
    while (waiting.length > 0) {
      const unready: RunningProcess[] = []
      for (const each of waiting) {
        const mark = markOf(this.#state.id, each.name)
        if ((await seen(each.pid, mark, this.#ports)) === undefined) {
          throw await this.#failure(each, 'ended')
        }
        if (!(await isReady(this.#state, each, this.#ports))) unready.push(each)
      }
      if (unready.length > 0) {
        if (clock.monotonic() > until) throw await this.#failure(unready[0]!, 'is not ready')
        await sleep(clock, limits.clusterPollMs)
      }
      waiting = unready
    }
  }

  async #failure({ name }: RunningProcess, what: string): Promise<HeadwaterError> {
    const log = path.join(this.#folder, 'logs', `${name}.log`)
    const lines: string[] = []
    for (const file of [log, log.replace(/\.log$/, '.out')]) {
      const bytes = await this.#ports.files.read(file).catch(() => Buffer.alloc(0))
      const said = Buffer.from(bytes).toString().split('\n').filter(isTelling)
      lines.push(...said.slice(-TAIL_LINES))
    }
    return error('cluster_failed', `${name} ${what}; ${log} ends with:\n  ${lines.join('\n  ')}`)
  }
}

const TAIL_LINES = 8

/** Not a line of a stack trace. */
function isTelling(line: string): boolean {
  return line !== '' && !/^\s+(at |\.\.\. \d+ more)/.test(line)
}

const STORAGE_TOOL = 'kafka.tools.StorageTool'

function fingerprint({ args, env }: PlannedProcess): string {
  return createHash('sha256')
    .update(JSON.stringify([args, env]))
    .digest('hex')
    .slice(0, 16)
}
