/** `headwater sql`: answers a query over the lake, also while it is written. */
import { readFileSync } from 'node:fs'
import { text } from 'node:stream/consumers'
import { Command, Option } from 'commander'
import { size } from '../base/size.ts'
import { systemClock } from '../base/clock.ts'
import { error } from '../base/errors.ts'
import { nodeFiles } from '../base/node/files.ts'
import { systemRandom } from '../base/random.ts'
import { type Answer, LakeReader, momentOf, type TablePlan } from '../engine/index.ts'
import { openProjectLake } from '../platform/index.ts'
import { orThrow, projectFolder } from './folder.ts'
import { answerText, csv, jsonLines } from './render.ts'
import { grouped, textTable } from './text-table.ts'

interface SqlOptions {
  readonly project?: string
  readonly json?: boolean
  readonly csv?: boolean
  readonly explain?: boolean
  readonly at?: string
  readonly file?: string
}

export function sqlCommand(): Command {
  return new Command('sql')
    .description('Answer a query over the tables; a consistent view of all of them.')
    .argument('[query]', 'SQL in the dialect of DuckDB; read from standard input when left out')
    .option('-p, --project <folder>', 'project folder (default: the nearest one)')
    .option('-f, --file <file>', 'read the query from a file')
    .addOption(new Option('--json', 'one JSON object per row').conflicts('csv'))
    .option('--csv', 'comma-separated values with a header line')
    .option('--explain', 'say which files would be read, and why others would not')
    .option('--at <state>', 'read tables as of a snapshot, tag or time, or as of complete')
    .addHelpText('after', HELP)
    .action(async (query: string | undefined, options: SqlOptions, command: Command) => {
      const sql = await queryOf(query, options, command)
      const at = options.at === undefined ? undefined : momentOf(options.at)
      const folder = projectFolder(options.project)
      const lake = orThrow(
        await openProjectLake(folder, {
          files: nodeFiles,
          clock: systemClock,
          random: systemRandom,
        }),
      )
      const reader = await LakeReader.open(lake, 2)
      const started = systemClock.monotonic()
      if (options.explain === true) {
        const plans = orThrow(await reader.explain(lake.state, sql, { at }))
        process.stdout.write(renderPlans(plans, options.json === true))
      } else {
        const answer = orThrow(await reader.query(lake.state, sql, { at }))
        const ms = Math.round(systemClock.monotonic() - started)
        process.stdout.write(render(answer, options, ms))
      }
      reader.close()
      await lake.close()
    })
}

const HELP = `
Examples:
  headwater sql "select type, count(*) from events group by all order by 2 desc"
  headwater sql --csv "select * from play_started limit 10"
  headwater sql --explain "select count(*) from play_started where event_time > now() - interval 1 hour"
  headwater sql "select count(*) from play_started for timestamp as of '2026-03-01 12:00:00'"
  headwater sql "select count(*) from play_started as of complete"
  headwater sql "select * from play_started.snapshots"
  headwater sql "select * from changes('play_started', 4711, 4712)"
  headwater sql --json --file report.sql

Metadata tables: snapshots, history, refs, metadata_log_entries, manifests, files, data_files, delete_files, entries,
partitions. Tables of other namespaces go by namespace.table. See docs/sql.md.`

async function queryOf(
  query: string | undefined,
  { file }: SqlOptions,
  command: Command,
): Promise<string> {
  if (query !== undefined && file !== undefined) {
    throw error('query_failed', 'There are two queries: one as an argument and one in --file.')
  }
  if (file !== undefined) return fileText(file)
  if (query !== undefined) return query
  const piped = process.stdin.isTTY ? '' : await text(process.stdin)
  if (piped.trim() === '') return command.error("error: missing argument 'query'")
  return piped
}

function fileText(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    throw error('query_failed', `${file} cannot be read.`, cause)
  }
}

function render(answer: Answer, options: SqlOptions, ms: number): string {
  if (options.json === true) return jsonLines(answer)
  if (options.csv === true) return csv(answer)
  const width = process.stdout.isTTY ? process.stdout.columns : Infinity
  return answerText(answer, width, ms)
}

/** What each table of a query costs to read. */
function renderPlans(plans: readonly TablePlan[], json: boolean): string {
  const all = plans.map(({ table, snapshot, files, rows, counts }) => ({
    table,
    snapshot: snapshot === undefined ? null : String(snapshot['snapshot-id']),
    committed: snapshot === undefined ? null : new Date(snapshot['timestamp-ms']).toISOString(),
    files,
    rows,
    bytes: counts.bytes,
    considered: counts.considered,
    prunedByPartition: counts.prunedByPartition,
    prunedByStatistics: counts.prunedByStatistics,
    deleteFiles: counts.deleteFiles,
    manifests: counts.manifests,
    manifestsPruned: counts.manifestsPruned,
  }))
  if (json) return all.map((plan) => `${JSON.stringify(plan)}\n`).join('')
  const columns = [
    'table',
    'snapshot',
    'files',
    'to read',
    'at most rows',
    'of files',
    'pruned by partition',
    'by statistics',
    'delete files',
    'manifests read',
  ]
  const rows = all.map((plan) => [
    plan.table,
    plan.snapshot ?? '',
    grouped(plan.files),
    size(plan.bytes),
    grouped(plan.rows),
    grouped(plan.considered),
    grouped(plan.prunedByPartition),
    grouped(plan.prunedByStatistics),
    grouped(plan.deleteFiles),
    `${plan.manifests - plan.manifestsPruned} of ${plan.manifests}`,
  ])
  return `${textTable(
    columns,
    rows,
    columns.map((_, i) => i > 0),
  )}\n`
}
