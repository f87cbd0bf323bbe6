/** Completeness: what is reckoned batch by batch is what counting all batches at once gives, whatever their order and after a restart. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { limits } from '../../src/base/limits.ts'
import type { LedgerEntry } from '../../src/columns/ledger-entry.ts'
import { claimSummaries } from '../../src/engine/claims.ts'
import {
  type Claim,
  Completeness,
  type CompletenessOptions,
} from '../../src/engine/completeness.ts'

const MINUTE = 60_000
const START = Date.UTC(2026, 0, 1, 0, 0, 20)

/** The claim by definition (PROTOCOL.md §15), from all batches at once. */
function counted(arrivals: readonly LedgerEntry[], options: CompletenessOptions): Claim {
  const asOf = Math.max(...arrivals.map(({ received }) => received))
  const firstMinute = Math.floor((asOf - limits.completenessMemoryMs) / MINUTE)
  const minuteOf = (time: number): number => Math.floor(time / MINUTE)
  const boots = Map.groupBy(arrivals, ({ boot }) => boot)
  const untyped: { at: number; numbers: number }[] = []
  const pending: { from: number; numbers: number }[] = []
  const ends: number[] = []
  const typed: { at: number; type: string; landed: number; quarantined: number }[] = []
  for (const all of boots.values()) {
    const bySeq = new Map<number, LedgerEntry>()
    for (const entry of all) if (!bySeq.has(entry.seq)) bySeq.set(entry.seq, entry)
    const batches = [...bySeq.values()].sort((a, b) => a.seq - b.seq)
    const timeOf = ({ newest, received }: LedgerEntry): number =>
      Math.min(newest ?? received, received)
    for (const [i, batch] of batches.entries()) {
      const before = batches[i - 1]
      const from = before === undefined ? Math.min(batch.zero, batch.received) : timeOf(before)
      const numbers = batch.first - (before === undefined ? 0 : before.first + before.count)
      const skipped = batch.seq > (before === undefined ? 0 : before.seq + 1)
      untyped.push({ at: minuteOf(from), numbers })
      if (skipped && asOf - batch.received < options.patienceMs && minuteOf(from) >= firstMinute) {
        pending.push({ from, numbers })
      }
      const at = minuteOf(timeOf(batch))
      const known = batch.types.reduce(
        (sum, { landed, quarantined }) => sum + landed + quarantined,
        0,
      )
      untyped.push({ at, numbers: batch.count - known })
      for (const count of batch.types) typed.push({ at, ...count })
    }
    const heard = Math.max(...batches.map(({ received }) => received))
    if (asOf - heard < options.silenceMs) ends.push(Math.max(...batches.map(timeOf)))
  }
  const remembered = <T extends { at: number }>(items: T[]): T[] =>
    items.filter(({ at }) => at >= firstMinute)
  const total = (items: readonly { numbers: number }[]): number =>
    items.reduce((sum, { numbers }) => sum + numbers, 0)
  const known = (items: readonly { landed: number; quarantined: number }[]): number =>
    items.reduce((sum, { landed, quarantined }) => sum + landed + quarantined, 0)
  const tolerated = (count: number): number => Math.floor(count * (1 - options.objective) + 1e-9)
  const most = tolerated(total(remembered(untyped)) + known(remembered(typed)))
  const through = [
    asOf,
    ends.sort((a, b) => a - b)[tolerated(ends.length)] ?? Infinity,
    // The earliest start of a gap at which the numbers of it and all earlier ones are too many.
    ...pending.flatMap(({ from }) =>
      total(pending.filter((gap) => gap.from <= from)) > most ? [from] : [],
    ),
  ]
  const validThrough = Math.min(...through)
  const last = minuteOf(validThrough)
  const inWindow = <T extends { at: number }>(items: T[]): T[] =>
    remembered(items).filter(({ at }) => at <= last && at > last - 60)
  const counts = inWindow(typed)
  const unknown = total(inWindow(untyped))
  const landed = counts.reduce((sum, each) => sum + each.landed, 0)
  const expected = known(counts) + unknown
  const share = expected === 0 ? 1 : landed / expected
  const types = [...Map.groupBy(counts, ({ type }) => type)].map(([type, each]) => {
    const own = { landed: each.reduce((sum, { landed: one }) => sum + one, 0), known: known(each) }
    const wanted = known(counts) === 0 ? own.known : (own.known * expected) / known(counts)
    return [
      type,
      {
        landed: own.landed,
        expected: Math.round(wanted),
        share: wanted === 0 ? 1 : own.landed / wanted,
        least: own.known === 0 ? 1 : own.landed / (own.known + unknown),
      },
    ] as const
  })
  return {
    validThrough: Math.floor(validThrough),
    all: { landed, expected, share, least: share },
    types: new Map(types),
  }
}

const batch = fc.record({
  events: fc.array(
    fc.record({
      type: fc.constantFrom('a', 'b', 'c'),
      landed: fc.nat(5),
      quarantined: fc.nat(2),
    }),
    { maxLength: 2 },
  ),
  missing: fc.nat(2),
  dropped: fc.oneof({ weight: 4, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.nat(20) }),
  arrives: fc.boolean(),
  repeated: fc.boolean(),
  // Later than what follows it, but by less than a restart reads back.
  delayMs: fc.oneof(fc.nat(20_000), fc.nat(limits.completenessOvertakenMs - MINUTE)),
  ageMs: fc.oneof(fc.nat(30_000), fc.nat(4 * 3600_000), fc.constant(-5000)),
})

/** Batches of a few boots in the order they were received, some of them never, some twice. */
const arrivals = fc
  .uniqueArray(
    fc.record({
      boot: fc.uuid(),
      startMs: fc.nat(4 * 3600_000),
      stepMs: fc.oneof(fc.nat(60_000), fc.nat(3600_000)),
      beforeMs: fc.nat(3 * 3600_000),
      batches: fc.array(batch, { minLength: 1, maxLength: 12 }),
    }),
    { minLength: 1, maxLength: 6, selector: ({ boot }) => boot },
  )
  .map((boots) =>
    boots
      .flatMap(({ boot, startMs, stepMs, beforeMs, batches }) => {
        const zero = START + startMs - beforeMs
        let next = 0
        return batches.flatMap((each, seq) => {
          const types = each.events.filter(({ landed, quarantined }) => landed + quarantined > 0)
          const first = next + each.dropped
          const count =
            each.missing + types.reduce((sum, type) => sum + type.landed + type.quarantined, 0)
          next = first + count
          const received = START + startMs + seq * stepMs + each.delayMs
          const newest = types.length === 0 ? undefined : received - each.ageMs
          const entry = { boot, seq, first, count, received, zero, newest, types }
          const twice = each.repeated ? [entry, { ...entry, received: received + 1000 }] : [entry]
          return each.arrives ? twice : []
        })
      })
      .sort((a, b) => a.received - b.received),
  )
  .filter((all) => all.length > 0)

const options = fc.record({
  objective: fc.constantFrom(0.5, 0.9, 0.99, 1),
  silenceMs: fc.constantFrom(60_000, 1_800_000),
  patienceMs: fc.constantFrom(60_000, 1_800_000),
})

/** What has been forgotten makes a claim about a time before the memory earlier still, and no other claim different. */
function expectSame(claim: Claim | undefined, wanted: Claim, asOf: number): void {
  if (wanted.validThrough >= asOf - limits.completenessMemoryMs) expect(claim).toEqual(wanted)
  else expect(claim?.validThrough).toBeLessThanOrEqual(wanted.validThrough)
}

function folded(entries: readonly LedgerEntry[], how: CompletenessOptions): Completeness {
  const completeness = new Completeness(how)
  for (const entry of entries) completeness.fold(entry)
  return completeness
}

describe('the claim', () => {
  test('is what counting everything at once gives, after every batch', () => {
    fc.assert(
      fc.property(arrivals, options, (all, how) => {
        const completeness = new Completeness(how)
        for (const [i, entry] of all.entries()) {
          completeness.fold(entry)
          // A claim in between must not change what later ones say.
          if (i % 3 !== 0 && i < all.length - 1) continue
          expectSame(completeness.claim(), counted(all.slice(0, i + 1), how), entry.received)
        }
      }),
      { numRuns: 500 },
    )
  })

  test('is the same after a restart that reads what the memory holds, and replays some twice', () => {
    fc.assert(
      fc.property(arrivals, options, fc.nat(20), (all, how, most) => {
        const asOf = all.at(-1)!.received
        const recent = all.filter(
          ({ received }) =>
            received >= asOf - limits.completenessMemoryMs - limits.completenessOvertakenMs,
        )
        // An epoch that is tried again is folded again.
        const replayed = recent.slice(-most).filter(({ received }) => asOf - received < 60 * MINUTE)
        const again = folded([...recent, ...replayed], how)
        expectSame(again.claim(), folded(all, how).claim()!, asOf)
      }),
      { numRuns: 300 },
    )
  })
})

const HOW: CompletenessOptions = { objective: 0.999, silenceMs: MINUTE, patienceMs: 10 * MINUTE }

function arrival(over: Partial<LedgerEntry>): LedgerEntry {
  const received = over.received ?? START
  return {
    boot: 'one',
    seq: 0,
    first: 0,
    count: 10,
    received,
    zero: START - 5000,
    newest: received - 100,
    types: [{ type: 'a', landed: over.count ?? 10, quarantined: 0 }],
    ...over,
  }
}

describe('valid through', () => {
  test('waits for a batch that later ones overtook, and gives it up as lost', () => {
    const completeness = folded(
      [arrival({}), arrival({ seq: 2, first: 20, received: START + 30_000 })],
      HOW,
    )
    expect(completeness.claim()?.validThrough).toBe(START - 100)
    expect(completeness.claim()?.all).toMatchObject({ landed: 20, expected: 30 })
    const later = START + 30_000 + HOW.patienceMs
    completeness.fold(arrival({ seq: 3, first: 30, received: later }))
    expect(completeness.claim()?.validThrough).toBe(later - 100)
    expect(completeness.claim()?.all).toMatchObject({ landed: 30, expected: 40 })
    completeness.fold(arrival({ seq: 1, first: 10, received: later + 5000, newest: START + 500 }))
    expect(completeness.claim()?.all).toMatchObject({ landed: 40, expected: 40, share: 1 })
  })

  test('waits for a device that was heard of lately, and not for one that fell silent', () => {
    const completeness = folded(
      [arrival({}), arrival({ boot: 'two', received: START + 30_000 })],
      HOW,
    )
    expect(completeness.claim()?.validThrough).toBe(START - 100)
    completeness.fold(arrival({ boot: 'two', seq: 1, first: 10, received: START + MINUTE }))
    expect(completeness.claim()?.validThrough).toBe(START + MINUTE - 100)
    expect(completeness.active).toBe(1)
  })

  test('goes back when a device sends what it kept, and is not held by a boot from before the memory', () => {
    const day = 24 * 3600_000
    const completeness = folded([arrival({})], HOW)
    completeness.fold(
      arrival({ boot: 'kept', seq: 5, first: 50, zero: START - day, newest: START - day / 2 }),
    )
    expect(completeness.claim()?.validThrough).toBe(START - day / 2)
    completeness.fold(
      arrival({ boot: 'kept', seq: 6, first: 60, zero: START - day, received: START + 10 }),
    )
    expect(completeness.claim()?.validThrough).toBe(START - 100)
    expect(completeness.claim()?.all.share).toBe(1)
  })
})

test('a client that makes numbers up counts for a bounded number of them', () => {
  const completeness = folded([arrival({}), arrival({ boot: 'liar', first: 2 ** 52 })], HOW)
  expect(completeness.claim()?.all.expected).toBe(20 + limits.completenessGapMax)
})

test('over the bound of boots the one heard of longest ago is forgotten, with all that was before', () => {
  const completeness = new Completeness({ ...HOW, bootsMax: 2 })
  for (let i = 0; i < 4; i++) {
    completeness.fold(arrival({ boot: `boot ${i}`, received: START + i * 2 * MINUTE }))
  }
  expect(completeness.claim()?.all.landed).toBe(20)
})

test('properties round shares down, so that 1 says that nothing is missing', () => {
  const lost = arrival({ count: 10_000_001, types: [{ type: 'a', landed: 1e7, quarantined: 0 }] })
  const summaries = claimSummaries(folded([lost], HOW).claim(), ['a', 'b', 'batches'])
  expect(summaries.get('a')).toEqual({
    'headwater.valid-through-ms': String(START - 100),
    'headwater.landed': '10000000',
    'headwater.expected': '10000001',
    'headwater.complete-share': '0.999999',
    'headwater.complete-share-min': '0.999999',
  })
  expect(summaries.get('b')).toEqual({ 'headwater.valid-through-ms': String(START - 100) })
  expect(summaries.get('batches')).toMatchObject({ 'headwater.expected': '10000001' })
})
