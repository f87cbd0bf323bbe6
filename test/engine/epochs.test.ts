/** The queue between collector and engine: epochs of one day, in order, each handed over once, bounded, and reused clean. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { limits } from '../../src/base/limits.ts'
import { Epoch, type Schemas } from '../../src/columns/epoch.ts'
import { EpochQueue } from '../../src/engine/index.ts'
import { schemasOf } from '../../src/platform/schemas.ts'
import { lockAfter, optional, specSet } from '../spec/support.ts'

const specs = specSet({ tick: { i: optional({ kind: 'int' }) } })
const schemas: Schemas = schemasOf({ specs, lock: lockAfter(specs) })

/** Lands a frame of some rows, as the collector does. */
function land(epoch: Epoch, rows: number): void {
  epoch.frames += 1
  epoch.rows += rows
  for (let i = 0; i < rows; i++) epoch.batches.startRow()
}

describe('the queue', () => {
  test('hands over every row once, in order, whatever comes when', () => {
    const act = fc.oneof(
      {
        weight: 3,
        arbitrary: fc.record({
          kind: fc.constant('land' as const),
          rows: fc.nat(9),
          midnight: fc.boolean(),
        }),
      },
      { weight: 1, arbitrary: fc.constant({ kind: 'take' as const }) },
      { weight: 1, arbitrary: fc.constant({ kind: 'release' as const }) },
    )
    fc.assert(
      fc.property(fc.array(act, { maxLength: 80 }), (acts) => {
        const queue = new EpochQueue(schemas, 40)
        const taken: Epoch[] = []
        let day = 100
        let landed = 0
        let handed = 0
        let newest = 0
        const take = (): boolean => {
          const epoch = queue.take()
          if (epoch === undefined) return false
          expect(epoch.frames).toBeGreaterThan(0)
          expect(epoch.batches.rows).toBe(epoch.rows)
          expect(epoch.day).toBeGreaterThanOrEqual(newest)
          newest = epoch.day!
          handed += epoch.rows
          taken.push(epoch)
          return true
        }
        for (const each of acts) {
          if (each.kind === 'take') take()
          else if (each.kind === 'release') {
            const epoch = taken.shift()
            if (epoch !== undefined) queue.release(epoch)
          } else {
            if (each.midnight) day++
            const behind = queue.behind
            const epoch = queue.open(day)
            expect(epoch === undefined).toBe(behind)
            if (epoch === undefined) continue
            expect(epoch.day).toBe(day)
            expect(taken).not.toContain(epoch)
            land(epoch, each.rows)
            landed += each.rows
          }
          expect(queue.rows).toBe(landed - handed)
        }
        while (take());
        expect([handed, queue.rows, queue.next]).toEqual([landed, 0, undefined])
      }),
    )
  })

  test('takes no more while rows or epochs wait, and goes on when the engine has caught up', () => {
    const queue = new EpochQueue(schemas, 10)
    land(queue.open(1)!, 10)
    expect([queue.behind, queue.open(1)]).toEqual([true, undefined])
    const full = queue.take()!
    expect(queue.behind).toBe(true)
    queue.release(full)
    expect(queue.behind).toBe(false)
    for (let day = 2; !queue.behind; day++) {
      land(queue.open(day)!, 1)
      expect(day).toBeLessThan(10)
    }
    expect(queue.behind).toBe(true)
    expect(queue.take()?.day).toBe(2)
    expect(queue.behind).toBe(false)
  })

  test('says what is written next, closed epochs before the open one', () => {
    const queue = new EpochQueue(schemas)
    expect(queue.next).toBeUndefined()
    land(queue.open(1)!, 1)
    expect(queue.next).toMatchObject({ closed: false, epoch: { day: 1 } })
    land(queue.open(2)!, 1)
    expect(queue.next).toMatchObject({ closed: true, epoch: { day: 1 } })
  })

  test('closes an epoch that would become too many files', () => {
    const queue = new EpochQueue(schemas)
    const epoch = queue.open(1)!
    land(epoch, 1)
    Object.defineProperty(epoch, 'files', { value: limits.epochFilesMax + 1 })
    expect(queue.open(1)).not.toBe(epoch)
  })

  test('lets go of the memory of an epoch that grew beyond what is usual', () => {
    const queue = new EpochQueue(schemas)
    const large = queue.open(1)!
    land(large, 1)
    large.rows = limits.epochRowsFull + 1
    queue.release(queue.take()!)
    land(queue.open(2)!, 1)
    queue.take()
    expect(queue.open(3)).not.toBe(large)
  })

  test('gives an epoch back empty', () => {
    const queue = new EpochQueue(schemas)
    land(queue.open(1)!, 5)
    const used = queue.take()!
    queue.release(used)
    land(queue.open(2)!, 1)
    queue.take()
    const again = queue.open(3)!
    expect(again).toBe(used)
    expect([again.rows, again.frames, again.empty, again.batches.rows, again.opened]).toEqual([
      0,
      0,
      true,
      0,
      0,
    ])
  })
})
