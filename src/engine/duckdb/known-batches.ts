/** Reads the ledger back at the start of the process, so that repeats of old batches are still known, and what is missing too. */
import { assert } from '../../base/assert.ts'
import { HeadwaterError } from '../../base/errors.ts'
import { limits } from '../../base/limits.ts'
import { bootZero, type LedgerEntry } from '../../columns/ledger-entry.ts'
import type { Lake } from '../../lake/lake.ts'
import { type Answer, LakeReader } from './reader.ts'

export interface KnownBatch {
  readonly boot: string
  readonly seq: number
  readonly first: number
  readonly count: number
  readonly fingerprint: number
}

/** The batches of the ledger that completeness is reckoned from, in the order they were received. Throws HeadwaterError `query_failed`. */
export function recentEntries(lake: Lake): Promise<readonly LedgerEntry[]> {
  return entriesOf(lake, '')
}

/** Of these batches those that came at `since` (ms since 1970) or later; undefined where they are more than `most`. */
export async function entriesSince(
  lake: Lake,
  since: number,
  most: number,
): Promise<readonly LedgerEntry[] | undefined> {
  const wanted = `received_at >= make_timestamptz(${Math.floor(since) * 1000})`
  const entries = await entriesOf(lake, `AND ${wanted}`, `LIMIT ${most + 1}`)
  return entries.length > most ? undefined : entries
}

async function entriesOf(lake: Lake, and: string, limit = ''): Promise<LedgerEntry[]> {
  const rows = await ledgerRows(
    lake,
    `SELECT boot, seq, "first", "count", epoch_us(received_at), sent, booted, clock, rtt, epoch_us(event_to), types
     FROM batches
     WHERE types IS NOT NULL AND received_at >=
       (SELECT max(received_at) FROM batches) - INTERVAL ${RECENT_MS} MILLISECONDS ${and}
     ORDER BY received_at, seq ${limit}`,
  )
  return rows.map(([boot, seq, first, count, receivedAt, sent, booted, clock, rtt, to, types]) => {
    const received = Number(receivedAt) / 1000
    const time = { sent: Number(sent), booted: Number(booted), clock: String(clock) }
    return {
      boot: String(boot),
      seq: Number(seq),
      first: Number(first),
      count: Number(count),
      received,
      zero: bootZero({ received, ...time, rtt: rtt === null ? undefined : Number(rtt) }),
      newest: to === null ? undefined : Number(to) / 1000,
      types: types as LedgerEntry['types'],
    }
  })
}

const RECENT_MS = limits.completenessMemoryMs + limits.completenessOvertakenMs

/** Every batch of the ledger that was not a repeat, in the order they were received. Throws HeadwaterError `query_failed`. */
export async function knownBatches(lake: Lake): Promise<readonly KnownBatch[]> {
  const rows = await ledgerRows(
    lake,
    `SELECT boot, seq, "first", "count", fingerprint FROM batches
     WHERE status <> 'duplicate' ORDER BY received_at, seq`,
  )
  return rows.map(([boot, seq, first, count, fingerprint]) => {
    assert(typeof boot === 'string', 'boot is text')
    return {
      boot,
      seq: Number(seq),
      first: Number(first),
      count: Number(count),
      fingerprint: Number(fingerprint),
    }
  })
}

async function ledgerRows(lake: Lake, sql: string): Promise<Answer['rows']> {
  if (!lake.state.tables.has('batches')) return []
  const reader = await LakeReader.open(lake, 2)
  try {
    const answer = await reader.query(lake.state, sql)
    if (!answer.ok) throw new HeadwaterError(answer.error.code, answer.error.detail)
    return answer.value.rows
  } finally {
    reader.close()
  }
}
