/** The embedded engine: epochs into the lake, SQL out of it. */
export { EpochQueue } from './epochs.ts'
export { claimOf, type TableClaim } from './claims.ts'
export { Freshness } from './freshness.ts'
export { pilotTables, type TablePilot } from './pilot.ts'
export { Completeness } from './completeness.ts'
export { EpochRunner, type CommitReport } from './duckdb/runner.ts'
export { LakeReader, type Answer } from './duckdb/reader.ts'
export { knownBatches, type KnownBatch, recentEntries } from './duckdb/known-batches.ts'
