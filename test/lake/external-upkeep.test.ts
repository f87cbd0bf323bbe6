/** Maintenance of tables in Apache's reference catalog: fewer files and snapshots with the same rows, through lost answers, other writers and their tags. */
import { randomBytes } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { type Clock, systemClock } from '../../src/base/clock.ts'
import { limits } from '../../src/base/limits.ts'
import { nodeFiles } from '../../src/base/node/files.ts'
import { seededRandom } from '../../src/base/random.ts'
import { createClient } from '../../src/client/node.ts'
import { Compactor } from '../../src/engine/duckdb/compact.ts'
import type { KeptLake } from '../../src/lake/index.ts'
import { parseExact, stringifyExact } from '../../src/lake/json.ts'
import { doJob, type Done } from '../../src/lake/maintain/job.ts'
import { type Job, planTable } from '../../src/lake/maintain/plan.ts'
import { decodeManifest, decodeManifestList, encodeManifestList } from '../../src/lake/manifest.ts'
import type { Metadata } from '../../src/lake/metadata.ts'
import type { Platform } from '../../src/platform/index.ts'
import { defineEvent, int } from '../../src/spec/index.ts'
import { type Fate, startCatalogProxy } from '../support/catalog-proxy.ts'
import { javaIsThere } from '../support/java/artifacts.ts'
import { type ReferenceCatalog, startReferenceCatalog } from '../support/java/reference-catalog.ts'
import { ask, landed, projectOf, start, unwrap } from '../support/platform.ts'
import { temporaryFolder } from '../support/project.ts'

const specs = { seen: defineEvent('seen', { doc: 'Seen.', fields: { size: int() } }) }
const java = javaIsThere()
const { folder, remove } = temporaryFolder('external-upkeep')
let reference: ReferenceCatalog
let count = 0

beforeAll(async () => {
  if (java) reference = await startReferenceCatalog(path.join(folder, 'reference'))
}, 60_000)
afterAll(async () => {
  await reference?.kill()
  remove()
})

/** A platform on tables of its own, whose maintenance runs by itself or step by step. */
async function world(maintenance: object) {
  const namespace = `ns${count++}`
  const proxy = await startCatalogProxy(reference.uri)
  const time = { ahead: 0 }
  const clock: Clock = { ...systemClock, wall: () => systemClock.wall() + time.ahead }
  const config = { namespace, lake: { catalog: { uri: proxy.uri } }, maintenance }
  const project = projectOf(path.join(folder, namespace), specs, { config })
  const platform = await start(project, { clock })
  onTestFinished(async () => {
    proxy.fate = () => 'pass'
    await platform.close()
    await proxy.close()
  })
  const url = `${reference.uri}/v1/namespaces/${namespace}/tables`
  return { platform, lake: platform.lake as KeptLake, proxy, time, clock, url, project }
}

type World = Awaited<ReturnType<typeof world>>

/** Logs ten events, a commit each time. */
async function log({ platform }: Pick<World, 'platform'>, times: number): Promise<void> {
  const client = createClient<typeof specs>({ url: platform.url })
  for (let i = 0; i < times; i++) {
    for (let size = 0; size < 10; size++) client.log('seen', { size })
    expect(await client.flush()).toBe(true)
    await landed(platform)
  }
}

async function rowsOf(lake: Platform['lake']): Promise<unknown> {
  const [row] = await ask(
    lake,
    `select count(*)::int as n, count(distinct (boot, n))::int as identities, sum(size)::int as sum from seen`,
  )
  return row
}

const rows = (times: number): unknown => ({
  n: 10 * times,
  identities: 10 * times,
  sum: 45 * times,
})

const metadataOf = async (url: string, table = 'seen'): Promise<Metadata> =>
  (parseExact(await (await fetch(`${url}/${table}`)).text()) as { metadata: Metadata }).metadata

async function post(url: string, body: object): Promise<void> {
  const headers = { 'content-type': 'application/json' }
  const answer = await fetch(url, { method: 'POST', body: stringifyExact(body), headers })
  expect(answer.status, await answer.text()).toBe(200)
}

/** Does one job of a kind on the table `seen`. */
async function work(
  { lake, clock, fanIn = 2 }: World & { fanIn?: number },
  kind: Job['kind'],
): Promise<Done> {
  const compactor = new Compactor({
    files: nodeFiles,
    random: seededRandom(count),
    memory: '256MB',
    spill: path.join(folder, 'spill'),
  })
  onTestFinished(() => compactor.close())
  const survey = await lake.upkeep.survey('seen')
  const policy = { targetBytes: 1 << 20, fanIn, settleMs: 3_600_000 }
  const job = planTable(survey, policy, clock.wall()).jobs.find((each) => each.kind === kind)
  if (job === undefined) throw new Error(`no ${kind} is due`)
  return unwrap(await doJob(job, survey, { lake, rewriter: compactor, files: nodeFiles }))
}

/** An append of nothing by another engine. */
async function appendNothing(url: string): Promise<void> {
  const metadata = await metadataOf(url)
  const current = metadata.snapshots.find(
    (each) => each['snapshot-id'] === metadata['current-snapshot-id'],
  )!
  const id = 7_000_000 + count++
  const sequence = metadata['last-sequence-number'] + 1
  const list = `${metadata.location}/metadata/snap-${id}.avro`
  const manifests = decodeManifestList(readFileSync(fileURLToPath(current['manifest-list'])))
  const of = { id, parent: current['snapshot-id'], sequence }
  writeFileSync(fileURLToPath(list), encodeManifestList(manifests, of, randomBytes(16)))
  const snapshot = {
    ...current,
    'snapshot-id': id,
    'parent-snapshot-id': of.parent,
    'sequence-number': sequence,
    'manifest-list': list,
  }
  const main = { 'ref-name': 'main', type: 'branch', 'snapshot-id': id }
  const updates = [
    { action: 'add-snapshot', snapshot },
    { action: 'set-snapshot-ref', ...main },
  ]
  await post(`${url}/seen`, { requirements: [], updates })
}

/** Data files that a snapshot names. */
function filesOf(metadata: Metadata, id: Metadata['current-snapshot-id']): string[] {
  const snapshot = metadata.snapshots.find((each) => each['snapshot-id'] === id)!
  return decodeManifestList(readFileSync(fileURLToPath(snapshot['manifest-list']))).flatMap(
    (manifest) =>
      decodeManifest(readFileSync(fileURLToPath(manifest.path)))
        .filter(({ status }) => status !== 2)
        .map(({ dataFile }) => fileURLToPath(dataFile['file_path'] as string)),
  )
}

/** More commits than snapshots that always stay. */
const TIMES = limits.snapshotsMin + 4

describe.skipIf(!java)('tables in another catalog', () => {
  test('are compacted beside the writers, and the offset stays', { timeout: 90_000 }, async () => {
    const it = await world({ share: 1, fanIn: 2 })
    const { counts } = it.platform.maintainer!
    let times = 0
    const enough = (): boolean => (counts.jobs.get('compact') ?? 0) >= 3
    for (; times < 40 && !enough(); times++) await log(it, 1)
    await expect.poll(enough, { timeout: 30_000 }).toBe(true)
    await log(it, 1)
    times++
    expect(counts.failures).toBe(0)
    expect(await rowsOf(it.lake)).toEqual(rows(times))
    const metadata = await metadataOf(it.url)
    const replaced = metadata.snapshots.filter(({ summary }) => summary['operation'] === 'replace')
    const elsewhere = await Promise.all(
      ['batches', 'quarantine'].map((each) => metadataOf(it.url, each)),
    )
    const all = [metadata, ...elsewhere].flatMap(({ snapshots }) => snapshots)
    expect(
      all.filter(({ summary }) => summary['operation'] === 'replace').length,
    ).toBeGreaterThanOrEqual(3)
    for (const { summary } of replaced)
      expect(Number(summary['headwater.offset'])).toBeGreaterThan(0)
    await it.platform.close()
    const again = await start(it.project)
    expect(again.replayed).toBe(0)
    expect(await rowsOf(again.lake)).toEqual(rows(times))
    await again.close()
  })

  test('lose orphans with our names after three days, and nothing else', async () => {
    const { platform, lake, url, proxy } = await world({ enabled: false })
    await log({ platform }, 2)
    const { location } = await metadataOf(url)
    const place = fileURLToPath(location)
    const uuid = (digit: string): string => `${digit.repeat(8)}-aaaa-bbbb-cccc-${digit.repeat(12)}`
    const then = (days: number): number => (systemClock.wall() - days * 86_400_000) / 1000
    const make = (name: string, days: number): string => {
      const file = path.join(place, name)
      writeFileSync(file, 'x')
      utimesSync(file, then(days), then(days))
      return file
    }
    const gone = [
      make(`data/${uuid('1')}.parquet`, 4),
      make(`metadata/${uuid('2')}-m0.avro`, 4),
      make(`metadata/snap-77-1-${uuid('3')}.avro`, 4),
    ]
    const kept = [
      make(`data/${uuid('4')}.parquet`, 2),
      make(`data/00000-0-${uuid('5')}.parquet`, 4),
      make(`metadata/00009-${uuid('6')}.metadata.json`, 4),
    ]
    // What the table names is as old.
    const named = readdirSync(place, { recursive: true, withFileTypes: true }).filter((each) =>
      each.isFile(),
    )
    for (const { parentPath, name } of named) {
      const file = path.join(parentPath, name)
      if (!kept.includes(file)) utimesSync(file, then(4), then(4))
    }
    proxy.fate = () => ({ refused: 503 })
    expect(await lake.upkeep.sweep()).toMatchObject({ ok: false })
    expect(gone.every((file) => existsSync(file))).toBe(true)
    proxy.fate = () => 'pass'
    expect(unwrap(await lake.upkeep.sweep())).toEqual({ objects: 3, bytes: 3 })
    expect(gone.some((file) => existsSync(file))).toBe(false)
    expect(kept.every((file) => existsSync(file))).toBe(true)
    expect(await rowsOf(lake)).toEqual(rows(2))
  })

  test(
    'are changed once, whatever becomes of requests and answers',
    { timeout: 60_000 },
    async () => {
      const it = await world({ enabled: false })
      const fates = [{ lost: 502 }, { lost: 'closed' }, { refused: 503 }, { refused: 409 }] as const
      for (const [i, fate] of fates.entries()) {
        await log(it, 4)
        const before = (await it.lake.upkeep.survey('seen')).files.length
        let first = true
        it.proxy.fate = ({ isCommit }) => {
          if (!isCommit || !first) return 'pass'
          first = false
          return fate
        }
        const done = await work(it, 'compact')
        expect(first).toBe(false)
        expect(done.refused).toBeUndefined()
        const files = (await it.lake.upkeep.survey('seen')).files
        expect(files.length).toBe(before - done.before + 1)
        for (const { location } of files) expect(existsSync(fileURLToPath(location))).toBe(true)
        const { snapshots } = await metadataOf(it.url)
        const replaced = snapshots.filter(({ summary }) => summary['operation'] === 'replace')
        expect(replaced).toHaveLength(i + 1)
        expect(await rowsOf(it.lake)).toEqual(rows(4 * (i + 1)))
      }
    },
  )

  test(
    'give way to another writer that was first, and are tried again',
    { timeout: 60_000 },
    async () => {
      const it = await world({ enabled: false })
      await log(it, 4)
      for (const kind of ['compact', 'manifests'] as const) {
        let others = 0
        it.proxy.fate = async ({ isCommit, body }): Promise<Fate> => {
          // In between our look at the table and our commit.
          if (isCommit && body.includes('"replace"') && others < 2) {
            others++
            await appendNothing(it.url)
          }
          return 'pass'
        }
        if (kind === 'compact') await work(it, 'compact')
        else {
          await log(it, 3)
          const { manifests } = await it.lake.upkeep.survey('seen')
          const paths = manifests.map((manifest) => manifest.path)
          expect(unwrap(await it.lake.upkeep.mergeManifests('seen', paths))).toBe(1)
        }
        expect(others).toBe(2)
        const { snapshots } = await metadataOf(it.url)
        expect(
          snapshots.filter(({ 'snapshot-id': id }) => id >= 7_000_000 && id < 8_000_000).length,
        ).toBeGreaterThanOrEqual(2)
      }
      expect(await rowsOf(it.lake)).toEqual(rows(7))
      await log(it, 1)
      expect(await rowsOf(it.lake)).toEqual(rows(8))
    },
  )

  test('a catalog that refuses for good leaves the table as it was', async () => {
    const it = await world({ enabled: false })
    await log(it, 3)
    const before = await metadataOf(it.url)
    const data = fileURLToPath(`${before.location}/data`)
    const there = readdirSync(data, { recursive: true }).length
    it.proxy.fate = ({ isCommit }) => (isCommit ? { refused: 403 } : 'pass')
    await expect(work(it, 'compact')).rejects.toMatchObject({ code: 'catalog_refused' })
    it.proxy.fate = () => 'pass'
    expect(await metadataOf(it.url)).toEqual(before)
    // The new file is gone again; the old ones are there.
    expect(readdirSync(data, { recursive: true })).toHaveLength(there)
    await log(it, 1)
    expect(await rowsOf(it.lake)).toEqual(rows(4))
  })

  test(
    'history and files go when they are old, but for what a tag of others names',
    { timeout: 60_000 },
    async () => {
      const it = await world({ enabled: false })
      await log(it, TIMES)
      const before = await metadataOf(it.url)
      const old = filesOf(before, before['current-snapshot-id'])
      await work({ ...it, fanIn: 2 }, 'compact')
      // After we have looked last.
      const tag = { 'ref-name': 'kept', type: 'tag', 'snapshot-id': before['current-snapshot-id'] }
      await post(`${it.url}/seen`, {
        requirements: [],
        updates: [{ action: 'set-snapshot-ref', ...tag }],
      })
      it.time.ahead = limits.garbageAgeMs + limits.snapshotAgeMs
      const expired = unwrap(await it.lake.upkeep.expire('seen'))
      expect(expired).toBeGreaterThan(1)
      expect(unwrap(await it.lake.upkeep.collect('seen'))).toBe(0)
      const tagged = await metadataOf(it.url)
      expect(tagged.refs['kept']).toMatchObject({ 'snapshot-id': before['current-snapshot-id'] })
      expect(filesOf(tagged, before['current-snapshot-id'])).toEqual(old)
      expect(old.filter((file) => !existsSync(file))).toEqual([])
      expect(await rowsOf(it.lake)).toEqual(rows(TIMES))
      // Once the tag is gone, so are they.
      const gone = { action: 'remove-snapshot-ref', 'ref-name': 'kept' }
      await post(`${it.url}/seen`, {
        requirements: [],
        updates: [
          gone,
          { action: 'remove-snapshots', 'snapshot-ids': [before['current-snapshot-id']] },
        ],
      })
      it.time.ahead += limits.garbageAgainMs + limits.garbageAgeMs
      const now = await metadataOf(it.url)
      const live = new Set(now.snapshots.flatMap((each) => filesOf(now, each['snapshot-id'])))
      expect(unwrap(await it.lake.upkeep.collect('seen'))).toBeGreaterThan(0)
      expect(old.filter((file) => existsSync(file))).toEqual(old.filter((file) => live.has(file)))
      expect([...live].filter((file) => !existsSync(file))).toEqual([])
      expect(await rowsOf(it.lake)).toEqual(rows(TIMES))
      // The catalog has a clock of its own, and refuses snapshots out of its future.
      it.time.ahead = 0
      await log(it, 1)
      expect(await rowsOf(it.lake)).toEqual(rows(TIMES + 1))
    },
  )
})
