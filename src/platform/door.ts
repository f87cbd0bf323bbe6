/** Wires the collector of a platform: keys, origins, look-ups, metrics, and the port it listens on. */
import type { Clock } from '../base/clock.ts'
import type { HeadwaterError } from '../base/errors.ts'
import { error } from '../base/errors.ts'
import { errnoOf } from '../base/files.ts'
import { failed, ok, type Result } from '../base/result.ts'
import { corsOf } from '../collector/cors.ts'
import type { IntakeCounts } from '../collector/counts.ts'
import { openEnricher } from '../collector/enrich.ts'
import { type Collector, createCollector } from '../collector/http.ts'
import type { Intake } from '../collector/intake.ts'
import { keysOf } from '../collector/keys.ts'
import { createMetrics, DoorCounts, type Reading, type TableReading } from '../collector/metrics.ts'
import type { MaintenanceCounts } from '../lake/index.ts'
import type { SinkCounts } from '../log/records.ts'
import { httpUrl } from './address.ts'
import type { Project } from './project.ts'

export interface DoorOptions {
  readonly project: Project
  readonly clock: Clock
  readonly intake: Intake
  readonly counts: IntakeCounts
  /** What maintenance counts, where the lake is maintained here. */
  readonly maintenance: MaintenanceCounts | undefined
  /** What the sink of records counts, where there is one. */
  readonly broker: SinkCounts | undefined
  readonly gauges: readonly Reading[]
  readonly tables: readonly TableReading[]
  readonly development: boolean
}

export interface Door {
  readonly url: string
  close(): Promise<void>
}

export async function openDoor(options: DoorOptions): Promise<Result<Door>> {
  const { project, clock, intake, counts, development } = options
  const { http, keys, enrich } = project.config
  const door = new DoorCounts()
  let collector: Collector | undefined
  const registry = createMetrics({
    intake: counts,
    door,
    maintenance: options.maintenance,
    broker: options.broker,
    gauges: [...doorGauges(intake, () => collector), ...options.gauges],
    tables: options.tables,
  })
  collector = createCollector({
    intake,
    clock,
    keys: keysOf(keys),
    cors: corsOf(development ? ['*'] : http.origins),
    enricher: await openEnricher(enrich),
    counts: door,
    metrics: () => registry.metrics(),
    trustProxyHops: http.trustProxyHops,
  })
  try {
    const { port } = await collector.listen(http.port, http.host)
    return ok({ url: httpUrl(http.host, port), close: () => collector.close() })
  } catch (cause) {
    return failed(listenFailure(cause, http))
  }
}

/** What every platform tells, whatever is behind its door. */
function doorGauges(intake: Intake, collector: () => Collector | undefined): Reading[] {
  return [
    {
      name: 'ready',
      help: '1 while events are taken.',
      read: () => (intake.ready().length === 0 ? 1 : 0),
    },
    {
      name: 'in_flight_bytes',
      help: 'Bytes of bodies in memory.',
      read: () => collector()?.inFlightBytes ?? 0,
    },
    { name: 'connections', help: 'Open connections.', read: () => collector()?.connections ?? 0 },
  ]
}

/** Why the address cannot be taken, in our terms. */
function listenFailure(
  cause: unknown,
  { host, port }: { host: string; port: number },
): HeadwaterError {
  const message = cause instanceof Error ? cause.message : String(cause)
  const code = errnoOf(cause) === 'EADDRINUSE' ? 'port_in_use' : 'listen_failed'
  return error(code, `${host}:${port}: ${message}.`, cause)
}
