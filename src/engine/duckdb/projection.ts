/** Reads Parquet files as a schema wants them: every column and member found by field id, whatever it was called when it was written. */
import type { DuckDBConnection } from '@duckdb/node-api'
import { duckdbType } from '../../spec/duckdb-type.ts'
import type { IcebergField, IcebergType } from '../../spec/iceberg-type.ts'
import { identifier, literal } from './parquet.ts'

/** A node of a Parquet schema. */
interface ParquetNode {
  readonly name: string
  /** Absent for the groups that lists and maps put between, and in files that another engine wrote without ids. */
  readonly id: number | undefined
  readonly children: readonly ParquetNode[]
}

/** Names of the columns that `relationOf` adds: the file's path, and the row's position in it. */
export const FILE_COLUMN = '__headwater_file'
export const ROW_COLUMN = '__headwater_row'

/** SQL of all rows of local files with the columns of `fields`. Rejects when a file cannot be read, or has no field ids. */
export async function relationOf(
  connection: DuckDBConnection,
  files: readonly string[],
  fields: readonly IcebergField[],
): Promise<string> {
  const shapes = new Map<string, { tree: readonly ParquetNode[]; files: string[] }>()
  for (const [file, tree] of await schemasOf(connection, files)) {
    const key = JSON.stringify(tree)
    const same = shapes.get(key)
    if (same === undefined) shapes.set(key, { tree, files: [file] })
    else same.files.push(file)
  }
  const parts = [...shapes.values()].map(({ tree, files: alike }) => {
    if (tree.every(({ id }) => id === undefined)) throw new Error(`${alike[0]} has no field ids`)
    const byId = childrenById(tree)
    const columns = fields.map(({ id, name, type }) => {
      const node = byId.get(id)
      const value = node === undefined ? 'NULL' : valueOf(`f.${identifier(node.name)}`, node, type)
      return `CAST(${value} AS ${duckdbType(type)}) AS ${identifier(name)}`
    })
    const list = alike.map(literal).join(', ')
    const read = `read_parquet([${list}], hive_partitioning = false, union_by_name = false, filename = ${literal(FILE_COLUMN)}, file_row_number = true)`
    const place = `f.${FILE_COLUMN}, f.file_row_number AS ${ROW_COLUMN}`
    return `SELECT ${columns.join(', ')}, ${place} FROM ${read} AS f`
  })
  return parts.join(' UNION ALL ')
}

/** The tree of each file's schema. */
async function schemasOf(
  connection: DuckDBConnection,
  files: readonly string[],
): Promise<Map<string, readonly ParquetNode[]>> {
  const list = files.map(literal).join(', ')
  const reader = await connection.runAndReadAll(
    `SELECT file_name, name, num_children, field_id FROM parquet_schema([${list}])`,
  )
  const flat = new Map<string, { name: string; children: number; id: number | undefined }[]>()
  for (const [file, name, children, id] of reader.getRowsJson()) {
    const nodes = flat.get(file as string) ?? []
    flat.set(file as string, nodes)
    nodes.push({
      name: name as string,
      children: Number(children ?? 0),
      id: id === null ? undefined : Number(id),
    })
  }
  const trees = new Map<string, readonly ParquetNode[]>()
  for (const [file, nodes] of flat) {
    let next = 0
    const take = (): ParquetNode => {
      const { name, id, children } = nodes[next++]!
      return { name, id, children: Array.from({ length: children }, take) }
    }
    trees.set(file, take().children)
  }
  return trees
}

function childrenById(nodes: readonly ParquetNode[]): Map<number, ParquetNode> {
  return new Map(nodes.flatMap((node) => (node.id === undefined ? [] : [[node.id, node] as const])))
}

/** The value of `sql`, which lies in the file as `node`, with the members of `type`: only where names differ is it taken apart. */
function valueOf(sql: string, node: ParquetNode, type: IcebergType, depth = 0): string {
  if (typeof type === 'string' || sameNames(node, type)) return sql
  const item = `x${depth}`
  switch (type.type) {
    case 'struct': {
      const byId = childrenById(node.children)
      const members = type.fields.map(({ id, name, type: of }) => {
        const member = byId.get(id)
        if (member === undefined) return `${identifier(name)} := CAST(NULL AS ${duckdbType(of)})`
        const value = `(${sql}).${identifier(member.name)}`
        return `${identifier(name)} := ${valueOf(value, member, of, depth)}`
      })
      return `CASE WHEN ${sql} IS NULL THEN NULL ELSE struct_pack(${members.join(', ')}) END`
    }
    case 'list': {
      const element = valueOf(item, elementOf(node), type.element, depth + 1)
      return `list_transform(${sql}, lambda ${item}: ${element})`
    }
    case 'map': {
      const { key, value } = entryOf(node)
      const newKey = valueOf(`${item}.key`, key, type.key, depth + 1)
      const newValue = valueOf(`${item}.value`, value, type.value, depth + 1)
      return `map_from_entries(list_transform(map_entries(${sql}), lambda ${item}: struct_pack("key" := ${newKey}, "value" := ${newValue})))`
    }
  }
}

/** Whether every member below is in the file under the name that the type has for its id, in the same order. */
function sameNames(node: ParquetNode, type: IcebergType): boolean {
  if (typeof type === 'string') return true
  switch (type.type) {
    case 'struct':
      return (
        node.children.length === type.fields.length &&
        type.fields.every((field, i) => {
          const child = node.children[i]!
          return child.id === field.id && child.name === field.name && sameNames(child, field.type)
        })
      )
    case 'list':
      return sameNames(elementOf(node), type.element)
    case 'map': {
      const { key, value } = entryOf(node)
      return sameNames(key, type.key) && sameNames(value, type.value)
    }
  }
}

/** The element of a list: inside a repeated group (Parquet's three-level lists), or, as old writers had it, the group itself. */
function elementOf(node: ParquetNode): ParquetNode {
  const [group] = node.children
  const [element] = group?.children ?? []
  if (group === undefined) throw new Error(`list ${node.name} has no element`)
  return element !== undefined && group.children.length === 1 && group.id === undefined
    ? element
    : group
}

function entryOf(node: ParquetNode): { key: ParquetNode; value: ParquetNode } {
  const [key, value] = node.children[0]?.children ?? []
  if (key === undefined || value === undefined) throw new Error(`map ${node.name} has no entries`)
  return { key, value }
}
