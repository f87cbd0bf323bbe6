/** Reads the ledger back at the start of the process, so that repeats of old batches are still known. */
import { assert } from '../../base/assert.ts'
import { HeadwaterError } from '../../base/errors.ts'
import type { Lake } from '../../lake/lake.ts'
import { LakeReader } from './reader.ts'

export interface KnownBatch {
  readonly boot: string
  readonly seq: number
  readonly first: number
  readonly count: number
  readonly fingerprint: number
}

/** Every batch of the ledger that was not a repeat, in the order they were received. Throws HeadwaterError `query_failed`. */
export async function knownBatches(lake: Lake): Promise<readonly KnownBatch[]> {
  if (!lake.state.tables.has('batches')) return []
  const reader = await LakeReader.open(lake, 2)
  try {
    const answer = await reader.query(
      lake.state,
      `SELECT boot, seq, "first", "count", fingerprint FROM batches
       WHERE status <> 'duplicate' ORDER BY received_at, seq`,
    )
    if (!answer.ok) throw new HeadwaterError(answer.error.code, answer.error.detail)
    return answer.value.rows.map(([boot, seq, first, count, fingerprint]) => {
      assert(typeof boot === 'string', 'boot is text')
      return {
        boot,
        seq: Number(seq),
        first: Number(first),
        count: Number(count),
        fingerprint: Number(fingerprint),
      }
    })
  } finally {
    reader.close()
  }
}
