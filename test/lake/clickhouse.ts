/** ClickHouse, a reader of Iceberg tables that we did not write, in a process of its own (chdb). */
import { spawnSync } from 'node:child_process'
import { createRequire } from 'node:module'

const require = createRequire(import.meta.url)

export type Row = Readonly<Record<string, unknown>>

/** Answers of ClickHouse, one list of rows per query. It reads only below its working directory `folder`. */
export function clickhouse(folder: string, queries: readonly string[]): Row[][] {
  const { status, stdout, stderr } = spawnSync(process.execPath, ['-e', PROGRAM], {
    cwd: folder,
    env: { ...process.env, CHDB: require.resolve('chdb') },
    input: JSON.stringify(queries),
    maxBuffer: 64 * 1024 * 1024,
  })
  if (status !== 0) throw new Error(`ClickHouse: ${stderr.toString()}`)
  return JSON.parse(stdout.toString()) as Row[][]
}

/** The table function for a table of the lake in `folder`. */
export function icebergTable(name: string): string {
  return `icebergLocal('.headwater/lake/headwater/${name}')`
}

const PROGRAM = `
const { query } = require(process.env.CHDB)
const rows = (sql) => String(query(sql, 'JSONEachRow')).split('\\n').filter(Boolean).map((line) => JSON.parse(line))
const queries = JSON.parse(require('node:fs').readFileSync(0, 'utf8'))
process.stdout.write(JSON.stringify(queries.map(rows)))
`
