/** Finds the snapshot of a table that a query means: by id, tag, branch, time or completeness. */
import { error } from '../../base/errors.ts'
import type { Id, Metadata, Snapshot } from '../../lake/metadata.ts'
import type { When } from './time-travel.ts'

/** A snapshot, and whether rows are read with the table's current schema rather than the one of the snapshot. */
export interface Found {
  readonly snapshot: Snapshot
  readonly current: boolean
}

/** Throws HeadwaterError `snapshot_unknown` that names some that there are. */
export function findSnapshot(
  table: string,
  metadata: Metadata,
  when: Exclude<When, { kind: 'complete' }>,
): Found {
  return when.kind === 'version'
    ? byVersion(table, metadata, when.value)
    : { snapshot: byTime(table, metadata, timeOf(when.value)), current: false }
}

/** The snapshot of an id, or that a tag or branch names. */
function byVersion(table: string, metadata: Metadata, value: string): Found {
  const ref = Object.hasOwn(metadata.refs, value) ? metadata.refs[value] : undefined
  const id = ref === undefined ? idOf(value) : ref['snapshot-id']
  const snapshot = id === undefined ? undefined : snapshotOf(metadata, id)
  if (snapshot !== undefined) return { snapshot, current: ref?.type === 'branch' }
  const [before, after] = neighbours(metadata, id)
  const near = [...before.slice(-2), ...after.slice(0, 2)].map(describe)
  const refs = Object.keys(metadata.refs)
  throw error(
    'snapshot_unknown',
    `${table} has no snapshot, tag or branch ${value}. Nearest: ${near.join(', ') || 'none'}. Tags and branches: ${refs.join(', ') || 'none'}.`,
  )
}

function idOf(text: string): Id | undefined {
  if (!/^\d{1,19}$/.test(text)) return undefined
  const number = Number(text)
  return Number.isSafeInteger(number) ? number : BigInt(text)
}

export function snapshotOf(metadata: Metadata, id: Id): Snapshot | undefined {
  return metadata.snapshots.find((snapshot) => snapshot['snapshot-id'] === id)
}

/** Snapshots with lesser ids and with greater ones; by age where no id is asked for. */
function neighbours(metadata: Metadata, id: Id | undefined): [Snapshot[], Snapshot[]] {
  if (id === undefined) return [[...metadata.snapshots], []]
  const sorted = metadata.snapshots.toSorted((a, b) =>
    compareIds(a['snapshot-id'], b['snapshot-id']),
  )
  const first = sorted.findIndex((snapshot) => snapshot['snapshot-id'] > id)
  return first === -1 ? [sorted, []] : [sorted.slice(0, first), sorted.slice(first)]
}

function compareIds(a: Id, b: Id): number {
  return a < b ? -1 : a > b ? 1 : 0
}

/** The snapshot that was current at a time, ms since 1970. */
export function byTime(table: string, metadata: Metadata, time: number): Snapshot {
  const log = metadata['snapshot-log']
  const entry = log.findLast((each) => each['timestamp-ms'] <= time)
  const snapshot = entry && snapshotOf(metadata, entry['snapshot-id'])
  if (snapshot !== undefined) return snapshot
  const first = log[0] && snapshotOf(metadata, log[0]['snapshot-id'])
  throw error(
    'snapshot_unknown',
    `${table} had no snapshot at ${isoTime(time)}, or has forgotten it. The oldest that it has is ${first === undefined ? 'none' : describe(first)}.`,
  )
}

function describe(snapshot: Snapshot): string {
  return `${snapshot['snapshot-id']} of ${isoTime(snapshot['timestamp-ms'])}`
}

function isoTime(ms: number): string {
  return Number.isFinite(ms) && Math.abs(ms) < 8.64e15 ? new Date(ms).toISOString() : String(ms)
}

/** ms since 1970 of a time as it is written: ISO 8601, UTC where it names no zone; a date; or seconds or milliseconds since 1970. */
export function timeOf(text: string): number {
  const trimmed = text.trim()
  if (/^\d+(\.\d+)?$/.test(trimmed)) {
    const number = Number(trimmed)
    // Seconds until the year 5138.
    return number < 1e11 ? number * 1000 : number
  }
  const match =
    /^(\d{4}-\d\d-\d\d)(?:[ T](\d\d:\d\d)(:\d\d)?(\.\d+)?)?\s*(Z|UTC|[+-]\d\d(?::?\d\d)?)?$/i.exec(
      trimmed,
    )
  const [, date, minutes = '00:00', seconds = ':00', fraction = '', zone = 'Z'] = match ?? []
  const offset = /^[+-]/.test(zone) ? zone.replace(':', '').padEnd(5, '0') : '+0000'
  const time = Date.parse(
    `${date}T${minutes}${seconds}${fraction.slice(0, 4)}${offset.slice(0, 3)}:${offset.slice(3)}`,
  )
  if (match !== null && !Number.isNaN(time)) return time
  throw error('query_failed', `${text} is not a time: write '2026-03-01 12:00:00', in UTC.`)
}
