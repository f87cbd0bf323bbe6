/** Commits of clients to tables: each against the table as it is at the moment, so that appends of headwater in between lose nothing. */
import { error, type HeadwaterError } from '../../base/errors.ts'
import { uuid } from '../../base/random.ts'
import { failed } from '../../base/result.ts'
import { type CatalogFile, type Identifier, tableAt, withEntry } from '../catalog-file.ts'
import type { Metadata } from '../metadata.ts'
import { type Requirement, unmet } from '../requirements.ts'
import { overtaken, repeatedCheckpoint } from '../checkpoints.ts'
import type { Stage } from '../transactions.ts'
import { applyUpdates, type Update } from '../updates.ts'
import { refuseOwned, refuseTaken, type Service, unwrap } from './call.ts'
import { namespaceAt, textOf } from './names.ts'
import { ownedProblem, withOwnColumns } from './owned.ts'

export interface TableChange {
  readonly requirements?: readonly Requirement[] | null | undefined
  readonly updates: readonly Update[]
}

/** The catalog after a commit to one table, with its next metadata staged. Throws HeadwaterError. */
export async function commitTable(
  service: Service,
  catalog: CatalogFile,
  stage: Stage,
  id: Identifier,
  { requirements: given, updates }: TableChange,
): Promise<CatalogFile> {
  const requirements = given ?? []
  if (requirements.some(({ type }) => type === 'assert-create')) {
    return createByCommit(service, catalog, stage, id, requirements, updates)
  }
  const file = tableAt(catalog, id)
  if (file === undefined) throw error('table_unknown', `Table does not exist: ${textOf(id)}`)
  const before = unwrap(await service.lake.metadata(file))
  const own = id.namespace === service.lake.namespace
  const problem = unmet(requirements, before)
  const late = problem === undefined ? undefined : overtaken(before, updates)
  if (late !== undefined) throw error('commit_repeated', `${textOf(id)}: ${late}.`)
  const updated =
    problem === undefined
      ? applyUpdates(before, own ? withOwnColumns(before, updates) : updates, service.clock.wall())
      : failed<HeadwaterError>(problem)
  if (own && !updated.ok && updated.error.code === 'commit_conflict') service.lake.contended()
  const after = unwrap(updated)
  if (after === before) return catalog
  const repeated = repeatedCheckpoint(before, after)
  if (repeated !== undefined) throw error('commit_repeated', `${textOf(id)}: ${repeated}.`)
  await checkPlaces(service, catalog, id, before, after)
  if (own) {
    const reason = ownedProblem(before, after, id.name === service.ledger)
    if (reason !== undefined) throw error('table_owned', `${textOf(id)}: ${reason}.`)
  }
  const location = await stage.table(after, { file, metadata: before })
  return withEntry(catalog, 'tables', id, location)
}

async function createByCommit(
  service: Service,
  catalog: CatalogFile,
  stage: Stage,
  id: Identifier,
  requirements: readonly Requirement[],
  updates: readonly Update[],
): Promise<CatalogFile> {
  const other = requirements.find(({ type }) => type !== 'assert-create')
  if (other !== undefined) {
    throw error('request_invalid', `${other.type} cannot be required of a table that is created.`)
  }
  refuseOwned(service, id)
  namespaceAt(catalog, id.namespace)
  if (tableAt(catalog, id) !== undefined) {
    throw error('commit_conflict', `Requirement failed: table already exists: ${textOf(id)}`)
  }
  refuseTaken(catalog, id, 'Table')
  const fresh = { uuid: uuid(service.random), location: service.locations.fresh(id) }
  const metadata = unwrap(applyUpdates(fresh, updates, service.clock.wall()))
  await checkPlaces(service, catalog, id, undefined, metadata)
  return withEntry(catalog, 'tables', id, await stage.table(metadata, undefined))
}

/** What a commit names must lie where it may: the table itself, and what its new snapshots are read from. */
async function checkPlaces(
  { locations }: Service,
  catalog: CatalogFile,
  id: Identifier,
  before: Metadata | undefined,
  after: Metadata,
): Promise<void> {
  if (after.location !== before?.location) await locations.check(after.location, catalog, id)
  locations.checkMetadata(after)
  const known = new Set(before?.snapshots.map((snapshot) => snapshot['manifest-list']))
  for (const { 'manifest-list': list } of after.snapshots) {
    if (!known.has(list)) locations.checkInside(list)
  }
}
