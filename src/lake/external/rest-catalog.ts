/** What we ask of a REST catalog (Iceberg REST OpenAPI, v1): configuration, namespaces, tables, and commits with their outcome. */
import { error, type HeadwaterError } from '../../base/errors.ts'
import { limits } from '../../base/limits.ts'
import { failed, ok, type Result } from '../../base/result.ts'
import type { Metadata } from '../metadata.ts'
import { CatalogHttp, failureOf, type Reply } from './http.ts'
import { type Loaded, readLoaded } from './table-metadata.ts'
import type { VendedGrants } from './vended.ts'

export type Requirement = Readonly<Record<string, unknown>> & { readonly type: string }
export type Update = Readonly<Record<string, unknown>> & { readonly action: string }

/** A change of one table, which the catalog makes whole or not at all. */
export interface TableCommit {
  readonly name: string
  readonly requirements: readonly Requirement[]
  readonly updates: readonly Update[]
}

export type CommitOutcome =
  /** `loaded` where the catalog says what the table is now. */
  | { readonly kind: 'committed'; readonly loaded: Loaded | undefined }
  /** A requirement does not hold: somebody else was first. */
  | { readonly kind: 'conflict'; readonly message: string }
  /** It may have been made or not. */
  | { readonly kind: 'unknown'; readonly message: string }
  | { readonly kind: 'refused'; readonly status: number; readonly error: HeadwaterError }

const TRANSACTION = 'POST /v1/{prefix}/transactions/commit'

interface CatalogConfig {
  readonly prefix: string
  /** Whether several tables can be committed as one. */
  readonly transactions: boolean
}

interface RestCatalogOptions {
  readonly uri: string
  readonly warehouse: string | undefined
  readonly namespace: string
  /** Told of every answer about a table, where the catalog hands out credentials. */
  readonly grants: VendedGrants | undefined
}

export class RestCatalog {
  readonly #http: CatalogHttp
  readonly #base: string
  readonly #namespace: string
  readonly #grants: VendedGrants | undefined
  readonly transactions: boolean

  private constructor(
    http: CatalogHttp,
    base: string,
    { namespace, grants }: Pick<RestCatalogOptions, 'namespace' | 'grants'>,
    transactions: boolean,
  ) {
    this.#http = http
    this.#base = base
    this.#namespace = namespace
    this.#grants = grants
    this.transactions = transactions
  }

  /** Asks the catalog for its configuration. `uri` is what `/v1/…` follows. */
  static async open(http: CatalogHttp, options: RestCatalogOptions): Promise<Result<RestCatalog>> {
    const uri = options.uri.replace(/\/+$/, '')
    const { warehouse } = options
    const query = warehouse === undefined ? '' : `?warehouse=${encodeURIComponent(warehouse)}`
    const reply = await http.get(`${uri}/v1/config${query}`)
    if (reply.kind !== 'ok') return failed(failureOf(reply))
    const config = readConfig(reply.body)
    if (config === undefined) {
      return failed(error('catalog_invalid', `GET ${uri}/v1/config: not a configuration.`))
    }
    const base = `${uri}/v1${config.prefix === '' ? '' : `/${config.prefix}`}`
    const catalog = new RestCatalog(http, base, options, config.transactions)
    options.grants?.askBy((table) => catalog.load(table, true))
    return ok(catalog)
  }

  /** Creates the namespace where it is missing. */
  async ensureNamespace(): Promise<Result<void>> {
    const known = await this.#http.get(this.#namespaceUrl())
    if (known.kind === 'ok') return ok(undefined)
    if (known.kind !== 'refused' || known.status !== 404) return failed(failureOf(known))
    const body = { namespace: [this.#namespace], properties: {} }
    const made = await this.#http.post(`${this.#base}/namespaces`, body)
    // A conflict says that it is there; so does one that came through unheard.
    if (made.kind === 'ok' || (made.kind === 'refused' && made.status === 409)) return ok(undefined)
    const again = await this.#http.get(this.#namespaceUrl())
    return again.kind === 'ok' ? ok(undefined) : failed(failureOf(made))
  }

  /** Names of the tables in the namespace; none where there is no namespace. */
  async tables(): Promise<Result<readonly string[]>> {
    const names: string[] = []
    let token: string | undefined
    for (let page = 0; page < limits.catalogPagesMax; page++) {
      const query: string = token === undefined ? '' : `?pageToken=${encodeURIComponent(token)}`
      const reply = await this.#http.get(`${this.#namespaceUrl()}/tables${query}`)
      if (reply.kind === 'refused' && reply.status === 404) return ok([])
      if (reply.kind !== 'ok') return failed(failureOf(reply))
      const body = reply.body as
        { identifiers?: { name?: unknown }[]; 'next-page-token'?: unknown } | undefined
      if (!Array.isArray(body?.identifiers)) {
        return failed(error('catalog_invalid', 'the list of tables has no identifiers.'))
      }
      for (const { name } of body.identifiers) if (typeof name === 'string') names.push(name)
      const next = body['next-page-token']
      if (typeof next !== 'string' || next === '') return ok(names)
      token = next
    }
    return failed(error('catalog_invalid', 'the list of tables has no end.'))
  }

  /** A table as it is now; undefined where there is none. `refsOnly` leaves out snapshots that no ref points to. */
  async load(name: string, refsOnly: boolean): Promise<Result<Loaded | undefined>> {
    const reply = await this.#http.get(
      `${this.#tableUrl(name)}${refsOnly ? '?snapshots=refs' : ''}`,
    )
    if (reply.kind === 'refused' && reply.status === 404) return ok(undefined)
    if (reply.kind !== 'ok') return failed(failureOf(reply))
    this.#grants?.take(name, reply.body)
    return readLoaded(name, reply.body)
  }

  /** Creates a table, or with `stage-create` lets the catalog only say what it would be. */
  async create(
    request: Readonly<Record<string, unknown>> & { readonly name: string },
  ): Promise<Reply> {
    const reply = await this.#http.post(`${this.#namespaceUrl()}/tables`, request)
    if (reply.kind === 'ok') this.#grants?.take(request.name, reply.body)
    return reply
  }

  async commit(change: TableCommit): Promise<CommitOutcome> {
    const reply = await this.#http.post(this.#tableUrl(change.name), this.#commitBody(change))
    return outcomeOf(reply, (body) => readLoaded(change.name, body))
  }

  /** Commits several tables as one; only where `transactions`. */
  async commitAll(changes: readonly TableCommit[]): Promise<CommitOutcome> {
    const body = { 'table-changes': changes.map((change) => this.#commitBody(change)) }
    return outcomeOf(await this.#http.post(`${this.#base}/transactions/commit`, body))
  }

  #commitBody({ name, requirements, updates }: TableCommit): object {
    const identifier = { namespace: [this.#namespace], name }
    return { identifier, requirements, updates }
  }

  #namespaceUrl(): string {
    return `${this.#base}/namespaces/${encodeURIComponent(this.#namespace)}`
  }

  #tableUrl(name: string): string {
    return `${this.#namespaceUrl()}/tables/${encodeURIComponent(name)}`
  }
}

function outcomeOf(reply: Reply, read?: (body: unknown) => Result<Loaded>): CommitOutcome {
  switch (reply.kind) {
    case 'ok': {
      const loaded = read?.(reply.body)
      return { kind: 'committed', loaded: loaded?.ok === true ? loaded.value : undefined }
    }
    case 'unknown':
      return reply
    case 'refused':
      return reply.status === 409
        ? { kind: 'conflict', message: reply.message }
        : { kind: 'refused', status: reply.status, error: failureOf(reply) }
  }
}

/** Prefix and abilities: the server's defaults, then its overrides. */
function readConfig(body: unknown): CatalogConfig | undefined {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) return undefined
  const { defaults, overrides, endpoints } = body as Readonly<Record<string, unknown>>
  const settings = { ...(defaults as object), ...(overrides as object) } as Record<string, unknown>
  const prefix = settings['prefix']
  // Only what is advertised is used: a server that says nothing may know no transactions.
  const transactions = Array.isArray(endpoints) && endpoints.includes(TRANSACTION)
  return { prefix: typeof prefix === 'string' ? prefix : '', transactions }
}

/** The requirements that every ref, and `main` before all, is still where `metadata` has it. */
export function assertRefs({ refs, 'current-snapshot-id': main }: Metadata): Requirement[] {
  const others = Object.entries(refs).filter(([name]) => name !== 'main')
  return [
    { type: 'assert-ref-snapshot-id', ref: 'main', 'snapshot-id': main ?? null },
    ...others.map(([ref, { 'snapshot-id': id }]) => ({
      type: 'assert-ref-snapshot-id',
      ref,
      'snapshot-id': id,
    })),
  ]
}

export function assertUuid(metadata: Metadata): Requirement {
  return { type: 'assert-table-uuid', uuid: metadata['table-uuid'] }
}
