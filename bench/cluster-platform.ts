/** The collector of cluster mode under load, as a process of its own: columnar chunks to the brokers of BENCH_BROKERS, topics named after BENCH_PREFIX. */
import { mkdtempSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { systemClock } from '../src/base/clock.ts'
import { nodeFiles } from '../src/base/node/files.ts'
import { systemRandom } from '../src/base/random.ts'
import { startClusterPlatform } from '../src/platform/index.ts'
import { benchProject } from './project.ts'
import type { ServerCall, ServerSetup } from './platform.ts'
import { answerCalls } from './serve.ts'

const { types } = JSON.parse(process.argv[2] ?? '{}') as ServerSetup
const folder = mkdtempSync(path.join(os.tmpdir(), 'headwater-bench-'))
const brokers = (process.env['BENCH_BROKERS'] ?? '').split(',')
const kafka = {
  brokers,
  prefix: process.env['BENCH_PREFIX'] ?? 'columns',
  compression: 'zstd' as const,
}
const platform = await startClusterPlatform({
  project: benchProject(folder, types, { cluster: { collectorOnly: true, kafka } }),
  files: nodeFiles,
  clock: systemClock,
  random: systemRandom,
  development: false,
})
if (!platform.ok) throw platform.error
const running = platform.value

let bytes = 0
answerCalls({
  stats: async () => {
    const text = await (await fetch(`${running.url}/metrics`)).text()
    bytes = Number(/^headwater_broker_bytes_total (.*)$/m.exec(text)?.[1])
    const { landed: rows, quarantined } = running.counts
    return { rows, quarantined, bytes, commits: [] }
  },
  stop: async () => {
    await running.close()
    rmSync(folder, { recursive: true, force: true })
  },
} satisfies Partial<Record<ServerCall, () => Promise<unknown>>>)
process.send!({ port: Number(new URL(running.url).port) })
