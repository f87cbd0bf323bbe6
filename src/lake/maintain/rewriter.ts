/** The rewriter port: an engine that turns files of one day into one sorted file with the same rows, less the deleted ones. */
import type { Result } from '../../base/result.ts'
import type { TableSchema } from '../../spec/iceberg-type.ts'
import type { DataFile } from '../lake.ts'

export interface RewriteJob {
  /** The columns that the new file has; rows are sorted by its partition column. */
  readonly schema: TableSchema
  readonly day: number
  /** Data files: the location by which deletes name them, and a local path. */
  readonly files: readonly { readonly location: string; readonly path: string }[]
  /** Of the data files together, deleted rows included. */
  readonly rows: number
  readonly bytes: number
  /** Local paths of position delete files. */
  readonly deletes: readonly string[]
  /** Absolute path of the folder for the new file. */
  readonly folder: string
}

export interface Rewriter {
  /** The new fsynced file; undefined when every row was deleted. */
  rewrite(job: RewriteJob): Promise<Result<DataFile | undefined>>
  close(): Promise<void>
}
