/** Topics are made and raised, never deleted, shortened or made smaller; whatever else differs is said. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { limits } from '../../src/base/limits.ts'
import {
  type FoundTopic,
  planTopics,
  reconcileTopics,
  type TopicAdmin,
  topicConfigs,
  type WantedTopic,
} from '../../src/log/kafka/topics.ts'

const HOUR = 3_600_000
const wanted = (more: Partial<WantedTopic> = {}): WantedTopic => ({
  topic: 'batches',
  partitions: 6,
  replicas: undefined,
  minInsyncReplicas: undefined,
  retentionMs: 72 * HOUR,
  ...more,
})
const asWanted = (topic: WantedTopic, more: Record<string, string> = {}): FoundTopic => ({
  partitions: topic.partitions,
  replicas: topic.replicas ?? 3,
  configs: new Map([['min.insync.replicas', '1'], ...topicConfigs(topic), ...Object.entries(more)]),
})

describe('the plan', () => {
  test('makes what is missing, and leaves what is as declared', () => {
    const [one, other] = [wanted(), wanted({ topic: 'events.t' })]
    const plan = planTopics([one, other], new Map([['batches', asWanted(one)]]))
    expect(plan).toEqual({
      create: [other],
      grow: new Map(),
      raise: new Map(),
      differences: [],
    })
  })

  test('raises what is too small', () => {
    const topic = wanted({ minInsyncReplicas: 2 })
    const there = asWanted(topic, {
      'retention.ms': String(HOUR),
      'min.insync.replicas': '1',
      'max.message.bytes': '1048588',
    })
    const plan = planTopics([topic], new Map([['batches', { ...there, partitions: 2 }]]))
    expect(plan.grow).toEqual(new Map([['batches', 6]]))
    expect(plan.raise.get('batches')).toEqual(
      new Map([
        ['max.message.bytes', topicConfigs(topic).get('max.message.bytes')],
        ['retention.ms', String(72 * HOUR)],
        ['min.insync.replicas', '2'],
      ]),
    )
    expect(plan.differences).toEqual([])
  })

  test.each([
    ['for ever', '-1'],
    ['longer', String(100 * HOUR)],
  ])('does not shorten what keeps records %s', (_how, value) => {
    const topic = wanted()
    const plan = planTopics(
      [topic],
      new Map([['batches', asWanted(topic, { 'retention.ms': value })]]),
    )
    expect(plan.raise.size).toBe(0)
    expect(plan.differences).toEqual([
      `batches has retention.ms=${value}, ${72 * HOUR} is declared`,
    ])
  })

  test('says what differs otherwise', () => {
    const topic = wanted({ replicas: 3 })
    const there = asWanted(topic, {
      'cleanup.policy': 'compact',
      'compression.type': 'gzip',
      'min.insync.replicas': '2',
    })
    const plan = planTopics(
      [topic],
      new Map([['batches', { ...there, replicas: 1, partitions: 9 }]]),
    )
    expect([plan.create, plan.grow.size, plan.raise.size]).toEqual([[], 0, 0])
    expect(plan.differences).toEqual([
      'batches has 9 partitions, 6 are configured',
      'batches has 1 replicas, 3 are configured',
      'batches has cleanup.policy=compact, delete is declared',
      'batches has compression.type=gzip, producer is declared',
      'batches needs 2 in-sync replicas and has 1: nothing can be written',
    ])
  })
})

/** A cluster in memory, where a change shows after a while. */
class Cluster implements TopicAdmin {
  readonly topics = new Map<string, FoundTopic>()
  readonly calls: string[] = []
  #shown = new Map<string, FoundTopic>()
  readonly #lag: number
  #asked = 0

  constructor(lag: number) {
    this.#lag = lag
  }

  find(names: readonly string[]): Promise<ReadonlyMap<string, FoundTopic>> {
    if (this.#asked++ % (this.#lag + 1) === 0) this.#shown = new Map(this.topics)
    return Promise.resolve(new Map([...this.#shown].filter(([name]) => names.includes(name))))
  }

  create(topics: readonly WantedTopic[]): Promise<void> {
    for (const topic of topics) {
      this.calls.push(`create ${topic.topic}`)
      if (!this.topics.has(topic.topic)) this.topics.set(topic.topic, asWanted(topic))
    }
    return Promise.resolve()
  }

  grow(counts: ReadonlyMap<string, number>): Promise<void> {
    for (const [topic, partitions] of counts) {
      const there = this.topics.get(topic)!
      // As brokers do.
      if (partitions <= there.partitions) return Promise.reject(new Error('INVALID_PARTITIONS'))
      this.calls.push(`grow ${topic}`)
      this.topics.set(topic, { ...there, partitions })
    }
    return Promise.resolve()
  }

  raise(settings: ReadonlyMap<string, ReadonlyMap<string, string>>): Promise<void> {
    for (const [topic, values] of settings) {
      this.calls.push(`raise ${topic}`)
      const there = this.topics.get(topic)!
      this.topics.set(topic, { ...there, configs: new Map([...there.configs, ...values]) })
    }
    return Promise.resolve()
  }
}

const options = { manage: true, pause: () => Promise.resolve() }

describe('reconciling', () => {
  test('ends at topics that are at least as declared, whatever was there', async () => {
    const someTopic = fc.record({
      partitions: fc.integer({ min: 1, max: 9 }),
      replicas: fc.integer({ min: 1, max: 3 }),
      retention: fc.constantFrom('-1', '1000', String(72 * HOUR), String(99 * HOUR)),
      bytes: fc.constantFrom('1000', '99999999'),
    })
    await fc.assert(
      fc.asyncProperty(fc.option(someTopic), fc.nat(4), async (there, lag) => {
        const cluster = new Cluster(lag)
        const topic = wanted()
        if (there !== null) {
          const configs = { 'retention.ms': there.retention, 'max.message.bytes': there.bytes }
          cluster.topics.set('batches', { ...asWanted(topic, configs), ...there })
        }
        const before = cluster.topics.get('batches')
        await reconcileTopics([topic], cluster, options)
        const after = cluster.topics.get('batches')!
        expect(after.partitions).toBe(Math.max(6, before?.partitions ?? 0))
        const kept = Number(after.configs.get('retention.ms'))
        expect(kept === -1 || kept >= 72 * HOUR).toBe(true)
        expect(Number(after.configs.get('max.message.bytes'))).toBeGreaterThan(
          limits.recordBytesMax,
        )
        expect(planTopics([topic], cluster.topics)).toMatchObject({
          create: [],
          grow: new Map(),
          raise: new Map(),
        })
      }),
    )
  })

  test('makes a topic once, and says so', async () => {
    const cluster = new Cluster(3)
    const made = await reconcileTopics([wanted()], cluster, options)
    expect(made).toMatchObject({ created: ['batches'], changed: [], differences: [] })
    expect(cluster.calls).toEqual(['create batches'])
  })

  test('gives up where a topic never shows', async () => {
    const cluster = new Cluster(1e9)
    await expect(reconcileTopics([wanted()], cluster, options)).rejects.toMatchObject({
      code: 'broker_unavailable',
    })
  })

  test('only looks where it is not to manage', async () => {
    const cluster = new Cluster(0)
    const look = { ...options, manage: false }
    await expect(reconcileTopics([wanted()], cluster, look)).rejects.toMatchObject({
      code: 'topics_missing',
    })
    cluster.topics.set('batches', { ...asWanted(wanted(), { 'retention.ms': '5' }), partitions: 1 })
    const { differences } = await reconcileTopics([wanted()], cluster, look)
    expect(differences).toEqual([
      'batches has fewer than 6 partitions',
      `batches has retention.ms below ${72 * HOUR}`,
    ])
    expect(cluster.calls).toEqual([])
  })
})
