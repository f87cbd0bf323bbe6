/** One part of a change as a commit of its table: written manifests, and the updates that the catalog is to make. */
import { limits } from '../../base/limits.ts'
import { uuid } from '../../base/random.ts'
import { type Ports, stageAppend, type Staged, type Table } from '../append.ts'
import { expireSnapshots, HISTORY, type HistoryPolicy } from '../expire.ts'
import { encodeManifestList } from '../manifest.ts'
import { currentSnapshot, type Id, type Metadata, type Snapshot } from '../metadata.ts'
import { join } from '../storage.ts'
import type { Part, Pending } from './pending.ts'
import { assertRefs, assertUuid, type TableCommit } from './rest-catalog.ts'
import { markOf, markProperties } from './table-metadata.ts'

export interface StagedPart {
  readonly part: Part
  readonly base: Table
  readonly change: TableCommit
  /** The table as it will be, as far as we know. */
  readonly after: Table
}

/** Whether the table has the change already. */
export function covers({ metadata }: Table, part: Part, pending: Pending): boolean {
  return (
    markOf(metadata)?.commit === pending.commit ||
    metadata.snapshots.some((snapshot) => snapshot['snapshot-id'] === part.snapshotId)
  )
}

export async function stagePart(
  base: Table,
  part: Part,
  pending: Pending,
  { now, expire }: { readonly now: number; readonly expire: boolean },
  ports: Ports,
): Promise<StagedPart> {
  const mark = markProperties(pending)
  const summary = { ...mark, ...pending.summary, ...part.summary }
  const time = Math.max(now, base.metadata['last-updated-ms'])
  const metadata = { ...base.metadata, 'last-updated-ms': time }
  const staged =
    part.prepared === undefined
      ? await stageMark(base, metadata, part.snapshotId, summary, ports)
      : await stageAppend(base, metadata, part.prepared, now, summary, ports)
  const expired = expire ? expireSnapshots(staged.metadata, now, UNBROKEN) : staged.metadata
  const after = { ...expired, properties: { ...expired.properties, ...mark } }
  return {
    part,
    base,
    change: {
      name: base.name,
      requirements: [assertUuid(base.metadata), ...assertRefs(base.metadata)],
      updates: updatesOf(base.metadata, after, mark),
    },
    after: { ...base, metadata: after, manifests: staged.manifests },
  }
}

/** Whether so many snapshots are too old that forgetting them is worth a look at the newest metadata. */
export function isOverdue({ metadata }: Table, now: number): boolean {
  return (
    goneSnapshots(metadata, expireSnapshots(metadata, now, UNBROKEN)).length >=
    limits.expireSnapshotsMin
  )
}

/** History without holes: what only removed snapshots name is known by the oldest that stays. */
export const UNBROKEN: HistoryPolicy = { ...HISTORY, keepEveryMs: 0 }

/** What makes `after` of a table: a new snapshot of main, properties, and history that goes. */
export function updatesOf(
  before: Metadata,
  after: Metadata,
  properties: Readonly<Record<string, string>>,
): TableCommit['updates'] {
  const snapshot = currentSnapshot(after)
  const id = snapshot?.['snapshot-id']
  const isNew = id !== undefined && id !== before['current-snapshot-id']
  // Whoever set how long main's history stays meant it for later snapshots too.
  const main = { ...before.refs['main'], type: 'branch', 'snapshot-id': id }
  const gone = goneSnapshots(before, after).map((each) => each['snapshot-id'])
  const refs = Object.keys(before.refs).filter((name) => !Object.hasOwn(after.refs, name))
  return [
    ...(isNew
      ? [
          { action: 'add-snapshot', snapshot },
          { action: 'set-snapshot-ref', 'ref-name': 'main', ...main },
        ]
      : []),
    ...(Object.keys(properties).length === 0
      ? []
      : [{ action: 'set-properties', updates: properties }]),
    ...refs.map((name) => ({ action: 'remove-snapshot-ref', 'ref-name': name })),
    ...(gone.length === 0 ? [] : [{ action: 'remove-snapshots', 'snapshot-ids': gone }]),
  ]
}

/** Snapshots that a commit of ours removes. */
export function goneSnapshots(before: Metadata, after: Metadata): Snapshot[] {
  const kept = new Set<Id>(after.snapshots.map((snapshot) => snapshot['snapshot-id']))
  return before.snapshots.filter((snapshot) => !kept.has(snapshot['snapshot-id']))
}

/** A snapshot of the same files. */
async function stageMark(
  { manifests }: Table,
  metadata: Metadata,
  snapshotId: number,
  summary: Readonly<Record<string, string>>,
  { storage, random }: Ports,
): Promise<Staged> {
  const sequence = metadata['last-sequence-number'] + 1
  const parent = currentSnapshot(metadata)
  const name = `snap-${snapshotId}-1-${uuid(random)}.avro`
  const list = join(metadata.location, 'metadata', name)
  const of = { id: snapshotId, parent: parent?.['snapshot-id'], sequence }
  await storage.write(list, encodeManifestList(manifests, of, random.bytes(16)))
  const totals = Object.entries(parent?.summary ?? {}).filter(([key]) => key.startsWith('total-'))
  const snapshot: Snapshot = {
    'snapshot-id': snapshotId,
    ...(parent === undefined ? {} : { 'parent-snapshot-id': parent['snapshot-id'] }),
    'sequence-number': sequence,
    'timestamp-ms': metadata['last-updated-ms'],
    'manifest-list': list,
    summary: { operation: 'append', ...Object.fromEntries(totals), ...summary },
    'schema-id': metadata['current-schema-id'],
  }
  return {
    manifests,
    metadata: {
      ...metadata,
      'last-sequence-number': sequence,
      'current-snapshot-id': snapshotId,
      refs: { ...metadata.refs, main: { 'snapshot-id': snapshotId, type: 'branch' } },
      snapshots: [...metadata.snapshots, snapshot],
    },
  }
}

/**
 * What our commits leave without a name: lists of the snapshots that they remove, and manifests that they merge away once no snapshot
 * that named them is left. Objects that others wrote, metadata files and tables with other branches or tags are not touched.
 */
export class Leftovers {
  /** Manifests by table: path, and the last sequence number that a snapshot naming it can have. */
  readonly #merged = new Map<string, { readonly path: string; readonly until: number }[]>()

  /** Locations that nothing names any more, now that a commit is certain. */
  after({ base, after }: Pick<StagedPart, 'base' | 'after'>): string[] {
    const { metadata } = after
    const ours = `${metadata.location}/metadata/`
    const lists = goneSnapshots(base.metadata, metadata).map((each) => each['manifest-list'])
    const present = new Set(after.manifests.map(({ path }) => path))
    // The current snapshot does not name it: those that do are older.
    const until = currentSnapshot(metadata)!['sequence-number'] - 1
    const merged = [...(this.#merged.get(base.name) ?? [])]
    for (const { path } of base.manifests) if (!present.has(path)) merged.push({ path, until })
    const first = Math.min(...metadata.snapshots.map((each) => each['sequence-number']))
    const waiting = merged.filter((manifest) => manifest.until >= first)
    // What is forgotten here is left to the catalog's own removal of orphans.
    this.#merged.set(base.name, waiting.slice(-limits.leftoverManifestsMax))
    const plain = Object.keys(metadata.refs).every((ref) => ref === 'main')
    if (!plain || metadata.properties['gc.enabled'] === 'false') return []
    const gone = merged.filter((manifest) => manifest.until < first).map(({ path }) => path)
    return [...lists, ...gone].filter((location) => location.startsWith(ours))
  }
}
