/** Access to parts of an object store that somebody else grants for a while, and the connections that use it. */
import type { S3Client } from '@aws-sdk/client-s3'
import { limits } from '../base/limits.ts'
import {
  connectS3,
  type S3Connection,
  type S3Credentials,
  type S3Options,
  statusOf,
} from './s3-client.ts'

export interface Grant {
  /** What the locations that it is for begin with. */
  readonly prefix: string
  readonly credentials: S3Credentials
  /** Where the store is, as far as it is said. */
  readonly place: Pick<S3Options, 'endpoint' | 'region' | 'forcePathStyle'>
  /** When it ends, ms since 1970; undefined: nobody says. */
  readonly until: number | undefined
}

export interface Grants {
  /** The grant for a location. Rejects with HeadwaterError `storage_denied` when there is none, or as who grants it does. */
  of(location: string): Promise<Grant>
  /** Asks for a newer grant than one that the store refused. */
  renew(refused: Grant): Promise<void>
}

/** The client for a location: one for all, or one for each grant. */
export class S3Clients {
  readonly #options: S3Options
  readonly #own: S3Connection
  readonly #grants: Grants | undefined
  readonly #granted = new Map<
    string,
    { readonly grant: Grant; readonly client: Promise<S3Client> }
  >()

  constructor(options: S3Options, own: S3Connection, grants: Grants | undefined) {
    this.#options = options
    this.#own = own
    this.#grants = grants
  }

  /** Sends a call; once more where the store refuses a grant and there is a newer one. */
  async send<T>(location: string, call: (client: S3Client) => Promise<T>): Promise<T> {
    if (this.#grants === undefined) return call(this.#own.client)
    const grant = await this.#grants.of(location)
    try {
      return await call(await this.#client(grant))
    } catch (cause) {
      if (!isRefused(cause)) throw cause
      await this.#grants.renew(grant)
      const newer = await this.#grants.of(location)
      if (newer === grant) throw cause
      return call(await this.#client(newer))
    }
  }

  async #client(grant: Grant): Promise<S3Client> {
    const known = this.#granted.get(grant.prefix)
    if (known?.grant === grant) return known.client
    if (this.#granted.size >= limits.storageGrantsMax) this.#granted.clear()
    const { credentials, place } = grant
    const { endpoint, region, forcePathStyle, waits } = this.#options
    // What the project says of the store goes before what the catalog says.
    const client = connectS3({
      endpoint: endpoint ?? place.endpoint,
      region: region ?? place.region,
      forcePathStyle: forcePathStyle === true || place.forcePathStyle === true,
      waits,
      credentials,
    }).then((made) => made.client)
    this.#granted.set(grant.prefix, { grant, client })
    return client
  }
}

function isRefused(cause: unknown): boolean {
  const status = statusOf(cause)
  return status === 401 || status === 403
}
