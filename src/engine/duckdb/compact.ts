/** Rewrites small files of one day into one, sorted by time and without deleted rows, in bounded memory. */
import path from 'node:path'
import type { DuckDBConnection } from '@duckdb/node-api'
import { error, HeadwaterError } from '../../base/errors.ts'
import { errnoOf, type Files } from '../../base/files.ts'
import { type Random, uuid } from '../../base/random.ts'
import { failed, ok, type Result } from '../../base/result.ts'
import type { DataFile } from '../../lake/lake.ts'
import type { RewriteJob, Rewriter } from '../../lake/maintain/rewriter.ts'
import { type Duck, openDuck } from './instance.ts'
import { copyStatement, type Encoding, identifier, literal, reportOf } from './parquet.ts'
import { FILE_COLUMN, relationOf, ROW_COLUMN } from './projection.ts'
import { columnStatistics } from './statistics.ts'

export interface CompactorOptions {
  readonly files: Files
  readonly random: Random
  /** DuckDB's bound, such as `512MB`; what does not fit is spilled to `spill`. */
  readonly memory: string
  /** Absolute path of a folder for what does not fit; made when needed. */
  readonly spill: string
}

/**
 * Rows of a row group in files that are kept. Arrow's readers pay for every group, DuckDB's read whole ones when they look for an hour:
 * with four times DuckDB's own a day's table costs neither more than one that PyIceberg or Spark wrote (ARCHITECTURE.md).
 */
const GROUP_ROWS = 491_520
/** Where rows are wide, a group has fewer, since it is made in memory: bytes of the old files for one. */
const GROUP_BYTES = 32_000_000
const GROUP_ROWS_MIN = 2048

function encodingOf({ rows, bytes }: RewriteJob): Encoding {
  const fitting = Math.floor((GROUP_BYTES * rows) / Math.max(1, bytes))
  return { level: 1, rowGroup: Math.min(GROUP_ROWS, Math.max(GROUP_ROWS_MIN, fitting)) }
}

export class Compactor implements Rewriter {
  readonly #options: CompactorOptions
  #open: { readonly duck: Duck; readonly connection: DuckDBConnection } | undefined
  #running: Promise<unknown> = Promise.resolve()
  #closing = false

  constructor(options: CompactorOptions) {
    this.#options = options
  }

  rewrite(job: RewriteJob): Promise<Result<DataFile | undefined>> {
    const done = this.#attempt(job)
    this.#running = done
    return done
  }

  async #attempt(job: RewriteJob): Promise<Result<DataFile | undefined>> {
    const file = path.join(job.folder, `${uuid(this.#options.random)}.parquet`)
    try {
      return ok(await this.#rewrite(await this.#connection(), job, file))
    } catch (cause) {
      await this.#options.files.remove(file).catch(() => undefined)
      if (cause instanceof HeadwaterError) return failed(cause)
      const message = cause instanceof Error ? cause.message : String(cause)
      const full = errnoOf(cause) === 'ENOSPC' || /no space left/i.test(message)
      const detail = `table ${job.schema.name}: ${message}`
      return failed(error(full ? 'disk_full' : 'engine_failed', detail, cause))
    }
  }

  /** Gives up on what is being written. */
  async close(): Promise<void> {
    this.#closing = true
    this.#open?.connection.interrupt()
    await this.#running
    this.#open?.connection.closeSync()
    this.#open?.duck.close()
    this.#open = undefined
  }

  async #rewrite(
    connection: DuckDBConnection,
    job: RewriteJob,
    file: string,
  ): Promise<DataFile | undefined> {
    const { schema, files, deletes } = job
    const paths = files.map((each) => each.path)
    const relation = await relationOf(connection, paths, schema.fields)
    if (this.#closing) throw new Error('it is being closed')
    const alive = deletes.length === 0 ? '' : `WHERE ${notDeleted(job)}`
    const source = `(SELECT * FROM (${relation}) ${alive} ORDER BY ${order(job)})`
    const reader = await connection.runAndReadAll(
      copyStatement(schema.fields, source, file, encodingOf(job)),
    )
    const [report] = reader.getRowObjectsJson()
    const rows = Number(report?.['count'] ?? 0)
    if (report === undefined || rows === 0) {
      await this.#options.files.remove(file)
      return undefined
    }
    await this.#options.files.sync(file)
    await this.#options.files.sync(job.folder)
    return {
      path: file,
      rows,
      bytes: Number(report['file_size_bytes']),
      day: job.day,
      columns: columnStatistics(schema, reportOf(report), new Map()),
    }
  }

  async #connection(): Promise<DuckDBConnection> {
    if (this.#open === undefined) {
      const { memory, spill } = this.#options
      const duck = await openDuck({ threads: 1, memory, spill })
      this.#open = { duck, connection: await duck.connect() }
    }
    return this.#open.connection
  }
}

/** By time; rows of one instant as they stood, so that the same files always give the same file. */
function order({ schema, files }: RewriteJob): string {
  const places = files.map(({ path: file }, i) => `WHEN ${literal(file)} THEN ${i}`)
  const place = `CASE ${FILE_COLUMN} ${places.join(' ')} END`
  return `${identifier(schema.partitionBy)} NULLS FIRST, ${place}, ${ROW_COLUMN}`
}

/** Position deletes name a file by its location, which DuckDB knows by its path. */
function notDeleted({ files, deletes }: RewriteJob): string {
  const list = deletes.map(literal).join(', ')
  const places = files
    .map(({ location, path: file }) => `(${literal(location)}, ${literal(file)})`)
    .join(', ')
  return `NOT EXISTS (
    SELECT 1 FROM read_parquet([${list}], hive_partitioning = false, union_by_name = true) AS d
    JOIN (VALUES ${places}) AS place(location, path) ON d.file_path = place.location
    WHERE place.path = ${FILE_COLUMN} AND d.pos = ${ROW_COLUMN})`
}
