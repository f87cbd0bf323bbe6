/** Brings table metadata of every format version, as writers leave members out, to the one form that the rest of the lake knows. */

type Members = Readonly<Record<string, unknown>>

/** Members that may be left out, and what they mean then. */
const ABSENT: Members = {
  refs: {},
  snapshots: [],
  'snapshot-log': [],
  'metadata-log': [],
  properties: {},
  'sort-orders': [{ 'order-id': 0, fields: [] }],
  'default-sort-order-id': 0,
  'default-spec-id': 0,
  'last-sequence-number': 0,
}

/** Takes any JSON object and never throws: what has the wrong form is left for the check (metadata-shape.ts). */
export function normalised(raw: Members): Members {
  const present = Object.fromEntries(Object.entries(raw).filter(([, value]) => value !== null))
  const full: Record<string, unknown> = { ...ABSENT, ...schemasOf(present), ...specsOf(present) }
  const { snapshots } = full
  if (Array.isArray(snapshots)) full['snapshots'] = snapshots.map(snapshotOf)
  if (full['current-snapshot-id'] === -1) delete full['current-snapshot-id']
  const current = full['current-snapshot-id']
  const refs = full['refs']
  if (current !== undefined && isObject(refs) && !Object.hasOwn(refs, 'main')) {
    full['refs'] = { ...refs, main: { 'snapshot-id': current, type: 'branch' } }
  }
  if (full['format-version'] === 1) {
    full['table-uuid'] ??= ''
    full['last-sequence-number'] = 0
    // Written again from the lists where they are needed.
    delete full['schema']
    delete full['partition-spec']
  }
  return full
}

function schemasOf(metadata: Members): Members {
  const { schema, schemas } = metadata
  if (schemas !== undefined || !isObject(schema)) return metadata
  const id = schema['schema-id'] ?? 0
  return { ...metadata, schemas: [{ ...schema, 'schema-id': id }], 'current-schema-id': id }
}

/** Partition fields of format version 1 have no ids: they are numbered from 1000 in their order. */
function specsOf(metadata: Members): Members {
  const { 'partition-spec': single, 'partition-specs': several } = metadata
  if (!Array.isArray(several) && !Array.isArray(single)) return metadata
  const specs = (
    Array.isArray(several) ? (several as unknown[]) : [{ 'spec-id': 0, fields: single }]
  ).map((spec) => {
    if (!isObject(spec) || !Array.isArray(spec['fields'])) return spec
    const fields = (spec['fields'] as unknown[]).map((field, i) =>
      isObject(field) && field['field-id'] === undefined
        ? { ...field, 'field-id': FIRST_PARTITION_ID + i }
        : field,
    )
    return { ...spec, fields }
  })
  const ids = specs.flatMap((spec) =>
    listOf(isObject(spec) ? spec['fields'] : undefined).map((field) =>
      isObject(field) && typeof field['field-id'] === 'number' ? field['field-id'] : 0,
    ),
  )
  const last = ids.reduce((most, id) => Math.max(most, id), FIRST_PARTITION_ID - 1)
  return { 'last-partition-id': last, ...metadata, 'partition-specs': specs }
}

const FIRST_PARTITION_ID = 1000

/** A snapshot without the members that mean nothing, such as a null or a parent -1. */
export function snapshotOf(snapshot: unknown): unknown {
  if (!isObject(snapshot)) return snapshot
  const present = Object.fromEntries(Object.entries(snapshot).filter(([, value]) => value !== null))
  // A writer may name no parent by -1.
  if (present['parent-snapshot-id'] === -1) delete present['parent-snapshot-id']
  return { 'sequence-number': 0, summary: {}, ...present }
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? (value as readonly unknown[]) : []
}

function isObject(value: unknown): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
