/** The load generator, a process of its own: prepared bodies over raw keep-alive sockets, as fast as they are answered or at a rate. */
import net from 'node:net'
import { bodies, type Form } from './events.ts'
import type { Step } from './measure.ts'

export interface LoadSetup {
  readonly port: number
  readonly path: string
  readonly form: Form
  readonly seed: number
  readonly bodies: number
  readonly types: number
  readonly connections: number
  /** Events of a batch. */
  readonly batch: number
}

/** Sends the next `count` bodies, those prepared over and over as if other boots had sent them; with `perSecond` at that rate, whatever the answers do. */
export interface LoadGo {
  readonly count: number
  readonly perSecond?: number
}

export interface LoadDone {
  readonly sent: number
  readonly failed: number
  readonly bytes: number
  readonly ms: number
  /** Time from the planned start of a request to its answer, ms. */
  readonly latencyP50: number
  readonly latencyP99: number
  /** When events were acknowledged, and how many. */
  readonly acknowledged: readonly Step[]
}

const setup = JSON.parse(process.argv[2] ?? '{}') as LoadSetup
const prepared = [...bodies(setup)].map((body) => {
  const head = `POST ${setup.path} HTTP/1.1\r\nhost: bench\r\ncontent-type: ${
    setup.form === 'rows' ? 'application/json' : 'application/x-ndjson'
  }\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n`
  return Buffer.from(head + body)
})
let next = 0

process.on('message', (go: LoadGo) => {
  void run(go).then((done) => process.send!(done))
})
process.send!({ ready: true })

/** The body to be sent at `index`. What was sent before comes again with another boot, which no other body has. */
function bodyAt(index: number): Buffer {
  const body = prepared[index % prepared.length]!
  const round = Math.floor(index / prepared.length)
  if (round === 0) return body
  const boot = body.indexOf('"boot":"') + '"boot":"'.length
  body.write(Buffer.from([round >> 16, round >> 8, round]).toString('base64url'), boot, 'latin1')
  return body
}

async function run({ count, perSecond }: LoadGo): Promise<LoadDone> {
  const end = next + count
  const latencies: number[] = []
  const acknowledged = new Map<number, number>()
  const started = performance.now()
  const first = next
  let bytes = 0
  let failed = 0
  const due = (index: number): number =>
    perSecond === undefined ? performance.now() : started + ((index - first) / perSecond) * 1000
  const worker = async (): Promise<void> => {
    const socket = new Connection(setup.port)
    while (next < end) {
      const index = next++
      const planned = due(index)
      const wait = planned - performance.now()
      if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait))
      const body = bodyAt(index)
      const status = await socket.send(body)
      bytes += body.length
      if (status !== 200) failed++
      latencies.push(performance.now() - planned)
      const now = Date.now()
      acknowledged.set(now, (acknowledged.get(now) ?? 0) + setup.batch)
    }
    socket.end()
  }
  await Promise.all(Array.from({ length: setup.connections }, worker))
  latencies.sort((a, b) => a - b)
  const quantile = (share: number): number =>
    latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))] ?? 0
  return {
    sent: end - first,
    failed,
    bytes,
    ms: performance.now() - started,
    latencyP50: quantile(0.5),
    latencyP99: quantile(0.99),
    acknowledged: [...acknowledged],
  }
}

/** One keep-alive connection with one request on its way at a time. */
class Connection {
  readonly #socket: net.Socket
  #answer = ''
  #closed = false
  #done: (status: number) => void = () => {}

  constructor(port: number) {
    this.#socket = net.connect({ port, host: '127.0.0.1', noDelay: true })
    this.#socket.setEncoding('latin1')
    this.#socket.on('data', (part: string) => this.#read(part))
    this.#socket.on('error', () => this.#done(0))
    this.#socket.on('close', () => {
      this.#closed = true
      this.#done(0)
    })
  }

  /** Status of the answer; 0 when there was none. */
  send(request: Buffer): Promise<number> {
    if (this.#closed) return Promise.resolve(0)
    return new Promise((resolve) => {
      this.#done = resolve
      this.#socket.write(request)
    })
  }

  end(): void {
    this.#socket.end()
  }

  #read(part: string): void {
    this.#answer += part
    const head = this.#answer.indexOf('\r\n\r\n')
    if (head === -1) return
    const length = Number(/content-length: (\d+)/i.exec(this.#answer)?.[1] ?? 0)
    if (this.#answer.length < head + 4 + length) return
    const status = Number(this.#answer.slice(9, 12))
    this.#answer = this.#answer.slice(head + 4 + length)
    this.#done(status)
  }
}
