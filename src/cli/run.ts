/** `headwater run`: the platform for production, with plain log lines and a lockfile that must be up to date. */
import { Command } from 'commander'
import { systemClock } from '../base/clock.ts'
import { error } from '../base/errors.ts'
import { nodeFiles } from '../base/node/files.ts'
import { systemRandom } from '../base/random.ts'
import {
  type ClusterPlatform,
  loadProject,
  type PatientPlatform,
  type Platform,
  type PlatformOptions,
  type Project,
  startClusterPlatform,
  startPatientPlatform,
  startPlatform,
} from '../platform/index.ts'
import { orThrow, projectFolder } from './folder.ts'
import { localFlink } from './local-flink.ts'
import { stopSignal } from './signals.ts'

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
      const { config } = project
      const platform =
        config.cluster !== undefined
          ? await clustered(project)
          : config.lake.catalog !== undefined
            ? await patient(project)
            : await embedded(project)
      const signal = await stopSignal()
      line({ level: 'info', event: 'draining', signal })
      await platform.close()
      line({ level: 'info', event: 'closed', version: platform.lake?.state.version })
    })
}

const PORTS = { files: nodeFiles, clock: systemClock, random: systemRandom, development: false }

async function embedded(project: Project): Promise<Platform> {
  const platform = orThrow(await startPlatform({ project, ...PORTS, ...reports() }))
  const { url, catalogUrl: catalog, replayed } = platform
  line({ level: 'info', event: 'ready', url, catalog, replayed })
  return platform
}

async function patient(project: Project): Promise<PatientPlatform> {
  const platform = orThrow(await startPatientPlatform({ project, ...PORTS, ...reports() }))
  line({ level: 'info', event: 'ready', url: platform.url })
  return platform
}

async function clustered(project: Project): Promise<ClusterPlatform> {
  const platform = orThrow(
    await startClusterPlatform({ project, localFlink, ...PORTS, ...reports() }),
  )
  const { created, changed, differences } = platform.topics
  if (created.length + changed.length > 0) {
    line({ level: 'info', event: 'topics', created, changed })
  }
  for (const detail of differences) line({ level: 'warn', event: 'topic', detail })
  line({ level: 'info', event: 'ready', url: platform.url, catalog: platform.catalogUrl })
  return platform
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
