/** The metrics of a process in Prometheus' text format. Hot paths count in plain numbers; they are copied when they are scraped. */
import { collectDefaultMetrics, Counter, Gauge, Registry } from 'prom-client'
import type { SinkCounts } from '../log/records.ts'
import type { IntakeCounts } from './counts.ts'

/** What the door counts. */
export class DoorCounts {
  readonly responses = new Map<number, number>()
  bodyBytes = 0
  decodedBytes = 0

  answered(status: number): void {
    this.responses.set(status, (this.responses.get(status) ?? 0) + 1)
  }
}

/** A number that is read when it is scraped. */
export interface Reading {
  readonly name: string
  readonly help: string
  readonly read: () => number
}

/** Numbers by table that are read when they are scraped. */
export interface TableReading {
  readonly name: string
  readonly help: string
  readonly read: () => ReadonlyMap<string, number>
}

/** What maintenance counts; of the lake, which the collector does not know. */
export interface MaintenanceReading {
  readonly jobs: ReadonlyMap<string, number>
  readonly failures: number
  readonly refused: number
  readonly filesBefore: number
  readonly filesAfter: number
  readonly bytesRead: number
  readonly bytesWritten: number
  readonly removed: number
}

export interface MetricsOptions {
  readonly intake: IntakeCounts
  readonly door: DoorCounts
  /** Undefined where the lake is maintained elsewhere. */
  readonly maintenance: MaintenanceReading | undefined
  /** Undefined where records go to no broker. */
  readonly broker: SinkCounts | undefined
  readonly gauges: readonly Reading[]
  readonly tables: readonly TableReading[]
}

export function createMetrics(options: MetricsOptions): Registry {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  const { intake, door, maintenance, broker } = options
  const counters: Reading[] = [
    { name: 'batches_total', help: 'Batches that arrived.', read: () => intake.batches },
    {
      name: 'duplicate_batches_total',
      help: 'Batches known already.',
      read: () => intake.duplicates,
    },
    { name: 'landed_events_total', help: 'Events taken into tables.', read: () => intake.landed },
    {
      name: 'quarantined_events_total',
      help: 'Events in quarantine.',
      read: () => intake.quarantined,
    },
    {
      name: 'body_bytes_total',
      help: 'Bytes of bodies as they arrived.',
      read: () => door.bodyBytes,
    },
    {
      name: 'decoded_bytes_total',
      help: 'Bytes of bodies decompressed.',
      read: () => door.decodedBytes,
    },
    ...(maintenance === undefined ? [] : maintenanceCounters(maintenance)),
    ...(broker === undefined ? [] : brokerCounters(broker)),
  ]
  for (const { name, help, read } of counters) {
    const counter = new Counter({ name: `headwater_${name}`, help, registers: [registry] })
    collecting(counter, () => {
      counter.reset()
      counter.inc(read())
    })
  }
  if (maintenance !== undefined) {
    const help = 'Jobs of maintenance that were done.'
    labelled(registry, 'maintenance_jobs_total', help, 'kind', maintenance.jobs)
  }
  if (broker !== undefined) {
    const help = 'Groups of records that were not acknowledged in time, by reason.'
    labelled(registry, 'broker_failures_total', help, 'reason', broker.failures)
  }
  breakDown(registry, intake, door)
  for (const { name, help, read } of options.gauges) {
    const gauge = new Gauge({ name: `headwater_${name}`, help, registers: [registry] })
    collecting(gauge, () => gauge.set(read()))
  }
  for (const reading of options.tables) byTable(registry, reading)
  return registry
}

/** Counts by status, reason or field. */
function breakDown(registry: Registry, intake: IntakeCounts, door: DoorCounts): void {
  labelled(registry, 'responses_total', 'Answers by status.', 'status', door.responses)
  labelled(
    registry,
    'quarantine_reasons_total',
    'Quarantine rows by reason.',
    'reason',
    intake.reasons,
  )
  labelled(
    registry,
    'unread_parts_total',
    'Parts of bodies that are no batch.',
    'reason',
    intake.unread,
  )
  labelled(
    registry,
    'unknown_fields_total',
    'Batches with a field unknown to the specification.',
    'field',
    intake.unknown,
  )
}

function byTable(registry: Registry, { name, help, read }: TableReading): void {
  const options = { labelNames: ['table'], registers: [registry] }
  const gauge = new Gauge({ name: `headwater_${name}`, help, ...options })
  collecting(gauge, () => {
    gauge.reset()
    for (const [table, value] of read()) gauge.set({ table }, value)
  })
}

function maintenanceCounters(counts: MaintenanceReading): Reading[] {
  const counter = (name: string, help: string, read: () => number): Reading => ({
    name: `maintenance_${name}_total`,
    help,
    read,
  })
  return [
    counter('failures', 'Jobs of maintenance that failed.', () => counts.failures),
    counter('refused', 'Compactions whose table changed under them.', () => counts.refused),
    counter('files_before', 'Data files that compaction replaced.', () => counts.filesBefore),
    counter('files_after', 'Data files that it put in their place.', () => counts.filesAfter),
    counter('bytes_read', 'Bytes of files that it replaced.', () => counts.bytesRead),
    counter('bytes_written', 'Bytes of files that it wrote.', () => counts.bytesWritten),
    counter('removed', 'Objects without a name that were removed.', () => counts.removed),
  ]
}

function brokerCounters(counts: SinkCounts): Reading[] {
  const counter = (name: string, help: string, read: () => number): Reading => ({
    name: `broker_${name}_total`,
    help,
    read,
  })
  return [
    counter('records', 'Records that the broker acknowledged.', () => counts.records),
    counter('bytes', 'Bytes of these, uncompressed.', () => counts.bytes),
    counter('requests', 'Groups of records that were sent.', () => counts.requests),
  ]
}

function labelled(
  registry: Registry,
  name: string,
  help: string,
  label: string,
  counts: ReadonlyMap<string | number, number>,
): void {
  const options = { name: `headwater_${name}`, help, labelNames: [label], registers: [registry] }
  const counter = new Counter(options)
  collecting(counter, () => {
    counter.reset()
    for (const [key, count] of counts) counter.inc({ [label]: String(key) }, count)
  })
}

/** prom-client calls `collect` of a metric before it is written out. */
function collecting(metric: object, collect: () => void): void {
  Object.assign(metric, { collect })
}
