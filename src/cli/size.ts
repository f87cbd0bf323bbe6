/** `headwater size`: what a cluster for a rate of events takes, and what breaks first. */
import { size } from '../base/size.ts'
import { Command, InvalidArgumentError } from 'commander'
import { CONSTANTS, DEFAULT_LOAD, type Load, type Plan, planFor } from '../cluster/index.ts'
import { textTable } from './text-table.ts'

interface SizeOptions {
  readonly rate: number
  readonly bytes: number
  readonly types: number
  readonly batch: number
  readonly typesPerBatch: number
  readonly interval: number
  readonly retention: number
  readonly memory: number
  readonly copies: number
  readonly cores: number
  readonly ram: number
  readonly gbit: number
  readonly disk: number
  readonly json?: boolean
}

const { machine } = DEFAULT_LOAD
const GBIT = 1e9 / 8

export function sizeCommand(): Command {
  const number = (
    flag: string,
    text: string,
    fallback: number,
  ): [string, string, typeof amount, number] => [flag, text, amount, fallback]
  return new Command('size')
    .description(
      'Reckon what a cluster takes for a rate of events: cores, machines, bytes, files, limits.',
    )
    .option(...number('--rate <number>', 'events per second, such as 5M', DEFAULT_LOAD.rate))
    .option(...number('--bytes <number>', 'of an event as a row of JSON', DEFAULT_LOAD.bytes))
    .option(...number('--types <number>', 'event types', DEFAULT_LOAD.types))
    .option(...number('--batch <number>', 'events of a batch', DEFAULT_LOAD.batch))
    .option(
      ...number('--types-per-batch <number>', 'event types in a batch', DEFAULT_LOAD.typesPerBatch),
    )
    .option(...number('--interval <seconds>', 'between commits', DEFAULT_LOAD.intervalSeconds))
    .option(
      ...number('--retention <hours>', 'that Kafka keeps records', DEFAULT_LOAD.retentionHours),
    )
    .option(
      ...number(
        '--memory <hours>',
        'that batches are remembered to know copies',
        DEFAULT_LOAD.memoryHours,
      ),
    )
    .option(...number('--copies <number>', 'of each partition', DEFAULT_LOAD.copies))
    .option(...number('--cores <number>', 'of a machine', machine.cores))
    .option(...number('--ram <bytes>', 'of a machine', machine.memoryBytes))
    .option(
      ...number(
        '--gbit <number>',
        'of the network of a machine',
        machine.networkBytesPerSecond / GBIT,
      ),
    )
    .option(...number('--disk <bytes>', 'of a machine', machine.diskBytes))
    .option('--json', 'print JSON, with the constants')
    .addHelpText(
      'after',
      '\nExamples:\n  headwater size --rate 5M --bytes 170\n  headwater size --rate 200k --types 40 --interval 10 --json',
    )
    .action((options: SizeOptions) => {
      const plan = planFor(loadOf(options))
      process.stdout.write(
        options.json === true
          ? `${JSON.stringify({ ...plan, constants: CONSTANTS })}\n`
          : planText(plan),
      )
    })
}

function loadOf(options: SizeOptions): Load {
  const { rate, bytes, types, batch, typesPerBatch, interval, retention, memory, copies } = options
  return {
    rate,
    bytes,
    types: Math.ceil(types),
    batch,
    typesPerBatch,
    intervalSeconds: interval,
    retentionHours: retention,
    memoryHours: memory,
    copies: Math.ceil(copies),
    machine: {
      cores: options.cores,
      memoryBytes: options.ram,
      networkBytesPerSecond: options.gbit * GBIT,
      diskBytes: options.disk,
    },
  }
}

const UNITS: Readonly<Record<string, number>> = { '': 1, k: 1e3, M: 1e6, G: 1e9, T: 1e12 }

/** `5M` is 5,000,000. */
export function amount(text: string): number {
  const [, digits, unit = ''] = /^(\d+(?:\.\d+)?)([kMGT]?)$/.exec(text) ?? []
  const value = Number(digits) * UNITS[unit]!
  if (Number.isFinite(value) && value > 0) return value
  throw new InvalidArgumentError('It is a number over 0, such as 5M, 200k or 0.5.')
}

/** `5,000,000` as `5.0M`. */
function short(value: number): string {
  const unit = Object.entries(UNITS).findLast(([, factor]) => value >= factor) ?? ['', 1]
  const scaled = value / unit[1]
  return `${scaled.toFixed(scaled < 10 && unit[1] > 1 ? 1 : 0)}${unit[0]}`
}

const perSecond = (bytes: number): string => `${size(bytes)}/s`

function planText(plan: Plan): string {
  const { load, kafka, flink, lake, network } = plan
  const [first] = plan.limits
  const over = plan.limits.filter(({ used }) => used > 1)
  const sections = [
    `${short(load.rate)} events/s of ${load.bytes} B in ${load.types} types; batches of ${load.batch} events, ${plan.chunkEvents.toFixed(1)} of a type; a commit every ${load.intervalSeconds} s`,
    textTable(['part', 'cores', 'CPU per event', 'machines', 'set by'], machineRows(plan), [
      false,
      true,
      true,
      true,
      false,
    ]),
    textTable(
      ['flow', 'bytes'],
      [
        ['devices → collectors, not compressed', perSecond(network.devices)],
        ['collectors → brokers', perSecond(network.collectorsToBrokers)],
        ['between brokers', perSecond(network.betweenBrokers)],
        ['brokers → Flink', perSecond(network.brokersToFlink)],
        ['Flink → lake', perSecond(network.flinkToLake)],
      ],
      [false, true],
    ),
    textTable(
      ['kept', 'amount'],
      [
        ['records a second, each a chunk or a batch', short(plan.recordsPerSecond)],
        [
          'partitions, and of the most frequent type',
          `${short(kafka.partitions)}, ${kafka.partitionsMost}`,
        ],
        [`Kafka, ${load.retentionHours} h in ${load.copies} copies`, size(kafka.diskBytes)],
        [`records remembered for ${load.memoryHours} h`, short(flink.remembered)],
        [`their state (${flink.backend})`, size(flink.stateBytes)],
        [
          'a checkpoint, and what of it is written',
          `${size(flink.checkpointBytes)}, ${size(flink.checkpointWrittenBytes)}`,
        ],
        ['lake a day', size(lake.bytesPerDay)],
        [
          'files a commit and a day, before they are merged',
          `${short(lake.filesPerCommit)}, ${short(lake.filesPerDay)}`,
        ],
        ['a file', size(lake.fileBytes)],
        ['objects a day', short(lake.objectsPerDay)],
        ['commits of tables a second', lake.commitsPerSecond.toFixed(1)],
      ],
      [false, true],
    ),
    textTable(
      ['what ends', 'used', 'at', 'then'],
      plan.limits.map(({ what, used, breaksAt, effect }) => [
        what,
        `${(100 * used).toFixed(0)} %`,
        breaksAt === undefined ? 'any rate' : `${short(breaksAt)}/s`,
        effect,
      ]),
      [false, true, true, false],
    ),
    over.length > 0
      ? `It does not fit: ${over.map(({ what }) => what).join(', ')}.`
      : `First to break with these machines: ${first!.what}${first!.breaksAt === undefined ? '' : `, at ${short(first!.breaksAt)} events/s`}.`,
    assumptions(),
  ]
  return `${sections.join('\n\n').replaceAll(/ +$/gm, '')}\n`
}

function machineRows({ collector, kafka, flink, load }: Plan): string[][] {
  const us = (value: number): string => `${value.toFixed(2)} µs`
  return [
    [
      'collectors',
      short(collector.cores),
      us(collector.us),
      `${collector.processes} of 1 core`,
      'cores',
    ],
    [
      'brokers',
      short(kafka.cores),
      us(kafka.us),
      `${kafka.brokers} of ${load.machine.cores} cores`,
      kafka.why,
    ],
    [
      'TaskManagers',
      short(flink.cores),
      us(flink.us),
      `${flink.taskManagers} of ${load.machine.cores} cores`,
      flink.why,
    ],
  ]
}

/** What the figures rest on that nobody has measured. */
function assumptions(): string {
  const assumed = Object.entries(CONSTANTS).filter(([, { kind }]) => kind === 'assumed')
  return `Not measured but assumed: ${assumed
    .map(([name, { value, unit }]) => `${name} ${value} ${unit}`)
    .join('; ')}. --json tells where each constant is from.`
}
