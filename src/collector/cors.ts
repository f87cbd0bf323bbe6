/** Which pages may send events (Fetch standard, CORS protocol). */

const PREFLIGHT_SECONDS = '86400'

export interface Cors {
  /** Headers for the answer to a request from `origin`; none where it may not read it. */
  headers(origin: string | undefined): Readonly<Record<string, string>>
  /** Headers for the answer to a preflight. */
  preflight(origin: string | undefined): Readonly<Record<string, string>>
}

const NONE: Readonly<Record<string, string>> = {}

/** `origins` are exact origins, or `*` for all. */
export function corsOf(origins: readonly string[]): Cors {
  const all = origins.includes('*')
  const known = new Set(origins)
  const headers = (origin: string | undefined): Readonly<Record<string, string>> => {
    if (origin === undefined) return NONE
    if (all) return { 'access-control-allow-origin': '*' }
    return known.has(origin)
      ? { 'access-control-allow-origin': origin, vary: 'Origin' }
      : { vary: 'Origin' }
  }
  return {
    headers,
    preflight: (origin) => ({
      ...headers(origin),
      'access-control-allow-methods': 'POST, OPTIONS',
      'access-control-allow-headers': 'authorization, content-type, content-encoding',
      'access-control-max-age': PREFLIGHT_SECONDS,
    }),
  }
}
