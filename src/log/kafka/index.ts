/** Kafka behind the port for records. */
export { groupLag, type Lag } from './lag.ts'
export { existingTopics, openKafka, type OpenedKafka } from './open.ts'
export type { KafkaSettings, SaslSettings, TlsSettings } from './settings.ts'
export type { ReconciledTopics, WantedTopic } from './topics.ts'
