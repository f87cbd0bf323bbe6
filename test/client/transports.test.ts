/** The transports by themselves: what they send over real HTTP, and what they make of odd answers. */
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { gunzipSync } from 'node:zlib'
import { afterEach, describe, expect, test } from 'vitest'
import { clientAnswerBytesMax } from '../../src/base/client-limits.ts'
import type { Transport, TransportRequest } from '../../src/client/transport.ts'
import { fetchTransport } from '../../src/client/transports/fetch.ts'
import { nodeTransport } from '../../src/client/transports/node.ts'

interface Seen {
  readonly method: string | undefined
  readonly headers: http.IncomingHttpHeaders
  readonly body: Buffer
  readonly socket: unknown
}

const servers: http.Server[] = []
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections()
    server.close()
  }
})

/** A server that keeps what it is sent and answers as told. */
async function serve(
  answer: (seen: Seen, response: http.ServerResponse) => void,
): Promise<{ url: string; seen: Seen[] }> {
  const seen: Seen[] = []
  const server = http.createServer((request, response) => {
    const parts: Buffer[] = []
    request.on('data', (part: Buffer) => parts.push(part))
    request.on('error', () => undefined)
    request.on('end', () => {
      const { method, headers, socket } = request
      const one = { method, headers, body: Buffer.concat(parts), socket }
      seen.push(one)
      answer(one, response)
    })
  })
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return { url: `http://127.0.0.1:${port}/v1/events`, seen }
}

const request = (url: string, key?: string): TransportRequest => ({
  url,
  key,
  signal: new AbortController().signal,
})
const fine = (_seen: Seen, response: http.ServerResponse): void => {
  response.setHeader('retry-after', '3')
  response.writeHead(200).end('{"ok":"naïve"}')
}

/** As Node and its fetch say it. */
const BROKEN = /ECONNRE|socket hang up|aborted|terminated|fetch failed/

const transports: [string, () => Transport][] = [
  ['node', () => nodeTransport()],
  ['fetch', () => fetchTransport],
]

describe.each(transports)('%s', (_name, make) => {
  test('posts the body with the key, and hands on status, text and Retry-After', async () => {
    const { url, seen } = await serve(fine)
    const answer = await make().send('naïve 東京', request(url, 'secret'))
    expect(answer).toEqual({ status: 200, body: '{"ok":"naïve"}', retryAfter: '3' })
    expect(seen[0]).toMatchObject({ method: 'POST', headers: { authorization: 'Bearer secret' } })
    expect(seen[0]!.body.toString()).toBe('naïve 東京')
  })

  test('sends no header that a browser would have to ask permission for, where there is no key', async () => {
    const { url, seen } = await serve(fine)
    await make().send('x', request(url))
    expect(seen[0]!.headers['authorization']).toBeUndefined()
    expect(seen[0]!.headers['content-type'] ?? 'text/plain').toMatch(/^text\/plain/)
  })

  test.each([400, 401, 413, 429, 503])('hands on %i', async (status) => {
    const { url } = await serve((_seen, response) => response.writeHead(status).end('no'))
    expect(await make().send('x', request(url))).toMatchObject({ status, body: 'no' })
  })

  test('rejects when the connection breaks before or within the answer', async () => {
    const before = await serve((_seen, response) => response.destroy())
    await expect(make().send('x', request(before.url))).rejects.toThrow(BROKEN)
    const within = await serve((_seen, response) => {
      response.writeHead(200, { 'content-length': '100' })
      response.write('{"begin', () => response.destroy())
    })
    await expect(make().send('x', request(within.url))).rejects.toThrow(BROKEN)
  })

  test('rejects when it is given up', async () => {
    const { url } = await serve(() => undefined)
    const abort = new AbortController()
    const sent = make().send('x', { url, key: undefined, signal: abort.signal })
    abort.abort()
    await expect(sent).rejects.toThrow(/abort/i)
  })

  test('rejects where nobody listens', async () => {
    await expect(make().send('x', request('http://127.0.0.1:1/v1/events'))).rejects.toThrow(BROKEN)
  })
})

describe('node', () => {
  test('compresses long bodies, and keeps its connections', async () => {
    const { url, seen } = await serve(fine)
    const transport = nodeTransport({ gzipFrom: 100, connections: 1 })
    const long = 'naïve '.repeat(100)
    for (const body of ['short', long, long]) await transport.send(body, request(url))
    expect(seen.map(({ headers }) => headers['content-encoding'])).toEqual([
      undefined,
      'gzip',
      'gzip',
    ])
    expect(gunzipSync(seen[1]!.body).toString()).toBe(long)
    expect(new Set(seen.map(({ socket }) => socket)).size).toBe(1)
  })

  test('sends without encoding where a collector takes none, at once and from then on', async () => {
    const { url, seen } = await serve(({ headers }, response) => {
      response.writeHead(headers['content-encoding'] === undefined ? 200 : 415).end('{}')
    })
    const transport = nodeTransport({ gzipFrom: 0 })
    expect(await transport.send('body', request(url))).toMatchObject({ status: 200 })
    expect(await transport.send('body', request(url))).toMatchObject({ status: 200 })
    expect(seen.map(({ headers }) => headers['content-encoding'])).toEqual([
      'gzip',
      undefined,
      undefined,
    ])
  })

  test('reads no endless answer', async () => {
    const { url } = await serve((_seen, response) => {
      const more = (): void => {
        while (response.write(Buffer.alloc(256 * 1024))) if (response.destroyed) return
      }
      response.on('drain', more)
      response.on('error', () => undefined)
      more()
    })
    expect(clientAnswerBytesMax).toBeLessThan(10_000_000)
    await expect(nodeTransport().send('x', request(url))).rejects.toThrow('too long')
  })
})
