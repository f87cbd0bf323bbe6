/** The storage port over a disk: durable by fsync, commits by hard link. */
import path from 'node:path'
import { error } from '../base/errors.ts'
import { errnoOf, type Files } from '../base/files.ts'
import { limits } from '../base/limits.ts'
import { type Random, uuid } from '../base/random.ts'
import { tooLarge } from './failure.ts'
import { folderOf, type Storage, type StoredObject } from './storage.ts'

export function localStorage(root: string, files: Files, random: Random): Storage {
  return new LocalStorage(root, files, random)
}

class LocalStorage implements Storage {
  readonly root: string
  readonly #files: Files
  readonly #random: Random
  /** Folders that are known to exist. */
  readonly #folders = new Set<string>()

  constructor(root: string, files: Files, random: Random) {
    this.root = locationOf(root)
    this.#files = files
    this.#random = random
  }

  async read(location: string): Promise<Uint8Array> {
    try {
      return await this.#files.readRegular(pathOf(location), limits.metadataBytesMax)
    } catch (cause) {
      const code = errnoOf(cause)
      if (code === 'ENOTSUP') throw notAFile(location)
      if (code === 'EFBIG') throw tooLarge(location)
      throw cause
    }
  }

  async write(location: string, bytes: Uint8Array | string): Promise<void> {
    await this.spool(folderOf(location))
    await this.#files.write(pathOf(location), bytes, { sync: true })
  }

  async create(location: string, bytes: Uint8Array | string): Promise<boolean> {
    const temporary = await this.#temporary(location, bytes, true)
    try {
      await this.#files.link(temporary, pathOf(location))
      return true
    } catch (cause) {
      if (errnoOf(cause) !== 'EEXIST') throw cause
      return false
    } finally {
      await this.#files.remove(temporary).catch(() => undefined)
    }
  }

  async replace(location: string, bytes: Uint8Array | string): Promise<void> {
    const temporary = await this.#temporary(location, bytes, false)
    await this.#files.rename(temporary, pathOf(location))
  }

  async alias(location: string, name: string): Promise<boolean> {
    try {
      await this.#files.link(pathOf(location), pathOf(name))
    } catch (cause) {
      if (errnoOf(cause) !== 'EEXIST') throw cause
    }
    return true
  }

  settle(folder: string): Promise<void> {
    return this.#files.sync(pathOf(folder))
  }

  names(folder: string): Promise<readonly string[]> {
    return this.#files.list(pathOf(folder))
  }

  async *list(folder: string): AsyncGenerator<StoredObject, void, void> {
    const directory = pathOf(folder)
    for (const name of await this.#files.list(directory)) {
      const location = locationOf(path.join(directory, name))
      const info = await this.#files.info(path.join(directory, name))
      // A link leads to what is somebody else's, or round in a circle.
      if (info === undefined || info.link) continue
      if (info.directory) yield* this.list(location)
      else yield { location, bytes: info.size, modified: info.modified }
    }
  }

  async info(location: string): Promise<StoredObject | undefined> {
    const info = await this.#files.info(pathOf(location))
    return info && { location, bytes: info.size, modified: info.modified }
  }

  remove(location: string): Promise<void> {
    return this.#files.remove(pathOf(location))
  }

  identity(location: string): string {
    return locationOf(pathOf(location))
  }

  async spool(folder: string): Promise<string> {
    const directory = pathOf(folder)
    if (!this.#folders.has(directory)) {
      await this.#files.makeDirectory(directory)
      this.#folders.add(directory)
    }
    return directory
  }

  adopt(file: string): Promise<string> {
    return Promise.resolve(locationOf(file))
  }

  /** An engine would wait for a pipe for ever, and take a device for a file without end. */
  async local(location: string): Promise<string> {
    const file = pathOf(location)
    // One name would stand for many files.
    if (/[*?[]/.test(file)) throw error('unsupported', `${location} has a character of patterns.`)
    const regular = await this.#files.isRegular(file)
    if (regular === undefined) {
      throw Object.assign(new Error(`ENOENT: no such file, ${file}`), { code: 'ENOENT' })
    }
    if (!regular) throw notAFile(location)
    return file
  }

  async #temporary(location: string, bytes: Uint8Array | string, sync: boolean): Promise<string> {
    const folder = await this.spool(folderOf(location))
    const temporary = path.join(folder, `.${uuid(this.#random)}.tmp`)
    await this.#files.write(temporary, bytes, { sync })
    return temporary
  }
}

function notAFile(location: string): Error {
  return error('lake_invalid', `${location} is not a regular file.`)
}

/** `file://` and the absolute path as it is. Iceberg's locations are not URLs: readers decode nothing, so nothing is encoded. */
function locationOf(file: string): string {
  return `file://${file}`
}

/** The path of a location, in any of the forms that writers use: `file:///a`, `file:/a`, `/a`. */
function pathOf(location: string): string {
  return location.replace(/^file:(\/\/(?=\/))?/, '')
}
