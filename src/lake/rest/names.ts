/** Names of namespaces, tables and views as they travel, and pages of their lists. */
import { error } from '../../base/errors.ts'
import { limits } from '../../base/limits.ts'
import { type CatalogFile, type Identifier, LEVELS, type Namespace } from '../catalog-file.ts'

/** Key of a namespace by its levels. Throws HeadwaterError `request_invalid`. */
export function namespaceKey(levels: readonly string[]): string {
  if (levels.length === 0 || levels.length > limits.catalogLevelsMax) {
    throw error('request_invalid', `A namespace has 1 to ${limits.catalogLevelsMax} levels.`)
  }
  return levels.map(checkedName).join(LEVELS)
}

/** Key of a namespace as it stands in a path, its levels apart by U+001F. */
export function pathNamespace(part: string): string {
  return namespaceKey(part.split(LEVELS))
}

export function levelsOf(key: string): string[] {
  return key.split(LEVELS)
}

export function checkedName(name: string): string {
  if (
    name === '' ||
    name.length > limits.catalogNameLengthMax ||
    /[\u0000-\u001f\u007f]/.test(name)
  ) {
    throw error(
      'request_invalid',
      `${JSON.stringify(name)} is not a name: 1 to ${limits.catalogNameLengthMax} characters, none of them a control character.`,
    )
  }
  return name
}

export function identifier(of: {
  readonly namespace: readonly string[]
  readonly name: string
}): Identifier {
  return { namespace: namespaceKey(of.namespace), name: checkedName(of.name) }
}

/** An identifier in words, such as `a.b.table`. */
export function textOf({ namespace, name }: Identifier): string {
  return `${namespaceText(namespace)}.${name}`
}

export function namespaceText(key: string): string {
  return levelsOf(key).join('.')
}

/** The namespace of a key. Throws HeadwaterError `namespace_unknown`. */
export function namespaceAt(catalog: CatalogFile, key: string): Namespace {
  const namespace = catalog.namespaces.get(key)
  if (namespace !== undefined) return namespace
  throw error('namespace_unknown', `Namespace does not exist: ${namespaceText(key)}`)
}

/** One page of names. The token of the next page is the last name of this one, so that changes in between skip nothing. */
export function pageOf(
  names: Iterable<string>,
  query: URLSearchParams,
): { readonly names: readonly string[]; readonly next: { 'next-page-token'?: string } } {
  const sorted = [...names].sort()
  const token = query.get('pageToken')
  const size = query.get('pageSize')
  if (token === null && size === null) return { names: sorted, next: {} }
  const most = size === null ? limits.catalogPageMax : Number(size)
  if (!Number.isInteger(most) || most < 1) {
    throw error('request_invalid', `pageSize: ${size} is not a positive number.`)
  }
  const after = token === null || token === '' ? undefined : nameOfToken(token)
  const rest = after === undefined ? sorted : sorted.filter((name) => name > after)
  const page = rest.slice(0, Math.min(most, limits.catalogPageMax))
  if (page.length === rest.length) return { names: page, next: {} }
  return { names: page, next: { 'next-page-token': tokenOf(page.at(-1)!) } }
}

function tokenOf(name: string): string {
  return Buffer.from(name).toString('base64url')
}

function nameOfToken(token: string): string {
  const name = Buffer.from(token, 'base64url').toString()
  if (tokenOf(name) !== token) throw error('request_invalid', 'pageToken is not one of ours.')
  return name
}
