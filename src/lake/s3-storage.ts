/** The storage port over an S3-compatible object store: commits by conditional PUT, files by way of a local spool and a local cache. */
import type { _Object, GetObjectCommandInput, GetObjectCommandOutput } from '@aws-sdk/client-s3'
import { type Clock, sleep } from '../base/clock.ts'
import { error, HeadwaterError } from '../base/errors.ts'
import { errnoOf, type Files } from '../base/files.ts'
import { limits } from '../base/limits.ts'
import { type Random, uuid } from '../base/random.ts'
import { tooLarge } from './failure.ts'
import { ObjectCache } from './object-cache.ts'
import {
  connectS3,
  type S3Connection,
  type S3Options,
  statusOf,
  storageFailure,
  attemptsOf,
} from './s3-client.ts'
import { type Grants, S3Clients } from './s3-grants.ts'
import { keyPrefix, objectLocation, objectName, type ObjectName } from './s3-location.ts'
import { Spool } from './spool.ts'
import { join, type Storage, type StoredObject } from './storage.ts'

export interface S3StorageOptions extends S3Options {
  /** `s3://<bucket>/<prefix>`. */
  readonly root: string
  /** Absolute paths of folders of this process's data directory, on one disk. The cache may be shared, the spool is the owner's. */
  readonly spool: string
  readonly cache: string
  readonly cacheBytesMax: number
  /** Who lets us in, where it is not the environment. */
  readonly grants?: Grants | undefined
  readonly files: Files
  readonly clock: Clock
  readonly random: Random
}

/** Connects; nothing is asked of the store yet. Rejects with HeadwaterError `lake_invalid` when `root` is no location. */
export async function s3Storage(options: S3StorageOptions): Promise<Storage> {
  objectName(options.root)
  return new S3Storage(options, await connectS3(options))
}

class S3Storage implements Storage {
  readonly root: string
  readonly #options: S3StorageOptions
  readonly #s3: S3Connection
  readonly #clients: S3Clients
  readonly #spool: Spool
  readonly #cache: ObjectCache
  /** Resolves once the store has shown that it honours `If-None-Match`. */
  #proven: Promise<void> | undefined
  #tidied: Promise<void> | undefined

  constructor(options: S3StorageOptions, s3: S3Connection) {
    this.root = options.root.replace(/\/+$/, '')
    this.#options = options
    this.#s3 = s3
    this.#clients = new S3Clients(options, s3, options.grants)
    this.#spool = new Spool(options.spool, options.files)
    this.#cache = new ObjectCache({
      ...options,
      folder: options.cache,
      bytesMax: options.cacheBytesMax,
    })
  }

  async read(location: string): Promise<Uint8Array> {
    const parts: Uint8Array[] = []
    let length = 0
    for await (const part of this.#bytes(location)) {
      length += part.byteLength
      if (length > limits.metadataBytesMax) throw tooLarge(location)
      parts.push(part)
    }
    return Buffer.concat(parts)
  }

  async write(location: string, bytes: Uint8Array | string): Promise<void> {
    await this.#put(location, bytes)
  }

  async create(location: string, bytes: Uint8Array | string): Promise<boolean> {
    this.#proven ??= this.#prove().catch((cause: unknown) => {
      this.#proven = undefined
      throw cause
    })
    await this.#proven
    return this.#create(location, bytes)
  }

  async replace(location: string, bytes: Uint8Array | string): Promise<void> {
    await this.#put(location, bytes)
  }

  /** Object stores have one name for an object. */
  alias(): Promise<boolean> {
    return Promise.resolve(false)
  }

  /** An answered PUT is durable, its name included. */
  settle(): Promise<void> {
    return Promise.resolve()
  }

  async names(folder: string): Promise<readonly string[]> {
    const prefix = keyPrefix(objectName(folder).key)
    const names: string[] = []
    for await (const { Key: key = '' } of this.#pages(folder, '/')) {
      // A key that ends in a slash is what consoles make for an empty folder.
      if (key !== prefix) names.push(key.slice(prefix.length))
    }
    return names.toSorted()
  }

  async *list(folder: string): AsyncGenerator<StoredObject, void, void> {
    const { bucket } = objectName(folder)
    for await (const { Key: key = '', Size: bytes = 0, LastModified: time } of this.#pages(
      folder,
    )) {
      if (key.endsWith('/') && bytes === 0) continue
      yield { location: objectLocation({ bucket, key }), bytes, modified: time?.getTime() ?? 0 }
    }
  }

  async info(location: string): Promise<StoredObject | undefined> {
    const { HeadObjectCommand } = this.#s3.sdk
    try {
      const head = await this.#clients.send(location, (client) =>
        client.send(new HeadObjectCommand(target(location))),
      )
      const modified = head.LastModified?.getTime() ?? 0
      return { location, bytes: head.ContentLength ?? 0, modified }
    } catch (cause) {
      const failure = storageFailure(cause, location)
      if (errnoOf(failure) === 'ENOENT') return undefined
      throw failure
    }
  }

  async remove(location: string): Promise<void> {
    const { DeleteObjectCommand } = this.#s3.sdk
    try {
      await this.#clients.send(location, (client) =>
        client.send(new DeleteObjectCommand(target(location))),
      )
    } catch (cause) {
      const failure = storageFailure(cause, location)
      if (errnoOf(failure) !== 'ENOENT') throw failure
    }
  }

  identity(location: string): string {
    return objectLocation(objectName(location))
  }

  async spool(folder: string): Promise<string> {
    this.#tidied ??= this.#abortUploads()
    await this.#tidied
    return this.#spool.directory(folder)
  }

  async adopt(file: string): Promise<string> {
    const location = this.#spool.location(file)
    const info = await this.#options.files.info(file)
    if (info === undefined) {
      if ((await this.info(location)) !== undefined) return location
      throw Object.assign(new Error(`ENOENT: no such file, ${file}`), { code: 'ENOENT' })
    }
    if (info.size < limits.storageMultipartBytes) {
      await this.#put(location, await this.#options.files.read(file))
    } else await this.#upload(location, file, info.size)
    // What was just written is what is read next.
    await this.#cache.take(this.#cacheKey(location), file)
    return location
  }

  local(location: string): Promise<string> {
    return this.#cache.local(this.#cacheKey(location), () => this.#bytes(location))
  }

  #cacheKey(location: string): string {
    return `${this.#options.endpoint ?? ''} ${this.identity(location)}`
  }

  /** The bytes of an object, all of them or a failure. The client repeats requests; an answer that breaks off is taken up again here. */
  async *#bytes(location: string): AsyncGenerator<Uint8Array, void, void> {
    let done = 0
    let answer = await this.#get(location, {})
    const length = answer.ContentLength ?? 0
    for (let attempt = 1; ; attempt++) {
      let broken: unknown
      try {
        for await (const part of answer.Body as unknown as AsyncIterable<Uint8Array>) {
          done += part.byteLength
          yield part
        }
      } catch (cause) {
        broken = cause
      }
      if (done === length && broken === undefined) return
      if (attempt >= limits.storageAttemptsMax || done >= length) {
        const detail = `${location}: the answer broke off after ${done} of ${length} bytes.`
        throw error('storage_unavailable', detail, broken)
      }
      answer = await this.#get(location, {
        Range: `bytes=${done}-`,
        ...(answer.ETag === undefined ? {} : { IfMatch: answer.ETag }),
      })
    }
  }

  async #get(
    location: string,
    part: Pick<GetObjectCommandInput, 'Range' | 'IfMatch'>,
  ): Promise<GetObjectCommandOutput> {
    const { GetObjectCommand } = this.#s3.sdk
    try {
      return await this.#clients.send(location, (client) =>
        client.send(new GetObjectCommand({ ...target(location), ...part })),
      )
    } catch (cause) {
      throw storageFailure(cause, location)
    }
  }

  async #put(location: string, bytes: Uint8Array | string, onlyNew = false): Promise<void> {
    const { PutObjectCommand } = this.#s3.sdk
    const condition = onlyNew ? { IfNoneMatch: '*' } : {}
    try {
      await this.#clients.send(location, (client) =>
        client.send(new PutObjectCommand({ ...target(location), Body: bytes, ...condition })),
      )
    } catch (cause) {
      // Whether the condition failed is for the caller to see.
      throw onlyNew ? cause : storageFailure(cause, location)
    }
  }

  async #create(location: string, bytes: Uint8Array | string): Promise<boolean> {
    for (let attempt = 1; ; attempt++) {
      try {
        await this.#put(location, bytes, true)
        return true
      } catch (cause) {
        if (statusOf(cause) === 412) return false
        // Two conditional PUTs met and neither was let through.
        const conflict = statusOf(cause) === 409 && attempt < limits.storageConflictsMax
        if (!conflict) throw createFailure(cause, location)
        const waitMs = this.#options.random.float() * limits.storageConflictMs * attempt
        await sleep(this.#options.clock, waitMs)
      }
    }
  }

  /** A store that ignores the condition would let two owners commit the same version, so it is tried on a name of its own. */
  async #prove(): Promise<void> {
    const probe = join(this.root, 'catalog', `${uuid(this.#options.random)}.tmp`)
    try {
      await this.#put(probe, 'first')
      if (await this.#create(probe, 'second')) {
        throw error('storage_refused', `${this.root}: the store ignores If-None-Match.`)
      }
    } finally {
      // What is left of it is removed with the temporary files of the catalog.
      await this.remove(probe).catch(() => undefined)
    }
  }

  async *#pages(folder: string, delimiter?: string): AsyncGenerator<_Object, void, void> {
    const { bucket, key } = objectName(folder)
    const { paginateListObjectsV2 } = this.#s3.sdk
    try {
      const client = await this.#clients.send(folder, (each) => Promise.resolve(each))
      const pages = paginateListObjectsV2(
        { client, stopOnSameToken: true },
        { Bucket: bucket, Prefix: keyPrefix(key), ...(delimiter && { Delimiter: delimiter }) },
      )
      for await (const { Contents: contents = [] } of pages) yield* contents
    } catch (cause) {
      const failure = storageFailure(cause, folder)
      if (errnoOf(failure) !== 'ENOENT') throw failure
    }
  }

  /** Uploads a large file in parts, each of which is repeated by itself. */
  async #upload(location: string, file: string, size: number): Promise<void> {
    const { Upload } = await import('@aws-sdk/lib-storage')
    const partSize = Math.max(limits.storagePartBytes, Math.ceil(size / PARTS_MAX))
    const { Readable } = await import('node:stream')
    try {
      await this.#clients.send(location, async (client) => {
        const upload = new Upload({
          client,
          params: { ...target(location), Body: Readable.from(this.#parts(file, partSize)) },
          partSize,
          queueSize: limits.storagePartsInFlight,
        })
        await upload.done()
      })
    } catch (cause) {
      // The last answer may have been lost; the name is the file's own, so the length says whether it is there.
      const stored = await this.info(location).catch(() => undefined)
      if (stored?.bytes !== size) throw storageFailure(cause, location)
    }
  }

  async *#parts(file: string, partSize: number): AsyncGenerator<Uint8Array, void, void> {
    const handle = await this.#options.files.open(file, 'read')
    try {
      for (let position = 0; ; position += partSize) {
        const part = await handle.read(position, partSize)
        if (part.byteLength > 0) yield part
        if (part.byteLength < partSize) return
      }
    } finally {
      await handle.close()
    }
  }

  /** Gives up uploads that a crash left half done, which cost money and are seen by nobody. The store's own rules may do it too. */
  async #abortUploads(): Promise<void> {
    const { ListMultipartUploadsCommand, AbortMultipartUploadCommand } = this.#s3.sdk
    const { bucket, key } = objectName(this.root)
    const old = this.#options.clock.wall() - limits.orphanAgeMs
    try {
      const { Uploads: uploads = [] } = await this.#clients.send(this.root, (client) =>
        client.send(new ListMultipartUploadsCommand({ Bucket: bucket, Prefix: keyPrefix(key) })),
      )
      for (const { Key, UploadId, Initiated } of uploads) {
        if ((Initiated?.getTime() ?? Infinity) > old) continue
        await this.#clients.send(this.root, (client) =>
          client.send(new AbortMultipartUploadCommand({ Bucket: bucket, Key, UploadId })),
        )
      }
    } catch {
      // Not every store lists uploads, and not everybody may.
    }
  }
}

/** Parts that an upload may have. */
const PARTS_MAX = 10_000

function target(location: string): { Bucket: string; Key: string } {
  const { bucket, key }: ObjectName = objectName(location)
  return { Bucket: bucket, Key: key }
}

/** Of a failed conditional PUT. A request can be stored though its answer never came, and then a repeat of it says something else. */
function createFailure(cause: unknown, location: string): Error {
  const failure = storageFailure(cause, location)
  if (!(failure instanceof HeadwaterError)) return failure
  const decided = failure.code !== 'storage_unavailable' && attemptsOf(cause) <= 1
  return decided ? failure : error('commit_unknown', `${location}: ${failure.detail}`, failure)
}
