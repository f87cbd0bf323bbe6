/** The lake: Apache Iceberg tables on a folder, changed together at one commit point. */
export type {
  Bound,
  ColumnStatistics,
  DataFile,
  Lake,
  LakeChange,
  LakeState,
  LiveFile,
  TableState,
} from './lake.ts'
export { type Arrival, arrivals } from './arrivals.ts'
export { type CatalogOptions, type ExternalLakeOptions, openExternalLake } from './external/open.ts'
export { VendedGrants } from './external/vended.ts'
export type { HistoryPolicy } from './expire.ts'
export { type Done, doJob } from './maintain/job.ts'
export { Maintainer, type MaintenanceCounts } from './maintain/maintainer.ts'
export { type CompactionPolicy, type Job, planTable, type TablePlan } from './maintain/plan.ts'
export { localStorage } from './local-storage.ts'
export type { Grants } from './s3-grants.ts'
export { s3Storage } from './s3-storage.ts'
export { type CatalogLake, type LakeOptions, openLake } from './open.ts'
export type { KeptLake } from './upkeep.ts'
export type { LakeCatalog } from './transactions.ts'
export { type PublishedView, publishViews } from './publish-views.ts'
export type { RestCounts } from './rest/call.ts'
export { createRestCatalog, type RestCatalogServer } from './rest/server.ts'
export type { Storage, StoredObject } from './storage.ts'
