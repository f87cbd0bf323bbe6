/** The schemas of Parquet files, read from their footers once: what a file calls its columns, and the field ids it gives them. */
import type { DuckDBConnection } from '@duckdb/node-api'
import { error } from '../../base/errors.ts'
import { limits } from '../../base/limits.ts'
import { literal } from './parquet.ts'

/** A node of a Parquet schema. */
export interface ParquetNode {
  readonly name: string
  /** Absent for the groups that lists and maps put between, and in files that another engine wrote without ids. */
  readonly id: number | undefined
  /** What DuckDB reads a primitive as, such as `BIGINT`; undefined for groups. */
  readonly type: string | undefined
  readonly children: readonly ParquetNode[]
}

/** Files of one schema. */
export interface Shape {
  readonly tree: readonly ParquetNode[]
  readonly files: readonly string[]
}

/** Footers of files that have been looked at; data files never change. */
export class Footers {
  readonly #trees = new Map<
    string,
    { readonly key: string; readonly tree: readonly ParquetNode[] }
  >()
  /** One tree for all files that have the same. */
  readonly #shared = new Map<string, readonly ParquetNode[]>()

  /** Local files by their schemas. Rejects when a file cannot be read. */
  async shapes(connection: DuckDBConnection, files: readonly string[]): Promise<Shape[]> {
    const unknown = files.filter((file) => !this.#trees.has(file))
    if (this.#trees.size + unknown.length > limits.footerCacheFilesMax) {
      this.#trees.clear()
      this.#shared.clear()
      return this.#grouped(files, await this.#load(connection, files))
    }
    await this.#load(connection, unknown)
    return this.#grouped(files, this.#trees)
  }

  #grouped(
    files: readonly string[],
    trees: ReadonlyMap<string, { readonly key: string; readonly tree: readonly ParquetNode[] }>,
  ): Shape[] {
    const shapes = new Map<string, { tree: readonly ParquetNode[]; files: string[] }>()
    for (const file of files) {
      const { key, tree } = trees.get(file)!
      const same = shapes.get(key)
      if (same === undefined) shapes.set(key, { tree, files: [file] })
      else same.files.push(file)
    }
    return [...shapes.values()]
  }

  async #load(
    connection: DuckDBConnection,
    files: readonly string[],
  ): Promise<ReadonlyMap<string, { readonly key: string; readonly tree: readonly ParquetNode[] }>> {
    for (let i = 0; i < files.length; i += FILES_AT_ONCE) {
      const some = files.slice(i, i + FILES_AT_ONCE)
      for (const [file, tree] of await schemasOf(connection, some)) {
        const key = JSON.stringify(tree)
        const shared = this.#shared.get(key) ?? tree
        this.#shared.set(key, shared)
        this.#trees.set(file, { key, tree: shared })
      }
    }
    return this.#trees
  }
}

const FILES_AT_ONCE = 1000

/** The tree of each file's schema. */
async function schemasOf(
  connection: DuckDBConnection,
  files: readonly string[],
): Promise<Map<string, readonly ParquetNode[]>> {
  const list = files.map(literal).join(', ')
  const reader = await connection.runAndReadAll(
    `SELECT file_name, name, num_children, field_id, duckdb_type, logical_type FROM parquet_schema([${list}])`,
  )
  const flat = new Map<string, FlatNode[]>()
  for (const [file, name, children, id, type, logical] of reader.getRowsJson()) {
    const nodes = flat.get(file as string) ?? []
    flat.set(file as string, nodes)
    nodes.push({
      name: name as string,
      children: Number(children ?? 0),
      id: id === null ? undefined : Number(id),
      type: physicalType(type as string | null, logical as string | null),
    })
  }
  return new Map([...flat].map(([file, nodes]) => [file, treeOf(file, nodes)]))
}

interface FlatNode {
  readonly name: string
  readonly children: number
  readonly id: number | undefined
  readonly type: string | undefined
}

/** DuckDB reads instants in nanoseconds as microseconds: the rest would be lost without a word. */
function physicalType(type: string | null, logical: string | null): string | undefined {
  if (type === null) return undefined
  const nanoseconds = logical?.includes('NANOS=NanoSeconds') === true
  return nanoseconds && type !== 'TIMESTAMP_NS' ? `${type} in ns` : type
}

function treeOf(file: string, nodes: readonly FlatNode[]): readonly ParquetNode[] {
  let next = 0
  const take = (depth: number): ParquetNode => {
    const node = nodes[next++]
    if (node === undefined || depth > limits.parquetDepthMax) {
      throw error('lake_invalid', `${file} has a schema that is none.`)
    }
    const { name, id, type, children } = node
    return { name, id, type, children: Array.from({ length: children }, () => take(depth + 1)) }
  }
  return take(0).children
}

export function childrenById(nodes: readonly ParquetNode[]): Map<number, ParquetNode> {
  return new Map(nodes.flatMap((node) => (node.id === undefined ? [] : [[node.id, node] as const])))
}

/** The element of a list: inside a repeated group (Parquet's three-level lists), or, as old writers had it, the group itself. */
export function elementOf(node: ParquetNode): ParquetNode {
  const [group] = node.children
  const [element] = group?.children ?? []
  if (group === undefined) throw error('lake_invalid', `List ${node.name} has no element.`)
  const inside = element !== undefined && group.children.length === 1 && group.id === undefined
  return inside ? element : group
}

export function entryOf(node: ParquetNode): { key: ParquetNode; value: ParquetNode } {
  const [key, value] = node.children[0]?.children ?? []
  if (key === undefined || value === undefined) {
    throw error('lake_invalid', `Map ${node.name} has no entries.`)
  }
  return { key, value }
}
