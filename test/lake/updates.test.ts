/** Metadata of any table: read and checked whatever it holds, and changed by commits as the specification says. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseExact, stringifyExact } from '../../src/lake/json.ts'
import {
  currentSchema,
  evolve,
  type Metadata,
  newMetadata,
  parseMetadata,
  reserveColumns,
  stringifyMetadata,
} from '../../src/lake/metadata.ts'
import { type Requirement, unmet } from '../../src/lake/requirements.ts'
import { renumbered, resourced } from '../../src/lake/schema-updates.ts'
import { applyUpdates, type Update, updateShape } from '../../src/lake/updates.ts'
import { unwrap } from '../support/platform.ts'

const NOW = 1_800_000_000_000
const NEW = { uuid: 'f79c3e09-677c-4bbd-a479-3f349cb785e7', location: 'file:///lake/t' }

const column = (id: number, name: string, type = 'long'): { [key: string]: unknown } => ({
  id,
  name,
  required: false,
  type,
})
const schema = (...fields: object[]): any => ({ type: 'struct', fields })

const first: readonly Update[] = [
  { action: 'add-schema', schema: schema(column(1, 'id'), column(2, 'at', 'timestamptz')) },
  { action: 'set-current-schema', 'schema-id': -1 },
  { action: 'add-spec', spec: { fields: [] } },
  { action: 'set-default-spec', 'spec-id': -1 },
  { action: 'add-sort-order', 'sort-order': { fields: [] } },
  { action: 'set-default-sort-order', 'sort-order-id': -1 },
]

const table = unwrap(applyUpdates(NEW, first, NOW))

function snapshot(id: number | bigint, sequence: number, more: object = {}): any {
  return {
    'snapshot-id': id,
    'sequence-number': sequence,
    'timestamp-ms': NOW + sequence,
    'manifest-list': `file:///lake/t/metadata/${id}.avro`,
    summary: { operation: 'append' },
    ...more,
  }
}

const append = (id: number | bigint, sequence: number, more?: object): Update[] => [
  { action: 'add-snapshot', snapshot: snapshot(id, sequence, more) },
  { action: 'set-snapshot-ref', 'ref-name': 'main', type: 'branch', 'snapshot-id': id },
]

/** The table after updates that are valid. */
const after = (base: Metadata, ...updates: Update[]): Metadata =>
  unwrap(applyUpdates(base, updates, NOW + 1000))

const codeOf = (base: Metadata, ...updates: Update[]): string => {
  const result = applyUpdates(base, updates, NOW + 1000)
  return result.ok ? 'done' : result.error.code
}

describe('updates', () => {
  test('of a new table come in any order, as DuckDB sends its schema last', () => {
    const [schemaFirst, current, ...others] = first
    expect(unwrap(applyUpdates(NEW, [schemaFirst!, ...others, current!], NOW))).toEqual(table)
  })

  test('make a table that reads back as it was written', () => {
    expect(table['partition-specs']).toEqual([{ 'spec-id': 0, fields: [] }])
    expect(table['last-partition-id']).toBe(999)
    expect(unwrap(parseMetadata(stringifyMetadata(table), 'file'))).toEqual(table)
  })

  test('use equal schemas, specs and orders again, and -1 for the last added', () => {
    const spec = { fields: [{ name: 'day', transform: 'day', 'source-id': 2 }] }
    const order: any = {
      fields: [
        { transform: 'identity', 'source-id': 1, direction: 'asc', 'null-order': 'nulls-first' },
      ],
    }
    const wider = schema(...currentSchema(table).fields, column(3, 'more'))
    const one = after(
      table,
      { action: 'add-schema', schema: wider },
      { action: 'set-current-schema', 'schema-id': -1 },
      { action: 'add-spec', spec },
      { action: 'set-default-spec', 'spec-id': -1 },
      { action: 'add-sort-order', 'sort-order': order },
      { action: 'set-default-sort-order', 'sort-order-id': -1 },
    )
    expect([
      one['current-schema-id'],
      one['default-spec-id'],
      one['default-sort-order-id'],
    ]).toEqual([1, 1, 1])
    expect(one['partition-specs'][1]!.fields[0]!['field-id']).toBe(1000)
    expect([one['last-column-id'], one['last-partition-id']]).toEqual([3, 1000])
    const two = after(
      one,
      { action: 'add-schema', schema: { ...wider, 'schema-id': 77 } },
      { action: 'set-current-schema', 'schema-id': -1 },
      { action: 'add-spec', spec: { ...spec, 'spec-id': 9 } as any },
      { action: 'set-default-spec', 'spec-id': -1 },
      { action: 'add-sort-order', 'sort-order': order },
    )
    expect(two).toBe(one)
    // The same source and transform keep their id in another spec.
    const three = after(one, {
      action: 'add-spec',
      spec: {
        fields: [
          { name: 'part', transform: 'bucket[4]', 'source-id': 1 },
          { name: 'other', transform: 'day', 'source-id': 2 },
        ],
      },
    })
    expect(three['partition-specs'][2]!.fields.map((field) => field['field-id'])).toEqual([
      1001, 1000,
    ])
  })

  test('keep 63-bit ids exact, through JSON and through requirements', () => {
    const id = 9_223_372_036_854_775_807n
    const one = after(table, ...append(id, 1))
    const text = stringifyMetadata(one)
    expect(text).toContain('"current-snapshot-id":9223372036854775807')
    const back = unwrap(parseMetadata(text, 'file'))
    expect(back).toEqual(one)
    const asked = (value: string): Requirement =>
      parseExact(
        `{"type":"assert-ref-snapshot-id","ref":"main","snapshot-id":${value}}`,
      ) as Requirement
    expect(unmet([asked('9223372036854775807')], back)).toBeUndefined()
    expect(unmet([asked('9223372036854775806')], back)?.code).toBe('commit_conflict')
    expect(unmet([asked('null')], back)?.detail).toContain('was created concurrently')
  })

  test('tell a client whose sequence number is taken to start over', () => {
    const one = after(table, ...append(1, 1))
    expect(codeOf(one, ...append(2, 1, { 'parent-snapshot-id': 1 }))).toBe('commit_conflict')
    expect(codeOf(one, ...append(2, 2, { 'parent-snapshot-id': 1 }))).toBe('done')
  })

  test('forget snapshots with their refs, statistics and the history before them', () => {
    const one = after(table, ...append(1, 1))
    const two = after(
      one,
      ...append(2, 2, { 'parent-snapshot-id': 1 }),
      { action: 'set-snapshot-ref', 'ref-name': 'old', type: 'tag', 'snapshot-id': 1 },
      { action: 'set-statistics', statistics: { 'snapshot-id': 1, 'statistics-path': 'a' } },
    )
    expect(two['snapshot-log'].map((entry) => entry['snapshot-id'])).toEqual([1, 2])
    const three = after(two, { action: 'remove-snapshots', 'snapshot-ids': [1] })
    expect(Object.keys(three.refs)).toEqual(['main'])
    expect(three.statistics).toEqual([])
    expect(three['snapshot-log'].map((entry) => entry['snapshot-id'])).toEqual([2])
  })

  test('leave out of history what was never current when a commit ended', () => {
    const one = after(table, ...append(1, 1), ...append(2, 2, { 'parent-snapshot-id': 1 }))
    expect(one['snapshot-log'].map((entry) => entry['snapshot-id'])).toEqual([2])
  })

  test('never let times go back, whatever clocks clients have', () => {
    const late = after(table, ...append(1, 1, { 'timestamp-ms': NOW + 86_400_000 }))
    const early = after(late, ...append(2, 2, { 'timestamp-ms': 5, 'parent-snapshot-id': 1 }))
    const times = early['snapshot-log'].map((entry) => entry['timestamp-ms'])
    expect(times).toEqual([NOW + 86_400_000, NOW + 86_400_000])
    expect(early['last-updated-ms']).toBeGreaterThanOrEqual(times[1]!)
  })

  test.each<[string, Update]>([
    [
      'a schema id that is there twice',
      { action: 'add-schema', schema: schema(column(1, 'a'), column(1, 'b')) },
    ],
    [
      'a name that is there twice',
      { action: 'add-schema', schema: schema(column(1, 'a'), column(2, 'a')) },
    ],
    [
      'a type that is none',
      { action: 'add-schema', schema: schema(column(1, 'a', 'decimal(39, 2)')) },
    ],
    [
      'a type of format version 3',
      { action: 'add-schema', schema: schema(column(1, 'a', 'variant')) },
    ],
    ['an unknown schema', { action: 'set-current-schema', 'schema-id': 5 }],
    ['a last schema where none was added', { action: 'set-current-schema', 'schema-id': -1 }],
    ['an unknown spec', { action: 'set-default-spec', 'spec-id': 5 }],
    [
      'a transform that is none',
      { action: 'add-spec', spec: { fields: [{ name: 'x', transform: 'week', 'source-id': 1 }] } },
    ],
    [
      'a source that is none',
      { action: 'add-spec', spec: { fields: [{ name: 'x', transform: 'day', 'source-id': 9 }] } },
    ],
    [
      'a partition with the name of a column',
      {
        action: 'add-spec',
        spec: { fields: [{ name: 'id', transform: 'bucket[2]', 'source-id': 1 }] },
      },
    ],
    ['the removal of the default spec', { action: 'remove-partition-specs', 'spec-ids': [0] }],
    ['the removal of the current schema', { action: 'remove-schemas', 'schema-ids': [0] }],
    [
      'a ref to nothing',
      { action: 'set-snapshot-ref', 'ref-name': 'x', type: 'tag', 'snapshot-id': 1 },
    ],
    ['a lower format version', { action: 'upgrade-format-version', 'format-version': 1 }],
    ['an unknown format version', { action: 'upgrade-format-version', 'format-version': 4 }],
    [
      'a snapshot that does not say what it did',
      { action: 'add-snapshot', snapshot: snapshot(1, 1, { summary: {} }) },
    ],
  ])('refuse %s', (_what, update) => {
    expect(codeOf(table, update)).toBe('update_invalid')
  })

  test('are only those of the specification', () => {
    for (const action of ['add-encryption-key', 'enable-row-lineage', '__proto__', '']) {
      expect(updateShape.safeParse({ action }).success, action).toBe(false)
    }
  })

  test('count the rows of format version 3', () => {
    const three = after(table, { action: 'upgrade-format-version', 'format-version': 3 })
    expect(codeOf(three, ...append(1, 1))).toBe('update_invalid')
    const one = after(three, ...append(1, 1, { 'first-row-id': 0, 'added-rows': 2 ** 53 - 1 }))
    expect(one['next-row-id']).toBe(2 ** 53 - 1)
    const rows = { 'first-row-id': 2 ** 53 - 1, 'added-rows': 10, 'parent-snapshot-id': 1 }
    const two = after(one, ...append(2, 2, rows))
    expect(two['next-row-id']).toBe(2n ** 53n + 9n)
    const behind = { 'first-row-id': 5, 'added-rows': 1, 'parent-snapshot-id': 2 }
    expect(codeOf(two, ...append(3, 3, behind))).toBe('commit_conflict')
  })
})

describe('columns of a new table', () => {
  test('are numbered level by level, and what names them follows', () => {
    const { schema: numbered, ids } = renumbered({
      type: 'struct',
      'identifier-field-ids': [50],
      fields: [
        {
          id: 70,
          name: 'm',
          required: false,
          type: {
            type: 'map',
            'key-id': 8,
            key: 'string',
            'value-id': 9,
            value: 'long',
            'value-required': false,
          },
        },
        {
          id: 60,
          name: 's',
          required: false,
          type: { type: 'struct', fields: [{ id: 1, name: 'x', required: false, type: 'long' }] },
        },
        { id: 50, name: 'id', required: true, type: 'long' },
      ],
    })
    expect(stringifyExact(numbered)).toBe(
      '{"type":"struct","fields":[' +
        '{"id":1,"name":"m","required":false,"type":{"type":"map","key-id":4,"key":"string","value-id":5,"value":"long","value-required":false}},' +
        '{"id":2,"name":"s","required":false,"type":{"type":"struct","fields":[{"id":6,"name":"x","required":false,"type":"long"}]}},' +
        '{"id":3,"name":"id","required":true,"type":"long"}],"identifier-field-ids":[3]}',
    )
    expect(resourced([{ 'source-id': 50 }, { 'source-id': 4 }], ids)).toEqual([
      { 'source-id': 3 },
      { 'source-id': -1 },
    ])
  })
})

/** Updates as clients may think of them: of every kind, most of them wrong. */
const id = fc.oneof(fc.integer({ min: -1, max: 4 }), fc.constant(2n ** 62n))
const small = fc.integer({ min: -1, max: 3 })
const name = fc.constantFrom('main', 'a', 'b', '__proto__', 'toString')
const anySchema = fc
  .uniqueArray(fc.integer({ min: 1, max: 6 }), { maxLength: 4 })
  .map((ids) => schema(...ids.map((each) => column(each, `c${each % 5}`))))
const anyUpdate: fc.Arbitrary<Update> = fc.oneof(
  fc.record({ action: fc.constant('add-schema' as const), schema: anySchema }),
  fc.record({ action: fc.constant('set-current-schema' as const), 'schema-id': small }),
  fc.record({
    action: fc.constant('add-spec' as const),
    spec: fc.record({
      fields: fc.array(
        fc.record(
          {
            name: fc.constantFrom('p', 'q', 'c1'),
            transform: fc.constantFrom('day', 'identity', 'void', 'x'),
            'source-id': small,
            'field-id': fc.integer({ min: 999, max: 1002 }),
          },
          { requiredKeys: ['name', 'transform', 'source-id'] },
        ),
        { maxLength: 2 },
      ),
    }),
  }),
  fc.record({ action: fc.constant('set-default-spec' as const), 'spec-id': small }),
  fc.record({ action: fc.constant('set-default-sort-order' as const), 'sort-order-id': small }),
  fc.record({
    action: fc.constant('add-snapshot' as const),
    snapshot: fc
      .tuple(
        id,
        fc.integer({ min: 0, max: 6 }),
        fc.option(id),
        fc.integer({ min: 0, max: 2 ** 42 }),
      )
      .map(([one, sequence, parent, time]) =>
        snapshot(one, sequence, { 'parent-snapshot-id': parent, 'timestamp-ms': time }),
      ),
  }),
  fc.record({
    action: fc.constant('set-snapshot-ref' as const),
    'ref-name': name,
    'snapshot-id': id,
    type: fc.constantFrom('branch' as const, 'tag' as const),
    'max-ref-age-ms': fc.option(small),
  }),
  fc.record({
    action: fc.constant('remove-snapshots' as const),
    'snapshot-ids': fc.array(id, { maxLength: 2 }),
  }),
  fc.record({ action: fc.constant('remove-snapshot-ref' as const), 'ref-name': name }),
  fc.record({
    action: fc.constant('set-properties' as const),
    updates: fc.dictionary(name, fc.string({ maxLength: 3 }), { maxKeys: 2 }),
  }),
  fc.record({
    action: fc.constant('remove-properties' as const),
    removals: fc.array(name, { maxLength: 2 }),
  }),
  fc.record({
    action: fc.constant('set-statistics' as const),
    statistics: fc.record({ 'snapshot-id': id, 'statistics-path': fc.constant('s') }),
  }),
  fc.record({ action: fc.constant('remove-schemas' as const), 'schema-ids': fc.array(small) }),
  fc.record({
    action: fc.constant('remove-partition-specs' as const),
    'spec-ids': fc.array(small),
  }),
  fc.record({ action: fc.constant('upgrade-format-version' as const), 'format-version': small }),
)

/** What a table must remember, in the simplest form: its properties, snapshots and refs. */
class Model {
  properties = new Map<string, string>()
  snapshots = new Set<unknown>()
  refs = new Map<string, unknown>()

  apply(update: Update): void {
    if (update.action === 'set-properties') {
      for (const [key, value] of Object.entries(update.updates)) this.properties.set(key, value)
    } else if (update.action === 'remove-properties') {
      for (const key of update.removals) this.properties.delete(key)
    } else if (update.action === 'add-snapshot') {
      this.snapshots.add(update.snapshot['snapshot-id'])
    } else if (update.action === 'set-snapshot-ref') {
      this.refs.set(update['ref-name'], update['snapshot-id'])
    } else if (update.action === 'remove-snapshot-ref') {
      this.refs.delete(update['ref-name'])
    } else if (update.action === 'remove-snapshots') {
      for (const each of update['snapshot-ids']) this.snapshots.delete(each)
      for (const [ref, to] of this.refs) if (!this.snapshots.has(to)) this.refs.delete(ref)
    }
  }
}

function frozen<T>(value: T): T {
  if (typeof value === 'object' && value !== null) {
    Object.freeze(value)
    for (const each of Object.values(value)) frozen(each)
  }
  return value
}

describe('any sequence of commits', () => {
  test('leaves a table that reads back, and remembers what the commits that were taken said', () => {
    let taken = 0
    const commits = fc.array(fc.array(anyUpdate, { minLength: 1, maxLength: 4 }), { maxLength: 12 })
    fc.assert(
      fc.property(commits, (all) => {
        let metadata = frozen(table)
        const model = new Model()
        for (const updates of all) {
          const next = applyUpdates(metadata, updates, NOW)
          if (!next.ok) {
            expect(['update_invalid', 'commit_conflict']).toContain(next.error.code)
            continue
          }
          taken++
          expect(next.value['last-updated-ms']).toBeGreaterThanOrEqual(metadata['last-updated-ms'])
          metadata = frozen(next.value)
          for (const update of updates) model.apply(update)
          const back = unwrap(parseMetadata(stringifyMetadata(metadata), 'file'))
          expect(back).toEqual(metadata)
          expect(new Map(Object.entries(metadata.properties))).toEqual(model.properties)
          expect(new Set(metadata.snapshots.map((each) => each['snapshot-id']))).toEqual(
            model.snapshots,
          )
          expect(
            new Map(Object.entries(metadata.refs).map(([ref, to]) => [ref, to['snapshot-id']])),
          ).toEqual(model.refs)
          expect(metadata['current-snapshot-id']).toEqual(model.refs.get('main'))
          const times = metadata['snapshot-log'].map((entry) => entry['timestamp-ms'])
          expect(times).toEqual([...times].sort((a, b) => a - b))
        }
      }),
      { numRuns: 2000 },
    )
    expect(taken).toBeGreaterThan(500)
  })
})

describe('hostile metadata', () => {
  const text = stringifyMetadata(
    after(table, ...append(2n ** 62n, 1), ...append(5, 2, { 'parent-snapshot-id': 2n ** 62n }), {
      action: 'set-snapshot-ref',
      'ref-name': 't',
      type: 'tag',
      'snapshot-id': 5,
    }),
  )

  /** Every place in a value, as the container and its key. */
  function places(value: unknown): [Record<string, unknown>, string][] {
    if (typeof value !== 'object' || value === null) return []
    const own = value as Record<string, unknown>
    return Object.keys(own).flatMap((key) => [
      [own, key] as [Record<string, unknown>, string],
      ...places(own[key]),
    ])
  }

  test('is refused by code with the file in the message, and never otherwise', () => {
    const junk = fc.oneof(
      fc.jsonValue({ maxDepth: 1 }),
      fc.constantFrom(-1, 2 ** 53, 1e300, 0.5, '', '__proto__', [null], {}),
    )
    const change = fc.tuple(fc.nat(), fc.option(junk, { nil: undefined }))
    let refused = 0
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 3 }), (changes) => {
        const value = parseExact(text)
        for (const [at, to] of changes) {
          const all = places(value)
          const [own, key] = all[at % all.length]!
          if (to === undefined) delete own[key]
          else own[key] = to
        }
        const read = parseMetadata(stringifyExact(value), 'file:///lake/x.json')
        if (read.ok) {
          // What is read can be worked with.
          currentSchema(read.value)
          applyUpdates(read.value, append(9, 3), NOW)
          return
        }
        refused++
        expect(read.error.code).toBe('lake_invalid')
        expect(read.error.detail).toContain('file:///lake/x.json')
      }),
      { numRuns: 3000 },
    )
    expect(refused).toBeGreaterThan(1000)
  })

  test('that is cut off, nested without end, in circles or of another kind', () => {
    const broken = [
      ...Array.from({ length: 50 }, (_, i) => text.slice(0, Math.floor((text.length * i) / 50))),
      '['.repeat(100_000),
      `{"a":`.repeat(50_000),
      'null',
      '[]',
      '7',
      text.replace('"format-version":2', '"format-version":4'),
      text.replace(
        '"type":"long"',
        `"type":${'{"type":"list","element-id":1,"element-required":true,"element":'.repeat(3000)}"long"${'}'.repeat(3000)}`,
      ),
      text.replace('"sequence-number":1,', '"sequence-number":1,"parent-snapshot-id":5,'),
    ]
    for (const each of broken) {
      const read = parseMetadata(each, 'the file')
      expect(read.ok ? 'read' : read.error.code, each.slice(0, 100)).toBe('lake_invalid')
      if (!read.ok) expect(read.error.detail).toContain('the file')
    }
  })
})

describe('format version 1', () => {
  const old = {
    'format-version': 1,
    'table-uuid': NEW.uuid,
    location: NEW.location,
    'last-updated-ms': NOW,
    'last-column-id': 1,
    schema: schema(column(1, 'id')),
    'partition-spec': [{ name: 'id', transform: 'identity', 'source-id': 1 }],
    properties: {},
    'current-snapshot-id': -1,
    snapshots: [],
    'x-unknown': { kept: [1, 2n ** 60n] },
  }

  test('is read in the form of version 2, and written in its own', () => {
    const read = unwrap(parseMetadata(stringifyExact(old), 'file'))
    expect(read['current-schema-id']).toBe(0)
    expect(read['partition-specs'][0]!.fields[0]!['field-id']).toBe(1000)
    expect(read['last-partition-id']).toBe(1000)
    expect('current-snapshot-id' in read).toBe(false)
    const one = after(read, ...append(1, 0))
    const written = JSON.parse(stringifyMetadata(one)) as Record<string, any>
    expect(written['schema']['fields']).toHaveLength(1)
    expect(written['partition-spec']).toHaveLength(1)
    expect(written['last-sequence-number']).toBeUndefined()
    expect(written['snapshots'][0]['sequence-number']).toBeUndefined()
    expect(written['x-unknown']).toBeDefined()
    expect(unwrap(parseMetadata(stringifyMetadata(one), 'file'))).toEqual(one)
    const two = after(one, { action: 'upgrade-format-version', 'format-version': 2 })
    expect(two['last-sequence-number']).toBe(0)
    expect(stringifyMetadata(two)).toContain('"x-unknown":{"kept":[1,1152921504606846976]}')
  })
})

describe("headwater's own tables", () => {
  const wanted = {
    name: 'seen',
    doc: 'Seen.',
    partitionBy: 'at',
    fields: [
      { id: 1, name: 'at', required: true, type: 'timestamptz' },
      { id: 1000, name: 'size', required: false, type: 'int' },
    ],
  }
  const own = reserveColumns(newMetadata(wanted, { ...NEW, now: NOW }))

  test('keep columns that other engines added, behind those of the specification', () => {
    const label = { id: own['last-column-id'] + 1, name: 'label', required: false, type: 'string' }
    const changed = after(
      own,
      { action: 'add-schema', schema: schema(label, ...wanted.fields) },
      { action: 'set-current-schema', 'schema-id': -1 },
    )
    expect(unwrap(evolve(changed, wanted))).toBe(changed)
    const more = { id: 1001, name: 'more', required: false, type: 'long' }
    const grown = unwrap(evolve(changed, { ...wanted, fields: [...wanted.fields, more] }))
    expect(currentSchema(grown).fields.map(({ name: each }) => each)).toEqual([
      'at',
      'size',
      'more',
      'label',
    ])
    const taken = evolve(changed, {
      ...wanted,
      fields: [...wanted.fields, { ...more, name: 'Label' }],
    })
    expect(taken.ok ? '' : taken.error.code).toBe('spec_incompatible')
  })
})
