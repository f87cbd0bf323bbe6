/** A recorded log: bodies of devices with every kind of value, right and wrong, and with copies and contradictions of batches. */
import fc from 'fast-check'
import type { Field, Fields, FieldType } from '../../src/spec/field.ts'
import { optional, required, specSet } from '../spec/support.ts'
import { anyField, anyWireValue, fittingValue } from '../support/arbitrary.ts'

/** When the devices started, ms since 1970. */
const BOOTED = Date.UTC(2026, 10, 25, 10, 11, 12, 345)

const SEED = 5
const EVENTS_PER_BATCH = 12

const scalars: readonly FieldType[] = [
  { kind: 'boolean' },
  { kind: 'int' },
  { kind: 'long' },
  { kind: 'double' },
  { kind: 'decimal', precision: 9, scale: 2 },
  { kind: 'decimal', precision: 18, scale: 0 },
  { kind: 'decimal', precision: 38, scale: 38 },
  { kind: 'string' },
  { kind: 'enum', values: ['red', 'green'] },
  { kind: 'date' },
  { kind: 'timestamp' },
  { kind: 'binary' },
  { kind: 'json' },
]

/** Every kind alone, and inside of each nested one. */
function everyField(): Fields {
  const fields: Record<string, Field> = {}
  const all = Object.fromEntries(scalars.map((type, i) => [`m${i}`, optional(type)]))
  scalars.forEach((type, i) => {
    fields[`scalar${i}`] = i % 2 === 0 ? required(type) : optional(type)
    fields[`list${i}`] = optional({
      kind: 'list',
      element: i % 2 === 0 ? optional(type) : required(type),
    })
    fields[`map${i}`] = optional({
      kind: 'map',
      value: i % 2 === 0 ? required(type) : optional(type),
    })
  })
  const struct: FieldType = { kind: 'struct', fields: all }
  fields['struct'] = optional(struct)
  fields['structs'] = optional({ kind: 'list', element: optional(struct) })
  fields['deep'] = optional({
    kind: 'map',
    value: optional({ kind: 'list', element: optional({ kind: 'map', value: optional(struct) }) }),
  })
  return fields
}

const random = fc.sample(anyField, { seed: SEED, numRuns: 24 })
const context: Fields = {
  app: required({ kind: 'string' }),
  started: optional({ kind: 'timestamp' }),
  plan: optional({ kind: 'list', element: required({ kind: 'decimal', precision: 20, scale: 3 }) }),
  marks: optional({ kind: 'map', value: optional({ kind: 'binary' }) }),
}
const events: Readonly<Record<string, Fields>> = {
  every: everyField(),
  random: Object.fromEntries(random.map((field, i) => [`f${i}`, field])),
  // A name that SQL has other uses for.
  order: {
    group: required({ kind: 'int' }),
    at_the: optional({ kind: 'string' }),
    select: optional({ kind: 'long' }),
  },
}

export const specs: ReturnType<typeof specSet> = specSet(events, context)

/** The specifications before these: a field has been removed since. */
export const before: ReturnType<typeof specSet> = specSet(
  {
    ...events,
    order: {
      ...events['order'],
      gone: optional({ kind: 'list', element: required({ kind: 'date' }) }),
    },
  },
  context,
)

interface Batch {
  readonly boot: string
  readonly seq: number
  readonly chunks: readonly object[]
  readonly ctx: object
}

const value = (field: Field): fc.Arbitrary<unknown> =>
  fc.oneof({ weight: 60, arbitrary: fittingValue(field) }, { weight: 1, arbitrary: anyWireValue })

const contextOf = fc.record({
  ...Object.fromEntries(
    Object.entries(context).map(([name, field]) => [name, fittingValue(field)]),
  ),
  install: fc.string({ unit: 'binary', maxLength: 8 }),
})

/** A chunk with some of the numbers of a batch. */
function chunk(type: string, numbers: readonly number[]): fc.Arbitrary<object> {
  const cols = fc.record(
    Object.fromEntries(
      Object.entries(events[type]!).map(([name, field]) => [
        name,
        fc.array(value(field), { minLength: numbers.length, maxLength: numbers.length }),
      ]),
    ),
  )
  const at = fc.oneof(
    { weight: 20, arbitrary: fc.double({ min: 0, max: 60_000, noNaN: true }) },
    fc.constantFrom(-2 * 86_400_000, -400 * 86_400_000, 1e9),
  )
  const ats = fc.array(at, { minLength: numbers.length, maxLength: numbers.length })
  const strange = fc.option(
    fc.array(anyWireValue, { minLength: numbers.length, maxLength: numbers.length }),
  )
  const within = fc.option(fc.constant(numbers.map((n) => (n % 3 === 0 ? null : n - 3))))
  return fc.tuple(cols, ats, strange, within).map(([own, times, unknown, spans]) => ({
    type,
    n: numbers,
    at: times,
    ...(spans === null ? {} : { within: spans }),
    cols: unknown === null ? own : { ...own, unheard_of: unknown },
  }))
}

function batch(boot: string, seq: number): fc.Arbitrary<Batch> {
  const names = Object.keys(events)
  // Every number but the last two goes to one of the types: these are missing.
  const types = fc.array(fc.nat(names.length - 1), {
    minLength: EVENTS_PER_BATCH - 2,
    maxLength: EVENTS_PER_BATCH - 2,
  })
  return types.chain((ofNumber) => {
    const chunks = names.flatMap((type, i) => {
      const numbers = ofNumber.flatMap((each, n) => (each === i ? [n] : []))
      return numbers.length === 0 ? [] : [chunk(type, numbers)]
    })
    return fc.record({
      boot: fc.constant(boot),
      seq: fc.constant(seq),
      chunks: fc.tuple(...chunks),
      ctx: contextOf,
    })
  })
}

function text({ boot, seq, chunks, ctx }: Batch, sent: number): string {
  const header = {
    boot,
    seq,
    first: seq * EVENTS_PER_BATCH + 2 ** 40,
    count: EVENTS_PER_BATCH,
    sent,
    booted: BOOTED,
    ...(seq % 2 === 0 ? { rtt: 41.5 } : {}),
    sdk: 'test/1',
    ctx,
    dropped: seq % 3 === 0 ? [['queue_full', 3, 2]] : [],
  }
  return [header, ...chunks].map((line) => `${JSON.stringify(line)}\n`).join('')
}

/** Bodies in the order in which they arrive; in each of them there is a batch. */
export function bodies(): string[] {
  const boots = ['AAAAAAAAAAAAAAAAAAAAAA', 'Vx3kP0aZ8mQe5rT1uY7wLg', '-_-_-_-_-_-_-_-_-_-_-g']
  const batches = boots.flatMap((boot, i) =>
    Array.from(
      { length: 8 },
      (_, seq) => fc.sample(batch(boot, seq), { seed: SEED + 100 * i + seq, numRuns: 1 })[0]!,
    ),
  )
  const once = batches.map((each) => text(each, 60_000))
  const [first, second, third] = batches as [Batch, Batch, Batch]
  // Of a batch with other content, the same types: what else happens to it is told in PROTOCOL.md §17.
  const other = { ...second, chunks: second.chunks.toReversed() }
  const broken = `${text({ ...third, seq: 20, chunks: [] }, 60_000)}{"type":"order",\n`
  const noContext = text({ ...first, seq: 30, ctx: { app: 1 } }, 60_000)
  return [
    ...once.slice(0, 12),
    text(first, 60_001) + text(second, 60_002),
    text(other, 60_000),
    `not a batch at all\n${once[12]}`,
    ...once.slice(13),
    text(first, 60_003),
    broken,
    noContext,
    `{"boot":"x"}\n{"type":"order"}\n${text(first, 60_004)}`,
  ]
}
