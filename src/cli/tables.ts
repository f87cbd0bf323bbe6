/** `headwater tables`: what the lake holds, table by table. */
import { Command } from 'commander'
import { size } from '../base/size.ts'
import { systemClock } from '../base/clock.ts'
import { error } from '../base/errors.ts'
import { nodeFiles } from '../base/node/files.ts'
import { systemRandom } from '../base/random.ts'
import { pilotTables, type TableClaim, type TablePilot } from '../engine/index.ts'
import type { Lake, TableState } from '../lake/index.ts'
import {
  checkpointSecondsOf,
  claimsNow,
  type FullConfig,
  loadConfig,
  openProjectLake,
} from '../platform/index.ts'
import { orThrow, projectFolder } from './folder.ts'
import { grouped, textTable } from './text-table.ts'

interface Row {
  readonly table: string
  readonly rows: number
  readonly files: number
  readonly bytes: number
  /** ISO 8601, or null while the table is empty. */
  readonly newest: string | null
  readonly snapshot: string | null
  /** ISO 8601: the event time before which what follows holds; null while nothing is claimed (PROTOCOL.md §15). */
  readonly validThrough: string | null
  readonly completeShare: number | null
  readonly completeShareMin: number | null
  readonly landed: number | null
  readonly expected: number | null
}

/** What the autopilot has chosen for a table, and from what. */
interface WhyRow extends Row {
  readonly rowsPerSecond: number
  readonly bytesPerSecond: number
  readonly objectiveMs: number
  readonly filesPerDay: number
  readonly cadenceSeconds: number | null
  readonly writtenPerDay: number
  readonly fileBytes: number
  readonly fanIn: number
  readonly livePerDay: number
  readonly filesToday: number
  readonly bytesToday: number
  readonly smallToday: number
  readonly why: readonly string[]
}

interface TablesOptions {
  readonly project?: string
  readonly json?: boolean
  readonly why?: boolean
}

export function tablesCommand(): Command {
  return new Command('tables')
    .description(
      'List the tables: rows, files, bytes, newest event, completeness and current snapshot.',
    )
    .argument('[table]', 'one table (default: all)')
    .option('-p, --project <folder>', 'project folder (default: the nearest one)')
    .option('--why', 'explain the cadence and the file size of each table')
    .option('--json', 'one JSON object per table')
    .addHelpText(
      'after',
      '\nExamples:\n  headwater tables\n  headwater tables --why play_started\n  headwater tables --json',
    )
    .action(async (named: string | undefined, options: TablesOptions) => {
      const folder = projectFolder(options.project)
      const ports = { files: nodeFiles, clock: systemClock, random: systemRandom }
      const { config } = orThrow(await loadConfig(folder, nodeFiles))
      const lake = orThrow(await openProjectLake(folder, ports))
      const tables = [...lake.state.tables.values()]
        .filter(({ name }) => named === undefined || name === named)
        .sort((a, b) => a.name.localeCompare(b.name))
      if (named !== undefined && tables.length === 0) {
        throw error('table_unknown', `There is no table ${named}.`)
      }
      const rows: Row[] = []
      const claimOf = await claimsNow(lake, config)
      for (const table of tables) rows.push(await describe(lake, table, claimOf(table.name)))
      if (options.why === true) {
        const choices = { goals: goalsOf(config), merging: config.maintenance }
        const pilots = await pilotTables(lake, choices, systemClock.wall())
        const whys = rows.map((row) =>
          whyRow(
            row,
            pilots.find(({ table }) => table === row.table)!,
          ),
        )
        process.stdout.write(options.json === true ? lines(whys) : whyText(whys))
      } else process.stdout.write(options.json === true ? lines(rows) : text(rows))
      await lake.close()
    })
}

/** Flink commits all tables with each checkpoint, whatever is wanted of a table. */
function goalsOf({ engine, cluster }: FullConfig): FullConfig['engine'] {
  if (cluster === undefined) return engine
  const tables = Object.entries(engine.tables).map(([table, { filesPerDay }]) => [
    table,
    filesPerDay === undefined ? {} : { filesPerDay },
  ])
  const epochMs = checkpointSecondsOf(cluster) * 1000
  return { ...engine, epochMs, tables: Object.fromEntries(tables) as typeof engine.tables }
}

function lines(rows: readonly object[]): string {
  return rows.map((row) => `${JSON.stringify(row)}\n`).join('')
}

function whyRow(row: Row, { plan, today, why }: TablePilot): WhyRow {
  return {
    ...row,
    rowsPerSecond: plan.rate.rowsPerSecond,
    bytesPerSecond: plan.rate.bytesPerSecond,
    objectiveMs: plan.goal.epochMs,
    filesPerDay: plan.goal.filesPerDay,
    cadenceSeconds: plan.cadenceSeconds ?? null,
    writtenPerDay: plan.writtenPerDay,
    fileBytes: plan.fileBytes,
    fanIn: plan.fanIn,
    livePerDay: plan.livePerDay,
    filesToday: today.files,
    bytesToday: today.bytes,
    smallToday: today.small,
    why,
  }
}

function whyText(rows: readonly WhyRow[]): string {
  return rows
    .map(({ table, why }) => `${table}\n${why.map((sentence) => `  ${sentence}\n`).join('')}`)
    .join('\n')
}

async function describe(
  lake: Lake,
  table: TableState,
  claim: TableClaim | undefined,
): Promise<Row> {
  const column = table.schema.fields.find(({ name }) => name === table.schema.partitionBy)
  let newest: bigint | undefined
  for (const file of await lake.files(lake.state, table.name)) {
    const upper = file.columns.find(({ fieldId }) => fieldId === column?.id)?.upper
    if (typeof upper === 'bigint' && (newest === undefined || upper > newest)) newest = upper
  }
  return {
    table: table.name,
    rows: table.rows,
    files: table.files,
    bytes: table.bytes,
    newest: newest === undefined ? null : new Date(Number(newest / 1000n)).toISOString(),
    snapshot: table.snapshotId === undefined ? null : String(table.snapshotId),
    validThrough: claim === undefined ? null : new Date(claim.validThrough).toISOString(),
    completeShare: claim?.share ?? null,
    completeShareMin: claim?.least ?? null,
    landed: claim?.landed ?? null,
    expected: claim?.expected ?? null,
  }
}

function text(rows: readonly Row[]): string {
  if (rows.length === 0) return 'There are no tables before `headwater dev` ran once.\n'
  const cells = rows.map((row) => [
    row.table,
    grouped(row.rows),
    grouped(row.files),
    size(row.bytes),
    row.newest ?? '',
    row.validThrough ?? '',
    percent(row.completeShare),
    row.snapshot ?? '',
  ])
  const columns = [
    'table',
    'rows',
    'files',
    'size',
    'newest',
    'valid through',
    'complete',
    'snapshot',
  ]
  const numeric = [false, true, true, true, false, false, true, true]
  return `${textTable(columns, cells, numeric)}\n`
}

/** Rounded down, so that 100 % says that nothing is missing. */
function percent(share: number | null): string {
  return share === null ? '' : `${(Math.floor(share * 10_000 + 1e-6) / 100).toFixed(2)} %`
}
