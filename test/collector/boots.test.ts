import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Boots, Fingerprints } from '../../src/collector/boots.ts'

const boot = (id: number): Uint32Array => Uint32Array.of(id, 0, id % 3, 7)

/** Batches of an honest boot: numbers grow with seq, some batches and some numbers are missing. */
const honest = fc
  .array(fc.record({ skipSeq: fc.nat(2), skipNumbers: fc.nat(3), count: fc.nat(4) }), {
    minLength: 1,
    maxLength: 30,
  })
  .map((steps) => {
    let seq = -1
    let first = 0
    return steps.map(({ skipSeq, skipNumbers, count }) => {
      seq += 1 + skipSeq
      const at = first + skipNumbers
      first = at + count
      return { seq, first: at, count }
    })
  })

describe('boots', () => {
  test('take every batch of an honest boot once, in any order and with repeats', () => {
    const cases = honest.chain((batches) =>
      fc.tuple(
        fc.constant(batches),
        fc.array(fc.nat(batches.length - 1), { maxLength: 90 }),
        fc.shuffledSubarray(batches, { minLength: batches.length, maxLength: batches.length }),
      ),
    )
    fc.assert(
      fc.property(cases, ([batches, order, rest]) => {
        const boots = new Boots()
        const taken = new Set<number>()
        for (const batch of [...order.map((i) => batches[i]!), ...rest]) {
          const identity = { boot: boot(1), ...batch }
          const expected = taken.has(batch.seq) ? 'known' : 'new'
          expect(boots.look(identity)).toBe(expected)
          if (expected === 'new') boots.take(identity)
          taken.add(batch.seq)
        }
        expect(boots.size).toBe(1)
      }),
    )
  })

  test('refuse numbers that another batch has', () => {
    const boots = new Boots()
    boots.take({ boot: boot(1), seq: 0, first: 0, count: 10 })
    boots.take({ boot: boot(1), seq: 5, first: 50, count: 10 })
    expect(boots.look({ boot: boot(1), seq: 1, first: 9, count: 1 })).toBe('overlap')
    expect(boots.look({ boot: boot(1), seq: 3, first: 45, count: 6 })).toBe('overlap')
    expect(boots.look({ boot: boot(1), seq: 6, first: 59, count: 1 })).toBe('overlap')
    expect(boots.look({ boot: boot(1), seq: 3, first: 45, count: 5 })).toBe('new')
    expect(boots.look({ boot: boot(2), seq: 1, first: 9, count: 1 })).toBe('new')
  })

  test('remember a refused batch without its numbers', () => {
    const boots = new Boots()
    boots.take({ boot: boot(1), seq: 0, first: 0, count: 10 })
    boots.take({ boot: boot(1), seq: 1, first: 5, count: 10 }, false)
    expect(boots.look({ boot: boot(1), seq: 1, first: 5, count: 10 })).toBe('known')
    expect(boots.look({ boot: boot(1), seq: 2, first: 10, count: 10 })).toBe('new')
  })

  test('keep boots apart however many there are', () => {
    const boots = new Boots()
    for (let id = 0; id < 20_000; id++)
      boots.take({ boot: boot(id), seq: id % 2, first: id, count: 1 })
    expect(boots.size).toBe(20_000)
    for (let id = 0; id < 20_000; id++) {
      expect(boots.look({ boot: boot(id), seq: id % 2, first: id, count: 1 })).toBe('known')
      expect(boots.look({ boot: boot(id), seq: 2, first: id + 1, count: 1 })).toBe('new')
    }
  })

  test('are full at their bound, and still know who they know', () => {
    const boots = new Boots(2)
    boots.take({ boot: boot(1), seq: 0, first: 0, count: 1 })
    boots.take({ boot: boot(2), seq: 0, first: 0, count: 1 })
    expect(boots.look({ boot: boot(3), seq: 0, first: 0, count: 1 })).toBe('full')
    expect(boots.look({ boot: boot(2), seq: 0, first: 0, count: 1 })).toBe('known')
    expect(boots.look({ boot: boot(2), seq: 1, first: 1, count: 1 })).toBe('new')
  })
})

describe('fingerprints', () => {
  test('are recalled until pushed out, and never those of another batch', () => {
    const fingerprints = new Fingerprints(64)
    for (let id = 0; id < 1000; id++) fingerprints.remember(boot(id), id, id * 3)
    let recalled = 0
    for (let id = 0; id < 1000; id++) {
      const value = fingerprints.recall(boot(id), id)
      if (value !== undefined) {
        recalled++
        expect(value).toBe(id * 3)
      }
      expect(fingerprints.recall(boot(id), id + 1)).toBeUndefined()
    }
    expect(recalled).toBeGreaterThan(20)
    expect(recalled).toBeLessThanOrEqual(64)
  })
})
