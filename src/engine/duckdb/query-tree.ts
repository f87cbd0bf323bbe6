/** Reads DuckDB's tree of a SELECT: the tables it names, and what its conditions ask of each; what is not understood asks nothing. */
import type { Comparison } from '../../lake/predicate.ts'

/** A node of the tree, as `json_serialize_sql` gives it. */
export type Node = Readonly<Record<string, unknown>>

/** A table as the query names it: up to three parts. */
export interface TableRef {
  readonly parts: readonly string[]
  /** Byte of the text at which its name begins. */
  readonly location: number
}

/** A condition on a column of one table, before its constants have values. */
export type Wish =
  | { readonly kind: 'all' | 'any'; readonly of: readonly Wish[] }
  | {
      readonly kind: Comparison | 'in' | 'like' | 'prefix'
      readonly column: readonly string[]
      /** The day of the column's time is compared. */
      readonly day: boolean
      readonly constants: readonly Node[]
    }
  | { readonly kind: 'null' | 'present' | 'true'; readonly column: readonly string[] }

/** One place of the query where a table is read, and what is asked of its rows there; undefined: nothing that we understand. */
export interface Use {
  readonly ref: TableRef
  readonly wish: Wish | undefined
}

/** Whether a table has a top-level column of a name in lower case; undefined for one that is not known. */
export type Columns = (ref: TableRef) => ((name: string) => boolean) | undefined

/** The statements of a serialized query; undefined when it is not a SELECT. */
export function statementsOf(tree: Node): readonly Node[] | undefined {
  return tree['error'] === true ? undefined : (tree['statements'] as readonly Node[])
}

/** Every table that a query names. Names of its own common table expressions are among them. */
export function tableRefs(tree: Node): TableRef[] {
  const found: TableRef[] = []
  visit(tree, (node) => {
    if (node['type'] === 'BASE_TABLE') found.push(refOf(node))
  })
  return found
}

/** Names of common table expressions anywhere in a query, in lower case. */
export function commonNames(tree: Node): Set<string> {
  const names = new Set<string>()
  visit(tree, ({ cte_map: map }) => {
    const entries = (map as { map?: readonly { key: string }[] } | undefined)?.map ?? []
    for (const { key } of entries) names.add(key.toLowerCase())
  })
  return names
}

function visit(value: unknown, look: (node: Node) => void): void {
  if (typeof value !== 'object' || value === null) return
  if (Array.isArray(value)) {
    for (const item of value) visit(item, look)
    return
  }
  look(value as Node)
  for (const inner of Object.values(value)) visit(inner, look)
}

function refOf(node: Node): TableRef {
  const parts = [node['catalog_name'], node['schema_name'], node['table_name']] as string[]
  return { parts: parts.filter((part) => part !== ''), location: Number(node['query_location']) }
}

/** Where tables are read, with what is asked of them. */
export function usesOf(tree: Node, columns: Columns): Use[] {
  const uses: Use[] = []
  visit(tree, (node) => {
    if (node['type'] !== 'SELECT_NODE') return
    uses.push(...new Select(node, columns).uses())
  })
  return uses
}

interface Relation {
  readonly ref: TableRef | undefined
  /** Lower case; undefined where a relation has no name. */
  readonly alias: string | undefined
  /** Whether rows that the conditions refuse can be left out before anything else happens. */
  filtered: boolean
}

class Select {
  readonly #node: Node
  readonly #columns: Columns
  readonly #relations: Relation[] = []
  /** Conditions of inner joins, which hold for all rows as those of WHERE do. */
  readonly #conditions: Node[] = []
  readonly #aliases: ReadonlySet<string>

  constructor(node: Node, columns: Columns) {
    this.#node = node
    this.#columns = columns
    const items = node['select_list'] as readonly Node[]
    this.#aliases = new Set(items.map((item) => String(item['alias']).toLowerCase()))
  }

  uses(): Use[] {
    const { from_table: from, where_clause: where, sample } = this.#node
    this.#from(from as Node, sample === null)
    if (where !== null) this.#conditions.push(where as Node)
    return this.#relations.flatMap((relation) => {
      const { ref, filtered } = relation
      if (ref === undefined) return []
      const wishes = filtered
        ? this.#conditions.flatMap((condition) => this.#wish(condition, relation) ?? [])
        : []
      return [{ ref, wish: wishes.length === 0 ? undefined : { kind: 'all', of: wishes } }]
    })
  }

  #from(node: Node | null, filtered: boolean): void {
    if (node === null) return
    const whole = filtered && (node['sample'] ?? null) === null
    switch (node['type']) {
      case 'EMPTY':
        return
      case 'BASE_TABLE': {
        const ref = refOf(node)
        const renamed = (node['column_name_alias'] as readonly unknown[]).length > 0
        const alias = aliasOf(node) ?? ref.parts.at(-1)!.toLowerCase()
        this.#relations.push({ ref, alias, filtered: whole && !renamed })
        return
      }
      case 'JOIN': {
        const { join_type: type, ref_type: kind, condition } = node
        const plain = whole && (kind === 'REGULAR' || kind === 'CROSS')
        const inner = plain && type === 'INNER'
        this.#from(
          node['left'] as Node,
          inner || (plain && (type === 'LEFT' || type === 'SEMI' || type === 'ANTI')),
        )
        this.#from(node['right'] as Node, inner || (plain && type === 'RIGHT'))
        if (inner && condition !== null) this.#conditions.push(condition as Node)
        return
      }
      default:
        this.#relations.push({ ref: undefined, alias: aliasOf(node), filtered: false })
    }
  }

  /** What a condition asks of one relation; undefined: nothing that we understand. */
  #wish(node: Node, relation: Relation): Wish | undefined {
    switch (node['class']) {
      case 'CONJUNCTION': {
        const of = (node['children'] as readonly Node[]).map((child) => this.#wish(child, relation))
        const known = of.filter((wish) => wish !== undefined)
        if (node['type'] === 'CONJUNCTION_AND') {
          return known.length === 0 ? undefined : { kind: 'all', of: known }
        }
        return known.length < of.length ? undefined : { kind: 'any', of: known }
      }
      case 'COMPARISON':
        return this.#comparison(node, relation)
      case 'BETWEEN': {
        const target = this.#target(node['input'] as Node, relation)
        const [lower, upper] = [node['lower'] as Node, node['upper'] as Node]
        if (target === undefined || ![lower, upper].every((bound) => this.#constant(bound))) {
          return undefined
        }
        return {
          kind: 'all',
          of: [
            { kind: '>=', ...target, constants: [lower] },
            { kind: '<=', ...target, constants: [upper] },
          ],
        }
      }
      case 'OPERATOR':
        return this.#operator(node, relation)
      case 'FUNCTION':
        return this.#function(node, relation)
      case 'COLUMN_REF': {
        const column = this.#column(node, relation)
        return column && { kind: 'true', column }
      }
      default:
        return undefined
    }
  }

  #comparison(node: Node, relation: Relation): Wish | undefined {
    const kind = COMPARISONS[String(node['type'])]
    if (kind === undefined) return undefined
    const [left, right] = [node['left'] as Node, node['right'] as Node]
    const target = this.#target(left, relation)
    if (target !== undefined) {
      return this.#constant(right) ? { kind, ...target, constants: [right] } : undefined
    }
    const other = this.#target(right, relation)
    if (other === undefined || !this.#constant(left)) return undefined
    return { kind: MIRRORED[kind], ...other, constants: [left] }
  }

  #operator(node: Node, relation: Relation): Wish | undefined {
    const [first, ...rest] = node['children'] as readonly Node[]
    if (first === undefined) return undefined
    switch (node['type']) {
      case 'OPERATOR_IS_NULL':
      case 'OPERATOR_IS_NOT_NULL': {
        const column = this.#column(first, relation)
        const kind = node['type'] === 'OPERATOR_IS_NULL' ? 'null' : 'present'
        return column && { kind, column }
      }
      case 'COMPARE_IN': {
        const target = this.#target(first, relation)
        if (target === undefined || !rest.every((item) => this.#constant(item))) return undefined
        return { kind: 'in', ...target, constants: rest }
      }
      default:
        return undefined
    }
  }

  #function(node: Node, relation: Relation): Wish | undefined {
    const kind = PREFIXES[String(node['function_name'])]
    const [first, second, more] = node['children'] as readonly Node[]
    if (kind === undefined || second === undefined || more !== undefined) return undefined
    const column = this.#column(first!, relation)
    if (column === undefined || !this.#constant(second)) return undefined
    return { kind, column, day: false, constants: [second] }
  }

  /** A column, or the day of one. */
  #target(
    node: Node,
    relation: Relation,
  ): { readonly column: readonly string[]; readonly day: boolean } | undefined {
    const cast = node['class'] === 'CAST' && (node['cast_type'] as Node)['id'] === 'DATE'
    const column = this.#column(cast ? (node['child'] as Node) : node, relation)
    return column && { column, day: cast }
  }

  /** The path of a column of the relation, when the name can mean no other. */
  #column(node: Node, relation: Relation): readonly string[] | undefined {
    if (node['class'] !== 'COLUMN_REF') return undefined
    const names = node['column_names'] as readonly string[]
    const [first, ...rest] = names.map((name) => name.toLowerCase())
    const qualified = this.#relations.filter(({ alias }) => alias === first)
    if (qualified.length > 0 && rest.length > 0) {
      const [only, more] = qualified
      return only === relation && more === undefined && this.#has(relation, rest[0]!)
        ? names.slice(1)
        : undefined
    }
    // A name of the select list would do as well, had the table no such column.
    const holders = this.#relations.filter((each) => this.#has(each, first!))
    const [only, more] = holders
    if (only !== relation || more !== undefined || this.#aliases.has(first!)) return undefined
    return names
  }

  #has({ ref }: Relation, name: string): boolean {
    return ref !== undefined && this.#columns(ref)?.(name) === true
  }

  /** Whether an expression has one value for the whole query, and which we may ask DuckDB for. */
  #constant(node: Node): boolean {
    switch (node['class']) {
      case 'CONSTANT':
        return true
      case 'CAST':
        return this.#constant(node['child'] as Node)
      case 'FUNCTION': {
        const name = String(node['function_name'])
        return (
          PURE.has(name) &&
          (node['children'] as readonly Node[]).every((child) => this.#constant(child))
        )
      }
      case 'COLUMN_REF': {
        const [name, more] = node['column_names'] as readonly string[]
        const lower = name!.toLowerCase()
        return (
          more === undefined &&
          NOW.has(lower) &&
          !this.#relations.some(
            (relation) => relation.ref === undefined || this.#has(relation, lower),
          )
        )
      }
      default:
        return false
    }
  }
}

function aliasOf(node: Node): string | undefined {
  const alias = node['alias'] as string
  return alias === '' ? undefined : alias.toLowerCase()
}

const COMPARISONS: Readonly<Record<string, Comparison>> = {
  COMPARE_EQUAL: '=',
  COMPARE_NOTEQUAL: '!=',
  COMPARE_LESSTHAN: '<',
  COMPARE_LESSTHANOREQUALTO: '<=',
  COMPARE_GREATERTHAN: '>',
  COMPARE_GREATERTHANOREQUALTO: '>=',
}

const MIRRORED: Readonly<Record<Comparison, Comparison>> = {
  '=': '=',
  '!=': '!=',
  '<': '>',
  '<=': '>=',
  '>': '<',
  '>=': '<=',
}

const PREFIXES: Readonly<Record<string, 'like' | 'prefix'>> = {
  '~~': 'like',
  '^@': 'prefix',
  starts_with: 'prefix',
  prefix: 'prefix',
}

/** Words that stand for the time of the transaction, without parentheses. */
const NOW: ReadonlySet<string> = new Set([
  'current_date',
  'current_timestamp',
  'current_localtimestamp',
  'localtimestamp',
])

/** Functions without side effects whose value depends on their arguments and the time of the transaction alone. */
const PURE: ReadonlySet<string> = new Set([
  '+',
  '-',
  '*',
  '/',
  '//',
  '%',
  '||',
  'abs',
  'concat',
  'current_date',
  'current_localtimestamp',
  'date_trunc',
  'datetrunc',
  'epoch_ms',
  'from_hex',
  'get_current_timestamp',
  'lower',
  'make_date',
  'make_timestamp',
  'make_timestamptz',
  'now',
  'round',
  'strptime',
  'to_days',
  'to_hours',
  'to_microseconds',
  'to_milliseconds',
  'to_minutes',
  'to_months',
  'to_seconds',
  'to_timestamp',
  'to_weeks',
  'to_years',
  'today',
  'transaction_timestamp',
  'trunc',
  'unhex',
  'upper',
])
