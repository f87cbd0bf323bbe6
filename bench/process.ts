/** Starts and stops the processes of a benchmark: competitors, which announce themselves, and the load generator, which takes orders. */
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { Interface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { LoadPlan } from './events.ts'
import type { Order, Prepared, RunOrder, RunResult } from './load.ts'
import type { Step } from './measure.ts'

/** The one line a competitor prints on standard output when it takes events. */
export interface Ready {
  /** Events are posted to `<url>/v1/events`. */
  readonly url: string
  /** Answers GET with `Statistics`. */
  readonly stats: string
  readonly pid: number
}

/** What a competitor says of itself. All figures but `commits` are totals since its start. */
export interface Statistics {
  /** Events that a query finds. */
  readonly committed: number
  /** Since the last call: when events became queryable (ms since 1970), and how many. */
  readonly commits: readonly Step[]
  /** Milliseconds of the main thread by stage, in the order of the path; what is not in one is HTTP and the rest. */
  readonly stages: Readonly<Record<string, number>>
  /** Bytes of Parquet files. */
  readonly lakeBytes: number
}

const startMsMax = 30_000
const stopMsMax = 20_000

function child(script: string, args: readonly string[]): { process: ChildProcess; lines: Lines } {
  const path = fileURLToPath(new URL(script, import.meta.url))
  const started = spawn(process.execPath, ['--conditions=source', path, ...args], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, NODE_ENV: 'production' },
  })
  return { process: started, lines: new Lines(script, started) }
}

/** Lines of a child's standard output, one at a time; a child that ends in between is an error. */
class Lines {
  readonly #name: string
  readonly #lines: Interface
  readonly #ended: Promise<never>

  constructor(name: string, from: ChildProcess) {
    this.#name = name
    this.#lines = createInterface({ input: from.stdout! })
    this.#ended = once(from, 'exit').then(([code, signal]) => {
      throw new Error(`${this.#name} ended (${String(signal ?? code)})`)
    })
    this.#ended.catch(() => undefined)
  }

  async next(): Promise<unknown> {
    const [line] = (await Promise.race([once(this.#lines, 'line'), this.#ended])) as [string]
    return JSON.parse(line) as unknown
  }
}

async function stop(process: ChildProcess): Promise<void> {
  if (process.exitCode !== null || process.signalCode !== null) return
  const ended = once(process, 'exit')
  process.kill('SIGTERM')
  const timer = setTimeout(() => process.kill('SIGKILL'), stopMsMax)
  await ended
  clearTimeout(timer)
}

export interface Competitor {
  readonly ready: Ready
  statistics(): Promise<Statistics>
  stop(): Promise<void>
}

/** Starts `script` with an empty folder for its data. */
export async function startCompetitor(
  script: string,
  data: string,
  types: number,
): Promise<Competitor> {
  const { process: started, lines } = child(script, ['--data', data, '--types', String(types)])
  const timer = setTimeout(() => started.kill('SIGKILL'), startMsMax)
  const ready = (await lines.next()) as Ready
  clearTimeout(timer)
  return {
    ready,
    statistics: async () => (await (await fetch(ready.stats)).json()) as Statistics,
    stop: () => stop(started),
  }
}

export interface Load {
  prepare(plan: LoadPlan): Promise<Prepared>
  /** Sends each prepared body once. Rejects unless every answer was 200. */
  run(order: RunOrder): Promise<RunResult>
  stop(): Promise<void>
}

export function startLoad(): Load {
  const { process: started, lines } = child('load.ts', [])
  const ask = (order: Order): Promise<unknown> => {
    const answer = lines.next()
    started.stdin!.write(`${JSON.stringify(order)}\n`)
    return answer
  }
  return {
    prepare: async (plan) => (await ask({ prepare: plan })) as Prepared,
    run: async (order) => {
      const result = (await ask({ run: order })) as RunResult
      if (result.refusal !== undefined) {
        throw new Error(`not every body was taken: ${result.refusal}`)
      }
      return result
    },
    stop: () => stop(started),
  }
}
