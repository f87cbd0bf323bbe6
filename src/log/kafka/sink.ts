/** Hands records to Kafka in groups, over several producers side by side, within bounds of bytes and time. */
import { type Clock, sleep } from '../../base/clock.ts'
import { error, type HeadwaterError } from '../../base/errors.ts'
import { limits } from '../../base/limits.ts'
import { failed, ok, type Result } from '../../base/result.ts'
import type { RecordSink, SinkCounts, StreamRecord } from '../records.ts'

/** Records that were handed in together. */
interface Submission {
  left: number
  settle: ((result: Result<void>) => void) | undefined
}

interface Waiting {
  readonly record: StreamRecord
  readonly submission: Submission
}

/** What delivers groups of records, one at a time. */
export interface RecordLane {
  busy: boolean
  send(records: readonly StreamRecord[]): Promise<Result<void>>
  /** Why the topics cannot be written to; undefined when they can. */
  probe(topics: ReadonlyMap<string, number>): Promise<HeadwaterError | undefined>
  close(): Promise<void>
}

export class KafkaSink implements RecordSink {
  readonly #lanes: readonly RecordLane[]
  readonly #clock: Clock
  readonly #lingerMs: number
  /** Topics without prefix → in-sync replicas without which nothing can be written. */
  readonly #topics: ReadonlyMap<string, number>
  /** Records that no producer has yet, oldest first, from `#next` on. */
  #waiting: Waiting[] = []
  #next = 0
  #queuedBytes = 0
  #cancelLinger: (() => void) | undefined
  #failure: HeadwaterError | undefined
  #probing = false
  #closed = false
  readonly #counts = {
    records: 0,
    bytes: 0,
    waitingBytes: 0,
    waitingRecords: 0,
    requests: 0,
    failures: new Map<string, number>(),
  }

  constructor(
    lanes: readonly RecordLane[],
    topics: ReadonlyMap<string, number>,
    ports: { readonly clock: Clock; readonly lingerMs: number },
  ) {
    this.#lanes = lanes
    this.#topics = topics
    this.#clock = ports.clock
    this.#lingerMs = ports.lingerMs
  }

  get failure(): HeadwaterError | undefined {
    return this.#failure
  }

  get counts(): SinkCounts {
    return this.#counts
  }

  send(records: readonly StreamRecord[]): Promise<Result<void>> {
    if (this.#closed) return refused(error('draining', 'The broker is not written to any more.'))
    if (this.#failure !== undefined) return refused(this.#failure)
    if (records.length === 0) return Promise.resolve(ok(undefined))
    const bytes = records.reduce((sum, record) => sum + bytesOf(record), 0)
    const waiting = this.#counts.waitingBytes
    // What is larger than the bound goes alone.
    if (waiting > 0 && waiting + bytes > limits.brokerPendingBytesMax) {
      return refused(error('overloaded', `${waiting} bytes wait for the broker.`))
    }
    this.#counts.waitingBytes += bytes
    this.#counts.waitingRecords += records.length
    this.#queuedBytes += bytes
    return new Promise((resolve) => {
      const submission = { left: records.length, settle: resolve }
      for (const record of records) this.#waiting.push({ record, submission })
      this.#schedule()
    })
  }

  async close(): Promise<void> {
    this.#closed = true
    const until = this.#clock.monotonic() + limits.drainMsMax
    while (this.#counts.waitingRecords > 0 && this.#clock.monotonic() < until) {
      await sleep(this.#clock, limits.brokerLingerMs)
    }
    this.#abandon(error('draining', 'The broker is not written to any more.'))
    await Promise.all(this.#lanes.map((lane) => lane.close()))
  }

  /** Sends at once what is enough for a request, and the rest a little later. */
  #schedule(): void {
    if (this.#queuedBytes >= limits.brokerRequestBytes) this.#flush()
    if (this.#cancelLinger !== undefined || this.#next === this.#waiting.length) return
    this.#cancelLinger = this.#clock.after(this.#lingerMs, () => {
      this.#cancelLinger = undefined
      this.#flush()
    })
  }

  #flush(): void {
    for (const lane of this.#lanes) {
      if (this.#next === this.#waiting.length) return
      if (!lane.busy) void this.#run(lane)
    }
  }

  /** Keeps a lane at work while records wait. */
  async #run(lane: RecordLane): Promise<void> {
    lane.busy = true
    while (this.#next < this.#waiting.length) await this.#deliver(lane, this.#take())
    lane.busy = false
  }

  /** The next records, as many as make one request. */
  #take(): Waiting[] {
    const group: Waiting[] = []
    let bytes = 0
    while (this.#next < this.#waiting.length) {
      const next = this.#waiting[this.#next]!
      const size = bytesOf(next.record)
      if (group.length > 0 && bytes + size > limits.brokerRequestBytes) break
      group.push(next)
      bytes += size
      this.#next++
    }
    this.#queuedBytes -= bytes
    if (this.#next === this.#waiting.length || this.#next > COMPACT_AT) {
      this.#waiting = this.#waiting.slice(this.#next)
      this.#next = 0
    }
    return group
  }

  async #deliver(lane: RecordLane, group: readonly Waiting[]): Promise<void> {
    const sent = await lane.send(group.map(({ record }) => record))
    this.#counts.requests++
    if (sent.ok) {
      for (const waiting of group) this.#settle(waiting, sent)
      return
    }
    const { code } = sent.error
    if (code === 'body_too_large' && group.length > 1) {
      // Whose record it is shows when they go in halves.
      const middle = group.length >> 1
      await this.#deliver(lane, group.slice(0, middle))
      await this.#deliver(lane, group.slice(middle))
      return
    }
    this.#counts.failures.set(code, (this.#counts.failures.get(code) ?? 0) + 1)
    for (const waiting of group) this.#settle(waiting, sent)
    if (code !== 'body_too_large') this.#fail(sent.error)
  }

  #settle({ record, submission }: Waiting, result: Result<void>): void {
    const bytes = bytesOf(record)
    this.#counts.waitingBytes -= bytes
    this.#counts.waitingRecords--
    if (result.ok) {
      this.#counts.records++
      this.#counts.bytes += bytes
      if (--submission.left > 0) return
    }
    submission.settle?.(result)
    submission.settle = undefined
  }

  /** Refuses records until the brokers answer again. */
  #fail(failure: HeadwaterError): void {
    this.#failure = failure
    this.#abandon(failure)
    if (!this.#probing) void this.#probe()
  }

  /** Fails what no producer has been given. */
  #abandon(failure: HeadwaterError): void {
    const rest = this.#waiting.slice(this.#next)
    this.#waiting = []
    this.#next = 0
    this.#queuedBytes = 0
    for (const waiting of rest) this.#settle(waiting, failed(failure))
  }

  async #probe(): Promise<void> {
    this.#probing = true
    while (this.#failure !== undefined && !this.#closed) {
      await sleep(this.#clock, limits.brokerProbeMs)
      const lane = this.#lanes.find(({ busy }) => !busy)
      if (lane === undefined) continue
      lane.busy = true
      this.#failure = await lane.probe(this.#topics)
      lane.busy = false
    }
    this.#probing = false
  }
}

/** Records in front of the queue that are forgotten together. */
const COMPACT_AT = 1024

function bytesOf({ key, value }: StreamRecord): number {
  return value.length + (key?.length ?? 0)
}

function refused(failure: HeadwaterError): Promise<Result<void>> {
  return Promise.resolve(failed(failure))
}
