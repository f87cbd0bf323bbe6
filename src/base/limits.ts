/** Every bound of headwater in one place; relations between bounds are asserted below. */
import { assert } from './assert.ts'
import * as clientLimits from './client-limits.ts'

const KiB = 1024
const MiB = 1024 * KiB

export const limits = {
  ...clientLimits,

  // collector
  /** Bytes of a body as it arrives. */
  bodyBytesMax: 4 * MiB,
  /** Bytes of a body after decompression. */
  bodyDecodedBytesMax: 16 * MiB,
  bodyMsMax: 30_000,
  bodyBatchesMax: 1000,
  batchEventsMax: 10_000,
  chunksPerBatchMax: 1000,
  columnsPerChunkMax: 1000,
  /** UTF-16 units of one string value unless the field says less. */
  stringLengthMax: 64 * KiB,
  /** Nesting of a json value, and of a value that no specification knows. */
  jsonDepthMax: 32,
  /** Nesting of an event that the quarantine keeps as JSON; of a deeper one it keeps the bytes of the batch. */
  quarantineDepthMax: 100,
  /** Elements of one list or map value. */
  listElementsMax: 10_000,
  /** Bytes of a header line, context and drop reports included. */
  headerBytesMax: 128 * KiB,
  droppedReportsMax: 1000,
  connectionsMax: 10_000,
  /** Bytes of bodies in memory at once; over it 429. */
  inFlightBytesMax: 256 * MiB,
  reasonsInAnswerMax: 5,
  reasonsInAnswerDevelopmentMax: 1000,
  /** Bytes kept of a body or line that cannot be read; the row says how many there were. */
  quarantineBytesMax: 64 * KiB,
  retryAfterSeconds: 2,
  drainMsMax: 10_000,
  /** User agents and addresses whose look-up is remembered. */
  enrichCacheEntriesMax: 10_000,
  /** Boots remembered for duplicates; over it new boots get 503 rather than a wrong answer. */
  bootsMax: 32_000_000,
  /** Stretches of batches of one boot that arrived out of order. */
  bootGapsMax: 1000,
  /** Batches whose fingerprint is remembered to tell a repeat from a conflict. */
  fingerprintsMax: 1 << 20,

  // log
  frameBytesMax: 32 * MiB,
  segmentBytes: 64 * MiB,
  /** Appends that wait for this long share one fdatasync. */
  groupCommitMs: 2,
  groupCommitBytesMax: 8 * MiB,
  logPendingBytesMax: 128 * MiB,
  /** How often a log that failed is tried again. */
  logProbeMs: 1000,
  /** Bytes read from a segment at once; a larger frame is read whole. */
  logReadBytes: 1 * MiB,

  // engine
  epochMs: 1000,
  /** Time between commits that writing takes its time for, at most. */
  epochMsMax: 10_000,
  /** The laxest freshness objective: rows wait in memory and in the log for it. */
  freshnessMsMax: 600_000,
  /** How often it is looked whether an epoch is due, at least. */
  cadencePollMsMax: 250,
  /** Rows of an epoch that is written whatever the objective. */
  epochRowsFull: 1_000_000,
  /** Commits whose freshness is remembered. */
  freshnessCommitsMax: 600,
  /** Files that a day of a table may have. */
  filesPerDay: 200,
  /** Sizes that files are merged to. */
  mergedFileBytesMin: 1 * MiB,
  mergedFileBytesMax: 128 * MiB,
  /** Files of like size that become one while their day goes on. */
  fanInMin: 4,
  fanInMax: 64,
  /** How far back the rate of a table is looked at; history may not go so far. */
  rateWindowMs: 3600 * 1000,
  /** Rows in memory, over all tables, before the collector refuses more. */
  epochRowsMax: 8_000_000,
  /** Days of event time over all tables of one epoch, each of which becomes a file; more, and the epoch is closed early. */
  epochFilesMax: 2000,
  /** Characters of a string column's dictionary above which it is written plain. */
  dictionaryCharsMax: 16 * MiB,
  epochRetryMsMin: 250,
  epochRetryMsMax: 10_000,
  /** How far event_time may lie from received_at at most before it is received_at, with a flag; the configuration may say less. */
  eventTimePastDaysMax: 3660,
  eventTimeFutureMsMax: 24 * 3600 * 1000,
  /** Files for days other than yesterday, today and tomorrow that one batch may open; more of its events land on the day of receipt. */
  batchLateFilesMax: 50,
  /** Such files of one epoch after which batches that would open another wait. */
  epochLateFilesMax: 100,
  /** Days whose memory a table keeps for the next epoch. */
  spareDaysMax: 4,
  /** Events before the valid-through time whose share a snapshot states (PROTOCOL.md §14). */
  completenessWindowMs: 3600 * 1000,
  /** How long numbers and boots are remembered for it. */
  completenessMemoryMs: 90 * 60 * 1000,
  /** How much more of the ledger is read at the start, so that batches that others overtook find their neighbours. */
  completenessOvertakenMs: 30 * 60 * 1000,
  completenessBootsMax: 1_000_000,
  /** Numbers that one stretch without batches counts for at most, so that a client that makes numbers up cannot drown the others. */
  completenessGapMax: 100_000,

  // lake
  commitAttemptsMax: 20,
  /** Manifests of one size tier that are merged into one. */
  manifestsPerTierMax: 30,
  snapshotAgeMs: 10 * 60 * 1000,
  snapshotsMin: 5,
  metadataLogMax: 100,
  orphanAgeMs: 60 * 60 * 1000,
  catalogVersionsKept: 100,
} as const

assert(limits.clientBatchBytesMax < limits.clientBodyBytesMax, 'a batch fits a body')
assert(limits.clientBodyBytesMax <= limits.clientQueueBytesMax, 'a body fits the queue')
assert(
  // A character is at most 3 bytes of UTF-8 for each of its UTF-16 units.
  3 * limits.clientBodyBytesMax <= limits.bodyBytesMax,
  'the collector takes what clients send',
)
assert(limits.clientBodyBatchesMax <= limits.bodyBatchesMax, 'the collector takes joined batches')
assert(limits.clientDropReportsMax <= limits.droppedReportsMax, 'the collector takes drop reports')
assert(limits.clientDepthMax >= limits.jsonDepthMax, 'the client drops nothing that could land')
assert(limits.clientRetryAfterMsMax < 2 ** 31, 'a timer can wait as long as Retry-After says')
assert(limits.bodyBytesMax <= limits.bodyDecodedBytesMax, 'decoding never shrinks the bound')
assert(limits.bodyDecodedBytesMax < limits.frameBytesMax, 'every accepted body fits a frame')
assert(limits.frameBytesMax <= limits.segmentBytes, 'every frame fits a segment')
assert(
  limits.groupCommitBytesMax + limits.frameBytesMax <= limits.segmentBytes,
  'every group fits a segment',
)
assert(limits.clientBatchEventsMax <= limits.batchEventsMax, 'the collector takes client batches')
assert(limits.epochMs <= limits.epochMsMax, 'the cadence has room to adapt')
assert(
  limits.epochRowsFull < limits.epochRowsMax,
  'a full epoch is written before rows are refused',
)
assert(limits.mergedFileBytesMin < limits.mergedFileBytesMax, 'file sizes have a range')
assert(limits.clientBatchEventsMax <= limits.batchLateFilesMax, 'a client batch is never spread')
assert(
  limits.batchLateFilesMax + limits.epochLateFilesMax < limits.epochFilesMax,
  'late days alone do not close an epoch',
)
assert(
  limits.completenessWindowMs < limits.completenessMemoryMs,
  'the window is remembered while the valid-through time lags',
)
