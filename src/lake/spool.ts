/** The spool of an object store: folders on the local disk where engines write files that are then uploaded. */
import path from 'node:path'
import { createHash } from 'node:crypto'
import { assert } from '../base/assert.ts'
import type { Files } from '../base/files.ts'
import { join } from './storage.ts'

export class Spool {
  readonly #root: string
  readonly #files: Files
  /** Directory → the folder whose files are written there. */
  readonly #folders = new Map<string, string>()
  #swept: Promise<void> | undefined

  constructor(root: string, files: Files) {
    this.#root = root
    this.#files = files
  }

  /** Absolute path of the directory for `folder`; made when missing. The first call removes what a crash left. */
  async directory(folder: string): Promise<string> {
    // Only the owner of the lake writes files, so whatever is there now belongs to nobody.
    this.#swept ??= this.#files.removeDirectory(this.#root).catch((cause: unknown) => {
      this.#swept = undefined
      throw cause
    })
    await this.#swept
    const directory = path.join(this.#root, hashOf(folder))
    if (!this.#folders.has(directory)) {
      await this.#files.makeDirectory(directory)
      this.#folders.set(directory, folder)
    }
    return directory
  }

  /** The location that a file of the spool is to have. */
  location(file: string): string {
    const folder = this.#folders.get(path.dirname(file))
    assert(folder !== undefined, `${file} lies in a folder of the spool`)
    return join(folder, path.basename(file))
  }
}

/** A file name for a location: locations may be longer than names, and hold any character. */
export function hashOf(location: string): string {
  return createHash('sha256').update(location).digest('hex')
}
