/** Devices, a bad network, and kill -9 between the commits of two tables: each event is in the catalog's tables once. */
import path from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { FAULTS } from '../../examples/streaming/faults.ts'
import { type FleetReport, startFleet } from '../../examples/streaming/fleet.ts'
import { startCatalogProxy } from '../support/catalog-proxy.ts'
import { javaIsThere } from '../support/java/artifacts.ts'
import { startReferenceCatalog } from '../support/java/reference-catalog.ts'
import {
  headwater,
  sql,
  startHeadwater,
  temporaryFolder,
  writeProject,
} from '../support/project.ts'

const { folder, remove } = temporaryFolder('external-kill')
afterAll(remove)

/** Which commit after a start is the last one, and whether it arrives at the catalog; the tables are some ten. */
const KILLS = [
  { commit: 3, arrives: true },
  { commit: 8, arrives: false },
  { commit: 14, arrives: true },
  { commit: 1, arrives: true },
  { commit: 22, arrives: false },
] as const

/** Events by type, from one query. */
async function byType(project: string, query: string): Promise<Record<string, unknown>> {
  const rows = await sql(project, query)
  return Object.fromEntries(rows.map(({ type, n }) => [type, n]))
}

const expected = (report: FleetReport, kind: 'landed' | 'quarantined'): Record<string, number> =>
  Object.fromEntries(
    Object.entries(report.byType).flatMap(([type, tally]) =>
      tally[kind] > 0 ? [[type, tally[kind]]] : [],
    ),
  )

test.skipIf(!javaIsThere()).each([false, true])(
  'nothing is lost or doubled through five kills; transactions: %s',
  { timeout: 180_000 },
  async (transactions) => {
    const project = path.join(folder, String(transactions))
    const reference = await startReferenceCatalog(path.join(project, 'reference'))
    const proxy = await startCatalogProxy(reference.uri)
    proxy.transactions = transactions
    writeProject(project, 'examples/streaming/specs.ts', {
      engine: { epochMs: 300 },
      lake: { catalog: { uri: proxy.uri } },
    })
    let platform = await startHeadwater(project)
    const { port, url } = platform
    const fleet = startFleet({ url, devices: 40, rate: 1500, seed: 12, faults: FAULTS })
    for (const { commit, arrives } of KILLS) {
      let commits = 0
      await new Promise<void>((resolve) => {
        proxy.fate = async ({ isCommit }) => {
          if (!isCommit || ++commits < commit) return commits < commit ? 'pass' : { refused: 503 }
          // Others that are on their way with it arrive or not, as the processes' luck has it.
          if (commits > commit) return { refused: 503 }
          await platform.kill('SIGKILL')
          resolve()
          return arrives ? { lost: 'closed' } : { refused: 503 }
        }
      })
      await new Promise((resolve) => setTimeout(resolve, 300))
      proxy.fate = () => 'pass'
      platform = await startHeadwater(project, port)
    }
    await new Promise((resolve) => setTimeout(resolve, 1000))
    const report = await fleet.stop(60_000)
    expect(report.complete).toBe(true)
    expect(report.landed).toBeGreaterThan(3000)
    expect(await platform.kill('SIGTERM')).toBe(0)

    const landed = 'select type, count(*) as n from events group by all'
    expect(await byType(project, landed)).toEqual(expected(report, 'landed'))
    const held = 'select type, sum(events) as n from quarantine group by all'
    expect(await byType(project, held)).toEqual(expected(report, 'quarantined'))
    const [identity] = await sql(
      project,
      'select count(*) as events, count(distinct (boot, n)) as identities from events',
    )
    expect(identity!['events']).toBe(identity!['identities'])
    const [ledger] = await sql(
      project,
      `select sum("count") as numbered, sum(landed) as landed, sum(quarantined) as quarantined, sum(missing) as missing
       from batches where status <> 'duplicate'`,
    )
    expect(ledger).toEqual({
      numbered: report.landed + report.quarantined,
      landed: report.landed,
      quarantined: report.quarantined,
      missing: 0,
    })
    const { stdout } = await headwater(project, ['tables', '--json'])
    const rows = stdout
      .split('\n')
      .flatMap((line) => (line === '' ? [] : [JSON.parse(line) as { table: string; rows: number }]))
    const events = rows.filter(({ table }) => report.byType[table] !== undefined)
    expect(events.reduce((sum, each) => sum + each.rows, 0)).toBe(report.landed)
    await proxy.close()
    await reference.kill()
  },
)
