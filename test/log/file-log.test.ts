/** The file form on a real disk and the memory form: the port's promises, segments, and directories that refuse. */
import fs from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { systemClock } from '../../src/base/clock.ts'
import { nodeFiles } from '../../src/base/node/files.ts'
import { memoryLog, openFileLog, type FileLogOptions } from '../../src/log/index.ts'
import { conformanceLimits, logConformance } from '../conformance/log.ts'
import { MemoryFiles } from '../support/files.ts'
import { appendOne, frameOf, readIds, valueOf } from './support.ts'

/** Calls `use` with a new directory on the disk and removes it afterwards. */
async function withDirectory(use: (directory: string) => Promise<void>): Promise<void> {
  const directory = await fs.mkdtemp(path.join(os.tmpdir(), 'headwater-log-'))
  try {
    await use(directory)
  } finally {
    await fs.rm(directory, { recursive: true, force: true })
  }
}

const onDisk = (directory: string, more: Partial<FileLogOptions> = {}): FileLogOptions => ({
  directory,
  files: nodeFiles,
  clock: systemClock,
  ...more,
})

logConformance('memory', async () => ({
  log: memoryLog(conformanceLimits),
  done: async () => {},
}))

logConformance('files on the disk', async () => {
  const directory = await fs.mkdtemp(path.join(os.tmpdir(), 'headwater-log-'))
  const limits = { ...conformanceLimits, segmentBytes: 2000, groupCommitBytesMax: 1000 }
  const log = valueOf(await openFileLog(onDisk(directory, { limits })))
  const done = async (): Promise<void> => {
    await log.close()
    await fs.rm(directory, { recursive: true })
  }
  return { log, done }
})

describe('segments', () => {
  test('are named by the offset of their first byte and rolled at segmentBytes', () =>
    withDirectory(async (directory) => {
      const log = valueOf(await openFileLog(onDisk(directory, { limits: { segmentBytes: 1000 } })))
      const ends: number[] = []
      for (let id = 0; id < 7; id++) ends.push(await appendOne(log, frameOf(id, 300)))
      await log.close()
      const names = (await fs.readdir(directory)).toSorted()
      const bases = [0, ends[1]!, ends[3]!, ends[5]!]
      expect(names).toEqual(bases.map((base) => `${String(base).padStart(16, '0')}.log`))
      for (const name of names) {
        expect((await fs.stat(path.join(directory, name))).size).toBeLessThanOrEqual(1000)
      }
    }))

  test('before the trimmed offset are deleted, the newest never', () =>
    withDirectory(async (directory) => {
      const options = onDisk(directory, { limits: { segmentBytes: 1000 } })
      const log = valueOf(await openFileLog(options))
      const ends: number[] = []
      for (let id = 0; id < 7; id++) ends.push(await appendOne(log, frameOf(id, 300)))
      await log.trim(ends[2]!)
      expect(await fs.readdir(directory)).toHaveLength(3)
      expect(await readIds(log, ends[2]!)).toEqual([3, 4, 5, 6])
      await log.trim(ends[6]!)
      expect(await fs.readdir(directory)).toHaveLength(1)
      expect(log.bytes).toBeGreaterThan(0)
      await log.close()

      const reopened = valueOf(await openFileLog({ ...options, committed: ends[6]! }))
      expect(reopened.durableEnd).toBe(ends[6])
      expect(await readIds(reopened, ends[6]!)).toEqual([])
      ends.push(await appendOne(reopened, frameOf(7)))
      expect(await readIds(reopened, ends[6]!)).toEqual([7])
      await reopened.close()
    }))

  test('are read while newer ones are written and older ones trimmed', () =>
    withDirectory(async (directory) => {
      const log = valueOf(await openFileLog(onDisk(directory, { limits: { segmentBytes: 1000 } })))
      const ends: number[] = []
      for (let id = 0; id < 8; id++) ends.push(await appendOne(log, frameOf(id, 300)))
      const ids: number[] = []
      for await (const { frame, end } of log.read(0)) {
        ids.push(frame.seq)
        await log.trim(end)
        if (ids.length === 4) await appendOne(log, frameOf(100, 300))
      }
      expect(ids).toEqual([0, 1, 2, 3, 4, 5, 6, 7])
      await log.close()
    }))

  test('hold frames larger than one read', () =>
    withDirectory(async (directory) => {
      const options = onDisk(directory)
      const log = valueOf(await openFileLog(options))
      const sizes = [100, 700_000, 3_000_000, 500, 1_048_576, 20]
      for (const [id, bytes] of sizes.entries()) await appendOne(log, frameOf(id, bytes))
      await log.close()
      const reopened = valueOf(await openFileLog(options))
      const seen: number[] = []
      for await (const { frame } of reopened.read(0)) {
        expect(Buffer.compare(frame.payload, frameOf(frame.seq, sizes[frame.seq]).payload)).toBe(0)
        seen.push(frame.seq)
      }
      expect(seen).toEqual([0, 1, 2, 3, 4, 5])
      await reopened.close()
    }))

  test('leave other files of the directory alone', () =>
    withDirectory(async (directory) => {
      await fs.writeFile(path.join(directory, 'notes.txt'), 'mine')
      const log = valueOf(await openFileLog(onDisk(directory)))
      await appendOne(log, frameOf(1))
      await log.close()
      const reopened = valueOf(await openFileLog(onDisk(directory)))
      expect(await readIds(reopened, 0)).toEqual([1])
      await reopened.close()
      expect(await fs.readFile(path.join(directory, 'notes.txt'), 'utf8')).toBe('mine')
    }))
})

describe('a directory that cannot be used', () => {
  test('fails the opening when it is a file', () =>
    withDirectory(async (directory) => {
      const file = path.join(directory, 'log')
      await fs.writeFile(file, '')
      const result = await openFileLog(onDisk(file))
      expect(result).toMatchObject({ ok: false, error: { code: 'disk_failed' } })
      expect(!result.ok && result.error.detail).toContain(file)
    }))

  test.for(['EACCES', 'EROFS'])('fails the opening when it refuses writes: %s', async (code) => {
    const files = new MemoryFiles()
    const options: FileLogOptions = { directory: '/data/log', files, clock: systemClock }
    const log = valueOf(await openFileLog(options))
    await appendOne(log, frameOf(1))
    await log.close()
    files.fault = ({ operation }) => (operation === 'open' ? { code } : undefined)
    const result = await openFileLog(options)
    expect(result).toMatchObject({ ok: false, error: { code: 'disk_failed' } })
    expect(!result.ok && result.error.detail).toMatch(/\/data\/log.*E(ACCES|ROFS)/)
  })

  test('fails the opening when its permissions refuse', async (context) => {
    if (process.getuid?.() === 0) context.skip('root may write everywhere')
    await withDirectory(async (directory) => {
      valueOf(await openFileLog(onDisk(directory)))
      await fs.chmod(directory, 0o555)
      const result = await openFileLog(onDisk(directory))
      await fs.chmod(directory, 0o755)
      expect(result).toMatchObject({ ok: false, error: { code: 'disk_failed' } })
    })
  })
})
