/** Cluster mode: a collector that keeps nothing and hands records to Kafka, and beside it the lake's catalog and maintenance. */
import type { HeadwaterError } from '../base/errors.ts'
import { error } from '../base/errors.ts'
import { failed, ok, type Result } from '../base/result.ts'
import { IntakeCounts } from '../collector/counts.ts'
import { Forward } from '../collector/forward.ts'
import type { Reading } from '../collector/metrics.ts'
import type { CatalogLake, Lake, Maintainer } from '../lake/index.ts'
import type { OpenedKafka, ReconciledTopics } from '../log/kafka/index.ts'
import type { RecordSink } from '../log/records.ts'
import { type CatalogDoor, openOwnCatalog } from './catalog.ts'
import { ClusterWatch } from './cluster-watch.ts'
import { declareTables } from './declare-tables.ts'
import { type Door, openDoor } from './door.ts'
import { flinkOf } from './flink-config.ts'
import { catalogGauges, lakeGauges } from './gauges.ts'
import { openProjectKafka } from './kafka.ts'
import { projectMaintainer } from './maintenance.ts'
import type { Platform, PlatformOptions } from './platform.ts'
import { openConfiguredLake } from './project-lake.ts'
import { schemasOf } from './schemas.ts'

export interface ClusterPlatform extends Pick<
  Platform,
  'url' | 'catalogUrl' | 'counts' | 'ready' | 'close'
> {
  /** Undefined where another process keeps the lake. */
  readonly lake: Lake | undefined
  readonly topics: ReconciledTopics
}

/** The lake of this process, with what keeps it. */
interface Shore {
  readonly lake: Lake | CatalogLake
  readonly catalog: CatalogDoor | undefined
  readonly maintainer: Maintainer | undefined
  readonly watch: ClusterWatch
}

/** Fails as startPlatform does, and with the failures of Kafka; `config_invalid` without the option `cluster`. */
export async function startClusterPlatform(
  options: PlatformOptions,
): Promise<Result<ClusterPlatform>> {
  const { project } = options
  const { cluster } = project.config
  if (cluster === undefined) return failed(error('config_invalid', 'cluster: it is not there.'))
  const kafka = await openProjectKafka(project, cluster.kafka, options)
  if (!kafka.ok) return kafka
  const shore = cluster.collectorOnly ? ok(undefined) : await openShore(options)
  if (!shore.ok) {
    await kafka.value.sink.close()
    return shore
  }
  const counts = new IntakeCounts()
  const intake = new Forward({
    schemas: schemasOf(project),
    sink: kafka.value.sink,
    counts,
    development: options.development,
    times: project.config.time,
  })
  const door = await openDoor({
    ...options,
    intake,
    counts,
    maintenance: shore.value?.maintainer?.counts,
    broker: kafka.value.sink.counts,
    gauges: clusterGauges(kafka.value, shore.value),
    tables: shore.value?.watch.tables ?? [],
  })
  if (!door.ok) {
    await closeAll(undefined, kafka.value.sink, shore.value)
    return door
  }
  if (project.config.maintenance.enabled) shore.value?.maintainer?.start()
  shore.value?.watch.start()
  return ok({
    url: door.value.url,
    catalogUrl: shore.value?.catalog?.url,
    counts,
    lake: shore.value?.lake,
    topics: kafka.value.topics,
    ready: () => intake.ready(),
    close: () => closeAll(door.value, kafka.value.sink, shore.value),
  })
}

/** Opens the lake, makes its tables, and opens its catalog to the engine that lands the rows. */
async function openShore(options: PlatformOptions): Promise<Result<Shore>> {
  const { project } = options
  const lake = await openConfiguredLake(project, options, false)
  if (!lake.ok) return lake
  const closing = async (failure: HeadwaterError): Promise<Result<never>> => {
    await lake.value.close()
    return failed(failure)
  }
  const declared = await declareTables(lake.value, schemasOf(project), options)
  if (!declared.ok) return closing(declared.error)
  const catalog = await openOwnCatalog(options, lake.value)
  if (!catalog.ok) return closing(catalog.error)
  const maintainer = projectMaintainer({
    ...options,
    ...project,
    lake: lake.value,
    busy: () => false,
    onFailure: options.onMaintenanceFailure ?? (() => {}),
  })
  const { fetch } = globalThis
  const flink = await flinkOf(project.config.cluster, project.data, options.localFlink)
  const watch = new ClusterWatch({ ...options, fetch, flink, lake: lake.value })
  return ok({ lake: lake.value, catalog: catalog.value, maintainer, watch })
}

function clusterGauges({ sink, topics }: OpenedKafka, shore: Shore | undefined): Reading[] {
  const { counts } = sink
  const catalog = shore?.catalog?.counts
  return [
    {
      name: 'broker_available',
      help: '1 while the brokers acknowledge records.',
      read: () => (sink.failure === undefined ? 1 : 0),
    },
    {
      name: 'broker_waiting_bytes',
      help: 'Bytes of records that wait for their acknowledgement.',
      read: () => counts.waitingBytes,
    },
    {
      name: 'broker_waiting_records',
      help: 'How many records these are.',
      read: () => counts.waitingRecords,
    },
    {
      name: 'broker_topic_differences',
      help: 'Ways in which topics differ from what is declared, as of the start.',
      read: () => topics.differences.length,
    },
    ...(shore === undefined ? [] : [...lakeGauges(() => shore.lake), ...shore.watch.gauges]),
    ...(catalog === undefined ? [] : catalogGauges(catalog)),
  ]
}

/** The door first, so that what it took is still sent. */
async function closeAll(
  door: Door | undefined,
  sink: RecordSink,
  shore: Shore | undefined,
): Promise<void> {
  await door?.close()
  await sink.close()
  await shore?.watch.stop()
  await shore?.maintainer?.stop()
  await shore?.catalog?.close()
  await shore?.lake.close()
}
