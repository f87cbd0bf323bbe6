/** `headwater deploy`: brings the job on Flink to what the specifications say, or tells what that would do. */
import { Command } from 'commander'
import { systemClock } from '../base/clock.ts'
import { error } from '../base/errors.ts'
import { nodeFiles } from '../base/node/files.ts'
import type { DeployPlan, PartChange } from '../engine/flink/deploy.ts'
import {
  type Deployment,
  type FlinkConfig,
  flinkOf,
  loadProject,
  type Project,
  projectDeployment,
} from '../platform/index.ts'
import { orThrow, projectFolder } from './folder.ts'
import { localFlink } from './local-flink.ts'
import { textTable } from './text-table.ts'

interface DeployOptions {
  readonly project?: string
  readonly plan?: boolean
  readonly withoutState?: boolean
  readonly json?: boolean
}

export function deployCommand(): Command {
  return new Command('deploy')
    .description(
      'Bring the job on Flink to what the specifications say: start it, upgrade it from a savepoint, or resume it from its last checkpoint. What does not work is taken back.',
    )
    .option('-p, --project <folder>', 'project folder (default: the nearest one)')
    .option('-n, --plan', 'tell what would change, and change nothing')
    .option(
      '--without-state',
      'start where the consumer group stands, and know no batches: copies of those sent before land again',
    )
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
Examples:
  headwater deploy --plan
  headwater deploy
  headwater deploy --plan --json
  headwater deploy --without-state --plan

Flink is the one of cluster.flink in headwater.config.ts; where that is not there, the one that \`headwater cluster up\` started.
Start the platform first: it makes topics and tables.`,
    )
    .action(async (options: DeployOptions) => {
      const project = orThrow(await loadProject(projectFolder(options.project), nodeFiles))
      const ports = { files: nodeFiles, clock: systemClock, fetch, onStep: stepsOf(options) }
      const deployment = orThrow(await projectDeployment(project, await targetOf(project), ports))
      const found = orThrow(await deployment.deployer.plan())
      const plan = options.withoutState === true ? forgetting(found) : found
      tell(plan, deployment, options)
      if (options.plan === true || plan.action === 'none') return
      const { jobId, from } = orThrow(await deployment.deployer.roll(plan))
      if (options.json === true) process.stdout.write(`${JSON.stringify({ jobId, from })}\n`)
      else process.stdout.write(`The job ${jobId} runs.\n`)
    })
}

/** The plan for a job that is started anew, whatever the one before it left. */
function forgetting(plan: DeployPlan): DeployPlan {
  const changes = plan.changes.map((each): PartChange =>
    each.change === 'added' ? each : { ...each, state: 'lost' },
  )
  const action = plan.action === 'start' ? 'start' : 'resume'
  return { ...plan, action, from: undefined, changes }
}

/** The Flink to deploy to. Throws HeadwaterError `config_invalid` where there is none. */
async function targetOf({ config, data }: Project): Promise<FlinkConfig> {
  const found = await flinkOf(config.cluster, data, localFlink)
  if (found !== undefined) return found
  throw error('config_invalid', 'cluster.flink: it is not there, and no local cluster runs.')
}

function stepsOf({ json }: DeployOptions): (step: string) => void {
  const begin = systemClock.monotonic()
  return (step) => {
    const seconds = ((systemClock.monotonic() - begin) / 1000).toFixed(1)
    if (json !== true) process.stderr.write(`${seconds.padStart(6)} s  ${step}\n`)
  }
}

function tell(plan: DeployPlan, { topics }: Deployment, { json }: DeployOptions): void {
  const { action, fingerprint, job, from, changes, drift } = plan
  if (json === true) {
    const told = changes.map((each) => ({ ...each, topics: topics.get(each.part) ?? [] }))
    const line = { action, fingerprint, job: job?.id, from, changes: told, drift }
    process.stdout.write(`${JSON.stringify(line)}\n`)
    return
  }
  const cells = changes.map((each) => [
    each.tables.join(', '),
    each.change,
    (topics.get(each.part) ?? []).join(', '),
    stateWords(each),
  ])
  process.stdout.write(`${textTable(['tables', 'job', 'topics', 'state'], cells, [])}\n`)
  for (const each of drift) process.stdout.write(`Not as it should be: ${each}.\n`)
  process.stdout.write(`${actionWords(plan)}\n`)
}

function stateWords({ change, state }: PartChange): string {
  switch (state) {
    case 'kept':
      return 'kept: its place in the topics, and which batches are known'
    case 'none':
      return 'none yet: it reads its topics from where its group stands, else from the oldest record'
    case 'lost':
      return change === 'removed'
        ? 'lost: which batches are known; its group keeps the place in the topics'
        : 'lost: copies of batches of before land again; it goes on where its group stands'
  }
}

function actionWords({ action, job, from, before, bundle }: DeployPlan): string {
  const back =
    before === undefined
      ? ' What runs cannot be gone back to: its plan is not there.'
      : ' Where the new job does not work, what runs now is started again.'
  switch (action) {
    case 'none':
      return `Nothing to do: the job ${job!.id} is this deployment.`
    case 'start':
      return 'A job is started.'
    case 'upgrade':
      return `The job ${job!.id} is stopped with a savepoint, and the new one starts from it.${back}`
    case 'resume': {
      const same = before?.fingerprint === bundle.fingerprint ? 'the same' : 'a new'
      const start =
        from === undefined
          ? 'without a checkpoint, where its group stands: rows of after the last commit may land twice'
          : `from ${from}`
      return `The job is started again with ${same} plan, ${start}.`
    }
  }
}
