/** Opens a project's lake for reading, beside the process that owns it. */
import type { Result } from '../base/result.ts'
import { type Lake, openLake } from '../lake/index.ts'
import { loadConfig } from './project.ts'
import { type Ports, storageOf } from './storage.ts'

export async function openProjectLake(folder: string, ports: Ports): Promise<Result<Lake>> {
  const loaded = await loadConfig(folder, ports.files)
  if (!loaded.ok) return loaded
  const { config, data } = loaded.value
  const made = await storageOf(config, data, ports)
  if (!made.ok) return made
  return openLake({ ...made.value, namespace: config.namespace, readOnly: true, ...ports })
}
