/** The local cache of objects: bounded, whole or absent, shared by processes; and the spool, which forgets what a crash left. */
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type Clock, systemClock } from '../../src/base/clock.ts'
import { limits } from '../../src/base/limits.ts'
import { nodeFiles } from '../../src/base/node/files.ts'
import { systemRandom } from '../../src/base/random.ts'
import { ObjectCache } from '../../src/lake/object-cache.ts'
import { Spool } from '../../src/lake/spool.ts'
import { temporaryFolder } from '../support/project.ts'

let folder: string
let remove: () => void
let now: number
const clock: Clock = { ...systemClock, wall: () => now }

beforeEach(() => {
  ;({ folder, remove } = temporaryFolder('cache'))
  now = Date.now()
})
afterEach(() => remove())

const cacheOf = (bytesMax: number): ObjectCache =>
  new ObjectCache({ folder, bytesMax, files: nodeFiles, clock, random: systemRandom })

async function* parts(...contents: readonly string[]): AsyncGenerator<Uint8Array, void, void> {
  for (const content of contents) yield Buffer.from(content)
}

const kilobyte = (i: number): string => String(i % 10).repeat(1000)
const total = (): number =>
  readdirSync(folder).reduce((sum, name) => sum + statSync(path.join(folder, name)).size, 0)

/** Makes everything in the cache look as if it was last used long ago, one after the other. */
function age(files: readonly string[]): void {
  for (const [i, file] of files.entries()) {
    const used = (now - 2 * limits.storageCacheGraceMs) / 1000 + i
    utimesSync(file, used, used)
  }
}

describe('the cache', () => {
  test('asks once for an object, however many want it, and never again after a restart', async () => {
    let asked = 0
    const fetch = (): AsyncIterable<Uint8Array> => {
      asked++
      return parts('one ', 'two')
    }
    const cache = cacheOf(1000)
    const files = await Promise.all(
      Array.from({ length: 20 }, () => cache.local('s3://b/k', fetch)),
    )
    expect(new Set(files).size).toBe(1)
    expect(await cacheOf(1000).local('s3://b/k', fetch)).toBe(files[0])
    expect(readFileSync(files[0]!, 'utf8')).toBe('one two')
    expect(asked).toBe(1)
  })

  test('fetches many side by side, but only so many, and goes on after failures', async () => {
    let busy = 0
    let most = 0
    const full = Promise.withResolvers<void>()
    const cache = cacheOf(1_000_000)
    const fetch = async function* (i: number): AsyncGenerator<Uint8Array, void, void> {
      most = Math.max(most, ++busy)
      // None ends before as many are under way as may be, however slow the disk; then others have time to be too many.
      if (busy === limits.storageFetchesMax) full.resolve()
      await full.promise
      await new Promise((resolve) => setTimeout(resolve, 2))
      busy--
      if (i % 3 === 0) throw new Error('broke off')
      yield Buffer.from(String(i))
    }
    const wanted = Array.from({ length: 200 }, (_, i) => cache.local(`k${i}`, () => fetch(i)))
    for (const [i, result] of (await Promise.allSettled(wanted)).entries()) {
      expect(result.status).toBe(i % 3 === 0 ? 'rejected' : 'fulfilled')
      if (result.status === 'fulfilled') expect(readFileSync(result.value, 'utf8')).toBe(String(i))
    }
    expect(most).toBe(limits.storageFetchesMax)
  })

  test('keeps to its bound, and lets go what was not used for longest', async () => {
    const cache = cacheOf(10_000)
    const files: string[] = []
    for (let i = 0; i < 10; i++) files.push(await cache.local(`k${i}`, () => parts(kilobyte(i))))
    age(files)
    // The oldest is used again, by another process.
    await cacheOf(10_000).local('k0', () => parts('never asked'))
    await cache.local('k10', () => parts(kilobyte(10)))
    expect(total()).toBeLessThanOrEqual(10_000)
    expect(existsSync(files[0]!)).toBe(true)
    expect(existsSync(files[1]!)).toBe(false)
    expect(existsSync(files[9]!)).toBe(true)
  })

  test('never lets go what a query may be reading, and does once it cannot be', async () => {
    const cache = cacheOf(3000)
    const files: string[] = []
    for (let i = 0; i < 8; i++) files.push(await cache.local(`k${i}`, () => parts(kilobyte(i))))
    expect(files.filter((file) => existsSync(file))).toEqual(files)
    now += 2 * limits.storageCacheGraceMs
    age(files)
    const last = await cache.local('k8', () => parts(kilobyte(8)))
    expect(total()).toBeLessThanOrEqual(3000)
    expect(readFileSync(last, 'utf8')).toBe(kilobyte(8))
  })

  test('has no part of an object that could not be fetched, and fetches it later', async () => {
    const cache = cacheOf(1000)
    const broken = async function* (): AsyncGenerator<Uint8Array, void, void> {
      yield Buffer.from('half')
      throw new Error('broke off')
    }
    const two = [cache.local('k', broken), cache.local('k', broken)]
    for (const result of await Promise.allSettled(two)) {
      expect(result).toMatchObject({ status: 'rejected', reason: { message: 'broke off' } })
    }
    expect(readdirSync(folder)).toEqual([])
    expect(readFileSync(await cache.local('k', () => parts('whole')), 'utf8')).toBe('whole')
  })

  test('removes what a process left half fetched, once that cannot be going on', async () => {
    const leftover = path.join(folder, 'leftover.tmp')
    writeFileSync(leftover, 'half')
    age([leftover])
    writeFileSync(path.join(folder, 'young.tmp'), 'half')
    await cacheOf(1000).local('k', () => parts('x'))
    expect(readdirSync(folder)).toContain('young.tmp')
    expect(existsSync(leftover)).toBe(false)
  })

  test('takes over a finished file', async () => {
    const cache = cacheOf(1000)
    const finished = path.join(folder, '..', `${path.basename(folder)}-finished`)
    writeFileSync(finished, 'whole')
    await cache.take('k', finished)
    expect(existsSync(finished)).toBe(false)
    expect(readFileSync(await cache.local('k', () => parts('never asked')), 'utf8')).toBe('whole')
  })
})

describe('the spool', () => {
  test('forgets what a crash left, and nothing of its own', async () => {
    const root = path.join(folder, 'spool')
    mkdirSync(path.join(root, 'old'), { recursive: true })
    writeFileSync(path.join(root, 'old', 'left.parquet'), 'x')
    const spool = new Spool(root, nodeFiles)
    const [one, two] = await Promise.all([
      spool.directory('s3://b/t1'),
      spool.directory('s3://b/t2'),
    ])
    expect(existsSync(path.join(root, 'old'))).toBe(false)
    writeFileSync(path.join(one, 'a.parquet'), 'x')
    expect(await spool.directory('s3://b/t1')).toBe(one)
    expect(two).not.toBe(one)
    expect(existsSync(path.join(one, 'a.parquet'))).toBe(true)
    expect(spool.location(path.join(one, 'a.parquet'))).toBe('s3://b/t1/a.parquet')
  })
})
