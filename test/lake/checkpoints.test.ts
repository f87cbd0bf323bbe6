/** Which checkpoint of a Flink job a table has, told from its snapshots. */
import { expect, test } from 'vitest'
import { lastCheckpoint, repeatedCheckpoint } from '../../src/lake/checkpoints.ts'
import type { Metadata, Snapshot } from '../../src/lake/metadata.ts'

const flink = (job: string, checkpoint: number): Record<string, string> => ({
  'flink.job-id': job,
  'flink.operator-id': 'sink',
  'flink.max-committed-checkpoint-id': String(checkpoint),
})

/** A table whose snapshots follow one another; ids from 1. */
function tableOf(...summaries: Readonly<Record<string, string>>[]): Metadata {
  const snapshots = summaries.map((summary, i): Snapshot => ({
    'snapshot-id': i + 1,
    ...(i === 0 ? {} : { 'parent-snapshot-id': i }),
    'sequence-number': i + 1,
    'timestamp-ms': i,
    'manifest-list': `${i}`,
    summary: { operation: 'append', ...summary },
  }))
  const current = { 'current-snapshot-id': summaries.length }
  return { ...current, snapshots } as unknown as Metadata
}

/** The metadata once its oldest snapshots have expired. */
function without(metadata: Metadata, count: number): Metadata {
  return { ...metadata, snapshots: metadata.snapshots.slice(count) }
}

test('a checkpoint is repeated where the table has it or a later one of that job', () => {
  const of = (...summaries: Record<string, string>[]): string | undefined =>
    repeatedCheckpoint(tableOf(...summaries.slice(0, -1)), tableOf(...summaries))
  expect(of(flink('a', 1), flink('a', 1))).toMatch(/checkpoint 1 of the job a/)
  expect(of(flink('a', 12), {}, flink('b', 1), flink('a', 9))).toMatch(/checkpoint 12/)
  expect(of(flink('a', 1), flink('a', 2))).toBeUndefined()
  expect(of(flink('a', 1), flink('b', 1))).toBeUndefined()
  expect(of(flink('a', 1), {})).toBeUndefined()
  expect(
    of(flink('a', 1), { ...flink('a', 1), 'flink.operator-id': 'other' }),
    'sinks of one job that share a table',
  ).toBeUndefined()
  expect(of(flink('a', 1), { ...flink('a', 1), operation: 'replace' })).toBeUndefined()
})

test('a rewrite repeats the newest checkpoint, so that it outlives its snapshot', () => {
  expect(lastCheckpoint(tableOf({}, {}))).toEqual({})
  const before = tableOf(flink('a', 1), flink('a', 2), {})
  expect(lastCheckpoint(before)).toEqual(flink('a', 2))
  const rewritten = tableOf(
    flink('a', 1),
    flink('a', 2),
    {},
    { operation: 'replace', ...lastCheckpoint(before) },
  )
  const expired = without(rewritten, 3)
  const again = tableOf({}, {}, {}, rewritten.snapshots[3]!.summary, flink('a', 2))
  expect(repeatedCheckpoint(expired, without(again, 3))).toMatch(/checkpoint 2 of the job a/)
})
