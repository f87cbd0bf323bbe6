/** Spark reads what the platform writes into a catalog, and writes beside it: rows, columns, compaction, expiry. */
import path from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { createClient } from '../../src/client/node.ts'
import { defineEvent, int, string } from '../../src/spec/index.ts'
import { javaIsThere } from '../support/java/artifacts.ts'
import { startReferenceCatalog } from '../support/java/reference-catalog.ts'
import { startSpark } from '../support/java/spark.ts'
import { ask, landed, projectOf, start } from '../support/platform.ts'
import { temporaryFolder } from '../support/project.ts'

const { folder, remove } = temporaryFolder('external-spark')
afterAll(remove)

const doc = 'Seen.'
const specs = {
  seen: defineEvent('seen', { doc, fields: { size: int(), name: string().optional() } }),
}

test.skipIf(!javaIsThere())('Spark writes beside the platform', { timeout: 180_000 }, async () => {
  const reference = await startReferenceCatalog(path.join(folder, 'reference'))
  const spark = await startSpark(reference.uri)
  const config = { engine: { epochMs: 100 }, lake: { catalog: { uri: reference.uri } } }
  const project = projectOf(folder, specs, { config })
  let platform = await start(project)
  let logged = 0
  const log = async (events: number): Promise<void> => {
    const client = createClient<typeof specs>({ url: platform.url })
    for (let i = 0; i < events; i++) client.log('seen', { size: logged++, name: `ä${i}` })
    expect(await client.flush()).toBe(true)
    await landed(platform)
  }
  const sums = 'count(*) AS n, sum(size) AS total, count(DISTINCT name) AS names'
  await log(50)
  const [theirs] = await spark.sql(`SELECT ${sums} FROM headwater.seen`)
  expect(theirs).toEqual({ n: 50, total: 1225, names: 50 })

  /** Spark gives up on a commit that lost against ours. */
  const insist = async (statement: string): Promise<void> => {
    await expect.poll(() => spark.sql(statement), { timeout: 60_000 }).toBeDefined()
  }
  // Events go on being logged while Spark appends, adds a column, compacts and expires.
  const busy = new AbortController()
  const logging = (async () => {
    while (!busy.signal.aborted) await log(5)
  })()
  await insist('ALTER TABLE headwater.seen ADD COLUMN remark STRING')
  await insist(`INSERT INTO headwater.seen
    SELECT event_time, event_time_error, received_at, 'spark', n, seq, within, at, install, session, sdk, source, clock,
           geo_country, ua_browser, ua_os, ua_device, robot, _extra, time_flag, size, name, 'by Spark'
    FROM headwater.seen WHERE size < 10`)
  await insist(
    "CALL lake.system.rewrite_data_files(table => 'headwater.seen', options => map('min-input-files', '2'))",
  )
  await insist(
    "CALL lake.system.expire_snapshots(table => 'headwater.seen', older_than => TIMESTAMP '2100-01-01 00:00:00', retain_last => 1)",
  )
  busy.abort()
  await logging
  await log(5)
  const query = `SELECT count(*) AS n, count(remark) AS remarks, sum(size) AS total FROM`
  const whole = { n: logged + 10, remarks: 10, total: (logged * (logged - 1)) / 2 + 45 }
  expect(await spark.sql(`${query} headwater.seen`)).toEqual([whole])
  await platform.lake.refresh()
  const [ours] = await ask(platform.lake, `${query} seen`)
  expect(ours).toEqual(
    Object.fromEntries(Object.entries(whole).map(([key, n]) => [key, String(n)])),
  )
  await platform.close()

  // A restart finds its place although none of its own snapshots may be left, and keeps the column.
  await spark.sql(
    "CALL lake.system.expire_snapshots(table => 'headwater.batches', older_than => TIMESTAMP '2100-01-01 00:00:00', retain_last => 1)",
  )
  platform = await start(project)
  expect(platform.replayed).toBe(0)
  await log(5)
  const after = await spark.sql(
    'SELECT count(*) AS n, count(remark) AS remarks FROM headwater.seen',
  )
  expect(after).toEqual([{ n: logged + 10, remarks: 10 }])
  await platform.close()
  await spark.stop()
  await reference.kill()
})
