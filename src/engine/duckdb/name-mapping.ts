/** Field ids for files that were written without any, by the names of their columns (Iceberg spec, "Name Mapping"). */
import type { ParquetNode } from './footers.ts'

interface MappedField {
  readonly 'field-id'?: number
  readonly names?: readonly string[]
  readonly fields?: readonly MappedField[]
}

export type NameMapping = readonly MappedField[]

/** The property of a table that has its mapping as JSON. */
const PROPERTY = 'schema.name-mapping.default'

/** The mapping of a table; undefined where it has none that can be read. */
export function nameMapping(properties: Readonly<Record<string, string>>): NameMapping | undefined {
  const text = properties[PROPERTY]
  if (text === undefined) return undefined
  try {
    const mapping: unknown = JSON.parse(text)
    return Array.isArray(mapping) ? (mapping as NameMapping) : undefined
  } catch {
    return undefined
  }
}

/** Whether a file has no field ids at all. */
export function withoutIds(nodes: readonly ParquetNode[]): boolean {
  return nodes.every(({ id, children }) => id === undefined && withoutIds(children))
}

/** The schema of a file with the ids that the mapping has for its names. */
export function mapped(nodes: readonly ParquetNode[], mapping: NameMapping): ParquetNode[] {
  return nodes.map((node) => {
    const field = mapping.find(({ names }) => names?.includes(node.name) === true)
    return mappedNode(node, field)
  })
}

function mappedNode(node: ParquetNode, field: MappedField | undefined): ParquetNode {
  const fields = field?.fields ?? []
  const id = field?.['field-id']
  const [group] = node.children
  // The group between a list or map and what is in it has no name in the mapping.
  const between = group !== undefined && node.children.length === 1 && isBetween(group, fields)
  const children = between
    ? [{ ...group, children: renamedInside(group.children, fields) }]
    : mapped(node.children, fields)
  return { ...node, id, children }
}

function isBetween({ name, children }: ParquetNode, fields: NameMapping): boolean {
  const known = fields.some(({ names }) => names?.includes(name) === true)
  return (
    !known && children.length > 0 && ['list', 'bag', 'array', 'key_value', 'map'].includes(name)
  )
}

/** What is in a list or map goes by `element`, `key` and `value` in a mapping, whatever the file calls it. */
function renamedInside(nodes: readonly ParquetNode[], fields: NameMapping): ParquetNode[] {
  const names = nodes.length === 1 ? ['element'] : ['key', 'value']
  return nodes.map((node, i) => {
    const field = fields.find((each) => each.names?.includes(names[i]!) === true)
    return mappedNode(node, field)
  })
}
