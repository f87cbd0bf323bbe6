/** Opens a lake whose tables live in a REST catalog: finds out whose they are, and completes what a crash left half done. */
import type { Clock } from '../../base/clock.ts'
import { error, HeadwaterError } from '../../base/errors.ts'
import type { Files } from '../../base/files.ts'
import type { Random } from '../../base/random.ts'
import { failed, ok, type Result } from '../../base/result.ts'
import { diskFailure } from '../failure.ts'
import type { KeptLake } from '../upkeep.ts'
import { directoryIdentity, takeOwnership } from '../owner.ts'
import type { Storage } from '../storage.ts'
import { anonymous, bearer, clientCredential } from './auth.ts'
import { type Authorizer, CatalogHttp, type Fetch } from './http.ts'
import { ExternalLake, type Owner } from './lake.ts'
import { OwnerFolder } from './pending.ts'
import { RestCatalog } from './rest-catalog.ts'
import { signed, type SigningScope } from './signature.ts'
import { type Mark, markOf } from './table-metadata.ts'
import { DELEGATION, type VendedGrants } from './vended.ts'

export interface CatalogOptions {
  /** What `/v1/config` follows. */
  readonly uri: string
  readonly warehouse?: string | undefined
  /** A bearer token. */
  readonly token?: string | undefined
  /** `<client id>:<client secret>`, traded for tokens. */
  readonly credential?: string | undefined
  /** Where; without it the catalog's own `/v1/oauth/tokens`. */
  readonly tokenUri?: string | undefined
  readonly scope: string
  /** Sign requests, for catalogs of AWS. */
  readonly sigv4?: SigningScope | undefined
  /** Sent with every request. */
  readonly headers: Readonly<Record<string, string>>
}

export interface ExternalLakeOptions {
  readonly catalog: CatalogOptions
  /** Takes the credentials for the object store that the catalog hands out; undefined: none are asked for. */
  readonly grants?: VendedGrants | undefined
  /** Where the tables' objects lie. */
  readonly storage: Storage
  /** Absolute path of the data folder, whose identity the tables are marked with. */
  readonly data: string
  /** Absolute path of the folder that belongs to the log: its lock, and the change on its way. */
  readonly folder: string
  readonly namespace: string
  /** The table that completes a change. */
  readonly ledger: string
  /** Take over tables that another data folder wrote. */
  readonly takeOver: boolean
  readonly fetch: Fetch
  readonly files: Files
  readonly clock: Clock
  readonly random: Random
  /** Opens beside the owner, for reading. */
  readonly readOnly?: boolean
}

export async function openExternalLake(options: ExternalLakeOptions): Promise<Result<KeptLake>> {
  const { folder, files, random, readOnly } = options
  const catalog = await openCatalog(options)
  if (!catalog.ok) return catalog
  if (readOnly === true) {
    const lake = new ExternalLake({ ...options, catalog: catalog.value }, undefined)
    const loaded = await lake.loadAll()
    return loaded.ok ? ok(lake) : loaded
  }
  try {
    await files.makeDirectory(folder)
    const release = await takeOwnership(folder, files, random)
    if (!release.ok) return release
    const lake = await openOwned(options, catalog.value, release.value)
    if (!lake.ok) await release.value()
    return lake
  } catch (cause) {
    return failed(diskFailure(cause, folder))
  }
}

async function openCatalog(options: ExternalLakeOptions): Promise<Result<RestCatalog>> {
  const { catalog, namespace, grants } = options
  const { uri, warehouse } = catalog
  const headers = { ...(grants === undefined ? {} : DELEGATION), ...catalog.headers }
  const http = new CatalogHttp(options, authorizerOf(options), headers)
  return RestCatalog.open(http, { uri, warehouse, namespace, grants })
}

function authorizerOf({ catalog, fetch, clock }: ExternalLakeOptions): Authorizer {
  const { token, credential, tokenUri, scope, uri, sigv4 } = catalog
  if (sigv4 !== undefined) return signed(sigv4, clock)
  if (token !== undefined) return bearer(token)
  if (credential === undefined) return anonymous
  const tokenUrl = tokenUri ?? `${uri.replace(/\/+$/, '')}/v1/oauth/tokens`
  return clientCredential({ credential, tokenUrl, scope }, { fetch, clock })
}

async function openOwned(
  options: ExternalLakeOptions,
  catalog: RestCatalog,
  release: () => Promise<void>,
): Promise<Result<KeptLake>> {
  const { folder, files, random, ledger, data } = options
  const own = new OwnerFolder(folder, files, random)
  const known = await own.bond()
  if (!known.ok) return known
  const namespace = await catalog.ensureNamespace()
  if (!namespace.ok) return namespace
  const former = known.value?.former
  const writer = former ?? (await directoryIdentity(data, files, random))
  const owner: Owner = { writer, folder: own, release }
  const lake = new ExternalLake({ ...options, catalog }, owner)
  const loaded = await lake.loadAll()
  if (!loaded.ok) return loaded
  const marks = marksOf(lake)
  const strange = [...marks].find(([, mark]) => mark.writer !== writer)
  // A folder that has written before has a log whose offsets mean something else than those of the other.
  const taking = known.value === undefined ? options.takeOver : known.value.taking
  if (strange !== undefined && !taking) return failed(fenced(...strange, owner.writer))
  if (known.value === undefined) await own.bind(strange !== undefined, former)
  const claiming = taking && (strange !== undefined || known.value !== undefined)
  const pending = await own.pending()
  if (!pending.ok) return pending
  // While it takes over, the only change on its way is the claim itself, which is made anew.
  if (pending.value !== undefined && !claiming) {
    const finished = await lake.finish(pending.value)
    if (!finished.ok) return finished
  }
  if (claiming) {
    const claimed = await lake.claim(
      Math.max(0, ...[...marks.values()].map(({ offset }) => offset)),
    )
    if (!claimed.ok) return claimed
    await own.bind(false, former)
  }
  const ahead = [...marksOf(lake)].find(([, { offset }]) => offset > lake.state.offset)
  if (ahead === undefined) return ok(lake)
  const [name, { offset }] = ahead
  const detail = `table ${name} holds rows up to offset ${offset}, ${ledger} up to ${lake.state.offset}, and ${own.pendingFile} is not there to go on from.`
  return failed(error('lake_invalid', detail))
}

function marksOf({ tables }: ExternalLake): Map<string, Mark> {
  const marks = new Map<string, Mark>()
  for (const [name, { metadata }] of tables) {
    const mark = markOf(metadata)
    if (mark !== undefined) marks.set(name, mark)
  }
  return marks
}

function fenced(name: string, mark: Mark, writer: string): HeadwaterError {
  const detail = `table ${name} was written by ${mark.writer} up to offset ${mark.offset}; this folder is ${writer}.`
  return error('lake_fenced', detail)
}
