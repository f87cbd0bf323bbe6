/** The HTTP door: routes, bounds and answers around an `Intake` (PROTOCOL.md §1, §9). */
import http, {
  type IncomingMessage,
  type OutgoingHttpHeaders,
  type ServerResponse,
} from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Clock } from '../base/clock.ts'
import { error, type HeadwaterError } from '../base/errors.ts'
import { limits as defaults } from '../base/limits.ts'
import type { Result } from '../base/result.ts'
import { errorAnswer, refusal } from './answer.ts'
import { type BodyLimits, Deadlines, decodeBody, InFlight, readBody } from './body.ts'
import type { Cors } from './cors.ts'
import { clientAddress, type Enricher } from './enrich.ts'
import type { Enrichment, Intake, IntakeAnswer, RequestFacts } from './intake.ts'
import type { Keys } from './keys.ts'
import type { DoorCounts } from './metrics.ts'

export interface HttpLimits extends BodyLimits {
  readonly connectionsMax: number
  readonly inFlightBytesMax: number
  readonly drainMsMax: number
}

export interface CollectorOptions {
  readonly intake: Intake
  readonly clock: Clock
  readonly keys: Keys
  readonly cors: Cors
  readonly enricher: Enricher
  readonly counts: DoorCounts
  /** The text of GET /metrics. */
  readonly metrics: () => Promise<string>
  readonly trustProxyHops: number
  readonly limits?: Partial<HttpLimits>
}

export interface Collector {
  listen(port: number, host: string): Promise<AddressInfo>
  /** Takes no more connections, answers what is in flight, and closes; bounded by `drainMsMax`. */
  close(): Promise<void>
  readonly inFlightBytes: number
  readonly connections: number
}

export function createCollector(options: CollectorOptions): Collector {
  const door = new Door(options)
  const server = http.createServer(
    { keepAliveTimeout: 65_000, headersTimeout: 20_000, requestTimeout: 0, noDelay: true },
    (request, response) => door.handle(request, response),
  )
  server.maxConnections = door.limits.connectionsMax
  let connections = 0
  server.on('connection', (socket) => {
    connections++
    socket.once('close', () => connections--)
  })
  return {
    listen: (port, host) =>
      new Promise((resolve, reject) => {
        server.once('error', reject)
        server.listen(port, host, () => resolve(server.address() as AddressInfo))
      }),
    close: () => closeServer(server, door, options.clock),
    get inFlightBytes() {
      return door.inFlight.bytes
    },
    get connections() {
      return connections
    },
  }
}

function closeServer(server: http.Server, door: Door, clock: Clock): Promise<void> {
  door.draining = true
  return new Promise((resolve) => {
    const cancel = clock.after(door.limits.drainMsMax, () => server.closeAllConnections())
    server.close(() => {
      cancel()
      resolve()
    })
    server.closeIdleConnections()
  })
}

const JSON_TYPE = 'application/json'

/** What was found for the last request of a connection, and what it was found for: the next one mostly says the same. */
interface Caller {
  authorization: string | undefined
  source: Result<string> | undefined
  agent: string | undefined
  forwarded: string | string[] | undefined
  enrichment: Enrichment | undefined
}

class Door {
  readonly limits: HttpLimits
  readonly inFlight: InFlight
  draining = false
  readonly #options: CollectorOptions
  readonly #deadlines: Deadlines
  readonly #callers = new WeakMap<object, Caller>()
  #received = 0

  constructor(options: CollectorOptions) {
    this.#options = options
    this.limits = { ...defaults, ...options.limits }
    this.inFlight = new InFlight(this.limits.inFlightBytesMax)
    this.#deadlines = new Deadlines(options.clock, this.limits.bodyMsMax)
  }

  handle(request: IncomingMessage, response: ServerResponse): void {
    const { url = '/', method = 'GET' } = request
    const query = url.indexOf('?')
    const path = query === -1 ? url : url.slice(0, query)
    switch (path) {
      case '/v1/events':
        this.#events(request, response, method, query === -1 ? '' : url.slice(query))
        return
      case '/healthz':
        this.#page(request, response, { status: 200, body: '{"status":"alive"}' })
        return
      case '/readyz':
        this.#page(request, response, this.#readiness())
        return
      case '/metrics':
        void this.#metrics(request, response)
        return
      default:
        this.#refuse(request, response, error('not_found', `There is nothing at ${path}.`))
    }
  }

  #events(request: IncomingMessage, response: ServerResponse, method: string, query: string): void {
    const { cors } = this.#options
    if (method === 'OPTIONS') {
      this.#answer(
        request,
        response,
        { status: 204, body: '' },
        cors.preflight(request.headers.origin),
      )
      return
    }
    if (method !== 'POST') {
      const failure = error('method_not_allowed', `${method} is not taken here.`)
      this.#answer(request, response, errorAnswer(failure), { allow: 'POST, OPTIONS' })
      return
    }
    const source = this.#sourceOf(request, query)
    if (!source.ok) return this.#refuse(request, response, source.error)
    if (this.draining) return this.#refuse(request, response, error('draining', 'Closing.'))
    if (this.inFlight.full) {
      return this.#refuse(request, response, error('overloaded', 'Too many bytes in memory.'))
    }
    const [reason] = this.#options.intake.ready()
    if (reason !== undefined) return this.#refuse(request, response, error('not_ready', reason))
    readBody(request, this.limits, this.#deadlines, this.inFlight, (body) => {
      if (body === undefined) return
      if (!body.ok) return this.#refuse(request, response, body.error)
      void this.#take(request, response, body.value, source.value)
    })
  }

  async #take(
    request: IncomingMessage,
    response: ServerResponse,
    body: Buffer,
    source: string,
  ): Promise<void> {
    const { intake, counts } = this.#options
    counts.bodyBytes += body.length
    let held = body.length
    try {
      const facts = this.#facts(request, source)
      const decoding = decodeBody(body, request.headers['content-encoding'], this.limits)
      const decoded: Result<Buffer> = 'ok' in decoding ? decoding : await decoding
      if (!decoded.ok) {
        const { code, detail } = decoded.error
        if (code !== 'body_corrupt') return this.#refuse(request, response, decoded.error)
        return this.#answer(request, response, await intake.corrupt(body, facts, detail))
      }
      counts.decodedBytes += decoded.value.length
      if (decoded.value !== body) {
        this.inFlight.bytes += decoded.value.length
        held += decoded.value.length
      }
      this.#answer(request, response, await intake.take(decoded.value, facts))
    } finally {
      this.inFlight.bytes -= held
    }
  }

  #facts(request: IncomingMessage, source: string): RequestFacts {
    const { clock } = this.#options
    // Events of a later body are never received before those of an earlier one, whatever the wall clock does.
    this.#received = Math.max(this.#received, clock.wall())
    return { received: this.#received, source, enrichment: this.#enrichmentOf(request) }
  }

  /** The source of the key that came with the request; that of a key which the connection has shown before is remembered. */
  #sourceOf(request: IncomingMessage, query: string): Result<string> {
    const { keys } = this.#options
    const { authorization } = request.headers
    if (query !== '') {
      return keys.sourceOf(authorization, new URLSearchParams(query).get('key'))
    }
    const caller = this.#callerOf(request)
    if (caller.source === undefined || caller.authorization !== authorization) {
      caller.source = keys.sourceOf(authorization, null)
      caller.authorization = authorization
    }
    return caller.source
  }

  #enrichmentOf(request: IncomingMessage): Enrichment {
    const { enricher, trustProxyHops } = this.#options
    const { headers, socket } = request
    const agent = headers['user-agent'] ?? ''
    const forwarded = headers['x-forwarded-for']
    const caller = this.#callerOf(request)
    if (
      caller.enrichment === undefined ||
      caller.agent !== agent ||
      caller.forwarded !== forwarded
    ) {
      const address = clientAddress(socket.remoteAddress, forwarded, trustProxyHops)
      caller.enrichment = enricher.enrich(address, agent)
      caller.agent = agent
      caller.forwarded = forwarded
    }
    return caller.enrichment
  }

  #callerOf({ socket }: IncomingMessage): Caller {
    let caller = this.#callers.get(socket)
    if (caller === undefined) {
      caller = {
        authorization: undefined,
        source: undefined,
        agent: undefined,
        forwarded: undefined,
        enrichment: undefined,
      }
      this.#callers.set(socket, caller)
    }
    return caller
  }

  #readiness(): IntakeAnswer {
    const reasons = this.draining ? ['draining'] : this.#options.intake.ready()
    if (reasons.length === 0) return { status: 200, body: '{"status":"ready"}' }
    return { status: 503, body: JSON.stringify({ status: 'not ready', reasons }) }
  }

  async #metrics(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await this.#options.metrics()
    const type = 'text/plain; version=0.0.4; charset=utf-8'
    this.#page(request, response, { status: 200, body }, type)
  }

  /** Answers GET and HEAD of a page. */
  #page(
    request: IncomingMessage,
    response: ServerResponse,
    page: IntakeAnswer,
    type: string = JSON_TYPE,
  ): void {
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      const failure = error('method_not_allowed', `${request.method} is not taken here.`)
      return this.#answer(request, response, errorAnswer(failure), { allow: 'GET, HEAD' })
    }
    this.#answer(request, response, page, { 'content-type': type })
  }

  #refuse(request: IncomingMessage, response: ServerResponse, failure: HeadwaterError): void {
    this.#answer(request, response, refusal(failure))
  }

  #answer(
    request: IncomingMessage,
    response: ServerResponse,
    answer: IntakeAnswer,
    extra?: Readonly<Record<string, string>>,
  ): void {
    const { counts, cors } = this.#options
    counts.answered(answer.status)
    if (response.destroyed) return
    // A body that was not read to its end leaves the connection unusable.
    const unread = !request.complete
    const { status, body, retryAfterSeconds } = answer
    const bytes = Buffer.byteLength(body)
    const headers: OutgoingHttpHeaders = { 'content-length': bytes }
    if (bytes > 0) headers['content-type'] = JSON_TYPE
    const { origin } = request.headers
    if (origin !== undefined) Object.assign(headers, cors.headers(origin))
    if (retryAfterSeconds !== undefined) headers['retry-after'] = String(retryAfterSeconds)
    if (this.draining || unread) headers['connection'] = 'close'
    if (extra !== undefined) Object.assign(headers, extra)
    response.writeHead(status, headers)
    // Text of one byte a character is written as it is, without being encoded.
    if (request.method === 'HEAD') response.end()
    else response.end(body, bytes === body.length ? 'latin1' : 'utf8')
    if (unread && request.method === 'POST') closeAfterAnswer(request, response)
  }
}

/** Lets the answer out, then drops what the client goes on sending. */
function closeAfterAnswer(request: IncomingMessage, response: ServerResponse): void {
  request.resume()
  response.once('finish', () => request.socket.destroySoon())
}
