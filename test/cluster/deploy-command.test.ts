/** `headwater deploy` as a process: over a real platform in cluster mode, its topics and its catalog, the job is started once. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type ClusterProject, deploy, startClusterProject } from '../support/cluster-project.ts'
import { temporaryFolder } from '../support/project.ts'

const { folder, remove } = temporaryFolder('deploy-command')
let project: ClusterProject

beforeAll(async () => {
  const options = { size: { slots: 2 }, healthySeconds: 180 }
  project = await startClusterProject(folder, 'examples/streaming/specs.ts', options)
}, 300_000)

afterAll(async () => {
  await project?.remove()
  remove()
}, 60_000)

test('the job is started once, and checkpoints', { timeout: 400_000 }, async () => {
  expect(await deploy(folder, '--plan')).toMatch(/A job is started\.$/m)
  expect(await deploy(folder)).toMatch(/^The job [0-9a-f]{32} runs\.$/m)
  expect(await deploy(folder, '--plan')).toMatch(/^Nothing to do/m)
})
