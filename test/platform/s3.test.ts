/** The whole platform on an object store behind a bad network: kill -9, lost answers and two owners, and every event is there once. */
import { randomBytes } from 'node:crypto'
import { existsSync, readdirSync } from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { FAULTS } from '../../examples/streaming/faults.ts'
import { startFleet } from '../../examples/streaming/fleet.ts'
import { systemClock } from '../../src/base/clock.ts'
import { nodeFiles } from '../../src/base/node/files.ts'
import { seededRandom, systemRandom } from '../../src/base/random.ts'
import {
  type Platform,
  type PlatformOptions,
  type Project,
  startPlatform,
} from '../../src/platform/index.ts'
import type { Result } from '../../src/base/result.ts'
import { defineEvent, int } from '../../src/spec/index.ts'
import { clickhouse } from '../lake/clickhouse.ts'
import { type FaultProxy, startFaultProxy } from '../support/fault-proxy.ts'
import { ask, landed, projectOf, unwrap } from '../support/platform.ts'
import {
  headwater,
  sql,
  startHeadwater,
  temporaryFolder,
  writeProject,
} from '../support/project.ts'
import { ACCESS, INSTALL_MS_MAX, type S3Server, skipS3, startS3 } from '../support/s3.ts'

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

describe.skipIf(skipS3)('the platform on an object store', () => {
  const { folder, remove } = temporaryFolder('s3-platform')
  let server: S3Server
  let proxy: FaultProxy
  let lakes = 0

  beforeAll(async () => {
    Object.assign(process.env, ACCESS)
    server = await startS3(path.join(folder, 'store'), ['lakes'])
    proxy = await startFaultProxy(server.port)
  }, INSTALL_MS_MAX)
  afterAll(async () => {
    await proxy?.stop()
    await server?.stop()
    remove()
  })
  beforeEach(() => {
    proxy.fault = () => undefined
    proxy.calls.length = 0
  })

  const freshLake = (): { location: string; s3: object } => ({
    location: `s3://lakes/lake-${lakes++}`,
    s3: { endpoint: proxy.endpoint, forcePathStyle: true },
  })

  test('nothing is lost or doubled through kills and faults', { timeout: 180_000 }, async () => {
    const data = path.join(folder, 'kills')
    await nodeFiles.makeDirectory(data)
    const lake = freshLake()
    writeProject(data, 'examples/streaming/specs.ts', { engine: { epochMs: 300 }, lake })
    const random = seededRandom(7)
    proxy.fault = () => {
      const chance = random.float()
      if (chance < 0.02) return { kind: 'drop' }
      if (chance < 0.04) return { kind: 'lose' }
      if (chance < 0.05) return { kind: 'cut' }
      return chance < 0.07 ? { kind: 'answer', status: 503, code: 'SlowDown' } : undefined
    }
    let platform = await startHeadwater(data)
    const { port } = platform
    const fleet = startFleet({
      url: platform.url,
      devices: 40,
      rate: 1200,
      seed: 11,
      faults: FAULTS,
    })
    for (let i = 0; i < 3; i++) {
      await pause(2000 + i * 370)
      await platform.kill('SIGKILL')
      platform = await startHeadwater(data, port)
    }
    await pause(1500)
    const report = await fleet.stop(90_000)
    expect(report.complete).toBe(true)
    expect(report.landed).toBeGreaterThan(3000)
    expect(await platform.kill('SIGTERM')).toBe(0)

    const counts = await sql(data, 'select type, count(*) as n from events group by all')
    const sent = Object.entries(report.byType).filter(([, tally]) => tally.landed > 0)
    expect(Object.fromEntries(counts.map(({ type, n }) => [type, n]))).toEqual(
      Object.fromEntries(sent.map(([type, tally]) => [type, tally.landed])),
    )
    const [identity] = await sql(
      data,
      'select count(*) as events, count(distinct (boot, n)) as identities from events',
    )
    expect(identity!['events']).toBe(identity!['identities'])
    const [ledger] = await sql(
      data,
      `select sum(landed) as landed, sum(quarantined) as quarantined, sum(missing) as missing
       from batches where status <> 'duplicate'`,
    )
    expect(ledger).toEqual({
      landed: report.landed,
      quarantined: report.quarantined,
      missing: 0,
    })
    // Nothing of the lake is on the local disk but what can be made again.
    expect(readdirSync(path.join(data, '.headwater')).toSorted()).toEqual(
      ['cache', 'log', 'owner.id', 'spool'].toSorted(),
    )
    const tables = await headwater(data, ['tables', '--json'])
    const rows = tables.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { table: string; rows: number })
    for (const { type, n } of counts) {
      expect(rows.find(({ table }) => table === type)?.rows).toBe(n)
    }
    // ClickHouse reads the same rows, straight from the store.
    const { AWS_ACCESS_KEY_ID: id, AWS_SECRET_ACCESS_KEY: secret } = ACCESS
    const url = (table: string): string => `${server.endpoint}/lakes/lake-0/headwater/${table}/`
    const theirs = clickhouse(
      folder,
      counts.map(
        ({ type }) =>
          `select count() as events, uniqExact(boot, n) as identities
           from icebergS3('${url(String(type))}', '${id}', '${secret}')`,
      ),
    )
    for (const [i, { type, n }] of counts.entries()) {
      const [row] = theirs[i]!
      expect({ type, n: Number(row!['events']), identities: Number(row!['identities']) }).toEqual({
        type,
        n,
        identities: n,
      })
    }
    // Readers that know only a folder find the newest metadata by the hint.
    for (const { table } of rows) {
      const metadata = path.join(folder, 'store/lakes/lake-0/headwater', table, 'metadata')
      const hint = (await nodeFiles.read(path.join(metadata, 'version-hint.text'))).toString()
      expect(existsSync(path.join(metadata, `${hint}.metadata.json`)), table).toBe(true)
    }
  })

  const specs = { tick: defineEvent('tick', { doc: 'A tick.', fields: { i: int() } }) }

  const begin = (
    project: Project,
    more: Partial<PlatformOptions> = {},
  ): Promise<Result<Platform>> => {
    const ports = { files: nodeFiles, clock: systemClock, random: systemRandom }
    return startPlatform({ project, ...ports, development: true, ...more })
  }
  const start = async (project: Project): Promise<Platform> => unwrap(await begin(project))

  /** A source of ticks for any platform; knows what was acknowledged. */
  function ticker(): { send(platform: Platform): Promise<number>; acknowledged: number[] } {
    const boot = randomBytes(16).toString('base64url')
    let seq = 0
    const acknowledged: number[] = []
    const send = async ({ url }: Platform): Promise<number> => {
      const header = { boot, seq, first: seq, count: 1, sent: 5, booted: Date.now(), ctx: {} }
      const chunk = { type: 'tick', n: [0], at: [1], cols: { i: [seq] } }
      const body = `${JSON.stringify(header)}\n${JSON.stringify(chunk)}`
      const { status } = await fetch(`${url}/v1/events`, { method: 'POST', body })
      if (status === 200) acknowledged.push(seq++)
      return status
    }
    return { send, acknowledged }
  }

  const ticksOf = async ({ lake }: Platform): Promise<unknown[]> =>
    (await ask(lake, 'select i from tick order by i')).map(({ i }) => i)

  const until = async (condition: () => Promise<boolean> | boolean): Promise<void> => {
    for (let i = 0; !(await condition()); i++) {
      if (i > 600) throw new Error('never')
      await pause(50)
    }
  }

  test.each(['lose', 'drop'] as const)(
    'a commit whose outcome is not known is settled before the next: %s',
    { timeout: 60_000 },
    async (kind) => {
      const project = projectOf(path.join(folder, `unknown-${kind}`), specs, {
        config: { lake: freshLake() },
      })
      const platform = await start(project)
      const { send, acknowledged } = ticker()
      await send(platform)
      await landed(platform)
      // Every attempt at the commit point fails, while everything else goes on.
      proxy.fault = ({ method, target }) =>
        method === 'PUT' && /\/catalog\/\d+\.json/.test(target) ? { kind } : undefined
      for (let i = 0; i < 10; i++) await send(platform)
      await until(async () => {
        const metrics = await (await fetch(`${platform.url}/metrics`)).text()
        return /^headwater_engine_failing 1$/m.test(metrics)
      })
      for (let i = 0; i < 10; i++) await send(platform)
      proxy.fault = () => undefined
      await landed(platform)
      expect(await ticksOf(platform)).toEqual(acknowledged)
      expect(acknowledged).toHaveLength(21)
      await platform.close()
      const again = await start(project)
      expect(await ticksOf(again)).toEqual(acknowledged)
      await again.close()
    },
  )

  test('a commit that arrives after its process died is not repeated', async () => {
    const data = path.join(folder, 'late')
    const project = projectOf(data, specs, { config: { lake: freshLake() } })
    const { send, acknowledged } = ticker()
    const first = await start(project)
    await send(first)
    await landed(first)
    let release = (): void => {}
    const released = new Promise<void>((resolve) => (release = resolve))
    let held = 0
    proxy.fault = ({ method, target }) =>
      method === 'PUT' && /\/catalog\/\d+\.json/.test(target) && held++ === 0
        ? { kind: 'hold', until: released }
        : undefined
    await send(first)
    await until(() => held > 0)
    // As after a crash, the next process knows nothing of it.
    await nodeFiles.remove(path.join(data, '.headwater', 'owner.lock'))
    const failures: string[] = []
    let opening = true
    const second = await begin(project, {
      onFailure: ({ code }) => failures.push(code),
      files: {
        ...nodeFiles,
        // The late request arrives between the look at the catalog and the first commit.
        open: async (file, mode) => {
          if (opening && file.includes(`${path.sep}log`)) {
            opening = false
            release()
            await pause(500)
          }
          return nodeFiles.open(file, mode)
        },
      },
    })
    if (!second.ok) failures.push(second.error.code)
    expect(failures).toEqual(['lake_locked'])
    if (second.ok) await second.value.close()
    await first.close()
    const third = await start(project)
    await landed(third)
    expect(await ticksOf(third)).toEqual(acknowledged)
    await third.close()
  })

  test('of two that start on a new lake at once, one owns it', async () => {
    const lake = freshLake()
    const results = await Promise.all(
      ['x', 'y'].map((name) =>
        begin(projectOf(path.join(folder, `both-${name}`), specs, { config: { lake } })),
      ),
    )
    const started = results.flatMap((result) => (result.ok ? [result.value] : []))
    expect(started).toHaveLength(1)
    expect(results.flatMap((result) => (result.ok ? [] : [result.error.code]))).toEqual([
      'lake_locked',
    ])
    const { send, acknowledged } = ticker()
    for (let i = 0; i < 5; i++) await send(started[0]!)
    await landed(started[0]!)
    expect(await ticksOf(started[0]!)).toEqual(acknowledged)
    await started[0]!.close()
  })

  test('a lake passes to another data directory and back, and nothing is lost', async () => {
    const lake = freshLake()
    const project = (name: string, takeOver: boolean): ReturnType<typeof projectOf> =>
      projectOf(path.join(folder, `pass-${name}`), specs, {
        config: { lake: { ...lake, takeOver } },
      })
    const one = ticker()
    const a = await start(project('a', false))
    for (let i = 0; i < 5; i++) await one.send(a)
    await landed(a)

    await expect(start(project('b', false))).rejects.toMatchObject({ code: 'lake_locked' })
    const b = await start(project('b', true))
    const other = ticker()
    for (let i = 0; i < 7; i++) await other.send(b)
    await landed(b)
    // The first owner takes an event before it notices, then says that it cannot, and keeps what it took.
    await one.send(a)
    await until(async () => (await fetch(`${a.url}/readyz`)).status === 503)
    expect(await one.send(a)).toBe(503)
    expect(a.ready().join()).toContain('lake_locked')
    await a.close()
    await expect(start(project('a', false))).rejects.toMatchObject({ code: 'lake_locked' })
    for (let i = 0; i < 3; i++) await other.send(b)
    await landed(b)
    await b.close()

    const back = await start(project('a', true))
    expect(back.replayed).toBe(1)
    await one.send(back)
    // What was sent to the other is known as a repeat here.
    await landed(back)
    expect(await ticksOf(back)).toEqual(
      [...one.acknowledged, ...other.acknowledged].toSorted((x, y) => x - y),
    )
    expect([one.acknowledged.length, other.acknowledged.length]).toEqual([7, 10])
    await back.close()
    await expect(start(project('b', false))).rejects.toMatchObject({ code: 'lake_locked' })
  })
})
