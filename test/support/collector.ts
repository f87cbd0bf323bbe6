/** Projects whose collector writes to Kafka, and what must be in its topics. */
import { expect } from 'vitest'
import type { FleetReport } from '../../examples/streaming/fleet.ts'
import { firstCopies, readTopics } from './kafka.ts'
import { writeProject } from './project.ts'

/** Writes a project on the specifications of the streaming example whose collector keeps nothing. */
export function writeCollectorProject(
  folder: string,
  brokers: readonly string[],
  kafka: object = {},
): void {
  writeProject(folder, 'examples/streaming/specs.ts', {
    cluster: { collectorOnly: true, kafka: { brokers, partitions: 2, ...kafka } },
  })
}

export interface TopicsCheck {
  /** Records in all topics, and how many of them are further copies. */
  readonly records: number
  readonly copies: number
}

/** Asserts that the topics hold what the devices of a fleet logged: each event once after copies are told, each batch in the ledger. */
export async function expectInTopics(
  report: FleetReport,
  brokers: readonly string[],
  prefix = 'headwater',
): Promise<TopicsCheck> {
  const records = await readTopics(brokers, prefix)
  const topics = firstCopies(records, prefix)
  const landed: Record<string, number> = {}
  const numbers = new Set<string>()
  for (const [topic, values] of topics) {
    const type = /^events\.(.*)$/.exec(topic)?.[1]
    if (type === undefined) continue
    for (const { boot, n, rows } of values) {
      expect(n).toHaveLength(rows as number)
      landed[type] = (landed[type] ?? 0) + (rows as number)
      for (const number of n as number[]) numbers.add(`${boot as string} ${number}`)
    }
  }
  const wanted = Object.entries(report.byType)
  expect(landed).toEqual(
    Object.fromEntries(
      wanted.filter(([, each]) => each.landed > 0).map(([type, each]) => [type, each.landed]),
    ),
  )
  expect(numbers.size).toBe(report.landed)
  const quarantined: Record<string, number> = {}
  for (const { type, events } of topics.get('quarantine') ?? []) {
    quarantined[type as string] = (quarantined[type as string] ?? 0) + (events as number)
  }
  expect(quarantined).toEqual(
    Object.fromEntries(
      wanted
        .filter(([, each]) => each.quarantined > 0)
        .map(([type, each]) => [type, each.quarantined]),
    ),
  )
  const sum = (name: string): number =>
    (topics.get('batches') ?? []).reduce((all, batch) => all + (batch[name] as number), 0)
  expect({
    landed: sum('landed'),
    quarantined: sum('quarantined'),
    missing: sum('missing'),
  }).toEqual({ landed: report.landed, quarantined: report.quarantined, missing: 0 })
  const distinct = [...topics.values()].reduce((all, values) => all + values.length, 0)
  return { records: records.length, copies: records.length - distinct }
}
