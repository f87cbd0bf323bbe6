/** Batches: when they close, what they hold, and the numbers that make them whole. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import * as limits from '../../src/base/client-limits.ts'
import { type SentBatch, world } from './support.ts'

const counts = (batches: readonly SentBatch[]): number[] => batches.map(({ count }) => count)

describe('a batch is closed', () => {
  test('by the count of its events', async () => {
    const { log, transport, clock } = world({ batchEvents: 3 })
    for (let i = 0; i < 7; i++) log('a', { i })
    await clock.advance(0)
    expect(counts(transport.batches)).toEqual([3, 3])
  })

  test('at the count of the limits where none is given', async () => {
    const { log, transport, clock } = world()
    for (let i = 0; i < limits.clientBatchEventsMax + 1; i++) log('a', { i })
    await clock.advance(0)
    expect(counts(transport.batches)).toEqual([limits.clientBatchEventsMax])
  })

  test('by its bytes, before the event that would be too much', async () => {
    const { log, transport, clock, client } = world({ batchBytes: 1000, batchEvents: 1000 })
    for (let i = 0; i < 10; i++) log('a', { text: 'x'.repeat(300) })
    await clock.advance(0)
    expect(counts(transport.batches)).toEqual([3, 3, 3])
    log('a', { text: 'x'.repeat(5000) })
    await clock.advance(0)
    expect(counts(transport.batches)).toEqual([3, 3, 3, 1, 1])
    expect(client.stats).toMatchObject({ accepted: 11, queued: 0 })
  })

  test('by the age of its first event', async () => {
    const { log, transport, clock } = world({ flushMs: 700 })
    log('a')
    await clock.advance(600)
    log('a')
    expect(transport.bodies).toHaveLength(0)
    await clock.advance(99)
    expect(transport.bodies).toHaveLength(0)
    await clock.advance(1)
    expect(counts(transport.batches)).toEqual([2])
    log('a')
    await clock.advance(699)
    expect(transport.bodies).toHaveLength(1)
    await clock.advance(1)
    expect(counts(transport.batches)).toEqual([2, 1])
  })

  test('by a change of context, and only by a change', async () => {
    const { log, setContext, transport, client } = world({ context: { app: 'a' } })
    log('a')
    setContext({ app: 'a' })
    log('a')
    setContext({ app: 'b', member: 7 })
    log('a')
    setContext({ member: undefined })
    log('a')
    await client.flush()
    expect(transport.batches.map(({ ctx, count }) => [ctx, count])).toEqual([
      [{ app: 'a' }, 2],
      [{ app: 'b', member: 7 }, 1],
      [{ app: 'b' }, 1],
    ])
  })

  test('by flush, which leaves nothing to wait for', async () => {
    const { log, transport, client, clock } = world()
    expect(await client.flush()).toBe(true)
    expect(transport.bodies).toHaveLength(0)
    log('a')
    expect(await client.flush()).toBe(true)
    expect(counts(transport.batches)).toEqual([1])
    expect(clock.waiting).toEqual([])
  })
})

describe('a batch holds', () => {
  test('one column for each field, null where an event has none', async () => {
    const { log, transport, client, clock } = world()
    log('a', { x: 1 })
    await clock.advance(5)
    log('b', { z: 'only' })
    log('a', { y: true, x: null })
    await clock.advance(2.26)
    log('a', { y: undefined, x: 3 })
    await client.flush()
    expect(transport.batches[0]!.chunks).toEqual([
      {
        type: 'a',
        n: [0, 2, 3],
        at: [0, 5, 7.3],
        cols: { x: [1, null, 3], y: [null, true, null] },
      },
      { type: 'b', n: [1], at: [5], cols: { z: ['only'] } },
    ])
  })

  test('who sent it, when, and from where', async () => {
    const { log, transport, client, clock } = world({
      sdk: 'web/9',
      key: 'secret',
      url: 'http://collector/',
      context: { install: 'i' },
    })
    await clock.advance(40)
    log('a')
    await clock.advance(10.04)
    await client.flush()
    const [{ batches, request }] = transport.bodies as [(typeof transport.bodies)[0]]
    expect(request).toMatchObject({ url: 'http://collector/v1/events', key: 'secret' })
    expect(batches[0]).toMatchObject({
      boot: client.boot,
      seq: 0,
      first: 0,
      count: 1,
      sent: 50,
      booted: 1_763_900_000_000,
      sdk: 'web/9',
      ctx: { install: 'i' },
    })
    expect(batches[0]).not.toHaveProperty('rtt')
    expect(batches[0]).not.toHaveProperty('dropped')
  })

  test('the shortest round trip, once one is measured', async () => {
    const { log, transport, client, clock } = world()
    const trips = [80, 30.2, 200, 10]
    const { behave } = transport
    transport.behave = async (body, nth) => {
      await new Promise<void>((resolve) => clock.after(trips[nth - 1]!, resolve))
      return behave(body, nth)
    }
    for (let i = 0; i < 4; i++) {
      log('a')
      const flushed = client.flush()
      await clock.advance(500)
      expect(await flushed).toBe(true)
    }
    expect(transport.batches.map(({ rtt }) => rtt)).toEqual([undefined, 80, 30.2, 30.2])
  })
})

test('a boot is 128 random bits, another for each client', () => {
  const [one, other] = [
    world(),
    world({ random: { float: () => 0, bytes: (n) => new Uint8Array(n).fill(255) } }),
  ]
  expect(one.client.boot).toMatch(/^[\w-]{22}$/)
  expect(Buffer.from(one.client.boot, 'base64url')).toHaveLength(16)
  expect(Buffer.from(other.client.boot, 'base64url')).toEqual(Buffer.alloc(16, 255))
})

type Act =
  | { readonly kind: 'log'; readonly size: number; readonly good: boolean }
  | { readonly kind: 'context'; readonly value: number }
  | { readonly kind: 'flush' }
  | { readonly kind: 'wait'; readonly ms: number }

const act: fc.Arbitrary<Act> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('log' as const),
      size: fc.nat(400),
      good: fc.constantFrom(true, true, true, false),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('context' as const), value: fc.nat(2) }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'flush' as const }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.nat(3000) }) },
)

test('whatever the app does and the network fails to do, numbers are whole: every one is in one batch or one drop report', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(act, { maxLength: 60 }),
      fc.infiniteStream(fc.constantFrom('accept', 'accept', 'lose', 'break', 'busy', 'gateway')),
      async (acts, moods) => {
        const { log, setContext, client, clock, transport } = world({
          batchEvents: 4,
          batchBytes: 800,
        })
        const answer = transport.behave
        transport.behave = (body, nth) => {
          switch (moods.next().value) {
            case 'lose':
              return undefined
            case 'break':
              throw new Error('the connection broke')
            case 'busy':
              return { status: 503, body: '', retryAfter: '1' }
            case 'gateway':
              return { status: 502, body: '<html>' }
            default:
              return answer(body, nth)
          }
        }
        for (const each of acts) {
          if (each.kind === 'log')
            log('a', { text: 'x'.repeat(each.size), bad: each.good ? 1 : () => 1 })
          else if (each.kind === 'context') setContext({ app: each.value })
          else if (each.kind === 'flush') void client.flush()
          else await clock.advance(each.ms)
        }
        transport.behave = answer
        // First what is logged, then what was dropped at the end of it.
        for (let i = 0; i < 2; i++) {
          void client.flush({ timeoutMs: 600_000 })
          await clock.advance(600_000)
        }
        expectWhole(transport.batches, client.stats.numbered)
        expect(client.stats.queued).toBe(0)
        expect(transport.inFlightMax).toBeLessThanOrEqual(1)
      },
    ),
    { numRuns: 60 },
  )
})

/** Of the attempts at each batch: the same lines each time; and over all batches and reports every number once. */
function expectWhole(attempts: readonly SentBatch[], numbered: number): void {
  const batches = new Map<number, SentBatch>()
  for (const attempt of attempts) {
    const known = batches.get(attempt.seq)
    if (known !== undefined) {
      const { lines, first, count, ctx, dropped } = known
      expect(attempt).toMatchObject({ lines, first, count, ctx, ...(dropped && { dropped }) })
    }
    batches.set(attempt.seq, attempt)
  }
  const inOrder = [...batches.values()].toSorted((a, b) => a.seq - b.seq)
  expect(inOrder.map(({ seq }) => seq)).toEqual(inOrder.map((_, i) => i))
  const seen = new Array<number>(numbered).fill(0)
  let end = 0
  for (const { first, count, chunks, dropped = [] } of inOrder) {
    expect(first).toBeGreaterThanOrEqual(end)
    end = first + count
    const offsets = chunks.flatMap(({ n }) => n).toSorted((a, b) => a - b)
    expect(offsets).toEqual(Array.from({ length: count }, (_, i) => i))
    for (let n = first; n < end; n++) seen[n]!++
    for (const [, from, many] of dropped) for (let n = from; n < from + many; n++) seen[n]!++
  }
  expect(seen).toEqual(new Array<number>(numbered).fill(1))
}
