/** Kafka for tests: brokers as processes on loopback that can be killed and started again, and a reader of their topics. */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { connect } from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import { Admin, Consumer } from '@platformatic/kafka'
import { KAFKA_JARS } from '../../src/cluster/pins.ts'
import { fetched } from './java/artifacts.ts'
import { freePorts } from './ports.ts'

const HOST = '127.0.0.1'
const VM = ['-Xmx256m', '-Xms64m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-Xshare:auto']
const READY_MS_MAX = 60_000

export interface TestBroker {
  /** `host:port`. */
  readonly address: string
  /** Process id of the one that runs. */
  readonly pid: number
  /** Folder of its records. */
  readonly data: string
  /** Ends it as a crash would. */
  kill(): Promise<void>
  /** Starts it again with the same data on the same port; ready when this resolves. */
  start(): Promise<void>
}

export interface TestKafka {
  readonly brokers: readonly TestBroker[]
  readonly addresses: readonly string[]
  /** Ends all brokers and takes their data away. */
  remove(): Promise<void>
}

/** Settings for a broker besides or in place of those that it needs, such as another listener. */
export type BrokerSettings = (
  port: number,
  base: Readonly<Record<string, string>>,
) => Readonly<Record<string, string>>

export interface KafkaOptions {
  readonly settings?: BrokerSettings
  /** Runs when the ports of the brokers are known, before they start. */
  readonly planned?: () => Promise<void>
  /** Users who say who they are by SCRAM, as StorageTool takes them. */
  readonly scram?: readonly string[]
}

/** Starts brokers that are all controllers as well. */
export async function startKafka(count = 1, options: KafkaOptions = {}): Promise<TestKafka> {
  const { settings: more = () => ({}), planned, scram = [] } = options
  const folder = mkdtempSync(path.join(os.tmpdir(), 'headwater-kafka-'))
  const jars = (await fetched(KAFKA_JARS)).join(path.delimiter)
  const ports = await freePorts(count * 2)
  const id = 'aGVhZHdhdGVyLXRlc3QtMQ'
  writeFileSync(path.join(folder, 'log4j2.properties'), LOGGING)
  const made = Array.from({ length: count }, (_, i) => {
    const base = brokerSettings(folder, i, ports)
    const settings = { ...base, ...more(ports[2 * i]!, base) }
    return broker(folder, i, ports[2 * i]!, settings, jars)
  })
  const kafka: TestKafka = {
    brokers: made,
    addresses: made.map(({ address }) => address),
    remove: async () => {
      await Promise.all(made.map((each) => each.kill()))
      rmSync(folder, { recursive: true, force: true })
    },
  }
  try {
    await Promise.all([planned?.(), ...made.map((each) => each.format(id, scram))])
    await Promise.all(made.map((each) => each.start()))
    return kafka
  } catch (cause) {
    await kafka.remove()
    throw cause
  }
}

function brokerSettings(
  folder: string,
  i: number,
  ports: readonly number[],
): Record<string, string> {
  const count = ports.length / 2
  const voters = Array.from({ length: count }, (_, j) => `${j + 1}@${HOST}:${ports[2 * j + 1]}`)
  const copies = String(Math.min(3, count))
  return {
    'process.roles': 'broker,controller',
    'node.id': String(i + 1),
    'controller.quorum.voters': voters.join(','),
    listeners: `BROKER://${HOST}:${ports[2 * i]},CONTROLLER://${HOST}:${ports[2 * i + 1]}`,
    'advertised.listeners': `BROKER://${HOST}:${ports[2 * i]}`,
    'controller.listener.names': 'CONTROLLER',
    'inter.broker.listener.name': 'BROKER',
    'listener.security.protocol.map':
      'BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT,PLAIN:SASL_PLAINTEXT,SECURE:SASL_SSL',
    'log.dirs': path.join(folder, `data-${i + 1}`),
    'auto.create.topics.enable': 'false',
    'default.replication.factor': copies,
    'min.insync.replicas': count > 1 ? '2' : '1',
    'offsets.topic.replication.factor': copies,
    'offsets.topic.num.partitions': '1',
    'transaction.state.log.replication.factor': copies,
    'transaction.state.log.min.isr': '1',
    'transaction.state.log.num.partitions': '1',
    'group.initial.rebalance.delay.ms': '0',
    'broker.session.timeout.ms': '4000',
    'broker.heartbeat.interval.ms': '1000',
    'num.network.threads': '1',
    'num.io.threads': '2',
    'log.cleaner.enable': 'false',
    'message.max.bytes': String(24 * 1024 * 1024),
  }
}

const LOGGING = `rootLogger.level=WARN
rootLogger.appenderRef.out.ref=Out
appender.out.type=Console
appender.out.name=Out
`

function broker(
  folder: string,
  i: number,
  port: number,
  settings: Readonly<Record<string, string>>,
  jars: string,
): TestBroker & { format(id: string, scram: readonly string[]): Promise<void> } {
  const file = path.join(folder, `broker-${i + 1}.properties`)
  const text = Object.entries(settings).map(([name, value]) => `${name}=${value}\n`)
  writeFileSync(file, text.join(''))
  const logging = `-Dlog4j2.configurationFile=${path.join(folder, 'log4j2.properties')}`
  const args = [...VM, logging, '-cp', jars]
  let child: ChildProcess | undefined
  const output = path.join(folder, `broker-${i + 1}.log`)
  return {
    address: `${HOST}:${port}`,
    data: settings['log.dirs']!,
    get pid() {
      return child!.pid!
    },
    format: async (id, scram) => {
      mkdirSync(settings['log.dirs']!, { recursive: true })
      const tool = ['kafka.tools.StorageTool', 'format', '-t', id, '-c', file]
      const users = scram.flatMap((user) => ['--add-scram', user])
      await promisify(execFile)('java', [...args, ...tool, ...users])
    },
    kill: async () => {
      const ending = child
      child = undefined
      if (ending === undefined || hasEnded(ending)) return
      const ended = new Promise((resolve) => ending.once('close', resolve))
      ending.kill('SIGKILL')
      await ended
    },
    start: async () => {
      const to = openSync(output, 'a')
      child = spawn('java', [...args, 'kafka.Kafka', file], { stdio: ['ignore', to, to] })
      closeSync(to)
      const until = performance.now() + READY_MS_MAX
      while (!(await answers(port))) {
        if (hasEnded(child) || performance.now() > until) {
          throw new Error(
            `broker ${i + 1} does not start: ${readFileSync(output, 'utf8').slice(0, 3000)}`,
          )
        }
        await new Promise((resolve) => setTimeout(resolve, 100))
      }
    },
  }
}

function hasEnded({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode !== null || signalCode !== null
}

/** Whether a broker answers as one, and not only its port is open. */
async function answers(port: number): Promise<boolean> {
  const open = await new Promise<boolean>((resolve) => {
    const socket = connect(port, HOST)
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
    socket.once('connect', () => socket.destroy())
  })
  if (!open) return false
  const admin = new Admin({
    clientId: 'test',
    bootstrapBrokers: [`${HOST}:${port}`],
    retries: 0,
    timeout: 3000,
  })
  try {
    await admin.listTopics()
    return true
  } catch {
    return false
  } finally {
    await admin.close()
  }
}

/** A record as it lies in a topic. */
export interface StoredRecord {
  readonly topic: string
  readonly partition: number
  readonly offset: bigint
  readonly key: string | null
  readonly value: Buffer
  readonly timestamp: bigint
}

/** Everything that the topics of a prefix hold now. */
export async function readTopics(
  addresses: readonly string[],
  prefix: string,
): Promise<StoredRecord[]> {
  const bootstrapBrokers = [...addresses]
  const admin = new Admin({ clientId: 'test', bootstrapBrokers })
  const all = await admin.listTopics()
  await admin.close()
  const records: StoredRecord[] = []
  for (const topic of all.filter((name) => name.startsWith(`${prefix}.`))) {
    const consumer = new Consumer({
      groupId: `test-${performance.now()}`,
      clientId: 'test',
      bootstrapBrokers,
      autocommit: false,
    })
    const [offsets, begins] = await Promise.all([
      consumer.listOffsets({ topics: [topic] }),
      consumer.listOffsets({ topics: [topic], timestamp: -2n }),
    ])
    const ends = offsets.get(topic) ?? []
    const first = begins.get(topic) ?? []
    let left = ends.reduce((sum, end, i) => sum + Number(end - (first[i] ?? 0n)), 0)
    if (left > 0) {
      const stream = await consumer.consume({ topics: [topic], mode: 'earliest', maxWaitTime: 100 })
      for await (const message of stream) {
        const { key, value, partition, offset, timestamp } = message
        records.push({
          topic,
          partition,
          offset,
          key: key === undefined || key === null ? null : key.toString(),
          value,
          timestamp,
        })
        if (--left === 0) break
      }
    }
    await consumer.close(true)
  }
  return records
}

/** The first copy of every record that has an identity (PROTOCOL.md §17), and all that have none; by topic without prefix. */
export function firstCopies(
  records: readonly StoredRecord[],
  prefix: string,
): Map<string, Readonly<Record<string, unknown>>[]> {
  const seen = new Set<string>()
  const topics = new Map<string, Readonly<Record<string, unknown>>[]>()
  const inOrder = records.toSorted((one, other) =>
    one.offset < other.offset ? -1 : one.offset > other.offset ? 1 : 0,
  )
  for (const { topic, value } of inOrder) {
    const record = JSON.parse(value.toString()) as Readonly<Record<string, unknown>>
    const { boot, seq, part, i } = record
    const identity = JSON.stringify([topic, boot, seq, part, i])
    if (boot !== undefined && seen.has(identity)) continue
    seen.add(identity)
    const name = topic.slice(prefix.length + 1)
    const known = topics.get(name)
    if (known === undefined) topics.set(name, [record])
    else known.push(record)
  }
  return topics
}
