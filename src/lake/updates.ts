/** What a commit may change of a table (Iceberg REST specification, "TableUpdate"): pure functions from metadata to metadata. */
import { isDeepStrictEqual } from 'node:util'
import { z } from 'zod'
import { unreachable } from '../base/assert.ts'
import { error, HeadwaterError } from '../base/errors.ts'
import { failed, ok, type Result } from '../base/result.ts'
import type { Id, Metadata, Ref, Schema, Snapshot, StatisticsFile } from './metadata.ts'
import {
  int64,
  metadataProblem,
  orderShape,
  refShape,
  schemaShape,
  snapshotShape,
  specShape,
  statisticsShape,
} from './metadata-shape.ts'
import { snapshotOf } from './metadata-versions.ts'
import {
  highestId,
  type NewOrder,
  type NewSchema,
  type NewSpec,
  placeOrder,
  placeSchema,
  placeSpec,
  sourceProblem,
} from './schema-updates.ts'

const texts = z.record(z.string(), z.string())

export const updateShape = z.discriminatedUnion('action', [
  z.looseObject({ action: z.literal('assign-uuid'), uuid: z.string().min(1) }),
  z.looseObject({ action: z.literal('upgrade-format-version'), 'format-version': z.int() }),
  z.looseObject({ action: z.literal('add-schema'), schema: schemaShape as z.ZodType<NewSchema> }),
  z.looseObject({ action: z.literal('set-current-schema'), 'schema-id': z.int() }),
  z.looseObject({ action: z.literal('add-spec'), spec: specShape as z.ZodType<NewSpec> }),
  z.looseObject({ action: z.literal('set-default-spec'), 'spec-id': z.int() }),
  z.looseObject({
    action: z.literal('add-sort-order'),
    'sort-order': orderShape as z.ZodType<NewOrder>,
  }),
  z.looseObject({ action: z.literal('set-default-sort-order'), 'sort-order-id': z.int() }),
  z.looseObject({
    action: z.literal('add-snapshot'),
    snapshot: snapshotShape as z.ZodType<Snapshot>,
  }),
  z.looseObject({
    action: z.literal('set-snapshot-ref'),
    'ref-name': z.string().min(1),
    'snapshot-id': int64,
    type: z.enum(['branch', 'tag']),
    'min-snapshots-to-keep': z.int().nullish(),
    'max-snapshot-age-ms': z.int().nullish(),
    'max-ref-age-ms': z.int().nullish(),
  }),
  z.looseObject({ action: z.literal('remove-snapshots'), 'snapshot-ids': z.array(int64) }),
  z.looseObject({ action: z.literal('remove-snapshot-ref'), 'ref-name': z.string() }),
  z.looseObject({ action: z.literal('set-location'), location: z.string().min(1) }),
  z.looseObject({ action: z.literal('set-properties'), updates: texts }),
  z.looseObject({ action: z.literal('remove-properties'), removals: z.array(z.string()) }),
  z.looseObject({
    action: z.literal('set-statistics'),
    statistics: statisticsShape as z.ZodType<StatisticsFile>,
  }),
  z.looseObject({ action: z.literal('remove-statistics'), 'snapshot-id': int64 }),
  z.looseObject({
    action: z.literal('set-partition-statistics'),
    'partition-statistics': statisticsShape as z.ZodType<StatisticsFile>,
  }),
  z.looseObject({ action: z.literal('remove-partition-statistics'), 'snapshot-id': int64 }),
  z.looseObject({ action: z.literal('remove-partition-specs'), 'spec-ids': z.array(z.int()) }),
  z.looseObject({ action: z.literal('remove-schemas'), 'schema-ids': z.array(z.int()) }),
])

export type Update = z.output<typeof updateShape>

/** What a new table has before its first update says more. */
export interface NewTable {
  readonly uuid: string
  readonly location: string
}

type Draft = { -readonly [Key in keyof Metadata]: Metadata[Key] }

/** A table while it is changed, and what this very commit has added. */
interface Work {
  readonly draft: Draft
  readonly now: number
  readonly added: Set<Id>
  schema: number | undefined
  spec: number | undefined
  order: number | undefined
}

/**
 * The table after all updates, in their order; the same object when they change nothing. `base` is the table before, or what a new one has.
 * Fails with `update_invalid`, and with `commit_conflict` where a client should look again and retry. `now` in ms since 1970.
 */
export function applyUpdates(
  base: Metadata | NewTable,
  updates: readonly Update[],
  now: number,
): Result<Metadata> {
  const known = 'schemas' in base ? base : undefined
  const draft: Draft = known === undefined ? empty(base as NewTable, updates, now) : { ...known }
  const work: Work = {
    draft,
    now,
    added: new Set(),
    schema: undefined,
    spec: undefined,
    order: undefined,
  }
  try {
    for (const update of updates) apply(work, update)
    return finished(work, known)
  } catch (cause) {
    if (cause instanceof HeadwaterError) return failed(cause)
    throw cause
  }
}

function empty(table: NewTable, updates: readonly Update[], now: number): Draft {
  const first = updates.find((update) => update.action === 'upgrade-format-version')
  const version = first?.['format-version'] === 1 || first?.['format-version'] === 3
  return {
    'format-version': version ? (first['format-version'] as 1 | 3) : 2,
    'table-uuid': table.uuid,
    location: table.location,
    'last-sequence-number': 0,
    'last-updated-ms': now,
    'last-column-id': 0,
    'current-schema-id': -1,
    schemas: [],
    'default-spec-id': -1,
    'partition-specs': [],
    'last-partition-id': 999,
    'default-sort-order-id': -1,
    'sort-orders': [],
    properties: {},
    refs: {},
    snapshots: [],
    'snapshot-log': [],
    'metadata-log': [],
    ...(first?.['format-version'] === 3 ? { 'next-row-id': 0 } : {}),
  }
}

function invalid(message: string): HeadwaterError {
  return error('update_invalid', message)
}

function apply(work: Work, update: Update): void {
  const { draft } = work
  switch (update.action) {
    case 'assign-uuid':
      draft['table-uuid'] = update.uuid
      return
    case 'upgrade-format-version':
      return upgrade(draft, update['format-version'])
    case 'add-schema': {
      const placed = placeSchema(update.schema, draft.schemas, draft['format-version'])
      draft.schemas = placed.list
      draft['last-column-id'] = Math.max(draft['last-column-id'], highestId(update.schema))
      work.schema = placed.id
      return
    }
    case 'set-current-schema':
      draft['current-schema-id'] = lastOr(update['schema-id'], work.schema, 'schema')
      schemaOf(draft)
      return
    case 'add-spec': {
      const placed = placeSpec(update.spec, { ...draft, schema: newestSchema(work) })
      draft['partition-specs'] = placed.list
      const fields = placed.list.find((spec) => spec['spec-id'] === placed.id)!.fields
      draft['last-partition-id'] = fields.reduce(
        (most, field) => Math.max(most, field['field-id']),
        draft['last-partition-id'],
      )
      work.spec = placed.id
      return
    }
    case 'set-default-spec':
      draft['default-spec-id'] = lastOr(update['spec-id'], work.spec, 'spec')
      return
    case 'add-sort-order': {
      const placed = placeOrder(update['sort-order'], draft['sort-orders'], newestSchema(work))
      draft['sort-orders'] = placed.list
      work.order = placed.id
      return
    }
    case 'set-default-sort-order':
      draft['default-sort-order-id'] = lastOr(update['sort-order-id'], work.order, 'sort order')
      return
    case 'add-snapshot':
      return addSnapshot(work, update.snapshot)
    case 'set-snapshot-ref': {
      const { action: _, 'ref-name': name, ...ref } = update
      return setRef(draft, name, present(ref) as unknown as Ref)
    }
    case 'remove-snapshots':
      return removeSnapshots(draft, new Set(update['snapshot-ids']))
    case 'remove-snapshot-ref':
      return removeRef(draft, update['ref-name'])
    default:
      return applyPlain(draft, update)
  }
}

type Plain = Exclude<
  Update,
  {
    readonly action:
      | 'assign-uuid'
      | 'upgrade-format-version'
      | 'add-schema'
      | 'set-current-schema'
      | 'add-spec'
      | 'set-default-spec'
      | 'add-sort-order'
      | 'set-default-sort-order'
      | 'add-snapshot'
      | 'set-snapshot-ref'
      | 'remove-snapshots'
      | 'remove-snapshot-ref'
  }
>

/** Updates that look at nothing but their own member of the metadata. */
function applyPlain(draft: Draft, update: Plain): void {
  switch (update.action) {
    case 'set-location':
      draft.location = update.location
      return
    case 'set-properties':
      draft.properties = { ...draft.properties, ...update.updates }
      return
    case 'remove-properties': {
      const removals = new Set(update.removals)
      draft.properties = without(draft.properties, (name) => removals.has(name))
      return
    }
    case 'set-statistics':
      setStatistics(draft, 'statistics', update.statistics)
      return
    case 'remove-statistics':
      dropStatistics(draft, 'statistics', new Set([update['snapshot-id']]))
      return
    case 'set-partition-statistics':
      setStatistics(draft, 'partition-statistics', update['partition-statistics'])
      return
    case 'remove-partition-statistics':
      dropStatistics(draft, 'partition-statistics', new Set([update['snapshot-id']]))
      return
    case 'remove-partition-specs': {
      const ids = new Set(update['spec-ids'])
      if (ids.has(draft['default-spec-id'])) {
        throw invalid('Cannot remove the default partition spec.')
      }
      draft['partition-specs'] = draft['partition-specs'].filter(
        (each) => !ids.has(each['spec-id']),
      )
      return
    }
    case 'remove-schemas': {
      const ids = new Set(update['schema-ids'])
      if (ids.has(draft['current-schema-id'])) throw invalid('Cannot remove the current schema.')
      draft.schemas = draft.schemas.filter((each) => !ids.has(each['schema-id']))
      return
    }
    default:
      unreachable(update)
  }
}

function upgrade(draft: Draft, version: number): void {
  if (version !== 1 && version !== 2 && version !== 3) {
    throw invalid(
      `Cannot upgrade table to unsupported format version: v${version} (supported: v3).`,
    )
  }
  if (version < draft['format-version']) {
    throw invalid(`Cannot downgrade v${draft['format-version']} table to v${version}.`)
  }
  draft['format-version'] = version
  if (version === 3) draft['next-row-id'] ??= 0
}

/** The number itself, or, for -1, that of what this commit added last. */
function lastOr(id: number, last: number | undefined, what: string): number {
  if (id !== -1) return id
  if (last !== undefined) return last
  throw invalid(`Cannot set last added ${what}: no ${what} has been added.`)
}

function schemaOf(draft: Draft): Schema {
  const id = draft['current-schema-id']
  const schema = draft.schemas.find((each) => each['schema-id'] === id)
  if (schema === undefined) throw invalid(`Cannot set current schema to unknown schema: ${id}.`)
  return schema
}

/** The current schema; of a new table that has none yet, the one just added. The order of updates is the client's. */
function newestSchema({ draft, schema }: Work): Schema {
  if (draft['current-schema-id'] !== -1 || schema === undefined) return schemaOf(draft)
  return schemaOf({ ...draft, 'current-schema-id': schema })
}

function addSnapshot({ draft, added }: Work, raw: Snapshot): void {
  const snapshot = snapshotOf(raw) as Snapshot
  const id = snapshot['snapshot-id']
  const sequence = snapshot['sequence-number']
  const version = draft['format-version']
  if (draft.schemas.length === 0 || draft['partition-specs'].length === 0) {
    throw invalid('Attempting to add a snapshot before a schema and a partition spec are added.')
  }
  if (id < 0) throw invalid(`${id} is not the id of a snapshot.`)
  if (draft.snapshots.some((each) => each['snapshot-id'] === id)) {
    throw invalid(`Snapshot already exists for id: ${id}.`)
  }
  const parent = snapshot['parent-snapshot-id']
  // A snapshot without a parent, which replaces a whole table, applies no deletes to what others wrote.
  if (version > 1 && parent !== undefined && sequence <= draft['last-sequence-number']) {
    // Another writer took the number: the client is to rebase, not to give up.
    throw error(
      'commit_conflict',
      `Cannot add snapshot with sequence number ${sequence} older than last sequence number ${draft['last-sequence-number']}`,
    )
  }
  if (version > 1 && snapshot.summary['operation'] === undefined) {
    throw invalid(`Snapshot ${id} has no operation in its summary.`)
  }
  if (version === 3) takeRows(draft, snapshot)
  draft['last-sequence-number'] = Math.max(draft['last-sequence-number'], sequence)
  draft.snapshots = [...draft.snapshots, snapshot]
  added.add(id)
}

/** Row lineage of format version 3. */
function takeRows(draft: Draft, snapshot: Snapshot): void {
  const { 'first-row-id': first, 'added-rows': rows } = snapshot
  if (first === undefined || rows === undefined || rows < 0) {
    throw invalid('Cannot add a snapshot: first-row-id or added-rows is missing.')
  }
  const next = draft['next-row-id'] ?? 0
  if (first < next) {
    const message = `Cannot add a snapshot, first-row-id is behind table next-row-id: ${first} < ${next}`
    throw error('commit_conflict', message)
  }
  const sum = BigInt(next) + BigInt(rows)
  draft['next-row-id'] = sum <= Number.MAX_SAFE_INTEGER ? Number(sum) : sum
}

function setRef(draft: Draft, name: string, ref: Ref): void {
  const id = ref['snapshot-id']
  const problem = refShape.safeParse(ref)
  if (!problem.success) throw invalid(`The ref ${name} has a retention that is not positive.`)
  if (!draft.snapshots.some((each) => each['snapshot-id'] === id)) {
    throw invalid(`Cannot set ${name} to unknown snapshot: ${id}.`)
  }
  if (ref.type === 'tag') {
    if (name === 'main') throw invalid('main is a branch and cannot be a tag.')
    if ('min-snapshots-to-keep' in ref || 'max-snapshot-age-ms' in ref) {
      throw invalid(`Tags do not support setting minSnapshotsToKeep or maxSnapshotAgeMs: ${name}.`)
    }
  }
  draft.refs = { ...draft.refs, [name]: ref }
  if (name === 'main') draft['current-snapshot-id'] = id
}

function removeRef(draft: Draft, name: string): void {
  draft.refs = without(draft.refs, (each) => each === name)
  if (name === 'main') delete draft['current-snapshot-id']
}

function removeSnapshots(draft: Draft, ids: ReadonlySet<Id>): void {
  draft.snapshots = draft.snapshots.filter((each) => !ids.has(each['snapshot-id']))
  dropStatistics(draft, 'statistics', ids)
  dropStatistics(draft, 'partition-statistics', ids)
  for (const [name, ref] of Object.entries(draft.refs)) {
    if (ids.has(ref['snapshot-id'])) removeRef(draft, name)
  }
  // The log must not name a snapshot that is gone, nor have a hole: it loses everything up to the last one removed.
  const log = draft['snapshot-log']
  const lastGone = log.findLastIndex((entry) => ids.has(entry['snapshot-id']))
  draft['snapshot-log'] = log.slice(lastGone + 1)
}

type StatisticsKey = 'statistics' | 'partition-statistics'

function setStatistics(draft: Draft, key: StatisticsKey, file: StatisticsFile): void {
  dropStatistics(draft, key, new Set([file['snapshot-id']]))
  draft[key] = [...(draft[key] ?? []), file]
}

function dropStatistics(draft: Draft, key: StatisticsKey, ids: ReadonlySet<Id>): void {
  const files = draft[key]
  if (files?.some((each) => ids.has(each['snapshot-id'])) !== true) return
  draft[key] = files.filter((each) => !ids.has(each['snapshot-id']))
}

/** Brings times and history up to date, and checks the whole. */
function finished(work: Work, base: Metadata | undefined): Result<Metadata> {
  const { draft, added, now } = work
  if (base !== undefined && isDeepStrictEqual(draft, base)) return ok(base)
  const current = draft.snapshots.find(
    (each) => each['snapshot-id'] === draft['current-snapshot-id'],
  )
  if (current !== undefined && current['snapshot-id'] !== base?.['current-snapshot-id']) {
    const id = current['snapshot-id']
    const last = draft['snapshot-log'].at(-1)?.['timestamp-ms'] ?? 0
    // Times of a log never go back: Java refuses to read a table where they do by more than a minute.
    const time = Math.max(last, added.has(id) ? current['timestamp-ms'] : now)
    draft['snapshot-log'] = [...draft['snapshot-log'], { 'timestamp-ms': time, 'snapshot-id': id }]
  }
  draft['last-updated-ms'] = Math.max(
    base?.['last-updated-ms'] ?? 0,
    draft['snapshot-log'].at(-1)?.['timestamp-ms'] ?? 0,
    now,
  )
  const problem = metadataProblem(draft) ?? sourcesProblem(draft)
  if (problem !== undefined) return failed(invalid(`The table would not be valid: ${problem}.`))
  return ok(draft)
}

/** The default spec and order must still find their columns in the current schema. */
function sourcesProblem(draft: Draft): string | undefined {
  const schema = schemaOf(draft)
  const spec = draft['partition-specs'].find((each) => each['spec-id'] === draft['default-spec-id'])
  const order = draft['sort-orders'].find(
    (each) => each['order-id'] === draft['default-sort-order-id'],
  )
  for (const field of [...(spec?.fields ?? []), ...(order?.fields ?? [])]) {
    const problem = sourceProblem(field, schema)
    if (problem !== undefined) return problem
  }
  return undefined
}

/** An object without its null members, which mean what an absent one does. */
function present(members: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return without(members, (name) => members[name] === null || members[name] === undefined)
}

function without<T>(
  members: Readonly<Record<string, T>>,
  out: (name: string) => boolean,
): Record<string, T> {
  return Object.fromEntries(Object.entries(members).filter(([name]) => !out(name)))
}
