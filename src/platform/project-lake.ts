/** Opens a project's lake: its own catalog, or somebody else's. */
import path from 'node:path'
import type { Clock } from '../base/clock.ts'
import type { Files } from '../base/files.ts'
import type { Random } from '../base/random.ts'
import type { Result } from '../base/result.ts'
import { type Lake, localStorage, openExternalLake, openLake } from '../lake/index.ts'
import type { FullConfig } from './config.ts'
import { historyPolicy } from './maintenance.ts'
import { loadConfig } from './project.ts'

interface Ports {
  readonly files: Files
  readonly clock: Clock
  readonly random: Random
}

/** Opens the lake for reading, beside the process that owns it. */
export async function openProjectLake(folder: string, ports: Ports): Promise<Result<Lake>> {
  const loaded = await loadConfig(folder, ports.files)
  return loaded.ok ? openConfiguredLake(loaded.value, ports, true) : loaded
}

/** The lake as the configuration has it. `data` is the absolute path of the folder of log and lake. */
export function openConfiguredLake(
  { config, data }: { readonly config: FullConfig; readonly data: string },
  ports: Ports,
  readOnly: boolean,
): Promise<Result<Lake>> {
  const { namespace } = config
  const { catalog } = config.lake
  const root = path.join(data, 'lake')
  const storage = localStorage(root, ports.files, ports.random)
  if (catalog === undefined) {
    const history = historyPolicy(config)
    return openLake({ storage, lock: root, namespace, history, readOnly, ...ports })
  }
  const { fetch } = globalThis
  const ledger = 'batches'
  return openExternalLake({
    catalog,
    storage,
    folder: root,
    namespace,
    ledger,
    fetch,
    readOnly,
    ...ports,
  })
}
