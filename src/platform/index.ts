/** What the command line and embedding programs use of the platform. */
export { type ClusterPlatform, startClusterPlatform } from './cluster.ts'
export { type Config, type FullConfig, optionDocs, readConfig } from './config.ts'
export { examine, type Finding } from './doctor.ts'
export { type Maintenance, openMaintenance } from './maintenance.ts'
export { openProjectLake } from './project-lake.ts'
export { startPlatform, type Platform, type PlatformOptions } from './platform.ts'
export { loadConfig, loadProject, writeLock, type Project } from './project.ts'
