/** The bounds that the client needs, apart from the others so that a browser bundle holds only these. */

const KiB = 1024
const MiB = 1024 * KiB

export const clientLimits = {
  /** Events in one batch; a full batch is closed. */
  clientBatchEventsMax: 50,
  /** Estimated encoded bytes of one batch; below the 64 KiB that a browser lets a page send as it unloads. */
  clientBatchBytesMax: 48 * KiB,
  /** How long an event waits for its batch to close. */
  clientBatchAgeMsMax: 1000,
  /** Closed batches waiting to be sent; the oldest are dropped, and counted, over it. */
  clientQueueBatchesMax: 1000,
  /** Bytes of closed batches waiting to be sent. */
  clientQueueBytesMax: 4 * MiB,
  /** Batches joined into one request body. */
  clientBodyBatchesMax: 20,
  /** Encoded bytes of one request body. */
  clientBodyBytesMax: 512 * KiB,
  clientRetryMsMin: 500,
  clientRetryMsMax: 60_000,
  clientRequestMsMax: 30_000,
  /** Distinct drop reports kept before they are merged. */
  clientDropReportsMax: 100,
  /** Time that close() gives the last batches. */
  clientCloseMsMax: 5000,
  /** Nesting of a value; deeper ones, cyclic ones included, are dropped as not encodable. */
  clientDepthMax: 32,
} as const
