/** Kafka by Strimzi: brokers that are their own controllers, and a resource for every topic. */
import { brokerSettings, copiesOf } from '../kafka-settings.ts'
import type { Deployed, Manifest } from './deployment.ts'

const API = 'kafka.strimzi.io/v1'

export function kafkaName({ name }: Pick<Deployed, 'name'>): string {
  return `${name}-kafka`
}

/** `host:port` that Strimzi gives the listener. */
export function bootstrapOf(deployed: Pick<Deployed, 'name'>): string {
  return `${kafkaName(deployed)}-kafka-bootstrap:9092`
}

export function kafkaManifests(deployed: Deployed): Manifest[] {
  const { plan } = deployed
  const { brokers } = plan.kafka
  const name = kafkaName(deployed)
  return [
    {
      apiVersion: API,
      kind: 'KafkaNodePool',
      metadata: { name: 'brokers', labels: { 'strimzi.io/cluster': name } },
      spec: {
        replicas: brokers,
        roles: ['controller', 'broker'],
        resources: {
          requests: { cpu: '1', memory: '4Gi' },
          limits: { memory: '4Gi' },
        },
        storage: {
          type: 'jbod',
          volumes: [
            {
              id: 0,
              type: 'persistent-claim',
              size: gibibytes(plan.kafka.diskBytes / brokers / 0.6),
              deleteClaim: false,
              kraftMetadata: 'shared',
            },
          ],
        },
      },
    },
    {
      apiVersion: API,
      kind: 'Kafka',
      metadata: { name },
      spec: {
        kafka: {
          listeners: [{ name: 'plain', port: 9092, type: 'internal', tls: false }],
          config: brokerSettings(brokers),
        },
        // Topics are the resources of topics.yaml.
        entityOperator: { topicOperator: {} },
        // Copies of partitions, which the alerts look at.
        kafkaExporter: { topicRegex: '.*', groupRegex: '.*' },
      },
    },
  ]
}

export function topicManifests(deployed: Deployed): Manifest[] {
  const copies = copiesOf(deployed.plan.kafka.brokers)
  return deployed.topics.map(({ name, partitions, configs }) => ({
    apiVersion: API,
    kind: 'KafkaTopic',
    metadata: {
      // Names of resources have no underscores; names of event types have no dashes.
      name: name.replaceAll('_', '-').toLowerCase(),
      labels: { 'strimzi.io/cluster': kafkaName(deployed) },
    },
    spec: { topicName: name, partitions, replicas: copies, config: configs },
  }))
}

function gibibytes(bytes: number): string {
  return `${Math.max(10, Math.ceil(bytes / 2 ** 30))}Gi`
}
