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
export type { HistoryPolicy } from './expire.ts'
export { type Done, doJob } from './maintain/job.ts'
export { Maintainer, type MaintenanceCounts } from './maintain/maintainer.ts'
export { type CompactionPolicy, type Job, planTable, type TablePlan } from './maintain/plan.ts'
export { localStorage } from './local-storage.ts'
export { type LakeOptions, openLake } from './open.ts'
export type { Storage, StoredObject } from './storage.ts'
