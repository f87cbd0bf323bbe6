/** What a commit may require of the table that it changes (Iceberg REST specification, "TableRequirement"). */
import { z } from 'zod'
import { error, type HeadwaterError } from '../base/errors.ts'
import type { Metadata } from './metadata.ts'
import { int64 } from './metadata-shape.ts'

const id = z.int()

export const requirementShape = z.discriminatedUnion('type', [
  z.looseObject({ type: z.literal('assert-create') }),
  z.looseObject({ type: z.literal('assert-table-uuid'), uuid: z.string() }),
  z.looseObject({
    type: z.literal('assert-ref-snapshot-id'),
    ref: z.string(),
    /** Null: the ref must not exist. */
    'snapshot-id': int64.nullish(),
  }),
  z.looseObject({
    type: z.literal('assert-last-assigned-field-id'),
    'last-assigned-field-id': id,
  }),
  z.looseObject({ type: z.literal('assert-current-schema-id'), 'current-schema-id': id }),
  z.looseObject({
    type: z.literal('assert-last-assigned-partition-id'),
    'last-assigned-partition-id': id,
  }),
  z.looseObject({ type: z.literal('assert-default-spec-id'), 'default-spec-id': id }),
  z.looseObject({ type: z.literal('assert-default-sort-order-id'), 'default-sort-order-id': id }),
])

export type Requirement = z.output<typeof requirementShape>

/** The first requirement that a table does not meet, as `commit_conflict`; undefined when it meets all. */
export function unmet(
  requirements: readonly Requirement[],
  metadata: Metadata | undefined,
): HeadwaterError | undefined {
  for (const requirement of requirements) {
    const reason = reasonOf(requirement, metadata)
    if (reason !== undefined) return error('commit_conflict', `Requirement failed: ${reason}`)
  }
  return undefined
}

function reasonOf(requirement: Requirement, metadata: Metadata | undefined): string | undefined {
  if (requirement.type === 'assert-create') {
    return metadata === undefined ? undefined : 'table already exists'
  }
  if (metadata === undefined) return 'table does not exist'
  const same = (what: string, wanted: unknown, found: unknown): string | undefined =>
    wanted === found ? undefined : `${what}: expected ${String(wanted)} != ${String(found)}`
  switch (requirement.type) {
    case 'assert-table-uuid': {
      const [wanted, found] = [requirement.uuid, metadata['table-uuid']]
      return same('UUID does not match', wanted.toLowerCase(), found.toLowerCase())
    }
    case 'assert-ref-snapshot-id':
      return refReason(requirement.ref, requirement['snapshot-id'] ?? undefined, metadata)
    case 'assert-last-assigned-field-id': {
      const wanted = requirement['last-assigned-field-id']
      return same('last assigned field id changed', wanted, metadata['last-column-id'])
    }
    case 'assert-current-schema-id': {
      const wanted = requirement['current-schema-id']
      return same('current schema changed', wanted, metadata['current-schema-id'])
    }
    case 'assert-last-assigned-partition-id': {
      const wanted = requirement['last-assigned-partition-id']
      return same('last assigned partition id changed', wanted, metadata['last-partition-id'])
    }
    case 'assert-default-spec-id': {
      const wanted = requirement['default-spec-id']
      return same('default partition spec changed', wanted, metadata['default-spec-id'])
    }
    case 'assert-default-sort-order-id': {
      const wanted = requirement['default-sort-order-id']
      return same('default sort order changed', wanted, metadata['default-sort-order-id'])
    }
  }
}

function refReason(
  name: string,
  wanted: number | bigint | undefined,
  { refs }: Metadata,
): string | undefined {
  const ref = Object.hasOwn(refs, name) ? refs[name] : undefined
  if (ref === undefined) {
    return wanted === undefined
      ? undefined
      : `branch or tag ${name} is missing, expected ${String(wanted)}`
  }
  const what = `${ref.type} ${name}`
  if (wanted === undefined) return `${what} was created concurrently`
  const found = ref['snapshot-id']
  return wanted === found
    ? undefined
    : `${what} has changed: expected id ${String(wanted)} != ${String(found)}`
}
