/** A disk that fails: what was acknowledged is never lost, what was refused never comes back, and the log goes on by itself. */
import { describe, expect, test } from 'vitest'
import { seededRandom } from '../../src/base/random.ts'
import type { Result } from '../../src/base/result.ts'
import { openFileLog, type FileLog, type FileLogOptions } from '../../src/log/index.ts'
import { MemoryFiles, type Call, type Fault } from '../support/files.ts'
import { frameOf, ManualClock, readIds, valueOf } from './support.ts'

const limits = { groupCommitMs: 2, logProbeMs: 1000, groupCommitBytesMax: 1000 } as const

interface Opened {
  readonly log: FileLog
  readonly files: MemoryFiles
  readonly clock: ManualClock
}

async function open(files: MemoryFiles, more: Partial<FileLogOptions> = {}): Promise<Opened> {
  const clock = new ManualClock()
  const log = valueOf(await openFileLog({ directory: '/log', files, clock, limits, ...more }))
  return { log, files, clock }
}

/** Appends a frame and waits for its group. */
async function appendAndWait({ log, clock }: Opened, id: number): Promise<Result<void>> {
  const { durable } = valueOf(log.append(frameOf(id)))
  await clock.advance(2)
  return await durable
}

const failed = (code: string): object => ({ ok: false, error: { code } })
const failing =
  (operation: Call['operation'], fault: Fault): ((call: Call) => Fault | undefined) =>
  (call) =>
    call.operation === operation ? fault : undefined
const healthy = (): undefined => undefined

/** Every way in which making a group durable can fail, and the code it is answered with. */
const failures: readonly (readonly [string, (call: Call) => Fault | undefined, string])[] = [
  ['ENOSPC at the write', failing('append', { code: 'ENOSPC' }), 'disk_full'],
  ['EDQUOT at the write', failing('append', { code: 'EDQUOT' }), 'disk_full'],
  ['a short write', failing('append', { code: 'ENOSPC', written: 50 }), 'disk_full'],
  [
    'a write that fails after all bytes',
    failing('append', { code: 'EIO', written: 999 }),
    'disk_failed',
  ],
  ['an fsync that loses the bytes', failing('datasync', { code: 'EIO' }), 'disk_failed'],
  [
    'an fsync that keeps the bytes',
    failing('datasync', { code: 'EIO', kept: true }),
    'disk_failed',
  ],
  ['ENOSPC at the fsync', failing('datasync', { code: 'ENOSPC' }), 'disk_full'],
]

describe.each(failures)('%s', (_name, fault, code) => {
  test('fails the group and all that is queued, and refuses the next', async () => {
    const opened = await open(new MemoryFiles())
    const { log, files, clock } = opened
    expect(await appendAndWait(opened, 1)).toMatchObject({ ok: true })
    const durableEnd = log.durableEnd
    files.fault = fault
    const slow = Promise.withResolvers<void>()
    files.pause = () => slow.promise
    const first = valueOf(log.append(frameOf(2)))
    await clock.advance(2)
    const queued = [3, 4, 5, 6].map((id) => valueOf(log.append(frameOf(id, 440))))
    slow.resolve()
    for (const { durable } of [first, ...queued]) expect(await durable).toMatchObject(failed(code))
    expect(log.health()).toMatchObject({ writable: false, error: { code } })
    expect(log.append(frameOf(7))).toMatchObject(failed(code))
    expect(log.durableEnd).toBe(durableEnd)
    expect(await readIds(log, 0)).toEqual([1])
    await log.close()
  })

  test.each(['truncated', 'not truncated'])(
    'is over when a probe succeeds; the file is %s',
    async (truncated) => {
      const opened = await open(new MemoryFiles())
      const { log, files, clock } = opened
      await appendAndWait(opened, 1)
      const full = (call: Call): Fault | undefined =>
        (truncated === 'truncated' ? undefined : failing('truncate', { code: 'EIO' })(call)) ??
        fault(call)
      files.fault = full
      expect(await appendAndWait(opened, 2)).toMatchObject(failed(code))
      await clock.advance(5000)
      expect(log.health()).toMatchObject({ writable: false, error: { code } })

      files.fault = truncated === 'truncated' ? healthy : failing('truncate', { code: 'EIO' })
      await clock.advance(1000)
      expect(log.health()).toEqual({ writable: true })
      expect(await appendAndWait(opened, 3)).toMatchObject({ ok: true })
      expect(await readIds(log, 0)).toEqual([1, 3])

      files.fault = healthy
      for (let seed = 0; seed < 20; seed++) {
        files.crash(seededRandom(seed))
        const again = await open(files)
        expect(await readIds(again.log, 0)).toEqual(
          [1, 3, ...Array(seed).keys()].map((id, i) => (i < 2 ? id : 100 + id)),
        )
        expect(await appendAndWait(again, 100 + seed)).toMatchObject({ ok: true })
      }
    },
  )

  test('followed by a power cut loses nothing acknowledged', async () => {
    for (let seed = 0; seed < 30; seed++) {
      const opened = await open(new MemoryFiles())
      const { files } = opened
      await appendAndWait(opened, 1)
      files.fault = (call) => failing('truncate', { code: 'EIO' })(call) ?? fault(call)
      await appendAndWait(opened, 2)
      files.fault = healthy
      files.crash(seededRandom(seed))
      const again = await open(files)
      const ids = await readIds(again.log, 0)
      // Frame 2 is unknown: its sender was told of a failure, and may find it a duplicate.
      expect([[1], [1, 2]]).toContainEqual(ids)
      expect(await appendAndWait(again, 3)).toMatchObject({ ok: true })
      files.crash(seededRandom(seed))
      expect(await readIds((await open(files)).log, 0)).toEqual([...ids, 3])
    }
  })
})

describe('a failing log', () => {
  test('leaves no files of failed probes behind', async () => {
    const opened = await open(new MemoryFiles())
    const { log, files, clock } = opened
    await appendAndWait(opened, 1)
    files.fault = failing('datasync', { code: 'EIO' })
    await appendAndWait(opened, 2)
    await clock.advance(100_000)
    expect(await files.list('/log')).toHaveLength(1)
    files.fault = healthy
    await clock.advance(1000)
    expect(await appendAndWait(opened, 3)).toMatchObject({ ok: true })
    expect(await readIds(log, 0)).toEqual([1, 3])
  })

  test('that takes probes but no frames does not gather files', async () => {
    const opened = await open(new MemoryFiles())
    const { log, files, clock } = opened
    await appendAndWait(opened, 1)
    files.fault = ({ operation, bytes }) =>
      operation === 'append' && bytes > 60 ? { code: 'ENOSPC' } : undefined
    for (let round = 0; round < 50; round++) {
      expect(await appendAndWait(opened, 2)).toMatchObject(failed('disk_full'))
      await clock.advance(1000)
      expect(log.health()).toEqual({ writable: true })
    }
    expect((await files.list('/log')).length).toBeLessThanOrEqual(2)
    files.crash(seededRandom(1))
    files.fault = healthy
    expect(await readIds((await open(files)).log, 0)).toEqual([1])
  })

  test('cuts what a failed group left as soon as the disk lets it', async () => {
    const opened = await open(new MemoryFiles())
    const { files, clock } = opened
    await appendAndWait(opened, 1)
    const path = `/log/${(await files.list('/log'))[0]}`
    const size = (await files.info(path))!.size
    files.fault = ({ operation, bytes }) =>
      operation === 'truncate' || bytes > 0 ? { code: 'ENOSPC', written: 20 } : undefined
    await appendAndWait(opened, 2)
    expect((await files.info(path))!.size).toBe(size + 20)
    files.fault = failing('append', { code: 'ENOSPC' })
    await clock.advance(1000)
    expect((await files.info(path))!.size).toBe(size)
  })

  test('whose failed probe stays beside a file that was not cut is no log_corrupt', async () => {
    for (let seed = 0; seed < 300; seed++) {
      const opened = await open(new MemoryFiles())
      const { files, clock } = opened
      await appendAndWait(opened, 1)
      files.fault = ({ operation, path, bytes }) =>
        operation === 'truncate' ||
        operation === 'datasync' ||
        operation === 'remove' ||
        (bytes > 0 && !path.endsWith('/0000000000000000.log'))
          ? { code: 'EIO' }
          : undefined
      // The group is written in whole, but what its fsync makes of it is open.
      await appendAndWait(opened, 2)
      await clock.advance(1000)
      files.fault = healthy
      expect(await files.list('/log')).toHaveLength(2)
      files.crash(seededRandom(seed))
      expect(await readIds((await open(files)).log, 0)).toEqual([1])
    }
  })

  test('is never trimmed down to files that hold nothing', async () => {
    const files = new MemoryFiles()
    await appendAndWait(await open(files), 1)
    const opened = await open(files)
    const committed = opened.log.durableEnd
    files.fault = ({ operation }) =>
      operation === 'append' || operation === 'sync' || operation === 'remove'
        ? { code: 'EIO', written: 20 }
        : undefined
    await appendAndWait(opened, 2)
    await opened.clock.advance(1000)
    files.fault = healthy
    await opened.log.trim(committed)
    const again = await open(files, { committed })
    expect(again.log.durableEnd).toBe(committed)
    expect(await appendAndWait(again, 3)).toMatchObject({ ok: true })
    expect(await readIds(again.log, committed)).toEqual([3])
  })

  test('tells why it is still failing', async () => {
    const opened = await open(new MemoryFiles())
    const { log, files, clock } = opened
    files.fault = failing('append', { code: 'ENOSPC' })
    await appendAndWait(opened, 1)
    expect(log.health().error?.code).toBe('disk_full')
    files.fault = failing('open', { code: 'EROFS' })
    await clock.advance(1000)
    expect(log.health().error).toMatchObject({ code: 'disk_failed' })
    expect(log.health().error?.detail).toContain('EROFS')
  })

  test('fails when the directory of a new segment cannot be synced', async () => {
    const opened = await open(new MemoryFiles(), { limits: { ...limits, segmentBytes: 200 } })
    const { log, files, clock } = opened
    for (const id of [1, 2]) await appendAndWait(opened, id)
    files.fault = failing('sync', { code: 'EIO' })
    expect(await appendAndWait(opened, 3)).toMatchObject(failed('disk_failed'))
    files.fault = healthy
    await clock.advance(1000)
    expect(await appendAndWait(opened, 4)).toMatchObject({ ok: true })
    expect(await readIds(log, 0)).toEqual([1, 2, 4])
    files.crash(seededRandom(3))
    expect(await readIds((await open(files)).log, 0)).toEqual([1, 2, 4])
  })

  test('closes', async () => {
    const opened = await open(new MemoryFiles())
    const { log, files, clock } = opened
    files.fault = failing('append', { code: 'EIO' })
    await appendAndWait(opened, 1)
    await log.close()
    const opens = files.calls('open')
    await clock.advance(10_000)
    expect(files.calls('open')).toBe(opens)
  })

  test('says so when closing cannot make the queue durable', async () => {
    const { log, files } = await open(new MemoryFiles())
    const { durable } = valueOf(log.append(frameOf(1)))
    files.fault = failing('datasync', { code: 'EIO' })
    await log.close()
    expect(await durable).toMatchObject(failed('disk_failed'))
  })

  test('can be trimmed, and the next start goes on behind it', async () => {
    const opened = await open(new MemoryFiles(), { limits: { ...limits, segmentBytes: 100 } })
    const { log, files, clock } = opened
    for (const id of [1, 2, 3]) await appendAndWait(opened, id)
    const committed = log.durableEnd
    files.fault = failing('datasync', { code: 'EIO' })
    await appendAndWait(opened, 4)
    await log.trim(committed)
    expect(await files.list('/log')).toHaveLength(1)
    files.fault = healthy
    await clock.advance(1000)
    await log.trim(committed)
    expect(await readIds(log, committed)).toEqual([])
    expect(log.durableEnd).toBe(committed)
    files.crash(seededRandom(4))
    const again = await open(files, { committed })
    expect(again.log.durableEnd).toBe(committed)
    expect(await appendAndWait(again, 5)).toMatchObject({ ok: true })
    expect(await readIds(again.log, committed)).toEqual([5])
  })
})

test('a trim that cannot delete says so, loses nothing and can be repeated', async () => {
  const opened = await open(new MemoryFiles(), { limits: { ...limits, segmentBytes: 100 } })
  const { log, files } = opened
  for (const id of [1, 2, 3]) await appendAndWait(opened, id)
  const bytes = log.bytes
  files.fault = failing('remove', { code: 'EACCES' })
  await expect(log.trim(log.durableEnd)).rejects.toMatchObject({ code: 'disk_failed' })
  expect(log.bytes).toBe(bytes)
  expect(await readIds(log, 0)).toEqual([1, 2, 3])
  files.fault = healthy
  await log.trim(log.durableEnd)
  expect(await files.list('/log')).toHaveLength(1)
})

test('a disk without room takes no more and loses nothing, and goes on when there is room', async () => {
  const opened = await open(new MemoryFiles({ capacity: 3000 }))
  const { log, files, clock } = opened
  const acknowledged: number[] = []
  for (let id = 0; log.health().writable; id++) {
    const { durable } = valueOf(log.append(frameOf(id, 200)))
    await clock.advance(2)
    if ((await durable).ok) acknowledged.push(id)
  }
  expect(acknowledged.length).toBeGreaterThan(5)
  expect(log.health().error?.code).toBe('disk_full')
  files.capacity = 10_000
  await clock.advance(1000)
  expect(await appendAndWait(opened, 1000)).toMatchObject({ ok: true })
  expect(await readIds(log, 0)).toEqual([...acknowledged, 1000])
  files.crash(seededRandom(5))
  expect(await readIds((await open(files)).log, 0)).toEqual([...acknowledged, 1000])
})

test('a disk that fails reads says so, and not that the log is corrupt', async () => {
  const opened = await open(new MemoryFiles())
  await appendAndWait(opened, 1)
  opened.files.fault = failing('readAt', { code: 'EIO' })
  await expect(readIds(opened.log, 0)).rejects.toMatchObject({ code: 'disk_failed' })
  const { clock, files } = opened
  const result = await openFileLog({ directory: '/log', files, clock })
  expect(result).toMatchObject(failed('disk_failed'))
})
