/** The embedded engine: epochs into the lake, SQL out of it. */
export { EpochQueue } from './epochs.ts'
export { EpochRunner, type CommitReport } from './duckdb/runner.ts'
export { LakeReader, type Answer } from './duckdb/reader.ts'
export { knownBatches, type KnownBatch } from './duckdb/known-batches.ts'
export { Compactor } from './duckdb/compact.ts'
