/** What every form of the storage port must do, as tests over an `open` function. */
import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { nodeFiles } from '../../src/base/node/files.ts'
import { limits } from '../../src/base/limits.ts'
import type { Storage } from '../../src/lake/index.ts'
import { folderOf, join, nameOf } from '../../src/lake/storage.ts'

export interface StorageUnderTest {
  /** Two openings of the same place, as two processes have them. */
  readonly storage: Storage
  readonly other: Storage
  done(): Promise<void>
}

export function storageConformance(
  name: string,
  open: () => Promise<StorageUnderTest>,
  setupMs = 60_000,
): void {
  let opened: StorageUnderTest
  let storage: Storage
  let folders = 0
  const folder = (): string => join(storage.root, `folder-${folders++}`)
  const bytesAt = async (location: string): Promise<Buffer> =>
    Buffer.from(await opened.other.read(location))

  describe(`storage conformance: ${name}`, () => {
    beforeAll(async () => {
      opened = await open()
      storage = opened.storage
    }, setupMs)
    afterAll(() => opened?.done())

    test('gives back what was written, whatever the bytes', async () => {
      await fc.assert(
        fc.asyncProperty(fc.uint8Array({ maxLength: 5000 }), async (bytes) => {
          const location = join(folder(), 'object')
          await storage.write(location, bytes)
          await storage.settle(folderOf(location))
          expect(await bytesAt(location)).toEqual(Buffer.from(bytes))
          const info = await opened.other.info(location)
          expect(info).toMatchObject({ location, bytes: bytes.byteLength })
          expect(Math.abs(info!.modified - Date.now())).toBeLessThan(60_000)
        }),
        { numRuns: 20 },
      )
    })

    test('says ENOENT where there is nothing, and undefined about it', async () => {
      const location = join(folder(), 'nothing')
      await expect(storage.read(location)).rejects.toMatchObject({ code: 'ENOENT' })
      await expect(storage.local(location).then((file) => readFile(file))).rejects.toMatchObject({
        code: 'ENOENT',
      })
      expect(await storage.info(location)).toBeUndefined()
      expect(await storage.names(folder())).toEqual([])
      expect(await allOf(storage, folder())).toEqual([])
      await storage.remove(location)
    })

    test('lets one of many creators win, and keeps what that one wrote', async () => {
      for (let round = 0; round < 25; round++) {
        const location = join(storage.root, 'race', `${round}.json`)
        const contents = Array.from({ length: 12 }, (_, i) => `${i} `.repeat(300))
        const won = await Promise.all(
          contents.map((content, i) => (i % 2 ? storage : opened.other).create(location, content)),
        )
        const winners = contents.filter((_, i) => won[i])
        expect(winners).toHaveLength(1)
        expect(await bytesAt(location)).toEqual(Buffer.from(winners[0]!))
      }
    })

    test('creates nothing over what is there, in any way it came there', async () => {
      const location = join(folder(), 'object')
      await storage.write(location, 'written')
      expect(await storage.create(location, 'created')).toBe(false)
      expect((await bytesAt(location)).toString()).toBe('written')
      await storage.remove(location)
      expect(await storage.create(location, 'created')).toBe(true)
      expect((await bytesAt(location)).toString()).toBe('created')
    })

    test('replaces in one step: readers see the old bytes or the new ones', async () => {
      const location = join(folder(), 'hint')
      const contents = Array.from({ length: 20 }, (_, i) => `${i} `.repeat(2000))
      await storage.replace(location, contents[0]!)
      const writing = new AbortController()
      const reading = (async () => {
        while (!writing.signal.aborted)
          expect(contents).toContain((await bytesAt(location)).toString())
      })()
      for (const content of contents) {
        await storage.replace(location, content)
        expect((await bytesAt(location)).toString()).toBe(content)
      }
      writing.abort()
      await reading
    })

    test('removes an object, and again', async () => {
      const location = join(folder(), 'object')
      await storage.write(location, 'x')
      await storage.remove(location)
      await storage.remove(location)
      expect(await opened.other.info(location)).toBeUndefined()
    })

    test('names objects right inside a folder, sorted; lists everything below it', async () => {
      const base = folder()
      const inside = ['b', 'a', 'a.json', '10', '9', 'Z', '_', '~']
      for (const each of inside) await storage.write(join(base, each), each)
      await storage.write(join(base, 'deep', 'er', 'object'), '12345')
      // A folder whose name begins with the other's.
      await storage.write(join(`${base}0`, 'stranger'), 'x')
      expect((await storage.names(base)).filter((each) => each !== 'deep')).toEqual(
        inside.toSorted(),
      )
      const listed = await allOf(opened.other, base)
      expect(listed.map(({ location }) => location).toSorted()).toEqual(
        [...inside.map((each) => join(base, each)), join(base, 'deep', 'er', 'object')]
          .map((location) => storage.identity(location))
          .toSorted(),
      )
      expect(listed.find(({ location }) => nameOf(location) === 'object')?.bytes).toBe(5)
    })

    test('lists more than one page', { timeout: 60_000 }, async () => {
      const base = folder()
      const wanted = Array.from({ length: 1203 }, (_, i) => String(i).padStart(16, '0'))
      for (let i = 0; i < wanted.length; i += 50) {
        const some = wanted.slice(i, i + 50)
        await Promise.all(some.map((each) => storage.write(join(base, each), each)))
      }
      expect(await storage.names(base)).toEqual(wanted)
      expect((await allOf(storage, base)).map(({ location }) => nameOf(location))).toEqual(wanted)
    })

    test('takes locations byte for byte', async () => {
      const base = folder()
      const names = [
        'a b',
        'a%20b',
        'ü',
        '?a=b#c',
        '"<>|^`{}[]\\$',
        'a%2Fb',
        'a+b',
        "it's",
        'event_day=2026-11-25',
        '%C3%BC',
        '(1)!*~',
        'a:b@c,d;e&f',
      ]
      for (const each of names) await storage.write(join(base, each, 'object'), each)
      for (const each of names) {
        expect((await bytesAt(join(base, each, 'object'))).toString()).toBe(each)
      }
      const listed = (await allOf(storage, base)).map(({ location }) => location)
      expect(new Set(listed)).toEqual(
        new Set(names.map((each) => storage.identity(join(base, each, 'object')))),
      )
      for (const location of listed) {
        expect(storage.identity(location)).toBe(location)
        expect((await bytesAt(location)).byteLength).toBeGreaterThan(0)
      }
    })

    test('gives a second name where it has such, and says where not', async () => {
      const location = join(folder(), 'object')
      const second = join(folderOf(location), 'second')
      await storage.write(location, 'x')
      for (let again = 0; again < 2; again++) {
        const aliased = await storage.alias(location, second)
        expect((await opened.other.info(second)) !== undefined).toBe(aliased)
      }
    })

    test.each([
      ['an empty file', 0],
      ['a small file', 1000],
      ['a file at the bound of parts', limits.storageMultipartBytes],
      ['a file of several parts', limits.storageMultipartBytes + limits.storagePartBytes + 1],
    ])('adopts %s from the spool', async (_name, size) => {
      const base = join(folder(), 'event_day=2026-11-25')
      const directory = await storage.spool(base)
      expect(await storage.spool(base)).toBe(directory)
      const file = path.join(directory, `${size}.parquet`)
      const bytes = randomBytes(size)
      await nodeFiles.write(file, bytes, { sync: true })
      const location = await storage.adopt(file)
      expect(location).toBe(storage.identity(join(base, `${size}.parquet`)))
      expect(await storage.adopt(file)).toBe(location)
      expect((await bytesAt(location)).equals(bytes)).toBe(true)
      for (const each of [storage, opened.other]) {
        expect((await readFile(await each.local(location))).equals(bytes)).toBe(true)
      }
    })

    test('gives many readers one local file', async () => {
      const location = join(folder(), 'object')
      const bytes = randomBytes(300_000)
      await storage.write(location, bytes)
      const files = await Promise.all(
        Array.from({ length: 30 }, async (_, i) => {
          const file = await (i % 2 ? storage : opened.other).local(location)
          expect((await readFile(file)).equals(bytes)).toBe(true)
          return file
        }),
      )
      expect(new Set(files).size).toBeLessThanOrEqual(2)
    })
  })
}

async function allOf(
  storage: Storage,
  folder: string,
): Promise<{ location: string; bytes: number }[]> {
  const all: { location: string; bytes: number }[] = []
  for await (const each of storage.list(folder)) all.push(each)
  return all
}
