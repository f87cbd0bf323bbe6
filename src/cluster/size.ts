/** How large a cluster is for a rate of events: cores, machines, partitions, bytes, files, and what breaks first; pure arithmetic on the constants. */
import { limits } from '../base/limits.ts'
import { CONSTANTS, MEASURED_EVENT_BYTES } from './constants.ts'

export interface Load {
  /** Events per second. */
  readonly rate: number
  /** Of an event as a row of JSON. */
  readonly bytes: number
  /** Event types, whose rates fall as 1, 1/2, 1/3 … (Zipf). */
  readonly types: number
  /** Events of a batch. */
  readonly batch: number
  /** Event types in a batch. */
  readonly typesPerBatch: number
  /** Between checkpoints, each of which commits every table. */
  readonly intervalSeconds: number
  /** How long Kafka keeps records. */
  readonly retentionHours: number
  /** How long a batch is remembered, so that a copy of it is known. */
  readonly memoryHours: number
  /** Of each partition. */
  readonly copies: number
  readonly machine: Machine
}

export interface Machine {
  readonly cores: number
  readonly memoryBytes: number
  /** In each direction. */
  readonly networkBytesPerSecond: number
  /** Of a broker, or of a TaskManager for its state. */
  readonly diskBytes: number
}

export const DEFAULT_LOAD: Load = {
  rate: 5_000_000,
  bytes: 170,
  types: 300,
  batch: 50,
  typesPerBatch: 8,
  intervalSeconds: 60,
  retentionHours: limits.brokerRetentionHours,
  memoryHours: limits.flinkCopiesHours,
  copies: 3,
  machine: {
    cores: 16,
    memoryBytes: 64e9,
    networkBytesPerSecond: 1.25e9,
    diskBytes: 8e12,
  },
}

/** The share of a resource that a plan uses, so that there is room for peaks, for catching up, and for a machine that is lost. */
export const USED_SHARE = 0.6

/** A reason for so many machines. */
export interface Need {
  readonly what: string
  /** Machines, not rounded, with room left. */
  readonly machines: number
}

/** Something that ends, and the rate at which it does with the machines of the plan. */
export interface Limit {
  readonly what: string
  /** How much of it the load takes: 1 is all. */
  readonly used: number
  /** Events per second; undefined where it does not depend on the rate. */
  readonly breaksAt: number | undefined
  readonly effect: string
}

export interface Plan {
  readonly load: Load
  readonly chunkEvents: number
  readonly batchesPerSecond: number
  readonly recordsPerSecond: number
  readonly collector: { readonly cores: number; readonly processes: number; readonly us: number }
  readonly kafka: {
    readonly cores: number
    readonly brokers: number
    readonly why: string
    readonly needs: readonly Need[]
    readonly partitions: number
    /** Of the most frequent event type. */
    readonly partitionsMost: number
    readonly diskBytes: number
    readonly us: number
  }
  readonly flink: {
    readonly cores: number
    readonly taskManagers: number
    readonly why: string
    readonly needs: readonly Need[]
    readonly us: number
    readonly remembered: number
    readonly backend: 'hashmap' | 'rocksdb'
    readonly stateBytes: number
    /** A whole one; RocksDB writes only what is new of it. */
    readonly checkpointBytes: number
    readonly checkpointWrittenBytes: number
  }
  readonly lake: {
    readonly tables: number
    readonly bytesPerDay: number
    readonly filesPerCommit: number
    readonly filesPerDay: number
    readonly fileBytes: number
    readonly commitsPerSecond: number
    readonly objectsPerDay: number
  }
  /** Bytes per second. */
  readonly network: {
    readonly devices: number
    readonly collectorsToBrokers: number
    readonly betweenBrokers: number
    readonly brokersToFlink: number
    readonly flinkToLake: number
  }
  /** The one that breaks first comes first. */
  readonly limits: readonly Limit[]
}

/** Every number of the load is positive. */
export function planFor(load: Load): Plan {
  const shape = shapeOf(load)
  const cost = flinkCost(load, shape)
  const partitions = partitionsFor(load, cost.us)
  const kafka = kafkaPlan(load, shape, partitions)
  const lake = lakePlan(load, partitions)
  const flink = flinkPlan(load, shape, cost, lake)
  const { collectorEventUs, collectorRecordUs } = CONSTANTS
  const perRecord = collectorRecordUs.value * shape.recordsPerEvent
  const us = (collectorEventUs.value + perRecord) * shape.scale
  const cores = (load.rate * us) / 1e6
  // A collector is one thread.
  const collector = { us, cores, processes: Math.max(2, Math.ceil(cores / USED_SHARE)) }
  const records = load.rate * shape.recordBytes
  const plan = {
    load,
    chunkEvents: shape.chunkEvents,
    batchesPerSecond: load.rate / load.batch,
    recordsPerSecond: shape.recordsPerSecond,
    collector,
    kafka,
    flink,
    lake,
    network: {
      devices: load.rate * CONSTANTS.wireBytes.value * shape.size,
      collectorsToBrokers: records,
      betweenBrokers: records * (load.copies - 1),
      brokersToFlink: records,
      flinkToLake: lake.bytesPerDay / DAY_S,
    },
  }
  return { ...plan, limits: limitsOf(plan) }
}

const DAY_S = 86_400
const HOUR_S = 3600

interface Shape {
  /** Bytes against those of the events that were measured. */
  readonly size: number
  /** Cost against that of the events that were measured; small events are not believed to cost less. */
  readonly scale: number
  readonly chunkEvents: number
  /** Records of events and of batches. */
  readonly recordsPerSecond: number
  readonly recordsPerEvent: number
  /** Per event as brokers store it, its share of each record included. */
  readonly recordBytes: number
}

function shapeOf({ rate, bytes, batch, typesPerBatch, types }: Load): Shape {
  const size = bytes / MEASURED_EVENT_BYTES
  const chunks = Math.min(typesPerBatch, batch, types)
  const recordsPerEvent = (chunks + 1) / batch
  const { storedEventBytes, storedRecordBytes } = CONSTANTS
  return {
    size,
    scale: Math.max(1, size),
    chunkEvents: batch / chunks,
    recordsPerSecond: rate * recordsPerEvent,
    recordsPerEvent,
    recordBytes: storedEventBytes.value * size + storedRecordBytes.value * recordsPerEvent,
  }
}

interface FlinkCost {
  /** Per event of a table, its chunk included. */
  readonly us: number
  /** All of it, the ledger included. */
  readonly cores: number
  /** Records whose copies are known. */
  readonly remembered: number
  readonly backend: 'hashmap' | 'rocksdb'
  /** What holds state on the heap; no reason for machines where RocksDB has it. */
  readonly onHeap: readonly Need[]
}

function flinkCost(load: Load, { scale, chunkEvents, recordsPerSecond }: Shape): FlinkCost {
  const { taskManagerEventUs, taskManagerRecordUs, rocksdbUs } = CONSTANTS
  const { rate, batch, machine } = load
  const costs = (recordUs: number): { us: number; cores: number } => {
    const us = (taskManagerEventUs.value + recordUs / chunkEvents) * scale
    // A row of the ledger is a record of its own.
    const ledgerUs = taskManagerEventUs.value + recordUs
    return { us, cores: (rate * us + (rate / batch) * ledgerUs) / 1e6 }
  }
  const remembered = recordsPerSecond * load.memoryHours * HOUR_S
  const onHeap = heapNeeds(load, remembered)
  const small = costs(taskManagerRecordUs.value)
  const most = Math.max(1, small.cores / machine.cores / USED_SHARE)
  return onHeap.every(({ machines }) => machines <= most)
    ? { ...small, remembered, onHeap, backend: 'hashmap' }
    : {
        ...costs(taskManagerRecordUs.value + rocksdbUs.value),
        remembered,
        onHeap,
        backend: 'rocksdb',
      }
}

/** On the heap, a checkpoint is all of the state, and must be through before the next begins. */
function heapNeeds({ machine, intervalSeconds }: Load, remembered: number): Need[] {
  const checkpoint = remembered * CONSTANTS.stateCheckpointBytes.value
  return [
    {
      what: 'state in memory',
      machines: (remembered * CONSTANTS.stateHeapBytes.value) / (machine.memoryBytes * HEAP_SHARE),
    },
    {
      what: 'whole checkpoints',
      machines: checkpoint / intervalSeconds / machine.networkBytesPerSecond / USED_SHARE,
    },
  ]
}

interface Partitions {
  readonly total: number
  readonly most: number
}

/** As many of each topic as slots, of one core each, that its share of the load keeps busy; at least one. */
function partitionsFor({ rate, batch, types }: Load, us: number): Partitions {
  const perPartition = (1e6 / us) * USED_SHARE
  let weights = 0
  for (let i = 1; i <= types; i++) weights += 1 / i
  const of = (share: number): number => Math.max(1, Math.ceil((rate * share) / perPartition))
  // Ledger and quarantine.
  let total = of((1 / batch) * 2) + 1
  for (let i = 1; i <= types; i++) total += of(1 / i / weights)
  return { total, most: of(1 / weights) }
}

function kafkaPlan(load: Load, shape: Shape, partitions: Partitions): Plan['kafka'] {
  const { rate, copies, machine, retentionHours } = load
  const { brokerEventUs, brokerRecordUs } = CONSTANTS
  const perRecord = brokerRecordUs.value * shape.recordsPerEvent
  const us = (brokerEventUs.value + perRecord) * shape.scale * copies
  const cores = (rate * us) / 1e6
  const bytes = rate * shape.recordBytes
  const diskBytes = bytes * copies * retentionHours * HOUR_S
  const needs = [
    { what: 'cores', machines: cores / machine.cores / USED_SHARE },
    // Each record comes in once per copy, and goes out once per further copy and once to Flink.
    { what: 'network', machines: (bytes * copies) / machine.networkBytesPerSecond / USED_SHARE },
    { what: 'disk', machines: diskBytes / machine.diskBytes / USED_SHARE },
    {
      what: 'partitions',
      machines: (partitions.total * copies) / CONSTANTS.replicasPerBroker.value,
    },
    { what: 'copies', machines: copies },
  ]
  return {
    us,
    cores,
    diskBytes,
    needs,
    partitions: partitions.total,
    partitionsMost: partitions.most,
    ...mostOf(needs, 'brokers'),
  }
}

function flinkPlan(load: Load, shape: Shape, cost: FlinkCost, lake: Plan['lake']): Plan['flink'] {
  const { machine, intervalSeconds } = load
  const { us, cores, remembered, backend, onHeap } = cost
  const checkpointBytes = remembered * CONSTANTS.stateCheckpointBytes.value
  const bytes = Math.max(load.rate * shape.recordBytes, lake.bytesPerDay / DAY_S)
  const onDisk = {
    what: 'state on disk',
    machines: checkpointBytes / machine.diskBytes / USED_SHARE,
  }
  const needs = [
    { what: 'cores', machines: cores / machine.cores / USED_SHARE },
    { what: 'network', machines: bytes / machine.networkBytesPerSecond / USED_SHARE },
    ...(backend === 'hashmap' ? onHeap : [onDisk]),
  ]
  const fresh = Math.min(remembered, shape.recordsPerSecond * intervalSeconds)
  const heap = remembered * CONSTANTS.stateHeapBytes.value
  return {
    us,
    cores,
    remembered,
    backend,
    needs,
    checkpointBytes,
    stateBytes: backend === 'hashmap' ? heap : checkpointBytes,
    checkpointWrittenBytes:
      backend === 'hashmap' ? checkpointBytes : fresh * CONSTANTS.stateCheckpointBytes.value,
    ...mostOf(needs, 'taskManagers'),
  }
}

/** Of a TaskManager's memory, for state on the heap. */
const HEAP_SHARE = 0.4

function lakePlan(load: Load, partitions: Partitions): Plan['lake'] {
  const { rate, bytes, batch, types, intervalSeconds } = load
  const size = bytes / MEASURED_EVENT_BYTES
  const tables = types + 2
  // Every writer of a table writes a file at each checkpoint; a row of the ledger counts as two events.
  const filesPerCommit = partitions.total
  const commits = DAY_S / intervalSeconds
  const bytesPerDay = (rate + (2 * rate) / batch) * CONSTANTS.lakeBytes.value * size * DAY_S
  return {
    tables,
    bytesPerDay,
    filesPerCommit,
    filesPerDay: filesPerCommit * commits,
    fileBytes: bytesPerDay / (filesPerCommit * commits),
    commitsPerSecond: tables / intervalSeconds,
    // Beside data: a manifest, a list and the metadata of each table.
    objectsPerDay: (filesPerCommit + 3 * tables) * commits,
  }
}

function mostOf<Name extends string>(
  needs: readonly Need[],
  name: Name,
): Record<Name, number> & { why: string } {
  const [first] = needs.toSorted((a, b) => b.machines - a.machines) as [Need]
  return { [name]: Math.max(1, Math.ceil(first.machines)), why: first.what } as Record<
    Name,
    number
  > & { why: string }
}

/** With the machines of the plan, and no others. */
function limitsOf(plan: Omit<Plan, 'limits'>): Limit[] {
  const { load, collector, kafka, flink, lake } = plan
  const growing = (what: string, used: number, effect: string): Limit => ({
    what,
    used,
    effect,
    breaksAt: load.rate / used,
  })
  const steady = (what: string, used: number, effect: string): Limit => ({
    what,
    used,
    effect,
    breaksAt: undefined,
  })
  const writesPerSecond = lake.objectsPerDay / DAY_S
  const ends = [
    growing(
      `${collector.processes} collectors`,
      collector.cores / collector.processes,
      'devices get 429 and send later; add collectors',
    ),
    // Room that the number of machines was reckoned with is there to be used.
    ...kafka.needs
      .filter(({ what }) => what !== 'copies' && what !== 'partitions')
      .map(({ what, machines }) =>
        growing(
          `${what} of ${kafka.brokers} brokers`,
          (machines * USED_SHARE) / kafka.brokers,
          what === 'disk'
            ? 'records go before their time; keep them shorter or add brokers'
            : 'collectors wait for brokers, devices get 429; add brokers and move partitions',
        ),
      ),
    ...flink.needs.map(({ what, machines }) =>
      growing(
        `${what} of ${flink.taskManagers} TaskManagers`,
        (machines * (what === 'state in memory' ? 1 : USED_SHARE)) / flink.taskManagers,
        what.startsWith('state') || what === 'whole checkpoints'
          ? 'checkpoints fail and nothing is committed; remember batches for less time, or add TaskManagers'
          : 'lag grows while records are kept; add TaskManagers and raise the parallelism',
      ),
    ),
    growing(
      'partitions of one Kafka cluster',
      (kafka.partitions * load.copies) / CONSTANTS.replicasPerCluster.value,
      'a second cluster for some of the event types',
    ),
    growing(
      'writes to one prefix of the object store',
      writesPerSecond / CONSTANTS.objectWritesPerSecond.value,
      'commits get slower; checkpoint less often',
    ),
    steady(
      'commits of one catalog',
      lake.commitsPerSecond * (CONSTANTS.catalogCommitMs.value / 1000),
      'checkpoints wait for it; checkpoint less often, or divide the tables between catalogs',
    ),
  ]
  return ends.toSorted((a, b) => b.used - a.used)
}
