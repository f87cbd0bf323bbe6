/** `headwater sql`: answers a query over the lake, also while it is written. */
import { Command, Option } from 'commander'
import { systemClock } from '../base/clock.ts'
import { error, type HeadwaterError } from '../base/errors.ts'
import { nodeFiles } from '../base/node/files.ts'
import { systemRandom } from '../base/random.ts'
import { type Answer, LakeReader } from '../engine/index.ts'
import type { LakeState } from '../lake/index.ts'
import { openProjectLake } from '../platform/index.ts'
import { orThrow, projectFolder } from './folder.ts'
import { answerText, csv, jsonLines } from './render.ts'

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
    .addOption(new Option('--json', 'one JSON object per row').conflicts('csv'))
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
      const answer = await reader.query(lake.state, query)
      if (!answer.ok) throw explained(answer.error, lake.state)
      const ms = Math.round(systemClock.monotonic() - started)
      process.stdout.write(render(answer.value, options, ms))
      reader.close()
      await lake.close()
    })
}

function render(answer: Answer, options: SqlOptions, ms: number): string {
  if (options.json === true) return jsonLines(answer)
  if (options.csv === true) return csv(answer)
  const width = process.stdout.isTTY ? process.stdout.columns : Infinity
  return answerText(answer, width, ms)
}

/** The failure, with the tables that there are where one was asked for that is not. */
function explained(failure: HeadwaterError, { tables }: LakeState): HeadwaterError {
  const unknown = /Table with name \S+ does not exist!/.exec(failure.detail)?.[0]
  if (unknown === undefined) return failure
  const names = [...tables.keys()].sort().join(', ')
  const there =
    names === '' ? 'There are no tables before `headwater dev` ran once.' : `Tables: ${names}.`
  return error('query_failed', `${unknown} ${there}`, failure)
}
