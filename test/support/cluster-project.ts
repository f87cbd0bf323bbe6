/** A project in cluster mode over a real cluster: what it says of Kafka and Flink, its platform as a process, and its deployment. */
import { expect } from 'vitest'
import type { ClusterSize } from '../../src/cluster/index.ts'
import { startTestCluster, type TestCluster } from './cluster.ts'
import { freePorts } from './ports.ts'
import { headwater, type Running, startHeadwater, writeProject } from './project.ts'

/** The option `cluster` for a cluster of a test: a commit each second, by one slot. */
export function clusterOption({ state }: TestCluster, flink: object): object {
  const { gateway, rest } = state.flink
  return {
    kafka: { brokers: state.kafka.brokers, partitions: 2 },
    flink: { gateway, rest, checkpointSeconds: 1, parallelism: 1, ...flink },
  }
}

export interface ClusterProject {
  readonly cluster: TestCluster
  readonly platform: Running
  /** Ends everything; the project's folder stays. */
  remove(): Promise<void>
}

/** Starts a cluster and, in `folder`, a project with these specifications on it; nothing is deployed yet. */
export async function startClusterProject(
  folder: string,
  specs: string,
  {
    size,
    healthySeconds,
  }: { readonly size: Partial<ClusterSize>; readonly healthySeconds: number },
): Promise<ClusterProject> {
  const cluster = await startTestCluster(size)
  try {
    const [port, catalog] = await freePorts(2)
    writeProject(folder, specs, {
      http: { port },
      catalog: { port: catalog },
      cluster: clusterOption(cluster, { healthySeconds }),
    })
    const platform = await startHeadwater(folder, port)
    return {
      cluster,
      platform,
      remove: async () => {
        await platform.kill('SIGKILL')
        await cluster.remove()
      },
    }
  } catch (cause) {
    await cluster.remove()
    throw cause
  }
}

/** What `headwater deploy` prints; it must succeed. */
export async function deploy(folder: string, ...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await headwater(folder, ['deploy', ...args])
  expect(stderr, `deploy ended with ${code}`).not.toMatch(/^[a-z_]+: /m)
  expect(code).toBe(0)
  return stdout
}
