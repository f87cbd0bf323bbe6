/** Who asks: nobody, a bearer token, or a client that trades its credential for tokens (OAuth 2.0, RFC 6749 §4.4). */
import type { Clock } from '../../base/clock.ts'
import { error } from '../../base/errors.ts'
import { limits } from '../../base/limits.ts'
import { failed, ok, type Result } from '../../base/result.ts'
import { type Authorizer, exchange, type Fetch, textsOf } from './http.ts'

/** For catalogs that ask for nothing. */
export const anonymous: Authorizer = {
  authorize: () => Promise.resolve(ok({})),
  renew: () => false,
}

/** One token, for as long as the server takes it. */
export function bearer(token: string): Authorizer {
  return {
    authorize: () => Promise.resolve(ok({ authorization: `Bearer ${token}` })),
    renew: () => false,
  }
}

export interface ClientCredential {
  /** `<client id>:<client secret>`, or the secret alone. */
  readonly credential: string
  readonly tokenUrl: string
  readonly scope: string
}

interface Token {
  readonly text: string
  /** `clock.monotonic()` from which on it is not used any more. */
  readonly until: number
}

/** Fetches a token when there is none, when it is about to end, and when the server refuses it. */
export function clientCredential(
  options: ClientCredential,
  ports: { readonly fetch: Fetch; readonly clock: Clock },
): Authorizer {
  let token: Promise<Result<Token>> | undefined
  const current = async (): Promise<Result<Token>> => {
    const asked = (token ??= fetchToken(options, ports))
    const known = await asked
    const over = known.ok && ports.clock.monotonic() >= known.value.until
    if (known.ok && !over) return known
    if (token === asked) token = undefined
    return over ? current() : known
  }
  return {
    authorize: async () => {
      const known = await current()
      return known.ok ? ok({ authorization: `Bearer ${known.value.text}` }) : known
    },
    renew: () => {
      token = undefined
      return true
    },
  }
}

async function fetchToken(
  { credential, tokenUrl, scope }: ClientCredential,
  ports: { readonly fetch: Fetch; readonly clock: Clock },
): Promise<Result<Token>> {
  const colon = credential.indexOf(':')
  const form = new URLSearchParams({
    grant_type: 'client_credentials',
    ...(colon < 0 ? {} : { client_id: credential.slice(0, colon) }),
    client_secret: credential.slice(colon + 1),
    scope,
  })
  const headers = {
    accept: 'application/json',
    'content-type': 'application/x-www-form-urlencoded',
  }
  const answer = await exchange(
    { method: 'POST', url: tokenUrl, headers, body: String(form) },
    ports,
  )
  if (!answer.ok) return answer
  const { status, text } = answer.value
  if (status >= 500 || status === 429) {
    return failed(error('catalog_unavailable', `POST ${tokenUrl}: ${status}.`))
  }
  const body = jsonOf(text)
  if (status >= 300) {
    const { error: why = '', error_description: more = '' } = textsOf(body)
    return failed(error('catalog_refused', `POST ${tokenUrl}: ${status} ${why} ${more}`.trim()))
  }
  const issued = body?.['access_token']
  if (typeof issued !== 'string') {
    return failed(error('catalog_refused', `POST ${tokenUrl}: no access_token in the answer.`))
  }
  const seconds = body?.['expires_in']
  const lasts = typeof seconds === 'number' ? seconds * 1000 : Infinity
  // A short token is used for half of its life.
  const usable = Math.max(lasts - limits.catalogTokenMarginMs, lasts / 2)
  return ok({ text: issued, until: ports.clock.monotonic() + usable })
}

function jsonOf(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null
      ? (value as Readonly<Record<string, unknown>>)
      : undefined
  } catch {
    return undefined
  }
}
