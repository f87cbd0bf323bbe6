/** Loads a project folder: its configuration, its specifications and their lockfile. */
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { error, HeadwaterError } from '../base/errors.ts'
import type { Files } from '../base/files.ts'
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
  const loaded = await load(file)
  if (!loaded.ok) return loaded
  const config = readConfig(loaded.value['default'])
  if (!config.ok) return config
  return ok({ config: config.value, data: path.resolve(folder, config.value.data) })
}

/** Loads a project; the specifications are checked against the lockfile (spec_incompatible when they contradict it). */
export async function loadProject(folder: string, files: Files): Promise<Result<Project>> {
  const configured = await loadConfig(folder, files)
  if (!configured.ok) return configured
  const { config, data } = configured.value
  const module = await load(path.resolve(folder, config.specs))
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

async function load(file: string): Promise<Result<Record<string, unknown>>> {
  try {
    return ok((await import(pathToFileURL(file).href)) as Record<string, unknown>)
  } catch (cause) {
    if (cause instanceof HeadwaterError) return failed(cause)
    const message = cause instanceof Error ? cause.message : String(cause)
    return failed(error('config_invalid', `${file} cannot be loaded: ${message}`, cause))
  }
}
