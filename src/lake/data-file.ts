/** Data files as writers hand them over and readers find them, and what is known of their columns. */

/** What is known of one column of a data file. Bounds are values, not bytes: number, bigint, string, boolean or Uint8Array
 *  (timestamps in µs since 1970 as bigint, dates in days as number, decimals as unscaled bigint). Undefined: not known. */
export interface ColumnStatistics {
  readonly fieldId: number
  readonly bytes: number
  readonly values: number
  readonly nulls?: number
  readonly nans?: number
  readonly lower?: Bound
  readonly upper?: Bound
}

export type Bound = number | bigint | string | boolean | Uint8Array

/** A finished, fsynced Parquet file that belongs to one day of one table. */
export interface DataFile {
  /** Absolute path of the file under the table's data folder. */
  readonly path: string
  readonly rows: number
  readonly bytes: number
  /** Days since 1970 of the partition column. */
  readonly day: number
  readonly columns: readonly ColumnStatistics[]
}

/** A live data file of a snapshot, as a reader plans with it. */
export interface LiveFile {
  readonly path: string
  readonly rows: number
  readonly bytes: number
  readonly day: number
  readonly columns: readonly ColumnStatistics[]
}
