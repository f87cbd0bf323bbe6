/** What changed in a table between two snapshots: rows that came and rows that went, commit by commit. */
import { error } from '../../base/errors.ts'
import { limits } from '../../base/limits.ts'
import {
  currentSchema,
  currentSnapshot,
  type Metadata,
  type Snapshot,
} from '../../lake/metadata.ts'
import type { TableReading } from '../../lake/reading.ts'
import type { ScanFile } from '../../lake/scan.ts'
import type { IcebergField } from '../../spec/iceberg-type.ts'
import { identifier } from './parquet.ts'
import { FILE_COLUMN, ROW_COLUMN } from './projection.ts'
import type { Relations } from './relations.ts'
import { findSnapshot, snapshotOf } from './snapshots.ts'

/** Left out, `from` is the state before the oldest commit that is known, and `to` the current snapshot. */
export interface ChangeRange {
  readonly from: string | undefined
  readonly to: string | undefined
}

/** One commit: what the table was, and what it became. */
interface Step {
  readonly ordinal: number
  readonly before: Snapshot | undefined
  readonly after: Snapshot
}

/** Files that a commit added, removed, and left with other deletes than before. */
interface Difference {
  readonly added: readonly ScanFile[]
  readonly removed: readonly ScanFile[]
  readonly touched: readonly (readonly [before: ScanFile, after: ScanFile])[]
}

/**
 * SQL of the changes: the columns of the current schema, `_change_type` (`insert` or `delete`), `_change_ordinal` and
 * `_commit_snapshot_id`. Throws HeadwaterError `snapshot_unknown`.
 */
export async function changesOf(
  table: string,
  reading: TableReading,
  range: ChangeRange,
  relations: Relations,
): Promise<string> {
  const rows = new ChangedRows(reading, relations, currentSchema(reading.metadata).fields)
  const plain: (readonly [ScanFile, Step])[] = []
  const parts: string[] = []
  for (const step of stepsOf(table, reading.metadata, range)) {
    const change = await differenceOf(reading, step)
    const { added, removed, touched } = change
    const simple = added.every(({ deletes }) => deletes.length === 0)
    if (simple && removed.length + touched.length === 0) {
      for (const file of added) plain.push([file, step])
    } else {
      parts.push(...(await rows.ofStep(step, change)))
    }
  }
  return [await rows.ofAppends(plain), ...parts].join(' UNION ALL ')
}

class ChangedRows {
  readonly #reading: TableReading
  readonly #relations: Relations
  readonly #fields: readonly IcebergField[]
  readonly #names: string

  constructor(reading: TableReading, relations: Relations, fields: readonly IcebergField[]) {
    this.#reading = reading
    this.#relations = relations
    this.#fields = fields
    this.#names = fields.map(({ name }) => identifier(name)).join(', ')
  }

  /** Files that commits added and did nothing else, read together. */
  async ofAppends(added: readonly (readonly [ScanFile, Step])[]): Promise<string> {
    const commits = await Promise.all(
      added.map(async ([{ location }, { ordinal, after }]) => ({
        path: await this.#reading.local(location),
        ordinal,
        id: after['snapshot-id'],
      })),
    )
    const types = { path: 'VARCHAR', ordinal: 'INTEGER', id: 'BIGINT' }
    const table = await this.#relations.table(types, commits)
    const rows = await this.#rows(
      added.map(([file]) => file),
      true,
    )
    const names = this.#fields.map(({ name }) => `r.${identifier(name)}`).join(', ')
    return `SELECT ${names}, 'insert' AS _change_type, c.ordinal AS _change_ordinal, c.id AS _commit_snapshot_id
      FROM (${rows}) AS r JOIN ${table} AS c ON c.path = r.${FILE_COLUMN}`
  }

  async ofStep(step: Step, { added, removed, touched }: Difference): Promise<string[]> {
    const [came, went] = [await this.#rows(added), await this.#rows(removed)]
    // Of a file that is written again most rows are what they were.
    const parts = [
      this.#marked(`(${came}) EXCEPT ALL (${went})`, 'insert', step),
      this.#marked(`(${went}) EXCEPT ALL (${came})`, 'delete', step),
    ]
    if (touched.length === 0) return parts
    const before = await this.#rows(
      touched.map(([file]) => file),
      true,
    )
    const after = await this.#rows(
      touched.map(([, file]) => file),
      true,
    )
    return [
      ...parts,
      this.#marked(this.#without(before, after), 'delete', step),
      this.#marked(this.#without(after, before), 'insert', step),
    ]
  }

  #rows(files: readonly ScanFile[], place = false): Promise<string> {
    return this.#relations.rows(this.#reading, files, this.#fields, place)
  }

  #marked(sql: string, kind: 'insert' | 'delete', { ordinal, after }: Step): string {
    return `SELECT ${this.#names}, '${kind}' AS _change_type, ${ordinal} AS _change_ordinal, ${after['snapshot-id']}::BIGINT AS _commit_snapshot_id FROM (${sql})`
  }

  #without(all: string, less: string): string {
    const names = this.#fields.map(({ name }) => `a.${identifier(name)}`).join(', ')
    return `SELECT ${names} FROM (${all}) AS a ANTI JOIN (${less}) AS b
      ON a.${FILE_COLUMN} = b.${FILE_COLUMN} AND a.${ROW_COLUMN} = b.${ROW_COLUMN}`
  }
}

/** The commits of a range in their order, but for those that changed no row. */
function stepsOf(table: string, metadata: Metadata, range: ChangeRange): Step[] {
  const find = (value: string): Snapshot =>
    findSnapshot(table, metadata, { kind: 'version', value }).snapshot
  const from = range.from === undefined ? undefined : find(range.from)
  const to = range.to === undefined ? currentSnapshot(metadata) : find(range.to)
  const chain: Snapshot[] = []
  const seen = new Set<unknown>()
  let at = to
  while (at !== undefined && at !== from) {
    if (seen.has(at['snapshot-id'])) {
      throw error('lake_invalid', `The snapshots of ${table} are their own parents.`)
    }
    seen.add(at['snapshot-id'])
    chain.push(at)
    const parent: Snapshot['parent-snapshot-id'] = at['parent-snapshot-id']
    const before = parent === undefined ? undefined : snapshotOf(metadata, parent)
    // What is before the oldest one is forgotten: it is where the changes begin.
    if (parent !== undefined && before === undefined && from === undefined) chain.pop()
    at = before
  }
  if (from !== undefined && at === undefined) {
    const detail = `Snapshot ${from['snapshot-id']} of ${table} does not come before ${to?.['snapshot-id'] ?? 'any other'}.`
    throw error('snapshot_unknown', detail)
  }
  if (chain.length > limits.changesSnapshotsMax) {
    const detail = `There are ${chain.length} snapshots of ${table} in between: ask for at most ${limits.changesSnapshotsMax}.`
    throw error('query_failed', detail)
  }
  return chain
    .toReversed()
    .map((after, ordinal) => {
      const parent = after['parent-snapshot-id']
      const before = parent === undefined ? undefined : snapshotOf(metadata, parent)
      return { ordinal, before, after }
    })
    .filter(({ after }) => after.summary['operation'] !== 'replace')
}

async function differenceOf(reading: TableReading, { before, after }: Step): Promise<Difference> {
  const now = await reading.manifests(after)
  const then = before === undefined ? [] : await reading.manifests(before)
  // Files that both name in the same manifest, and that no other delete concerns, are as they were.
  const deletes = (all: typeof now): string =>
    all
      .flatMap(({ content, path }) => (content === 0 ? [] : [path]))
      .toSorted()
      .join('\n')
  const paths = new Set(then.map(({ path }) => path))
  const same = now.map(({ path }) => path).filter((path) => paths.has(path))
  const without = new Set(deletes(now) === deletes(then) ? same : [])
  const schema = currentSchema(reading.metadata)
  const files = async (snapshot: Snapshot | undefined): Promise<Map<string, ScanFile>> => {
    const scan = snapshot && (await reading.scan({ snapshot, schema, without }))
    return new Map(scan?.files.map((file) => [file.location, file]))
  }
  const [old, current] = [await files(before), await files(after)]
  const touched = [...current.values()].flatMap((file) => {
    const was = old.get(file.location)
    return was !== undefined && deletesOf(was) !== deletesOf(file) ? [[was, file] as const] : []
  })
  return {
    added: [...current.values()].filter(({ location }) => !old.has(location)),
    removed: [...old.values()].filter(({ location }) => !current.has(location)),
    touched,
  }
}

function deletesOf({ deletes }: ScanFile): string {
  return deletes
    .map(({ location, offset }) => `${location}@${offset}`)
    .toSorted()
    .join('\n')
}
