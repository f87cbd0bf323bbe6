/** The transport over fetch, for browsers and every runtime that has it. */
import type { Transport } from '../transport.ts'

export const fetchTransport: Transport = {
  async send(body, { url, key, signal }) {
    const answer = await fetch(url, {
      method: 'POST',
      body,
      // A plain text body spares browsers a preflight; a key in a header does not, but stays out of access logs.
      headers: key ? { authorization: `Bearer ${key}` } : {},
      signal,
    })
    return {
      status: answer.status,
      body: await answer.text(),
      retryAfter: answer.headers.get('retry-after'),
    }
  },
}
