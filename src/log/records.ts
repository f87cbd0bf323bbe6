/** The port to a broker: records that are durable on it before anyone is answered (PROTOCOL.md §17). */
import type { HeadwaterError } from '../base/errors.ts'
import type { Result } from '../base/result.ts'

/** One record. */
export interface StreamRecord {
  /** Topic, without the prefix of the configuration. */
  readonly topic: string
  /** Records of one key go to one partition; null: any partition. */
  readonly key: string | null
  readonly value: Buffer
  /** Timestamp, ms since 1970. */
  readonly time: number
}

/** What a sink has done since its start, and what it holds. */
export interface SinkCounts {
  /** Records and bytes of values that the broker acknowledged. */
  readonly records: number
  readonly bytes: number
  /** Bytes of records that wait for their acknowledgement, and how many records that are. */
  readonly waitingBytes: number
  readonly waitingRecords: number
  /** Requests that were answered, and that failed for good. */
  readonly requests: number
  readonly failures: ReadonlyMap<string, number>
}

/** Takes records for a broker. */
export interface RecordSink {
  /**
   * Resolves when every record is durable on all in-sync replicas, or when one of them is not: then any of them may be. Refused at
   * once with `overloaded` while too many bytes wait, `draining` once closed, and the error of `failure` while there is one; a
   * broker that stops answering is `broker_unavailable`. Never rejects.
   */
  send(records: readonly StreamRecord[]): Promise<Result<void>>
  /** Why records cannot be taken now; undefined while they can. */
  readonly failure: HeadwaterError | undefined
  readonly counts: SinkCounts
  /** Waits for what was taken, within a bound, and closes. */
  close(): Promise<void>
}
