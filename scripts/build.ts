/** Builds src into dist with tsc; run by npm after install and before packing. Skipped where tsc is not installed. */
import { spawnSync } from 'node:child_process'
import { existsSync, rmSync } from 'node:fs'

const tsc = 'node_modules/typescript/bin/tsc'
if (existsSync(tsc)) {
  rmSync('dist', { recursive: true, force: true })
  const { status } = spawnSync(process.execPath, [tsc, '-p', 'tsconfig.build.json'], {
    stdio: 'inherit',
  })
  process.exitCode = status ?? 1
}
