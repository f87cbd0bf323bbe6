/** Writes what did not land to the quarantine table, with the reason (PROTOCOL.md §10). */
import type { ErrorCode } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import type { TableBuffer } from '../columns/table.ts'
import type { RequestFacts } from './intake.ts'

/** One row of the quarantine. */
export interface Quarantined {
  /** µs since 1970 would be storage; this is ms, as everywhere in the collector. */
  readonly received: number
  readonly source: string
  readonly sdk?: string | undefined
  readonly boot?: string | undefined
  readonly seq?: number | undefined
  /** Number of the event; undefined when the row stands for several. */
  readonly n?: number | undefined
  /** How many numbered events the row stands for. */
  readonly events: number
  readonly type?: string | undefined
  readonly field?: string | undefined
  readonly reason: ErrorCode
  readonly message: string
  /** JSON text of the event. */
  readonly payload?: string | undefined
  readonly bytes?: Uint8Array | undefined
  /** JSON text of the batch context. */
  readonly context?: string | undefined
}

export function writeQuarantined(table: TableBuffer, entry: Quarantined): void {
  const row = table.startRow()
  table.set('received_at', row, entry.received)
  table.set('source', row, label(entry.source))
  table.set('sdk', row, label(entry.sdk))
  table.set('boot', row, entry.boot)
  table.set('seq', row, entry.seq)
  table.set('n', row, entry.n)
  table.set('events', row, entry.events)
  table.set('type', row, label(entry.type))
  table.set('field', row, label(entry.field))
  table.set('reason', row, entry.reason)
  table.set('message', row, label(entry.message))
  table.set('payload', row, entry.payload)
  table.set('context', row, entry.context)
  if (entry.bytes !== undefined) {
    // The body's memory is the caller's: keep a copy of what the row holds.
    table.set('bytes', row, entry.bytes.slice(0, limits.quarantineBytesMax))
    table.set('bytes_total', row, entry.bytes.length)
  }
}

/** Writes bytes that could not be read as a batch. */
export function writeUnreadable(
  table: TableBuffer,
  bytes: Uint8Array,
  problem: { readonly code: ErrorCode; readonly message: string; readonly events: number },
  { received, source }: RequestFacts,
): void {
  const { code: reason, message, events } = problem
  writeQuarantined(table, { received, source, events, reason, message, bytes })
}

/** A name that a client chose, made safe to store: bounded, and with replacement characters where it is not Unicode. */
function label(text: string | undefined): string | undefined {
  return text?.slice(0, 512).toWellFormed()
}
