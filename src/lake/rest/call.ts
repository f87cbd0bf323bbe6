/** One request to the catalog as its handler sees it, and what handlers work with. */
import type { Clock } from '../../base/clock.ts'
import { error } from '../../base/errors.ts'
import type { Random } from '../../base/random.ts'
import { ok, type Result } from '../../base/result.ts'
import type { CatalogFile, Identifier } from '../catalog-file.ts'
import type { LakeCatalog, Stage } from '../transactions.ts'
import type { Answer } from './answer.ts'
import type { Locations } from './locations.ts'
import { checkedName, namespaceText, pathNamespace, textOf } from './names.ts'

/** What the catalog counts, for the metrics page. */
export class RestCounts {
  readonly responses = new Map<number, number>()
  commits = 0
  /** Commits whose requirements did not hold. */
  conflicts = 0
  /** Scan and commit reports of clients. */
  reports = 0
  purgedObjects = 0
}

export interface Service {
  readonly lake: LakeCatalog
  readonly clock: Clock
  readonly random: Random
  readonly locations: Locations
  readonly counts: RestCounts
  /** Name of headwater's table whose rows nobody else may change. */
  readonly ledger: string | undefined
}

export interface Call {
  /** Parts of the path by their names in the specification, decoded. */
  readonly params: Readonly<Record<string, string>>
  readonly query: URLSearchParams
  readonly body: Buffer
  /** Value of If-None-Match. */
  readonly known: string | undefined
}

/** Throws HeadwaterError for every failure that it expects. */
export type Handler = (service: Service, call: Call) => Promise<Answer>

export function namespaceOf({ params }: Call): string {
  return pathNamespace(params['namespace']!)
}

export function idOf(call: Call, kind: 'table' | 'view'): Identifier {
  return { namespace: namespaceOf(call), name: checkedName(call.params[kind]!) }
}

export function unwrap<T>(result: Result<T>): T {
  if (!result.ok) throw result.error
  return result.value
}

/** Commits a change; answers the version that has it. Throws HeadwaterError. */
export async function change(
  { lake, counts }: Service,
  edit: (catalog: CatalogFile, stage: Stage) => Promise<CatalogFile>,
): Promise<CatalogFile> {
  const done = await lake.commit(async (catalog, stage) => ok(await edit(catalog, stage)))
  if (done.ok) counts.commits++
  else if (done.error.code === 'commit_conflict') counts.conflicts++
  return unwrap(done)
}

/** Throws HeadwaterError `table_exists` where a name is taken. */
export function refuseTaken(catalog: CatalogFile, id: Identifier, wanted: 'Table' | 'View'): void {
  const namespace = catalog.namespaces.get(id.namespace)
  const same = wanted === 'Table' ? namespace?.tables : namespace?.views
  const other = wanted === 'Table' ? namespace?.views : namespace?.tables
  if (same?.has(id.name) === true) {
    throw error('table_exists', `${wanted} already exists: ${textOf(id)}`)
  }
  if (other?.has(id.name) !== true) return
  const kind = wanted === 'Table' ? 'View' : 'Table'
  throw error('table_exists', `${kind} with same name already exists: ${textOf(id)}`)
}

/** As `refuseTaken`, for the new name of what is renamed. */
export function refuseRename(catalog: CatalogFile, from: Identifier, to: Identifier): void {
  const namespace = catalog.namespaces.get(to.namespace)
  const kinds = { Table: namespace?.tables, View: namespace?.views }
  for (const [kind, names] of Object.entries(kinds)) {
    if (names?.has(to.name) !== true) continue
    const what = `Cannot rename ${textOf(from)} to ${textOf(to)}`
    throw error('table_exists', `${what}. ${kind} already exists`)
  }
}

/** Throws HeadwaterError `table_owned` for headwater's own namespace, in which names are those of its specifications. */
export function refuseOwned({ lake }: Service, id: Identifier): void {
  if (id.namespace !== lake.namespace) return
  throw error(
    'table_owned',
    `${textOf(id)}: tables and views of ${namespaceText(lake.namespace)} are made and dropped by headwater alone; use another namespace.`,
  )
}
