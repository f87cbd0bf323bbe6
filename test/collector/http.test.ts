/** The door by itself: bounds of time and memory, methods, origins, draining. */
import net from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { systemClock } from '../../src/base/clock.ts'
import { corsOf } from '../../src/collector/cors.ts'
import { openEnricher } from '../../src/collector/enrich.ts'
import { type Collector, createCollector, type HttpLimits } from '../../src/collector/http.ts'
import type { Intake } from '../../src/collector/intake.ts'
import { keysOf } from '../../src/collector/keys.ts'
import { DoorCounts } from '../../src/collector/metrics.ts'

let collector: Collector | undefined
afterEach(async () => {
  await collector?.close()
  collector = undefined
})

interface Options {
  readonly limits?: Partial<HttpLimits>
  readonly intake?: Partial<Intake>
  readonly origins?: readonly string[]
}

/** A collector whose intake answers the length of each body. */
async function open(
  options: Options = {},
): Promise<{ url: string; port: number; counts: DoorCounts }> {
  const intake: Intake = {
    take: (body) => Promise.resolve({ status: 200, body: String(body.length) }),
    corrupt: () => Promise.resolve({ status: 400, body: '{}' }),
    ready: () => [],
    ...options.intake,
  }
  const counts = new DoorCounts()
  collector = createCollector({
    intake,
    clock: systemClock,
    keys: keysOf({}),
    cors: corsOf(options.origins ?? ['*']),
    enricher: await openEnricher({ country: false, userAgent: false }),
    counts,
    metrics: () => Promise.resolve('metrics'),
    trustProxyHops: 0,
    limits: options.limits ?? {},
  })
  const { port } = await collector.listen(0, '127.0.0.1')
  return { url: `http://127.0.0.1:${port}`, port, counts }
}

/** A raw connection: what comes back until the other side closes it. */
function raw(port: number, text: string, more?: (socket: net.Socket) => void): Promise<string> {
  return new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1', () => {
      socket.write(text)
      more?.(socket)
    })
    let answer = ''
    socket.on('data', (part) => (answer += part.toString()))
    socket.on('error', () => {})
    socket.on('close', () => resolve(answer))
  })
}

const POST = 'POST /v1/events HTTP/1.1\r\nhost: x\r\n'

describe('a slow client', () => {
  test('is answered 408 when its body takes too long, and its memory is given back', async () => {
    const { port } = await open({ limits: { bodyMsMax: 150 } })
    const answer = await raw(port, `${POST}content-length: 1000\r\n\r\nbegin`)
    expect(answer).toMatch(/^HTTP\/1.1 408 /)
    expect(answer).toContain('body_too_slow')
    expect(collector!.inFlightBytes).toBe(0)
  })

  test('that goes away leaves nothing behind', async () => {
    const { port, url, counts } = await open()
    await raw(port, `${POST}content-length: 1000\r\n\r\nbegin`, (socket) =>
      setTimeout(() => socket.destroy(), 50),
    )
    expect((await fetch(`${url}/v1/events`, { method: 'POST', body: 'x' })).status).toBe(200)
    expect(collector!.inFlightBytes).toBe(0)
    expect([...counts.responses]).toEqual([[200, 1]])
  })
})

describe('bounds', () => {
  test('bodies that are still arriving count as memory in use: 429', async () => {
    const { port, url } = await open({ limits: { inFlightBytesMax: 2000 } })
    const socket = net.connect(port, '127.0.0.1')
    socket.write(`${POST}content-length: 3000\r\n\r\n${'x'.repeat(2500)}`)
    while (collector!.inFlightBytes < 2500) await new Promise((resolve) => setTimeout(resolve, 5))
    const refused = await fetch(`${url}/v1/events`, { method: 'POST', body: 'x' })
    expect(refused.status).toBe(429)
    expect(refused.headers.get('retry-after')).toMatch(/^\d+$/)
    socket.write('x'.repeat(500))
    while (collector!.inFlightBytes > 0) await new Promise((resolve) => setTimeout(resolve, 5))
    expect((await fetch(`${url}/v1/events`, { method: 'POST', body: 'x' })).status).toBe(200)
    socket.destroy()
  })

  test('a chunked body over the bound is refused before it ends', async () => {
    const { port } = await open({ limits: { bodyBytesMax: 5000 } })
    const part = `1000\r\n${'x'.repeat(4096)}\r\n`
    const answer = await raw(port, `${POST}transfer-encoding: chunked\r\n\r\n${part}${part}`)
    expect(answer).toMatch(/^HTTP\/1.1 413 /)
    expect(answer.toLowerCase()).toContain('connection: close')
  })
})

describe('routes', () => {
  test.each([
    ['GET', '/v1/events', 405],
    ['PUT', '/v1/events', 405],
    ['POST', '/healthz', 405],
    ['GET', '/healthz', 200],
    ['HEAD', '/healthz', 200],
    ['GET', '/readyz', 200],
    ['GET', '/metrics', 200],
    ['GET', '/nothing', 404],
    ['POST', '/v1/events?key=a&x=1', 200],
  ])('%s %s is %i', async (method, route, status) => {
    const { url } = await open()
    const answer = await fetch(`${url}${route}`, { method })
    expect(answer.status).toBe(status)
  })

  test('readiness says why not', async () => {
    const { url } = await open({ intake: { ready: () => ['the disk is full'] } })
    const answer = await fetch(`${url}/readyz`)
    expect(answer.status).toBe(503)
    expect(await answer.json()).toMatchObject({ reasons: ['the disk is full'] })
    const refused = await fetch(`${url}/v1/events`, { method: 'POST', body: 'x' })
    expect(refused.status).toBe(503)
    expect(await refused.text()).toContain('the disk is full')
  })
})

describe('origins', () => {
  const preflight = (url: string, origin: string): Promise<Response> =>
    fetch(`${url}/v1/events`, {
      method: 'OPTIONS',
      headers: {
        origin,
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'authorization',
      },
    })

  test('a page of a permitted origin may post', async () => {
    const { url } = await open({ origins: ['https://shop.example'] })
    const answer = await preflight(url, 'https://shop.example')
    expect(answer.status).toBe(204)
    expect(answer.headers.get('access-control-allow-origin')).toBe('https://shop.example')
    expect(answer.headers.get('access-control-allow-headers')).toMatch(/authorization/i)
  })

  test('a page of another origin may not', async () => {
    const { url } = await open({ origins: ['https://shop.example'] })
    const answer = await preflight(url, 'https://evil.example')
    expect(answer.headers.get('access-control-allow-origin')).toBeNull()
  })
})

test('closing answers what is in flight, and then refuses connections', async () => {
  let finish: () => void = () => {}
  const waiting = new Promise<void>((resolve) => (finish = resolve))
  const { url, port } = await open({
    intake: { take: () => waiting.then(() => ({ status: 200, body: 'late' })) },
  })
  const answered = fetch(`${url}/v1/events`, { method: 'POST', body: 'x' })
  while (collector!.connections === 0) await new Promise((resolve) => setTimeout(resolve, 5))
  await new Promise((resolve) => setTimeout(resolve, 50))
  const closed = collector!.close()
  finish()
  expect(await (await answered).text()).toBe('late')
  await closed
  await expect(
    new Promise((_resolve, reject) => net.connect(port, '127.0.0.1').once('error', reject)),
  ).rejects.toMatchObject({ code: 'ECONNREFUSED' } satisfies Partial<NodeJS.ErrnoException>)
})
