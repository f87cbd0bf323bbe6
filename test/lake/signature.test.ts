/** Signed requests, as a server that we did not write checks them. */
import { createHash } from 'node:crypto'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { systemClock } from '../../src/base/clock.ts'
import { exchange, type HttpRequest } from '../../src/lake/external/http.ts'
import { signed } from '../../src/lake/external/signature.ts'
import { unwrap } from '../support/platform.ts'
import { temporaryFolder } from '../support/project.ts'
import { ACCESS, INSTALL_MS_MAX, type S3Server, skipS3, startS3 } from '../support/s3.ts'

const md5 = (text: string): string => createHash('md5').update(text).digest('base64')
const scope = { region: 'us-east-1', service: 's3' }
const good = {
  accessKeyId: ACCESS['AWS_ACCESS_KEY_ID']!,
  secretAccessKey: ACCESS['AWS_SECRET_ACCESS_KEY']!,
}

describe.skipIf(skipS3)('a signature', () => {
  const { folder, remove } = temporaryFolder('signature')
  let server: S3Server

  beforeAll(async () => {
    server = await startS3(path.join(folder, 'store'), ['lakes'])
  }, INSTALL_MS_MAX)
  afterAll(async () => {
    await server?.stop()
    remove()
  })

  const ask = async (
    { method = 'GET', target, body }: Partial<HttpRequest> & { readonly target: string },
    credentials = good,
    tamper: (request: HttpRequest) => HttpRequest = (request) => request,
    clock = systemClock,
  ): Promise<number> => {
    const request: HttpRequest = {
      method,
      url: `${server.endpoint}${target}`,
      headers: {
        accept: 'application/json',
        // S3 deletes several objects only for a body that is proven whole.
        ...(body === undefined ? {} : { 'content-md5': md5(body) }),
      },
      ...(body === undefined ? {} : { body }),
    }
    const proof = unwrap(
      await signed(scope, clock, () => Promise.resolve(credentials)).authorize(request),
    )
    const whole = tamper({ ...request, headers: { ...request.headers, ...proof } })
    const ports = { fetch: globalThis.fetch, clock: systemClock }
    return unwrap(await exchange(whole, ports)).status
  }

  const DELETION = '<Delete><Object><Key>nothing</Key></Object></Delete>'

  test('opens the door, with a query and with a body', async () => {
    expect(await ask({ target: '/lakes' })).toBe(200)
    expect(await ask({ target: '/lakes?list-type=2&prefix=a%20b%2Fc&max-keys=3' })).toBe(200)
    expect(await ask({ method: 'POST', target: '/lakes?delete=', body: DELETION })).toBe(200)
  })

  test.each<[string, (request: HttpRequest) => HttpRequest]>([
    ['no signature', ({ method, url }) => ({ method, url, headers: {} })],
    ['another path', (request) => ({ ...request, url: `${server.endpoint}/other` })],
    ['another query', (request) => ({ ...request, url: `${request.url}&max-keys=9` })],
    ['another method', (request) => ({ ...request, method: 'DELETE' })],
  ])('does not open it for %s', async (_name, tamper) => {
    expect(await ask({ target: '/lakes?list-type=2' }, good, tamper)).toBe(403)
  })

  test('does not open it for another body', async () => {
    const other = DELETION.replace('nothing', 'all')
    const status = await ask(
      { method: 'POST', target: '/lakes?delete=', body: DELETION },
      good,
      (request) => ({
        ...request,
        body: other,
      }),
    )
    expect(status).toBeGreaterThanOrEqual(400)
  })

  test('is worth nothing with another secret, or an hour later', async () => {
    expect(await ask({ target: '/lakes' }, { ...good, secretAccessKey: 'guessed' })).toBe(403)
    const early = { ...systemClock, wall: () => systemClock.wall() - 3_600_000 }
    expect(await ask({ target: '/lakes' }, good, undefined, early)).toBe(403)
  })

  test('is a failure by code when there are no credentials', async () => {
    const none = signed(scope, systemClock, () => Promise.reject(new Error('none to be found')))
    const answer = await none.authorize({ method: 'GET', url: server.endpoint, headers: {} })
    expect(answer).toMatchObject({
      ok: false,
      error: { code: 'catalog_refused', detail: expect.stringContaining('none to be found') },
    })
  })
})
