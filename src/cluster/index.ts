/** Kafka and Flink on this machine. */
export {
  clusterDown,
  clusterUp,
  type ClusterPorts,
  DEFAULT_SIZE,
  type UpOptions,
} from './cluster.ts'
export { type ClusterStatus, clusterStatus, type ProcessStatus } from './status.ts'
export { type ClusterSize, type ClusterState, readState } from './state.ts'
export { CONSTANTS } from './constants.ts'
export { DEFAULT_LOAD, type Load, type Plan, planFor } from './size.ts'
export { type Deployed, type DeployedTopic, manifestFiles } from './manifests/index.ts'
