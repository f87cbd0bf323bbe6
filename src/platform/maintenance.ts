/** Sets up maintenance as a project's configuration wants it. */
import path from 'node:path'
import type { Clock } from '../base/clock.ts'
import type { HeadwaterError } from '../base/errors.ts'
import type { Files } from '../base/files.ts'
import type { Random } from '../base/random.ts'
import { Compactor } from '../engine/index.ts'
import { ok, type Result } from '../base/result.ts'
import {
  type CompactionPolicy,
  type HistoryPolicy,
  type KeptLake,
  localStorage,
  Maintainer,
  openLake,
} from '../lake/index.ts'
import type { FullConfig } from './config.ts'
import { loadConfig } from './project.ts'

function compactionPolicy({ maintenance }: FullConfig): CompactionPolicy {
  const { targetBytes, fanIn, settleMinutes } = maintenance
  return { targetBytes, fanIn, settleMs: settleMinutes * 60_000 }
}

export function historyPolicy({ history }: FullConfig): HistoryPolicy {
  return {
    snapshotAgeMs: history.minutes * 60_000,
    snapshotsMin: history.snapshots,
    keepEveryMs: history.everyMinutes * 60_000,
    keepForMs: history.hours * 3_600_000,
  }
}

/** A compactor that spills into the project's data folder. */
function projectCompactor(
  { maintenance }: FullConfig,
  data: string,
  ports: { readonly files: Files; readonly random: Random },
): Compactor {
  return new Compactor({ ...ports, memory: maintenance.memory, spill: path.join(data, 'spill') })
}

/** A project's lake, opened to be maintained by hand. */
export interface Maintenance {
  readonly lake: KeptLake
  readonly policy: CompactionPolicy
  readonly compactor: Compactor
  close(): Promise<void>
}

/** Opens a project's lake as its owner (`lake_locked` while a platform runs), or beside the owner to look. */
export async function openMaintenance(
  folder: string,
  options: {
    readonly files: Files
    readonly clock: Clock
    readonly random: Random
    readonly readOnly: boolean
  },
): Promise<Result<Maintenance>> {
  const loaded = await loadConfig(folder, options.files)
  if (!loaded.ok) return loaded
  const { config, data } = loaded.value
  const root = path.join(data, 'lake')
  const lake = await openLake({
    ...options,
    storage: localStorage(root, options.files, options.random),
    lock: root,
    namespace: config.namespace,
    history: historyPolicy(config),
  })
  if (!lake.ok) return lake
  const compactor = projectCompactor(config, data, options)
  return ok({
    lake: lake.value,
    policy: compactionPolicy(config),
    compactor,
    close: async () => {
      await compactor.close()
      await lake.value.close()
    },
  })
}

export function projectMaintainer(options: {
  readonly config: FullConfig
  readonly data: string
  readonly lake: KeptLake
  readonly files: Files
  readonly clock: Clock
  readonly random: Random
  /** Whether writers need the machine now. */
  readonly busy: () => boolean
  readonly onFailure: (table: string, failure: HeadwaterError) => void
}): Maintainer {
  const { config, data, lake, files, clock, busy, onFailure } = options
  return new Maintainer({
    lake,
    files,
    clock,
    busy,
    onFailure,
    rewriter: projectCompactor(config, data, options),
    policy: compactionPolicy(config),
    share: config.maintenance.share,
    sweepEveryMs: config.maintenance.sweepHours * 3_600_000,
  })
}
