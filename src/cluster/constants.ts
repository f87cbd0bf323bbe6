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
  collectorEventUs: {
    value: 6.5,
    unit: 'µs CPU per event',
    kind: 'measured',
    from: '`npm run bench:cluster`: 10.7 at 50 events a batch of 9 records on two idle cores; on busy ones 14.2, and 10.0 at 200 events, whose ratio gives this and collectorRecordUs',
  },
  collectorRecordUs: {
    value: 23,
    unit: 'µs CPU per record of a chunk or a batch',
    kind: 'measured',
    from: 'the same runs, as collectorEventUs',
  },
  brokerEventUs: {
    value: 2.7,
    unit: 'µs CPU per event and copy',
    kind: 'measured',
    from: '`npm run bench:cluster`: 3.4 at 50 events a batch on two idle cores, taking in; on busy ones, reading included, 15.0, and 12.9 at 200; followers are taken to cost as much as leaders. Most of it is per request: an upper bound',
  },
  brokerRecordUs: {
    value: 3.7,
    unit: 'µs CPU per record and copy',
    kind: 'measured',
    from: 'the same runs, as brokerEventUs',
  },
  taskManagerEventUs: {
    value: 1.7,
    unit: 'µs CPU per event',
    kind: 'measured',
    from: 'Kafka → UNNEST → first of (boot, seq) → Iceberg, slope over events: 2.3 at 50 events a chunk, 6.5 at 6.25, which is 1.7 + 30 per record; `npm run bench:cluster` read 23 to 55 on cores shared with others, where Java was still compiling',
  },
  taskManagerRecordUs: {
    value: 30,
    unit: 'µs CPU per record',
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
  storedEventBytes: {
    value: 23,
    unit: 'bytes per event at the broker, zstd',
    kind: 'measured',
    from: '`npm run bench:cluster`: 57 at 50 events a batch, 31 at 200',
  },
  storedRecordBytes: {
    value: 190,
    unit: 'bytes per record of a chunk or a batch at the broker, zstd',
    kind: 'measured',
    from: 'the same runs, as storedEventBytes',
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
    value: 72,
    unit: 'bytes of a checkpoint per remembered record',
    kind: 'measured',
    from: '`npm run bench:cluster`: 649 for a batch of nine records, boots of 22 characters',
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
