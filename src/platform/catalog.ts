/** Wires the REST catalog of a platform: its tokens, and the port it listens on. */
import type { AddressInfo } from 'node:net'
import type { Clock } from '../base/clock.ts'
import { error, type HeadwaterError } from '../base/errors.ts'
import { errnoOf } from '../base/files.ts'
import type { Random } from '../base/random.ts'
import { failed, ok, type Result } from '../base/result.ts'
import {
  type CatalogLake,
  createRestCatalog,
  type Lake,
  type LakeCatalog,
  type RestCatalogServer,
  type RestCounts,
} from '../lake/index.ts'
import { httpUrl } from './address.ts'
import type { Project } from './project.ts'

interface CatalogDoorOptions {
  readonly project: Project
  readonly clock: Clock
  readonly random: Random
  readonly lake: LakeCatalog
  readonly onFailure: (failure: HeadwaterError) => void
}

export interface CatalogDoor {
  /** What clients are given as the catalog's URI. */
  readonly url: string
  readonly counts: RestCounts
  close(): Promise<void>
}

/** The REST catalog of a lake that is its own; undefined where there is none, or it is not wanted. */
export async function openOwnCatalog(
  options: Omit<CatalogDoorOptions, 'lake' | 'onFailure'> & {
    readonly onFailure?: CatalogDoorOptions['onFailure']
  },
  lake: Lake | CatalogLake,
): Promise<Result<CatalogDoor | undefined>> {
  if (!('catalog' in lake) || !options.project.config.catalog.enabled) return ok(undefined)
  const onFailure = options.onFailure ?? ((): void => {})
  return openCatalogDoor({ ...options, lake: lake.catalog, onFailure })
}

async function openCatalogDoor(options: CatalogDoorOptions): Promise<Result<CatalogDoor>> {
  const { project, clock, random, lake, onFailure } = options
  const { catalog, http } = project.config
  const server = createRestCatalog({
    lake,
    clock,
    random,
    tokens: catalog.tokens,
    // In cluster mode Flink lands the rows of the ledger as well.
    ledger: project.config.cluster === undefined ? 'batches' : undefined,
    onBug: (cause) => onFailure(asFailure(cause)),
  })
  try {
    const { port } = await listen(server, catalog, http.port)
    const host = catalog.host.includes(':') ? `[${catalog.host}]` : catalog.host
    const url = `${httpUrl(host, port)}/iceberg`
    return ok({ url, counts: server.counts, close: () => server.close() })
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause)
    return failed(error('port_in_use', `catalog port ${catalog.port}: ${message}.`, cause))
  }
}

/** A port that nobody asked for may be another one; one that was asked for may not. */
async function listen(
  server: RestCatalogServer,
  { host, port }: { readonly host: string; readonly port: number },
  collectorPort: number,
): Promise<AddressInfo> {
  const next = collectorPort === 0 || collectorPort === 65535 ? 0 : collectorPort + 1
  if (port !== 0 || next === 0) return server.listen(port, host)
  try {
    return await server.listen(next, host)
  } catch (cause) {
    if (errnoOf(cause) !== 'EADDRINUSE') throw cause
    return server.listen(0, host)
  }
}

function asFailure(cause: unknown): HeadwaterError {
  const message = cause instanceof Error ? (cause.stack ?? cause.message) : String(cause)
  return error('catalog_failed', message, cause)
}
