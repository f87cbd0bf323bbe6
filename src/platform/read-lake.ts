/** Opens a project's lake for reading, beside the process that owns it. */
import path from 'node:path'
import type { Clock } from '../base/clock.ts'
import type { Files } from '../base/files.ts'
import type { Random } from '../base/random.ts'
import type { Result } from '../base/result.ts'
import { type Lake, localStorage, openLake } from '../lake/index.ts'
import { loadConfig } from './project.ts'

export async function openProjectLake(
  folder: string,
  ports: { readonly files: Files; readonly clock: Clock; readonly random: Random },
): Promise<Result<Lake>> {
  const loaded = await loadConfig(folder, ports.files)
  if (!loaded.ok) return loaded
  const { config, data } = loaded.value
  const root = path.join(data, 'lake')
  const storage = localStorage(root, ports.files, ports.random)
  return openLake({ storage, lock: root, namespace: config.namespace, readOnly: true, ...ports })
}
