/** The platform in the process of the test, on specifications given as a module. */
import path from 'node:path'
import { type Clock, systemClock } from '../../src/base/clock.ts'
import type { Files } from '../../src/base/files.ts'
import { nodeFiles } from '../../src/base/node/files.ts'
import { type Random, seededRandom } from '../../src/base/random.ts'
import type { Result } from '../../src/base/result.ts'
import { LakeReader } from '../../src/engine/index.ts'
import type { Lake } from '../../src/lake/index.ts'
import {
  type Config,
  type Platform,
  type Project,
  readConfig,
  startPlatform,
} from '../../src/platform/index.ts'
import { collectSpecs } from '../../src/spec/collect.ts'
import { type SpecLock, updateLock } from '../../src/spec/lock.ts'

/** The value, or the failure thrown. */
export function unwrap<T>(result: Result<T>): T {
  if (!result.ok) throw result.error
  return result.value
}

/** A project in memory: the specifications of a module, and the lock of those before it. */
export function projectOf(
  folder: string,
  module: object,
  options: { readonly config?: Config; readonly before?: SpecLock } = {},
): Project {
  const config = unwrap(
    readConfig({ http: { port: 0 }, engine: { epochMs: 50 }, ...options.config }),
  )
  const specs = unwrap(collectSpecs(module as Record<string, unknown>))
  const { lock } = unwrap(updateLock(options.before, specs))
  return { folder, config, specs, lock, locked: true, data: path.join(folder, '.headwater') }
}

export async function start(
  project: Project,
  ports: { readonly clock?: Clock; readonly files?: Files; readonly random?: Random } = {},
): Promise<Platform> {
  const { clock = systemClock, files = nodeFiles, random = seededRandom(5) } = ports
  const options = { project, files, clock, random, development: true }
  return unwrap(await startPlatform(options))
}

/** Rows of a query over the newest state of a lake, values as DuckDB gives them. */
export async function ask(lake: Lake, query: string): Promise<Record<string, unknown>[]> {
  const reader = await LakeReader.open(lake, 1)
  const answer = unwrap(await reader.query(lake.state, query))
  reader.close()
  return answer.rows.map((row) =>
    Object.fromEntries(answer.columns.map((column, i) => [column, row[i]])),
  )
}

/** Waits until the lake covers everything that the log has. */
export async function landed({ lake, log }: Pick<Platform, 'lake' | 'log'>): Promise<void> {
  while (lake.state.offset < log.durableEnd) {
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}
