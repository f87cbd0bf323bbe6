/** A local cluster on paper: every process with its arguments, and every file of configuration, from sizes and ports. */
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { FLINK_OPENS, FLINK_SETTINGS } from './flink-settings.ts'
import { brokerSettings } from './kafka-settings.ts'
import { type ClusterSize, type ClusterState, markOf } from './state.ts'

export const HOST = '127.0.0.1'
const MiB = 1024 * 1024

export interface Installation {
  /** The `java` to run. */
  readonly java: string
  readonly kafkaJars: readonly string[]
  /** Beside those of Flink's distribution. */
  readonly flinkJars: readonly string[]
  /** Absolute path of Flink's distribution. */
  readonly flink: string
}

export interface PlannedProcess {
  readonly name: string
  readonly role: 'broker' | 'jobmanager' | 'taskmanager' | 'gateway'
  /** Names of the ports that it listens on. */
  readonly ports: readonly string[]
  /** Arguments of `java`. */
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string>>
  /** Absolute path of the file for what it prints. */
  readonly output: string
}

/** Names of the ports that a cluster of this size needs. */
export function portNames({ brokers }: ClusterSize): string[] {
  return [...brokerNames(brokers).flatMap(brokerPorts), 'jobmanager-rpc', 'jobmanager', 'gateway']
}

function brokerPorts(name: string): string[] {
  return [name, `${name}-controller`]
}

function brokerNames(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `broker-${i + 1}`)
}

/** What others need to know to use the cluster. */
export function addresses(
  folder: string,
  size: ClusterSize,
  ports: Readonly<Record<string, number>>,
): Pick<ClusterState, 'kafka' | 'flink'> {
  const url = (name: string): string => pathToFileURL(path.join(folder, name)).href
  return {
    kafka: { brokers: brokerNames(size.brokers).map((name) => `${HOST}:${ports[name]}`) },
    flink: {
      rest: `http://${HOST}:${ports['jobmanager']}`,
      gateway: `http://${HOST}:${ports['gateway']}`,
      checkpoints: url('checkpoints'),
      savepoints: url('savepoints'),
    },
  }
}

type Layout = Pick<ClusterState, 'id' | 'size' | 'ports' | 'flink'>

/** In the order in which they are started. */
export function plannedProcesses(
  folder: string,
  layout: Layout,
  installation: Installation,
): PlannedProcess[] {
  const { size, ports } = layout
  const brokers = brokerNames(size.brokers).map((name): Program => {
    const jars = installation.kafkaJars.join(path.delimiter)
    const args = ['-Xms256m', '-Xmx512m', '-cp', jars, BROKER, brokerFile(folder, name)]
    return { name, role: 'broker', ports: brokerPorts(name), args, env: {} }
  })
  const env = flinkEnvironment(folder, installation)
  const conf = ['--configDir', path.join(folder, 'conf')]
  // They start and plan, and are idle then: code that is compiled quickly is what counts.
  const small = [
    '-Xmx768m',
    '-XX:+UseSerialGC',
    '-XX:TieredStopAtLevel=1',
    ...flinkOptions(installation),
  ]
  const jobManager: Program = {
    name: 'jobmanager',
    role: 'jobmanager',
    ports: ['jobmanager-rpc', 'jobmanager'],
    args: [...small, JOB_MANAGER, ...conf],
    env,
  }
  const taskManagers = Array.from({ length: size.taskManagers }, (_, i): Program => {
    const name = `taskmanager-${i + 1}`
    const options = [...taskManagerOptions(size), ...flinkOptions(installation)]
    const args = [...options, TASK_MANAGER, ...conf, ...taskManagerSettings(name, size)]
    return { name, role: 'taskmanager', ports: [], args, env }
  })
  const gateway: Program = {
    name: 'gateway',
    role: 'gateway',
    ports: ['gateway'],
    args: [...small, GATEWAY, ...gatewaySettings(ports['gateway']!)],
    env,
  }
  return [...brokers, jobManager, ...taskManagers, gateway].map((program) => ({
    ...program,
    args: [markOf(layout.id, program.name), ...common(folder, program.name), ...program.args],
    output: path.join(folder, 'logs', `${program.name}.out`),
  }))
}

type Program = Omit<PlannedProcess, 'output'>

const BROKER = 'kafka.Kafka'
const JOB_MANAGER = 'org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint'
const TASK_MANAGER = 'org.apache.flink.runtime.taskexecutor.TaskManagerRunner'
const GATEWAY = 'org.apache.flink.table.gateway.SqlGateway'

function common(folder: string, name: string): string[] {
  return [
    `-Dlog.file=${path.join(folder, 'logs', `${name}.log`)}`,
    `-Dlog4j.configurationFile=${pathToFileURL(path.join(folder, 'conf', LOG_SETTINGS)).href}`,
    // Native libraries and planners are unpacked there.
    `-Djava.io.tmpdir=${path.join(folder, 'tmp', name)}`,
    '-Djava.net.preferIPv4Stack=true',
    '-Duser.timezone=UTC',
    '-XX:+ExitOnOutOfMemoryError',
  ]
}

function flinkOptions({ flink, flinkJars }: Installation): string[] {
  const jars = [path.join(flink, 'lib', '*'), ...flinkJars]
  return [...FLINK_OPENS, '-cp', jars.join(path.delimiter)]
}

function flinkEnvironment(folder: string, { flink }: Installation): Record<string, string> {
  return {
    FLINK_CONF_DIR: path.join(folder, 'conf'),
    FLINK_LIB_DIR: path.join(flink, 'lib'),
    FLINK_PLUGINS_DIR: path.join(flink, 'plugins'),
    FLINK_OPT_DIR: path.join(flink, 'opt'),
  }
}

function gatewaySettings(port: number): string[] {
  const prefix = '-Dsql-gateway.endpoint.rest'
  return [`${prefix}.address=${HOST}`, `${prefix}.bind-address=${HOST}`, `${prefix}.port=${port}`]
}

const FRAMEWORK_MIB = 128
const NETWORK_MIB = 128

/** Flink's shell scripts derive these; without them every size is to be given. */
function taskManagerSettings(name: string, { slots, heapMiB }: ClusterSize): string[] {
  const memory = (values: Readonly<Record<string, number>>): Record<string, string> =>
    Object.fromEntries(
      Object.entries(values).map(([part, mib]) => [`taskmanager.memory.${part}`, `${mib}m`]),
    )
  const settings = {
    'taskmanager.resource-id': name,
    'taskmanager.numberOfTaskSlots': String(slots),
    'taskmanager.cpu.cores': String(slots),
    'external-resources': 'none',
    ...memory({
      'task.heap.size': heapMiB,
      'task.off-heap.size': 64,
      'framework.heap.size': FRAMEWORK_MIB,
      'framework.off-heap.size': FRAMEWORK_MIB,
      'network.min': NETWORK_MIB,
      'network.max': NETWORK_MIB,
      'managed.size': 64,
      'jvm-metaspace.size': 256,
      'jvm-overhead.min': 192,
      'jvm-overhead.max': 192,
    }),
  }
  return Object.entries(settings).flatMap(([key, value]) => ['-D', `${key}=${value}`])
}

function taskManagerOptions({ heapMiB }: ClusterSize): string[] {
  return [
    `-Xmx${heapMiB + FRAMEWORK_MIB}m`,
    `-XX:MaxDirectMemorySize=${64 + FRAMEWORK_MIB + NETWORK_MIB}m`,
    '-XX:MaxMetaspaceSize=256m',
  ]
}

const LOG_SETTINGS = 'log4j2.properties'

function brokerFile(folder: string, name: string): string {
  return path.join(folder, 'conf', `${name}.properties`)
}

/** Absolute path → content of every file of configuration. */
export function configuration(folder: string, layout: Layout): Map<string, string> {
  const { size, ports, flink } = layout
  const conf = (name: string): string => path.join(folder, 'conf', name)
  const files = new Map([
    [conf('config.yaml'), yaml({ ...FLINK_SETTINGS, ...flinkAddresses(ports, flink) })],
    [conf(LOG_SETTINGS), properties(LOGGING)],
  ])
  brokerNames(size.brokers).forEach((name, i) => {
    files.set(brokerFile(folder, name), properties(brokerProperties(folder, i + 1, layout)))
  })
  return files
}

function flinkAddresses(
  ports: Layout['ports'],
  { checkpoints, savepoints }: Layout['flink'],
): Record<string, string> {
  return {
    'jobmanager.rpc.address': HOST,
    'jobmanager.rpc.port': String(ports['jobmanager-rpc']),
    'jobmanager.bind-host': HOST,
    'jobmanager.memory.process.size': '1024m',
    'rest.address': HOST,
    'rest.bind-address': HOST,
    // Not rest.bind-port, which the Gateway would take for its own.
    'rest.port': String(ports['jobmanager']),
    'taskmanager.host': HOST,
    'taskmanager.bind-host': HOST,
    'execution.checkpointing.dir': checkpoints,
    'execution.checkpointing.savepoint-dir': savepoints,
  }
}

/** Where a broker keeps its records. */
export function brokerData(folder: string, name: string): string {
  return path.join(folder, 'kafka', name)
}

function brokerProperties(
  folder: string,
  node: number,
  { size, ports }: Layout,
): Record<string, string> {
  const names = brokerNames(size.brokers)
  const name = names[node - 1]!
  const listener = `BROKER://${HOST}:${ports[name]}`
  const controller = `CONTROLLER://${HOST}:${ports[`${name}-controller`]}`
  const voters = names.map((each, i) => `${i + 1}@${HOST}:${ports[`${each}-controller`]}`)
  return {
    'process.roles': 'broker,controller',
    'node.id': String(node),
    'controller.quorum.voters': voters.join(','),
    listeners: `${listener},${controller}`,
    'advertised.listeners': listener,
    'controller.listener.names': 'CONTROLLER',
    'inter.broker.listener.name': 'BROKER',
    'listener.security.protocol.map': 'BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT',
    'log.dirs': brokerData(folder, name),
    ...brokerSettings(size.brokers),
    'offsets.topic.num.partitions': '4',
    'transaction.state.log.num.partitions': '4',
    'group.initial.rebalance.delay.ms': '0',
    'num.network.threads': '2',
    'num.io.threads': '4',
    'log.cleaner.dedupe.buffer.size': String(16 * MiB),
  }
}

/** One file a process, which is bounded. */
const LOGGING: Readonly<Record<string, string>> = {
  'rootLogger.level': 'INFO',
  'rootLogger.appenderRef.file.ref': 'File',
  'appender.file.type': 'RollingFile',
  'appender.file.name': 'File',
  'appender.file.fileName': '${sys:log.file}',
  'appender.file.filePattern': '${sys:log.file}.%i',
  'appender.file.layout.type': 'PatternLayout',
  'appender.file.layout.pattern': '%d{ISO8601} %-5p %c - %m%n',
  'appender.file.policies.type': 'Policies',
  'appender.file.policies.size.type': 'SizeBasedTriggeringPolicy',
  'appender.file.policies.size.size': '32MB',
  'appender.file.strategy.type': 'DefaultRolloverStrategy',
  'appender.file.strategy.max': '3',
}

function properties(settings: Readonly<Record<string, string>>): string {
  return Object.entries(settings)
    .map(([name, value]) => `${name}=${value.replaceAll('\\', '\\\\')}\n`)
    .join('')
}

function yaml(settings: Readonly<Record<string, string>>): string {
  return Object.entries(settings)
    .map(([name, value]) => `${name}: ${JSON.stringify(value)}\n`)
    .join('')
}
