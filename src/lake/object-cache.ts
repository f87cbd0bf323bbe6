/** A bounded cache of immutable objects as local files, for engines that read files; several processes may share its folder. */
import path from 'node:path'
import type { Clock } from '../base/clock.ts'
import { errnoOf, type Files } from '../base/files.ts'
import { limits } from '../base/limits.ts'
import { type Random, uuid } from '../base/random.ts'
import { hashOf } from './spool.ts'

export interface ObjectCacheOptions {
  /** Absolute path; made when missing. */
  readonly folder: string
  /** Bytes to keep. More stay only while they were used within `storageCacheGraceMs`, since a query may be reading them. */
  readonly bytesMax: number
  readonly files: Files
  readonly clock: Clock
  readonly random: Random
}

/** The parts of an object, in order. */
export type Fetch = () => AsyncIterable<Uint8Array>

export class ObjectCache {
  readonly #options: ObjectCacheOptions
  /** Objects that are being fetched, so that many readers make one request. */
  readonly #filling = new Map<string, Promise<string>>()
  #fetches = 0
  /** Fetches that wait until fewer are under way. */
  readonly #waiting: (() => void)[] = []
  /** Bytes in the folder as far as this process knows; undefined before the first look. */
  #bytes: number | undefined
  /** Before this time there is nothing to remove: what is too much was in use at the last look. */
  #crowdedUntil = 0
  #evicting: Promise<void> = Promise.resolve()

  constructor(options: ObjectCacheOptions) {
    this.#options = options
  }

  /** Absolute path of a file with the object's bytes; `fetch` is asked for them when there is none. */
  async local(location: string, fetch: Fetch): Promise<string> {
    const file = this.#file(location)
    if (await this.#use(file)) return file
    const filling = this.#filling.get(file)
    if (filling !== undefined) return filling
    const filled = this.#inTurn(() => this.#fill(file, fetch))
    this.#filling.set(file, filled)
    try {
      return await filled
    } finally {
      this.#filling.delete(file)
    }
  }

  /** Takes over a finished, fsynced file on the same disk that holds the object's bytes. */
  async take(location: string, finished: string): Promise<void> {
    const { files, folder, clock } = this.#options
    await files.makeDirectory(folder)
    const size = (await files.info(finished))?.size ?? 0
    await files.touch(finished, clock.wall())
    await files.rename(finished, this.#file(location))
    await this.#grown(size)
  }

  #file(location: string): string {
    return path.join(this.#options.folder, hashOf(location))
  }

  /** Whether the file is there; its time of use is noted, which keeps every process from removing it for a while. */
  async #use(file: string): Promise<boolean> {
    const { files, clock } = this.#options
    const info = await files.info(file)
    if (info === undefined) return false
    const now = clock.wall()
    if (now - info.modified < limits.storageCacheGraceMs / 2) return true
    try {
      await files.touch(file, now)
      return true
    } catch (cause) {
      if (errnoOf(cause) === 'ENOENT') return false
      throw cause
    }
  }

  /** A query may want thousands of files at once: they are fetched side by side, but only so many. */
  async #inTurn<T>(fetch: () => Promise<T>): Promise<T> {
    if (this.#fetches >= limits.storageFetchesMax) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve))
    } else this.#fetches++
    try {
      return await fetch()
    } finally {
      const next = this.#waiting.shift()
      if (next === undefined) this.#fetches--
      else next()
    }
  }

  /** Writes a temporary file, makes it durable and gives it its name: no reader sees a part, not even after a power cut. */
  async #fill(file: string, fetch: Fetch): Promise<string> {
    const { files, folder, clock, random } = this.#options
    await files.makeDirectory(folder)
    const temporary = path.join(folder, `${uuid(random)}.tmp`)
    let size = 0
    try {
      const handle = await files.open(temporary, 'append')
      try {
        for await (const part of fetch()) {
          await handle.append([part])
          size += part.byteLength
        }
        await handle.sync()
      } finally {
        await handle.close()
      }
      await files.touch(temporary, clock.wall())
      await files.rename(temporary, file)
    } catch (cause) {
      await files.remove(temporary).catch(() => undefined)
      throw cause
    }
    await this.#grown(size)
    return file
  }

  /** Removes what was not used for longest once the folder holds too much. */
  async #grown(bytes: number): Promise<void> {
    if (this.#bytes !== undefined) this.#bytes += bytes
    if (!this.#due()) return
    // One at a time; whoever waits finds that there is room again.
    const evicted = this.#evicting.then(() => (this.#due() ? this.#evict() : undefined))
    this.#evicting = evicted.catch(() => undefined)
    await evicted
  }

  #due(): boolean {
    if (this.#bytes === undefined) return true
    return this.#bytes > this.#options.bytesMax && this.#options.clock.wall() >= this.#crowdedUntil
  }

  async #evict(): Promise<void> {
    const { files, folder, bytesMax, clock } = this.#options
    const now = clock.wall()
    const found: { readonly file: string; readonly size: number; readonly used: number }[] = []
    for (const name of await files.list(folder)) {
      const file = path.join(folder, name)
      const info = await files.info(file)
      if (info !== undefined) found.push({ file, size: info.size, used: info.modified })
    }
    let total = found.reduce((sum, { size }) => sum + size, 0)
    // Down to less than the bound, so that the folder is not looked through for every file.
    const wanted = total > bytesMax ? bytesMax * 0.9 : bytesMax
    for (const { file, size } of found.toSorted((a, b) => a.used - b.used)) {
      const leftover = file.endsWith('.tmp')
      if (total <= wanted && !leftover) continue
      // Another process may have used it meanwhile.
      const info = await files.info(file)
      if (info === undefined || info.modified > now - limits.storageCacheGraceMs) continue
      await files.remove(file)
      total -= size
    }
    this.#bytes = total
    this.#crowdedUntil = total > bytesMax ? now + limits.storageCacheGraceMs / 4 : 0
  }
}
