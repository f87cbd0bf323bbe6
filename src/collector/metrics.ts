/** The metrics of a process in Prometheus' text format. Hot paths count in plain numbers; they are copied when they are scraped. */
import { collectDefaultMetrics, Counter, Gauge, Registry } from 'prom-client'
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

export interface MetricsOptions {
  readonly intake: IntakeCounts
  readonly door: DoorCounts
  readonly gauges: readonly Reading[]
  readonly tables: readonly TableReading[]
}

export function createMetrics(options: MetricsOptions): Registry {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  const { intake, door } = options
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
  ]
  for (const { name, help, read } of counters) {
    const counter = new Counter({ name: `headwater_${name}`, help, registers: [registry] })
    collecting(counter, () => {
      counter.reset()
      counter.inc(read())
    })
  }
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
  for (const { name, help, read } of options.gauges) {
    const gauge = new Gauge({ name: `headwater_${name}`, help, registers: [registry] })
    collecting(gauge, () => gauge.set(read()))
  }
  for (const reading of options.tables) byTable(registry, reading)
  return registry
}

function byTable(registry: Registry, { name, help, read }: TableReading): void {
  const options = { labelNames: ['table'], registers: [registry] }
  const gauge = new Gauge({ name: `headwater_${name}`, help, ...options })
  collecting(gauge, () => {
    gauge.reset()
    for (const [table, value] of read()) gauge.set({ table }, value)
  })
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
