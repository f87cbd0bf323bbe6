/** `npm run bench:cluster`: what an event costs at collector, broker and TaskManager, from HTTP to an Iceberg row, in columnar chunks and as a row of JSON per record. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { keepAwake } from '../src/base/clock.ts'
import { schemasOf } from '../src/platform/schemas.ts'
import { startCatalog } from '../test/lake/catalog.ts'
import { startTestCluster } from '../test/support/cluster.ts'
import { type JobKind, type JobSite, startJob } from './cluster-jobs.ts'
import { cpuOf, median } from './measure.ts'
import { benchProject } from './project.ts'
import { Bench, type Contestant } from './run.ts'
import { standardTypes } from './types.ts'

const { values } = parseArgs({
  options: {
    smoke: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    batches: { type: 'string', default: '50,200' },
    /** Kinds of jobs that are measured. */
    only: { type: 'string', default: 'columns,rows,rows once' },
    /** Events of one stretch; there are a warm-up and three more. */
    events: { type: 'string' },
  },
})
const stretchEvents = Number(values.events ?? (values.smoke ? 2000 : 100_000))
const repeats = values.smoke ? 1 : 3
const wanted = new Set(values.only.split(','))
const sizes = (values.smoke ? '50' : values.batches).split(',').map(Number)
/** Batches of each device (bench/events.ts). */
const BATCHES_PER_DEVICE = 20

/** CPU in µs per event. */
interface Filled {
  readonly collectorUs: number
  readonly brokerUs: number
  readonly events: number
  readonly batches: number
  readonly wireBytes: number
  /** Of records, uncompressed. */
  readonly recordBytes: number
  /** In the files of the broker. */
  readonly storedBytes: number
}

/** What a job that reads everything cost, while it landed the second half: the first is for Java to compile what is used most. */
interface Drained {
  readonly taskManagerUs: number
  readonly brokerUs: number
  readonly eventsPerSecond: number
  readonly stateBytes: number
}

const COLUMNS: Contestant = { module: './cluster-platform.ts', path: '/v1/events', form: 'columns' }
const ROWS: Contestant = { module: './cluster-rows.ts', path: '/events', form: 'rows' }

// Waiting for processes of Java keeps nobody alive.
const rest = keepAwake()
const folder = mkdtempSync(path.join(os.tmpdir(), 'headwater-bench-'))
const cluster = await startTestCluster({ slots: 2, heapMiB: 768 })
const project = benchProject(folder, standardTypes, {})
const catalog = await startCatalog(path.join(folder, 'lake'), { landedElsewhere: true })
const { events, batches, quarantine } = schemasOf(project)
const made = await catalog.lake.commit({
  schemas: [...events.values(), batches, quarantine],
  appends: new Map(),
  offset: 0,
})
if (!made.ok) throw made.error

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => void end().then(() => process.exit(1)))
}
try {
  const results: Record<string, unknown>[] = []
  for (const batch of sizes) {
    for (const [contestant, kinds] of [
      [COLUMNS, ['columns']],
      [ROWS, ['rows', 'rows once']],
    ] as const) {
      const measured = kinds.filter((kind) => wanted.has(kind))
      if (measured.length === 0) continue
      const prefix = `${contestant.form}${batch}`
      const filled = await fill(contestant, batch, prefix)
      const site = { cluster: cluster.state, catalog: catalog.uri, project, prefix }
      // One that does not count, since Java compiles for longer than a drain takes.
      if (!values.smoke) await drain(measured[0]!, 2, site, filled.events)
      for (const kind of measured) {
        const one = await drain(kind, 1, site, filled.events)
        const two =
          values.smoke || kind === 'rows once' ? one : await drain(kind, 2, site, filled.events)
        results.push(report(batch, kind, filled, one, two))
      }
    }
  }
  if (values.json) process.stdout.write(`${JSON.stringify(results)}\n`)
} finally {
  await end()
}

/** Nothing is left running, and nothing on disk. */
async function end(): Promise<void> {
  await cluster.remove()
  await catalog.close()
  rmSync(folder, { recursive: true, force: true })
  rest()
}

function processOf(name: string): number {
  return cluster.state.processes.find((each) => each.name === name)!.pid
}

/** CPU of a process so far, µs. */
function cpu(name: string): number {
  const { main, others } = cpuOf(processOf(name))
  return main + others
}

/** Sends a warm-up and as many stretches as are measured, to a collector of its own. */
async function fill(contestant: Contestant, batch: number, prefix: string): Promise<Filled> {
  process.env['BENCH_BROKERS'] = cluster.state.kafka.brokers.join(',')
  process.env['BENCH_PREFIX'] = prefix
  const count = Math.ceil(stretchEvents / batch)
  const bench = await Bench.open({
    contestant,
    declared: standardTypes,
    used: standardTypes,
    bodies: count * (repeats + 1),
    seed: 1,
    epochMs: 1000,
    batch,
  })
  await bench.drive({ count })
  const stored = folderBytes()
  const runs: { collectorUs: number; brokerUs: number; wireBytes: number; recordBytes: number }[] =
    []
  for (let i = 0; i < repeats; i++) {
    const before = cpu('broker-1')
    const { totalUs, events: sent, wireBytes, lakeBytes } = await bench.drive({ count })
    const brokerUs = (cpu('broker-1') - before) / sent
    runs.push({ collectorUs: totalUs, brokerUs, wireBytes, recordBytes: lakeBytes })
  }
  await bench.close()
  const all = count * batch
  const of = (name: keyof (typeof runs)[number]): number => median(runs.map((run) => run[name]))
  return {
    collectorUs: of('collectorUs'),
    brokerUs: of('brokerUs'),
    events: all * (repeats + 1),
    batches: count * (repeats + 1),
    wireBytes: of('wireBytes'),
    recordBytes: of('recordBytes'),
    storedBytes: (folderBytes() - stored) / (all * repeats),
  }
}

/** Bytes that the files of the broker take on disk; they are made larger than what is in them. */
function folderBytes(): number {
  const data = path.join(cluster.folder, 'kafka')
  const [kilobytes] = execFileSync('du', ['-sk', data], { encoding: 'utf8' }).split('\t')
  return Number(kilobytes) * 1024
}

/** CPU in µs. */
interface Mark {
  readonly at: number
  readonly rows: number
  readonly taskManager: number
  readonly broker: number
}

/** Has a job land all events of the topics. */
async function drain(
  kind: JobKind,
  parallelism: number,
  site: JobSite,
  expected: number,
): Promise<Drained> {
  const before = rowsOf(catalog)
  const mark = (rows: number): Mark => {
    const [taskManager, broker] = [cpu('taskmanager-1'), cpu('broker-1')]
    return { at: performance.now(), rows, taskManager, broker }
  }
  const begun = mark(0)
  const job = await startJob(kind, parallelism, site)
  const marks: Mark[] = []
  let rows = 0
  while (rows < expected) {
    await new Promise((resolve) => setTimeout(resolve, 50))
    const now = rowsOf(catalog) - before
    if (now > rows) {
      rows = now
      marks.push(mark(rows))
    } else if (marks.length === 0 || performance.now() - marks.at(-1)!.at > 5000) {
      await job.check()
    }
  }
  const last = marks.at(-1)!
  // So few events that they were committed at once count from the start of the job.
  const half = marks.find((each) => each.rows >= expected / 2)!
  const first = half === last ? begun : half
  const stateBytes = await job.stateBytes()
  await job.cancel()
  const drained = last.rows - first.rows
  return {
    taskManagerUs: (last.taskManager - first.taskManager) / drained,
    brokerUs: (last.broker - first.broker) / drained,
    eventsPerSecond: drained / ((last.at - first.at) / 1000),
    stateBytes,
  }
}

/** Events in all tables. */
function rowsOf({ lake }: typeof catalog): number {
  let rows = 0
  for (const type of events.keys()) rows += lake.state.tables.get(type)?.rows ?? 0
  return rows
}

function report(
  batch: number,
  kind: JobKind,
  filled: Filled,
  one: Drained,
  two: Drained,
): Record<string, unknown> {
  const devices = filled.batches / BATCHES_PER_DEVICE
  const stateBytesPerBatch = one.stateBytes / filled.batches
  const result = {
    batch,
    kind,
    ...filled,
    brokerUs: filled.brokerUs + one.brokerUs,
    taskManagerUs: one.taskManagerUs,
    eventsPerSecondOneSlot: one.eventsPerSecond,
    taskManagerUsTwoSlots: two.taskManagerUs,
    eventsPerSecondTwoSlots: two.eventsPerSecond,
    stateBytesPerBatch,
    stateBytesPerMillionDevices: (one.stateBytes / devices) * 1e6,
  }
  if (!values.json) {
    const line = (name: string, value: number, digits: number): string =>
      `  ${name.padEnd(46)}${value.toLocaleString('en-US', { maximumFractionDigits: digits }).padStart(14)}\n`
    process.stdout.write(
      `\n${kind}, batches of ${batch} events over ${standardTypes} types\n` +
        line('collector, CPU µs per event', result.collectorUs, 2) +
        line('broker, CPU µs per event, in and out', result.brokerUs, 2) +
        line('TaskManager, CPU µs per event', result.taskManagerUs, 2) +
        line('  with two slots', result.taskManagerUsTwoSlots, 2) +
        line('events per second, one slot', result.eventsPerSecondOneSlot, 0) +
        line('events per second, two slots', result.eventsPerSecondTwoSlots, 0) +
        line('bytes per event on the wire', result.wireBytes, 1) +
        line('bytes per event in records', result.recordBytes, 1) +
        line('bytes per event at the broker', result.storedBytes, 1) +
        line('bytes of state per batch', result.stateBytesPerBatch, 0) +
        line(
          `MB of state, a million devices of ${BATCHES_PER_DEVICE} batches`,
          result.stateBytesPerMillionDevices / 1e6,
          0,
        ),
    )
  }
  return result
}
