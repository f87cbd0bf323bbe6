/** Reads and changes topics through the client's admin. */
import type { Admin } from '@platformatic/kafka'
import { limits } from '../../base/limits.ts'
import { topicName } from './settings.ts'
import { type FoundTopic, type TopicAdmin, topicConfigs, type WantedTopic } from './topics.ts'

/** Kafka's number for a resource that is a topic, and for setting a value (KIP-339). */
const TOPIC = 2
const SET = 0

export function topicAdmin(admin: Admin, prefix: string): TopicAdmin {
  return {
    find: (topics) => findTopics(admin, prefix, topics),
    create: (topics) => createTopics(admin, prefix, topics),
    grow: async (partitions) => {
      const topics = [...partitions].map(([topic, count]) => ({
        name: topicName(prefix, topic),
        count,
      }))
      await unless('INVALID_PARTITIONS', admin.createPartitions({ topics }))
    },
    raise: async (settings) => {
      const resources = [...settings].map(([topic, values]) => ({
        resourceType: TOPIC,
        resourceName: topicName(prefix, topic),
        configs: [...values].map(([name, value]) => ({ name, value, configOperation: SET })),
      })) satisfies Parameters<Admin['incrementalAlterConfigs']>[0]['resources']
      await admin.incrementalAlterConfigs({ resources })
    },
  }
}

async function findTopics(
  admin: Admin,
  prefix: string,
  wanted: readonly string[],
): Promise<ReadonlyMap<string, FoundTopic>> {
  const all = new Set(await admin.listTopics())
  const names = new Map(wanted.map((topic) => [topicName(prefix, topic), topic]))
  const there = [...names.keys()].filter((name) => all.has(name))
  if (there.length === 0) return new Map()
  const { topics } = await admin.metadata({ topics: there, forceUpdate: true })
  const resources = there.map((resourceName) => ({ resourceType: TOPIC, resourceName }) as const)
  const found = new Map<string, FoundTopic>()
  for (const { resourceName, configs } of await admin.describeConfigs({ resources })) {
    const topic = topics.get(resourceName)
    if (topic === undefined) continue
    found.set(names.get(resourceName)!, {
      partitions: topic.partitionsCount,
      replicas: topic.partitions[0]?.replicas.length ?? 0,
      configs: new Map(configs.map(({ name, value }) => [name, value ?? ''])),
    })
  }
  return found
}

/** Topics of the same settings go together; one that another collector has just made is there, which is what counts. */
async function createTopics(
  admin: Admin,
  prefix: string,
  topics: readonly WantedTopic[],
): Promise<void> {
  const alike = Map.groupBy(topics, (topic) => JSON.stringify([...topicConfigs(topic)]))
  for (const group of alike.values()) {
    for (let i = 0; i < group.length; i += limits.brokerTopicsAtOnce) {
      const some = group.slice(i, i + limits.brokerTopicsAtOnce)
      const configs = [...topicConfigs(some[0]!)].map(([name, value]) => ({ name, value }))
      const topicsAndSettings = { topics: some.map((topic) => named(topic, prefix)), configs }
      await unless('TOPIC_ALREADY_EXISTS', admin.createTopics(topicsAndSettings))
    }
  }
}

function named(
  { topic, partitions, replicas }: WantedTopic,
  prefix: string,
): {
  topic: string
  partitions: number
  replicas?: number
} {
  const name = topicName(prefix, topic)
  return { topic: name, partitions, ...(replicas === undefined ? {} : { replicas }) }
}

/** Waits for a change; that another collector has made it first is no failure. */
async function unless(known: string, change: Promise<unknown>): Promise<void> {
  try {
    await change
  } catch (cause) {
    if (!isOnly(known, cause)) throw cause
  }
}

/** Whether nothing else is wrong. */
function isOnly(known: string, cause: unknown): boolean {
  const { apiId, errors } = cause as { apiId?: unknown; errors?: unknown }
  if (Array.isArray(errors) && errors.length > 0) {
    return errors.every((each) => isOnly(known, each))
  }
  return apiId === known
}
