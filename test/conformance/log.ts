/** What every form of the log port must do, as tests over an `open` function. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Log } from '../../src/log/index.ts'
import { anyFrame, appendOne, frameOf, plain, readAll, readIds, valueOf } from '../log/support.ts'

export interface LogUnderTest {
  readonly log: Log
  /** Closes the log and removes what it left. */
  done(): Promise<void>
}

/** A new, empty log that takes frames of 1,000 bytes and lets 10,000 bytes wait. */
export type OpenLog = () => Promise<LogUnderTest>

export const conformanceLimits = { frameBytesMax: 1000, logPendingBytesMax: 10_000 } as const

export function logConformance(name: string, open: OpenLog): void {
  const withLog = async (use: (log: Log) => Promise<void>): Promise<void> => {
    const { log, done } = await open()
    try {
      await use(log)
    } finally {
      await done()
    }
  }

  describe(`log conformance: ${name}`, () => {
    test('gives back every frame, in order, at touching offsets', async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(anyFrame, { maxLength: 20 }), (frames) =>
          withLog(async (log) => {
            const start = log.durableEnd
            const appended = frames.map((frame) => valueOf(log.append(frame)))
            for (const { durable } of appended) valueOf(await durable)
            const stored = await readAll(log, start)
            expect(stored.map(({ frame }) => plain(frame))).toEqual(frames.map(plain))
            expect(stored.map(({ end }) => end)).toEqual(appended.map(({ end }) => end))
            expect(stored.map(({ offset }) => offset)).toEqual(
              [start, ...appended.map(({ end }) => end)].slice(0, frames.length),
            )
            expect(log.durableEnd).toBe(appended.at(-1)?.end ?? start)
          }),
        ),
        { numRuns: 20 },
      )
    })

    test('reads from any frame boundary, and nothing from the end', () =>
      withLog(async (log) => {
        const ends: number[] = [log.durableEnd]
        for (let id = 0; id < 6; id++) ends.push(await appendOne(log, frameOf(id, 50 * id)))
        for (const [index, end] of ends.entries()) {
          expect(await readIds(log, end)).toEqual([0, 1, 2, 3, 4, 5].slice(index))
        }
      }))

    test('reads what was durable when read was called, no more', () =>
      withLog(async (log) => {
        await appendOne(log, frameOf(1))
        const reading = log.read(0)
        await appendOne(log, frameOf(2))
        const ids: number[] = []
        for await (const { frame } of reading) ids.push(frame.seq)
        expect(ids).toEqual([1])
      }))

    test('refuses an offset that is not a frame boundary', () =>
      withLog(async (log) => {
        await appendOne(log, frameOf(1))
        await expect(readAll(log, 5)).rejects.toMatchObject({ code: 'log_corrupt' })
      }))

    test('refuses a frame over the bound and goes on', () =>
      withLog(async (log) => {
        expect(log.append(frameOf(1, 1001))).toMatchObject({
          ok: false,
          error: { code: 'frame_too_large' },
        })
        await appendOne(log, frameOf(2))
        expect(await readIds(log, 0)).toEqual([2])
      }))

    test('refuses what it has no room for, and keeps what it took', () =>
      withLog(async (log) => {
        const taken: number[] = []
        for (let id = 0; id < 30; id++) {
          const result = log.append(frameOf(id, 900))
          if (result.ok) taken.push(id)
          else expect(result.error.code).toBe('overloaded')
        }
        expect(taken).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
        await log.close()
        expect(await readIds(log, 0)).toEqual(taken)
      }))

    test('keeps everything from the trimmed offset on', () =>
      withLog(async (log) => {
        const ends: number[] = []
        for (let id = 0; id < 9; id++) ends.push(await appendOne(log, frameOf(id, 800)))
        const before = log.bytes
        await log.trim(ends[4]!)
        expect(log.bytes).toBeLessThan(before)
        expect(await readIds(log, ends[4]!)).toEqual([5, 6, 7, 8])
        await expect(readAll(log, 0)).rejects.toMatchObject({ code: 'log_corrupt' })
        await log.trim(ends[8]!)
        ends.push(await appendOne(log, frameOf(9)))
        expect(await readIds(log, ends[8]!)).toEqual([9])
        expect(log.durableEnd).toBe(ends[9])
      }))

    test('makes what is queued durable when closed, and takes nothing after', () =>
      withLog(async (log) => {
        const queued = [1, 2, 3].map((id) => valueOf(log.append(frameOf(id))))
        expect(log.health()).toEqual({ writable: true })
        await log.close()
        for (const { durable } of queued) expect(await durable).toMatchObject({ ok: true })
        expect(log.append(frameOf(4))).toMatchObject({ ok: false, error: { code: 'draining' } })
        expect(log.health().writable).toBe(false)
        await log.close()
      }))
  })
}
