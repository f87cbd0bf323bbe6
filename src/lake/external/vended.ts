/**
 * Credentials for the object store that a catalog hands out with its tables (Iceberg REST, `X-Iceberg-Access-Delegation`): remembered by
 * location, and asked for again before they end or when the store refuses them.
 */
import type { Clock } from '../../base/clock.ts'
import { error } from '../../base/errors.ts'
import { limits } from '../../base/limits.ts'
import type { Grant, Grants } from '../s3-grants.ts'
import { textsOf } from './http.ts'

export const DELEGATION: Readonly<Record<string, string>> = {
  'X-Iceberg-Access-Delegation': 'vended-credentials',
}

export class VendedGrants implements Grants {
  readonly #clock: Pick<Clock, 'wall'>
  readonly #granted = new Map<string, { readonly table: string; readonly grant: Grant }>()
  /** Loads of tables that are on their way. */
  readonly #asking = new Map<string, Promise<void>>()
  #load: (table: string) => Promise<unknown> = () => Promise.resolve()

  constructor(clock: Pick<Clock, 'wall'>) {
    this.#clock = clock
  }

  /** Says how a table is loaded; what that answers is to be given to `take`. */
  askBy(load: (table: string) => Promise<unknown>): void {
    this.#load = load
  }

  /** Remembers what an answer about a table grants; nothing where it grants nothing. */
  take(table: string, answer: unknown): void {
    const grants = grantsIn(answer)
    if (grants.length === 0) return
    for (const [prefix, known] of this.#granted) {
      if (known.table === table) this.#granted.delete(prefix)
    }
    for (const grant of grants) this.#granted.set(grant.prefix, { table, grant })
  }

  async of(location: string): Promise<Grant> {
    const known = this.#find(location)
    if (known !== undefined && !this.#ends(known.grant)) return known.grant
    if (known !== undefined) await this.#ask(known.table)
    const grant = this.#find(location)?.grant
    if (grant !== undefined) return grant
    throw error('storage_denied', `${location}: the catalog hands out no credentials for it.`)
  }

  async renew(refused: Grant): Promise<void> {
    const known = this.#granted.get(refused.prefix)
    if (known?.grant === refused) await this.#ask(known.table)
  }

  #find(location: string): { readonly table: string; readonly grant: Grant } | undefined {
    const plain = plainScheme(location)
    let longest: { readonly table: string; readonly grant: Grant } | undefined
    for (const [prefix, known] of this.#granted) {
      if (!plain.startsWith(prefix)) continue
      if (longest === undefined || prefix.length > longest.grant.prefix.length) longest = known
    }
    return longest
  }

  #ends({ until }: Grant): boolean {
    return until !== undefined && this.#clock.wall() >= until - limits.catalogTokenMarginMs
  }

  #ask(table: string): Promise<void> {
    const known = this.#asking.get(table)
    if (known !== undefined) return known
    const asked = this.#load(table).then(
      () => void this.#asking.delete(table),
      (cause: unknown) => {
        this.#asking.delete(table)
        throw cause
      },
    )
    this.#asking.set(table, asked)
    return asked
  }
}

/** `storage-credentials` by their prefixes; else `config`, which is for all of the table. */
function grantsIn(answer: unknown): Grant[] {
  const {
    'storage-credentials': listed,
    config,
    metadata,
  } = (answer ?? {}) as Readonly<Record<string, unknown>>
  const entries = Array.isArray(listed)
    ? listed.map((each) => each as Readonly<Record<string, unknown>>)
    : []
  const grants = entries.flatMap((each) => grantOf(textsOf(each)['prefix'], each['config']))
  if (grants.length > 0) return grants
  return grantOf(textsOf(metadata)['location'], config)
}

function grantOf(prefix: string | undefined, config: unknown): Grant[] {
  const {
    's3.access-key-id': accessKeyId,
    's3.secret-access-key': secretAccessKey,
    's3.session-token': sessionToken,
    's3.session-token-expires-at-ms': until,
    's3.endpoint': endpoint,
    's3.path-style-access': pathStyle,
    's3.region': ownRegion,
    'client.region': region = ownRegion,
  } = textsOf(config)
  if (prefix === undefined || accessKeyId === undefined || secretAccessKey === undefined) return []
  const ends = Number(until ?? NaN)
  return [
    {
      prefix: plainScheme(prefix),
      credentials: { accessKeyId, secretAccessKey, ...(sessionToken && { sessionToken }) },
      place: {
        ...(endpoint && { endpoint }),
        ...(region && { region }),
        ...(pathStyle && { forcePathStyle: pathStyle === 'true' }),
      },
      until: Number.isFinite(ends) ? ends : undefined,
    },
  ]
}

function plainScheme(location: string): string {
  return location.replace(/^s3[an]:/, 's3:')
}
