/** A lake with its REST catalog in the process of the test, and requests to it. */
import { type Clock, systemClock } from '../../src/base/clock.ts'
import { nodeFiles } from '../../src/base/node/files.ts'
import { systemRandom } from '../../src/base/random.ts'
import { parseExact, stringifyExact } from '../../src/lake/json.ts'
import { type CatalogLake, localStorage, openLake, type Storage } from '../../src/lake/index.ts'
import { createRestCatalog, type RestCatalogServer } from '../../src/lake/rest/server.ts'
import type { Token } from '../../src/lake/rest/tokens.ts'
import { unwrap } from '../support/platform.ts'

export interface Reply {
  readonly status: number
  readonly headers: Headers
  /** JSON with exact integers; undefined where there is none. */
  readonly body: any
}

export interface TestCatalog {
  readonly lake: CatalogLake
  readonly server: RestCatalogServer
  /** Where clients find it; `/v1/…` follows. */
  readonly uri: string
  /** Failures of headwater itself. */
  readonly bugs: unknown[]
  request(
    method: string,
    path: string,
    body?: unknown,
    headers?: Readonly<Record<string, string>>,
  ): Promise<Reply>
  close(): Promise<void>
}

export async function startCatalog(
  folder: string,
  options: {
    readonly locations?: readonly string[]
    readonly tokens?: Readonly<Record<string, Token>>
    readonly clock?: Clock
    readonly storage?: Storage
    readonly readOnly?: boolean
    /** Whether rows of the ledger are left to other engines. */
    readonly landedElsewhere?: boolean
  } = {},
): Promise<TestCatalog> {
  const { clock = systemClock } = options
  const lake = unwrap(
    await openLake({
      storage: options.storage ?? localStorage(folder, nodeFiles, systemRandom),
      lock: folder,
      namespace: 'headwater',
      files: nodeFiles,
      clock,
      random: systemRandom,
      locations: options.locations ?? [],
    }),
  )
  const bugs: unknown[] = []
  const server = createRestCatalog({
    lake: lake.catalog,
    clock,
    random: systemRandom,
    tokens: options.tokens ?? {},
    ledger: options.landedElsewhere === true ? undefined : 'batches',
    onBug: (cause) => bugs.push(cause),
  })
  const { port } = await server.listen(0, '127.0.0.1')
  const uri = `http://127.0.0.1:${port}/iceberg`
  return {
    lake,
    server,
    uri,
    bugs,
    request: (method, path, body, headers) => request(`${uri}/v1/${path}`, method, body, headers),
    close: async () => {
      await server.close()
      await lake.close()
    },
  }
}

/** One request; a body that is text or bytes is sent as it is. */
export async function request(
  url: string,
  method: string,
  body?: unknown,
  headers: Readonly<Record<string, string>> = {},
): Promise<Reply> {
  const raw = typeof body === 'string' || body instanceof Uint8Array
  const content =
    body === undefined ? {} : { body: raw ? (body as BodyInit) : stringifyExact(body) }
  const type = body === undefined ? {} : { 'content-type': 'application/json' }
  const response = await fetch(url, { method, headers: { ...type, ...headers }, ...content })
  const text = await response.text()
  return {
    status: response.status,
    headers: response.headers,
    body: text === '' ? undefined : parseExact(text),
  }
}
