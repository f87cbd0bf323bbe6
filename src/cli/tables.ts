/** `headwater tables`: what the lake holds, table by table. */
import { Command } from 'commander'
import { systemClock } from '../base/clock.ts'
import { nodeFiles } from '../base/node/files.ts'
import { systemRandom } from '../base/random.ts'
import { claimOf } from '../engine/index.ts'
import type { Lake, TableState } from '../lake/index.ts'
import { openProjectLake } from '../platform/index.ts'
import { orThrow, projectFolder } from './folder.ts'
import { grouped, size, textTable } from './text-table.ts'

interface Row {
  readonly table: string
  readonly rows: number
  readonly files: number
  readonly bytes: number
  /** ISO 8601, or null while the table is empty. */
  readonly newest: string | null
  readonly snapshot: string | null
  /** ISO 8601: the event time before which what follows holds; null while nothing is claimed (PROTOCOL.md §14). */
  readonly validThrough: string | null
  readonly completeShare: number | null
  readonly completeShareMin: number | null
  readonly landed: number | null
  readonly expected: number | null
}

export function tablesCommand(): Command {
  return new Command('tables')
    .description(
      'List the tables: rows, files, bytes, newest event, completeness and current snapshot.',
    )
    .option('-p, --project <folder>', 'project folder (default: the nearest one)')
    .option('--json', 'one JSON object per table')
    .addHelpText('after', '\nExamples:\n  headwater tables\n  headwater tables --json')
    .action(async (options: { project?: string; json?: boolean }) => {
      const folder = projectFolder(options.project)
      const lake = orThrow(
        await openProjectLake(folder, {
          files: nodeFiles,
          clock: systemClock,
          random: systemRandom,
        }),
      )
      const tables = [...lake.state.tables.values()].sort((a, b) => a.name.localeCompare(b.name))
      const rows: Row[] = []
      for (const table of tables) rows.push(await describe(lake, table))
      process.stdout.write(
        options.json === true ? rows.map((row) => `${JSON.stringify(row)}\n`).join('') : text(rows),
      )
      await lake.close()
    })
}

async function describe(lake: Lake, table: TableState): Promise<Row> {
  const column = table.schema.fields.find(({ name }) => name === table.schema.partitionBy)
  let newest: bigint | undefined
  for (const file of await lake.files(lake.state, table.name)) {
    const upper = file.columns.find(({ fieldId }) => fieldId === column?.id)?.upper
    if (typeof upper === 'bigint' && (newest === undefined || upper > newest)) newest = upper
  }
  const claim = claimOf(lake.state, table.name)
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
