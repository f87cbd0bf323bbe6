/** Opens a project's lake: its own catalog, or somebody else's. */
import path from 'node:path'
import { limits } from '../base/limits.ts'
import type { Result } from '../base/result.ts'
import {
  type CatalogLake,
  type HistoryPolicy,
  type KeptLake,
  type Lake,
  openExternalLake,
  openLake,
  VendedGrants,
} from '../lake/index.ts'
import type { FullConfig } from './config.ts'
import { loadConfig } from './project.ts'
import { type Ports, storageOf } from './storage.ts'

/** Opens the lake for reading, beside the process that owns it. */
export async function openProjectLake(folder: string, ports: Ports): Promise<Result<Lake>> {
  const loaded = await loadConfig(folder, ports.files)
  return loaded.ok ? openConfiguredLake(loaded.value, ports, true) : loaded
}

/** The lake as the configuration has it. `data` is the absolute path of the folder of log and lake. */
export async function openConfiguredLake(
  { config, data }: { readonly config: FullConfig; readonly data: string },
  ports: Ports,
  readOnly: boolean,
): Promise<Result<KeptLake | CatalogLake>> {
  const { namespace } = config
  const { catalog, takeOver } = config.lake
  const vended = catalog?.storageCredentials === 'vended'
  const grants = vended ? new VendedGrants(ports.clock) : undefined
  const made = await storageOf(config, data, ports, grants)
  if (!made.ok) return made
  if (catalog === undefined) {
    const history = historyPolicy(config)
    const { locations } = config.catalog
    const orphanAgeMs = orphanAge(config)
    const options = { ...made.value, namespace, data, takeOver, readOnly, history, locations }
    return openLake({ ...options, orphanAgeMs, ...ports })
  }
  const { fetch } = globalThis
  const ledger = 'batches'
  return openExternalLake({
    catalog,
    grants,
    storage: made.value.storage,
    data,
    folder: path.join(data, 'lake'),
    namespace,
    ledger,
    takeOver,
    fetch,
    readOnly,
    ...ports,
  })
}

/** A job of Flink that stands still has files to commit in its last checkpoint: they stay while its records stay in Kafka. */
function orphanAge({ cluster }: FullConfig): number {
  const kept = cluster === undefined ? 0 : cluster.kafka.retentionHours * 3_600_000
  return kept + limits.orphanAgeMs
}

function historyPolicy({ history }: FullConfig): HistoryPolicy {
  return {
    snapshotAgeMs: history.minutes * 60_000,
    snapshotsMin: history.snapshots,
    keepEveryMs: history.everyMinutes * 60_000,
    keepForMs: history.hours * 3_600_000,
  }
}
