/** The command line: one file per command, and one place where failures become exit codes. */
import { Command } from 'commander'
import { keepAwake } from '../base/clock.ts'
import { HeadwaterError } from '../base/errors.ts'
import { errnoOf } from '../base/files.ts'
import { clusterCommand } from './cluster.ts'
import { compactCommand } from './compact.ts'
import { deployCommand } from './deploy.ts'
import { devCommand } from './dev.ts'
import { doctorCommand } from './doctor.ts'
import { initCommand } from './init.ts'
import { runCommand } from './run.ts'
import { sizeCommand } from './size.ts'
import { sqlCommand } from './sql.ts'
import { tablesCommand } from './tables.ts'
import { version } from './version.ts'

const program = new Command('headwater')
  .description('Typed event specifications in, Apache Iceberg tables out, within a second.')
  .version(version)
  .addHelpText(
    'after',
    `
Examples:
  headwater init my-logs
  headwater dev
  headwater sql "select type, count(*) from events group by all"

Exit codes: 0 done, 1 failed (the message has a code), 2 wrong usage.`,
  )
  .exitOverride((exit) => process.exit(exit.exitCode === 0 ? 0 : 2))

for (const make of [
  devCommand,
  runCommand,
  sqlCommand,
  tablesCommand,
  compactCommand,
  doctorCommand,
  deployCommand,
  clusterCommand,
  sizeCommand,
  initCommand,
]) {
  const command = make()
  for (const each of [command, ...command.commands]) {
    each.exitOverride((exit) => process.exit(exit.exitCode === 0 ? 0 : 2))
    each.showHelpAfterError(`See \`headwater ${command.name()} --help\`.`)
  }
  program.addCommand(command)
}
program.showHelpAfterError('See `headwater --help`.')

// Started by another headwater on an older Node, it ends with that one.
await import('./follow.ts')

// Whoever read the output has gone, as `head` does: there is nobody left to tell.
process.stdout.on('error', (cause) => {
  if (errnoOf(cause) !== 'EPIPE') throw cause
  process.exit(0)
})

// A command may wait for nothing but time, such as before it asks a catalog again.
const letSleep = keepAwake()
try {
  await program.parseAsync()
} catch (cause) {
  if (!(cause instanceof HeadwaterError)) throw cause
  const { code, detail, entry } = cause
  process.stderr.write(`${code}: ${entry.summary}\n  ${detail}\n  ${entry.remedy}\n`)
  process.exitCode = 1
} finally {
  letSleep()
}
