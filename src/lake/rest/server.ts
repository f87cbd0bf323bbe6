/** The Iceberg REST catalog over HTTP: `/iceberg/v1/…` (PROTOCOL.md §16), with bounded bodies and answers that never leave a doubt they need not. */
import http, { type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Clock } from '../../base/clock.ts'
import { error, HeadwaterError } from '../../base/errors.ts'
import { limits } from '../../base/limits.ts'
import type { Random } from '../../base/random.ts'
import { failed, ok, type Result } from '../../base/result.ts'
import type { LakeCatalog } from '../transactions.ts'
import { type Answer, bug, refusal } from './answer.ts'
import { RestCounts, type Service } from './call.ts'
import { locationsOf } from './locations.ts'
import { type Match, routeOf } from './routes.ts'
import { type Token, type Tokens, tokensOf } from './tokens.ts'

export interface RestOptions {
  readonly lake: LakeCatalog
  readonly clock: Clock
  readonly random: Random
  /** Tokens by the name of their owner; none: everybody may write. */
  readonly tokens: Readonly<Record<string, Token>>
  /** Name of headwater's table whose rows nobody else may change; undefined where another engine lands them for it. */
  readonly ledger: string | undefined
  /** Told of failures that are headwater's own fault. */
  readonly onBug: (cause: unknown) => void
}

export interface RestCatalogServer {
  readonly counts: RestCounts
  listen(port: number, host: string): Promise<AddressInfo>
  /** Takes no more connections, answers what is in flight, and closes; bounded by `drainMsMax`. */
  close(): Promise<void>
}

const BASE = '/iceberg'

export function createRestCatalog(options: RestOptions): RestCatalogServer {
  const { lake, clock, random } = options
  const counts = new RestCounts()
  const door = new Door(options, {
    lake,
    clock,
    random,
    counts,
    ledger: options.ledger,
    locations: locationsOf(lake, random),
  })
  const server = http.createServer(
    {
      keepAliveTimeout: 65_000,
      headersTimeout: limits.bodyMsMax,
      requestTimeout: limits.bodyMsMax,
      noDelay: true,
    },
    (request, response) => void door.handle(request, response),
  )
  server.maxConnections = limits.catalogConnectionsMax
  return {
    counts,
    listen: (port, host) =>
      new Promise((resolve, reject) => {
        server.once('error', reject)
        server.listen(port, host, () => {
          server.off('error', reject)
          door.host = host
          resolve(server.address() as AddressInfo)
        })
      }),
    close: () =>
      new Promise((resolve) => {
        const cancel = clock.after(limits.drainMsMax, () => server.closeAllConnections())
        server.close(() => {
          cancel()
          resolve()
        })
        server.closeIdleConnections()
      }),
  }
}

class Door {
  /** What it listens on. */
  host = ''
  readonly #service: Service
  readonly #tokens: Tokens
  readonly #onBug: (cause: unknown) => void
  #inFlightBytes = 0

  constructor(options: RestOptions, service: Service) {
    this.#service = service
    this.#tokens = tokensOf(options.tokens)
    this.#onBug = options.onBug
  }

  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let commits = false
    let held = 0
    try {
      const match = this.#admit(request)
      if (!match.ok) return this.#answer(request, response, refusal(match.error, false))
      const { route, params } = match.value
      commits = route.commits
      const body = await this.#body(request)
      held = body.length
      const url = request.url ?? ''
      const at = url.indexOf('?')
      const query = new URLSearchParams(at === -1 ? '' : url.slice(at))
      const known = request.headers['if-none-match']
      this.#answer(
        request,
        response,
        await route.handle(this.#service, { params, query, body, known }),
      )
    } catch (cause) {
      if (cause instanceof HeadwaterError) {
        return this.#answer(request, response, refusal(cause, commits))
      }
      // A connection that broke before the request was complete asks for no answer.
      if (!request.complete) return void response.destroy()
      this.#onBug(cause)
      this.#answer(request, response, bug(commits))
    } finally {
      this.#inFlightBytes -= held
    }
  }

  /** The route of a request, if it may take it. */
  #admit(request: IncomingMessage): Result<Match> {
    const { method = 'GET', url = '/', headers } = request
    const parts = partsOf(url)
    if (parts === undefined) {
      return failed(error('request_invalid', `The path of ${url} cannot be decoded.`))
    }
    const found = parts.length === 0 ? [] : routeOf(method, parts)
    if (this.#tokens.open && !isThisMachine(headers.host, this.host)) {
      return failed(error('host_refused', `${headers.host ?? 'No host'} is not this catalog.`))
    }
    const scope = 'route' in found ? found.route.scope : 'read'
    const refused = this.#tokens.refusal(headers.authorization, scope)
    if (refused !== undefined) return failed(refused)
    if (!('route' in found)) {
      return failed(
        found.length === 0
          ? error('not_found', `There is nothing at ${url}.`)
          : error('method_not_allowed', `${method} is not for this path, but ${found.join(', ')}.`),
      )
    }
    // Pages of other sites can send forms and text without asking; JSON they cannot.
    if (method === 'POST' && !/^application\/json\b/i.test(headers['content-type'] ?? '')) {
      return failed(error('request_invalid', 'The content type is not application/json.'))
    }
    return ok(found)
  }

  /** The whole body, counted as in flight. Throws HeadwaterError. */
  async #body(request: IncomingMessage): Promise<Buffer> {
    const parts: Buffer[] = []
    let bytes = 0
    try {
      // Not destroyed when too much comes: the client is to read why.
      const body = request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>
      for await (const part of body) {
        bytes += part.length
        this.#inFlightBytes += part.length
        if (bytes > limits.catalogBodyBytesMax) {
          throw error('body_too_large', `The limit is ${limits.catalogBodyBytesMax} bytes.`)
        }
        if (this.#inFlightBytes > limits.inFlightBytesMax) {
          throw error('overloaded', 'Too many bytes of requests are in memory.')
        }
        parts.push(part)
      }
    } catch (cause) {
      this.#inFlightBytes -= bytes
      throw cause
    }
    return Buffer.concat(parts)
  }

  #answer(request: IncomingMessage, response: ServerResponse, answer: Answer): void {
    const { responses } = this.#service.counts
    responses.set(answer.status, (responses.get(answer.status) ?? 0) + 1)
    if (response.destroyed) return
    // A body that was not read to its end leaves the connection unusable.
    const unread = !request.complete
    const bytes = answer.body === undefined ? 0 : Buffer.byteLength(answer.body)
    const empty = answer.status === 204 || answer.status === 304
    response.writeHead(answer.status, {
      ...(bytes === 0 ? {} : { 'content-type': 'application/json' }),
      ...(empty ? {} : { 'content-length': bytes }),
      ...(unread ? { connection: 'close' } : {}),
      ...answer.headers,
    })
    response.end(request.method === 'HEAD' ? undefined : answer.body)
    if (!unread) return
    const { socket } = request
    request.resume()
    response.once('finish', () => socket.destroySoon())
  }
}

/** Parts of a path below `/iceberg`, decoded one by one; none where it lies elsewhere; undefined where it cannot be decoded. */
function partsOf(url: string): string[] | undefined {
  const [path = ''] = url.split('?', 1)
  if (!path.startsWith(`${BASE}/`)) return []
  try {
    return path
      .slice(BASE.length + 1)
      .split('/')
      .map(decodeURIComponent)
  } catch {
    return undefined
  }
}

/** Whether a Host header is that of the address itself: pages whose name was bent to point here send their own. */
function isThisMachine(header: string | undefined, host: string): boolean {
  const name = (header ?? '')
    .replace(/:\d+$/, '')
    .replace(/^\[(.*)\]$/, '$1')
    .toLowerCase()
  return (
    name === host.toLowerCase() ||
    name === 'localhost' ||
    name === '::1' ||
    /^127(\.\d{1,3}){3}$/.test(name)
  )
}
