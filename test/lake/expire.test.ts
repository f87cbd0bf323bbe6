/** What of its history a table keeps: by age, by number, by refs and their own rules, and thinned. */
import { describe, expect, test } from 'vitest'
import { expireSnapshots, type HistoryPolicy } from '../../src/lake/expire.ts'
import { type Metadata, newMetadata, type Snapshot } from '../../src/lake/metadata.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR
const NOW = 1_800_000_000_000 - (1_800_000_000_000 % DAY)

const POLICY: HistoryPolicy = {
  snapshotAgeMs: 10 * MINUTE,
  snapshotsMin: 3,
  keepEveryMs: HOUR,
  keepForMs: 0,
}

/** A table whose snapshots have these ages; ids count from 1, each the parent of the next. */
function history(ages: readonly number[], over: Partial<Metadata> = {}): Metadata {
  const schema = {
    name: 't',
    doc: '',
    partitionBy: 'at',
    fields: [{ id: 1, name: 'at', required: false, type: 'timestamptz' }],
  }
  const made = newMetadata(schema, { uuid: 'u', location: 'file:///t', now: NOW })
  const snapshots = ages.map((age, i): Snapshot => ({
    'snapshot-id': i + 1,
    ...(i === 0 ? {} : { 'parent-snapshot-id': i }),
    'sequence-number': i + 1,
    'timestamp-ms': NOW - age,
    'manifest-list': `list-${i + 1}`,
    summary: {},
  }))
  return {
    ...made,
    'current-snapshot-id': ages.length,
    snapshots,
    'snapshot-log': snapshots.map((each) => ({
      'timestamp-ms': each['timestamp-ms'],
      'snapshot-id': each['snapshot-id'],
    })),
    ...over,
    refs: { main: { 'snapshot-id': ages.length, type: 'branch' as const }, ...over.refs },
  }
}

const kept = (metadata: Metadata, policy: Partial<HistoryPolicy> = {}): unknown[] =>
  expireSnapshots(metadata, NOW, { ...POLICY, ...policy }).snapshots.map(
    (each) => each['snapshot-id'],
  )

describe('the main branch', () => {
  test('keeps what is young, and the newest whatever their age', () => {
    expect(kept(history([30, 20, 9, 5].map((age) => age * MINUTE)))).toEqual([2, 3, 4])
    expect(kept(history([30, 20, 15, 12].map((age) => age * DAY)))).toEqual([2, 3, 4])
    const young = history([9, 5, 1].map((age) => age * MINUTE))
    expect(expireSnapshots(young, NOW, POLICY)).toBe(young)
  })

  test("goes by the table's properties, and by those of the branch before them", () => {
    const ages = [5, 4, 3, 2, 1].map((age) => age * HOUR)
    const properties = {
      'history.expire.max-snapshot-age-ms': String(3.5 * HOUR),
      'history.expire.min-snapshots-to-keep': '1',
    }
    expect(kept(history(ages, { properties }))).toEqual([3, 4, 5])
    const main = { 'snapshot-id': 5, type: 'branch' as const, 'max-snapshot-age-ms': 1.5 * HOUR }
    expect(kept(history(ages, { properties, refs: { main } }))).toEqual([5])
    const four = { 'snapshot-id': 5, type: 'branch' as const, 'min-snapshots-to-keep': 4 }
    expect(kept(history(ages, { properties, refs: { main: four } }))).toEqual([2, 3, 4, 5])
  })

  test('has a log without holes', () => {
    const ages = [30, 20, 9, 5].map((age) => age * MINUTE)
    const tag = { 'snapshot-id': 1, type: 'tag' as const }
    const after = expireSnapshots(history(ages, { refs: { first: tag } }), NOW, {
      ...POLICY,
      snapshotsMin: 1,
    })
    expect(after.snapshots.map((each) => each['snapshot-id'])).toEqual([1, 3, 4])
    expect(after['snapshot-log'].map((each) => each['snapshot-id'])).toEqual([3, 4])
  })
})

describe('other refs', () => {
  const ages = [5, 4, 3, 2, 1].map((age) => age * DAY)

  test('keep their snapshots, a branch also some before it', () => {
    const refs = {
      audit: { 'snapshot-id': 3, type: 'branch' as const, 'min-snapshots-to-keep': 2 },
      release: { 'snapshot-id': 1, type: 'tag' as const },
    }
    expect(kept(history(ages, { refs }), { snapshotsMin: 1 })).toEqual([1, 2, 3, 5])
  })

  test('go when they are older than they say or the table does, but main never', () => {
    const old = { 'snapshot-id': 1, type: 'tag' as const, 'max-ref-age-ms': DAY }
    const plain = { 'snapshot-id': 2, type: 'tag' as const }
    const one = expireSnapshots(history(ages, { refs: { old, plain } }), NOW, POLICY)
    expect(Object.keys(one.refs)).toEqual(['main', 'plain'])
    const properties = { 'history.expire.max-ref-age-ms': String(HOUR) }
    const none = expireSnapshots(history(ages, { properties, refs: { plain } }), NOW, POLICY)
    expect(Object.keys(none.refs)).toEqual(['main'])
  })

  test('that are gone leave snapshots off the main branch, which go by age', () => {
    const off = (age: number): Snapshot => ({
      'snapshot-id': 99,
      'sequence-number': 9,
      'timestamp-ms': NOW - age,
      'manifest-list': 'off',
      summary: {},
    })
    const base = history([MINUTE])
    const beside = (age: number) => ({ ...base, snapshots: [off(age), ...base.snapshots] })
    expect(kept(beside(5 * MINUTE))).toEqual([99, 1])
    expect(kept(beside(HOUR))).toEqual([1])
  })
})

test('older history is thinned to the newest of each period', () => {
  const ages = Array.from({ length: 40 }, (_, i) => (40 - i) * 15 * MINUTE)
  const thin = { snapshotsMin: 1, keepEveryMs: 2 * HOUR, keepForMs: 6 * HOUR }
  const left = expireSnapshots(history(ages), NOW, { ...POLICY, ...thin }).snapshots
  const hours = left.map((each) => (NOW - each['timestamp-ms']) / HOUR)
  expect(hours).toEqual([4.25, 2.25, 0.25])
  // Again changes nothing, and with time the same ones stay until they are too old.
  const again = expireSnapshots(history(ages), NOW, { ...POLICY, ...thin })
  expect(expireSnapshots(again, NOW, { ...POLICY, ...thin })).toBe(again)
})

test('statistics go with their snapshots, and a table that forbids it keeps everything', () => {
  const ages = [3, 2, 1].map((age) => age * DAY)
  const statistics = [1, 3].map((id) => ({ 'snapshot-id': id, 'statistics-path': `s${id}` }))
  const one = { ...history(ages), statistics } as Metadata
  const after = expireSnapshots(one, NOW, { ...POLICY, snapshotsMin: 1 })
  expect(after).toMatchObject({ statistics: [{ 'snapshot-id': 3 }] })
  const whole = history(ages, { properties: { 'gc.enabled': 'false' } })
  expect(expireSnapshots(whole, NOW, { ...POLICY, snapshotsMin: 1 })).toBe(whole)
})
