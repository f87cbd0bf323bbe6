/** A proxy before a REST catalog that loses requests and answers as a test says. Bodies pass byte for byte. */
import http from 'node:http'
import type { AddressInfo } from 'node:net'

export interface CatalogRequest {
  readonly method: string
  /** Path and query. */
  readonly path: string
  readonly body: string
  readonly authorization: string | undefined
  /** Name of the table, of requests about one. */
  readonly table: string | undefined
  readonly isCommit: boolean
}

/**
 * What becomes of a request: it passes; it never arrives and is answered with a status; it arrives, and its answer is lost: replaced by a
 * status, or by a closed connection.
 */
export type Fate =
  | 'pass'
  | { readonly refused: number; readonly retryAfter?: string }
  | { readonly lost: number | 'closed' }

export interface CatalogProxy {
  readonly uri: string
  /** Commits that arrived at the catalog, in order. */
  readonly commits: readonly CatalogRequest[]
  /** What the catalog said to them, whether or not its answer was lost. */
  readonly answers: ReadonlyMap<CatalogRequest, number>
  /** Requests that never arrived. */
  readonly refusals: number
  /** Decides on every request; may wait. */
  fate: (request: CatalogRequest) => Fate | Promise<Fate>
  /** Whether the catalog seems to know transactions/commit. */
  transactions: boolean
  close(): Promise<void>
}

export async function startCatalogProxy(target: string): Promise<CatalogProxy> {
  const commits: CatalogRequest[] = []
  const answers = new Map<CatalogRequest, number>()
  let refusals = 0
  const server = http.createServer((request, response) => {
    void handle(request, response).catch(() => response.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const proxy: CatalogProxy = {
    uri: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    commits,
    answers,
    get refusals() {
      return refusals
    },
    fate: () => 'pass',
    transactions: true,
    close: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
  return proxy

  async function handle(
    incoming: http.IncomingMessage,
    outgoing: http.ServerResponse,
  ): Promise<void> {
    const parts: Buffer[] = []
    for await (const part of incoming) parts.push(part as Buffer)
    const request = describe(incoming, Buffer.concat(parts).toString())
    const fate = await proxy.fate(request)
    if (typeof fate === 'object' && 'refused' in fate) {
      const headers = fate.retryAfter === undefined ? {} : { 'retry-after': fate.retryAfter }
      refusals++
      outgoing.writeHead(fate.refused, headers).end()
      return
    }
    if (request.isCommit) commits.push(request)
    const { 'content-type': type = 'application/json', authorization } = incoming.headers
    const answer = await fetch(`${target}${request.path}`, {
      method: request.method,
      headers: { 'content-type': type, ...(authorization === undefined ? {} : { authorization }) },
      ...(request.body === '' ? {} : { body: request.body }),
    })
    let text = await answer.text()
    if (request.isCommit) answers.set(request, answer.status)
    if (fate !== 'pass') {
      if (fate.lost === 'closed') outgoing.destroy()
      else outgoing.writeHead(fate.lost).end('{"error":{"message":"lost"}}')
      return
    }
    if (!proxy.transactions) text = text.replace('"POST /v1/{prefix}/transactions/commit",', '')
    outgoing.writeHead(answer.status, { 'content-type': 'application/json' }).end(text)
  }
}

function describe(incoming: http.IncomingMessage, body: string): CatalogRequest {
  const { method = '', url: path = '', headers } = incoming
  const table = /\/tables\/([^/?]+)$/.exec(path)?.[1]
  const isCommit =
    method === 'POST' && (table !== undefined || path.endsWith('/transactions/commit'))
  return { method, path, body, table, isCommit, authorization: headers.authorization }
}
