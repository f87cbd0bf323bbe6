/** DuckDB of Python with its Iceberg extension, and PyIceberg's reader beside it, in a process of its own. */
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { type SqlEngine, sqlEngine } from '../script.ts'
import { interpreter } from './python.ts'

const PROGRAM = fileURLToPath(new URL('sql.py', import.meta.url))

/** Its extensions are installed, as `install iceberg` does from the network; loading and attaching is left to the statements. */
export async function startDuckDb(uri: string, token: string): Promise<SqlEngine> {
  const extensions = mkdtempSync(path.join(os.tmpdir(), 'headwater-duckdb-'))
  const child = spawn(await interpreter(), [PROGRAM, uri, token, extensions])
  const engine = await sqlEngine('DuckDB', child)
  return {
    ...engine,
    stop: async () => {
      await engine.stop()
      rmSync(extensions, { recursive: true, force: true })
    },
  }
}
