/** `node bench/cluster-collector.ts`: what an event costs from HTTP to an acknowledged record of Kafka, in columnar chunks and as a row of JSON per record. */
import { execFileSync } from 'node:child_process'
import { parseArgs } from 'node:util'
import { startKafka } from '../test/support/kafka.ts'
import { cpuOf, median } from './measure.ts'
import { Bench, type Contestant, type Cost } from './run.ts'
import { standardTypes } from './types.ts'

const { values } = parseArgs({
  options: {
    smoke: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    profile: { type: 'boolean', default: false },
  },
})
/** Bodies of one stretch. */
const stretch = values.smoke ? 40 : 4000
const repeats = values.smoke ? 1 : 3

/** What an event cost. */
interface ClusterCost {
  readonly collectorUs: number
  readonly mainUs: number
  readonly brokerUs: number
  readonly eventsPerSecond: number
  readonly wireBytes: number
  /** Of records, uncompressed. */
  readonly recordBytes: number
  /** In the files of the broker. */
  readonly storedBytes: number
  readonly latencyP50: number
  readonly latencyP99: number
  readonly memory: number
}

const COLUMNS: Contestant = {
  module: './cluster-platform.ts',
  path: '/v1/events',
  form: 'columns',
}
const ROWS: Contestant = { module: './cluster-rows.ts', path: '/events', form: 'rows' }

async function measured(contestant: Contestant): Promise<ClusterCost> {
  const kafka = await startKafka(1)
  try {
    process.env['BENCH_BROKERS'] = kafka.addresses.join(',')
    const bench = await Bench.open({
      contestant,
      declared: standardTypes,
      used: standardTypes,
      bodies: stretch * (repeats + 2),
      seed: 1,
      epochMs: 1000,
    })
    const [broker] = kafka.brokers
    await bench.drive({ count: stretch })
    const stored = folderBytes(broker!.data)
    const runs: { cost: Cost; brokerUs: number }[] = []
    for (let i = 0; i < repeats; i++) {
      const before = cpuOf(broker!.pid)
      const cost = await bench.drive({ count: stretch })
      const after = cpuOf(broker!.pid)
      const used = after.main + after.others - before.main - before.others
      runs.push({ cost, brokerUs: used / cost.events })
    }
    const events = runs.reduce((sum, { cost }) => sum + cost.events, 0)
    const storedBytes = (folderBytes(broker!.data) - stored) / events
    if (values.profile) print(await bench.profile({ count: stretch }))
    const { cost } = runs.toSorted((one, other) => one.cost.totalUs - other.cost.totalUs)[
      repeats >> 1
    ]!
    const { peak: memory } = bench.memory
    await bench.close()
    const { totalUs, mainUs, eventsPerSecond, wireBytes, latencyP50, latencyP99 } = cost
    return {
      collectorUs: totalUs,
      mainUs,
      brokerUs: median(runs.map((run) => run.brokerUs)),
      eventsPerSecond,
      wireBytes,
      recordBytes: cost.lakeBytes,
      storedBytes,
      latencyP50,
      latencyP99,
      memory,
    }
  } finally {
    await kafka.remove()
  }
}

/** Bytes that the files of a folder take on disk; those of Kafka are made larger than what is in them. */
function folderBytes(folder: string): number {
  const [kilobytes] = execFileSync('du', ['-sk', folder], { encoding: 'utf8' }).split('\t')
  return Number(kilobytes) * 1024
}

function print(shares: ReadonlyMap<string, number>): void {
  for (const [stage, share] of [...shares].sort(([, a], [, b]) => b - a)) {
    process.stdout.write(`    ${stage.padEnd(20)} ${(share * 100).toFixed(0)} %\n`)
  }
}

const columns = await measured(COLUMNS)
const rows = await measured(ROWS)
if (values.json) process.stdout.write(`${JSON.stringify({ columns, rows })}\n`)
else {
  const line = (name: string, read: (cost: ClusterCost) => number, digits: number): string =>
    `${name.padEnd(34)}${read(columns).toFixed(digits).padStart(12)}${read(rows).toFixed(digits).padStart(14)}\n`
  process.stdout.write(
    `${' '.repeat(34)}${'chunks'.padStart(12)}${'JSON rows'.padStart(14)}\n` +
      line('collector, CPU µs per event', (cost) => cost.collectorUs, 2) +
      line('  of it its JavaScript thread', (cost) => cost.mainUs, 2) +
      line('broker, CPU µs per event', (cost) => cost.brokerUs, 2) +
      line('events per second', (cost) => cost.eventsPerSecond, 0) +
      line('bytes per event on the wire', (cost) => cost.wireBytes, 1) +
      line('bytes per event in records', (cost) => cost.recordBytes, 1) +
      line('bytes per event at the broker', (cost) => cost.storedBytes, 1) +
      line('acknowledged after, ms, p50', (cost) => cost.latencyP50, 0) +
      line('acknowledged after, ms, p99', (cost) => cost.latencyP99, 0) +
      line('peak memory, MB', (cost) => cost.memory / 1e6, 0),
  )
}
