/** Loads a project folder: its configuration, its specifications and their lockfile. */
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { error, HeadwaterError } from '../base/errors.ts'
import { errnoOf, type Files } from '../base/files.ts'
import { failed, ok, type Result } from '../base/result.ts'
import { collectSpecs } from '../spec/collect.ts'
import type { SpecSet } from '../spec/field.ts'
import { parseLock, type SpecLock, stringifyLock, updateLock } from '../spec/lock.ts'
import { type FullConfig, readConfig } from './config.ts'

export interface Project {
  /** Absolute path of the folder. */
  readonly folder: string
  readonly config: FullConfig
  readonly specs: SpecSet
  /** Field ids for exactly these specifications. */
  readonly lock: SpecLock
  /** Whether the lockfile on disk says the same. */
  readonly locked: boolean
  /** Absolute path of the folder of log and lake. */
  readonly data: string
}

const CONFIG = 'headwater.config.ts'
const LOCK = 'specs.lock.json'

/** Reads only the configuration, for commands that need no specifications. */
export async function loadConfig(
  folder: string,
  files: Files,
): Promise<Result<{ config: FullConfig; data: string }>> {
  const file = path.join(folder, CONFIG)
  if ((await files.info(file)) === undefined) {
    return failed(error('project_missing', `There is no ${CONFIG} in ${folder}.`))
  }
  const loaded = await load(file, 'config_invalid')
  if (!loaded.ok) return loaded
  if (!('default' in loaded.value)) {
    return failed(error('config_invalid', `${file} exports no default: export default { … }.`))
  }
  const config = readConfig(loaded.value['default'])
  if (!config.ok) return config
  return ok({ config: config.value, data: path.resolve(folder, config.value.data) })
}

/** Loads a project; the specifications are checked against the lockfile (spec_incompatible when they contradict it). */
export async function loadProject(folder: string, files: Files): Promise<Result<Project>> {
  const configured = await loadConfig(folder, files)
  if (!configured.ok) return configured
  const { config, data } = configured.value
  const module = await load(path.resolve(folder, config.specs), 'spec_invalid')
  if (!module.ok) return module
  const specs = collectSpecs(module.value)
  if (!specs.ok) return specs
  const lockFile = lockPath(folder, config)
  const text = (await files.info(lockFile)) === undefined ? undefined : await files.read(lockFile)
  const known = text === undefined ? ok(undefined) : parseLock(Buffer.from(text).toString())
  if (!known.ok) return known
  const updated = updateLock(known.value, specs.value)
  if (!updated.ok) return updated
  const { lock, changed } = updated.value
  return ok({ folder, config, specs: specs.value, lock, locked: !changed, data })
}

/** Writes the lockfile beside the specifications; it is to be committed with them. */
export async function writeLock(project: Project, files: Files): Promise<void> {
  await files.write(lockPath(project.folder, project.config), stringifyLock(project.lock), {
    sync: true,
  })
}

function lockPath(folder: string, config: FullConfig): string {
  return path.join(path.dirname(path.resolve(folder, config.specs)), LOCK)
}

/** Loads a module of the project; `code` is for what is wrong in it. */
async function load(
  file: string,
  code: 'config_invalid' | 'spec_invalid',
): Promise<Result<Record<string, unknown>>> {
  try {
    return ok((await import(pathToFileURL(file).href)) as Record<string, unknown>)
  } catch (cause) {
    if (cause instanceof HeadwaterError) return failed(cause)
    const message = cause instanceof Error ? cause.message : String(cause)
    if (errnoOf(cause) === 'ERR_MODULE_NOT_FOUND') {
      const missing = /^Cannot find (?:package|module) '([^']+)'/.exec(message)?.[1]
      if (missing === file) return failed(error(code, `There is no ${file}.`, cause))
      return failed(error('package_missing', `${file} imports ${missing ?? message}.`, cause))
    }
    const where = lineIn(file, cause)
    return failed(error(code, `${where} cannot be loaded: ${message}.`, cause))
  }
}

/** The file with the line that failed, where the failure says so. */
function lineIn(file: string, cause: unknown): string {
  const stack = cause instanceof Error ? (cause.stack ?? '') : ''
  const at = stack.indexOf(file)
  const line = at < 0 ? undefined : /^:(\d+)/.exec(stack.slice(at + file.length))?.[1]
  return line === undefined ? file : `${file}:${line}`
}
