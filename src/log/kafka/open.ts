/** Opens a Kafka cluster for writing: topics as they are declared, then a sink on them. */
import { type Clock, sleep } from '../../base/clock.ts'
import { HeadwaterError } from '../../base/errors.ts'
import { limits } from '../../base/limits.ts'
import { failed, ok, type Result } from '../../base/result.ts'
import { topicAdmin } from './admin.ts'
import { failureOf } from './failure.ts'
import { Lane, type OpenProducer } from './lane.ts'
import { clientOptions, type KafkaSettings } from './settings.ts'
import { KafkaSink } from './sink.ts'
import { type ReconciledTopics, reconcileTopics, type WantedTopic } from './topics.ts'

export interface OpenedKafka {
  readonly sink: KafkaSink
  readonly topics: ReconciledTopics
}

/** Fails with `broker_unavailable`, `broker_refused` or `topics_missing`. */
export async function openKafka(
  settings: KafkaSettings,
  wanted: readonly WantedTopic[],
  { manage, clock }: { readonly manage: boolean; readonly clock: Clock },
): Promise<Result<OpenedKafka>> {
  // A third of a second to load: only where it is used.
  const { Admin } = await import('@platformatic/kafka')
  const admin = new Admin(clientOptions(settings, clock))
  try {
    const pause = (ms: number): Promise<void> => sleep(clock, ms)
    const topics = await reconcileTopics(wanted, topicAdmin(admin, settings.prefix), {
      manage,
      pause,
    })
    return ok({ sink: await openSink(settings, topics, clock), topics })
  } catch (cause) {
    return failed(cause instanceof HeadwaterError ? cause : failureOf(cause, 'reading the topics'))
  } finally {
    await admin.close().catch(() => undefined)
  }
}

/** Which of the topics there are. Fails with `broker_unavailable` or `broker_refused`. */
export async function existingTopics(
  settings: KafkaSettings,
  topics: readonly string[],
  clock: Clock,
): Promise<Result<ReadonlySet<string>>> {
  const { Admin } = await import('@platformatic/kafka')
  const admin = new Admin(clientOptions(settings, clock))
  try {
    const found = await topicAdmin(admin, settings.prefix).find(topics)
    return ok(new Set(found.keys()))
  } catch (cause) {
    return failed(failureOf(cause, 'reading the topics'))
  } finally {
    await admin.close().catch(() => undefined)
  }
}

async function openSink(
  settings: KafkaSettings,
  { topics }: ReconciledTopics,
  clock: Clock,
): Promise<KafkaSink> {
  const { compatibilityPartitioner, Producer } = await import('@platformatic/kafka')
  let keyless = 0
  const open: OpenProducer = () =>
    new Producer<Buffer, Buffer, Buffer, Buffer>({
      ...clientOptions(settings, clock),
      idempotent: true,
      repeatOnStaleMetadata: false,
      compression: settings.compression,
      partitioner: (message, key) =>
        key === undefined ? keyless++ : compatibilityPartitioner(message, key),
    })
  const { prefix, lingerMs } = settings
  const lanes = Array.from({ length: limits.brokerLanes }, () => new Lane(open, clock, prefix))
  const replicas = new Map(
    [...topics].map(([topic, { configs }]) => [topic, Number(configs.get(MIN_REPLICAS) ?? 1)]),
  )
  return new KafkaSink(lanes, replicas, { clock, lingerMs })
}

const MIN_REPLICAS = 'min.insync.replicas'
