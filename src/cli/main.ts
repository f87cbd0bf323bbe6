/** The command line: one file per command, and one place where failures become exit codes. */
import { Command } from 'commander'
import { HeadwaterError } from '../base/errors.ts'
import { compactCommand } from './compact.ts'
import { devCommand } from './dev.ts'
import { initCommand } from './init.ts'
import { runCommand } from './run.ts'
import { sqlCommand } from './sql.ts'
import { tablesCommand } from './tables.ts'
import { version } from './version.ts'

const program = new Command('headwater')
  .description('Typed event specifications in, Apache Iceberg tables out, within a second.')
  .version(version)
  .showHelpAfterError()
  .addHelpText('after', '\nExit codes: 0 done, 1 failed (the message has a code), 2 wrong usage.')
  .exitOverride((exit) => process.exit(exit.exitCode === 0 ? 0 : 2))

for (const command of [
  devCommand,
  runCommand,
  sqlCommand,
  tablesCommand,
  compactCommand,
  initCommand,
]) {
  program.addCommand(command().exitOverride((exit) => process.exit(exit.exitCode === 0 ? 0 : 2)))
}

try {
  await program.parseAsync()
} catch (cause) {
  if (!(cause instanceof HeadwaterError)) throw cause
  const { code, detail, entry } = cause
  process.stderr.write(`${code}: ${entry.summary}\n  ${detail}\n  ${entry.remedy}\n`)
  process.exitCode = 1
}
