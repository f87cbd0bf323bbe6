/** Recovery: torn tails are cut off exactly, and damage anywhere else stops the start and changes nothing. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { systemClock } from '../../src/base/clock.ts'
import type { Result } from '../../src/base/result.ts'
import { encodeFrame, encodeProbe } from '../../src/log/frame.ts'
import { openFileLog, type FileLog, type FileLogOptions } from '../../src/log/index.ts'
import { MemoryFiles } from '../support/files.ts'
import {
  anyFrame,
  appendOne,
  frameOf,
  ManualClock,
  plain,
  readAll,
  readIds,
  valueOf,
} from './support.ts'

/** The files of a log's directory. */
type Image = ReadonlyMap<string, Buffer>

interface Written {
  readonly image: Image
  /** Offset after each frame. */
  readonly ends: readonly number[]
}

/** Writes groups of frames, given by their payload sizes; every inner list is made durable as one group. */
async function written(
  groups: readonly (readonly number[])[],
  segmentBytes = 1e6,
): Promise<Written> {
  const files = new MemoryFiles()
  const clock = new ManualClock()
  const limits = { segmentBytes, groupCommitMs: 2 }
  const log = valueOf(await openFileLog({ directory: '/log', files, clock, limits }))
  const ends: number[] = []
  for (const group of groups) {
    for (const bytes of group) ends.push(valueOf(log.append(frameOf(ends.length, bytes))).end)
    await clock.advance(2)
  }
  await log.close()
  return { image: await imageOf(files), ends }
}

async function imageOf(files: MemoryFiles): Promise<Image> {
  const image = new Map<string, Buffer>()
  for (const name of await files.list('/log')) {
    image.set(name, Buffer.from(await files.read(`/log/${name}`)))
  }
  return image
}

async function filesOf(image: Image): Promise<MemoryFiles> {
  const files = new MemoryFiles()
  await files.makeDirectory('/log')
  for (const [name, bytes] of image) await files.write(`/log/${name}`, bytes, { sync: true })
  await files.sync('/log')
  return files
}

function changed(image: Image, name: string, change: (bytes: Buffer) => Buffer): Image {
  return new Map(image).set(name, change(Buffer.from(image.get(name)!)))
}

function openOver(
  files: MemoryFiles,
  more: Partial<FileLogOptions> = {},
): Promise<Result<FileLog>> {
  return openFileLog({ directory: '/log', files, clock: systemClock, ...more })
}

/** Opens the image; expects the first `count` frames, that a new one lands behind them, and that both stay. */
async function expectFirst(image: Image, count: number): Promise<FileLog> {
  const files = await filesOf(image)
  const log = valueOf(await openOver(files))
  const ids = [...Array(count).keys()]
  expect(await readIds(log, 0)).toEqual(ids)
  for (const { path, offset } of log.cuts) {
    const base = Number(path.slice(-20, -4))
    expect((await files.info(path))?.size ?? 0).toBe(offset - base)
  }
  await appendOne(log, frameOf(1000))
  await log.close()
  const again = valueOf(await openOver(files))
  expect(await readIds(again, 0)).toEqual([...ids, 1000])
  await again.close()
  return log
}

/** Opens the image; expects `log_corrupt` that names file and offset, and every byte where it was. */
async function expectCorrupt(image: Image, name: string, offset: number): Promise<void> {
  const files = await filesOf(image)
  const result = await openOver(files)
  expect(result).toMatchObject({ ok: false, error: { code: 'log_corrupt' } })
  if (!result.ok) expect(result.error.detail).toMatch(new RegExp(`${name}.* offset ${offset} `))
  expect(await imageOf(files)).toEqual(image)
}

const only = '0000000000000000.log'

test('any sequence of frames, groups, segments and restarts gives back the same frames', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(anyFrame, { maxLength: 6 }), { maxLength: 6 }),
      fc.integer({ min: 100, max: 2000 }),
      async (sessions, segmentBytes) => {
        const files = new MemoryFiles()
        const expected: unknown[] = []
        const offsets: number[] = []
        const limits = { segmentBytes, groupCommitBytesMax: 300 }
        for (const session of sessions) {
          const log = valueOf(await openOver(files, { limits }))
          expect(log.cuts).toEqual([])
          for (const frame of session) {
            offsets.push(valueOf(log.append(frame)).end)
            expected.push(plain(frame))
          }
          await log.close()
        }
        const log = valueOf(await openOver(files))
        const stored = await readAll(log, 0)
        expect(stored.map(({ frame }) => plain(frame))).toEqual(expected)
        expect(stored.map(({ end }) => end)).toEqual(offsets)
        expect(log.durableEnd).toBe(offsets.at(-1) ?? 0)
        await log.close()
      },
    ),
    { numRuns: 50 },
  )
})

describe('the tail', () => {
  test('cut at any byte leaves exactly the whole frames before the cut', async () => {
    const { image, ends } = await written([[10], [60], [0], [30, 20], [90]])
    for (let length = 0; length <= ends.at(-1)!; length++) {
      const whole = ends.filter((end) => end <= length).length
      const log = await expectFirst(
        changed(image, only, (bytes) => bytes.subarray(0, length)),
        whole,
      )
      const offset = whole === 0 ? 0 : ends[whole - 1]!
      const cut = { path: `/log/${only}`, offset, bytes: length - offset }
      expect(log.cuts).toEqual(cut.bytes === 0 ? [] : [cut])
    }
  })

  test('with any byte changed in the last frame loses just that frame', async () => {
    const { image, ends } = await written([[10], [60], [40]])
    for (let at = ends[1]!; at < ends[2]!; at++) {
      await expectFirst(
        changed(image, only, (bytes) => bytes.fill(bytes[at]! ^ 0x55, at, at + 1)),
        2,
      )
    }
  })

  test('of a group that arrived in pieces is cut at its first bad frame', async () => {
    const { image, ends } = await written([[10], [20], [30, 40, 50, 60]])
    for (let at = ends[1]!; at < ends.at(-1)!; at++) {
      const whole = ends.filter((end) => end <= at).length
      await expectFirst(
        changed(image, only, (bytes) => bytes.fill(bytes[at]! ^ 0x55, at, at + 1)),
        whole,
      )
    }
  })

  test('of zeros, noise or frames inside a payload is cut off', async () => {
    const { image, ends } = await written([[10], [20]])
    const inner = Buffer.concat(encodeFrame(frameOf(7), 0))
    const payload = Buffer.concat([inner, inner, encodeProbe(3)])
    const outer = Buffer.concat(encodeFrame({ ...frameOf(8), payload }, ends[1]!))
    const tails = [
      Buffer.alloc(100_000),
      Buffer.alloc(5000, 0x01),
      Buffer.alloc(5000, 0xff),
      outer.subarray(0, outer.byteLength - 1),
    ]
    for (const tail of tails) {
      await expectFirst(
        changed(image, only, (bytes) => Buffer.concat([bytes, tail])),
        2,
      )
    }
  })

  test('of a segment that was just begun is cut off, and the one before stays whole', async () => {
    const { image, ends } = await written([[300], [300], [300]], 800)
    const last = `${String(ends[1]).padStart(16, '0')}.log`
    for (let length = 0; length < image.get(last)!.byteLength; length += 7) {
      await expectFirst(
        changed(image, last, (bytes) => bytes.subarray(0, length)),
        2,
      )
    }
  })
})

describe('damage before the tail', () => {
  test('with any byte changed is log_corrupt, by file and offset', async () => {
    const { image, ends } = await written([[10], [60], [0], [30], [90]])
    for (let at = 0; at < ends[3]!; at++) {
      const bad = [0, ...ends].findLast((boundary) => boundary <= at)!
      for (const flip of [0x01, 0x80, 0xff]) {
        const damaged = changed(image, only, (bytes) => bytes.fill(bytes[at]! ^ flip, at, at + 1))
        await expectCorrupt(damaged, only, bad)
      }
    }
  })

  test('is found however far behind the next good frame lies', async () => {
    const { image, ends } = await written([[10], [3_000_000], [10]], 1e7)
    const damaged = changed(image, only, (bytes) => bytes.fill(0xff, ends[0], ends[0]! + 4))
    await expectCorrupt(damaged, only, ends[0]!)
  })

  test('that reaches into the last group is log_corrupt where a good frame of it proves the loss', async () => {
    const { image, ends } = await written([[10], [20], [30, 40, 50]])
    const damaged = changed(image, only, (bytes) => bytes.fill(0, ends[1]! - 5, ends[2]! + 5))
    await expectCorrupt(damaged, only, ends[0]!)
  })

  test('anywhere in an older segment is log_corrupt', async () => {
    const { image, ends } = await written([[300], [300], [300], [300], [20]], 800)
    const names = [...image.keys()]
    expect(names).toHaveLength(3)
    for (let at = 0; at < 724; at += 11) {
      const second = changed(image, names[1]!, (bytes) => bytes.fill(bytes[at]! ^ 0x10, at, at + 1))
      await expectCorrupt(second, names[1]!, at < 362 ? ends[1]! : ends[2]!)
    }
    const short = changed(image, names[1]!, (bytes) => bytes.subarray(0, 500))
    await expectCorrupt(short, names[1]!, ends[1]! + 500)
    const cut = changed(image, names[1]!, (bytes) => bytes.subarray(0, 362))
    await expectCorrupt(cut, names[1]!, ends[2]!)
  })

  test('of the older segment is log_corrupt when the newest is empty', async () => {
    const { image, ends } = await written([[300], [300], [300]], 800)
    const [first, last] = [...image.keys()] as [string, string]
    const empty = changed(image, last, () => Buffer.alloc(0))
    const damaged = changed(empty, first, (bytes) => bytes.fill(0, 500, 501).fill(1, 501, 502))
    await expectCorrupt(damaged, first, ends[0]!)
  })

  test('is log_corrupt when a whole segment is missing or misplaced', async () => {
    const { image, ends } = await written([[300], [300], [300], [300], [20]], 800)
    const [first, second, third] = [...image.keys()] as [string, string, string]
    const missing = new Map([...image].filter(([name]) => name !== second))
    await expectCorrupt(missing, first, ends[1]!)
    const swapped = new Map(image).set(second, image.get(third)!)
    await expectCorrupt(swapped, second, ends[1]!)
  })
})

describe('the committed offset', () => {
  test('is where an empty log begins', async () => {
    const files = new MemoryFiles()
    const log = valueOf(await openOver(files, { committed: 5000 }))
    expect(log.durableEnd).toBe(5000)
    const end = await appendOne(log, frameOf(1))
    expect(end).toBeGreaterThan(5000)
    await log.close()
    const again = valueOf(await openOver(files, { committed: 5000 }))
    expect(await readIds(again, 5000)).toEqual([1])
  })

  test('spares older segments the check', async () => {
    const { image, ends } = await written([[300], [300], [300], [300], [20]], 800)
    const [first] = [...image.keys()] as [string]
    const damaged = changed(image, first, (bytes) => bytes.fill(0, 400, 500))
    await expectCorrupt(damaged, first, ends[0]!)
    const files = await filesOf(damaged)
    const log = valueOf(await openOver(files, { committed: ends[1]! }))
    expect(await readIds(log, ends[1]!)).toEqual([2, 3, 4])
    await expect(readAll(log, 0)).rejects.toMatchObject({ code: 'log_corrupt' })
    await log.trim(ends[1]!)
    await log.close()
  })

  test('must be the end of a frame that the log has', async () => {
    const { image, ends } = await written([[300], [300], [300], [300], [20]], 800)
    for (const committed of [1, ends[2]! - 1, ends[3]! + 1, ends[4]! + 1, 1_000_000]) {
      const files = await filesOf(image)
      expect(await openOver(files, { committed })).toMatchObject({
        ok: false,
        error: { code: 'log_corrupt' },
      })
      expect(await imageOf(files)).toEqual(image)
    }
    for (const committed of [0, ...ends]) {
      const log = valueOf(await openOver(await filesOf(image), { committed }))
      expect(await readIds(log, committed)).toHaveLength(5 - [0, ...ends].indexOf(committed))
    }
  })

  test('must not lie before the log', async () => {
    const { image, ends } = await written([[300], [300], [300]], 800)
    const [, second] = [...image.keys()] as [string, string]
    const trimmed = new Map([[second, image.get(second)!]])
    const files = await filesOf(trimmed)
    expect(await openOver(files, { committed: ends[0]! })).toMatchObject({
      ok: false,
      error: { code: 'log_corrupt' },
    })
    const log = valueOf(await openOver(files, { committed: ends[1]! }))
    expect(await readIds(log, ends[1]!)).toEqual([2])
  })
})
