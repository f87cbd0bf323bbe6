/** Settings of Kafka's brokers that a cluster of headwater runs with, on this machine and in manifests alike. */

import { KAFKA_JARS } from './pins.ts'

const MiB = 1024 * 1024
/** A record holds a chunk of a batch, and a body may be 16 MiB. */
const RECORD_BYTES_MAX = 24 * MiB

/** Of the broker that is pinned. */
export const KAFKA_VERSION: string = KAFKA_JARS.flatMap(
  ({ name }) => /^org\/apache\/kafka\/kafka-server\/([^/]+)\//.exec(name)?.[1] ?? [],
)[0]!

/** Every record in at most three copies, of which two must have it before it counts. */
export function brokerSettings(brokers: number): Record<string, string> {
  const copies = copiesOf(brokers)
  return {
    // Topics are declared; a name that is misspelt is an error.
    'auto.create.topics.enable': 'false',
    'default.replication.factor': String(copies),
    'min.insync.replicas': String(Math.max(1, copies - 1)),
    'offsets.topic.replication.factor': String(copies),
    'transaction.state.log.replication.factor': String(copies),
    'transaction.state.log.min.isr': String(Math.max(1, copies - 1)),
    'message.max.bytes': String(RECORD_BYTES_MAX),
    'replica.fetch.max.bytes': String(RECORD_BYTES_MAX),
  }
}

export function copiesOf(brokers: number): number {
  return Math.min(3, brokers)
}
