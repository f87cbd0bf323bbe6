/** The load of the benchmark is what its figures claim: 170-byte events, distinct bodies, the same events in both forms. */
import { describe, expect, test } from 'vitest'
import { batchEvents, bodies } from '../../bench/events.ts'
import type { Form } from '../../bench/events.ts'
import { declaredTypes, eventTypes, standardTypes } from '../../bench/types.ts'

const made = (form: Form, seed = 1): string[] => [
  ...bodies({ form, seed, bodies: 2000, types: standardTypes }),
]

interface Header {
  readonly boot: string
  readonly seq: number
  readonly first: number
  readonly count: number
  readonly booted: number
  readonly ctx: Readonly<Record<string, unknown>>
}

interface Chunk {
  readonly type: string
  readonly n: readonly number[]
  readonly at: readonly number[]
  readonly cols: Readonly<Record<string, readonly unknown[]>>
}

interface Rows {
  readonly boot: string
  readonly batch: number
  readonly events: readonly Readonly<Record<string, unknown>>[]
}

/** The events of a columnar body as the rows a row body has. */
function rowsOf(body: string): Rows {
  const [header, ...chunks] = body.split('\n').map((line) => JSON.parse(line) as unknown) as [
    Header,
    ...Chunk[],
  ]
  const events = chunks.flatMap((chunk) =>
    chunk.n.map((n, k) => ({
      type: chunk.type,
      n: header.first + n,
      at: header.booted + chunk.at[k]!,
      session: header.ctx['session'],
      ...Object.fromEntries(Object.entries(chunk.cols).map(([name, column]) => [name, column[k]])),
    })),
  )
  return { boot: header.boot, batch: header.seq, events: events.toSorted((a, b) => a.n - b.n) }
}

describe('the load', () => {
  const rows = made('rows')
  const columns = made('columns')

  test('has events of 170 bytes as row JSON, and of less than half as columns', () => {
    const perEvent = (texts: readonly string[]): number =>
      texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0) / texts.length / batchEvents
    expect(perEvent(rows)).toBeGreaterThan(166)
    expect(perEvent(rows)).toBeLessThan(174)
    expect(perEvent(columns)).toBeLessThan(85)
  })

  test('is the same in both forms, event by event', () => {
    for (const index of [0, 1, 777, 1999]) {
      const { boot, batch, events } = JSON.parse(rows[index]!) as Rows
      expect(rowsOf(columns[index]!)).toEqual({ boot, batch, events })
    }
  })

  test('repeats no body, and with another seed no boot', () => {
    expect(new Set(columns).size).toBe(columns.length)
    const boots = (texts: readonly string[]): Set<string> =>
      new Set(texts.map((text) => rowsOf(text).boot))
    const others = boots(made('columns', 2))
    expect([...boots(columns)].filter((boot) => others.has(boot))).toEqual([])
  })

  test('is the same for the same seed', () => {
    expect(made('columns')).toEqual(columns)
  })

  test('uses every type of the standard load', () => {
    const used = new Set(
      rows.flatMap((text) => (JSON.parse(text) as Rows).events.map((e) => e['type'])),
    )
    expect(used.size).toBe(standardTypes)
  })
})

test('declared types begin with those in use and are as many as asked for', () => {
  expect(declaredTypes(10)).toEqual(eventTypes)
  expect(declaredTypes(8)).toHaveLength(8)
  const names = declaredTypes(300).map(({ name }) => name)
  expect(new Set(names).size).toBe(300)
})
