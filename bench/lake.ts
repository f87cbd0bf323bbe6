/** `npm run bench:lake`: what a commit costs, and what a table is made of, over a month of commits. */
import { parseArgs } from 'node:util'
import { type Reading, simulate, type Stretch } from './month.ts'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS

const { values } = parseArgs({
  options: {
    full: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
})

/** An hour of a commit a second, or with --full a whole day; four weeks of one in ten minutes; and again one a second on top of them. */
const stretches: Stretch[] = [
  { forMs: values.full ? DAY_MS : HOUR_MS, everyMs: 1000 },
  { forMs: 28 * DAY_MS, everyMs: 600_000 },
  { forMs: values.full ? HOUR_MS : HOUR_MS / 2, everyMs: 1000 },
]

const columns: [title: string, of: (reading: Reading) => string][] = [
  ['day', ({ day }) => day.toFixed(2)],
  ['every', ({ everyMs }) => `${everyMs / 1000} s`],
  ['commits', ({ commits }) => String(commits)],
  ['p50 ms', ({ p50 }) => p50.toFixed(1)],
  ['p99 ms', ({ p99 }) => p99.toFixed(1)],
  ['max ms', ({ max }) => max.toFixed(0)],
  ['cpu p50', ({ cpuP50 }) => cpuP50.toFixed(1)],
  ['cpu p99', ({ cpuP99 }) => cpuP99.toFixed(1)],
  ['files', ({ files }) => String(files)],
  ['manifests', ({ manifests }) => String(manifests)],
  ['snapshots', ({ snapshots }) => String(snapshots)],
  ['metadata kB', ({ metadataBytes }) => (metadataBytes / 1000).toFixed(0)],
  ['objects', ({ objects }) => String(objects)],
  ['plan ms', ({ planMs }) => planMs.toFixed(1)],
  ['upkeep ms', ({ upkeepMs }) => upkeepMs.toFixed(2)],
  ['written', ({ amplification }) => `${amplification.toFixed(1)}x`],
]

const line = (cells: readonly string[]): void => {
  const padded = cells.map((cell, i) => cell.padStart(Math.max(7, columns[i]![0].length)))
  process.stdout.write(`${padded.join('  ')}\n`)
}

if (!values.json) line(columns.map(([title]) => title))
const readings = await simulate(stretches, 6, (reading) => {
  if (!values.json) line(columns.map(([, of]) => of(reading)))
})
if (values.json) process.stdout.write(`${JSON.stringify(readings)}\n`)
