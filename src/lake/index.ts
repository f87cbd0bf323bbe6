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
export { type CatalogOptions, type ExternalLakeOptions, openExternalLake } from './external/open.ts'
export { localStorage } from './local-storage.ts'
export { type CatalogLake, type LakeOptions, openLake } from './open.ts'
export type { LakeCatalog } from './transactions.ts'
export { type PublishedView, publishViews } from './publish-views.ts'
export type { RestCounts } from './rest/call.ts'
export { createRestCatalog, type RestCatalogServer } from './rest/server.ts'
export type { Storage, StoredObject } from './storage.ts'
