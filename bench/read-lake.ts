/** A day's table as headwater leaves it: seeded events through the platform on a clock that makes a day of them, then compacted to its final form. */
import path from 'node:path'
import { writeFile } from 'node:fs/promises'
import { type Clock, systemClock } from '../src/base/clock.ts'
import { nodeFiles } from '../src/base/node/files.ts'
import { seededRandom } from '../src/base/random.ts'
import type { Result } from '../src/base/result.ts'
import { doJob, planTable } from '../src/lake/index.ts'
import { openMaintenance, type Platform, startPlatform } from '../src/platform/index.ts'
import { batchEvents, bodies } from './events.ts'
import { benchProject } from './project.ts'
import { eventTypes } from './types.ts'

const DAY_MS = 86_400_000
/** Of the day that the table is of, ms since 1970. */
const DAY_START = Date.UTC(2026, 0, 15)
/** Batches in one request, and requests on the way at once. */
const BATCHES = 20
const REQUESTS = 16

export const TABLE = eventTypes[0]!.name

/** Makes the table in a folder with `rows` rows, rounded up to whole requests; answers how many. */
export async function makeDay(folder: string, rows: number): Promise<number> {
  await writeFile(path.join(folder, 'headwater.config.ts'), 'export default {}\n')
  const time = { now: DAY_START }
  const clock: Clock = { ...systemClock, wall: () => Math.floor(time.now) }
  const platform = await open(folder, clock)
  const batches = Math.ceil(rows / batchEvents / BATCHES) * BATCHES
  const plan = { form: 'columns' as const, seed: 11, bodies: batches, types: 1 }
  const source = bodies(plan)
  const step = (DAY_MS * 0.999) / (batches / BATCHES)
  const send = async (): Promise<void> => {
    for (;;) {
      const parts: string[] = []
      while (parts.length < BATCHES) {
        const { value, done } = source.next()
        if (done === true) break
        parts.push(value)
      }
      if (parts.length === 0) return
      const response = await fetch(`${platform.url}/v1/events`, {
        method: 'POST',
        body: parts.join('\n'),
      })
      if (response.status !== 200) throw new Error(`${response.status}: ${await response.text()}`)
      time.now += step
    }
  }
  await Promise.all(Array.from({ length: REQUESTS }, send))
  await platform.close()
  time.now = DAY_START + 3 * DAY_MS
  await finish(folder, clock)
  return batches * batchEvents
}

/** The platform on what was made, with its catalog, on today's clock. */
export function openDay(folder: string): Promise<Platform> {
  return open(folder, systemClock)
}

async function open(folder: string, clock: Clock): Promise<Platform> {
  const data = path.join(folder, '.headwater')
  const project = { ...benchProject(folder, 1, { maintenance: { enabled: false } }), data }
  const ports = { files: nodeFiles, clock, random: seededRandom(12) }
  return unwrap(await startPlatform({ project, ...ports, development: false }))
}

/** What `headwater compact` does. */
async function finish(folder: string, clock: Clock): Promise<void> {
  const ports = { files: nodeFiles, clock, random: seededRandom(13) }
  const maintenance = unwrap(await openMaintenance(folder, { ...ports, readOnly: false }))
  const { lake, policyOf, compactor: rewriter } = maintenance
  for (;;) {
    const survey = await lake.upkeep.survey(TABLE)
    const { jobs } = planTable(survey, policyOf(TABLE), clock.wall())
    const job = jobs.find(({ kind }) => kind === 'compact')
    if (job === undefined) break
    unwrap(await doJob(job, survey, { lake, rewriter, files: nodeFiles }))
  }
  await maintenance.close()
}

function unwrap<T>(result: Result<T>): T {
  if (!result.ok) throw result.error
  return result.value
}
