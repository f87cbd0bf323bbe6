/** Plans of parts as one: ids that stay while other parts come and go, and no secrets. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { mergePlans, runnablePlan, slotsOf, statesOf } from '../../src/engine/flink/plan.ts'
import { unwrap } from '../support/platform.ts'

/** A plan of a source and a sink, as Flink numbers its nodes: onwards from whatever it planned before. */
function planOf(first: number, table: string, between: readonly string[] = []): string {
  const catalog = { 'catalog-name': 'lake', 'catalog-props': { token: 'secret' } }
  const options = { 'src-catalog': JSON.stringify(catalog), 'uid-suffix': table }
  const sink = { table: { identifier: table, resolvedTable: { schema: {}, options } } }
  return JSON.stringify({
    flinkVersion: '2.1',
    nodes: [
      { id: first, type: 'stream-exec-table-source-scan_1' },
      ...between.map((type, i) => ({ id: first + 1 + i, type })),
      { id: first + 9, type: 'stream-exec-sink_1', dynamicTableSink: sink },
    ],
    edges: [{ source: first, target: first + 9, shuffle: { type: 'FORWARD' } }],
  })
}

interface Merged {
  readonly nodes: readonly { readonly id: number; readonly type: string }[]
  readonly edges: readonly { readonly source: number; readonly target: number }[]
}

const merged = (plans: Readonly<Record<string, string>>): Merged =>
  JSON.parse(unwrap(mergePlans(new Map(Object.entries(plans))))) as Merged

describe('a merged plan', () => {
  test('has the nodes and edges of all, each with an id of its own', () => {
    const { nodes, edges } = merged({ seen: planOf(17, 'seen'), left: planOf(17, 'left') })
    const types = ['stream-exec-table-source-scan_1', 'stream-exec-sink_1']
    expect(nodes.map(({ type }) => type)).toEqual([...types, ...types])
    expect(new Set(nodes.map(({ id }) => id)).size).toBe(4)
    expect(edges.map(({ source, target }) => target - source)).toEqual([1, 1])
    expect(edges[1]).toMatchObject({ source: nodes[2]!.id, shuffle: { type: 'FORWARD' } })
  })

  test('keeps the ids of a part whatever else is in it, and however often Flink planned before', () => {
    const alone = merged({ seen: planOf(1, 'seen') })
    const both = merged({ left: planOf(400, 'left'), seen: planOf(7, 'seen') })
    expect(both.nodes.slice(2).map(({ id }) => id)).toEqual(alone.nodes.map(({ id }) => id))
  })

  test('keeps the ids of what remembers, whatever Flink puts between', () => {
    const plain = unwrap(mergePlans(new Map([['seen', planOf(1, 'seen')]])))
    const more = ['stream-exec-calc_1', 'stream-exec-exchange_1']
    const between = unwrap(mergePlans(new Map([['seen', planOf(1, 'seen', more)]])))
    expect(statesOf(between, ['seen'])).toEqual(statesOf(plain, ['seen']))
    const rank = planOf(1, 'seen', ['stream-exec-rank_1'])
    const remembering = unwrap(mergePlans(new Map([['seen', rank]])))
    expect(statesOf(remembering, ['seen'])).not.toEqual(statesOf(plain, ['seen']))
  })

  test('holds no properties of the catalog before it is to be run', () => {
    const text = unwrap(mergePlans(new Map([['seen', planOf(1, 'seen')]])))
    expect(text).not.toContain('secret')
    const runnable = unwrap(runnablePlan(text, { token: 'other' }))
    expect(runnable).toContain(String.raw`\"catalog-props\":{\"token\":\"other\"}`)
    expect(runnable).toContain(String.raw`\"catalog-name\":\"lake\"`)
    expect(runnable).toContain('"uid-suffix":"seen"')
  })

  test('is not made of what is no plan', () => {
    const edge = { flinkVersion: '2.1', nodes: [], edges: [{ source: 1, target: 2 }] }
    for (const text of ['{', '{}', JSON.stringify(edge)]) {
      const result = mergePlans(new Map([['seen', text]]))
      expect(result).toMatchObject({ ok: false, error: { code: 'flink_invalid' } })
    }
  })
})

test('slots are distinct, fit Flink’s ids, and hardly ever depend on other names', () => {
  const name = fc.stringMatching(/^[a-z][a-z0-9_]{0,20}$/)
  fc.assert(
    fc.property(fc.uniqueArray(name, { minLength: 1, maxLength: 300 }), (names) => {
      const slots = slotsOf(names)
      expect(new Set(slots.values()).size).toBe(names.length)
      for (const slot of slots.values()) expect(slot * 1000 + 999).toBeLessThan(2 ** 31)
      expect(slotsOf(names.toReversed())).toEqual(slots)
    }),
    { numRuns: 50 },
  )
  const alone = slotsOf(['e2125']).get('e2125')!
  expect(slotsOf(['e2125', 'seen', 'left']).get('e2125')).toBe(alone)
  // The two have one slot; the one later in the alphabet moves on.
  expect(slotsOf(['e1179', 'e2125']).get('e1179')).toBe(alone)
  expect(slotsOf(['e1179', 'e2125']).get('e2125')).toBe(alone + 1)
})
