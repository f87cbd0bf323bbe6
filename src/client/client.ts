/** The client: numbers every event, closes batches of columns, and counts each event until it is accepted or dropped. */
import * as limits from '../base/client-limits.ts'
import type { ContextOf, EventsOf } from '../spec/infer.ts'
import { Columns } from './columns.ts'
import type { DropReason } from './drops.ts'
import { base64, contextWith, encodeObject } from './encode.ts'
import { Outbox, type OutboxOptions, tenths } from './outbox.ts'

type Ports = Pick<OutboxOptions, 'transport' | 'clock' | 'random'>

export interface ClientOptions<S> extends Omit<OutboxOptions, keyof Ports>, Partial<Ports> {
  /** Address of the collector, such as `https://events.example.com`. */
  readonly url: string
  /** Write key. */
  readonly key?: string
  readonly context?: ContextOf<S> & BuiltInContext
  /** Name and version that the ledger shows, at most 64 characters. */
  readonly sdk?: string
  /** How long an event may wait for its batch to close, ms. */
  readonly flushMs?: number
  /** Events of a batch. */
  readonly batchEvents?: number
  /** Estimated bytes of a batch. */
  readonly batchBytes?: number
  /** Called with every drop as it happens. */
  readonly onDrop?: (reason: DropReason, first: number, count: number) => void
}

/** Context that every app has. */
export interface BuiltInContext {
  /** One installation of the app: a random id that the device keeps. */
  readonly install?: string
  /** One visit. */
  readonly session?: string
}

/** Always `numbered = accepted + dropped + queued`. */
export interface ClientStats {
  /** Events logged so far. */
  readonly numbered: number
  /** Events that the collector answered for: landed or in quarantine. */
  readonly accepted: number
  /** Those of the accepted that are in quarantine, as far as answers arrived. */
  readonly quarantined: number
  /** Those of the accepted that the collector had already when they came. */
  readonly duplicate: number
  readonly dropped: Readonly<Partial<Record<DropReason, number>>>
  /** Events that wait to be sent. */
  readonly queued: number
}

export interface Client<S> {
  /** Logs an event. Never throws, and never waits. */
  log<N extends keyof EventsOf<S> & string>(name: N, fields: EventsOf<S>[N]): void
  /**
   * Changes the context of all events from now on; undefined members are removed. What has no wire form, or is
   * longer than `clientContextCharsMax`, is sent as a text that the collector refuses. Throws only what a getter of the change throws.
   */
  setContext(change: Partial<ContextOf<S> & BuiltInContext>): void
  /** Sends what was logged; true once all of it is accepted or dropped, false when that takes too long. Never rejects. */
  flush(options?: { readonly timeoutMs?: number }): Promise<boolean>
  /** Flushes for at most `clientCloseMsMax`, and stops; a later flush() tries again. Events logged later are counted as dropped. */
  close(): Promise<void>
  readonly stats: ClientStats
  /** The boot of this client, as the tables show it. */
  readonly boot: string
}

export class ColumnarClient<S> implements Client<S> {
  readonly boot: string
  readonly #options: ClientOptions<S> & Ports
  readonly #open = new Columns()
  readonly #outbox: Outbox
  readonly #dropped: Partial<Record<DropReason, number>> = {}
  #context: Readonly<Record<string, unknown>> = {}
  #contextJson = '{}'
  #next = 0
  #seq = 0
  #closing: Promise<void> | undefined
  #cancelAge: (() => void) | undefined

  constructor(options: ClientOptions<S> & Ports) {
    this.boot = base64(options.random.bytes(16))
      .slice(0, 22)
      .replaceAll('+', '-')
      .replaceAll('/', '_')
    this.#options = options
    this.#outbox = new Outbox(options, this.boot, (reason, first, count) => {
      this.#dropped[reason] = (this.#dropped[reason] ?? 0) + count
      this.#startAge()
      try {
        options.onDrop?.(reason, first, count)
      } catch {
        // A failure of the app's own: the client neither stops nor throws because of it.
      }
    })
    this.setContext(options.context as Partial<ContextOf<S> & BuiltInContext>)
  }

  get stats(): ClientStats {
    const { counts } = this.#outbox
    let queued = this.#next - counts.accepted
    for (const count of Object.values(this.#dropped)) queued -= count
    return { numbered: this.#next, ...counts, dropped: { ...this.#dropped }, queued }
  }

  log<N extends keyof EventsOf<S> & string>(name: N, fields: EventsOf<S>[N]): void {
    if (this.#closing) return this.#drop('closed')
    const {
      clock,
      batchEvents = limits.clientBatchEventsMax,
      batchBytes = limits.clientBatchBytesMax,
    } = this.#options
    const at = tenths(clock.monotonic())
    const whole = limits.clientBodyBytesMax - this.#contextJson.length
    const room = { left: whole }
    let encoded: Record<string, unknown>
    try {
      if (typeof name !== 'string') throw new TypeError()
      // Fields that are not there are none: what is required and missing is for the collector to name.
      encoded = encodeObject(fields ?? {}, room)
    } catch {
      return this.#drop(room.left < 0 ? 'too_large' : 'not_encodable')
    }
    // From here on no code of the app runs, so that number and row are taken together.
    const open = this.#open
    const size = whole - room.left
    if (open.size + size > batchBytes) this.#closeBatch()
    open.add(name, at, encoded, size)
    this.#next++
    if (open.count >= batchEvents || open.size >= batchBytes) this.#closeBatch()
    else this.#startAge()
  }

  setContext(change: Partial<ContextOf<S> & BuiltInContext>): void {
    const context = contextWith(this.#context, change ?? {})
    const json = JSON.stringify(context)
    if (json === this.#contextJson) return
    this.#closeBatch()
    this.#context = context
    this.#contextJson = json
  }

  flush({
    timeoutMs = limits.clientRequestMsMax,
  }: { readonly timeoutMs?: number } = {}): Promise<boolean> {
    this.#closeBatch(true)
    return this.#outbox.settled(this.#seq, timeoutMs)
  }

  close(): Promise<void> {
    return (this.#closing ??= this.#close())
  }

  async #close(): Promise<void> {
    const { clock } = this.#options
    const end = clock.monotonic() + limits.clientCloseMsMax
    await this.flush({ timeoutMs: limits.clientCloseMsMax })
    // What the collector refused is still to be reported.
    if (this.#outbox.silent) await this.flush({ timeoutMs: end - clock.monotonic() })
    this.#outbox.stop()
  }

  /** Drops the event at hand. Its number is used up: numbers of a batch are contiguous, so that the batch ends before it. */
  #drop(reason: DropReason): void {
    this.#closeBatch()
    this.#outbox.drop(reason, this.#next++, 1)
  }

  #startAge(): void {
    if (this.#closing) return
    this.#cancelAge ??= this.#options.clock.after(
      this.#options.flushMs ?? limits.clientBatchAgeMsMax,
      () => this.#closeBatch(true),
    )
  }

  /** Closes the open batch; with `report` one of no events, where drops have no other to report them. */
  #closeBatch(report = false): void {
    this.#cancelAge?.()
    this.#cancelAge = undefined
    const { count } = this.#open
    if (count > 0 || (report && this.#outbox.silent)) {
      const lines = this.#open.take()
      const size = this.#contextJson.length + lines.length + 256
      const first = this.#next - count
      this.#outbox.push({ seq: this.#seq++, first, count, ctx: this.#context, lines, size })
    }
    this.#outbox.pump()
  }
}
