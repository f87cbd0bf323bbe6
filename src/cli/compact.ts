/** `headwater compact`: does the maintenance that is due while no platform runs, or explains each choice. */
import { Command } from 'commander'
import { size } from '../base/size.ts'
import { systemClock } from '../base/clock.ts'
import { error } from '../base/errors.ts'
import { nodeFiles } from '../base/node/files.ts'
import { systemRandom } from '../base/random.ts'
import { doJob, type Job, planTable, type TablePlan } from '../lake/index.ts'
import { openMaintenance, type Maintenance } from '../platform/index.ts'
import { orThrow, projectFolder } from './folder.ts'
import { grouped, textTable } from './text-table.ts'

interface CompactOptions {
  readonly project?: string
  readonly table?: string
  readonly dryRun?: boolean
  readonly json?: boolean
}

/** One line of the answer: what is done, or why something is left as it is. */
interface Line {
  readonly table: string
  /** ISO date; null: the table as a whole. */
  readonly day: string | null
  readonly action: Job['kind'] | 'sweep' | 'leave'
  readonly before: number
  /** Undefined in a dry run for what is known only when it is done. */
  readonly after?: number
  readonly bytes: number
  readonly reason: string
}

export function compactCommand(): Command {
  return new Command('compact')
    .description(
      'Compact files, merge manifests, forget old snapshots and remove what nothing names. A running platform does this by itself.',
    )
    .option('-p, --project <folder>', 'project folder (default: the nearest one)')
    .option('-t, --table <name>', 'only this table')
    .option('-n, --dry-run', 'explain each choice and change nothing; also while the platform runs')
    .option('--json', 'one JSON object per choice')
    .addHelpText(
      'after',
      `
Examples:
  headwater compact --dry-run
  headwater compact --table play_started
  headwater compact --dry-run --json`,
    )
    .action(async (options: CompactOptions) => {
      const maintenance = await opened(options)
      const tables = tablesOf(maintenance, options.table)
      const print = printer(options)
      for (const table of tables) {
        if (options.dryRun === true) print.add(explain(await planOf(maintenance, table)))
        else await workOn(maintenance, table, (lines) => print.add(lines))
      }
      if (options.dryRun !== true && options.table === undefined) {
        const { objects, bytes } = orThrow(await maintenance.lake.upkeep.sweep())
        const reason = 'no snapshot names them'
        if (objects > 0) {
          print.add([
            { table: '', day: null, action: 'sweep', before: objects, after: 0, bytes, reason },
          ])
        }
      }
      print.end()
      await maintenance.close()
    })
}

async function opened({ project, dryRun }: CompactOptions): Promise<Maintenance> {
  const result = await openMaintenance(projectFolder(project), {
    files: nodeFiles,
    clock: systemClock,
    random: systemRandom,
    readOnly: dryRun === true,
  })
  if (result.ok || result.error.code !== 'lake_locked') return orThrow(result)
  const why =
    'a running platform compacts by itself; `headwater compact --dry-run` shows what is due'
  throw error('lake_locked', `${result.error.detail} ${why}.`, result.error)
}

function tablesOf({ lake }: Maintenance, wanted: string | undefined): string[] {
  const names = [...lake.state.tables.keys()].sort()
  if (wanted === undefined) return names
  if (!names.includes(wanted)) throw error('table_unknown', `There is no table ${wanted}.`)
  return [wanted]
}

async function planOf({ lake, policyOf }: Maintenance, table: string): Promise<TablePlan> {
  return planTable(await lake.upkeep.survey(table), policyOf(table), systemClock.wall())
}

/** Does what is due for a table, the worthiest first, until nothing is. */
async function workOn(
  maintenance: Maintenance,
  table: string,
  add: (lines: readonly Line[]) => void,
): Promise<void> {
  const { lake, policyOf, compactor: rewriter } = maintenance
  // Each kind but compaction is done once: what it leaves, it would leave again.
  const seen = new Set<Job['kind']>()
  for (;;) {
    const survey = await lake.upkeep.survey(table)
    const plan = planTable(survey, policyOf(table), systemClock.wall())
    const job = plan.jobs.find(({ kind }) => kind === 'compact' || !seen.has(kind))
    if (job === undefined) {
      add(plan.left.map((left) => leftLine(table, left)))
      return
    }
    seen.add(job.kind)
    const done = orThrow(await doJob(job, survey, { lake, rewriter, files: nodeFiles }))
    const { before, after, bytesWritten: bytes, refused } = done
    if (refused !== undefined) throw error('commit_conflict', `table ${table}: ${refused}.`)
    add([{ ...jobLine(job), before, after, bytes }])
  }
}

function explain({ table, jobs, left }: TablePlan): Line[] {
  return [...jobs.map(jobLine), ...left.map((each) => leftLine(table, each))]
}

function jobLine(job: Job): Line {
  const { table, kind: action, reason } = job
  switch (job.kind) {
    case 'compact': {
      const { day, files, bytes } = job
      return { table, day: dateOf(day), action, before: files.length, after: 1, bytes, reason }
    }
    case 'manifests':
      return { table, day: null, action, before: job.manifests.length, bytes: 0, reason }
    case 'expire':
    case 'collect':
      return { table, day: null, action, before: job.objects, bytes: 0, reason }
  }
}

function leftLine(table: string, { day, files, bytes, reason }: TablePlan['left'][number]): Line {
  const date = day === undefined ? null : dateOf(day)
  return { table, day: date, action: 'leave', before: files, after: files, bytes, reason }
}

function dateOf(day: number): string {
  return new Date(day * 86_400_000).toISOString().slice(0, 10)
}

/** JSON lines as they come, or a table at the end. */
function printer({ json }: CompactOptions): { add(lines: readonly Line[]): void; end(): void } {
  const all: Line[] = []
  return {
    add: (lines) => {
      if (json === true) for (const line of lines) process.stdout.write(`${JSON.stringify(line)}\n`)
      else all.push(...lines)
    },
    end: () => {
      if (json !== true) process.stdout.write(text(all))
    },
  }
}

function text(lines: readonly Line[]): string {
  const cells = lines.map(({ table, day, action, before, after, bytes, reason }) => [
    table,
    day ?? '',
    action,
    after === undefined || after === before
      ? grouped(before)
      : `${grouped(before)} → ${grouped(after)}`,
    bytes === 0 ? '' : size(bytes),
    reason,
  ])
  const columns = ['table', 'day', 'action', 'files', 'size', 'reason']
  return `${textTable(columns, cells, [false, false, false, true, true, false])}\n`
}
