/** A client in a world that stands still: a clock that the test moves, and a collector that answers as it is told. */
import type { Clock } from '../../src/base/clock.ts'
import { seededRandom } from '../../src/base/random.ts'
import type { Answer } from '../../src/client/answer.ts'
import { type Client, type ClientOptions, ColumnarClient } from '../../src/client/client.ts'
import type { Transport, TransportAnswer, TransportRequest } from '../../src/client/transport.ts'

/** Events of any name and fields, as a program logs them that is not type-checked. */
export type AnySpecs = Record<string, never>

/** Time that passes when `advance` says so. Timers ring in the order of their times. */
export class StandingClock implements Clock {
  #now = 0
  #wall: number
  #timers: { readonly at: number; readonly wake: () => void }[] = []

  constructor(wall = 1_763_900_000_000) {
    this.#wall = wall
  }

  wall = (): number => this.#wall + this.#now
  monotonic = (): number => this.#now
  after = (ms: number, wake: () => void): (() => void) => {
    const timer = { at: this.#now + ms, wake }
    this.#timers.push(timer)
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer)
    }
  }

  /** Milliseconds until each timer rings, the nearest first. */
  get waiting(): number[] {
    return this.#timers.map(({ at }) => at - this.#now).toSorted((a, b) => a - b)
  }

  /** Lets `ms` pass, and after every timer everything happen that it sets off. */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms
    for (;;) {
      await quiet()
      const next = this.#timers.filter(({ at }) => at <= end).toSorted((a, b) => a.at - b.at)[0]
      if (next === undefined) break
      this.#timers = this.#timers.filter((timer) => timer !== next)
      this.#now = Math.max(this.#now, next.at)
      next.wake()
    }
    this.#now = end
    await quiet()
  }
}

/** Returns when every promise that was ready has been acted on. */
export function quiet(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

export interface SentBatch {
  readonly boot: string
  readonly seq: number
  readonly first: number
  readonly count: number
  readonly sent: number
  readonly booted: number
  readonly rtt?: number
  readonly sdk?: string
  readonly ctx: Readonly<Record<string, unknown>>
  readonly dropped?: readonly (readonly [string, number, number])[]
  readonly chunks: readonly SentChunk[]
  /** The chunk lines, byte for byte. */
  readonly lines: string
}

export interface SentChunk {
  readonly type: string
  readonly n: readonly number[]
  readonly at: readonly number[]
  readonly cols: Readonly<Record<string, readonly unknown[]>>
}

export interface SentBody {
  readonly text: string
  readonly batches: readonly SentBatch[]
  readonly request: TransportRequest
}

type Reply = TransportAnswer | undefined

/** What the collector says to a body: an answer, silence (undefined), or the failure of the connection (thrown). */
export type Behaviour = (body: SentBody, nth: number) => Reply | Promise<Reply>

/** A transport that keeps every body it was given; it fails the test when two requests are in flight at once. */
export class ScriptedTransport implements Transport {
  readonly bodies: SentBody[] = []
  behave: Behaviour
  inFlight = 0
  inFlightMax = 0

  constructor(behave: Behaviour = accept) {
    this.behave = behave
  }

  /** Every batch of every body, in order. */
  get batches(): SentBatch[] {
    return this.bodies.flatMap(({ batches }) => batches)
  }

  async send(text: string, request: TransportRequest): Promise<Reply> {
    const body = { text, batches: batchesOf(text), request }
    this.bodies.push(body)
    this.inFlightMax = Math.max(this.inFlightMax, ++this.inFlight)
    try {
      return await this.behave(body, this.bodies.length)
    } finally {
      this.inFlight--
    }
  }
}

/** Reads a body as PROTOCOL.md §2 says. */
export function batchesOf(text: string): SentBatch[] {
  const batches: (Omit<SentBatch, 'chunks' | 'lines'> & { chunks: SentChunk[]; lines: string })[] =
    []
  for (const line of text.split('\n').filter((each) => each !== '')) {
    const value = JSON.parse(line) as Record<string, unknown>
    if ('boot' in value) {
      batches.push({ ...(value as unknown as SentBatch), chunks: [], lines: '' })
      continue
    }
    const batch = batches.at(-1)
    if (batch === undefined) throw new Error('a chunk stands before the first header')
    batch.chunks.push(value as unknown as SentChunk)
    batch.lines += `${line}\n`
  }
  return batches
}

/** Accepts everything. */
export const accept: Behaviour = ({ batches }) => ({
  status: 200,
  body: JSON.stringify({
    server: 0,
    batches: batches.map(({ boot, seq, count }) => ({
      boot,
      seq,
      status: 'accepted',
      events: count,
      quarantined: 0,
    })),
  } satisfies Answer),
})

/** Answers with a status and nothing that was kept. */
export function refuse(status: number, retryAfter?: string): Behaviour {
  return () => ({
    status,
    body: JSON.stringify({ error: { code: 'x', message: 'x', remedy: 'x' } }),
    ...(retryAfter === undefined ? {} : { retryAfter }),
  })
}

export interface World {
  readonly clock: StandingClock
  readonly transport: ScriptedTransport
  readonly client: Client<AnySpecs>
  /** Logs without types. */
  log(name: unknown, fields?: unknown): void
  setContext(change: unknown): void
}

/** A client in a world of its own. */
export function world(options: Partial<ClientOptions<AnySpecs>> = {}): World {
  const clock = new StandingClock()
  const transport = new ScriptedTransport()
  const random = seededRandom(3)
  const ports = { url: 'http://collector', transport, clock, random }
  const client = new ColumnarClient<AnySpecs>({ ...ports, ...options })
  return {
    clock,
    transport,
    client,
    log: (name, fields = {}) => client.log(name as never, fields),
    setContext: (change) => client.setContext(change as never),
  }
}
