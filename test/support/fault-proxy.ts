/** An HTTP proxy between a client and a server that loses, breaks and forges answers on demand. */
import http from 'node:http'
import type { AddressInfo } from 'node:net'

export type ProxyFault =
  /** The connection breaks before the server sees the request. */
  | { readonly kind: 'drop' }
  /** The server does what was asked, and the connection breaks before the answer. */
  | { readonly kind: 'lose' }
  /** The answer breaks off after its head and half of its body. */
  | { readonly kind: 'cut' }
  /** No answer, ever. */
  | { readonly kind: 'stall' }
  /** Another answer, with an error or, without a code, nothing in it; the server never sees the request. */
  | { readonly kind: 'answer'; readonly status: number; readonly code: string }
  /** The server does what was asked; the client is told something else. */
  | { readonly kind: 'forge'; readonly status: number; readonly code: string }
  /** The request waits before the server sees it. */
  | { readonly kind: 'hold'; readonly until: Promise<void> }

export interface ProxyCall {
  readonly method: string
  /** Path and query, decoded. */
  readonly target: string
  readonly headers: http.IncomingHttpHeaders
}

export interface FaultProxy {
  readonly endpoint: string
  /** Asked before every request. */
  fault: (call: ProxyCall) => ProxyFault | undefined
  /** Every request so far, as `GET /bucket/key`. */
  readonly calls: string[]
  stop(): Promise<void>
}

export async function startFaultProxy(port: number): Promise<FaultProxy> {
  const agent = new http.Agent({ keepAlive: true })
  const proxy = {
    endpoint: '',
    fault: (): ProxyFault | undefined => undefined,
    calls: [] as string[],
    stop: (): Promise<void> =>
      new Promise((resolve) => {
        agent.destroy()
        server.closeAllConnections()
        server.close(() => resolve())
      }),
  }
  const serve = async (
    request: http.IncomingMessage,
    answer: http.ServerResponse,
  ): Promise<void> => {
    const { method = '', url = '', headers } = request
    const target = decodeURIComponent(url)
    proxy.calls.push(`${method} ${target}`)
    const fault = (proxy as FaultProxy).fault({ method, target, headers })
    const body: Buffer[] = []
    try {
      for await (const part of request) body.push(part as Buffer)
      await meet(fault, request, answer, () => forward(agent, port, request, Buffer.concat(body)))
    } catch {
      answer.destroy()
    }
  }
  const server = http.createServer((request, answer) => void serve(request, answer))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  proxy.endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return proxy
}

interface Answer {
  readonly status: number
  readonly headers: http.IncomingHttpHeaders
  readonly body: Buffer
}

async function meet(
  fault: ProxyFault | undefined,
  request: http.IncomingMessage,
  answer: http.ServerResponse,
  ask: () => Promise<Answer>,
): Promise<void> {
  switch (fault?.kind) {
    case 'drop':
      return void request.socket.destroy()
    case 'stall':
      return undefined
    case 'answer':
      return errorAnswer(answer, fault)
    case 'lose':
      await ask()
      return void request.socket.destroy()
    case 'forge':
      await ask()
      return errorAnswer(answer, fault)
    case 'cut': {
      const { status, headers, body } = await ask()
      answer.writeHead(status, headers)
      return void answer.write(body.subarray(0, body.byteLength / 2), () =>
        request.socket.destroy(),
      )
    }
    case 'hold':
      await fault.until
      break
    case undefined:
  }
  const { status, headers, body } = await ask()
  answer.writeHead(status, headers).end(body)
}

function errorAnswer(
  answer: http.ServerResponse,
  { status, code }: { readonly status: number; readonly code: string },
): void {
  const body =
    code === ''
      ? ''
      : `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code><Message>${code}</Message></Error>`
  answer.writeHead(status, { 'content-type': 'application/xml' }).end(body)
}

function forward(
  agent: http.Agent,
  port: number,
  request: http.IncomingMessage,
  body: Buffer,
): Promise<Answer> {
  const { method, url: path, headers } = request
  return new Promise((resolve, reject) => {
    const asked = http.request({ agent, host: '127.0.0.1', port, method, path, headers }, (got) => {
      const parts: Buffer[] = []
      got.on('data', (part: Buffer) => parts.push(part))
      got.on('error', reject)
      got.on('end', () => {
        resolve({ status: got.statusCode ?? 0, headers: got.headers, body: Buffer.concat(parts) })
      })
    })
    asked.on('error', reject)
    asked.end(body)
  })
}
