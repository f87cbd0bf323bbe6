/** Groups of records: how large, how soon, how many at once, and what comes of failures; on lanes and a clock of the test. */
import { describe, expect, test } from 'vitest'
import type { Clock } from '../../src/base/clock.ts'
import { error, type HeadwaterError } from '../../src/base/errors.ts'
import { limits } from '../../src/base/limits.ts'
import { failed, ok, type Result } from '../../src/base/result.ts'
import { KafkaSink, type RecordLane } from '../../src/log/kafka/sink.ts'
import type { StreamRecord } from '../../src/log/records.ts'

class TestClock implements Clock {
  now = 0
  readonly #timers: { at: number; wake: () => void }[] = []

  wall(): number {
    return this.now
  }
  monotonic(): number {
    return this.now
  }
  after(ms: number, wake: () => void): () => void {
    const timer = { at: this.now + ms, wake }
    this.#timers.push(timer)
    return () => this.#timers.splice(this.#timers.indexOf(timer), 1)
  }

  /** Lets time pass, and everything happen that it brings. */
  async pass(ms: number): Promise<void> {
    const until = this.now + ms
    for (;;) {
      await turn()
      const [next] = this.#timers.filter(({ at }) => at <= until).sort((a, b) => a.at - b.at)
      if (next === undefined) break
      this.#timers.splice(this.#timers.indexOf(next), 1)
      this.now = Math.max(this.now, next.at)
      next.wake()
    }
    this.now = until
  }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

class TestLane implements RecordLane {
  busy = false
  closed = false
  readonly sent: (readonly StreamRecord[])[] = []
  readonly answers: ((result: Result<void>) => void)[] = []
  /** What a probe says. */
  trouble: HeadwaterError | undefined
  probes = 0

  send(records: readonly StreamRecord[]): Promise<Result<void>> {
    this.sent.push(records)
    return new Promise((resolve) => this.answers.push(resolve))
  }
  probe(): Promise<HeadwaterError | undefined> {
    this.probes++
    return Promise.resolve(this.trouble)
  }
  close(): Promise<void> {
    this.closed = true
    return Promise.resolve()
  }
}

const LINGER = 5

function sinkOn(count: number): { sink: KafkaSink; lanes: TestLane[]; clock: TestClock } {
  const clock = new TestClock()
  const lanes = Array.from({ length: count }, () => new TestLane())
  return { sink: new KafkaSink(lanes, new Map(), { clock, lingerMs: LINGER }), lanes, clock }
}

const record = (bytes: number): StreamRecord => ({
  topic: 't',
  key: null,
  value: Buffer.alloc(bytes),
  time: 0,
})
const sizes = (lane: TestLane | undefined): number[][] =>
  lane!.sent.map((group) => group.map(({ value }) => value.length))
const unavailable = error('broker_unavailable', 'it is away')

describe('records', () => {
  test('wait a little for others, and go together', async () => {
    const { sink, lanes, clock } = sinkOn(2)
    const sent = [sink.send([record(1), record(2)]), sink.send([record(3)])]
    await clock.pass(LINGER - 1)
    expect(sizes(lanes[0])).toEqual([])
    await clock.pass(1)
    expect(sizes(lanes[0])).toEqual([[1, 2, 3]])
    expect(sink.counts).toMatchObject({ waitingRecords: 3, waitingBytes: 6 })
    lanes[0]!.answers[0]!(ok(undefined))
    expect(await Promise.all(sent)).toEqual([ok(undefined), ok(undefined)])
    expect(sink.counts).toMatchObject({
      waitingRecords: 0,
      waitingBytes: 0,
      records: 3,
      bytes: 6,
      requests: 1,
    })
  })

  test('go at once when they make a request, over every lane, and wait while all are busy', async () => {
    const { sink, lanes } = sinkOn(2)
    const half = limits.brokerRequestBytes / 2
    for (let i = 0; i < 5; i++) void sink.send([record(half)])
    await turn()
    expect(lanes.map(sizes)).toEqual([[[half, half]], [[half, half]]])
    lanes[1]!.answers[0]!(ok(undefined))
    await turn()
    expect(sizes(lanes[1])).toEqual([[half, half], [half]])
  })

  test('that are larger than a request go alone', async () => {
    const { sink, lanes } = sinkOn(1)
    const large = limits.brokerRequestBytes + 1
    void sink.send([record(1), record(large), record(2)])
    for (let i = 0; i < 3; i++) {
      await turn()
      lanes[0]!.answers[i]?.(ok(undefined))
    }
    expect(sizes(lanes[0])).toEqual([[1], [large], [2]])
  })

  test('are refused over the bound, and taken again below it', async () => {
    const { sink, lanes, clock } = sinkOn(1)
    const large = limits.brokerPendingBytesMax
    const first = sink.send([record(large)])
    expect(await sink.send([record(1)])).toMatchObject({ error: { code: 'overloaded' } })
    lanes[0]!.answers[0]!(ok(undefined))
    expect(await first).toEqual(ok(undefined))
    void sink.send([record(1)])
    await clock.pass(LINGER)
    expect(sizes(lanes[0])).toEqual([[large], [1]])
  })
})

describe('a failure', () => {
  test('fails what was in the group and what waits, and refuses until the brokers answer', async () => {
    const { sink, lanes, clock } = sinkOn(1)
    const [one, other] = [sink.send([record(1), record(2)]), sink.send([record(3)])]
    await clock.pass(LINGER)
    const waits = sink.send([record(4)])
    lanes[0]!.trouble = unavailable
    lanes[0]!.answers[0]!(failed(unavailable))
    expect(await Promise.all([one, other, waits])).toEqual(Array(3).fill(failed(unavailable)))
    expect(sink.failure).toBe(unavailable)
    expect(await sink.send([record(5)])).toEqual(failed(unavailable))
    expect(sink.counts).toMatchObject({ waitingRecords: 0, waitingBytes: 0, records: 0 })
    expect(sink.counts.failures).toEqual(new Map([['broker_unavailable', 1]]))
    await clock.pass(3 * limits.brokerProbeMs)
    expect([lanes[0]!.probes, sink.failure]).toEqual([3, unavailable])
    lanes[0]!.trouble = undefined
    await clock.pass(limits.brokerProbeMs)
    expect(sink.failure).toBeUndefined()
    const again = sink.send([record(6)])
    await clock.pass(LINGER)
    lanes[0]!.answers[1]!(ok(undefined))
    expect(await again).toEqual(ok(undefined))
  })

  test('of one lane leaves what another has under way', async () => {
    const { sink, lanes, clock } = sinkOn(2)
    const [one, other] = [
      sink.send([record(limits.brokerRequestBytes)]),
      sink.send([record(limits.brokerRequestBytes)]),
    ]
    await clock.pass(LINGER)
    lanes[0]!.answers[0]!(failed(unavailable))
    lanes[1]!.answers[0]!(ok(undefined))
    expect([await one, await other]).toEqual([failed(unavailable), ok(undefined)])
  })

  test('of a record that is too large is only of those who sent it', async () => {
    const { sink, lanes, clock } = sinkOn(1)
    const sent = [1, 2, 3].map((bytes) => sink.send([record(bytes)]))
    const large = failed(error('body_too_large', 'MESSAGE_TOO_LARGE'))
    await clock.pass(LINGER)
    for (let i = 0; i < 6; i++) {
      const group = lanes[0]!.sent[i]
      if (group === undefined) break
      lanes[0]!.answers[i]!(group.some(({ value }) => value.length === 2) ? large : ok(undefined))
      await turn()
    }
    expect(await Promise.all(sent)).toEqual([ok(undefined), large, ok(undefined)])
    expect(sizes(lanes[0])).toEqual([[1, 2, 3], [1], [2, 3], [2], [3]])
    expect(sink.failure).toBeUndefined()
  })
})

describe('closing', () => {
  test('waits for what was taken, and takes nothing more', async () => {
    const { sink, lanes, clock } = sinkOn(1)
    const sent = sink.send([record(1)])
    let closed = false
    const closing = sink.close().then(() => (closed = true))
    expect(await sink.send([record(2)])).toMatchObject({ error: { code: 'draining' } })
    await clock.pass(100)
    expect(closed).toBe(false)
    lanes[0]!.answers[0]!(ok(undefined))
    await clock.pass(100)
    await closing
    expect([await sent, lanes[0]!.closed]).toEqual([ok(undefined), true])
  })

  test('does not wait for ever', async () => {
    const { sink, clock } = sinkOn(1)
    const sent = [sink.send([record(1)])]
    await clock.pass(LINGER)
    sent.push(sink.send([record(2)]))
    const closing = sink.close()
    await clock.pass(limits.drainMsMax + 1000)
    await closing
    expect(await sent[1]).toMatchObject({ error: { code: 'draining' } })
  })
})
