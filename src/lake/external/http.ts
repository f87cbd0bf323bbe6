/** Requests to a REST catalog: authorised, bounded in time, size and number of attempts; JSON with exact integers. */
import type { Clock } from '../../base/clock.ts'
import { sleep } from '../../base/clock.ts'
import { error, type HeadwaterError } from '../../base/errors.ts'
import { limits } from '../../base/limits.ts'
import type { Random } from '../../base/random.ts'
import { failed, ok, type Result } from '../../base/result.ts'
import { parseExact, stringifyExact } from '../json.ts'

export type Fetch = typeof globalThis.fetch

export interface HttpPorts {
  readonly fetch: Fetch
  readonly clock: Clock
  readonly random: Random
}

export interface HttpRequest {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'DELETE'
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string
}

/** Gives a request its proof of who asks: a bearer token, or a signature over it. */
export interface Authorizer {
  /** Headers to add. */
  authorize(request: HttpRequest): Promise<Result<Readonly<Record<string, string>>>>
  /** Forgets what the server has just refused; `false` when there is nothing newer to be had. */
  renew(): boolean
}

/** What became of a request. */
export type Reply =
  | { readonly kind: 'ok'; readonly status: number; readonly body: unknown }
  /** The server has done nothing. `type` is its name for the reason, such as `NoSuchTableException`. */
  | {
      readonly kind: 'refused'
      readonly status: number
      readonly type: string
      readonly message: string
    }
  /** The server may have done it or not: no answer, or one of its failures. */
  | { readonly kind: 'unknown'; readonly message: string }

/** A complete answer of a server. */
interface RawAnswer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
}

/** Sends one request once. Fails with `catalog_unavailable` when there is no whole answer in time. */
export async function exchange(
  request: HttpRequest,
  { fetch, clock }: Pick<HttpPorts, 'fetch' | 'clock'>,
): Promise<Result<RawAnswer>> {
  const { method, url, headers, body } = request
  const stop = new AbortController()
  const cancel = clock.after(limits.catalogRequestMsMax, () => stop.abort())
  try {
    const response = await fetch(url, {
      method,
      headers,
      signal: stop.signal,
      // A redirect would carry the token to wherever it points.
      redirect: 'manual',
      ...(body === undefined ? {} : { body }),
    })
    const text = await boundedText(response)
    if (text === undefined) {
      stop.abort()
      return failed(error('catalog_invalid', `${method} ${url}: the answer is too large.`))
    }
    return ok({ status: response.status, headers: response.headers, text })
  } catch (cause) {
    const why = stop.signal.aborted
      ? `no answer in ${limits.catalogRequestMsMax} ms`
      : reasonOf(cause)
    return failed(error('catalog_unavailable', `${method} ${url}: ${why}.`, cause))
  } finally {
    cancel()
  }
}

async function boundedText(response: Response): Promise<string | undefined> {
  if (response.body === null) return ''
  const parts: Uint8Array[] = []
  let bytes = 0
  for await (const part of response.body as AsyncIterable<Uint8Array>) {
    bytes += part.length
    if (bytes > limits.catalogAnswerBytesMax) return undefined
    parts.push(part)
  }
  return Buffer.concat(parts).toString('utf8')
}

/** fetch says only that it failed; the reason is in the cause. */
function reasonOf(cause: unknown): string {
  const inner = cause instanceof Error && cause.cause instanceof Error ? cause.cause : cause
  return inner instanceof Error ? inner.message : String(inner)
}

export class CatalogHttp {
  readonly #ports: HttpPorts
  readonly #authorizer: Authorizer
  readonly #headers: Readonly<Record<string, string>>

  constructor(
    ports: HttpPorts,
    authorizer: Authorizer,
    headers: Readonly<Record<string, string>> = {},
  ) {
    this.#ports = ports
    this.#authorizer = authorizer
    this.#headers = headers
  }

  /** Asks for something that changes nothing: tried again while the server fails or asks to wait. */
  async get(url: string): Promise<Reply> {
    return this.#untilAnswered({ method: 'GET', url }, true)
  }

  /**
   * Sends a change. It is sent again only where the server has certainly not done it (429, or a token that had ended); a failure of the
   * server is `unknown`.
   */
  async post(url: string, body: object): Promise<Reply> {
    return this.#untilAnswered({ method: 'POST', url, body: stringifyExact(body) }, false)
  }

  async #untilAnswered(
    request: Pick<HttpRequest, 'method' | 'url' | 'body'>,
    repeatable: boolean,
  ): Promise<Reply> {
    let renewed = false
    let waitMs: number = limits.catalogRetryMsMin
    for (let attempt = 1; ; attempt++) {
      const answer = await this.#once(request)
      if (answer.ok && answer.value.status === 401 && !renewed && this.#authorizer.renew()) {
        renewed = true
        continue
      }
      const reply = answer.ok ? replyOf(request, answer.value) : unanswered(answer.error)
      const again =
        reply.kind === 'refused' ? reply.status === 429 : reply.kind === 'unknown' && repeatable
      if (!again || attempt === limits.catalogAttemptsMax) return reply
      const asked = answer.ok ? this.#retryAfterMs(answer.value.headers) : undefined
      if (asked !== undefined && asked > limits.catalogRetryAfterMsMax) return reply
      // Full jitter, so that several writers do not come back at once.
      await sleep(this.#ports.clock, asked ?? waitMs * this.#ports.random.float())
      waitMs = Math.min(limits.catalogRetryMsMax, waitMs * 2)
    }
  }

  async #once(request: Pick<HttpRequest, 'method' | 'url' | 'body'>): Promise<Result<RawAnswer>> {
    const plain: HttpRequest = {
      ...request,
      headers: {
        accept: 'application/json',
        ...(request.body === undefined ? {} : { 'content-type': 'application/json' }),
        ...this.#headers,
      },
    }
    const proof = await this.#authorizer.authorize(plain)
    if (!proof.ok) return proof
    return exchange({ ...plain, headers: { ...plain.headers, ...proof.value } }, this.#ports)
  }

  /** Seconds or a date (RFC 9110 §10.2.3), in ms from now. */
  #retryAfterMs(headers: Headers): number | undefined {
    const text = headers.get('retry-after')
    if (text === null) return undefined
    const ms = /^\d+$/.test(text)
      ? Number(text) * 1000
      : Date.parse(text) - this.#ports.clock.wall()
    return Number.isFinite(ms) ? Math.max(0, ms) : undefined
  }
}

/** A request that was not answered; one that was not even sent has changed nothing. */
function unanswered(failure: HeadwaterError): Reply {
  if (failure.code !== 'catalog_refused') return { kind: 'unknown', message: failure.detail }
  return { kind: 'refused', status: 401, type: 'NotAuthorizedException', message: failure.detail }
}

function replyOf({ method, url }: Pick<HttpRequest, 'method' | 'url'>, answer: RawAnswer): Reply {
  const { status, text } = answer
  const where = `${method} ${url}: ${status}`
  let body: unknown
  try {
    body = text === '' ? undefined : parseExact(text)
  } catch {
    body = undefined
    // A change whose answer cannot be read has perhaps been made.
    if (status < 300) return { kind: 'unknown', message: `${where}, which is not JSON.` }
  }
  if (status < 300) return { kind: 'ok', status, body }
  const said = textsOf((body as { error?: unknown } | null | undefined)?.error)
  const message = `${where} ${said['message'] ?? text.slice(0, 200)}`.trim()
  if (status >= 500) return { kind: 'unknown', message: `${message}.` }
  return { kind: 'refused', status, type: said['type'] ?? '', message: `${message}.` }
}

/** Members of an object that are text. */
export function textsOf(value: unknown): Readonly<Record<string, string>> {
  if (typeof value !== 'object' || value === null) return {}
  return Object.fromEntries(Object.entries(value).filter(([, each]) => typeof each === 'string'))
}

/** The failure of a reply that is not what was hoped for. */
export function failureOf(reply: Exclude<Reply, { kind: 'ok' }>): HeadwaterError {
  if (reply.kind === 'unknown') return error('catalog_unavailable', reply.message)
  const { status, message } = reply
  if (status === 401 || status === 403) return error('catalog_refused', message)
  return error(status === 429 ? 'catalog_unavailable' : 'catalog_invalid', message)
}
