/** A fleet of simulated devices that log through the real client over HTTP, and know to the event what must arrive. */
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { Device, DeviceReport } from './device.ts'
import { type FaultOptions, FAULTS, NO_FAULTS } from './faults.ts'
import { chanceOf } from './world.ts'

export interface FleetOptions {
  readonly url: string
  readonly key?: string
  readonly devices: number
  /** Events a second, over the whole fleet. */
  readonly rate: number
  readonly seed: number
  readonly faults: FaultOptions
  /** How long an event waits for others on its device, ms. */
  readonly flushMs?: number
}

/** What the lake must hold once everything has arrived. */
export interface FleetReport {
  readonly landed: number
  readonly quarantined: number
  readonly byType: Readonly<
    Record<string, { readonly landed: number; readonly quarantined: number }>
  >
  /** Bodies delivered more often than once. */
  readonly repeats: number
  readonly dropped: Readonly<Record<string, number>>
  readonly boots: number
  /** Whether the collector answered for everything. */
  readonly complete: boolean
}

export interface Fleet {
  /** Stops logging, mends every network, and sends what is left. */
  stop(timeoutMs?: number): Promise<FleetReport>
}

const TICK_MS = 50
/** Apps gather for a while, so that a radio can sleep. */
const FLUSH_MS = 3000

export function startFleet(options: FleetOptions): Fleet {
  const chance = chanceOf(options.seed)
  const report = new DeviceReport()
  const { url, key, faults, flushMs = FLUSH_MS } = options
  const devices = Array.from({ length: options.devices }, (_, i) => {
    const own = chanceOf(options.seed * 7919 + i)
    return new Device({ url, key, chance: own, faults, report, flushMs })
  })
  const paces = Math.max(...devices.map(({ pace }) => pace))
  /** A device, the busy ones more often. */
  const next = (): Device => {
    for (;;) {
      const device = chance.pick(devices)
      if (chance.happens(device.pace / paces)) return device
    }
  }
  let owed = 0
  const timer = setInterval(() => {
    owed += (options.rate * TICK_MS) / 1000
    while (owed > 0) owed -= next().step()
  }, TICK_MS)
  return {
    stop: async (timeoutMs = 20_000) => {
      clearInterval(timer)
      const finished = await Promise.all(devices.map((device) => device.finish(timeoutMs)))
      const byType = Object.fromEntries(report.byType)
      const tallies = Object.values(byType)
      return {
        landed: tallies.reduce((sum, { landed }) => sum + landed, 0),
        quarantined: tallies.reduce((sum, { quarantined }) => sum + quarantined, 0),
        byType,
        repeats: devices.reduce((sum, { repeats }) => sum + repeats, 0),
        dropped: Object.fromEntries(report.dropped),
        boots: report.boots,
        complete: finished.every(Boolean),
      }
    },
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values } = parseArgs({
    options: {
      url: { type: 'string', default: process.env['HEADWATER_URL'] ?? 'http://127.0.0.1:8642' },
      key: { type: 'string', default: process.env['HEADWATER_KEY'] ?? '' },
      devices: { type: 'string', default: '1500' },
      rate: { type: 'string', default: '1500' },
      seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
      seconds: { type: 'string' },
      'no-faults': { type: 'boolean', default: false },
    },
  })
  const fleet = startFleet({
    url: values.url,
    ...(values.key === '' ? {} : { key: values.key }),
    devices: Number(values.devices),
    rate: Number(values.rate),
    seed: Number(values.seed),
    faults: values['no-faults'] ? NO_FAULTS : FAULTS,
  })
  const stopped = new Promise<void>((resolve) => {
    process.once('SIGTERM', () => resolve())
    process.once('SIGINT', () => resolve())
    if (values.seconds !== undefined) setTimeout(resolve, Number(values.seconds) * 1000)
  })
  await stopped
  process.stdout.write(`${JSON.stringify(await fleet.stop())}\n`)
  process.exit(0)
}
