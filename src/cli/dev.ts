/** `headwater dev`: the platform for a developer's machine, with a live view and a lockfile kept up to date. */
import { existsSync } from 'node:fs'
import path from 'node:path'
import { Command, InvalidArgumentError } from 'commander'
import { systemClock } from '../base/clock.ts'
import { error } from '../base/errors.ts'
import { nodeFiles } from '../base/node/files.ts'
import { systemRandom } from '../base/random.ts'
import { loadProject, type Platform, type Project, writeLock } from '../platform/index.ts'
import { orThrow, projectFolder } from './folder.ts'
import { localFlink } from './local-flink.ts'
import { type Program, startProgram } from './program.ts'
import { stopSignal } from './signals.ts'
import { type Started, starterOf } from './starter.ts'
import { type CommitSeen, Watch } from './watch.ts'

interface DevOptions {
  readonly run?: string | false
  readonly port?: number
}

export function devCommand(): Command {
  return new Command('dev')
    .description(
      'Run the platform for development: any origin, all reasons in answers, a live view.',
    )
    .argument('[folder]', 'project folder (default: the nearest one)')
    .option(
      '-r, --run <script>',
      'program to run beside it, instead of dev.run; HEADWATER_URL says where to send events',
    )
    .option('--no-run', 'no program beside it')
    .option('--port <number>', 'port, instead of that of the configuration', portOf)
    .addHelpText(
      'after',
      '\nExamples:\n  headwater dev\n  headwater dev --run log.ts\n  headwater dev my-logs --no-run --port 9000',
    )
    .action(async (named: string | undefined, options: DevOptions) => {
      const folder = projectFolder(named)
      const project = withPort(orThrow(await loadProject(folder, nodeFiles)), options.port)
      const script = scriptOf(project, options.run)
      if (!project.locked) await writeLock(project, nodeFiles)
      await dev(project, script)
    })
}

async function dev(project: Project, script: string | undefined): Promise<void> {
  const stopped = stopSignal()
  let watch: Watch | undefined
  const options = {
    project,
    files: nodeFiles,
    clock: systemClock,
    random: systemRandom,
    development: true,
    localFlink,
    onCommit: (report: CommitSeen) => watch?.committed(report),
  }
  const platform = orThrow<Started>(await starterOf(project)(options))
  const program = script === undefined ? undefined : runBeside(script, platform, project)
  watch = new Watch({
    platform,
    clock: systemClock,
    out: process.stdout,
    // Seen from where the user is.
    data: path.relative('.', project.data) || '.',
    notice: () => programNotice(script, program, project) ?? topicNotice(platform),
  })
  watch.start()
  await stopped
  watch.stopping()
  await program?.stop()
  await platform.close()
  watch.stop()
}

/** Absolute path of the program to run. Throws HeadwaterError `program_missing`. */
function scriptOf({ folder, config }: Project, named: DevOptions['run']): string | undefined {
  if (named === false) return undefined
  const script =
    named === undefined
      ? config.dev.run && path.resolve(folder, config.dev.run)
      : path.resolve(named)
  if (script !== undefined && !existsSync(script)) {
    throw error('program_missing', `There is no ${script}.`)
  }
  return script
}

const OUTPUT = 'run.log'

function runBeside(
  script: string,
  platform: Pick<Platform, 'url'>,
  { data, config }: Project,
): Program {
  const [key] = Object.values(config.keys)
  return startProgram({
    script,
    environment: {
      HEADWATER_URL: platform.url,
      ...(key === undefined ? {} : { HEADWATER_KEY: key }),
    },
    output: path.join(data, OUTPUT),
  })
}

/** What there is to say of the program, and whether it is bad news. */
function programNotice(
  script: string | undefined,
  program: Program | undefined,
  { data }: Project,
): { readonly text: string; readonly bad: boolean } | undefined {
  if (script === undefined) return undefined
  const name = path.relative('.', script)
  const output = path.relative('.', path.join(data, OUTPUT))
  const ended = program?.ended
  if (ended === undefined)
    return { text: `${name} is logging, its output is in ${output}`, bad: false }
  return { text: `${name} ${ended} (its output is in ${output})`, bad: true }
}

/** What topics differ in, where records go to some. */
function topicNotice(
  platform: Started,
): { readonly text: string; readonly bad: boolean } | undefined {
  const differences = 'topics' in platform ? platform.topics.differences : []
  return differences.length === 0 ? undefined : { text: differences.join('; '), bad: true }
}

function withPort(project: Project, port: number | undefined): Project {
  if (port === undefined) return project
  const http = { ...project.config.http, port }
  return { ...project, config: { ...project.config, http } }
}

function portOf(text: string): number {
  const port = Number(text)
  if (/^\d+$/.test(text) && port <= 65_535) return port
  throw new InvalidArgumentError('A port is a number up to 65535; 0 takes a free one.')
}
