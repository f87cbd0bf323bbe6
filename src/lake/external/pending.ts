/**
 * A change on its way into several tables, on disk before the first of them is committed (PROTOCOL.md §14): a crash between two tables
 * is finished from it with the very same files, whatever the specifications say by then.
 */
import path from 'node:path'
import { error } from '../../base/errors.ts'
import type { Files } from '../../base/files.ts'
import { type Random, uuid } from '../../base/random.ts'
import { failed, ok, type Result } from '../../base/result.ts'
import type { Prepared } from '../append.ts'
import { parseExact, stringifyExact } from '../json.ts'

/** What a change does to one table: files that are prepared, or, without any, a snapshot that only carries the mark. */
export interface Part {
  readonly name: string
  readonly snapshotId: number
  readonly prepared?: Prepared
  /** Added to the summary of its snapshot. */
  readonly summary?: Readonly<Record<string, string>>
}

export interface Pending {
  readonly writer: string
  /** Identity of the change. */
  readonly commit: string
  readonly offset: number
  readonly summary: Readonly<Record<string, string>>
  /** In the order of commits; the ledger is the last one. */
  readonly parts: readonly Part[]
}

/** The files of an owner beside its log: what it is to the catalog, and the change that it is making. */
export class OwnerFolder {
  readonly #folder: string
  readonly #files: Files
  readonly #random: Random

  constructor(folder: string, files: Files, random: Random) {
    this.#folder = folder
    this.#files = files
    this.#random = random
  }

  /** Absolute path of the file that holds the pending change. */
  get pendingFile(): string {
    return path.join(this.#folder, 'pending.json')
  }

  async pending(): Promise<Result<Pending | undefined>> {
    const value = await this.#read(this.pendingFile)
    if (!value.ok || value.value === undefined) return value as Result<undefined>
    const { format } = value.value
    return format === 1
      ? ok(value.value as unknown as Pending)
      : failed(error('lake_invalid', `${this.pendingFile} has the format ${String(format)}.`))
  }

  write(pending: Pending): Promise<void> {
    return this.#replace(this.pendingFile, { format: 1, ...pending })
  }

  clear(): Promise<void> {
    return this.#files.remove(this.pendingFile)
  }

  /**
   * What this folder is to the catalog; undefined before it has written to any. `taking`: it is taking over from another. `former`: the
   * identity that it wrote with, where that was made here and is not the data folder's.
   */
  async bond(): Promise<Result<{ taking: boolean; former: string | undefined } | undefined>> {
    const value = await this.#read(this.#writerFile)
    if (!value.ok || value.value === undefined) return value as Result<undefined>
    const { id, taking } = value.value
    return ok({ taking: taking === true, former: typeof id === 'string' ? id : undefined })
  }

  /** Remembers that the folder has written, or is about to. */
  bind(taking: boolean, former: string | undefined): Promise<void> {
    return this.#replace(this.#writerFile, { taking, ...(former !== undefined && { id: former }) })
  }

  get #writerFile(): string {
    return path.join(this.#folder, 'writer.json')
  }

  async #read(file: string): Promise<Result<Readonly<Record<string, unknown>> | undefined>> {
    if ((await this.#files.info(file)) === undefined) return ok(undefined)
    const text = Buffer.from(await this.#files.read(file)).toString()
    try {
      return ok(fromText(text) as Readonly<Record<string, unknown>>)
    } catch (cause) {
      return failed(error('lake_invalid', `${file} is not JSON.`, cause))
    }
  }

  async #replace(file: string, value: object): Promise<void> {
    const temporary = `${file}.${uuid(this.#random)}.tmp`
    await this.#files.write(temporary, toText(value), { sync: true })
    await this.#files.rename(temporary, file)
    await this.#files.sync(this.#folder)
  }
}

/** JSON in which bytes are base64 and integers are exact. */
function toText(value: object): string {
  const plain = (item: unknown): unknown => {
    if (item instanceof Uint8Array) return { base64: Buffer.from(item).toString('base64') }
    if (Array.isArray(item)) return item.map(plain)
    if (typeof item !== 'object' || item === null) return item
    return Object.fromEntries(Object.entries(item).map(([key, each]) => [key, plain(each)]))
  }
  return stringifyExact(plain(value))
}

function fromText(text: string): unknown {
  const full = (item: unknown): unknown => {
    if (Array.isArray(item)) return item.map(full)
    if (typeof item !== 'object' || item === null) return item
    const entries = Object.entries(item)
    const [first] = entries
    if (entries.length === 1 && first![0] === 'base64')
      return Buffer.from(String(first![1]), 'base64')
    return Object.fromEntries(entries.map(([key, each]) => [key, full(each)]))
  }
  return full(parseExact(text))
}
