/** The load generator: a process of its own that prepares bodies and drives them over HTTP. Orders come as JSON lines on
 *  standard input, each is answered by a JSON line: {"prepare":{…}} makes the bodies, {"run":{…}} sends each of them once. */
import { createConnection } from 'node:net'
import type { Socket } from 'node:net'
import { createInterface } from 'node:readline'
import { batchEvents, bodies } from './events.ts'
import type { LoadPlan } from './events.ts'
import type { Step } from './measure.ts'

export interface RunOrder {
  readonly host: string
  readonly port: number
  readonly connections: number
  /** Events a second, kept whatever the answers do (open loop); absent: as fast as answers come (closed loop). */
  readonly rate?: number
}

export type Order = { readonly prepare: LoadPlan } | { readonly run: RunOrder }

export interface Prepared {
  readonly bodies: number
  readonly events: number
  /** Of the bodies, without the HTTP heads. */
  readonly bytes: number
}

export interface RunResult {
  readonly events: number
  /** From the first byte to the last answer. */
  readonly ms: number
  /** Answers by HTTP status. */
  readonly statuses: Readonly<Record<string, number>>
  /** The first answer that was not 200. */
  readonly refusal?: string
  /** From when a body was due to its answer, in ms; one value a body. */
  readonly latencies: readonly number[]
  /** Events acknowledged, by millisecond of the wall clock. */
  readonly acknowledged: readonly Step[]
}

/** Whole requests that wait to be sent. */
let requests: Buffer[] = []

function prepare(plan: LoadPlan): Prepared {
  requests = []
  let bytes = 0
  const type = plan.form === 'columns' ? 'application/x-ndjson' : 'application/json'
  for (const text of bodies(plan)) {
    const length = Buffer.byteLength(text)
    bytes += length
    // Heads are made ahead of time too: every competitor takes events at the same path.
    const head =
      'POST /v1/events HTTP/1.1\r\nHost: bench\r\nConnection: keep-alive\r\n' +
      `User-Agent: bench/0.1.0\r\nContent-Type: ${type}\r\nContent-Length: ${length}\r\n\r\n`
    requests.push(Buffer.from(head + text))
  }
  return { bodies: requests.length, events: requests.length * batchEvents, bytes }
}

/** One keep-alive connection with one request on the way at a time. */
class Connection {
  readonly #socket: Socket
  readonly #answered: (status: number, text: () => string) => void
  #parts: Buffer[] = []
  #have = 0
  #need = 0

  constructor(
    order: RunOrder,
    ready: () => void,
    answered: (status: number, text: () => string) => void,
  ) {
    this.#answered = answered
    this.#socket = createConnection({ host: order.host, port: order.port, noDelay: true }, ready)
    this.#socket.on('data', (part) => this.#read(part))
  }

  send(request: Buffer): void {
    this.#socket.write(request)
  }

  onEnd(ended: (cause: string) => void): void {
    this.#socket.on('error', (cause) => ended(cause.message))
    this.#socket.on('close', () => ended('the server closed a connection'))
  }

  close(): void {
    this.#socket.removeAllListeners('close')
    this.#socket.destroy()
  }

  /** An answer is complete when its head and as many bytes as its Content-Length have come. */
  #read(part: Buffer): void {
    this.#parts.push(part)
    this.#have += part.length
    if (this.#have < this.#need) return
    const all = this.#parts.length === 1 ? part : Buffer.concat(this.#parts)
    const end = all.indexOf('\r\n\r\n')
    if (end < 0) return
    if (this.#need === 0) {
      const length = /\r\ncontent-length: *(\d+)/i.exec(all.latin1Slice(0, end + 2))?.[1]
      if (length === undefined) throw new Error('the answer has no Content-Length')
      this.#need = end + 4 + Number(length)
      if (this.#have < this.#need) return
    }
    this.#parts = []
    this.#have = 0
    this.#need = 0
    this.#answered(Number(all.latin1Slice(9, 12)), () => all.utf8Slice(end + 4, all.length))
  }
}

async function run(order: RunOrder): Promise<RunResult> {
  const count = requests.length
  const due = new Float64Array(count)
  const latencies = new Float64Array(count)
  const acknowledged = new Map<number, number>()
  const statuses: Record<string, number> = {}
  let refusal: string | undefined
  const { promise: done, resolve, reject } = Promise.withResolvers<void>()

  const idle: number[] = []
  const serves = new Int32Array(order.connections)
  let next = 0
  let answers = 0
  const send = (connection: number): void => {
    serves[connection] = next
    links[connection]!.send(requests[next]!)
    next += 1
  }
  const answered = (connection: number, status: number, text: () => string): void => {
    const body = serves[connection]!
    latencies[body] = performance.now() - due[body]!
    statuses[status] = (statuses[status] ?? 0) + 1
    if (status === 200) {
      const now = Date.now()
      acknowledged.set(now, (acknowledged.get(now) ?? 0) + batchEvents)
    } else refusal ??= `${status} ${text().slice(0, 500)}`
    answers += 1
    if (answers === count) resolve()
    else if (next < count && isDue(next)) send(connection)
    else idle.push(connection)
  }
  const isDue = (body: number): boolean => {
    const now = performance.now()
    if (order.rate === undefined) due[body] = now
    return due[body]! <= now
  }

  let opened = 0
  const allOpen = Promise.withResolvers<void>()
  const links = Array.from({ length: order.connections }, (_, index) => {
    const opens = (): void => {
      opened += 1
      if (opened === order.connections) allOpen.resolve()
    }
    const link = new Connection(order, opens, (status, text) => answered(index, status, text))
    link.onEnd((cause) => {
      allOpen.reject(new Error(cause))
      reject(new Error(cause))
    })
    return link
  })
  await allOpen.promise

  const start = performance.now()
  for (let index = 0; index < order.connections; index++) idle.push(index)
  if (order.rate !== undefined) {
    const everyMs = (1000 * batchEvents) / order.rate
    for (let body = 0; body < count; body++) due[body] = start + body * everyMs
  }
  const dispatch = (): void => {
    while (next < count && idle.length > 0 && isDue(next)) send(idle.pop()!)
  }
  dispatch()
  const timer = order.rate === undefined ? undefined : setInterval(dispatch, 1)
  try {
    await done
  } finally {
    clearInterval(timer)
    for (const link of links) link.close()
  }
  const ms = performance.now() - start
  requests = []
  return {
    events: count * batchEvents,
    ms,
    statuses,
    ...(refusal === undefined ? {} : { refusal }),
    latencies: Array.from(latencies, (value) => Math.round(value * 1000) / 1000),
    acknowledged: [...acknowledged],
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  const order = JSON.parse(line) as Order
  const answer = 'prepare' in order ? prepare(order.prepare) : await run(order.run)
  process.stdout.write(`${JSON.stringify(answer)}\n`)
}
