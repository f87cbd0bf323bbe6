/** The client: numbers every event, batches columns, and sends each batch until it is accepted or counted as dropped. */
import { clientLimits as limits } from '../base/client-limits.ts'
import type { Clock } from '../base/clock.ts'
import type { Random } from '../base/random.ts'
import type { ContextOf, EventsOf } from '../spec/infer.ts'
import { Columns } from './columns.ts'
import type { Transport, TransportAnswer } from './transport.ts'

/** Why a device drops events (PROTOCOL.md §3, `dropped`). */
export type DropReason = 'not_encodable' | 'queue_full' | 'too_large' | 'rejected' | 'closed'

export interface ClientOptions<S> {
  /** Address of the collector, such as `https://events.example.com`. */
  readonly url: string
  readonly key?: string
  readonly context?: ContextOf<S> & BuiltInContext
  /** Name and version that the ledger shows. */
  readonly sdk?: string
  /** How long an event may wait for its batch to close, ms. */
  readonly flushMs?: number
  readonly batchEvents?: number
  readonly batchBytes?: number
  readonly queueBatches?: number
  readonly queueBytes?: number
  readonly transport?: Transport
  readonly clock?: Clock
  readonly random?: Random
  /** Called with each answer of the collector; in development it names every event that does not fit. */
  readonly onAnswer?: (answer: unknown) => void
  readonly onDrop?: (reason: DropReason, first: number, count: number) => void
}

/** Context that every app has. */
export interface BuiltInContext {
  /** One installation of the app: a random id that the device keeps. */
  readonly install?: string
  /** One visit. */
  readonly session?: string
}

export interface ClientStats {
  /** Events logged so far. */
  readonly numbered: number
  /** Events that the collector answered for: landed or in quarantine. */
  readonly accepted: number
  readonly quarantined: number
  readonly dropped: Readonly<Partial<Record<DropReason, number>>>
  /** Events that wait to be sent. */
  readonly queued: number
}

export interface Client<S> {
  /** Logs an event. Never throws, and never waits. */
  log<N extends keyof EventsOf<S> & string>(name: N, fields: EventsOf<S>[N]): void
  /** Changes the context of all events from now on; undefined members are removed. */
  setContext(change: Partial<ContextOf<S> & BuiltInContext>): void
  /** Sends what was logged; true once all of it is accepted or dropped, false when that takes too long. */
  flush(options?: { readonly timeoutMs?: number }): Promise<boolean>
  /** Flushes for at most `clientCloseMsMax`, and stops; a later flush() tries again. Events logged later are counted as dropped. */
  close(): Promise<void>
  readonly stats: ClientStats
  /** The boot of this client, as the tables show it. */
  readonly boot: string
}

type DropReport = [reason: DropReason, first: number, count: number]

/** A closed batch. Its lines never change, so that a repeat is the same to the byte. */
interface Batch {
  readonly seq: number
  readonly first: number
  readonly count: number
  /** JSON of the context. */
  readonly context: string
  readonly lines: string
  readonly dropped: readonly DropReport[]
  attempted: boolean
}

/** Every option that has a default. */
type Needed = 'transport' | 'clock' | 'random'

export class ColumnarClient<S> implements Client<S> {
  readonly boot: string
  readonly #options: ClientOptions<S> & Required<Pick<ClientOptions<S>, Needed>>
  readonly #url: string
  readonly #booted: number
  readonly #open = new Columns()
  readonly #queue: Batch[] = []
  readonly #dropped: Partial<Record<DropReason, number>> = {}
  readonly #waiting = new Set<() => void>()
  #context: string
  #values: Record<string, unknown>
  #reports: DropReport[] = []
  #next = 0
  #first = 0
  #seq = 0
  #queueBytes = 0
  #accepted = 0
  #quarantined = 0
  #rtt: number | undefined
  #failures = 0
  #single = false
  #sending = false
  #closed = false
  #cancelAge: (() => void) | undefined
  #cancelRetry: (() => void) | undefined
  /** Whether the wait at hand was asked for by Retry-After. */
  #told = false

  constructor(options: ClientOptions<S> & Required<Pick<ClientOptions<S>, Needed>>) {
    const { url, clock, random, context } = options
    this.#options = options
    this.#url = `${url.replace(/\/+$/, '')}/v1/events`
    this.#booted = clock.wall() - clock.monotonic()
    this.boot = base64url(random.bytes(16))
    this.#values = { ...context }
    this.#context = JSON.stringify(this.#values)
  }

  get stats(): ClientStats {
    const dropped = Object.values(this.#dropped).reduce((sum, count) => sum + count, 0)
    return {
      numbered: this.#next,
      accepted: this.#accepted,
      quarantined: this.#quarantined,
      dropped: { ...this.#dropped },
      queued: this.#next - this.#accepted - dropped,
    }
  }

  log<N extends keyof EventsOf<S> & string>(name: N, fields: EventsOf<S>[N]): void {
    if (this.#closed) {
      this.#drop('closed', this.#next++, 1)
      return
    }
    const at = Math.round(this.#options.clock.monotonic() * 10) / 10
    if (!this.#add(name, at, fields as Record<string, unknown>)) {
      // The number is used up: numbers of a batch are contiguous, so that the batch ends before it.
      this.#closeBatch()
      this.#drop('not_encodable', this.#next++, 1)
      return
    }
    this.#next++
    const { batchEvents = limits.clientBatchEventsMax, batchBytes = limits.clientBatchBytesMax } =
      this.#options
    if (this.#open.count >= batchEvents || this.#open.bytes >= batchBytes) {
      this.#closeBatch()
      this.#pump()
    } else this.#startAge()
  }

  setContext(change: Partial<ContextOf<S> & BuiltInContext>): void {
    const values = { ...this.#values, ...change }
    const context = JSON.stringify(values)
    if (context === this.#context) return
    this.#closeBatch()
    this.#values = values
    this.#context = context
    this.#pump()
  }

  async flush(options: { readonly timeoutMs?: number } = {}): Promise<boolean> {
    const timeoutMs = options.timeoutMs ?? limits.clientRequestMsMax
    this.#closeBatch()
    if (this.#reports.length > 0) this.#enqueue('', 0)
    const upTo = this.#seq
    const settled = (): boolean => this.#queue.every(({ seq }) => seq >= upTo)
    // Who asks for it now has reason to believe that it works now; only the collector's own word makes it wait.
    if (!this.#told) this.#stopWaiting()
    this.#pump()
    if (settled()) return true
    return new Promise((resolve) => {
      const end = (result: boolean): void => {
        this.#waiting.delete(check)
        cancel()
        resolve(result)
      }
      const check = (): void => {
        if (settled()) end(true)
      }
      const cancel = this.#options.clock.after(timeoutMs, () => end(false))
      this.#waiting.add(check)
    })
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    await this.flush({ timeoutMs: limits.clientCloseMsMax })
    this.#stopWaiting()
  }

  #stopWaiting(): void {
    this.#cancelRetry?.()
    this.#cancelRetry = undefined
  }

  #add(name: string, at: number, fields: Readonly<Record<string, unknown>>): boolean {
    if (this.#open.count === 0) this.#first = this.#next
    try {
      return this.#open.add(name, at, fields)
    } catch {
      // A getter of the app's own object threw.
      return false
    }
  }

  #startAge(): void {
    this.#cancelAge ??= this.#options.clock.after(
      this.#options.flushMs ?? limits.clientBatchAgeMsMax,
      () => {
        this.#closeBatch()
        this.#pump()
      },
    )
  }

  #closeBatch(): void {
    this.#cancelAge?.()
    this.#cancelAge = undefined
    const { count } = this.#open
    if (count > 0) this.#enqueue(this.#open.take(), count)
  }

  /** Queues a closed batch; one of no events carries drop reports alone. */
  #enqueue(lines: string, count: number): void {
    const batch: Batch = {
      seq: this.#seq++,
      first: count === 0 ? this.#next : this.#first,
      count,
      context: this.#context,
      lines,
      dropped: this.#reports,
      attempted: false,
    }
    this.#reports = []
    this.#queue.push(batch)
    this.#queueBytes += lines.length
    this.#bound()
  }

  /** Drops the oldest batches that were never on their way, until the queue is within its bounds. */
  #bound(): void {
    const { queueBatches = limits.clientQueueBatchesMax, queueBytes = limits.clientQueueBytesMax } =
      this.#options
    while (this.#queue.length > queueBatches || this.#queueBytes > queueBytes) {
      const index = this.#queue.findIndex(({ attempted }) => !attempted)
      // The newest batch stays: it takes the reports along.
      if (index === -1 || index === this.#queue.length - 1) return
      this.#dropBatch(this.#queue[index]!, 'queue_full')
    }
  }

  #dropBatch(batch: Batch, reason: DropReason): void {
    this.#remove(batch)
    this.#reports = [...batch.dropped, ...this.#reports]
    if (batch.count > 0) this.#drop(reason, batch.first, batch.count)
  }

  #remove(batch: Batch): void {
    this.#queue.splice(this.#queue.indexOf(batch), 1)
    this.#queueBytes -= batch.lines.length
  }

  #drop(reason: DropReason, first: number, count: number): void {
    this.#dropped[reason] = (this.#dropped[reason] ?? 0) + count
    const last = this.#reports.at(-1)
    if (last?.[0] === reason && last[1] + last[2] === first) last[2] += count
    else this.#reports.push([reason, first, count])
    this.#options.onDrop?.(reason, first, count)
    if (this.#reports.length >= limits.clientDropReportsMax && !this.#closed) this.#enqueue('', 0)
  }

  /** Sends what is queued, one body at a time. */
  #pump(): void {
    if (this.#sending || this.#cancelRetry !== undefined || this.#queue.length === 0) return
    this.#sending = true
    void this.#send()
  }

  async #send(): Promise<void> {
    const { clock, transport, key } = this.#options
    const batches = this.#nextBatches()
    for (const batch of batches) batch.attempted = true
    const sent = clock.monotonic()
    const body = batches.map((batch) => this.#header(batch, sent) + batch.lines).join('')
    const timeoutMs = limits.clientRequestMsMax
    const answer = await transport.send(body, { url: this.#url, key, timeoutMs })
    this.#sending = false
    const tookMs = clock.monotonic() - sent
    const retryMs = this.#settle(batches, answer, tookMs)
    for (const check of this.#waiting) check()
    if (retryMs === undefined) this.#pump()
    else {
      this.#cancelRetry = clock.after(retryMs, () => {
        this.#cancelRetry = undefined
        this.#pump()
      })
    }
  }

  #nextBatches(): Batch[] {
    const batches: Batch[] = []
    let bytes = 0
    for (const batch of this.#queue) {
      bytes += batch.lines.length + batch.context.length + 300
      const full = batches.length >= limits.clientBodyBatchesMax || bytes > limits.clientBodyBytesMax
      if (batches.length > 0 && (full || this.#single)) break
      batches.push(batch)
    }
    return batches
  }

  /** Header line of a batch (PROTOCOL.md §3); only `sent` and `rtt` differ between attempts. */
  #header({ seq, first, count, context, dropped }: Batch, sent: number): string {
    const head = {
      boot: this.boot,
      seq,
      first,
      count,
      sent,
      booted: this.#booted,
      rtt: this.#rtt,
      sdk: this.#options.sdk,
      dropped: dropped.length === 0 ? undefined : dropped,
    }
    return `${JSON.stringify(head).slice(0, -1)},"ctx":${context}}\n`
  }

  /** Acts on an answer; how long to wait before the next attempt, or undefined for not at all. */
  #settle(
    batches: readonly Batch[],
    answer: TransportAnswer | undefined,
    tookMs: number,
  ): number | undefined {
    const status = answer?.status ?? 0
    if (status >= 200 && status < 300 && this.#accept(batches, answer!.body)) {
      this.#rtt = Math.min(this.#rtt ?? Infinity, Math.round(tookMs * 10) / 10)
      this.#failures = 0
      this.#single = false
      return undefined
    }
    if (status === 413) {
      if (batches.length === 1) this.#dropBatch(batches[0]!, 'too_large')
      this.#single = true
      return undefined
    }
    if (status >= 400 && status < 500 && ![401, 408, 429].includes(status)) {
      for (const batch of batches) this.#dropBatch(batch, 'rejected')
      return undefined
    }
    const most = Math.min(limits.clientRetryMsMax, limits.clientRetryMsMin * 2 ** this.#failures++)
    this.#told = answer?.retryAfterMs !== undefined
    // Full jitter: devices that failed together do not come back together.
    return Math.max(answer?.retryAfterMs ?? 0, this.#options.random.float() * most)
  }

  /** Takes what the answer speaks of off the queue; false when it is not the collector's answer. */
  #accept(batches: readonly Batch[], body: string): boolean {
    let answers: readonly { boot: string; seq: number; quarantined: number }[]
    try {
      const parsed = JSON.parse(body) as { batches: typeof answers }
      answers = [...parsed.batches]
      this.#options.onAnswer?.(parsed)
    } catch {
      return false
    }
    for (const batch of batches) {
      const answered = answers.find(({ boot, seq }) => boot === this.boot && seq === batch.seq)
      if (answered === undefined) continue
      this.#remove(batch)
      this.#accepted += batch.count
      this.#quarantined += answered.quarantined
    }
    return answers.length > 0
  }
}

function base64url(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replaceAll('=', '')
}
