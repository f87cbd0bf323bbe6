/** `headwater cluster`: Kafka and Flink on this machine, for development and tests. */
import os from 'node:os'
import path from 'node:path'
import { Command, InvalidArgumentError } from 'commander'
import { size } from '../base/size.ts'
import { systemClock } from '../base/clock.ts'
import { limits } from '../base/limits.ts'
import { nodeFiles } from '../base/node/files.ts'
import { systemRandom } from '../base/random.ts'
import {
  clusterDown,
  type ClusterPorts,
  type ClusterSize,
  clusterStatus,
  clusterUp,
  DEFAULT_SIZE,
  type ProcessStatus,
} from '../cluster/index.ts'
import { loadConfig } from '../platform/index.ts'
import { orThrow, projectFolder } from './folder.ts'
import { manifestsCommand } from './manifests.ts'
import { textTable } from './text-table.ts'

const ports: ClusterPorts = {
  files: nodeFiles,
  clock: systemClock,
  random: systemRandom,
  request: fetch,
}

interface PlaceOptions {
  readonly project?: string
  readonly folder?: string
  readonly json?: boolean
}

interface UpArguments extends PlaceOptions {
  readonly brokers?: number
  readonly taskManagers?: number
  readonly slots?: number
  readonly heap?: number
}

export function clusterCommand(): Command {
  const command = new Command('cluster')
    .description('Kafka and Flink on this machine, for development and tests.')
    .addHelpText(
      'after',
      '\nExamples:\n  headwater cluster up\n  headwater cluster status --json\n  headwater cluster down',
    )
  for (const each of [upCommand(), statusCommand(), downCommand(), manifestsCommand()]) {
    command.addCommand(each)
  }
  return command
}

function placed(command: Command): Command {
  return command
    .option('-p, --project <folder>', 'project folder (default: the nearest one)')
    .option(
      '--folder <folder>',
      'folder of the cluster (default: cluster in the data of the project)',
    )
    .option('--json', 'print JSON')
}

function upCommand(): Command {
  const most = (max: number) => (text: string) => countOf(text, max)
  return placed(
    new Command('up').description('Start what does not run, and wait until everything is ready.'),
  )
    .option(
      '--brokers <number>',
      `brokers (default: ${DEFAULT_SIZE.brokers})`,
      most(limits.clusterBrokersMax),
    )
    .option(
      '--task-managers <number>',
      `TaskManagers (default: ${DEFAULT_SIZE.taskManagers})`,
      most(limits.clusterTaskManagersMax),
    )
    .option(
      '--slots <number>',
      `slots of each (default: ${DEFAULT_SIZE.slots})`,
      most(limits.clusterSlotsMax),
    )
    .option(
      '--heap <MiB>',
      `heap of each for tasks (default: ${DEFAULT_SIZE.heapMiB})`,
      most(1 << 20),
    )
    .addHelpText(
      'after',
      `
What is fetched goes to HEADWATER_CACHE (default: ~/.cache/headwater). HEADWATER_MAVEN_URL names another Maven repository, and pip,
which fetches Flink, has its own settings, such as PIP_INDEX_URL. Java is that of JAVA_HOME, or the one on the path.`,
    )
    .action(async (options: UpArguments) => {
      const folder = await folderOf(options)
      const onProgress = progress()
      const begin = systemClock.monotonic()
      const { state, started } = orThrow(
        await clusterUp(
          { folder, cache: cacheFolder(), env: process.env, size: sizeOf(options), onProgress },
          ports,
        ),
      )
      if (options.json === true) {
        process.stdout.write(`${JSON.stringify(state)}\n`)
        return
      }
      const seconds = ((systemClock.monotonic() - begin) / 1000).toFixed(1)
      const { processes } = orThrow(await clusterStatus(folder, ports))
      const what = started.length === 0 ? 'Everything ran.' : `Started ${started.join(', ')}.`
      process.stdout.write(`${statusText(processes)}\n${what} Ready after ${seconds} s.\n`)
      process.stdout.write(`Settings and addresses: ${path.join(folder, 'cluster.json')}\n`)
    })
}

function statusCommand(): Command {
  return placed(
    new Command('status').description('Tell what runs, and whether it is ready.'),
  ).action(async (options: PlaceOptions) => {
    const { processes } = orThrow(await clusterStatus(await folderOf(options), ports))
    process.stdout.write(
      options.json === true
        ? processes.map((each) => `${JSON.stringify(each)}\n`).join('')
        : `${processes.length === 0 ? 'Nothing runs.' : statusText(processes)}\n`,
    )
  })
}

function downCommand(): Command {
  return placed(new Command('down').description('End its processes; data and logs stay.')).action(
    async (options: PlaceOptions) => {
      const ended = orThrow(await clusterDown(await folderOf(options), ports))
      process.stdout.write(
        options.json === true
          ? `${JSON.stringify({ ended })}\n`
          : `${ended.length === 0 ? 'Nothing ran.' : `Ended ${ended.join(', ')}.`}\n`,
      )
    },
  )
}

async function folderOf({ project, folder }: PlaceOptions): Promise<string> {
  if (folder !== undefined) return path.resolve(folder)
  const { data } = orThrow(await loadConfig(projectFolder(project), nodeFiles))
  return path.join(data, 'cluster')
}

function cacheFolder(): string {
  return process.env['HEADWATER_CACHE'] ?? path.join(os.homedir(), '.cache', 'headwater')
}

function sizeOf({ brokers, taskManagers, slots, heap }: UpArguments): Partial<ClusterSize> {
  return {
    ...(brokers === undefined ? {} : { brokers }),
    ...(taskManagers === undefined ? {} : { taskManagers }),
    ...(slots === undefined ? {} : { slots }),
    ...(heap === undefined ? {} : { heapMiB: heap }),
  }
}

function countOf(text: string, max: number): number {
  const count = Number(text)
  if (/^\d+$/.test(text) && count >= 1 && count <= max) return count
  throw new InvalidArgumentError(`It is a number from 1 to ${max}.`)
}

const PROGRESS_MS = 5000

/** Says on stderr what has come: in place on a terminal, a line at times elsewhere. */
function progress(): (done: number, total: number) => void {
  let told = -Infinity
  return (done, total) => {
    const now = systemClock.monotonic()
    const text = `Fetching Kafka and Flink: ${size(done)} of ${size(total)}`
    const end = done === total
    if (process.stderr.isTTY) process.stderr.write(`\r${text}${end ? '\n' : ''}`)
    else if (end || now - told >= PROGRESS_MS) {
      told = now
      process.stderr.write(`${text}\n`)
    }
  }
}

function statusText(processes: readonly ProcessStatus[]): string {
  const rows = processes.map(({ name, pid, alive, ready, memoryBytes, address, log }) => [
    name,
    alive ? (ready ? 'ready' : 'starts') : 'ended',
    String(pid),
    alive ? size(memoryBytes) : '',
    address ?? '',
    path.relative('.', log),
  ])
  const columns = ['process', 'state', 'pid', 'memory', 'address', 'log']
  return textTable(columns, rows, [false, false, true, true, false, false])
}
