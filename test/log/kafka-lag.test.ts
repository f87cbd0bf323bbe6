/** How far a group is behind, reckoned from what brokers say: on topics with known records, the oldest wait is found within what is promised. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { lagOf, type OffsetsAt, type Place } from '../../src/log/kafka/lag.ts'

const NOW = 1_700_000_000_000

/** Ages of records of one partition, oldest first, and how many of them are read. */
interface Partition {
  readonly topic: string
  readonly ages: readonly number[]
  readonly read: number
}

const partitions: fc.Arbitrary<Partition[]> = fc.array(
  fc
    .record({
      topic: fc.constantFrom('a', 'b'),
      ages: fc.array(fc.integer({ min: 0, max: 72 * 3_600_000 }), { maxLength: 12 }),
      share: fc.double({ min: 0, max: 1, noNaN: true }),
    })
    .map(({ topic, ages, share }) => ({
      topic,
      ages: ages.toSorted((one, other) => other - one),
      read: Math.floor(share * ages.length),
    })),
  { maxLength: 8 },
)

test('records are counted, and the oldest wait is found within an eighth or a second', async () => {
  await fc.assert(
    fc.asyncProperty(partitions, async (all) => {
      const places = all.map(({ topic, ages, read }, partition): Place => ({
        topic,
        partition,
        next: read,
        end: ages.length,
      }))
      let rounds = 0
      const offsetsAt: OffsetsAt = (asked) => {
        rounds++
        return Promise.resolve(
          asked.map(({ place, time }) =>
            all[place.partition]!.ages.findIndex((age) => NOW - age >= time),
          ),
        )
      }
      const lags = await lagOf(places, NOW, offsetsAt)
      expect([...lags.keys()].sort()).toEqual([...new Set(all.map(({ topic }) => topic))].sort())
      for (const [topic, { records, waitedMs }] of lags) {
        const left = all.filter((each) => each.topic === topic).flatMap((p) => p.ages.slice(p.read))
        expect(records).toBe(left.length)
        const oldest = Math.max(0, ...left)
        if (left.length === 0) expect(waitedMs).toBe(0)
        expect(waitedMs).toBeGreaterThanOrEqual(oldest)
        expect(waitedMs - oldest).toBeLessThanOrEqual(Math.max(1000, waitedMs / 8))
      }
      expect(rounds).toBeLessThan(40)
    }),
  )
})

test('nothing is asked where all is read', async () => {
  const place = { topic: 'a', partition: 0, next: 7, end: 7 }
  const never: OffsetsAt = () => Promise.reject(new Error('asked'))
  expect(await lagOf([place], NOW, never)).toEqual(new Map([['a', { records: 0, waitedMs: 0 }]]))
})
