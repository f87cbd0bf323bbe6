/** A real cluster for a test: Kafka and Flink in a temporary folder, taken away at its end. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { systemClock } from '../../src/base/clock.ts'
import { nodeFiles } from '../../src/base/node/files.ts'
import { systemRandom } from '../../src/base/random.ts'
import {
  clusterDown,
  type ClusterPorts,
  type ClusterSize,
  type ClusterState,
  clusterUp,
} from '../../src/cluster/index.ts'
import { cacheFolder } from './java/artifacts.ts'

export const clusterPorts: ClusterPorts = {
  files: nodeFiles,
  clock: systemClock,
  random: systemRandom,
  request: fetch,
}

export interface TestCluster {
  /** Absolute path of its folder. */
  readonly folder: string
  /** As of the last `up`. */
  readonly state: ClusterState
  /** Starts what does not run; answers the names. Throws HeadwaterError. */
  up(size?: Partial<ClusterSize>): Promise<readonly string[]>
  /** Ends a process, such as `taskmanager-1`, as a crash would; it is gone when this returns. */
  kill(name: string): Promise<void>
  /** Ends everything, and takes the folder away. */
  remove(): Promise<void>
}

/** Processes that live for a minute, and are killed before: compiled quickly rather than well. */
const BRIEF = { JAVA_TOOL_OPTIONS: '-XX:TieredStopAtLevel=1 -XX:+UseSerialGC' }

/** Everything is ready when it resolves; nothing is left running where it rejects. */
export async function startTestCluster(size: Partial<ClusterSize> = {}): Promise<TestCluster> {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'headwater-cluster-'))
  let state: ClusterState | undefined
  const cluster: TestCluster = {
    folder,
    get state() {
      return state!
    },
    up: async (asked = {}) => {
      const options = {
        folder,
        cache: cacheFolder(),
        env: { ...process.env, ...BRIEF },
        size: asked,
      }
      const up = await clusterUp(options, clusterPorts)
      if (!up.ok) throw up.error
      state = up.value.state
      return up.value.started
    },
    kill: async (name) => {
      const { pid } = state!.processes.find((each) => each.name === name)!
      process.kill(pid, 'SIGKILL')
      while (isRunning(pid)) await new Promise((resolve) => setTimeout(resolve, 20))
    },
    remove: async () => {
      const down = await clusterDown(folder, clusterPorts)
      rmSync(folder, { recursive: true, force: true })
      if (!down.ok && down.error.code !== 'cluster_missing') throw down.error
    },
  }
  try {
    await cluster.up(size)
    return cluster
  } catch (cause) {
    await cluster.remove()
    throw cause
  }
}

/** Whether a process runs; one that has ended and was not fetched yet does not. */
export function isRunning(pid: number): boolean {
  const { stdout } = spawnSync('ps', ['-o', 'stat=', '-p', String(pid)], { encoding: 'utf8' })
  return stdout.trim() !== '' && !stdout.startsWith('Z')
}
