/** `headwater dev`: the platform for a developer's machine, with a live view and a lockfile kept up to date. */
import { type ChildProcess, spawn } from 'node:child_process'
import { createWriteStream } from 'node:fs'
import path from 'node:path'
import { Command } from 'commander'
import { systemClock, sleep } from '../base/clock.ts'
import { limits } from '../base/limits.ts'
import { nodeFiles } from '../base/node/files.ts'
import { systemRandom } from '../base/random.ts'
import {
  loadProject,
  type Platform,
  type Project,
  startPlatform,
  writeLock,
} from '../platform/index.ts'
import { orThrow, projectFolder } from './folder.ts'
import { stopSignal } from './run.ts'
import { Watch } from './watch.ts'

interface DevOptions {
  readonly run?: string
  readonly port?: string
}

export function devCommand(): Command {
  return new Command('dev')
    .description(
      'Run the platform for development: any origin, all reasons in answers, a live view.',
    )
    .argument('[folder]', 'project folder (default: the nearest one)')
    .option('-r, --run <script>', 'also run a program, with HEADWATER_URL set to the collector')
    .option('--port <number>', 'port, instead of that of the configuration')
    .addHelpText(
      'after',
      '\nExamples:\n  headwater dev\n  headwater dev --run log.ts\n  headwater dev my-logs --port 9000',
    )
    .action(async (named: string | undefined, options: DevOptions) => {
      const folder = projectFolder(named)
      const project = withPort(orThrow(await loadProject(folder, nodeFiles)), options.port)
      if (!project.locked) await writeLock(project, nodeFiles)
      await dev(project, options.run === undefined ? undefined : path.resolve(options.run))
    })
}

async function dev(project: Project, script: string | undefined): Promise<void> {
  let watch: Watch | undefined
  const platform = orThrow(
    await startPlatform({
      project,
      files: nodeFiles,
      clock: systemClock,
      random: systemRandom,
      development: true,
      onCommit: (report) => watch?.committed(report),
    }),
  )
  watch = new Watch(platform, systemClock, process.stdout, queries(project))
  const child = script === undefined ? undefined : startProgram(script, platform, project)
  watch.start()
  await stopSignal()
  await stopProgram(child)
  await platform.close()
  watch.stop()
}

/** Three queries that work on any project, short enough to be pasted from a narrow terminal. */
function queries({ specs }: Project): string[] {
  const [first = 'batches'] = [...specs.events.keys()]
  return [
    `npx headwater sql "select type, count(*) from events group by all"`,
    `npx headwater sql "select * from ${first} limit 5"`,
    `npx headwater sql "select reason, sum(events) from quarantine group by 1"`,
  ]
}

function withPort(project: Project, port: string | undefined): Project {
  if (port === undefined) return project
  const http = { ...project.config.http, port: Number(port) }
  return { ...project, config: { ...project.config, http } }
}

/** Starts a program beside the platform; what it prints goes to a file, since the screen is in use. */
function startProgram(script: string, platform: Platform, project: Project): ChildProcess {
  const output = createWriteStream(path.join(project.data, 'run.log'))
  const child = spawn(process.execPath, [script], {
    env: { ...process.env, HEADWATER_URL: platform.url },
    stdio: ['ignore', 'pipe', 'pipe'],
    // Of its own process group, so that Ctrl-C reaches it in order: it stops first and flushes what it has.
    detached: true,
  })
  child.stdout.pipe(output, { end: false })
  child.stderr.pipe(output, { end: false })
  return child
}

async function stopProgram(child: ChildProcess | undefined): Promise<void> {
  if (child === undefined || child.exitCode !== null) return
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()))
  child.kill('SIGTERM')
  await Promise.race([ended, sleep(systemClock, limits.drainMsMax)])
  if (child.exitCode === null) child.kill('SIGKILL')
}
