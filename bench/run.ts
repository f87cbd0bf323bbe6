/** One server and one load generator as child processes, and what a stretch of load cost. */
import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { batchEvents, type Form } from './events.ts'
import type { LoadDone, LoadGo, LoadSetup } from './load.ts'
import { cpuOf, memoryOf, waits, weightedQuantile } from './measure.ts'
import type { ServerCall, ServerSetup, ServerStats } from './platform.ts'

export interface Contestant {
  readonly module: `./${'platform' | 'baseline' | 'cluster-platform' | 'cluster-rows'}.ts`
  readonly path: string
  readonly form: Form
}

export const HEADWATER: Contestant = {
  module: './platform.ts',
  path: '/v1/events',
  form: 'columns',
}
export const BASELINE: Contestant = { module: './baseline.ts', path: '/events', form: 'rows' }

export interface BenchSetup {
  readonly contestant: Contestant
  /** Types declared at the server, and types in use. */
  readonly declared: number
  readonly used: number
  readonly bodies: number
  readonly seed: number
  readonly epochMs: number
  /** Events of a batch, 50 unless it is given. */
  readonly batch?: number
}

/** What a stretch of load cost, with every event of it in a Parquet file at the end. */
export interface Cost {
  readonly events: number
  readonly mainUs: number
  readonly othersUs: number
  readonly totalUs: number
  readonly eventsPerSecond: number
  readonly wireBytes: number
  readonly lakeBytes: number
  readonly latencyP50: number
  readonly latencyP99: number
  /** From the answer until the event can be queried, ms. */
  readonly queryableP50: number
  readonly queryableP99: number
}

export class Bench {
  readonly #server: ChildProcess
  readonly #load: ChildProcess
  readonly #batch: number

  private constructor(server: ChildProcess, load: ChildProcess, batch: number) {
    this.#server = server
    this.#load = load
    this.#batch = batch
  }

  static async open(given: BenchSetup): Promise<Bench> {
    const { contestant, declared, used, bodies, seed, epochMs, batch = batchEvents } = given
    const server = start(contestant.module, { types: declared, epochMs } satisfies ServerSetup)
    const { port } = await reply<{ port: number }>(server)
    const { path, form } = contestant
    const setup: LoadSetup = { port, path, form, seed, bodies, types: used, connections: 64, batch }
    const load = start('./load.ts', setup)
    await reply(load)
    return new Bench(server, load, batch)
  }

  /** Drives bodies and waits until they are all in files. */
  async drive(go: LoadGo): Promise<Cost> {
    const pid = this.#server.pid!
    const before = await this.#ask<ServerStats>('stats')
    const cpu = cpuOf(pid)
    this.#load.send(go)
    const done = await reply<LoadDone>(this.#load)
    const events = done.sent * this.#batch
    if (done.failed > 0) throw new Error(`${done.failed} of ${done.sent} requests failed`)
    const after = await this.#committed(before.rows + events)
    const used = cpuOf(pid)
    const [mainUs, othersUs] = [
      (used.main - cpu.main) / events,
      (used.others - cpu.others) / events,
    ]
    const waited = waits(done.acknowledged, after.commits.slice(before.commits.length))
    return {
      events,
      mainUs,
      othersUs,
      totalUs: mainUs + othersUs,
      eventsPerSecond: events / (done.ms / 1000),
      wireBytes: done.bytes / events,
      lakeBytes: (after.bytes - before.bytes) / events,
      latencyP50: done.latencyP50,
      latencyP99: done.latencyP99,
      queryableP50: weightedQuantile(waited, 0.5),
      queryableP99: weightedQuantile(waited, 0.99),
    }
  }

  /** Profiles the JavaScript thread while bodies are driven: share of its time by place. */
  async profile(go: LoadGo): Promise<Map<string, number>> {
    await this.#ask('profile')
    this.#load.send(go)
    await reply(this.#load)
    return sharesOf(await this.#ask<Profile>('profiled'))
  }

  /** Process id of the server. */
  get pid(): number {
    return this.#server.pid!
  }

  /** Resident memory of the server, bytes. */
  get memory(): { readonly now: number; readonly peak: number } {
    return memoryOf(this.#server.pid!)
  }

  async close(): Promise<void> {
    this.#load.kill()
    const ended = new Promise((resolve) => this.#server.once('exit', resolve))
    this.#server.send('stop' satisfies ServerCall)
    await ended
  }

  #ask<T>(call: ServerCall): Promise<T> {
    this.#server.send(call)
    return reply<T>(this.#server)
  }

  /** Waits until the server has `rows` rows in files. */
  async #committed(rows: number): Promise<ServerStats> {
    for (let i = 0; i < COMMIT_POLLS_MAX; i++) {
      const stats = await this.#ask<ServerStats>('stats')
      if (stats.rows >= rows) return stats
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
    throw new Error(`not all of ${rows} rows were committed`)
  }
}

const COMMIT_POLLS_MAX = 600

function start(module: string, setup: object): ChildProcess {
  return fork(fileURLToPath(new URL(module, import.meta.url)), [JSON.stringify(setup)], {
    execArgv: ['--conditions=headwater-source'],
  })
}

function reply<T>(child: ChildProcess): Promise<T> {
  return new Promise((resolve, reject) => {
    const failed = (code: number | null): void => reject(new Error(`the process ended: ${code}`))
    child.once('exit', failed)
    child.once('message', (message) => {
      child.off('exit', failed)
      resolve(message as T)
    })
  })
}

interface Profile {
  readonly nodes: readonly {
    readonly id: number
    readonly callFrame: { readonly functionName: string; readonly url: string }
  }[]
  readonly samples: readonly number[]
  readonly timeDeltas: readonly number[]
}

/** Share of the busy time by stage. */
function sharesOf(profile: Profile): Map<string, number> {
  const stages = new Map(profile.nodes.map((node) => [node.id, stageOf(node.callFrame)]))
  const times = new Map<string, number>()
  profile.samples.forEach((id, i) => {
    const stage = stages.get(id)!
    times.set(stage, (times.get(stage) ?? 0) + profile.timeDeltas[i]!)
  })
  times.delete('idle')
  const total = [...times.values()].reduce((sum, time) => sum + time, 0)
  return new Map([...times].map(([stage, time]) => [stage, time / total]))
}

/** The stage of the path that a function belongs to. */
function stageOf({ url, functionName }: Profile['nodes'][number]['callFrame']): string {
  if (functionName === '(idle)') return 'idle'
  if (functionName === '(garbage collector)') return 'garbage collection'
  const folder = /\/src\/([a-z]+)\//.exec(url)?.[1]
  switch (folder) {
    case 'collector':
      return /\/(http|body|keys|cors|enrich|answer)\.[tj]s$/.test(url) ? 'HTTP' : 'decode and check'
    case 'columns':
    case 'spec':
      return 'decode and check'
    case 'log':
      return 'log'
    case 'engine':
      return 'engine'
    case 'lake':
      return 'commit'
    default:
      return url.includes('duckdb') ? 'engine' : 'HTTP'
  }
}
