/** `headwater run`: the platform for production, with plain log lines and a lockfile that must be up to date. */
import { Command } from 'commander'
import { systemClock } from '../base/clock.ts'
import { error } from '../base/errors.ts'
import { nodeFiles } from '../base/node/files.ts'
import { systemRandom } from '../base/random.ts'
import { loadProject, type PlatformOptions } from '../platform/index.ts'
import { orThrow, projectFolder } from './folder.ts'
import { localFlink } from './local-flink.ts'
import { stopSignal } from './signals.ts'
import { type Started, starterOf } from './starter.ts'

export function runCommand(): Command {
  return new Command('run')
    .description('Run the platform for production: one JSON line per notable happening.')
    .argument('[folder]', 'project folder (default: the nearest one)')
    .addHelpText('after', '\nExamples:\n  headwater run\n  headwater run /srv/logs')
    .action(async (named: string | undefined) => {
      const project = orThrow(await loadProject(projectFolder(named), nodeFiles))
      if (!project.locked) {
        throw error('lock_outdated', `${project.folder} is not as its lockfile says.`)
      }
      const platform = orThrow(
        await starterOf(project)({ project, localFlink, ...PORTS, ...reports() }),
      )
      tell(platform)
      const signal = await stopSignal()
      line({ level: 'info', event: 'draining', signal })
      await platform.close()
      line({ level: 'info', event: 'closed', version: platform.lake?.state.version })
    })
}

const PORTS = { files: nodeFiles, clock: systemClock, random: systemRandom, development: false }

function tell(platform: Started): void {
  if ('topics' in platform) {
    const { created, changed, differences } = platform.topics
    if (created.length + changed.length > 0) {
      line({ level: 'info', event: 'topics', created, changed })
    }
    for (const detail of differences) line({ level: 'warn', event: 'topic', detail })
  }
  const { url, catalogUrl: catalog } = platform
  const replayed = 'replayed' in platform ? platform.replayed : undefined
  line({ level: 'info', event: 'ready', url, catalog, replayed })
}

function reports(): Pick<PlatformOptions, 'onFailure' | 'onMaintenanceFailure'> {
  return {
    onFailure: ({ code, detail }) => line({ level: 'error', event: 'epoch', code, detail }),
    onMaintenanceFailure: (table, { code, detail }) =>
      line({ level: 'warn', event: 'maintenance', table, code, detail }),
  }
}

function line(fields: Readonly<Record<string, unknown>>): void {
  const at = new Date(systemClock.wall()).toISOString()
  process.stdout.write(`${JSON.stringify({ at, ...fields })}\n`)
}
