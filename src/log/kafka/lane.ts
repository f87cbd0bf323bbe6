/** One producer that has one request under way: sends a group of records until the brokers have it, within a time. */
import type { ClusterPartitionMetadata, MessageToProduce, Producer } from '@platformatic/kafka'
import { type Clock, sleep } from '../../base/clock.ts'
import { error, type HeadwaterError } from '../../base/errors.ts'
import { limits } from '../../base/limits.ts'
import { failed, ok, type Result } from '../../base/result.ts'
import type { StreamRecord } from '../records.ts'
import { failureKind, failureOf } from './failure.ts'
import { topicName } from './settings.ts'
import type { RecordLane } from './sink.ts'

/** The client's producer, which a lane replaces when it hangs. */
export type OpenProducer = () => Producer

const LATE = Symbol('late')

export class Lane implements RecordLane {
  readonly #open: OpenProducer
  readonly #clock: Clock
  readonly #prefix: string
  #producer: Producer
  busy = false
  /** Requests that were sent again after a failure. */
  retries = 0

  constructor(open: OpenProducer, clock: Clock, prefix: string) {
    this.#open = open
    this.#clock = clock
    this.#prefix = prefix
    this.#producer = open()
  }

  /**
   * Sends records until all of them are acknowledged. The client tries again by itself with the same sequence numbers, so that
   * brokers drop what they have; when that does not help, records are put to their leaders anew, and some may be there twice.
   */
  async send(records: readonly StreamRecord[]): Promise<Result<void>> {
    const until = this.#clock.monotonic() + limits.brokerDeliveryMsMax
    const messages = records.map((record) => messageOf(record, this.#prefix))
    for (let attempt = 0; ; attempt++) {
      const failure = await this.#attempt(messages, until)
      if (failure === undefined) return ok(undefined)
      if (failure === LATE) {
        const message = `no acknowledgement within ${limits.brokerDeliveryMsMax} ms`
        return failed(error('broker_unavailable', message))
      }
      const pause = Math.min(limits.brokerRetryMs * 2 ** attempt, limits.brokerRetryMsMax)
      const over = this.#clock.monotonic() + pause >= until
      if (over || failureKind(failure) !== 'unavailable') {
        return failed(failureOf(failure, 'producing records'))
      }
      this.retries++
      await sleep(this.#clock, pause)
    }
  }

  /** Undefined when the brokers have the messages. */
  async #attempt(messages: MessageToProduce[], until: number): Promise<unknown> {
    const producer = this.#producer
    const sent = producer.send({ messages }).then(
      () => undefined,
      (cause: unknown) => cause ?? error('broker_unavailable', 'the client does not say why'),
    )
    const failure = await this.#within(sent, until)
    if (failure === LATE) this.#replace()
    else if (failure !== undefined) producer.clearMetadata()
    return failure
  }

  /** Why the topics cannot be written to now, as far as the brokers say; undefined when they can. */
  async probe(topics: ReadonlyMap<string, number>): Promise<HeadwaterError | undefined> {
    const names = [...topics.keys()].map((topic) => topicName(this.#prefix, topic))
    const until = this.#clock.monotonic() + limits.brokerRequestMsMax
    const asked = this.#producer.metadata({ topics: names, forceUpdate: true, retries: 0 }).then(
      (metadata) => ({ metadata }),
      (cause: unknown) => ({ cause }),
    )
    const answer = await this.#within(asked, until)
    if (answer === LATE) {
      this.#replace()
      return error('broker_unavailable', `no answer within ${limits.brokerRequestMsMax} ms`)
    }
    if ('cause' in answer) return failureOf(answer.cause, 'asking for the topics')
    for (const [topic, replicas] of topics) {
      const found = answer.metadata.topics.get(topicName(this.#prefix, topic))
      const bad = found?.partitions.findIndex((partition) => !writable(partition, replicas)) ?? -1
      if (bad >= 0)
        return error(
          'broker_unavailable',
          `partition ${bad} of ${topic} has no leader or too few replicas`,
        )
    }
    return undefined
  }

  async close(): Promise<void> {
    await closeProducer(this.#producer, this.#clock)
  }

  #replace(): void {
    void closeProducer(this.#producer, this.#clock)
    this.#producer = this.#open()
  }

  /** What `work` comes to, or LATE. */
  #within<T>(work: Promise<T>, until: number): Promise<T | typeof LATE> {
    const left = Math.max(0, until - this.#clock.monotonic())
    return new Promise((resolve, reject) => {
      const cancel = this.#clock.after(left, () => resolve(LATE))
      work.then(
        (value) => {
          cancel()
          resolve(value)
        },
        (cause: unknown) => {
          cancel()
          reject(cause)
        },
      )
    })
  }
}

function messageOf({ topic, key, value, time }: StreamRecord, prefix: string): MessageToProduce {
  const message = { topic: topicName(prefix, topic), value, timestamp: BigInt(time) }
  return key === null ? message : { ...message, key: Buffer.from(key) }
}

function writable({ leader, isr }: ClusterPartitionMetadata, replicas: number): boolean {
  return leader >= 0 && isr.length >= replicas
}

/** Closing ends what the client still tries; it may itself wait for a broker that is gone. */
async function closeProducer(producer: Producer, clock: Clock): Promise<void> {
  const closed = producer.close(true).catch(() => undefined)
  await Promise.race([closed, sleep(clock, limits.brokerRequestMsMax)])
}
