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
  /** Characters of a user agent that are looked at. */
  userAgentCharsMax: 512,
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
  groupCommitMs: 5,
  groupCommitBytesMax: 8 * MiB,
  logPendingBytesMax: 128 * MiB,
  /** How often a log that failed is tried again. */
  logProbeMs: 1000,
  /** Bytes read from a segment at once; a larger frame is read whole. */
  logReadBytes: 1 * MiB,

  // records for a broker
  /** Bytes of the value of one record, uncompressed. */
  recordBytesMax: 8 * MiB,
  /** Bytes of chunk lines above which a batch is divided into several records of a type. */
  recordSplitBytes: 512 * KiB,
  /** Rows and bytes of bodies that are checked in the same epoch before its memory is given back. */
  scratchRowsMax: 50_000,
  scratchBytesMax: 32 * MiB,

  // broker
  /** Producers side by side, each with one request under way, so that one slow partition does not hold up all others. */
  brokerLanes: 4,
  /** Bytes of records in one request, unless a single one has more. */
  brokerRequestBytes: 1 * MiB,
  /** Bytes of records that wait for their acknowledgement; over it 429. */
  brokerPendingBytesMax: 128 * MiB,
  /** How long records wait for others that go with them, unless the configuration says otherwise. */
  brokerLingerMs: 5,
  brokerLingerMsMax: 1000,
  /** Time for records to be acknowledged, with all that is tried. */
  brokerDeliveryMsMax: 12_000,
  brokerConnectMsMax: 3000,
  brokerRequestMsMax: 4000,
  /** How often the client tries again with the same sequence numbers, and the pause before. */
  brokerRetriesMax: 2,
  brokerRetryMs: 150,
  brokerRetryMsMax: 1000,
  /** How often brokers that failed are asked whether they can be written to. */
  brokerProbeMs: 1000,
  /** How long it is believed which broker leads a partition, unless it fails. */
  brokerMetadataMs: 60_000,
  brokerCausesMax: 100,
  brokerTopicsAtOnce: 100,
  /** How long topics keep records, unless the configuration says otherwise. */
  brokerRetentionHours: 72,
  /** Rounds of looking at the topics and changing them. */
  brokerTopicRoundsMax: 30,
  /** Time to find out how far the readers of a group are behind, and questions for offsets at a time in it. */
  lagMsMax: 15_000,
  lagRoundsMax: 40,

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
  /** Files of like size that become one while their day goes on, as the budget of files has it. */
  fanInMin: 4,
  fanInMax: 64,
  /** How far back the rate of a table is looked at; history may not go so far. */
  rateWindowMs: 3600 * 1000,
  /** Rows in memory, over all tables, those being written included, before the collector refuses more: 200 to 300 bytes each. */
  epochRowsMax: 2_000_000,
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
  /** Events before the valid-through time whose share a snapshot states (PROTOCOL.md §15). */
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
  /** Manifests of one size tier above which a commit merges them itself, rather than maintenance. */
  manifestsPerTierHardMax: 120,
  /** Manifests of one size tier from which on maintenance merges them before anything else. */
  manifestsUrgentMin: 60,
  /** Entries of a merged manifest, unless one day has more. */
  manifestEntriesMax: 2000,
  /** Age at which a snapshot is forgotten, and how many stay at least; a table's properties go before. */
  snapshotAgeMs: 10 * 60 * 1000,
  snapshotsMin: 5,
  /** Of older snapshots one per this time is kept, for that long. */
  snapshotEveryMs: 60 * 60 * 1000,
  snapshotKeepMs: 24 * 60 * 60 * 1000,
  metadataLogMax: 100,
  /** Age of an object that no snapshot names before it is removed; foreign writers may take hours to commit what they wrote. */
  orphanAgeMs: 24 * 60 * 60 * 1000,
  /** The same in somebody else's catalog, where others' commits are seen only by looking: as Iceberg's own procedure has it. */
  orphanAgeElsewhereMs: 3 * 24 * 60 * 60 * 1000,
  catalogVersionsKept: 100,
  /** Data directories that owned a lake before, whose log offsets it remembers. */
  formerOwnersMax: 1000,

  // reading tables, whoever wrote them
  /** Bytes of one manifest, manifest list or deletion vector, unpacked. */
  metadataBytesMax: 256 * MiB,
  /** Characters of the metadata of a table or view that other engines write. */
  metadataCharsMax: 64 * MiB,
  /** Records of such a file and items of lists in it, all together. */
  metadataItemsMax: 20_000_000,
  /** Entries of manifests that are kept decoded. */
  manifestCacheEntriesMax: 50_000,
  /** Parquet files whose schema is remembered; nesting of such a schema. */
  footerCacheFilesMax: 20_000,
  parquetDepthMax: 200,
  /** Constants of a query that files of one table are pruned by. */
  predicateConstantsMax: 10_000,
  /** Rows that deletion vectors delete in one query. */
  deletedPositionsMax: 50_000_000,
  /** Commits whose changes one query is told. */
  changesSnapshotsMax: 5000,
  /** Failures behind a failure that are looked at. */
  causesMax: 10,
  /** Nesting of an Avro schema, of its JSON and of its values. */
  avroDepthMax: 64,

  // doctor
  /** Free bytes below which a data folder needs looking after. */
  diskFreeBytesMin: 2_000_000_000,
  /** How long a platform may take to answer the doctor, ms. */
  doctorAnswerMsMax: 3000,

  // object stores
  /** Requests of one call, the first included; the pause between them doubles. */
  storageAttemptsMax: 4,
  storageConnectMsMax: 5000,
  storageIdleMsMax: 20_000,
  storageRequestMsMax: 60_000,
  storageConnectionsMax: 128,
  /** Objects that are fetched into the local cache at once. */
  storageFetchesMax: 32,
  /** Conditional PUTs that met another one (409) before the commit gives up, and the pause after the first. */
  storageConflictsMax: 8,
  storageConflictMs: 100,
  /** Bytes of a file from which on it is uploaded in parts. */
  storageMultipartBytes: 16 * MiB,
  storagePartBytes: 8 * MiB,
  storagePartsInFlight: 4,
  /** Bytes of the local cache of objects unless the configuration says otherwise. */
  storageCacheBytes: 4 * 1024 * MiB,
  /** A cached file that was used within this time stays. */
  storageCacheGraceMs: 10 * 60 * 1000,
  /** Large manifests that one day lies in, before they are written again by day. */
  manifestDepthMax: 8,
  /** Maintenance looks at a table that changed after this, at any other after the longer time. */
  maintenanceLookMs: 15_000,
  maintenanceLookMsMax: 5 * 60 * 1000,
  /** How long it waits with nothing to do, while writers are busy, and at most after a job. */
  maintenanceIdleMs: 2000,
  maintenanceBusyMs: 50,
  /** How long writers that never rest put off a job. */
  maintenanceDeferMsMax: 5000,
  maintenanceRestMsMax: 5 * 60 * 1000,
  /** How long after the start what crashes left is looked for. */
  maintenanceFirstSweepMs: 5 * 60 * 1000,
  /** How long a table is left alone after a job on it failed, and after its garbage was looked through. */
  maintenanceRetryMsMin: 5000,
  maintenanceRetryMsMax: 10 * 60 * 1000,
  maintenanceCollectMs: 5 * 60 * 1000,
  /** Size of a finished data file. */
  targetBytes: 128 * MiB,
  targetBytesMin: 1 * MiB,
  targetBytesMax: 1024 * MiB,
  /** How long a day must be over, and without a new file, to be put in its final form. */
  settleMs: 60 * 60 * 1000,
  /** Files that one job of compaction reads. */
  compactFilesMax: 256,
  /** Objects that left a table and are worth looking whether a snapshot names them. */
  garbageWorthMin: 50,
  /** Objects that left a table and are remembered until no snapshot names them; others are found by the sweep. */
  garbageMax: 500_000,
  /** How long such an object stays at least. */
  garbageAgeMs: 20 * 60 * 1000,
  /** Snapshots of a table that are forgotten together, at least. */
  expireSnapshotsMin: 30,
  /** Manifests of a table that wait for the last snapshot that names them. */
  leftoverManifestsMax: 10_000,
  /** Nesting of a table's schema. */
  schemaDepthMax: 64,

  // lake: its own catalog
  /** Bytes of a request to the catalog. */
  catalogBodyBytesMax: 32 * MiB,
  catalogConnectionsMax: 1000,
  /** Characters of a namespace level or of the name of a table or view. */
  catalogNameLengthMax: 255,
  catalogLevelsMax: 16,
  /** Entries of one page of a list, where the client does not say. */
  catalogPageMax: 1000,
  /** Commits of other engines that came too late, one after another, before headwater's own wait for one; and for how long at most. */
  foreignConflictsMin: 3,
  foreignYieldMs: 1000,
  /** Tables of other engines whose metadata is kept in memory. */
  catalogCacheEntriesMax: 64,
  /** Versions of a view, unless its own property says otherwise. */
  viewVersionsKept: 10,

  // lake: somebody else's catalog
  /** Time for one request, its answer included. */
  catalogRequestMsMax: 30_000,
  catalogAttemptsMax: 5,
  catalogRetryMsMin: 100,
  catalogRetryMsMax: 5000,
  /** A longer Retry-After is not waited for: the caller tries again later. */
  catalogRetryAfterMsMax: 30_000,
  catalogAnswerBytesMax: 256 * MiB,
  /** Clients for an object store, each with the credentials of one table. */
  storageGrantsMax: 1000,
  /** How long a start waits for the catalog before it takes events without it, and how often it looks for it then. */
  catalogPatienceMs: 3000,
  catalogAwayMsMin: 1000,
  catalogAwayMsMax: 60_000,
  /** Bytes that the log may keep for a catalog that is away; then devices are told to come later. */
  catalogAwayLogBytesMax: 32 * 1024 * MiB,
  /** Bytes of the log that are landed while events have to wait for it, at most. */
  catalogBackBytesMax: 4 * MiB,
  catalogPagesMax: 1000,
  /** Requests at once. */
  catalogRequestsMax: 8,
  /** A token is renewed this long before it ends. */
  catalogTokenMarginMs: 60_000,
  /** When it is looked for again, if a snapshot named it. */
  garbageAgainMs: 60 * 60 * 1000,

  // engine: Flink
  /** Time for one request to gateway or JobManager, its answer included. */
  flinkRequestMsMax: 60_000,
  flinkAnswerBytesMax: 64 * MiB,
  /** Time for a statement: planning of all parts, or submission of a job. */
  flinkStatementMsMax: 300_000,
  flinkRowsMax: 10_000,
  flinkPollMsMin: 20,
  flinkPollMsMax: 1000,
  /** Time for a savepoint, and for a job to end. */
  flinkSavepointMsMax: 600_000,
  /** How long batches are known, so that copies are told, unless the configuration says otherwise. */
  flinkCopiesHours: 72,
  /** Deployments that are kept to go back to. */
  flinkBundlesMax: 10,

  // watching a cluster
  /** Pause between two looks at Flink, Kafka and the tables. */
  watchEveryMs: 10_000,
  /** Time for an answer of Flink to a look. */
  watchAnswerMsMax: 5000,
  /** Latest commits of a table that one look reads; more in between, and their freshness is not counted. */
  watchCommitsMax: 20,
  /** Rows of the ledger that one look takes; over it nothing is claimed of completeness. */
  watchBatchesMax: 500_000,

  // cluster
  /** Artifacts fetched at once, requests for one, and the pause after the first, which doubles. */
  downloadsMax: 6,
  downloadAttemptsMax: 5,
  downloadRetryMs: 500,
  /** A download without a byte for so long is tried again. */
  downloadIdleMsMax: 20_000,
  /** A half-fetched file that nobody wrote to for so long belongs to nobody. */
  downloadAbandonedMs: 60_000,
  /** Time for the archive of Flink to arrive and be unpacked. */
  distributionMsMax: 30 * 60 * 1000,
  distributionPollMs: 500,
  /** Time for a program that is only asked its version, or formats a broker's disk. */
  commandMsMax: 60_000,
  commandOutputCharsMax: 20_000,
  clusterPortAttemptsMax: 200,
  clusterBrokersMax: 9,
  clusterTaskManagersMax: 64,
  clusterSlotsMax: 64,
  /** From the start of the processes until all of them answer. */
  clusterReadyMsMax: 120_000,
  clusterPollMs: 200,
  /** Time for an answer to the question whether a process is ready. */
  clusterProbeMsMax: 5000,
  clusterProbeBytesMax: 1 * MiB,
  /** Time for a process to end in order, and then to be gone. */
  clusterStopMsMax: 20_000,
  clusterKillMsMax: 10_000,
  /** Time for another `up` or `down` of the same folder to end. */
  clusterLockMsMax: 5 * 60 * 1000,

  // cli
  /** Bytes kept of what a program prints that `headwater dev` runs. */
  programOutputBytesMax: 64 * MiB,
  /** Rows of an answer that are shown as a table. */
  shownRowsMax: 1000,
} as const

assert(limits.clientBatchBytesMax < limits.clientBodyBytesMax, 'a batch fits a body')
assert(limits.clientBodyBytesMax <= limits.clientQueueBytesMax, 'a body fits the queue')
assert(
  // A character is at most 3 bytes of UTF-8 for each of its UTF-16 units.
  3 * limits.clientBodyBytesMax <= limits.bodyBytesMax,
  'the collector takes what clients send',
)
assert(
  // A report is at most 64 characters: a reason and two numbers.
  3 * limits.clientContextCharsMax + 64 * limits.clientDropReportsMax + 1024 <
    limits.headerBytesMax,
  'the collector takes a header with the longest member of a context and all drop reports',
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
assert(
  // Quarantine keeps bytes as base64, and their context as JSON inside JSON.
  2 * (limits.quarantineBytesMax + limits.headerBytesMax) < limits.recordBytesMax,
  'what cannot be read fits a record',
)
assert(limits.brokerRequestBytes <= limits.recordBytesMax, 'a request of records fits a topic')
assert(
  limits.recordBytesMax < limits.brokerPendingBytesMax,
  'the largest record fits what may wait for the broker',
)
assert(
  // The client makes a retry at 0 or 1 one without end, where sequence numbers are used.
  limits.brokerRetriesMax > 1 && limits.brokerRequestMsMax < limits.brokerDeliveryMsMax,
  'delivery has time for more than one request',
)
assert(limits.clientBatchEventsMax <= limits.batchEventsMax, 'the collector takes client batches')
assert(limits.storageFetchesMax < limits.storageConnectionsMax, 'commits go on beside fetches')
assert(5 * MiB <= limits.storagePartBytes, 'object stores take no smaller parts')
assert(limits.storagePartBytes < limits.storageMultipartBytes, 'an upload in parts has parts')
assert(
  limits.manifestsPerTierMax < limits.manifestsUrgentMin &&
    limits.manifestsUrgentMin < limits.manifestsPerTierHardMax,
  'maintenance merges manifests before commits have to',
)
assert(limits.garbageAgeMs > limits.snapshotAgeMs, 'what a snapshot named outlives it')
assert(limits.epochMs <= limits.epochMsMax, 'the cadence has room to adapt')
assert(
  limits.epochRowsFull < limits.epochRowsMax,
  'a full epoch is written before rows are refused',
)
assert(limits.clientBatchEventsMax <= limits.batchLateFilesMax, 'a client batch is never spread')
assert(
  limits.batchLateFilesMax + limits.epochLateFilesMax < limits.epochFilesMax,
  'late days alone do not close an epoch',
)
assert(
  limits.downloadIdleMsMax < limits.downloadAbandonedMs,
  "a download that still runs is nobody else's",
)
assert(
  limits.completenessWindowMs < limits.completenessMemoryMs,
  'the window is remembered while the valid-through time lags',
)
