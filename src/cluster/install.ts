/** Everything a local cluster runs on, from the cache, or fetched into it. */
import path from 'node:path'
import { ok, type Result } from '../base/result.ts'
import { fetchArtifacts, type FetchPorts, MAVEN_CENTRAL, missingOf } from './fetch.ts'
import { FLINK_ARCHIVE_BYTES, flinkDistribution, flinkFolder } from './flink-distribution.ts'
import { findJava } from './java.ts'
import type { Installation } from './layout.ts'
import { FLINK_JARS, KAFKA_JARS } from './pins.ts'

export interface InstallOptions {
  /** Absolute path of the folder that keeps what was fetched. */
  readonly cache: string
  /** JAVA_HOME, HEADWATER_MAVEN_URL and pip's settings are read from it. */
  readonly env: Readonly<Record<string, string | undefined>>
  /** Told what has come of what is to come, in bytes; not at all where the cache has everything. */
  readonly onProgress?: (done: number, total: number) => void
}

/** The folder of jars in a cache. */
export function jarFolder(cache: string): string {
  return path.join(cache, 'maven')
}

export async function install(
  { cache, env, onProgress }: InstallOptions,
  ports: FetchPorts,
): Promise<Result<Installation>> {
  const java = await findJava(env['JAVA_HOME'], ports.clock)
  if (!java.ok) return java
  const jars = [...KAFKA_JARS, ...FLINK_JARS]
  const folder = jarFolder(cache)
  const missing = await missingOf(jars, folder, ports.files)
  const archive = (await ports.files.info(flinkFolder(cache))) === undefined
  const total =
    missing.reduce((sum, { bytes = 0 }) => sum + bytes, 0) + (archive ? FLINK_ARCHIVE_BYTES : 0)
  let done = 0
  const onBytes = (count: number): void => {
    done = Math.min(total, done + count)
    onProgress?.(done, total)
  }
  const repository = env['HEADWATER_MAVEN_URL'] ?? MAVEN_CENTRAL
  const [fetched, flink] = await Promise.all([
    fetchArtifacts(jars, { repository, folder, onBytes }, ports),
    flinkDistribution({ cache, env, onBytes }, ports),
  ])
  if (!fetched.ok) return fetched
  if (!flink.ok) return flink
  return ok({
    java: java.value,
    kafkaJars: fetched.value.slice(0, KAFKA_JARS.length),
    flinkJars: fetched.value.slice(KAFKA_JARS.length),
    flink: flink.value,
  })
}
