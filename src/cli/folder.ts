/** Finds the project folder: the one named, or the nearest with a headwater.config.ts. */
import { existsSync } from 'node:fs'
import path from 'node:path'
import { error } from '../base/errors.ts'
import type { Result } from '../base/result.ts'

const CONFIG = 'headwater.config.ts'

/** Absolute path of the project folder. Throws HeadwaterError `project_missing`. */
export function projectFolder(named: string | undefined): string {
  const start = path.resolve(named ?? '.')
  if (named !== undefined) {
    if (existsSync(path.join(start, CONFIG))) return start
    throw error('project_missing', `There is no ${CONFIG} in ${start}.`)
  }
  for (let folder = start; ; folder = path.dirname(folder)) {
    if (existsSync(path.join(folder, CONFIG))) return folder
    if (folder === path.dirname(folder)) break
  }
  throw error('project_missing', `There is no ${CONFIG} in ${start} or above it.`)
}

/** The value, or the failure thrown for main.ts to print. */
export function orThrow<T>(result: Result<T>): T {
  if (!result.ok) throw result.error
  return result.value
}
