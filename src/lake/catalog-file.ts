/** The content of `catalog/<16 digits>.json` (PROTOCOL.md §13): every namespace, table and view of the lake at one version. */
import { z } from 'zod'
import { error } from '../base/errors.ts'
import { failed, ok, type Result } from '../base/result.ts'
import type { Ownership } from './fence.ts'
import { misfit } from './metadata-shape.ts'

export interface Namespace {
  readonly properties: Readonly<Record<string, string>>
  /** Name → location of its metadata file. */
  readonly tables: ReadonlyMap<string, string>
  readonly views: ReadonlyMap<string, string>
}

export interface CatalogFile extends Ownership {
  readonly version: number
  /** Wall clock of the commit, ms since 1970. */
  readonly committed: number
  /** Identity of the commit, by which a writer knows its own after an unclear outcome. */
  readonly commit: string
  /** Key (`namespaceKey`) → namespace, parents included. */
  readonly namespaces: ReadonlyMap<string, Namespace>
}

export const EMPTY_CATALOG: CatalogFile = {
  version: 0,
  offset: 0,
  committed: 0,
  commit: '',
  namespaces: new Map(),
}

export const EMPTY_NAMESPACE: Namespace = { properties: {}, tables: new Map(), views: new Map() }

/** Stands between the levels of a namespace, in keys as in the paths of the REST interface. */
export const LEVELS = '\u001f'

export interface Identifier {
  /** Key of its namespace. */
  readonly namespace: string
  readonly name: string
}

export function tableAt(catalog: CatalogFile, id: Identifier): string | undefined {
  return catalog.namespaces.get(id.namespace)?.tables.get(id.name)
}

export function viewAt(catalog: CatalogFile, id: Identifier): string | undefined {
  return catalog.namespaces.get(id.namespace)?.views.get(id.name)
}

/** Every table with its location, in the order of namespaces. */
export function* tablesOf(catalog: CatalogFile): Generator<Identifier & { location: string }> {
  for (const [namespace, { tables }] of catalog.namespaces) {
    for (const [name, location] of tables) yield { namespace, name, location }
  }
}

/** The catalog with a namespace changed, made, or, by undefined, gone. */
export function withNamespace(
  catalog: CatalogFile,
  key: string,
  namespace: Namespace | undefined,
): CatalogFile {
  const namespaces = new Map(catalog.namespaces)
  if (namespace === undefined) namespaces.delete(key)
  else namespaces.set(key, namespace)
  return { ...catalog, namespaces }
}

/** The catalog with a table or view at a location, or, by undefined, gone. The namespace is made where it is missing. */
export function withEntry(
  catalog: CatalogFile,
  kind: 'tables' | 'views',
  id: Identifier,
  location: string | undefined,
): CatalogFile {
  const namespace = catalog.namespaces.get(id.namespace) ?? EMPTY_NAMESPACE
  const entries = new Map(namespace[kind])
  if (location === undefined) entries.delete(id.name)
  else entries.set(id.name, location)
  return withNamespace(catalog, id.namespace, { ...namespace, [kind]: entries })
}

const texts = z.record(z.string(), z.string())
const count = z.int().min(0)
const head = {
  version: count,
  offset: count,
  committed: count,
  commit: z.string(),
  owner: z.string().optional(),
  former: z.record(z.string(), z.looseObject({ offset: count, taken: count })).optional(),
}

const shape = z.discriminatedUnion('format', [
  z.looseObject({ format: z.literal(1), ...head, tables: texts }),
  z.looseObject({
    format: z.literal(2),
    ...head,
    namespaces: z.record(
      z.string(),
      z.looseObject({ properties: texts, tables: texts, views: texts }),
    ),
  }),
])

type Texts = Readonly<Record<string, string>>
type Written = Omit<CatalogFile, 'namespaces'> &
  (
    | { readonly format: 1; readonly tables: Texts }
    | {
        readonly format: 2
        readonly namespaces: Readonly<
          Record<
            string,
            { readonly properties: Texts; readonly tables: Texts; readonly views: Texts }
          >
        >
      }
  )

/** Reads a catalog file of any format; `lake_invalid` with its name and what is wrong. */
export function parseCatalog(text: string, file: string, version: number): Result<CatalogFile> {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    return failed(error('lake_invalid', `${file} is not JSON.`, cause))
  }
  const problem = misfit(shape, value)
  if (problem !== undefined) return failed(error('lake_invalid', `${file}: ${problem}.`))
  const written = value as Written
  if (written.version !== version) {
    return failed(error('lake_invalid', `${file} says that it is version ${written.version}.`))
  }
  const { offset, committed, commit, owner, former } = written
  return ok({
    version,
    offset,
    committed,
    commit,
    ...(owner === undefined ? {} : { owner }),
    ...(former === undefined ? {} : { former }),
    namespaces: namespacesOf(written),
  })
}

function namespacesOf(written: Written): Map<string, Namespace> {
  if (written.format === 2) {
    return new Map(
      Object.entries(written.namespaces).map(([key, { properties, tables, views }]) => [
        key,
        {
          properties,
          tables: new Map(Object.entries(tables)),
          views: new Map(Object.entries(views)),
        },
      ]),
    )
  }
  // Format 1 names tables `<namespace>.<table>`, with a namespace of one level.
  let catalog = EMPTY_CATALOG
  for (const [path, location] of Object.entries(written.tables)) {
    const dot = path.indexOf('.')
    const id = { namespace: path.slice(0, dot), name: path.slice(dot + 1) }
    catalog = withEntry(catalog, 'tables', id, location)
  }
  return new Map(catalog.namespaces)
}

export function stringifyCatalog(catalog: CatalogFile): string {
  const namespaces = Object.fromEntries(
    [...catalog.namespaces].map(([key, { properties, tables, views }]) => [
      key,
      { properties, tables: Object.fromEntries(tables), views: Object.fromEntries(views) },
    ]),
  )
  const { version, offset, committed, commit, owner, former } = catalog
  return JSON.stringify({
    format: 2,
    version,
    offset,
    committed,
    commit,
    owner,
    former,
    namespaces,
  })
}
