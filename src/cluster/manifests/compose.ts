/** Everything on one machine in containers, over a folder that they share: for a first look at cluster mode with the images of production. */
import path from 'node:path'
import { brokerSettings, KAFKA_VERSION } from '../kafka-settings.ts'
import {
  type Deployed,
  ENVIRONMENT,
  FLINK_IMAGE,
  FLINK_USER,
  GATEWAY_PORT,
  HEADWATER_IMAGE,
  type Manifest,
  REST_PORT,
} from './deployment.ts'
import { clusterSettings, flinkProperties, gatewayArguments } from './flink.ts'

const SHARED = '/data'
/** Flink's image drops its rights to this user, and all of them write to one folder. */
const USER = `${FLINK_USER}:${FLINK_USER}`

/** Secrets are for a machine that nobody else reaches. */
const CATALOG_TOKEN = 'a-token-for-one-machine-only'

export function composeManifest(deployed: Deployed): Manifest {
  const { httpPort, catalogPort, folder } = deployed
  const context = path.posix.relative(folder, '.') || '.'
  const dockerfile = path.posix.join(folder, 'Dockerfile')
  const headwater = {
    image: HEADWATER_IMAGE,
    build: { context, dockerfile },
    user: USER,
    volumes: [`shared:${SHARED}`],
  }
  const environment = {
    [ENVIRONMENT.brokers]: 'kafka:9092',
    [ENVIRONMENT.lake]: `file://${SHARED}/lake`,
    [ENVIRONMENT.data]: `${SHARED}/headwater`,
    [ENVIRONMENT.catalog]: `http://lake:${catalogPort}`,
    [ENVIRONMENT.catalogToken]: CATALOG_TOKEN,
    [ENVIRONMENT.gateway]: `http://gateway:${GATEWAY_PORT}`,
    [ENVIRONMENT.jobManager]: `http://jobmanager:${REST_PORT}`,
    [ENVIRONMENT.plans]: `${SHARED}/plans`,
  }
  const begun = { kafka: { condition: 'service_healthy' }, shared: DONE }
  return {
    name: deployed.name,
    services: {
      shared: {
        image: 'busybox:1.37',
        command: ['chown', USER, SHARED],
        volumes: [`shared:${SHARED}`],
      },
      kafka: kafkaService(),
      lake: {
        ...headwater,
        environment,
        ports: [`127.0.0.1:${catalogPort}:${catalogPort}`],
        depends_on: begun,
      },
      collector: {
        ...headwater,
        environment: { ...environment, [ENVIRONMENT.role]: 'collector' },
        ports: [`127.0.0.1:${httpPort}:${httpPort}`],
        depends_on: { ...begun, lake: { condition: 'service_healthy' } },
      },
      ...flinkServices(deployed),
      deploy: {
        ...headwater,
        environment,
        command: ['deploy'],
        depends_on: {
          lake: { condition: 'service_healthy' },
          gateway: { condition: 'service_healthy' },
          taskmanager: { condition: 'service_started' },
        },
      },
    },
    volumes: { shared: {}, kafka: {} },
  }
}

const DONE = { condition: 'service_completed_successfully' }

function kafkaService(): Manifest {
  const settings = {
    'node.id': '1',
    'process.roles': 'broker,controller',
    'controller.quorum.voters': '1@kafka:9093',
    listeners: 'PLAINTEXT://:9092,CONTROLLER://:9093',
    'advertised.listeners': 'PLAINTEXT://kafka:9092',
    'controller.listener.names': 'CONTROLLER',
    'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT',
    'log.dirs': '/var/lib/kafka/data',
    ...brokerSettings(1),
  }
  // The image reads settings from such variables.
  const environment = Object.fromEntries(
    Object.entries(settings).map(([name, value]) => [
      `KAFKA_${name.toUpperCase().replaceAll('.', '_')}`,
      value,
    ]),
  )
  const broker = '/opt/kafka/bin/kafka-broker-api-versions.sh --bootstrap-server 127.0.0.1:9092'
  return {
    image: `apache/kafka:${KAFKA_VERSION}`,
    hostname: 'kafka',
    environment,
    volumes: ['kafka:/var/lib/kafka/data'],
    healthcheck: { test: ['CMD-SHELL', broker], interval: '5s', timeout: '10s', retries: 30 },
  }
}

function flinkServices(deployed: Deployed): Manifest {
  const flink = {
    image: FLINK_IMAGE,
    build: { context: '.', dockerfile: 'flink.Dockerfile' },
    volumes: [`shared:${SHARED}`],
    depends_on: { shared: DONE },
  }
  const settings = {
    ...clusterSettings(deployed, `file://${SHARED}/flink`),
    'execution.checkpointing.interval': '5 s',
    'jobmanager.rpc.address': 'jobmanager',
    'taskmanager.numberOfTaskSlots': '4',
    'taskmanager.memory.process.size': '2g',
  }
  const lines = Object.entries(settings).map(([name, value]) => `${name}: ${value}\n`)
  const environment = { FLINK_PROPERTIES: lines.join('') }
  return {
    jobmanager: {
      ...flink,
      command: ['jobmanager'],
      environment,
      ports: [`127.0.0.1:${REST_PORT}:${REST_PORT}`],
    },
    taskmanager: {
      ...flink,
      command: ['taskmanager'],
      environment,
      depends_on: { ...flink.depends_on, jobmanager: { condition: 'service_started' } },
    },
    gateway: {
      ...flink,
      command: gatewayArguments(),
      environment: { FLINK_PROPERTIES: flinkProperties('jobmanager') },
      ports: [`127.0.0.1:${GATEWAY_PORT}:${GATEWAY_PORT}`],
      healthcheck: {
        test: ['CMD-SHELL', `curl -fsS http://127.0.0.1:${GATEWAY_PORT}/v3/info`],
        interval: '5s',
        timeout: '10s',
        retries: 30,
      },
    },
  }
}
