/** The paths of the catalog: one table, from which requests are routed and clients are told what there is. */
import { json } from './answer.ts'
import type { Handler } from './call.ts'
import {
  createNamespace,
  dropNamespace,
  listNamespaces,
  loadNamespace,
  namespaceExists,
  setNamespaceProperties,
} from './namespaces.ts'
import {
  commitTransaction,
  createTable,
  dropTable,
  listTables,
  loadTable,
  registerTable,
  renameTable,
  reportMetrics,
  tableExists,
  updateTable,
} from './tables.ts'
import {
  createView,
  dropView,
  listViews,
  loadView,
  registerView,
  renameView,
  updateView,
  viewExists,
} from './views.ts'

export type Method = 'GET' | 'HEAD' | 'POST' | 'DELETE'

export interface Route {
  readonly method: Method
  /** As the specification writes it, such as `/v1/{prefix}/namespaces/{namespace}`. */
  readonly path: string
  readonly scope: 'read' | 'write'
  /** The client has written files that it removes when it is told that the commit failed. */
  readonly commits: boolean
  readonly handle: Handler
}

const NAMESPACES = '/v1/{prefix}/namespaces'
const NAMESPACE = `${NAMESPACES}/{namespace}`
const TABLES = `${NAMESPACE}/tables`
const TABLE = `${TABLES}/{table}`
const VIEWS = `${NAMESPACE}/views`
const VIEW = `${VIEWS}/{view}`

const reads = (method: 'GET' | 'HEAD' | 'POST', path: string, handle: Handler): Route => ({
  method,
  path,
  scope: 'read',
  commits: false,
  handle,
})
const writes = (method: 'POST' | 'DELETE', path: string, handle: Handler): Route => ({
  method,
  path,
  scope: 'write',
  commits: false,
  handle,
})
const commits = (path: string, handle: Handler): Route => ({
  ...writes('POST', path, handle),
  commits: true,
})

const CONFIG = '/v1/config'

const config: Handler = async () => json({ defaults: {}, overrides: {}, endpoints: ENDPOINTS })

export const ROUTES: readonly Route[] = [
  reads('GET', CONFIG, config),
  reads('GET', NAMESPACES, listNamespaces),
  writes('POST', NAMESPACES, createNamespace),
  reads('GET', NAMESPACE, loadNamespace),
  reads('HEAD', NAMESPACE, namespaceExists),
  writes('DELETE', NAMESPACE, dropNamespace),
  writes('POST', `${NAMESPACE}/properties`, setNamespaceProperties),
  reads('GET', TABLES, listTables),
  writes('POST', TABLES, createTable),
  reads('GET', TABLE, loadTable),
  reads('HEAD', TABLE, tableExists),
  commits(TABLE, updateTable),
  writes('DELETE', TABLE, dropTable),
  // Clients that only read report what they have read.
  reads('POST', `${TABLE}/metrics`, reportMetrics),
  writes('POST', `${NAMESPACE}/register`, registerTable),
  writes('POST', '/v1/{prefix}/tables/rename', renameTable),
  commits('/v1/{prefix}/transactions/commit', commitTransaction),
  reads('GET', VIEWS, listViews),
  writes('POST', VIEWS, createView),
  reads('GET', VIEW, loadView),
  reads('HEAD', VIEW, viewExists),
  commits(VIEW, updateView),
  writes('DELETE', VIEW, dropView),
  writes('POST', `${NAMESPACE}/register-view`, registerView),
  writes('POST', '/v1/{prefix}/views/rename', renameView),
]

const ENDPOINTS = ROUTES.filter(({ path }) => path !== CONFIG).map(
  ({ method, path }) => `${method} ${path}`,
)

export interface Match {
  readonly route: Route
  readonly params: Readonly<Record<string, string>>
}

const PATTERNS = ROUTES.map((route) => ({
  route,
  parts: route.path.replace('/{prefix}', '').split('/').slice(1),
}))

/** The route of a request by the parts of its path, decoded; the methods that there are where it is not for this one. */
export function routeOf(method: string, parts: readonly string[]): Match | readonly Method[] {
  const methods: Method[] = []
  for (const { route, parts: pattern } of PATTERNS) {
    const params = paramsOf(pattern, parts)
    if (params === undefined) continue
    if (route.method === method) return { route, params }
    methods.push(route.method)
  }
  return methods
}

function paramsOf(
  pattern: readonly string[],
  parts: readonly string[],
): Record<string, string> | undefined {
  if (pattern.length !== parts.length) return undefined
  const params: Record<string, string> = {}
  for (const [i, part] of pattern.entries()) {
    const name = /^\{(.*)\}$/.exec(part)?.[1]
    if (name !== undefined) params[name] = parts[i]!
    else if (part !== parts[i]) return undefined
  }
  return params
}
