/** What the ledger says of a batch that completeness is reckoned from, read from an epoch's columns. */
import { assert } from '../base/assert.ts'
import {
  type Column,
  DoubleColumn,
  IntColumn,
  ListColumn,
  LongColumn,
  StructColumn,
} from './column.ts'
import type { TableBuffer } from './table.ts'
import { StringColumn } from './text-column.ts'

/** A batch whose numbers are its own (PROTOCOL.md §11). Times are ms since 1970. */
export interface LedgerEntry {
  readonly boot: string
  readonly seq: number
  readonly first: number
  readonly count: number
  readonly received: number
  /** Event time at the zero of the boot's clock. */
  readonly zero: number
  /** Latest event time; undefined where no event has one. */
  readonly newest: number | undefined
  readonly types: readonly {
    readonly type: string
    readonly landed: number
    readonly quarantined: number
  }[]
}

/** Event time at the zero of a boot's clock (PROTOCOL.md §6), ms since 1970. */
export function bootZero(batch: {
  readonly received: number
  readonly sent: number
  readonly booted: number
  readonly clock: string
  readonly rtt: number | undefined
}): number {
  const zero = batch.received - batch.sent - (batch.rtt ?? 0) / 2
  return batch.clock === 'wall' ? zero + batch.booted : zero
}

/** The entries of an epoch's ledger, in the order the batches arrived. */
export function* ledgerEntries(ledger: TableBuffer): Iterable<LedgerEntry> {
  const int = (name: string): IntColumn => typed(ledger.column(name), IntColumn)
  const long = (name: string): LongColumn => typed(ledger.column(name), LongColumn)
  const double = (name: string): DoubleColumn => typed(ledger.column(name), DoubleColumn)
  const text = (name: string): StringColumn => typed(ledger.column(name), StringColumn)
  const [boot, clock, types] = [
    text('boot'),
    text('clock'),
    typed(ledger.column('types'), ListColumn),
  ]
  const typeCounts = typeCountsOf(types)
  const [seq, first, count] = [int('seq'), long('first'), int('count')]
  const [receivedAt, eventTo] = [long('received_at'), long('event_to')]
  const [sent, booted, rtt] = [double('sent'), double('booted'), double('rtt')]
  for (let row = 0; row < ledger.rows; row++) {
    if (types.isNull(row)) continue
    const received = numberAt(receivedAt, row) / 1000
    yield {
      boot: textAt(boot, row),
      seq: seq.data[row]!,
      first: numberAt(first, row),
      count: count.data[row]!,
      received,
      zero: bootZero({
        received,
        sent: sent.data[row]!,
        booted: booted.data[row]!,
        clock: textAt(clock, row),
        rtt: rtt.isNull(row) ? undefined : rtt.data[row]!,
      }),
      newest: eventTo.isNull(row) ? undefined : numberAt(eventTo, row) / 1000,
      types: typeCounts(row),
    }
  }
}

/** Events by type of a row of the ledger; none where its numbers are not its own. */
export function typesOf(ledger: TableBuffer, row: number): LedgerEntry['types'] {
  const types = typed(ledger.column('types'), ListColumn)
  return types.isNull(row) ? [] : typeCountsOf(types)(row)
}

/** Reads the counts by type of a row. */
function typeCountsOf(column: ListColumn): (row: number) => LedgerEntry['types'] {
  const members = typed(column.element, StructColumn).members
  const type = typed(members[0], StringColumn)
  const landed = typed(members[1], IntColumn)
  const quarantined = typed(members[2], IntColumn)
  return (row) => {
    const from = column.offsets[row]!
    return Array.from({ length: column.lengths[row]! }, (_, i) => ({
      type: textAt(type, from + i),
      landed: landed.data[from + i]!,
      quarantined: quarantined.data[from + i]!,
    }))
  }
}

function typed<T extends Column>(column: Column | undefined, type: new (...args: never[]) => T): T {
  assert(column instanceof type, `the ledger has a ${type.name}`)
  return column
}

/** A long of a column as a number; exact up to 2^53. */
export function numberAt({ data }: LongColumn, row: number): number {
  return data[row * 2 + 1]! * 4294967296 + (data[row * 2]! >>> 0)
}

function textAt({ data, dictionary }: StringColumn, row: number): string {
  return dictionary.values[data[row]!]!
}
