/** Compaction of a lake in an object store: files are fetched, rewritten here, put back, and in the end removed there. */
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Clock, systemClock } from '../../src/base/clock.ts'
import { limits } from '../../src/base/limits.ts'
import { nodeFiles } from '../../src/base/node/files.ts'
import { seededRandom } from '../../src/base/random.ts'
import { Compactor } from '../../src/engine/duckdb/compact.ts'
import { openLake, s3Storage, type Storage } from '../../src/lake/index.ts'
import { doJob } from '../../src/lake/maintain/job.ts'
import { planTable } from '../../src/lake/maintain/plan.ts'
import type { TableSchema } from '../../src/spec/iceberg-type.ts'
import { ask, unwrap } from '../support/platform.ts'
import { temporaryFolder } from '../support/project.ts'
import { ACCESS, INSTALL_MS_MAX, type S3Server, skipS3, startS3 } from '../support/s3.ts'
import { append, DAY_MS, writeRows } from './tables.ts'

const SCHEMA: TableSchema = {
  name: 'seen',
  doc: '',
  partitionBy: 'event_time',
  fields: [
    { id: 1, name: 'event_time', required: false, type: 'timestamptz' },
    { id: 2, name: 'size', required: false, type: 'long' },
  ],
}

describe.skipIf(skipS3)('an object store', () => {
  const { folder, remove } = temporaryFolder('compact-s3')
  let server: S3Server

  beforeAll(async () => {
    Object.assign(process.env, ACCESS)
    server = await startS3(path.join(folder, 'store'), ['lakes'])
  }, INSTALL_MS_MAX)
  afterAll(async () => {
    await server?.stop()
    remove()
  })

  test('has its files joined, and old ones removed once nothing names them', async () => {
    let ahead = 0
    const clock: Clock = { ...systemClock, wall: () => systemClock.wall() + ahead }
    const random = seededRandom(1)
    const ports = { files: nodeFiles, clock, random }
    const storage: Storage = await s3Storage({
      root: 's3://lakes/lake',
      endpoint: server.endpoint,
      forcePathStyle: true,
      spool: path.join(folder, 'spool'),
      cache: path.join(folder, 'cache'),
      cacheBytesMax: 100_000_000,
      ...ports,
    })
    const lock = path.join(folder, 'lock')
    const lake = unwrap(await openLake({ storage, lock, namespace: 'headwater', ...ports }))
    const day = Math.floor(systemClock.wall() / DAY_MS) - 3
    for (let i = 0; i < 60; i++) {
      const rows = `SELECT to_timestamp(${day} * 86400 + i) AS event_time, i AS size FROM range(${i * 10}, ${i * 10 + 10}) t(i)`
      await append(lake, SCHEMA, [await writeRows(lake, SCHEMA, day, rows)])
    }
    const objects = async (name: string): Promise<number> => {
      let count = 0
      for await (const _ of storage.list(`${storage.root}/headwater/seen/${name}`)) count++
      return count
    }
    expect(await objects('data')).toBe(60)
    const policy = { targetBytes: 1 << 20, fanIn: 4, settleMs: 1000 }
    ahead = 2 * limits.garbageAgeMs
    const survey = await lake.upkeep.survey('seen')
    const rewriter = new Compactor({
      files: nodeFiles,
      random,
      memory: '256MB',
      spill: path.join(folder, 'spill'),
    })
    const hands = { lake, rewriter, files: nodeFiles }
    const [job] = planTable(survey, policy, clock.wall()).jobs.filter(
      ({ kind }) => kind === 'compact',
    )
    expect(unwrap(await doJob(job!, survey, hands))).toMatchObject({ before: 60, after: 1 })
    await rewriter.close()
    const count = 'SELECT count(*) AS n, sum(size)::varchar AS total FROM seen'
    const all = [{ n: '600', total: String((599 * 600) / 2) }]
    expect(await ask(lake, count)).toEqual(all)
    // History goes, and with it what only it named.
    ahead += 2 * limits.snapshotKeepMs
    for (let i = 0; i < limits.snapshotsMin; i++) {
      const rows = `SELECT to_timestamp(${day} * 86400) AS event_time, 0 AS size`
      await append(lake, SCHEMA, [await writeRows(lake, SCHEMA, day, rows)])
    }
    expect(unwrap(await lake.upkeep.collect('seen'))).toBeGreaterThanOrEqual(60)
    expect(await objects('data')).toBe(1 + limits.snapshotsMin)
    expect(await ask(lake, count)).toEqual([{ ...all[0], n: '605' }])
    await lake.close()
  }, 120_000)
})
