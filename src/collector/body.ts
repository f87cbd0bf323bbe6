/** Reads the body of a request within bounds, and decompresses it within bounds. */
import type { IncomingMessage } from 'node:http'
import { promisify } from 'node:util'
import zlib from 'node:zlib'
import type { Clock } from '../base/clock.ts'
import { error, type HeadwaterError } from '../base/errors.ts'
import { errnoOf } from '../base/files.ts'
import { failed, ok, type Result } from '../base/result.ts'

export interface BodyLimits {
  readonly bodyBytesMax: number
  readonly bodyDecodedBytesMax: number
  readonly bodyMsMax: number
}

/** Bytes of all bodies that are in memory now. */
export class InFlight {
  bytes = 0
  readonly #most: number

  constructor(most: number) {
    this.#most = most
  }

  get full(): boolean {
    return this.bytes >= this.#most
  }
}

/** Deadlines that are all equally far away and so are reached in their order: one timer of the clock serves them all. */
export class Deadlines {
  readonly #clock: Clock
  readonly #ms: number
  /** What to call, with the monotonic time when it is due. Sets keep their order. */
  readonly #waiting = new Set<{ readonly due: number; readonly reached: () => void }>()
  #armed = false

  constructor(clock: Clock, ms: number) {
    this.#clock = clock
    this.#ms = ms
  }

  /** Calls `reached` once after the time, unless the returned function is called before. */
  begin(reached: () => void): () => void {
    const deadline = { due: this.#clock.monotonic() + this.#ms, reached }
    this.#waiting.add(deadline)
    if (!this.#armed) this.#arm(this.#ms)
    return () => this.#waiting.delete(deadline)
  }

  #arm(ms: number): void {
    this.#armed = true
    this.#clock.after(ms, () => {
      this.#armed = false
      const now = this.#clock.monotonic()
      for (const deadline of this.#waiting) {
        if (deadline.due > now) {
          this.#arm(deadline.due - now)
          return
        }
        this.#waiting.delete(deadline)
        deadline.reached()
      }
    })
  }
}

/**
 * Calls back with the body, a failure, or undefined when the client went away. Exactly once. The bytes count as in flight as they
 * arrive; those of a body are the caller's to give back, all others are given back here.
 */
export function readBody(
  request: IncomingMessage,
  limits: BodyLimits,
  deadlines: Deadlines,
  inFlight: InFlight,
  done: (result: Result<Buffer> | undefined) => void,
): void {
  const declared = Number(request.headers['content-length'] ?? 0)
  const tooLarge = (): HeadwaterError =>
    error('body_too_large', `More than ${limits.bodyBytesMax} bytes.`)
  if (declared > limits.bodyBytesMax) {
    done(failed(tooLarge()))
    return
  }
  const parts: Buffer[] = []
  let length = 0
  let open = true
  const finish = (result: Result<Buffer> | undefined): void => {
    if (!open) return
    open = false
    cancel()
    if (result === undefined || !result.ok) inFlight.bytes -= length
    done(result)
  }
  const cancel = deadlines.begin(() => {
    finish(failed(error('body_too_slow', `Not complete after ${limits.bodyMsMax} ms.`)))
  })
  request.on('data', (part: Buffer) => {
    if (!open) return
    length += part.length
    inFlight.bytes += part.length
    if (length > limits.bodyBytesMax) finish(failed(tooLarge()))
    else parts.push(part)
  })
  request.on('end', () => finish(ok(parts.length === 1 ? parts[0]! : Buffer.concat(parts))))
  request.on('close', () => finish(undefined))
  request.on('error', () => finish(undefined))
}

/** Bodies above this are decompressed off the main thread. */
const ASYNC_BYTES = 256 * 1024

const gunzip = promisify(zlib.gunzip)
const zstdSync = (zlib as Partial<typeof zlib>).zstdDecompressSync
const zstd = zstdSync === undefined ? undefined : promisify(zlib.zstdDecompress)

/** The decompressed body. `body_corrupt` where the bytes are not what their encoding says. */
export function decodeBody(
  body: Buffer,
  encoding: string | undefined,
  limits: BodyLimits,
): Result<Buffer> | Promise<Result<Buffer>> {
  const options = { maxOutputLength: limits.bodyDecodedBytesMax }
  const small = body.length <= ASYNC_BYTES
  switch (encoding?.trim().toLowerCase()) {
    case undefined:
    case '':
    case 'identity':
      return ok(body)
    case 'gzip':
    case 'x-gzip':
      return small
        ? attempt(() => zlib.gunzipSync(body, options), limits)
        : attemptAsync(gunzip(body, options), limits)
    case 'zstd':
      if (zstdSync === undefined || zstd === undefined) break
      return small
        ? attempt(() => zstdSync(body, options), limits)
        : attemptAsync(zstd(body, options), limits)
    default:
  }
  return failed(error('encoding_unknown', `The encoding is ${JSON.stringify(encoding)}.`))
}

function attempt(decode: () => Buffer, limits: BodyLimits): Result<Buffer> {
  try {
    return ok(decode())
  } catch (cause) {
    return failed(decodeFailure(cause, limits))
  }
}

async function attemptAsync(
  decoding: Promise<Buffer>,
  limits: BodyLimits,
): Promise<Result<Buffer>> {
  try {
    return ok(await decoding)
  } catch (cause) {
    return failed(decodeFailure(cause, limits))
  }
}

function decodeFailure(cause: unknown, limits: BodyLimits): HeadwaterError {
  if (errnoOf(cause) === 'ERR_BUFFER_TOO_LARGE') {
    return error('body_too_large', `More than ${limits.bodyDecodedBytesMax} bytes decompressed.`)
  }
  const message = cause instanceof Error ? cause.message : String(cause)
  return error('body_corrupt', `${message}.`, cause)
}
