/**
 * Compiled plans as one: Flink finds what an operator remembers by its node's id in the plan, so every part has ids of its own, which
 * stay while other parts come, change and go.
 */
import { crc32 } from 'node:zlib'
import { assert } from '../../base/assert.ts'
import { error } from '../../base/errors.ts'
import { failed, ok, type Result } from '../../base/result.ts'

/** What of a compiled plan is looked at. Flink calls its form experimental: anything else in it is left as it is. */
interface CompiledPlan {
  readonly flinkVersion: string
  readonly nodes: readonly PlanNode[]
  readonly edges: readonly { readonly source: number; readonly target: number }[]
}

interface PlanNode {
  readonly id: number
  readonly type: string
  readonly dynamicTableSink?: {
    readonly table?: { readonly resolvedTable?: { readonly options?: Record<string, string> } }
  }
}

/** Ids of a part's nodes: `slot * NODES_MAX` and following, below 2^31; from `STATELESS` for those that remember nothing. */
const NODES_MAX = 1000
const STATELESS = 500
const SLOTS = 2_000_000

/** Nodes that remember nothing, so that it does not matter how many of them Flink needs. */
const FORGETFUL = /^stream-exec-(calc|exchange|correlate|union)_\d+$/

/** The plan of all parts, each under its name, as JSON that holds no properties of the catalog. */
export function mergePlans(plans: ReadonlyMap<string, string>): Result<string> {
  const slots = slotsOf([...plans.keys()])
  let flinkVersion = ''
  const nodes: PlanNode[] = []
  const edges: CompiledPlan['edges'][number][] = []
  for (const [name, text] of plans) {
    const plan = parsePlan(text)
    const ids = plan === undefined ? undefined : idsOf(plan, slots.get(name)! * NODES_MAX)
    if (plan === undefined || ids === undefined) {
      return failed(error('flink_invalid', `Flink's plan of ${name} has not the form of a plan.`))
    }
    flinkVersion = plan.flinkVersion
    const renumbered = plan.nodes.map((node) => ({ ...node, id: ids.get(node.id)! }))
    nodes.push(...renumbered.map((node) => withCatalog(node, {})))
    for (const edge of plan.edges) {
      edges.push({ ...edge, source: ids.get(edge.source)!, target: ids.get(edge.target)! })
    }
  }
  return ok(JSON.stringify({ flinkVersion, nodes, edges }))
}

/** New ids of a plan's nodes by their old ones; undefined where it has too many. */
function idsOf({ nodes }: CompiledPlan, first: number): ReadonlyMap<number, number> | undefined {
  const ids = new Map<number, number>()
  let [remembering, forgetful] = [0, STATELESS]
  for (const { id, type } of nodes) {
    ids.set(id, first + (FORGETFUL.test(type) ? forgetful++ : remembering++))
  }
  return remembering <= STATELESS && forgetful <= NODES_MAX ? ids : undefined
}

function parsePlan(text: string): CompiledPlan | undefined {
  let plan: CompiledPlan
  try {
    plan = JSON.parse(text) as CompiledPlan
  } catch {
    return undefined
  }
  if (!Array.isArray(plan.nodes) || !Array.isArray(plan.edges)) return undefined
  const ids = new Set(plan.nodes.map(({ id }) => id))
  const known = plan.edges.every(({ source, target }) => ids.has(source) && ids.has(target))
  return known ? plan : undefined
}

/** A merged plan that can be executed: with the properties of the catalog, tokens among them. */
export function runnablePlan(
  merged: string,
  catalog: Readonly<Record<string, string>>,
): Result<string> {
  const plan = parsePlan(merged)
  if (plan === undefined) return failed(error('flink_invalid', 'This is no plan of Flink.'))
  return ok(
    JSON.stringify({ ...plan, nodes: plan.nodes.map((node) => withCatalog(node, catalog)) }),
  )
}

const CATALOG_OPTION = 'src-catalog'

/** The node of an Iceberg sink repeats the properties of its catalog in an option that is JSON itself. */
function withCatalog(node: PlanNode, properties: Readonly<Record<string, string>>): PlanNode {
  const { dynamicTableSink } = node
  const options = dynamicTableSink?.table?.resolvedTable?.options
  const option = options?.[CATALOG_OPTION]
  if (option === undefined) return node
  const catalog = { ...(JSON.parse(option) as object), 'catalog-props': properties }
  const { table } = dynamicTableSink!
  const resolvedTable = {
    ...table!.resolvedTable,
    options: { ...options, [CATALOG_OPTION]: JSON.stringify(catalog) },
  }
  return {
    ...node,
    dynamicTableSink: { ...dynamicTableSink, table: { ...table, resolvedTable } },
  }
}

/** A number for each name, from the name alone unless two names have the same one. */
export function slotsOf(names: readonly string[]): ReadonlyMap<string, number> {
  const taken = new Set<number>()
  const slots = new Map<string, number>()
  for (const name of [...names].sort()) {
    let slot = crc32(name) % SLOTS
    while (taken.has(slot)) slot = (slot + 1) % SLOTS
    taken.add(slot)
    slots.set(name, slot)
  }
  return slots
}

/** What each of the parts remembers in a merged plan, as a text that is equal exactly where state is found again. */
export function statesOf(merged: string, parts: readonly string[]): ReadonlyMap<string, string> {
  const plan = parsePlan(merged)
  assert(plan !== undefined, 'a merged plan is a plan')
  const slots = slotsOf(parts)
  return new Map(
    parts.map((part) => {
      const first = slots.get(part)! * NODES_MAX
      const own = plan.nodes.filter(({ id }) => id >= first && id < first + STATELESS)
      return [part, own.map(({ id, type }) => `${id} ${type}`).join(', ')] as const
    }),
  )
}
