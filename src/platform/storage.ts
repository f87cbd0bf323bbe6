/** Makes the storage of a project's lake from its configuration, and says which local folder carries the lock of its owner. */
import path from 'node:path'
import type { Clock } from '../base/clock.ts'
import { HeadwaterError } from '../base/errors.ts'
import type { Files } from '../base/files.ts'
import type { Random } from '../base/random.ts'
import { failed, ok, type Result } from '../base/result.ts'
import { type Grants, localStorage, s3Storage, type Storage } from '../lake/index.ts'
import type { FullConfig } from './config.ts'

export interface ProjectStorage {
  readonly storage: Storage
  /** Absolute path. */
  readonly lock: string
}

export interface Ports {
  readonly files: Files
  readonly clock: Clock
  readonly random: Random
}

/** `data`: absolute path of the data folder. `grants`: who lets us into an object store, where it is not the environment. */
export async function storageOf(
  { lake }: Pick<FullConfig, 'lake'>,
  data: string,
  ports: Ports,
  grants?: Grants,
): Promise<Result<ProjectStorage>> {
  const { location, s3 } = lake
  if (location === undefined || location.startsWith('file:')) {
    const root = location?.slice('file://'.length) ?? path.join(data, 'lake')
    return ok({ storage: localStorage(root, ports.files, ports.random), lock: root })
  }
  try {
    const { cacheBytes: cacheBytesMax, ...connection } = s3
    const folders = { spool: path.join(data, 'spool'), cache: path.join(data, 'cache') }
    const options = { root: location, cacheBytesMax, ...connection, ...folders, ...ports, grants }
    return ok({ storage: await s3Storage(options), lock: data })
  } catch (cause) {
    if (cause instanceof HeadwaterError) return failed(cause)
    throw cause
  }
}
