/** How a project's platform is started: in one process, in one that waits for somebody else's catalog, or in cluster mode. */
import type { Result } from '../base/result.ts'
import {
  type ClusterPlatform,
  type PatientPlatform,
  type Platform,
  type PlatformOptions,
  type Project,
  startClusterPlatform,
  startPatientPlatform,
  startPlatform,
} from '../platform/index.ts'

export type Started = Platform | ClusterPlatform | PatientPlatform

export function starterOf({
  config,
}: Project): (options: PlatformOptions) => Promise<Result<Started>> {
  if (config.cluster !== undefined) return startClusterPlatform
  return config.lake.catalog === undefined ? startPlatform : startPatientPlatform
}
