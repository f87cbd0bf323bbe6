/** Trades the credentials of a client for bearer tokens (OAuth 2.0, RFC 6749 §4.4), and keeps one as long as it lasts. */
import type { Clock } from '../../base/clock.ts'
import { error } from '../../base/errors.ts'
import { limits } from '../../base/limits.ts'

export interface ClientCredentials {
  readonly tokenUri: string
  readonly clientId: string
  readonly clientSecret: string
  readonly scope?: string | undefined
}

interface Ports {
  readonly fetch: typeof fetch
  readonly clock: Clock
}

/** The current token; asks for one when there is none, and when it is about to end. Rejects with `broker_refused` or `broker_unavailable`. */
export function tokenProvider(credentials: ClientCredentials, ports: Ports): () => Promise<string> {
  let token: { readonly text: string; readonly until: number } | undefined
  return async () => {
    if (token === undefined || ports.clock.monotonic() >= token.until) {
      token = await askForToken(credentials, ports)
    }
    return token.text
  }
}

async function askForToken(
  { tokenUri, clientId, clientSecret, scope }: ClientCredentials,
  { fetch: request, clock }: Ports,
): Promise<{ text: string; until: number }> {
  const asked = clock.monotonic()
  const { status, body } = await post(request, tokenUri, {
    grant_type: 'client_credentials',
    client_id: clientId,
    client_secret: clientSecret,
    ...(scope === undefined ? {} : { scope }),
  })
  if (status >= 500 || status === 429) throw error('broker_unavailable', `${tokenUri}: ${status}.`)
  const issued = body['access_token']
  if (status !== 200 || typeof issued !== 'string') {
    throw error('broker_refused', `${tokenUri}: ${status}, no token.`)
  }
  const seconds = body['expires_in']
  // Without a word on it a token is taken to last until the next connection.
  const lasts = typeof seconds === 'number' ? seconds * 1000 : 0
  return { text: issued, until: asked + Math.max(lasts - limits.catalogTokenMarginMs, lasts / 2) }
}

async function post(
  request: typeof fetch,
  url: string,
  form: Readonly<Record<string, string>>,
): Promise<{ status: number; body: Readonly<Record<string, unknown>> }> {
  try {
    const response = await request(url, {
      method: 'POST',
      headers: { accept: 'application/json' },
      body: new URLSearchParams(form),
      signal: AbortSignal.timeout(limits.brokerRequestMsMax),
    })
    const body: unknown = await response.json().catch(() => undefined)
    const { status } = response
    return { status, body: typeof body === 'object' && body !== null ? { ...body } : {} }
  } catch (cause) {
    throw error('broker_unavailable', `${url} cannot be reached.`, cause)
  }
}
