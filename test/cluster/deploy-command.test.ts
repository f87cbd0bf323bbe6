/** `headwater deploy` as a process: over a real platform in cluster mode, its topics and its catalog, the job is started once. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startTestCluster, type TestCluster } from '../support/cluster.ts'
import { freePorts } from '../support/ports.ts'
import {
  headwater,
  type Running,
  startHeadwater,
  temporaryFolder,
  writeProject,
} from '../support/project.ts'

const { folder, remove } = temporaryFolder('deploy-command')
let cluster: TestCluster
let platform: Running

beforeAll(async () => {
  cluster = await startTestCluster({ slots: 2 })
  const [collector, catalog] = await freePorts(2)
  const { gateway, rest } = cluster.state.flink
  writeProject(folder, 'examples/streaming/specs.ts', {
    catalog: { port: catalog },
    cluster: {
      kafka: { brokers: cluster.state.kafka.brokers, partitions: 2 },
      flink: { gateway, rest, checkpointSeconds: 1, parallelism: 1, healthySeconds: 180 },
    },
  })
  platform = await startHeadwater(folder, collector)
}, 300_000)

afterAll(async () => {
  await platform?.kill('SIGKILL')
  await cluster?.remove()
  remove()
}, 60_000)

async function deploy(...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await headwater(folder, ['deploy', ...args])
  expect(stderr, `deploy ended with ${code}`).not.toMatch(/^[a-z_]+: /m)
  expect(code).toBe(0)
  return stdout
}

test('the job is started once, and checkpoints', { timeout: 400_000 }, async () => {
  expect(await deploy('--plan')).toMatch(/A job is started\.$/m)
  expect(await deploy()).toMatch(/^The job [0-9a-f]{32} runs\.$/m)
  expect(await deploy('--plan')).toMatch(/^Nothing to do/m)
})
