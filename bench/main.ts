/** `npm run bench`: what an event costs from HTTP to a committed Iceberg row, and what it costs a team that writes it itself. */
import { parseArgs } from 'node:util'
import { limits } from '../src/base/limits.ts'
import { median } from './measure.ts'
import { BASELINE, Bench, type BenchSetup, type Contestant, type Cost, HEADWATER } from './run.ts'
import { standardTypes } from './types.ts'

const { values } = parseArgs({
  options: {
    smoke: { type: 'boolean', default: false },
    full: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
})
/** Bodies of one stretch; each stretch sends bodies that were never sent before. */
const stretch = values.smoke ? 40 : 12_000
const repeats = values.smoke ? 1 : 3
const epochMs = values.smoke ? 200 : limits.epochMs
const out = (line: string): void => {
  if (!values.json) process.stdout.write(`${line}\n`)
}
const results: Record<string, unknown> = {}

async function saturated(
  name: string,
  contestant: Contestant,
  types: { declared: number; used: number },
): Promise<number> {
  const setup: BenchSetup = {
    contestant,
    ...types,
    bodies: stretch * (repeats + 2),
    seed: 1,
    epochMs,
  }
  const bench = await Bench.open(setup)
  await bench.drive({ count: stretch })
  const costs: Cost[] = []
  for (let i = 0; i < repeats; i++) costs.push(await bench.drive({ count: stretch }))
  const cost = costs.find(({ totalUs }) => totalUs === median(costs.map((each) => each.totalUs)))!
  out(`\n${name}: ${types.declared} types declared, ${types.used} used`)
  out(
    `  CPU per event         ${us(cost.totalUs)}   (JavaScript ${us(cost.mainUs)}, other threads ${us(cost.othersUs)})`,
  )
  out(`  events per CPU-second ${Math.round(1e6 / cost.totalUs).toLocaleString('en-US')}`)
  out(
    `  events per second     ${Math.round(cost.eventsPerSecond).toLocaleString('en-US')}, load generator on the same machine`,
  )
  out(
    `  bytes per event       ${cost.wireBytes.toFixed(1)} on the wire, ${cost.lakeBytes.toFixed(1)} in Parquet`,
  )
  out(`  peak memory           ${mb(bench.memory.peak)}`)
  if (contestant === HEADWATER && types.declared === standardTypes) {
    await stages(bench, cost)
  }
  results[name] = { ...cost, memory: bench.memory.peak, runs: costs.map((each) => each.totalUs) }
  await bench.close()
  return cost.totalUs
}

async function stages(bench: Bench, cost: Cost): Promise<void> {
  const shares = await bench.profile({ count: stretch })
  out('  where it goes (profile of the JavaScript thread; other threads are Parquet and fdatasync)')
  for (const [stage, share] of [...shares].sort(([, a], [, b]) => b - a)) {
    out(`    ${stage.padEnd(20)} ${us(share * cost.mainUs)}`)
  }
  out(`    ${'Parquet, fdatasync'.padEnd(20)} ${us(cost.othersUs)}`)
}

async function paced(name: string, perSecond: number): Promise<void> {
  const batches = perSecond / 50
  const count = Math.round(batches * (values.smoke ? 0.5 : 6))
  const types = { declared: standardTypes, used: standardTypes }
  const setup = { contestant: HEADWATER, ...types, bodies: count * 2, seed: 3, epochMs }
  const bench = await Bench.open(setup)
  await bench.drive({ count, perSecond: batches })
  const cost = await bench.drive({ count, perSecond: batches })
  out(`\n${name}: ${Math.round(perSecond).toLocaleString('en-US')} events/s`)
  out(`  CPU per event         ${us(cost.totalUs)}`)
  out(`  acknowledged after    ${ms(cost.latencyP50)} at the median, ${ms(cost.latencyP99)} at p99`)
  out(
    `  queryable after that  ${ms(cost.queryableP50)} at the median, ${ms(cost.queryableP99)} at p99`,
  )
  out(`  peak memory           ${mb(bench.memory.peak)}`)
  results[name] = { ...cost, memory: bench.memory.peak }
  await bench.close()
}

/** An hour's worth of events at 20,000 a second, as fast as they are taken: what they cost, and what memory is held, quarter by quarter. */
async function hour(name: string): Promise<void> {
  const types = { declared: standardTypes, used: standardTypes }
  const setup = { contestant: HEADWATER, ...types, bodies: 24_000, seed: 5, epochMs }
  const bench = await Bench.open(setup)
  const quarters: { readonly totalUs: number; readonly memory: number }[] = []
  out(`\n${name}`)
  for (let quarter = 1; quarter <= 4; quarter++) {
    const { totalUs } = await bench.drive({ count: HOUR_BODIES / 4 })
    const { now, peak } = bench.memory
    quarters.push({ totalUs, memory: now })
    out(
      `  after ${quarter * 25} %   ${us(totalUs)} an event, ${mb(now)} resident, ${mb(peak)} at most`,
    )
  }
  results[name] = { quarters, memory: bench.memory.peak }
  await bench.close()
}

/** 72 million events in batches of 50. */
const HOUR_BODIES = 1_440_000

const mb = (bytes: number): string => `${(bytes / 1e6).toFixed(0)} MB`
const us = (value: number): string => `${value.toFixed(2)} µs`
const ms = (value: number): string => `${value.toFixed(0)} ms`

const standard = { declared: standardTypes, used: standardTypes }
const ours = await saturated('headwater', HEADWATER, standard)
const theirs = await saturated('Fastify + Zod + DuckDB', BASELINE, standard)
out(`\nratio: headwater takes ${(ours / theirs).toFixed(2)} of the CPU`)
const ten = await saturated('headwater, ten types', HEADWATER, { declared: 10, used: 10 })
const many = await saturated('headwater, many types', HEADWATER, { declared: 300, used: 10 })
out(`\nratio: 300 declared types cost ${(many / ten).toFixed(2)} of what 10 do`)
const capacity = (results['headwater'] as Cost).eventsPerSecond
await paced('20 % of capacity', values.smoke ? 2000 : capacity * 0.2)
await paced('80 % of capacity', values.smoke ? 4000 : capacity * 0.8)
await paced('steady', values.smoke ? 3000 : 150_000)
if (values.full) await hour('an hour of 20,000 events/s, as fast as they are taken')
results['ratio'] = ours / theirs
results['manyTypesRatio'] = many / ten
if (values.json) process.stdout.write(`${JSON.stringify(results)}\n`)
