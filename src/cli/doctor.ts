/** `headwater doctor`: examines a project and what runs of it, and says what to do. */
import { statfs } from 'node:fs/promises'
import { styleText } from 'node:util'
import { Command } from 'commander'
import { systemClock } from '../base/clock.ts'
import { nodeFiles } from '../base/node/files.ts'
import { systemRandom } from '../base/random.ts'
import { examine, type Finding } from '../platform/index.ts'
import { projectFolder } from './folder.ts'
import { localFlink } from './local-flink.ts'
import { printable } from './text-table.ts'

interface DoctorOptions {
  readonly project?: string
  readonly json?: boolean
}

export function doctorCommand(): Command {
  return new Command('doctor')
    .description('Examine a project and what runs of it, and say what to do.')
    .option('-p, --project <folder>', 'project folder (default: the nearest one)')
    .option('--json', 'one JSON object per finding')
    .addHelpText('after', '\nExit codes: 0 nothing is bad, 1 something is.')
    .action(async (options: DoctorOptions) => {
      const findings = await examine(projectFolder(options.project), {
        files: nodeFiles,
        clock: systemClock,
        random: systemRandom,
        fetch: globalThis.fetch,
        localFlink,
        freeBytes: async (folder) => {
          const { bavail, bsize } = await statfs(folder)
          return bavail * bsize
        },
      })
      const json = findings.map((finding) => JSON.stringify(finding))
      const lines = options.json === true ? json : findings.map(line)
      process.stdout.write(`${lines.join('\n')}\n`)
      if (findings.some(({ level }) => level === 'bad')) process.exitCode = 1
    })
}

/** Characters of the longest subject and a space. */
const SUBJECT = 11
const MARKS = { ok: 'green', warn: 'yellow', bad: 'red' } as const

function line({ subject, level, found, remedy }: Finding): string {
  const mark = styleText(MARKS[level], level.padEnd(4), { stream: process.stdout })
  const todo = remedy === undefined ? '' : `\n${' '.repeat(SUBJECT + 8)}${remedy}`
  return `  ${mark}  ${subject.padEnd(SUBJECT)}${printable(found)}${todo}`
}
