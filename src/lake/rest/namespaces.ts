/** Namespaces: listed, made, described and dropped. */
import { error } from '../../base/errors.ts'
import { EMPTY_NAMESPACE, LEVELS, withNamespace } from '../catalog-file.ts'
import { json, NO_CONTENT } from './answer.ts'
import { type Call, change, type Handler, namespaceOf } from './call.ts'
import {
  levelsOf,
  namespaceAt,
  namespaceKey,
  namespaceText,
  pageOf,
  pathNamespace,
} from './names.ts'
import { createNamespaceShape, namespacePropertiesShape, read } from './requests.ts'

export const listNamespaces: Handler = async ({ lake }, { query }) => {
  const { current } = lake
  const given = query.get('parent')
  const parent = given === null || given === '' ? undefined : pathNamespace(given)
  if (parent !== undefined) namespaceAt(current, parent)
  const prefix = parent === undefined ? '' : `${parent}${LEVELS}`
  const children = [...current.namespaces.keys()].filter(
    (key) => key.startsWith(prefix) && !key.slice(prefix.length).includes(LEVELS),
  )
  const { names, next } = pageOf(children, query)
  return json({ namespaces: names.map(levelsOf), ...next })
}

export const createNamespace: Handler = async (service, { body }) => {
  const request = read(createNamespaceShape, body)
  const key = namespaceKey(request.namespace)
  const properties = request.properties ?? {}
  await change(service, async (catalog) => {
    if (catalog.namespaces.has(key)) {
      throw error('namespace_exists', `Namespace already exists: ${namespaceText(key)}`)
    }
    if (key.includes(LEVELS)) namespaceAt(catalog, key.slice(0, key.lastIndexOf(LEVELS)))
    return withNamespace(catalog, key, { ...EMPTY_NAMESPACE, properties })
  })
  return json({ namespace: levelsOf(key), properties })
}

export const loadNamespace: Handler = async ({ lake }, call) => {
  const key = namespaceOf(call)
  const { properties } = namespaceAt(lake.current, key)
  return json({ namespace: levelsOf(key), properties })
}

export const namespaceExists: Handler = async ({ lake }, call) => {
  namespaceAt(lake.current, namespaceOf(call))
  return NO_CONTENT
}

export const dropNamespace: Handler = async (service, call) => {
  const key = namespaceOf(call)
  await change(service, async (catalog) => {
    const { tables, views } = namespaceAt(catalog, key)
    const children = [...catalog.namespaces.keys()].some((each) =>
      each.startsWith(`${key}${LEVELS}`),
    )
    if (tables.size > 0 || views.size > 0 || children) {
      throw error('namespace_not_empty', `Namespace ${namespaceText(key)} is not empty.`)
    }
    return withNamespace(catalog, key, undefined)
  })
  return NO_CONTENT
}

export const setNamespaceProperties: Handler = async (service, call: Call) => {
  const key = namespaceOf(call)
  const request = read(namespacePropertiesShape, call.body)
  const [updates, removals] = [request.updates ?? {}, new Set(request.removals)]
  const both = Object.keys(updates).find((name) => removals.has(name))
  if (both !== undefined) {
    throw error('request_contradictory', `The property ${both} is both set and removed.`)
  }
  let removed: string[] = []
  await change(service, async (catalog) => {
    const namespace = namespaceAt(catalog, key)
    removed = [...removals].filter((name) => Object.hasOwn(namespace.properties, name))
    if (removed.length === 0 && Object.keys(updates).length === 0) return catalog
    const kept = Object.entries(namespace.properties).filter(([name]) => !removals.has(name))
    const properties = { ...Object.fromEntries(kept), ...updates }
    return withNamespace(catalog, key, { ...namespace, properties })
  })
  const missing = [...removals].filter((name) => !removed.includes(name))
  return json({ updated: Object.keys(updates), removed, missing })
}
