/** How far the readers of a group are behind: the records that it has not committed yet, and how long the oldest of them has waited. */
import type { Admin } from '@platformatic/kafka'
import type { Clock } from '../../base/clock.ts'
import { error } from '../../base/errors.ts'
import { limits } from '../../base/limits.ts'
import { failed, ok, type Result } from '../../base/result.ts'
import { failureOf } from './failure.ts'
import { clientOptions, type KafkaSettings, topicName } from './settings.ts'

export interface Lag {
  /** Records that are in the topic and behind what the group has committed. */
  readonly records: number
  /** Since when the oldest of them is there, ms, within an eighth or a second; 0 without any. */
  readonly waitedMs: number
}

/** A partition, and where its next record is that has not been read. */
export interface Place {
  readonly topic: string
  readonly partition: number
  readonly next: number
  readonly end: number
}

/**
 * The offset of the first record of each place that is not older than the time asked for (ms since 1970); negative where all are
 * older. In the order of the question.
 */
export type OffsetsAt = (
  asked: readonly { readonly place: Place; readonly time: number }[],
) => Promise<readonly number[]>

/**
 * The lag of a group by topic, without the prefix; topics that do not exist are absent. What a group has never committed counts from the
 * oldest record. Fails with `broker_unavailable` or `broker_refused`, in bounded time.
 */
export async function groupLag(
  settings: KafkaSettings,
  group: string,
  topics: readonly string[],
  clock: Clock,
): Promise<Result<ReadonlyMap<string, Lag>>> {
  const { Admin } = await import('@platformatic/kafka')
  const admin = new Admin(clientOptions(settings, clock))
  let cancel = (): void => {}
  const late = new Promise<never>((_, reject) => {
    const why = `reading offsets took more than ${limits.lagMsMax} ms`
    cancel = clock.after(limits.lagMsMax, () => reject(error('broker_unavailable', `${why}.`)))
  })
  try {
    const names = new Map(topics.map((topic) => [topicName(settings.prefix, topic), topic]))
    const lag = placesOf(admin, group, names).then((places) =>
      lagOf(places, clock.wall(), offsetsOf(admin, settings.prefix)),
    )
    return ok(await Promise.race([lag, late]))
  } catch (cause) {
    return failed(failureOf(cause, 'reading offsets'))
  } finally {
    cancel()
    await admin.close().catch(() => undefined)
  }
}

/** Every partition of the topics that exist, by their names without prefix. */
async function placesOf(
  admin: Admin,
  group: string,
  names: ReadonlyMap<string, string>,
): Promise<Place[]> {
  const all = new Set(await admin.listTopics())
  const there = [...names.keys()].filter((name) => all.has(name))
  if (there.length === 0) return []
  const { topics } = await admin.metadata({ topics: there, forceUpdate: true })
  const partitions = there.flatMap((name) =>
    Array.from({ length: topics.get(name)?.partitionsCount ?? 0 }, (_, partition) => ({
      name,
      partition,
    })),
  )
  const key = (name: string, partition: number): string => `${partition} ${name}`
  const [read] = await admin.listConsumerGroupOffsets({ groups: [group] })
  const committed = new Map<string, number>()
  for (const topic of read?.topics ?? []) {
    for (const { partitionIndex, committedOffset } of topic.partitions) {
      // Kafka's word for none.
      if (committedOffset >= 0n)
        committed.set(key(topic.name, partitionIndex), Number(committedOffset))
    }
  }
  const ends = await list(admin, partitions, LATEST)
  const begins = await list(admin, partitions, EARLIEST)
  return partitions.map(({ name, partition }, i) => ({
    topic: names.get(name)!,
    partition,
    // What retention has taken away cannot be read any more.
    next: Math.max(committed.get(key(name, partition)) ?? 0, begins[i]!),
    end: ends[i]!,
  }))
}

/** Kafka's words for these offsets in place of a time. */
const LATEST = -1
const EARLIEST = -2

function offsetsOf(admin: Admin, prefix: string): OffsetsAt {
  return (asked) =>
    list(
      admin,
      asked.map(({ place }) => ({
        name: topicName(prefix, place.topic),
        partition: place.partition,
      })),
      ...asked.map(({ time }) => time),
    )
}

/** Offsets of partitions at times: one for all, or one for each. */
async function list(
  admin: Admin,
  partitions: readonly { readonly name: string; readonly partition: number }[],
  ...times: readonly number[]
): Promise<number[]> {
  const wanted = partitions.map(({ name, partition }, i) => ({
    name,
    partitionIndex: partition,
    timestamp: BigInt(Math.floor(times[i] ?? times[0]!)),
  }))
  const topics = [...Map.groupBy(wanted, ({ name }) => name)].map(([name, each]) => ({
    name,
    partitions: each.map(({ partitionIndex, timestamp }) => ({ partitionIndex, timestamp })),
  }))
  const found = new Map<string, number>()
  for (const topic of await admin.listOffsets({ topics })) {
    for (const { partitionIndex, offset } of topic.partitions) {
      found.set(`${partitionIndex} ${topic.name}`, Number(offset))
    }
  }
  return partitions.map(({ name, partition }) => found.get(`${partition} ${name}`) ?? -1)
}

/** A place with bounds of how long its next record has been there, ms. */
interface Bracket {
  readonly place: Place
  least: number
  most: number
}

/** Adds up the lag by topic, and finds by halving how long the oldest record of each has waited. `now` is ms since 1970. */
export async function lagOf(
  places: readonly Place[],
  now: number,
  offsetsAt: OffsetsAt,
): Promise<ReadonlyMap<string, Lag>> {
  const brackets = places
    .filter(({ next, end }) => next < end)
    .map((place): Bracket => ({ place, least: 0, most: Infinity }))
  for (let round = 0; round < limits.lagRoundsMax; round++) {
    const open = unsettled(brackets)
    if (open.length === 0) break
    const ages = open.map(({ least, most }) =>
      most === Infinity ? Math.max(WAITED_MS, 2 * least) : (least + most) / 2,
    )
    const asked = open.map(({ place }, i) => ({ place, time: now - ages[i]! }))
    for (const [i, offset] of (await offsetsAt(asked)).entries()) {
      const bracket = open[i]!
      // The first record of that age comes after the one that is next, so the latter is older.
      if (offset < 0 || offset > bracket.place.next) bracket.least = ages[i]!
      else bracket.most = ages[i]!
    }
  }
  const lags = new Map<string, Lag>()
  for (const { topic, next, end } of places) {
    const known = lags.get(topic)
    const records = (known?.records ?? 0) + Math.max(0, end - next)
    lags.set(topic, { records, waitedMs: 0 })
  }
  for (const { place, least, most } of brackets) {
    const lag = lags.get(place.topic)!
    const waitedMs = Math.max(lag.waitedMs, most === Infinity ? least : most)
    lags.set(place.topic, { ...lag, waitedMs })
  }
  return lags
}

/** What is shorter is not told apart. */
const WAITED_MS = 1000

/** Brackets that are still wide, of records that may be the oldest of their topic. */
function unsettled(brackets: readonly Bracket[]): Bracket[] {
  const oldest = new Map<string, number>()
  for (const { place, least } of brackets) {
    oldest.set(place.topic, Math.max(oldest.get(place.topic) ?? 0, least))
  }
  return brackets.filter(({ place, least, most }) => {
    if (most === Infinity) return true
    return most > oldest.get(place.topic)! && most - least > Math.max(WAITED_MS, most / 8)
  })
}
