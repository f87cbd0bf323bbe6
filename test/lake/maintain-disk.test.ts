/** A disk that refuses maintenance: the table waits and the others go on, and nothing is lost when the disk is well again. */
import { expect, test } from 'vitest'
import type { Clock } from '../../src/base/clock.ts'
import { HeadwaterError } from '../../src/base/errors.ts'
import { limits } from '../../src/base/limits.ts'
import { seededRandom } from '../../src/base/random.ts'
import { ok } from '../../src/base/result.ts'
import { type DataFile, localStorage, Maintainer, openLake } from '../../src/lake/index.ts'
import type { TableSchema } from '../../src/spec/iceberg-type.ts'
import { type Call, MemoryFiles } from '../support/files.ts'
import { unwrap } from '../support/platform.ts'

const DAY_MS = 86_400_000
const TODAY = 20_000

const schemaOf = (name: string): TableSchema => ({
  name,
  doc: 'Something.',
  partitionBy: 'event_time',
  fields: [{ id: 1, name: 'event_time', required: false, type: 'timestamptz' }],
})

/** A lake in memory with files of two tables, and its maintenance, which is stepped by hand. */
async function world() {
  const time = { now: 0 }
  const clock: Clock = {
    wall: () => TODAY * DAY_MS + DAY_MS / 2 + time.now,
    monotonic: () => time.now,
    after: () => () => {},
  }
  const files = new MemoryFiles()
  const random = seededRandom(1)
  const ports = { files, clock, random }
  const storage = localStorage('/lake', files, random)
  const lake = unwrap(await openLake({ storage, lock: '/lake', namespace: 'headwater', ...ports }))
  let serial = 0
  const write = async (folder: string, rows: number): Promise<DataFile> => {
    const path = `${folder}/${serial++}.parquet`
    await files.makeDirectory(folder)
    await files.write(path, 'rows')
    return { path, rows, bytes: 100_000, day: TODAY, columns: [] }
  }
  for (let i = 0; i < 4; i++) {
    const appends = new Map<string, DataFile[]>()
    for (const name of ['one', 'two']) {
      appends.set(name, [await write(await lake.dataFolder(name, TODAY), 10)])
    }
    const schemas = [schemaOf('one'), schemaOf('two')]
    unwrap(await lake.commit({ schemas, appends, offset: i + 1 }))
  }
  const failures: [table: string, failure: HeadwaterError][] = []
  const maintainer = new Maintainer({
    lake,
    files,
    clock,
    policyOf: () => ({ targetBytes: 128 << 20, fanIn: 4, settleMs: 3_600_000 }),
    share: 1,
    sweepEveryMs: DAY_MS,
    busy: () => false,
    onFailure: (table, failure) => failures.push([table, failure]),
    rewriter: {
      rewrite: async ({ folder, files: of }) => ok(await write(folder, 10 * of.length)),
      close: async () => {},
    },
  })
  return { lake, files, maintainer, failures, time }
}

const failsIn = (table: string, code: string) => (call: Call) =>
  call.operation === 'read' && call.path.includes(`/${table}/metadata/`) ? { code } : undefined

test.each(['EIO', 'ENOENT', 'EMFILE'])(
  'manifests that cannot be read (%s) are a failure of their table',
  async (code) => {
    const { lake, files, maintainer, failures, time } = await world()
    files.fault = failsIn('one', code)
    await maintainer.step()
    expect(failures.map(([table, failure]) => [table, failure.code])).toEqual([
      ['one', 'disk_failed'],
    ])
    expect(failures[0]![1].detail).toContain(code)
    // The other table was compacted in the same step.
    expect(await lake.files(lake.state, 'two')).toHaveLength(1)
    expect(maintainer.counts.jobs.get('compact')).toBe(1)
    // It is not tried again at once, and later it is.
    await maintainer.step()
    expect(failures).toHaveLength(1)
    files.fault = () => undefined
    time.now += 3 * limits.maintenanceRetryMsMin
    await maintainer.step()
    expect(await lake.files(lake.state, 'one')).toHaveLength(1)
    const [file] = await lake.files(lake.state, 'one')
    expect(file!.rows).toBe(40)
    expect(maintainer.counts.failures).toBe(1)
  },
)

test('a disk that refuses the new manifests, the folder or the sweep stops nothing', async () => {
  const refusals: ((call: Call) => boolean)[] = [
    ({ operation, path }) => operation === 'write' && path.endsWith('.avro'),
    ({ operation, path }) => operation === 'makeDirectory' && path.includes('/data/'),
    ({ operation }) => operation === 'list',
    ({ operation }) => operation === 'sync',
  ]
  for (const refuses of refusals) {
    const { lake, files, maintainer, failures, time } = await world()
    files.fault = (call) => (refuses(call) ? { code: 'EIO' } : undefined)
    time.now += limits.maintenanceFirstSweepMs
    for (let i = 0; i < 5; i++) await maintainer.step()
    expect(failures.length).toBeGreaterThan(0)
    expect(new Set(failures.map(([, { code }]) => code))).toEqual(new Set(['disk_failed']))
    files.fault = () => undefined
    time.now += limits.maintenanceRetryMsMax
    for (let i = 0; i < 3; i++) await maintainer.step()
    for (const name of ['one', 'two']) {
      const live = await lake.files(lake.state, name)
      expect(live.reduce((sum, { rows }) => sum + rows, 0)).toBe(40)
    }
  }
})
