/** `headwater cluster manifests`: what a cluster is deployed with, from the project's own configuration. */
import { existsSync } from 'node:fs'
import path from 'node:path'
import { Command } from 'commander'
import { error } from '../base/errors.ts'
import { nodeFiles } from '../base/node/files.ts'
import { DEFAULT_LOAD, manifestFiles, planFor } from '../cluster/index.ts'
import { checkpointSecondsOf, declaredTopics, loadProject } from '../platform/index.ts'
import { orThrow, projectFolder } from './folder.ts'
import { amount } from './size.ts'

interface ManifestsOptions {
  readonly project?: string
  readonly out: string
  readonly rate: number
  readonly bytes: number
  /** That of the configuration where it is left out. */
  readonly interval?: number
}

const DEFAULT_RATE = 100_000

export function manifestsCommand(): Command {
  return new Command('manifests')
    .description(
      'Write images, a compose file, Kubernetes manifests and alert rules for a project.',
    )
    .option('-p, --project <folder>', 'project folder (default: the nearest one)')
    .requiredOption('--out <folder>', 'folder for the files, inside the repository')
    .option(
      '--rate <number>',
      'events per second that machines are reckoned for',
      amount,
      DEFAULT_RATE,
    )
    .option('--bytes <number>', 'of an event as a row of JSON', amount, DEFAULT_LOAD.bytes)
    .option(
      '--interval <seconds>',
      'between commits (default: cluster.flink.checkpointSeconds)',
      amount,
    )
    .addHelpText(
      'after',
      '\nExamples:\n  headwater cluster manifests --out deploy --rate 200k\n\nThe numbers of machines are those of `headwater size`.',
    )
    .action(async (options: ManifestsOptions) => {
      const folder = projectFolder(options.project)
      const out = path.resolve(options.out)
      for (const [name, text] of await manifestsOf(folder, out, options)) {
        const file = path.join(out, name)
        await nodeFiles.makeDirectory(path.dirname(file))
        await nodeFiles.write(file, text)
        process.stdout.write(`${path.relative('.', file)}\n`)
      }
    })
}

/** Name → text. Throws HeadwaterError `config_invalid` for a project that is not in cluster mode. */
export async function manifestsOf(
  folder: string,
  out: string,
  { rate, bytes, interval }: Pick<ManifestsOptions, 'rate' | 'bytes' | 'interval'>,
): Promise<ReadonlyMap<string, string>> {
  const project = orThrow(await loadProject(folder, nodeFiles))
  const topics = declaredTopics(project)
  if (topics === undefined) {
    throw error('config_invalid', `${folder} has no option \`cluster\`, which names the topics.`)
  }
  const { config, specs } = project
  const root = repositoryOf(folder)
  const inside = (each: string): string =>
    path.relative(root, each).split(path.sep).join('/') || '.'
  const { kafka, flink } = config.cluster!
  const plan = planFor({
    ...DEFAULT_LOAD,
    rate,
    bytes,
    types: specs.events.size,
    intervalSeconds: interval ?? checkpointSecondsOf({ flink }),
    retentionHours: kafka.retentionHours,
    memoryHours: flink?.copiesHours ?? DEFAULT_LOAD.memoryHours,
  })
  const described = ['--project', inside(folder), '--out', inside(out), '--rate', String(rate)]
  const command = `npx headwater cluster manifests ${described.join(' ')}`
  return manifestFiles(
    {
      name: config.cluster!.kafka.prefix.replaceAll(/[^a-z0-9-]/g, '-'),
      project: inside(folder),
      folder: inside(out),
      httpPort: config.http.port,
      catalogPort: config.catalog.port,
      topics,
      plan,
    },
    command,
  )
}

/** The nearest folder with a package.json: images are built from it. */
function repositoryOf(folder: string): string {
  for (let at = folder; at !== path.dirname(at); at = path.dirname(at)) {
    if (existsSync(path.join(at, 'package.json'))) return at
  }
  throw error('project_missing', `There is no package.json in ${folder} or above it.`)
}
