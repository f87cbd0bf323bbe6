/** `headwater sql`: answers a query over the lake, also while it is written. */
import { Command } from 'commander'
import { stringify } from 'csv-stringify/sync'
import { systemClock } from '../base/clock.ts'
import { nodeFiles } from '../base/node/files.ts'
import { systemRandom } from '../base/random.ts'
import { type Answer, LakeReader } from '../engine/index.ts'
import { openProjectLake } from '../platform/index.ts'
import { orThrow, projectFolder } from './folder.ts'
import { textTable } from './text-table.ts'

interface SqlOptions {
  readonly project?: string
  readonly json?: boolean
  readonly csv?: boolean
}

export function sqlCommand(): Command {
  return new Command('sql')
    .description('Answer a query over the tables; a consistent view of all of them.')
    .argument('<query>', 'SQL in the dialect of DuckDB')
    .option('-p, --project <folder>', 'project folder (default: the nearest one)')
    .option('--json', 'one JSON object per row')
    .option('--csv', 'comma-separated values with a header line')
    .addHelpText(
      'after',
      `
Examples:
  headwater sql "select type, count(*) from events group by all order by 2 desc"
  headwater sql --csv "select * from play_started limit 10"
  headwater sql --json "select reason, sum(events) from quarantine group by all"`,
    )
    .action(async (query: string, options: SqlOptions) => {
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
      const answer = orThrow(await reader.query(lake.state, query))
      const ms = Math.round(systemClock.monotonic() - started)
      process.stdout.write(render(answer, options, ms))
      reader.close()
      await lake.close()
    })
}

function render(answer: Answer, options: SqlOptions, ms: number): string {
  if (options.json === true) {
    return answer.rows
      .map((row) => {
        const values = row.map((value, i) => jsonValue(value, answer.types[i]!))
        return `${JSON.stringify(Object.fromEntries(answer.columns.map((name, i) => [name, values[i]])))}\n`
      })
      .join('')
  }
  if (options.csv === true) {
    const rows = answer.rows.map((row) => row.map((value) => cell(value)))
    return stringify([answer.columns, ...rows])
  }
  const numeric = answer.types.map((type) => NUMERIC.test(type))
  const rows = answer.rows.map((row) => row.map((value) => (value === null ? '' : cell(value))))
  const count = `${answer.rows.length} ${answer.rows.length === 1 ? 'row' : 'rows'}, ${ms} ms\n`
  return `${textTable(answer.columns, rows, numeric)}\n${count}`
}

const NUMERIC = /^(TINYINT|SMALLINT|INTEGER|BIGINT|HUGEINT|U[A-Z]+INT|FLOAT|DOUBLE|DECIMAL)/

/** 64-bit integers come as text; those that a JSON number holds exactly become numbers. */
function jsonValue(value: unknown, type: string): unknown {
  if (typeof value !== 'string' || !/^(BIGINT|HUGEINT|UBIGINT)$/.test(type)) return value
  const number = Number(value)
  return Number.isSafeInteger(number) ? number : value
}

function cell(value: unknown): string {
  if (value === null) return ''
  return typeof value === 'string' ? value : JSON.stringify(value)
}
