/** Delivery: one request at a time, repeats that wait, answers that are acted on, and drops that are counted and reported. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import * as limits from '../../src/base/client-limits.ts'
import { seededRandom } from '../../src/base/random.ts'
import type { DropReason } from '../../src/client/drops.ts'
import { accept, type Behaviour, refuse, type SentBatch, type World, world } from './support.ts'

/** A `random` that always draws the same. */
const always = (float: number): { float(): number; bytes(count: number): Uint8Array } => ({
  float: () => float,
  bytes: (count) => new Uint8Array(count),
})

/** Milliseconds between the attempts at one batch while the collector says `behave`. */
async function waits(behave: Behaviour, attempts: number, chance = 1): Promise<number[]> {
  const { log, clock, transport } = world({ random: always(chance), batchEvents: 1 })
  transport.behave = behave
  const at: number[] = []
  transport.behave = (body, nth) => {
    at.push(clock.monotonic())
    return behave(body, nth)
  }
  log('a')
  while (at.length < attempts) {
    await clock.advance(0)
    const [next] = clock.waiting
    if (next === undefined) break
    await clock.advance(next)
  }
  return at.slice(1).map((time, i) => time - at[i]!)
}

/** Answers for the first `batches` of a body alone. */
const acceptFirst =
  (batches: number): Behaviour =>
  (body, nth) =>
    accept({ ...body, batches: body.batches.slice(0, batches) }, nth)

const distinct = (batches: readonly SentBatch[]): number[] => [
  ...new Set(batches.map(({ seq }) => seq)),
]

describe('requests', () => {
  test('are sent one at a time; batches closed meanwhile go together in the next body', async () => {
    const { log, clock, transport, client } = world({ batchEvents: 1 })
    let release: () => void = () => {}
    transport.behave = async (body, nth) => {
      if (nth === 1) await new Promise<void>((resolve) => (release = resolve))
      return accept(body, nth)
    }
    for (let i = 0; i < 6; i++) log('a')
    await clock.advance(0)
    expect(transport.bodies).toHaveLength(1)
    release()
    await clock.advance(0)
    expect(transport.bodies.map(({ batches }) => batches.length)).toEqual([1, 5])
    expect(transport.inFlightMax).toBe(1)
    expect(client.stats).toMatchObject({ accepted: 6, queued: 0 })
  })

  test('hold no more batches than the bound, in order', async () => {
    const { log, clock, transport } = world({ batchEvents: 1 })
    transport.behave = (body, nth) => (nth === 1 ? refuse(503)(body, nth) : accept(body, nth))
    for (let i = 0; i < 50; i++) log('a')
    await clock.advance(60_000)
    const { length } = transport.bodies[1]!.batches
    expect(length).toBe(limits.clientBodyBatchesMax)
    expect(distinct(transport.batches)).toEqual(Array.from({ length: 50 }, (_, i) => i))
  })

  test('hold no more characters than the bound', async () => {
    const { log, clock, transport } = world({ batchEvents: 1, batchBytes: 200_000 })
    transport.behave = (body, nth) => (nth === 1 ? refuse(503)(body, nth) : accept(body, nth))
    for (let i = 0; i < 9; i++) log('a', { text: 'x'.repeat(100_000) })
    await clock.advance(60_000)
    const sizes = transport.bodies.map(({ text }) => text.length)
    expect(Math.max(...sizes)).toBeLessThanOrEqual(limits.clientBodyBytesMax)
    expect(Math.max(...sizes)).toBeGreaterThan(limits.clientBodyBytesMax / 2)
  })

  test('are given up after a while, and what they held is sent again', async () => {
    const { log, clock, transport, client } = world({ batchEvents: 1 })
    // Silence: not even giving up is answered.
    transport.behave = (body, nth) =>
      nth === 1 ? new Promise<undefined>(() => {}) : accept(body, nth)
    log('a')
    await clock.advance(limits.clientRequestMsMax - 1)
    expect(transport.bodies[0]!.request.signal.aborted).toBe(false)
    await clock.advance(1)
    expect(transport.bodies[0]!.request.signal.aborted).toBe(true)
    await clock.advance(limits.clientRetryMsMin)
    expect(transport.bodies).toHaveLength(2)
    expect(client.stats).toMatchObject({ accepted: 1, queued: 0 })
  })

  test('of a transport that throws at once are sent again', async () => {
    const failing = {
      send: () => {
        throw new Error('not made for this')
      },
    }
    const { log, clock, client } = world({ batchEvents: 1, transport: failing })
    log('a')
    await clock.advance(0)
    expect(clock.waiting).toHaveLength(1)
    expect(client.stats).toMatchObject({ accepted: 0, queued: 1 })
  })
})

describe('a repeat waits', () => {
  const transient: [string, Behaviour][] = [
    ['408', refuse(408)],
    ['429', refuse(429)],
    ['500', refuse(500)],
    ['503', refuse(503)],
    ['silence', () => undefined],
    [
      'a broken connection',
      () => {
        throw new Error('broken')
      },
    ],
  ]
  test.each(transient)('twice as long after each %s, up to a bound', async (_name, behave) => {
    const expected = [500, 1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000]
    expect(await waits(behave, 10)).toEqual(expected)
  })

  test.each<[string, Behaviour]>([
    ['401', refuse(401)],
    ['404', refuse(404)],
    ['a page in the way', () => ({ status: 200, body: '<html>Sign in</html>' })],
    ['an answer about nothing', () => ({ status: 200, body: '{"batches":[]}' })],
    ['another batch', () => ({ status: 200, body: '{"batches":[{"seq":99}]}' })],
    ['a redirect', () => ({ status: 302, body: '' })],
  ])(
    'long at once after %s, which only a person can mend, and keeps its queue',
    async (_name, behave) => {
      expect(await waits(behave, 4)).toEqual([60_000, 60_000, 60_000])
    },
  )

  test('a random part of that, so that devices do not come back together', async () => {
    expect(await waits(refuse(503), 4, 0.25)).toEqual([125, 250, 500])
    await fc.assert(
      fc.asyncProperty(fc.nat(), async (seed) => {
        const random = seededRandom(seed)
        const { log, clock, transport } = world({ random, batchEvents: 1 })
        transport.behave = refuse(503)
        log('a')
        for (let attempt = 0; attempt < 9; attempt++) {
          await clock.advance(0)
          const [wait] = clock.waiting
          expect(wait).toBeGreaterThanOrEqual(0)
          expect(wait).toBeLessThan(Math.min(500 * 2 ** attempt, 60_000))
          await clock.advance(wait!)
        }
      }),
      { numRuns: 20 },
    )
  })

  test('from the beginning again once something was accepted', async () => {
    const busy = refuse(503)
    const behave: Behaviour = (body, nth) => (nth === 4 ? accept(body, nth) : busy(body, nth))
    const { log, clock, transport } = world({ random: always(1), batchEvents: 1 })
    transport.behave = behave
    log('a')
    await clock.advance(500 + 1000 + 2000)
    expect(transport.bodies).toHaveLength(4)
    log('a')
    await clock.advance(0)
    expect(clock.waiting).toEqual([500])
  })

  test.each([
    ['seconds', '7', 7000],
    ['a date', new Date(1_763_900_012_000).toUTCString(), 12_000],
    ['too long', '999999999', limits.clientRetryAfterMsMax],
    ['no sense', 'soon', 0],
    ['the past', new Date(1_763_800_000_000).toUTCString(), 0],
    ['a negative number', '-5', 0],
  ])('as long as Retry-After says in %s, and a random part on top', async (_name, header, ms) => {
    expect(await waits(refuse(503, header), 2, 0.5)).toEqual([ms + 250])
  })

  test('which flush cuts short, unless the collector asked for it', async () => {
    const { log, clock, transport, client } = world({ random: always(1), batchEvents: 1 })
    transport.behave = refuse(503)
    log('a')
    await clock.advance(10)
    void client.flush()
    await clock.advance(0)
    expect(transport.bodies).toHaveLength(2)
    transport.behave = refuse(503, '5')
    void client.flush()
    await clock.advance(0)
    expect(transport.bodies).toHaveLength(3)
    void client.flush()
    await clock.advance(4999)
    expect(transport.bodies).toHaveLength(3)
  })
})

describe('a batch is the same to the byte in each attempt', () => {
  test('but for its time of sending', async () => {
    const { log, clock, transport } = world({ random: always(1), batchEvents: 2 })
    transport.behave = (body, nth) => (nth < 4 ? refuse(503)(body, nth) : accept(body, nth))
    log('a', { x: { deep: [1] } })
    log('a')
    await clock.advance(60_000)
    const [first, ...repeats] = transport.batches
    expect(repeats).toHaveLength(3)
    for (const { sent, ...repeat } of repeats) {
      expect(sent).toBeGreaterThan(first!.sent)
      expect({ ...repeat, sent: first!.sent }).toEqual(first)
    }
  })

  test('also when the app goes on to change what it logged', async () => {
    const { log, clock, transport } = world({ batchEvents: 2 })
    const fields = { list: [1], at: new Date(5), bytes: new Uint8Array([1]), text: 'a' }
    log('a', fields)
    fields.list.push(2)
    fields.at.setTime(9)
    fields.bytes[0] = 9
    fields.text = 'b'
    log('a', fields)
    await clock.advance(0)
    expect(transport.batches[0]!.chunks[0]!.cols).toEqual({
      list: [[1], [1, 2]],
      at: [5, 9],
      bytes: ['AQ==', 'CQ=='],
      text: ['a', 'b'],
    })
  })
})

describe('an answer', () => {
  test('counts what was accepted, held and known already', async () => {
    const { log, client, transport } = world({ batchEvents: 10 })
    transport.behave = ({ batches }) => ({
      status: 200,
      body: JSON.stringify({
        batches: batches.map(({ seq, count }) => ({
          seq,
          status: seq === 0 ? 'accepted' : 'duplicate',
          events: count,
          quarantined: seq === 0 ? 3 : 0,
        })),
      }),
    })
    for (let i = 0; i < 15; i++) log('a')
    await client.flush()
    const { stats } = client
    expect(stats).toMatchObject({
      numbered: 15,
      accepted: 15,
      quarantined: 3,
      duplicate: 5,
      queued: 0,
    })
  })

  test('settles the batches it names; the others are sent again at once', async () => {
    const { log, clock, transport, client } = world({ batchEvents: 1 })
    transport.behave = (body, nth) =>
      nth === 1 ? refuse(503)(body, nth) : acceptFirst(2)(body, nth)
    for (let i = 0; i < 6; i++) log('a')
    await clock.advance(60_000)
    expect(transport.bodies.map(({ batches }) => batches.map(({ seq }) => seq))).toEqual([
      [0],
      [0, 1, 2, 3, 4, 5],
      [2, 3, 4, 5],
      [4, 5],
    ])
    expect(client.stats).toMatchObject({ accepted: 6, queued: 0 })
  })

  test('is shown to the app, whose failure stops nothing', async () => {
    const answers: unknown[] = []
    const { log, client } = world({
      batchEvents: 1,
      onAnswer: (answer) => {
        answers.push(answer)
        throw new Error('of the app')
      },
    })
    log('a')
    log('a')
    expect(await client.flush()).toBe(true)
    expect(answers.length).toBeGreaterThan(0)
    expect(client.stats.accepted).toBe(2)
  })
})

interface Dropped extends World {
  readonly drops: [DropReason, number, number][]
}

function watched(options: Parameters<typeof world>[0] = {}): Dropped {
  const drops: [DropReason, number, number][] = []
  const onDrop = (...drop: [DropReason, number, number]): void => void drops.push(drop)
  return { ...world({ batchEvents: 1, random: always(1), onDrop, ...options }), drops }
}

describe('a body that is too large', () => {
  test('is halved until it fits', async () => {
    const { log, clock, transport, client, drops } = watched()
    transport.behave = (body, nth) => {
      if (nth === 1) return undefined
      return body.batches.length > 3 ? refuse(413)(body, nth) : accept(body, nth)
    }
    for (let i = 0; i < 20; i++) log('a')
    await clock.advance(500)
    const sizes = transport.bodies.map(({ batches }) => batches.length)
    expect(sizes).toEqual([1, 20, 10, 5, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2])
    expect(client.stats).toMatchObject({ accepted: 20, queued: 0 })
    expect(drops).toEqual([])
  })

  test('for all that it holds one batch is dropped, counted and reported', async () => {
    const { log, clock, transport, client, drops } = watched()
    transport.behave = (body, nth) =>
      body.text.includes('huge') ? refuse(413)(body, nth) : accept(body, nth)
    log('a', { x: 'huge' })
    log('a')
    await clock.advance(0)
    expect(drops).toEqual([['too_large', 0, 1]])
    expect(client.stats).toMatchObject({ accepted: 1, dropped: { too_large: 1 }, queued: 0 })
    expect(transport.batches.at(-1)!.dropped).toEqual([['too_large', 0, 1]])
  })
})

describe('drops', () => {
  test('of what cannot be read as a batch: nobody resends it for ever', async () => {
    const { log, clock, transport, client, drops } = watched()
    transport.behave = (body, nth) => (nth === 1 ? refuse(400)(body, nth) : accept(body, nth))
    log('a')
    await clock.advance(0)
    expect(drops).toEqual([['rejected', 0, 1]])
    expect(client.stats).toMatchObject({ dropped: { rejected: 1 }, queued: 0 })
    await clock.advance(limits.clientBatchAgeMsMax)
    // No event follows: a batch of none reports it.
    expect(transport.batches.at(-1)).toMatchObject({ count: 0, dropped: [['rejected', 0, 1]] })
  })

  test('of the oldest batches while the queue is full, never of those on their way', async () => {
    const { log, clock, transport, client, drops } = watched({ queueBatches: 30 })
    transport.behave = refuse(503)
    for (let i = 0; i < 100; i++) log('a', { i })
    await clock.advance(0)
    // Batch 0 was on its way when the queue became full.
    expect(drops.map(([reason, first]) => [reason, first])).toEqual(
      Array.from({ length: 70 }, (_, i) => ['queue_full', i + 1]),
    )
    expect(client.stats).toMatchObject({ numbered: 100, dropped: { queue_full: 70 }, queued: 30 })
    transport.behave = accept
    await clock.advance(60_000)
    expect(client.stats).toMatchObject({ accepted: 30, queued: 0 })
    const reports = transport.batches.filter(({ dropped }) => dropped !== undefined)
    expect(reports.map(({ dropped }) => dropped)).toEqual([[['queue_full', 1, 70]]])
  })

  test('at the bound in characters too', async () => {
    const { log, clock, transport, client } = watched({ queueBytes: 10_000 })
    transport.behave = refuse(503)
    for (let i = 0; i < 100; i++) log('a', { text: 'x'.repeat(1000) })
    await clock.advance(0)
    expect(client.stats.queued).toBeLessThan(10)
    expect(client.stats.dropped.queue_full).toBe(100 - client.stats.queued)
  })

  test('have a bound of their own, whatever the app does and however long the network is gone', async () => {
    const { log, clock, transport, client, setContext } = watched({ queueBatches: 5 })
    transport.behave = () => undefined
    for (let i = 0; i < 3000; i++) {
      log('a', i % 3 === 0 ? { x: () => 1 } : {})
      if (i % 7 === 0) setContext({ i })
      if (i % 100 === 0) await clock.advance(1000)
    }
    transport.behave = accept
    void client.flush({ timeoutMs: 200_000 })
    await clock.advance(200_000)
    void client.flush()
    await clock.advance(0)
    const batches = transport.batches
    expect(Math.max(...batches.map(({ dropped = [] }) => dropped.length))).toBeLessThanOrEqual(
      limits.clientDropReportsMax,
    )
    const reported = batches
      .filter((batch, i) => batches.findLastIndex(({ seq }) => seq === batch.seq) === i)
      .flatMap(({ dropped = [] }) => dropped)
      .reduce((sum, [, , count]) => sum + count, 0)
    const { dropped, accepted, numbered } = client.stats
    expect(Object.values(dropped).reduce((sum, count) => sum + count, 0)).toBe(reported)
    expect(accepted + reported).toBe(numbered)
  })

  test('are told to the app as they happen, whose failure stops nothing', async () => {
    const { log, client } = world({
      onDrop: () => {
        throw new Error('of the app')
      },
    })
    log('a', { x: NaN })
    log('a', { x: 1 })
    expect(await client.flush()).toBe(true)
    expect(client.stats).toMatchObject({ accepted: 1, dropped: { not_encodable: 1 } })
  })
})

describe('the end', () => {
  test('flush answers false when it takes too long, and the events are kept', async () => {
    const { log, clock, transport, client } = world()
    transport.behave = refuse(503, '60')
    log('a')
    const flushed = client.flush({ timeoutMs: 300 })
    await clock.advance(300)
    expect(await flushed).toBe(false)
    expect(client.stats.queued).toBe(1)
  })

  test('close sends what there is, reports what was refused, and stops', async () => {
    const { log, clock, transport, client } = watched({ batchEvents: 100 })
    transport.behave = (body, nth) => (nth === 1 ? refuse(400)(body, nth) : accept(body, nth))
    log('a')
    await client.close()
    expect(transport.batches.map(({ count, dropped }) => [count, dropped])).toEqual([
      [1, undefined],
      [0, [['rejected', 0, 1]]],
    ])
    log('a')
    expect(client.stats).toMatchObject({ numbered: 2, dropped: { rejected: 1, closed: 1 } })
    await clock.advance(3_600_000)
    expect(transport.bodies).toHaveLength(2)
    expect(clock.waiting).toEqual([])
  })

  test('close takes no longer than its bound; a later flush sends what was left', async () => {
    const { log, clock, transport, client } = watched()
    transport.behave = refuse(503)
    log('a')
    let closed = false
    void client.close().then(() => (closed = true))
    await clock.advance(limits.clientCloseMsMax - 1)
    expect(closed).toBe(false)
    await clock.advance(1)
    expect(closed).toBe(true)
    const { length } = transport.bodies
    await clock.advance(3_600_000)
    expect(transport.bodies).toHaveLength(length)
    transport.behave = accept
    const flushed = client.flush()
    await clock.advance(0)
    expect(await flushed).toBe(true)
    expect(client.stats).toMatchObject({ accepted: 1, queued: 0 })
  })

  test('close twice is close once', async () => {
    const { log, client, transport } = world()
    log('a')
    await Promise.all([client.close(), client.close()])
    expect(transport.bodies).toHaveLength(1)
  })
})
