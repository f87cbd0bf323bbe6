/** What a cluster costs per event, batch and commit, each figure with where it is from; `headwater size` reckons with these alone. */

export interface Constant {
  readonly value: number
  readonly unit: string
  /** Measured by us, stated by others, or set by us for want of a measurement. */
  readonly kind: 'measured' | 'published' | 'assumed'
  /** The command or document that gives it, and under what conditions. */
  readonly from: string
}

/** An event of 170 bytes as a row of JSON is what the costs were measured with. */
export const MEASURED_EVENT_BYTES = 170

export const CONSTANTS = {
  collectorUs: {
    value: 3.1,
    unit: 'µs CPU per event',
    kind: 'measured',
    from: '`npm run bench`, embedded: writing Parquet is in it, encoding records for Kafka is not, so an upper bound until the latter is measured',
  },
  brokerUs: {
    value: 0.19,
    unit: 'µs CPU per event and copy',
    kind: 'measured',
    from: 'chunks of 6 to 50 events on one broker: 0.10–0.19; followers are taken to cost as much as leaders',
  },
  taskManagerEventUs: {
    value: 1.7,
    unit: 'µs CPU per event',
    kind: 'measured',
    from: 'Kafka → UNNEST → first of (boot, seq) → Iceberg, slope over events: 2.3 at 50 events a chunk, 6.5 at 6.25, which is 1.7 + 30 per chunk',
  },
  taskManagerChunkUs: {
    value: 30,
    unit: 'µs CPU per chunk',
    kind: 'measured',
    from: 'as taskManagerEventUs',
  },
  rocksdbUs: {
    value: 10,
    unit: 'µs CPU per remembered record',
    kind: 'assumed',
    from: 'a look-up and a write in RocksDB instead of on the heap, which the figures above were measured with',
  },
  wireBytes: {
    value: 75,
    unit: 'bytes per event from devices',
    kind: 'measured',
    from: '`npm run bench`, batches of 50 events, not compressed; gzip makes it about 30',
  },
  recordBytes: {
    value: 45,
    unit: 'bytes per event in Kafka, compressed',
    kind: 'assumed',
    from: 'a gzipped chunk is 30; numbers, times and the context of each record come on top',
  },
  ledgerRecordBytes: {
    value: 250,
    unit: 'bytes per batch in Kafka, compressed',
    kind: 'assumed',
    from: 'a record of batches is about 700 bytes of JSON that resembles its neighbours',
  },
  lakeBytes: {
    value: 21,
    unit: 'bytes per event in Parquet',
    kind: 'measured',
    from: '`npm run bench`, zstd, files of a second; larger files are smaller per event',
  },
  stateHeapBytes: {
    value: 275,
    unit: 'bytes of heap per remembered record',
    kind: 'measured',
    from: 'first of (boot, seq) with a lifetime, hash map, boots of 36 characters, class histogram of a TaskManager with 1.3 million of them',
  },
  stateCheckpointBytes: {
    value: 78,
    unit: 'bytes of a checkpoint per remembered record',
    kind: 'measured',
    from: 'the same job, growth of its checkpoints over 600,000 records, by Flink’s REST API',
  },
  catalogCommitMs: {
    value: 10.8,
    unit: 'ms per table and commit',
    kind: 'measured',
    from: '17 tables in 183 ms, one after another, Apache’s reference catalog on SQLite (ARCHITECTURE.md)',
  },
  replicasPerBroker: {
    value: 4000,
    unit: 'replicas of partitions per broker',
    kind: 'published',
    from: 'the advice of Kafka’s maintainers for brokers of this size',
  },
  replicasPerCluster: {
    value: 200_000,
    unit: 'replicas of partitions per cluster',
    kind: 'published',
    from: 'the same, for one cluster; KRaft was shown with more',
  },
  objectWritesPerSecond: {
    value: 3500,
    unit: 'PUTs per second and prefix of an object store',
    kind: 'published',
    from: 'Amazon S3; prefixes are split as load grows',
  },
} as const satisfies Record<string, Constant>
