/** The bounds of the client, apart from the others and one by one, so that a browser bundle holds only their values. */

const KiB = 1024
const MiB = 1024 * KiB

/** Events in one batch; a full batch is closed. */
export const clientBatchEventsMax = 50
/** Estimated encoded bytes of one batch; below the 64 KiB that a browser lets a page send as it unloads. */
export const clientBatchBytesMax = 48 * KiB
/** How long an event waits for its batch to close. */
export const clientBatchAgeMsMax = 1000
/** Closed batches waiting to be sent; the oldest are dropped, and counted, over it. */
export const clientQueueBatchesMax = 1000
/** Characters of closed batches waiting to be sent. */
export const clientQueueBytesMax = 4 * MiB
/** Batches joined into one request body. */
export const clientBodyBatchesMax = 20
/** Characters of one request body; an event that does not fit is dropped as too large. */
export const clientBodyBytesMax = 512 * KiB
/** Bytes of an answer that the client for Node reads. */
export const clientAnswerBytesMax = 8 * MiB
/** Characters of one member of a context. */
export const clientContextCharsMax = 32 * KiB
export const clientRetryMsMin = 500
export const clientRetryMsMax = 60_000
/** The longest wait that a Retry-After is granted. */
export const clientRetryAfterMsMax = 3_600_000
export const clientRequestMsMax = 30_000
/** Drop reports that one batch carries, and that are kept before neighbours of several reasons are merged. */
export const clientDropReportsMax = 100
/** Time that close() gives the last batches. */
export const clientCloseMsMax = 5000
/** Nesting of a value; deeper ones, cyclic ones included, are dropped as not encodable. */
export const clientDepthMax = 32
