/** What other engines may change of the tables that headwater writes (PROTOCOL.md §16): their rows and history, not what events mean. */
import { isDeepStrictEqual } from 'node:util'
import type { IcebergField } from '../../spec/iceberg-type.ts'
import {
  ancestors,
  currentSchema,
  currentSnapshot,
  FOREIGN_COLUMN_FIRST,
  type Metadata,
  minId,
} from '../metadata.ts'
import type { Update } from '../updates.ts'

/**
 * Updates with our own columns as they are, where a client gave back no more of them than it can hold: DuckDB knows no docs and
 * nothing that is required inside a list, map or struct.
 */
export function withOwnColumns(before: Metadata, updates: readonly Update[]): readonly Update[] {
  const own = new Map(currentSchema(before).fields.map((field) => [field.id, field]))
  const kept = (field: IcebergField): IcebergField => {
    // Docs that it did give back are those that it wants.
    const silent = !JSON.stringify(field).includes('"doc":')
    const known = silent && isOwn(field) ? own.get(field.id) : undefined
    return known !== undefined && isDeepStrictEqual(essence(known), essence(field)) ? known : field
  }
  return updates.map((update) => {
    if (update.action !== 'add-schema') return update
    return { ...update, schema: { ...update.schema, fields: update.schema.fields.map(kept) } }
  })
}

/** What of a column every engine holds. */
function essence({ id, name, required, type }: IcebergField): unknown {
  const text = JSON.stringify(type, (key, value: unknown) =>
    key === 'doc' || /^((element|value)-)?required$/.test(key) ? undefined : value,
  )
  return { id, name, required, type: JSON.parse(text) as unknown }
}

function isOwn({ id }: IcebergField): boolean {
  return id < FOREIGN_COLUMN_FIRST
}

/** Why a change may not be made; undefined when it may. `ledger`: the rows themselves must stay. */
export function ownedProblem(
  before: Metadata,
  after: Metadata,
  ledger: boolean,
): string | undefined {
  if (after['table-uuid'] !== before['table-uuid']) return 'its identity stays'
  if (after.location !== before.location) return 'its location stays'
  if (after['format-version'] !== before['format-version']) return 'its format version stays'
  if (
    after['default-spec-id'] !== before['default-spec-id'] ||
    !isDeepStrictEqual(after['partition-specs'], before['partition-specs'])
  ) {
    return 'its partitioning stays'
  }
  return (
    propertyProblem(before, after) ??
    columnProblem(before, after) ??
    historyProblem(before, after, ledger)
  )
}

function propertyProblem(before: Metadata, after: Metadata): string | undefined {
  const own = ({ properties }: Metadata): Record<string, string> =>
    Object.fromEntries(
      Object.entries(properties).filter(
        ([name]) => name === 'comment' || name.startsWith('headwater.'),
      ),
    )
  // How long history stays is for whoever reads it to say.
  const [old, now] = [own(before), own(after)]
  const changed = [...new Set([...Object.keys(old), ...Object.keys(now)])].find(
    (name) => old[name] !== now[name] && !name.startsWith('headwater.history.'),
  )
  return changed === undefined ? undefined : `the property ${changed} is headwater's`
}

function columnProblem(before: Metadata, after: Metadata): string | undefined {
  const [old, now] = [currentSchema(before).fields, currentSchema(after).fields]
  if (!isDeepStrictEqual(old.filter(isOwn), now.filter(isOwn))) {
    return 'its columns come from the specifications: change those'
  }
  const foreign = now.filter((field) => !isOwn(field))
  const required = foreign.find((field) => field.required)
  if (required !== undefined) {
    return `the column ${required.name} would be required, and headwater writes no values into it`
  }
  const low = foreign.find((field) => minId(field) < FOREIGN_COLUMN_FIRST)
  return low === undefined
    ? undefined
    : `the column ${low.name} has an id below ${FOREIGN_COLUMN_FIRST}, which belong to the specifications`
}

/** Main moves on only: what it has passed was acknowledged, and is taken away by a delete that says so. */
function historyProblem(before: Metadata, after: Metadata, ledger: boolean): string | undefined {
  const old = before['current-snapshot-id']
  const current = currentSnapshot(after)
  if (current?.['snapshot-id'] === old) return undefined
  if (current === undefined) return 'its branch main stays'
  const snapshots = [...before.snapshots, ...after.snapshots]
  const line = ancestors({ snapshots }, current['snapshot-id'])
  const reached = line.findIndex((each) => each['snapshot-id'] === old)
  const added = reached < 0 ? line : line.slice(0, reached)
  if (old !== undefined && reached < 0) {
    return 'its branch main only moves on to descendants of its newest snapshot'
  }
  const changing = added.find(({ summary }) => summary['operation'] !== 'replace')
  return ledger && changing !== undefined
    ? 'it is what repeats are known by: its rows stay, and only their files may be rewritten'
    : undefined
}
