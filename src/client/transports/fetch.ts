/** The transport over fetch, for browsers and every runtime that has it. */
import { retryAfterMs, type Transport } from '../transport.ts'

export const fetchTransport: Transport = {
  async send(body, { url, key, timeoutMs }) {
    try {
      const answer = await fetch(url, {
        method: 'POST',
        body,
        // A plain text body spares browsers a preflight; a key in a header does not.
        headers: key === undefined ? {} : { authorization: `Bearer ${key}` },
        signal: AbortSignal.timeout(timeoutMs),
      })
      return {
        status: answer.status,
        body: await answer.text(),
        retryAfterMs: retryAfterMs(answer.headers.get('retry-after')),
      }
    } catch {
      return undefined
    }
  },
}
