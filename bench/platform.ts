/** The platform under load, as a process of its own: everything on, nothing changed but the specifications. */
import { mkdtempSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { systemClock } from '../src/base/clock.ts'
import { nodeFiles } from '../src/base/node/files.ts'
import { systemRandom } from '../src/base/random.ts'
import { startPlatform } from '../src/platform/index.ts'
import type { Step } from './measure.ts'
import { benchProject } from './project.ts'
import { answerCalls } from './serve.ts'

export interface ServerSetup {
  /** Event types that are declared. */
  readonly types: number
  /** Wanted time between commits, ms. */
  readonly epochMs: number
}

export interface ServerStats {
  /** Events in tables that can be queried. */
  readonly rows: number
  readonly quarantined: number
  readonly bytes: number
  /** When events became queryable, and how many. */
  readonly commits: readonly Step[]
}

export type ServerCall = 'stats' | 'profile' | 'profiled' | 'stop'

const { types, epochMs } = JSON.parse(process.argv[2] ?? '{}') as ServerSetup
const folder = mkdtempSync(path.join(os.tmpdir(), 'headwater-bench-'))
const commits: Step[] = []
let rows = 0
let bytes = 0
const platform = await startPlatform({
  project: benchProject(folder, types, { engine: { epochMs } }),
  files: nodeFiles,
  clock: systemClock,
  random: systemRandom,
  development: false,
  onCommit: (report) => {
    let landed = 0
    for (const [table, count] of report.rows) {
      if (table !== 'batches' && table !== 'quarantine') landed += count
    }
    rows += landed
    commits.push([Date.now(), landed])
    bytes += report.bytes
  },
})
if (!platform.ok) throw platform.error
const running = platform.value

answerCalls({
  stats: () => Promise.resolve({ rows, quarantined: running.counts.quarantined, bytes, commits }),
  stop: async () => {
    await running.close()
    rmSync(folder, { recursive: true, force: true })
  },
})
process.send!({ port: Number(new URL(running.url).port) })
