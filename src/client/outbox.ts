/** Closed batches on their way: bounded, sent one body at a time, each kept until it is answered for (PROTOCOL.md §8, §9). */
import * as limits from '../base/client-limits.ts'
import type { Clock } from '../base/clock.ts'
import type { Random } from '../base/random.ts'
import type { Answer } from './answer.ts'
import { addReport, type DropReason, type DropReport } from './drops.ts'
import type { Transport, TransportAnswer } from './transport.ts'

/** A closed batch. Its lines never change, so that a repeat is the same to the byte. */
export interface Batch {
  readonly seq: number
  readonly first: number
  readonly count: number
  readonly ctx: Readonly<Record<string, unknown>>
  readonly lines: string
  /** About how many characters it has with its header. */
  readonly size: number
  /** What the batch reports; given at its first attempt, after which only an answer takes it off the queue. */
  reports?: DropReport[]
}

export interface OutboxOptions {
  readonly url: string
  readonly key?: string
  readonly sdk?: string
  /** Batches kept. */
  readonly queueBatches?: number
  /** Characters kept. */
  readonly queueBytes?: number
  readonly transport: Transport
  readonly clock: Clock
  readonly random: Random
  /** Called with each answer of the collector; in development it names every event that does not fit. */
  readonly onAnswer?: (answer: Answer) => void
}

type OnDrop = (reason: DropReason, first: number, count: number) => void

export class Outbox {
  /** Events answered for; those of them in quarantine, and those that the collector had already. */
  readonly counts = { accepted: 0, quarantined: 0, duplicate: 0 }
  readonly #options: OutboxOptions
  readonly #boot: string
  readonly #booted: number
  readonly #onDrop: OnDrop
  /** Batches, oldest first. */
  #queue: Batch[] = []
  /** About how many characters the batches have. */
  #size = 0
  /** Drops that no batch has been given to report. */
  readonly #reports: DropReport[] = []
  readonly #waiting = new Set<() => void>()
  #rtt: number | undefined
  #failures = 0
  /** Batches that fit one body; halved whenever a body was too large for something on the way. */
  #most: number = limits.clientBodyBatchesMax
  #sending = false
  #stopped = false
  #cancelRetry: (() => void) | undefined
  /** Whether the wait at hand was asked for by Retry-After. */
  #told = false

  constructor(options: OutboxOptions, boot: string, onDrop: OnDrop) {
    const { clock } = options
    this.#options = options
    this.#boot = boot
    this.#booted = Math.round(clock.wall() - clock.monotonic())
    this.#onDrop = onDrop
  }

  /** Whether there are drops to report and no batch to do it. */
  get silent(): boolean {
    return this.#reports.length > 0 && this.#queue.every(({ reports }) => reports)
  }

  /** Takes a batch in. The oldest of those that were never on their way make room for it. */
  push(batch: Batch): void {
    const { queueBatches = limits.clientQueueBatchesMax, queueBytes = limits.clientQueueBytesMax } =
      this.#options
    this.#queue.push(batch)
    this.#size += batch.size
    while (this.#queue.length > queueBatches || this.#size > queueBytes) {
      const oldest = this.#queue.find(({ reports }) => !reports)!
      if (!oldest || oldest === batch) break
      this.#dropBatch(oldest, 'queue_full')
    }
  }

  /** Reports events that are in no batch as dropped. */
  drop(reason: DropReason, first: number, count: number): void {
    addReport(this.#reports, [reason, first, count])
    this.#onDrop(reason, first, count)
  }

  /** Sends, unless a request or a wait is under way. */
  pump(): void {
    if (this.#sending || this.#cancelRetry || (this.#stopped && this.#waiting.size === 0)) return
    if (this.#queue.length > 0) void this.#send()
  }

  /** Waits until every batch before `seq` is settled: true, or false after `timeoutMs`. */
  settled(seq: number, timeoutMs: number): Promise<boolean> {
    return new Promise((resolve) => {
      const end = (result: boolean): void => {
        this.#waiting.delete(check)
        cancel()
        resolve(result)
      }
      const check = (): void => {
        if (this.#queue.every((batch) => batch.seq >= seq)) end(true)
      }
      const cancel = this.#options.clock.after(timeoutMs, () => end(false))
      this.#waiting.add(check)
      // Who asks for it now has reason to believe that it works now; only the collector's own word makes it wait.
      if (!this.#told) this.#endWait()
      this.pump()
      check()
    })
  }

  /** Sends nothing more by itself; a later `settled` does. */
  stop(): void {
    this.#stopped = true
    this.#endWait()
  }

  #endWait(): void {
    this.#cancelRetry?.()
    this.#cancelRetry = undefined
  }

  #remove(batch: Batch): void {
    this.#queue = this.#queue.filter((other) => other !== batch)
    this.#size -= batch.size
  }

  /** Drops a batch; what it was to report is reported by another. */
  #dropBatch(batch: Batch, reason: DropReason): void {
    this.#remove(batch)
    for (const report of batch.reports ?? []) addReport(this.#reports, report)
    if (batch.count > 0) this.drop(reason, batch.first, batch.count)
  }

  async #send(): Promise<void> {
    const { clock, transport, key } = this.#options
    const url = this.#options.url.replace(/\/*$/, '/v1/events')
    this.#sending = true
    const batches = this.#next()
    const sent = tenths(clock.monotonic())
    const lines = batches.map((batch) => this.#header(batch, sent) + batch.lines)
    const abort = new AbortController()
    const { signal } = abort
    const late = new Promise<undefined>((resolve) => {
      signal.addEventListener('abort', () => resolve(undefined))
    })
    const cancel = clock.after(limits.clientRequestMsMax, () => abort.abort())
    let answer: TransportAnswer | undefined
    try {
      answer = await Promise.race([late, transport.send(lines.join(''), { url, key, signal })])
    } catch {
      // It is not known whether the body arrived.
    }
    cancel()
    const retryMs = this.#settle(batches, answer, tenths(clock.monotonic() - sent))
    this.#sending = false
    if (retryMs !== undefined) {
      this.#cancelRetry = clock.after(retryMs, () => {
        this.#cancelRetry = undefined
        this.pump()
      })
    }
    for (const check of this.#waiting) check()
    this.pump()
  }

  /** The batches of the next body; from here on each of them is fixed but for its time of sending. */
  #next(): readonly Batch[] {
    let size = 0
    const full = this.#queue.findIndex((batch, i) => {
      size += batch.size
      return i >= this.#most || (i > 0 && size > limits.clientBodyBytesMax)
    })
    const batches = this.#queue.slice(0, full < 0 ? undefined : full)
    for (const batch of batches) {
      batch.reports ??= this.#reports.splice(0, limits.clientDropReportsMax)
    }
    return batches
  }

  /** Header line of a batch (PROTOCOL.md §3); only `sent` and `rtt` differ between attempts. */
  #header({ reports, ...batch }: Batch, sent: number): string {
    const head = {
      ...batch,
      lines: undefined,
      size: undefined,
      boot: this.#boot,
      sent,
      booted: this.#booted,
      rtt: this.#rtt,
      sdk: this.#options.sdk,
      dropped: reports?.length ? reports : undefined,
    }
    return `${JSON.stringify(head)}\n`
  }

  /** Acts on an answer; how long to wait before the next attempt, or undefined for not at all. */
  #settle(
    batches: readonly Batch[],
    { status, body, retryAfter }: TransportAnswer = { status: 0, body: '' },
    tookMs: number,
  ): number | undefined {
    const { clock, random } = this.#options
    if (this.#hear(batches, status, body)) {
      this.#rtt = Math.min(this.#rtt ?? tookMs, tookMs)
      this.#failures = 0
      return undefined
    }
    if (status === 413 || status === 400) {
      const halved = batches.length >> 1
      if (status === 413 && halved > 0) this.#most = halved
      else
        for (const each of batches) this.#dropBatch(each, status === 413 ? 'too_large' : 'rejected')
      return undefined
    }
    // What only a person can mend is tried seldom: a key, an address, a proxy that is in the way.
    const soon = [0, 408, 429].includes(status) || status > 499
    const most = soon ? limits.clientRetryMsMin * 2 ** this.#failures++ : Infinity
    const told = Number(retryAfter) * 1000 || Date.parse(retryAfter ?? '') - clock.wall()
    this.#told = told > 0
    const after = this.#told ? Math.min(told, limits.clientRetryAfterMsMax) : 0
    // Full jitter: devices that failed together do not come back together.
    return after + random.float() * Math.min(most, limits.clientRetryMsMax)
  }

  /** Takes off the queue what the answer speaks of; false when that is nothing. */
  #hear(batches: readonly Batch[], status: number, body: string): boolean {
    const { counts } = this
    let any = false
    try {
      const answer = JSON.parse(body) as Answer
      for (const batch of batches) {
        const found = status < 300 && answer.batches?.find(({ seq }) => seq === batch.seq)
        if (!found) continue
        any = true
        this.#remove(batch)
        counts.accepted += batch.count
        counts.quarantined += found.quarantined
        if (found.status === 'duplicate') counts.duplicate += batch.count
      }
      this.#options.onAnswer?.(answer)
    } catch {
      // Not an answer of the collector, or a failure of the app's own.
    }
    return any
  }
}

/** Milliseconds to 0.1, in which times travel. */
export function tenths(ms: number): number {
  return Math.round(ms * 10) / 10
}
