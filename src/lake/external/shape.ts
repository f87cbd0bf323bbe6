/** Gives tables in a catalog the shape that headwater wants: creates them with our field ids, and evolves them beside other engines. */
import { isDeepStrictEqual } from 'node:util'
import { assert } from '../../base/assert.ts'
import { error, type HeadwaterError } from '../../base/errors.ts'
import { limits } from '../../base/limits.ts'
import { failed, ok, type Result } from '../../base/result.ts'
import type { IcebergField, TableSchema } from '../../spec/iceberg-type.ts'
import { currentSchema, evolve, maxId, type Metadata, newMetadata } from '../metadata.ts'
import { failureOf } from './http.ts'
import { assertUuid, type RestCatalog, type TableCommit, type Update } from './rest-catalog.ts'
import { canonicalField, type Loaded } from './table-metadata.ts'

/** Ids of the columns that are headwater's, as a property; others were added by other engines. */
const COLUMNS = 'headwater.columns'
const PARTITION_BY = 'headwater.partition-by'

/** Whether headwater made the table. */
export function isOurs(metadata: Metadata): boolean {
  return metadata.properties[PARTITION_BY] !== undefined
}

/** The table of the wanted schema, created or evolved where it is not so already. `known` is what the catalog had. */
export async function ensureShape(
  catalog: RestCatalog,
  wanted: TableSchema,
  known: Loaded | undefined,
): Promise<Result<Loaded>> {
  assert(/^[a-z][a-z0-9_]*$/.test(wanted.name), `${wanted.name} is a table name`)
  const schema = { ...wanted, fields: wanted.fields.map(canonicalField) }
  let loaded = known
  let last = 'it comes and goes'
  for (let attempt = 0; attempt < limits.commitAttemptsMax; attempt++) {
    if (loaded !== undefined) {
      const change = evolution(loaded.metadata, schema)
      if (!change.ok) return change
      if (change.value === undefined) return ok(loaded)
      const outcome = await catalog.commit(change.value)
      if (outcome.kind === 'refused') return failed(outcome.error)
      if (outcome.kind === 'committed' && outcome.loaded !== undefined) {
        return shaped(outcome.loaded, schema)
      }
      if (outcome.kind !== 'committed') last = outcome.message
    } else {
      const problem = await create(catalog, schema)
      if (problem !== undefined) return failed(problem)
    }
    // Made by us, by somebody else, or perhaps not at all: the catalog says.
    const again = await catalog.load(schema.name, false)
    if (!again.ok) return again
    loaded = again.value
  }
  return failed(error('commit_conflict', `table ${schema.name}: ${last}`))
}

/** A table after the commit that was to shape it. */
function shaped(loaded: Loaded, schema: TableSchema): Result<Loaded> {
  const left = evolution(loaded.metadata, schema)
  if (!left.ok || left.value === undefined) return left.ok ? ok(loaded) : left
  const detail = `table ${schema.name}: the catalog does not keep the schema as it was given.`
  return failed(error('catalog_invalid', detail))
}

/**
 * Creates a table as a transaction does: the catalog says where it will be, and the commit that makes it brings the schema with our
 * own field ids, which a plain create would number anew. A failure that says nothing of the outcome is not one.
 */
async function create(
  catalog: RestCatalog,
  schema: TableSchema,
): Promise<HeadwaterError | undefined> {
  const wanted = newMetadata(schema, { uuid: '', location: '', now: 0 })
  const properties = { ...wanted.properties, [COLUMNS]: columnIds(schema) }
  const request = {
    name: schema.name,
    schema: currentSchema(wanted),
    'partition-spec': wanted['partition-specs'][0],
    properties,
  }
  const staged = await catalog.create({ ...request, 'stage-create': true })
  if (staged.kind === 'unknown') return failureOf(staged)
  if (staged.kind === 'refused') {
    if (staged.status === 409) return undefined
    if (staged.status === 401 || staged.status === 403 || staged.status === 404) {
      return failureOf(staged)
    }
    // No staged creation here: created at once, and then given our ids.
    const made = await catalog.create(request)
    return made.kind === 'refused' && made.status !== 409 ? failureOf(made) : undefined
  }
  const { metadata } = (staged.body ?? {}) as { metadata?: Partial<Metadata> }
  if (typeof metadata?.location !== 'string' || typeof metadata['table-uuid'] !== 'string') {
    return error('catalog_invalid', `table ${schema.name}: no metadata for a staged creation.`)
  }
  const outcome = await catalog.commit({
    name: schema.name,
    requirements: [{ type: 'assert-create' }],
    updates: [
      { action: 'assign-uuid', uuid: metadata['table-uuid'] },
      { action: 'upgrade-format-version', 'format-version': 2 },
      ...schemaUpdates(wanted),
      ...specUpdates(wanted),
      { action: 'add-sort-order', 'sort-order': { 'order-id': 0, fields: [] } },
      { action: 'set-default-sort-order', 'sort-order-id': -1 },
      { action: 'set-location', location: metadata.location },
      { action: 'set-properties', updates: properties },
    ],
  })
  return outcome.kind === 'refused' ? outcome.error : undefined
}

/** The commit that gives a table the columns and the partition spec of `schema`; undefined when it has them. */
function evolution(metadata: Metadata, schema: TableSchema): Result<TableCommit | undefined> {
  const { name } = schema
  if (!isOurs(metadata)) {
    const detail = `table ${name} has no property ${PARTITION_BY}: another engine made it, or the catalog keeps no properties.`
    return failed(error('catalog_invalid', detail))
  }
  const evolved = numberedAnew(metadata, schema)
    ? ok(renumbered(metadata, schema))
    : evolvedBeside(metadata, schema)
  if (!evolved.ok) return evolved
  const sameSpec = hasSpec(evolved.value, schema)
  if (evolved.value === metadata && sameSpec) return ok(undefined)
  // One that the table has had before is not added again.
  const next = evolved.value['current-schema-id']
  const known = metadata.schemas.find((each) => each['schema-id'] === next)
  const properties = { comment: schema.doc, [COLUMNS]: columnIds(schema) }
  return ok({
    name,
    requirements: [
      assertUuid(metadata),
      { type: 'assert-current-schema-id', 'current-schema-id': metadata['current-schema-id'] },
      {
        type: 'assert-last-assigned-field-id',
        'last-assigned-field-id': metadata['last-column-id'],
      },
    ],
    updates: [
      ...(known === undefined
        ? schemaUpdates(evolved.value)
        : [{ action: 'set-current-schema', 'schema-id': known['schema-id'] }]),
      ...(sameSpec ? [] : specUpdates(newMetadata(schema, { uuid: '', location: '', now: 0 }))),
      { action: 'set-properties', updates: properties },
    ],
  })
}

function schemaUpdates(metadata: Metadata): Update[] {
  return [
    {
      action: 'add-schema',
      schema: currentSchema(metadata),
      'last-column-id': metadata['last-column-id'],
    },
    { action: 'set-current-schema', 'schema-id': -1 },
  ]
}

function specUpdates(metadata: Metadata): Update[] {
  return [
    { action: 'add-spec', spec: metadata['partition-specs'][0] },
    { action: 'set-default-spec', 'spec-id': -1 },
  ]
}

/** Metadata with our columns, and behind them those that other engines added. */
function evolvedBeside(metadata: Metadata, schema: TableSchema): Result<Metadata> {
  const ids = metadata.properties[COLUMNS]
  const { fields } = currentSchema(metadata)
  const ours = new Set(ids?.split(',').map(Number) ?? fields.map(({ id }) => id))
  const others = fields.filter(({ id }) => !ours.has(id))
  const added: IcebergField[] = []
  for (const other of others) {
    const [byId, byName] = [
      schema.fields.find(({ id }) => id === other.id),
      schema.fields.find(({ name }) => name === other.name),
    ]
    if (byId === undefined && byName === undefined) added.push(other)
    if (byId === byName) continue
    const where = `table ${schema.name}, column ${other.name} (id ${other.id})`
    const { name, id } = byId ?? byName!
    const detail = `${where} was added by another engine; it cannot be ${name} (id ${id}) of specs.lock.json.`
    return failed(error('spec_incompatible', detail))
  }
  return evolve(metadata, { ...schema, fields: [...schema.fields, ...added] })
}

/** Whether the catalog has given the columns of a new table other ids than we asked for. */
function numberedAnew(metadata: Metadata, { fields }: TableSchema): boolean {
  if (metadata.snapshots.length > 0) return false
  const theirs = currentSchema(metadata).fields
  const plain = (all: readonly IcebergField[]): string =>
    JSON.stringify(all.map(({ name }) => name))
  return plain(theirs) === plain(fields) && JSON.stringify(theirs) !== JSON.stringify(fields)
}

/** Metadata of an empty table with another schema: no file was written with the ids of the old one. */
function renumbered(metadata: Metadata, { fields }: TableSchema): Metadata {
  const next = Math.max(...metadata.schemas.map((each) => each['schema-id'])) + 1
  return {
    ...metadata,
    schemas: [...metadata.schemas, { type: 'struct', 'schema-id': next, fields }],
    'current-schema-id': next,
    'last-column-id': Math.max(metadata['last-column-id'], maxId(fields)),
  }
}

/** Whether the table can take files of the day of the wanted column. */
function hasSpec(metadata: Metadata, schema: TableSchema): boolean {
  const wanted = newMetadata(schema, { uuid: '', location: '', now: 0 })['partition-specs'][0]!
  return metadata['partition-specs'].some(
    ({ fields }) => fields.length === 1 && isDeepStrictEqual(fields[0], wanted.fields[0]),
  )
}

function columnIds({ fields }: TableSchema): string {
  return fields.map(({ id }) => id).join(',')
}
