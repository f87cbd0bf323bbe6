/** The upkeep port: what a table is made of, and the changes of its files that leave its rows as they are. */
import type { Result } from '../base/result.ts'
import type { Lake } from './lake.ts'
import type { TableSchema } from '../spec/iceberg-type.ts'
import type { Replacement } from './rewrite.ts'
import type { Swept } from './sweep.ts'

/** A live data file. */
export interface SurveyFile {
  /** As the manifest names it. */
  readonly location: string
  /** Days since 1970 of the partition. */
  readonly day: number
  readonly rows: number
  readonly bytes: number
  /** Data sequence number. */
  readonly sequence: number
  /** Wall clock of the commit that added it, ms since 1970; undefined: longer ago than history goes. */
  readonly added: number | undefined
  /** Lower bound of the partition column, µs since 1970. */
  readonly first: bigint | undefined
}

/** A live delete file. */
export interface SurveyDelete {
  readonly location: string
  readonly kind: 'position' | 'vector' | 'equality'
  /** Undefined: it may concern every day. */
  readonly day: number | undefined
  readonly rows: number
  readonly sequence: number
}

export interface SurveyManifest {
  readonly path: string
  readonly files: number
  /** Size as a power of `manifestsPerTierMax`. */
  readonly tier: number
  readonly specId: number
  /** First and last day; undefined where it does not say. */
  readonly days: readonly [number, number] | undefined
}

/** What a table is made of at one snapshot. */
export interface TableSurvey {
  readonly name: string
  readonly schema: TableSchema
  /** Sequence number of the snapshot. */
  readonly sequence: number
  readonly files: readonly SurveyFile[]
  readonly deletes: readonly SurveyDelete[]
  /** Data manifests that headwater can write. */
  readonly manifests: readonly SurveyManifest[]
  /** Data files under partition specs that headwater does not write, or without a day. */
  readonly foreignFiles: number
  readonly snapshots: number
  /** Snapshots and refs that are too old. */
  readonly expired: number
  /** Objects that left the table long enough ago to be removed once no snapshot names them. */
  readonly garbage: number
}

export interface Replaced {
  readonly committed: readonly Replacement[]
  /** Those whose files changed while they were rewritten; the new files are not the table's. */
  readonly refused: readonly { readonly replacement: Replacement; readonly reason: string }[]
}

/** Every method that changes the lake is for its owner alone, and takes its turn among the commits. */
export interface Upkeep {
  /** Throws HeadwaterError `table_unknown`, `lake_invalid`. */
  survey(table: string): Promise<TableSurvey>
  /** Path of a local file with the bytes of a data or delete file. */
  local(location: string): Promise<string>
  /** After `commit_unknown` the files of the replacements must stay. */
  replace(table: string, replacements: readonly Replacement[]): Promise<Result<Replaced>>
  /** Answers how many manifests there are in place of these. */
  mergeManifests(table: string, paths: readonly string[]): Promise<Result<number>>
  /** Forgets what is too old; answers how many snapshots went. */
  expire(table: string): Promise<Result<number>>
  /** Removes what rewrites left, once no snapshot names it. */
  collect(table: string): Promise<Result<number>>
  /** Removes what crashes left in the folders of all tables. */
  sweep(): Promise<Result<Swept>>
}

/** A lake whose tables headwater keeps itself. */
export interface KeptLake extends Lake {
  /** What keeps tables fast and small. */
  readonly upkeep: Upkeep
}
