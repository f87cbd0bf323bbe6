/** The lake port: Iceberg tables that change together at one commit point. */
import type { Result } from '../base/result.ts'
import type { TableSchema } from '../spec/iceberg-type.ts'
import type { DataFile, LiveFile } from './data-file.ts'
import type { TableReading } from './reading.ts'

export type { Bound, ColumnStatistics, DataFile, LiveFile } from './data-file.ts'

export interface LakeChange {
  /** Tables to create or to evolve (columns added, renamed, widened; never removed) before the append. */
  readonly schemas: readonly TableSchema[]
  /** Table name → files to append. */
  readonly appends: ReadonlyMap<string, readonly DataFile[]>
  /** Log offset that this commit covers up to; never less than the last one. */
  readonly offset: number
  /** Added to the snapshot summary of every table that changes. */
  readonly summary?: Readonly<Record<string, string>>
  /** Added to the snapshot summary of one table. */
  readonly summaries?: ReadonlyMap<string, Readonly<Record<string, string>>>
}

export interface TableState {
  readonly name: string
  readonly uuid: string
  /** file:// URI of the table. */
  readonly location: string
  readonly schema: TableSchema
  readonly schemaId: number
  /** Undefined before the first append. */
  readonly snapshotId: bigint | undefined
  /** Milliseconds since 1970 of the last commit. */
  readonly updated: number
  readonly rows: number
  readonly files: number
  readonly bytes: number
  /** Summary of the newest snapshot that says how complete the table is (PROTOCOL.md §15); empty where none does. */
  readonly claims: Readonly<Record<string, string>>
}

/** One consistent view of every table. Never changes. */
export interface LakeState {
  readonly version: number
  readonly offset: number
  readonly tables: ReadonlyMap<string, TableState>
}

/** What one append added. */
export interface Appended {
  /** When, ms since 1970. */
  readonly at: number
  readonly rows: number
  readonly files: number
  readonly bytes: number
}

export interface Lake {
  /** The newest state this process knows. */
  readonly state: LakeState
  /** Reads the newest state from storage (a reader beside the owner). */
  refresh(): Promise<LakeState>
  /** Folder in which the caller writes data files of the table before `commit`; created if missing. */
  dataFolder(table: string, day: number): Promise<string>
  /**
   * All of `change` or nothing, once; the commit points are in PROTOCOL.md §13 and §14. After `commit_unknown` and `lake_fenced` the
   * files of the change must stay, and the same object is to be committed again.
   */
  commit(change: LakeChange): Promise<Result<LakeState>>
  /** What the appends of one table's snapshots in `state` added, oldest first. */
  history(state: LakeState, table: string): readonly Appended[]
  /** Live files of one table in `state`. */
  files(state: LakeState, table: string): Promise<readonly LiveFile[]>
  /**
   * One table in `state` for reading: `name` in the lake's own namespace, or in another, whose levels have dots between them.
   * `table_unknown` when there is none.
   */
  reading(state: LakeState, name: string, namespace?: string): Promise<Result<TableReading>>
  /** Tables in other namespaces, as `namespace.table`. */
  otherTables(state: LakeState): readonly string[]
  close(): Promise<void>
}
