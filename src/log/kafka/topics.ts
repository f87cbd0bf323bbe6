/** Brings the topics of a cluster to what is declared: makes what is missing, raises what is too small, and names what differs otherwise. */
import { error } from '../../base/errors.ts'
import { limits } from '../../base/limits.ts'

/** A topic as it is wanted. */
export interface WantedTopic {
  /** Without the prefix. */
  readonly topic: string
  readonly partitions: number
  /** Undefined: as many as the brokers make by default. */
  readonly replicas: number | undefined
  readonly minInsyncReplicas: number | undefined
  readonly retentionMs: number
}

/** A topic as it is. */
export interface FoundTopic {
  readonly partitions: number
  readonly replicas: number
  readonly configs: ReadonlyMap<string, string>
}

export interface TopicPlan {
  readonly create: readonly WantedTopic[]
  /** Topics that get more partitions: how many they have then. */
  readonly grow: ReadonlyMap<string, number>
  /** Settings that are raised, by topic. */
  readonly raise: ReadonlyMap<string, ReadonlyMap<string, string>>
  /** What is otherwise than declared and stays so, in words. */
  readonly differences: readonly string[]
}

/** Room beside the value of a record: key, headers, and what a batch begins with. */
const OVERHEAD = 64 * 1024
/** Largest batch of records that the topics must take. */
const MESSAGE_BYTES = limits.recordBytesMax + OVERHEAD

/** Settings of a new topic. */
export function topicConfigs({ retentionMs, minInsyncReplicas }: WantedTopic): Map<string, string> {
  const configs = new Map([
    ['cleanup.policy', 'delete'],
    ['compression.type', 'producer'],
    ['max.message.bytes', String(MESSAGE_BYTES)],
    ['retention.ms', String(retentionMs)],
  ])
  if (minInsyncReplicas !== undefined) configs.set('min.insync.replicas', String(minInsyncReplicas))
  return configs
}

/** What there is to do. Nothing is ever deleted, shortened or made smaller. */
export function planTopics(
  wanted: readonly WantedTopic[],
  found: ReadonlyMap<string, FoundTopic>,
): TopicPlan {
  const create: WantedTopic[] = []
  const grow = new Map<string, number>()
  const raise = new Map<string, Map<string, string>>()
  const differences: string[] = []
  for (const topic of wanted) {
    const there = found.get(topic.topic)
    if (there === undefined) {
      create.push(topic)
      continue
    }
    if (there.partitions < topic.partitions) grow.set(topic.topic, topic.partitions)
    const raised = raisedConfigs(topic, there)
    if (raised.size > 0) raise.set(topic.topic, raised)
    for (const difference of differencesOf(topic, there)) {
      differences.push(`${topic.topic} ${difference}`)
    }
  }
  return { create, grow, raise, differences }
}

/** Settings whose number is below the one declared. */
function raisedConfigs(topic: WantedTopic, { configs }: FoundTopic): Map<string, string> {
  const raised = new Map<string, string>()
  for (const name of ['max.message.bytes', 'retention.ms', 'min.insync.replicas']) {
    const value = topicConfigs(topic).get(name)
    const there = configs.get(name)
    if (value !== undefined && there !== undefined && amount(there) < amount(value)) {
      raised.set(name, value)
    }
  }
  return raised
}

/** A setting as a number; -1 is without bound. */
function amount(text: string): number {
  return text === '-1' ? Infinity : Number(text)
}

function* differencesOf(topic: WantedTopic, there: FoundTopic): Iterable<string> {
  const { partitions, replicas, configs } = there
  if (partitions > topic.partitions) {
    yield `has ${partitions} partitions, ${topic.partitions} are configured`
  }
  if (topic.replicas !== undefined && replicas !== topic.replicas) {
    yield `has ${replicas} replicas, ${topic.replicas} are configured`
  }
  for (const [name, value] of topicConfigs(topic)) {
    const has = configs.get(name)
    if (has === undefined || has === value) continue
    const number = name === 'retention.ms' || name === 'min.insync.replicas'
    // A larger message is taken as well.
    if (name === 'max.message.bytes' || (number && amount(has) < amount(value))) continue
    yield `has ${name}=${has}, ${value} is declared`
  }
  const need = amount(configs.get('min.insync.replicas') ?? '1')
  if (need > replicas)
    yield `needs ${need} in-sync replicas and has ${replicas}: nothing can be written`
}

/** What reads and changes topics, by their names without prefix; its methods reject with failures of the client. */
export interface TopicAdmin {
  /** Those of the topics that exist. */
  find(topics: readonly string[]): Promise<ReadonlyMap<string, FoundTopic>>
  create(topics: readonly WantedTopic[]): Promise<void>
  grow(partitions: ReadonlyMap<string, number>): Promise<void>
  raise(settings: ReadonlyMap<string, ReadonlyMap<string, string>>): Promise<void>
}

/** What came of it. */
export interface ReconciledTopics {
  readonly topics: ReadonlyMap<string, FoundTopic>
  readonly created: readonly string[]
  readonly changed: readonly string[]
  readonly differences: readonly string[]
}

/**
 * Looks, and, where `manage` is true, makes and raises until there is nothing more to do. Several collectors may do so at once.
 * Rejects with `topics_missing` where topics are missing and not to be made, and with failures of the client.
 */
export async function reconcileTopics(
  wanted: readonly WantedTopic[],
  admin: TopicAdmin,
  options: { readonly manage: boolean; readonly pause: (ms: number) => Promise<void> },
): Promise<ReconciledTopics> {
  const names = wanted.map(({ topic }) => topic)
  const created = new Set<string>()
  const changed = new Set<string>()
  for (let round = 0; ; round++) {
    const topics = await admin.find(names)
    const plan = planTopics(wanted, topics)
    const todo = plan.create.length + plan.grow.size + plan.raise.size
    if (todo === 0 || (!options.manage && plan.create.length === 0)) {
      const differences = [...plan.differences, ...unmade(plan)]
      return { topics, created: [...created], changed: [...changed], differences }
    }
    const missing = plan.create.map(({ topic }) => topic).join(', ')
    if (!options.manage) throw error('topics_missing', `${missing} are not there.`)
    if (round === limits.brokerTopicRoundsMax) {
      throw error('broker_unavailable', `topics are not as they were just made: ${missing}`)
    }
    // Brokers learn of a change a little after it was made.
    if (round > 0) await options.pause(limits.brokerRetryMs)
    await apply(plan, admin, created, changed)
  }
}

/** Makes each change once: it may not show at once, and another collector may have made it. */
async function apply(
  plan: TopicPlan,
  admin: TopicAdmin,
  created: Set<string>,
  changed: Set<string>,
): Promise<void> {
  const create = plan.create.filter(({ topic }) => !created.has(topic))
  const grow = new Map([...plan.grow].filter(([topic]) => !changed.has(topic)))
  const raise = new Map([...plan.raise].filter(([topic]) => !changed.has(topic)))
  if (create.length > 0) await admin.create(create)
  if (grow.size > 0) await admin.grow(grow)
  if (raise.size > 0) await admin.raise(raise)
  for (const { topic } of create) created.add(topic)
  for (const topic of [...grow.keys(), ...raise.keys()]) changed.add(topic)
}

/** What would be raised, where nothing may be. */
function unmade({ grow, raise }: TopicPlan): string[] {
  return [
    ...[...grow].map(([name, count]) => `${name} has fewer than ${count} partitions`),
    ...[...raise].flatMap(([name, settings]) =>
      [...settings].map(([setting, value]) => `${name} has ${setting} below ${value}`),
    ),
  ]
}
