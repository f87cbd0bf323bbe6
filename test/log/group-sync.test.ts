/** Group commit: how many fdatasyncs a number of appends costs, and when they happen. */
import { expect, test } from 'vitest'
import { openFileLog, type FileLog, type LogLimits } from '../../src/log/index.ts'
import { MemoryFiles } from '../support/files.ts'
import { frameOf, ManualClock, readIds, settled, valueOf } from './support.ts'

interface Opened {
  readonly log: FileLog
  readonly files: MemoryFiles
  readonly clock: ManualClock
  /** fdatasyncs and writes since the log was opened. */
  cost(): { readonly syncs: number; readonly writes: number }
}

async function open(limits: Partial<LogLimits> = {}): Promise<Opened> {
  const files = new MemoryFiles()
  const clock = new ManualClock()
  const log = valueOf(await openFileLog({ directory: '/log', files, clock, limits }))
  const [syncs, writes] = [files.calls('datasync'), files.calls('append')]
  const cost = (): { syncs: number; writes: number } => ({
    syncs: files.calls('datasync') - syncs,
    writes: files.calls('append') - writes,
  })
  return { log, files, clock, cost }
}

test('appends within the wait share one write, one fdatasync and one promise', async () => {
  const { log, clock, cost } = await open({ groupCommitMs: 2 })
  const appended = []
  for (let id = 0; id < 100; id++) {
    appended.push(valueOf(log.append(frameOf(id, 300))))
    if (id === 49) await clock.advance(1)
  }
  expect(cost()).toEqual({ syncs: 0, writes: 0 })
  expect(log.durableEnd).toBe(0)
  await clock.advance(1)
  expect(cost()).toEqual({ syncs: 1, writes: 1 })
  expect(new Set(appended.map(({ durable }) => durable)).size).toBe(1)
  expect(await appended[0]!.durable).toMatchObject({ ok: true })
  expect(log.durableEnd).toBe(appended[99]!.end)
})

test('a full group does not wait', async () => {
  const { log, cost } = await open({ groupCommitBytesMax: 1000 })
  for (let id = 0; id < 2; id++) log.append(frameOf(id, 440))
  await settled()
  expect(cost()).toEqual({ syncs: 1, writes: 1 })
  expect(await readIds(log, 0)).toEqual([0, 1])
})

test('a group that is being written collects the next one, however long it takes', async () => {
  const { log, files, clock, cost } = await open({ groupCommitMs: 2 })
  const slow = Promise.withResolvers<void>()
  files.pause = (operation) => (operation === 'datasync' ? slow.promise : undefined)
  log.append(frameOf(0))
  await clock.advance(2)
  const late = []
  for (let id = 1; id <= 50; id++) {
    late.push(valueOf(log.append(frameOf(id))))
    await clock.advance(1)
  }
  expect(cost()).toEqual({ syncs: 0, writes: 1 })
  slow.resolve()
  await settled()
  expect(cost()).toEqual({ syncs: 2, writes: 2 })
  expect(await late.at(-1)!.durable).toMatchObject({ ok: true })
  expect(await readIds(log, 0)).toHaveLength(51)
})

test('a group that was collected during a write still waits for its time', async () => {
  const { log, files, clock, cost } = await open({ groupCommitMs: 2 })
  const slow = Promise.withResolvers<void>()
  files.pause = (operation) => (operation === 'datasync' ? slow.promise : undefined)
  log.append(frameOf(0))
  await clock.advance(2)
  log.append(frameOf(1))
  slow.resolve()
  await settled()
  expect(cost().syncs).toBe(1)
  log.append(frameOf(2))
  await clock.advance(2)
  expect(cost().syncs).toBe(2)
  expect(await readIds(log, 0)).toEqual([0, 1, 2])
})

test('what waits for a slow disk is bounded, and room comes back', async () => {
  const { log, files, clock } = await open({ logPendingBytesMax: 5000, groupCommitBytesMax: 1000 })
  const slow = Promise.withResolvers<void>()
  files.pause = () => slow.promise
  let taken = 0
  while (log.append(frameOf(taken, 440)).ok) taken += 1
  expect(taken).toBe(9)
  expect(log.append(frameOf(99, 440))).toMatchObject({ error: { code: 'overloaded' } })
  expect(log.health()).toEqual({ writable: true })
  slow.resolve()
  await clock.advance(2)
  expect(log.append(frameOf(99, 440)).ok).toBe(true)
})

test('groups settle in the order of their frames', async () => {
  const { log, clock } = await open({ groupCommitBytesMax: 1000 })
  const settledIds: number[] = []
  for (let id = 0; id < 20; id++) {
    const { durable } = valueOf(log.append(frameOf(id, 200)))
    void durable.then(() => settledIds.push(id))
  }
  await clock.advance(2)
  expect(settledIds).toEqual([...Array(20).keys()])
})
