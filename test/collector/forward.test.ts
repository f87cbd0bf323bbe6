/** A collector in front of a broker answers once the broker has everything, in the order that the ledger needs, and never for less. */
import { describe, expect, test } from 'vitest'
import { error } from '../../src/base/errors.ts'
import { limits } from '../../src/base/limits.ts'
import { failed, ok, type Result } from '../../src/base/result.ts'
import { IntakeCounts } from '../../src/collector/counts.ts'
import { Forward } from '../../src/collector/forward.ts'
import type { RequestFacts } from '../../src/collector/intake.ts'
import type { RecordSink, StreamRecord } from '../../src/log/records.ts'
import { schemasOf } from '../../src/platform/schemas.ts'
import { lockAfter, optional, required, specSet } from '../spec/support.ts'
import { read } from '../support/records.ts'

const specs = specSet({
  t: { i: required({ kind: 'int' }), j: optional({ kind: 'json' }) },
})
const schemas = schemasOf({ specs, lock: lockAfter(specs) })
const FACTS: RequestFacts = {
  received: Date.UTC(2026, 10, 25),
  source: 'web',
  enrichment: { robot: false },
}

/** A broker of the test: takes what it is sent when the test says so. */
class Broker implements RecordSink {
  readonly sent: (readonly StreamRecord[])[] = []
  readonly answers: ((result: Result<void>) => void)[] = []
  failure: RecordSink['failure']
  readonly counts = {
    records: 0,
    bytes: 0,
    waitingBytes: 0,
    waitingRecords: 0,
    requests: 0,
    failures: new Map(),
  }

  send(records: readonly StreamRecord[]): Promise<Result<void>> {
    this.sent.push(records)
    return new Promise((resolve) => this.answers.push(resolve))
  }

  close(): Promise<void> {
    return Promise.resolve()
  }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

function platform(): { broker: Broker; forward: Forward; counts: IntakeCounts } {
  const broker = new Broker()
  const counts = new IntakeCounts()
  const times = { pastDays: 30, futureMs: 60_000 }
  return {
    broker,
    counts,
    forward: new Forward({ schemas, sink: broker, counts, development: false, times }),
  }
}

function batch(seq: number, values: readonly unknown[]): string {
  const count = values.length
  const boot = 'Vx3kP0aZ8mQe5rT1uY7wLg'
  const head = { boot, seq, first: 100 * seq, count, sent: 9000, booted: FACTS.received - 9000 }
  const n = values.map((_, i) => i)
  const chunk = { type: 't', n, at: n.map((i) => 8000 + i), cols: { i: values } }
  return `${JSON.stringify(head)}\n${JSON.stringify(chunk)}\n`
}

const topics = (records: readonly StreamRecord[] | undefined): string[] =>
  (records ?? []).map(({ topic }) => topic)

describe('a body', () => {
  test('is answered when rows and then the ledger are durable', async () => {
    const { broker, forward, counts } = platform()
    let answer: unknown
    const taking = forward
      .take(Buffer.from(batch(0, [1, 'x', 3]) + batch(1, [])), FACTS)
      .then((it) => (answer = it))
    await turn()
    expect(broker.sent.map(topics)).toEqual([['events.t', 'quarantine']])
    broker.answers[0]!(ok(undefined))
    await turn()
    expect(broker.sent.map(topics)[1]).toEqual(['batches', 'batches'])
    expect([answer, counts.batches]).toEqual([undefined, 0])
    broker.answers[1]!(ok(undefined))
    await taking
    expect(answer).toMatchObject({ status: 200 })
    expect(JSON.parse((answer as { body: string }).body)).toMatchObject({
      batches: [
        { seq: 0, status: 'accepted', events: 3, quarantined: 1 },
        { seq: 1, status: 'accepted', events: 0 },
      ],
    })
    expect(counts).toMatchObject({ batches: 2, landed: 2, quarantined: 1 })
  })

  test.each([0, 1])('is not answered for where send %i fails', async (which) => {
    const { broker, forward, counts } = platform()
    const taking = forward.take(Buffer.from(batch(0, [1])), FACTS)
    await turn()
    if (which === 1) broker.answers[0]!(ok(undefined))
    await turn()
    broker.answers[which]!(failed(error('overloaded', 'too many bytes wait')))
    expect(await taking).toMatchObject({ status: 429, retryAfterSeconds: limits.retryAfterSeconds })
    expect(broker.sent).toHaveLength(which + 1)
    expect(counts).toMatchObject({ batches: 0, landed: 0 })
  })

  test('that cannot be read is kept as bytes, and answered 400', async () => {
    const { broker, forward } = platform()
    const taking = forward.take(Buffer.from('{"n":\n'), FACTS)
    await turn()
    expect(broker.sent[0]!.map(({ key }) => key)).toEqual([null])
    expect(read(broker.sent[0]![0]!)).toMatchObject({
      reason: 'line_not_json',
      bytes: Buffer.from('{"n":\n').toString('base64'),
      events: 0,
    })
    broker.answers[0]!(ok(undefined))
    expect(await taking).toMatchObject({ status: 400 })
    expect(broker.sent).toHaveLength(1)
  })

  test('that cannot be decompressed is kept as bytes, and answered 400', async () => {
    const { broker, forward, counts } = platform()
    const taking = forward.corrupt(Buffer.from([1, 2, 3]), FACTS, 'not gzip')
    await turn()
    broker.answers[0]!(ok(undefined))
    expect(await taking).toMatchObject({ status: 400 })
    expect(counts.unread).toEqual(new Map([['body_corrupt', 1]]))
  })

  test('with nothing in it is refused', async () => {
    const { broker, forward } = platform()
    expect(await forward.take(Buffer.from('\n\n'), FACTS)).toMatchObject({ status: 400 })
    expect(broker.sent).toEqual([])
  })

  test('with a row too large for a record is refused whole', async () => {
    const { broker, forward } = platform()
    // A double of four characters takes more than twenty as JSON is written.
    const large = `[${'1e20,'.repeat(500_000)}1]`
    const [head] = batch(1, [1]).split('\n')
    const chunk = `{"type":"no_such","n":[0],"at":[1],"cols":{"i":${large}}}`
    const body = Buffer.from(`${batch(0, [1])}${head}\n${chunk}\n`)
    expect(await forward.take(body, FACTS)).toMatchObject({ status: 413 })
    expect(broker.sent).toEqual([])
  })
})

test('it is ready while the broker is', () => {
  const { broker, forward } = platform()
  expect(forward.ready()).toEqual([])
  broker.failure = error('not_ready', 'no broker')
  expect(forward.ready()).toEqual([broker.failure.message])
})
