/** Sets up maintenance as a project's configuration wants it. */
import path from 'node:path'
import type { Clock } from '../base/clock.ts'
import type { HeadwaterError } from '../base/errors.ts'
import type { Files } from '../base/files.ts'
import type { Random } from '../base/random.ts'
import { Compactor, planOf } from '../engine/index.ts'
import { ok, type Result } from '../base/result.ts'
import { type CompactionPolicy, type KeptLake, type Lake, Maintainer } from '../lake/index.ts'
import type { FullConfig } from './config.ts'
import { loadConfig } from './project.ts'
import { openConfiguredLake } from './project-lake.ts'

/** How each table is compacted: as its rate and its budget of files have it. */
function compactionPolicy(
  { engine, maintenance }: FullConfig,
  lake: Lake,
  clock: Clock,
): (table: string) => CompactionPolicy {
  const choices = { goals: engine, merging: maintenance }
  return (table) => {
    const { fileBytes, fanIn } = planOf(lake, lake.state, table, choices, clock.wall())
    return { targetBytes: fileBytes, fanIn, settleMs: maintenance.settleMinutes * 60_000 }
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
  readonly policyOf: (table: string) => CompactionPolicy
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
  const opened = await openConfiguredLake(loaded.value, options, options.readOnly)
  if (!opened.ok) return opened
  const lake = opened.value
  const compactor = projectCompactor(config, data, options)
  return ok({
    lake,
    policyOf: compactionPolicy(config, lake, options.clock),
    compactor,
    close: async () => {
      await compactor.close()
      await lake.close()
    },
  })
}

/** The scheduler that keeps a lake's tables fast and small. */
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
    policyOf: compactionPolicy(config, lake, clock),
    share: config.maintenance.share,
    sweepEveryMs: config.maintenance.sweepHours * 3_600_000,
  })
}
