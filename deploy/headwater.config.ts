import type { Config } from 'headwater/platform'

const { env } = process

/** Cluster mode, for the example of this repository; what differs from place to place comes from the environment. */
const config: Config = {
  specs: '../examples/streaming/specs.ts',
  data: env['HEADWATER_DATA'] ?? './.headwater',
  keys: env['HEADWATER_WRITE_KEY'] === undefined ? {} : { app: env['HEADWATER_WRITE_KEY'] },
  http: { host: '0.0.0.0', trustProxyHops: 1 },
  lake: env['HEADWATER_LAKE'] === undefined ? {} : { location: env['HEADWATER_LAKE'] },
  catalog:
    env['HEADWATER_CATALOG_TOKEN'] === undefined
      ? { port: 8643 }
      : {
          host: '0.0.0.0',
          port: 8643,
          tokens: { flink: { token: env['HEADWATER_CATALOG_TOKEN'], scope: 'write' } },
        },
  cluster: {
    collectorOnly: env['HEADWATER_ROLE'] === 'collector',
    kafka: {
      brokers: (env['HEADWATER_BROKERS'] ?? '127.0.0.1:9092').split(','),
      // On Kubernetes, Strimzi makes the topics of deploy/kubernetes/topics.yaml.
      manageTopics: env['KUBERNETES_SERVICE_HOST'] === undefined,
    },
    flink: {
      gateway: env['HEADWATER_GATEWAY'] ?? 'http://127.0.0.1:8083',
      rest: env['HEADWATER_JOBMANAGER'] ?? 'http://127.0.0.1:8081',
      ...(env['HEADWATER_PLANS'] === undefined ? {} : { plans: env['HEADWATER_PLANS'] }),
      catalog: {
        uri: env['HEADWATER_CATALOG'] ?? 'http://127.0.0.1:8643',
        properties:
          env['HEADWATER_CATALOG_TOKEN'] === undefined
            ? {}
            : { token: env['HEADWATER_CATALOG_TOKEN'] },
      },
    },
  },
}

export default config
