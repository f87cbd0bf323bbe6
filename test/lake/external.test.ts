/** The platform over Apache's reference catalog: what devices sent is in the tables once, through lost answers, kills and other writers. */
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { systemClock } from '../../src/base/clock.ts'
import type { HeadwaterError } from '../../src/base/errors.ts'
import { limits } from '../../src/base/limits.ts'
import { nodeFiles } from '../../src/base/node/files.ts'
import { seededRandom } from '../../src/base/random.ts'
import { decodeManifestList } from '../../src/lake/manifest.ts'
import { currentSchema, type Metadata } from '../../src/lake/metadata.ts'
import { createClient } from '../../src/client/node.ts'
import { type Platform, startPlatform } from '../../src/platform/index.ts'
import { defineEvent, int, long, string } from '../../src/spec/index.ts'
import { javaIsThere } from '../support/java/artifacts.ts'
import { type CatalogProxy, startCatalogProxy } from '../support/catalog-proxy.ts'
import { type ReferenceCatalog, startReferenceCatalog } from '../support/java/reference-catalog.ts'
import { ask, landed, projectOf, start, unwrap } from '../support/platform.ts'
import { temporaryFolder } from '../support/project.ts'

const specs = {
  seen: defineEvent('seen', { doc: 'Seen.', fields: { size: int(), name: string().optional() } }),
  pressed: defineEvent('pressed', { doc: 'Pressed.', fields: { size: int() } }),
}

const java = javaIsThere()
const { folder, remove } = temporaryFolder('external')
let reference: ReferenceCatalog
let proxy: CatalogProxy
let count = 0
/** Each test has a namespace and a data folder of its own. */
let namespace = ''

beforeAll(async () => {
  if (java) reference = await startReferenceCatalog(path.join(folder, 'reference'))
})
afterAll(async () => {
  await reference?.kill()
  remove()
})
beforeEach(async () => {
  if (java) proxy = await startCatalogProxy(reference.uri)
  namespace = `ns${count++}`
})
afterEach(() => proxy?.close())

function project(
  module: object = specs,
  options: Parameters<typeof projectOf>[2] & {
    readonly data?: string
    readonly takeOver?: boolean
    readonly credential?: string
  } = {},
): ReturnType<typeof projectOf> {
  const { data = 'data', takeOver = false, credential } = options
  const catalog = { uri: proxy.uri, ...(credential && { credential }) }
  const config = { namespace, lake: { catalog, takeOver } }
  return projectOf(path.join(folder, namespace, data), module, { ...options, config })
}

/** Logs events of both types and waits for their acknowledgement; answers how many of each. */
async function log(url: string, events: number): Promise<void> {
  const client = createClient<typeof specs>({ url })
  for (let i = 0; i < events; i++) {
    client.log('seen', { size: i, name: `n${i}` })
    client.log('pressed', { size: i })
  }
  expect(await client.flush()).toBe(true)
}

/** Every event once in its table, and the ledger's sums beside it. */
async function counts({ lake }: Pick<Platform, 'lake'>): Promise<Record<string, unknown>> {
  const [events] = await ask(
    lake,
    `select (select count(*) from seen) as seen, (select count(*) from pressed) as pressed,
       (select count(distinct (boot, n)) from events) as identities,
       (select sum(landed) from batches) as landed, (select count(*) from quarantine) as held`,
  )
  return Object.fromEntries(Object.entries(events!).map(([name, value]) => [name, Number(value)]))
}

const once = (events: number): Record<string, number> => ({
  seen: events,
  pressed: events,
  identities: 2 * events,
  landed: 2 * events,
  held: 0,
})

describe.skipIf(!java).each([true, false])('with transactions: %s', (transactions) => {
  beforeEach(() => {
    proxy.transactions = transactions
  })

  test('events land, and are there after a restart', async () => {
    const platform = await start(project())
    await log(platform.url, 500)
    await landed(platform)
    expect(await counts(platform)).toEqual(once(500))
    expect(proxy.commits.some(({ table }) => table === undefined)).toBe(transactions)
    await platform.close()
    const again = await start(project())
    expect(again.replayed).toBe(0)
    await log(again.url, 100)
    await landed(again)
    expect(await counts(again)).toEqual(once(600))
    await again.close()
  })

  test('a commit whose answer is lost is found out about', { timeout: 60_000 }, async () => {
    const platform = await start(project())
    let n = 0
    proxy.fate = ({ isCommit }) => {
      if (!isCommit) return 'pass'
      const fates = ['pass', { lost: 502 }, { lost: 'closed' }, { refused: 503 }, 'pass'] as const
      return fates[n++ % fates.length]!
    }
    for (let i = 0; i < 15; i++) {
      await log(platform.url, 20)
      await landed(platform)
    }
    expect(n).toBeGreaterThan(12)
    expect(await counts(platform)).toEqual(once(300))
    await platform.close()
  })
})

async function post(url: string, body: object): Promise<void> {
  const headers = { 'content-type': 'application/json' }
  const answer = await fetch(url, { method: 'POST', body: JSON.stringify(body), headers })
  expect(answer.status).toBe(200)
}

describe.skipIf(!java)('beside others', () => {
  test('a table follows its specification and keeps what others added', async () => {
    const doc = 'Seen.'
    const first = {
      seen: defineEvent('seen', { doc, fields: { size: int(), old_name: string() } }),
    }
    const second = {
      seen: defineEvent('seen', {
        doc,
        fields: { size: long(), name: string().was('old_name'), note: string().optional() },
      }),
    }
    const one = project(first)
    const before = await start(one)
    const early = createClient<typeof first>({ url: before.url })
    for (let i = 0; i < 100; i++) early.log('seen', { size: i, old_name: `early ${i}` })
    expect(await early.flush()).toBe(true)
    await before.close()
    const after = await start(project(second, { before: one.lock }))
    const late = createClient<typeof second>({ url: after.url })
    for (let i = 0; i < 50; i++)
      late.log('seen', { size: 2 ** 40 + i, name: `late ${i}`, note: 'x' })
    expect(await late.flush()).toBe(true)
    await landed(after)
    const rows = await ask(
      after.lake,
      `select count(*) as n, count(note) as noted, count(*) filter (name like 'early%') as early, sum(size)::varchar as total from seen`,
    )
    expect(rows).toEqual([
      { n: '150', noted: '50', early: '100', total: String(50 * 2 ** 40 + 4950 + 1225) },
    ])
    await after.close()
  })

  test('a column that another engine added stays, and its name is not taken', async () => {
    const platform = await start(project())
    await log(platform.url, 5)
    await platform.close()
    // In one table it gets the next id, in the other one that the lock will not give for long.
    const addNote = async (table: string, ahead: number): Promise<void> => {
      const url = `${reference.uri}/v1/namespaces/${namespace}/tables/${table}`
      const { metadata } = (await (await fetch(url)).json()) as { metadata: Metadata }
      const id = metadata['last-column-id'] + ahead
      const note = { id, name: 'note', required: false, type: 'string' }
      const fields = [...currentSchema(metadata).fields, note]
      const updates = [
        { action: 'add-schema', schema: { type: 'struct', 'schema-id': 9, fields } },
        { action: 'set-current-schema', 'schema-id': -1 },
      ]
      await post(url, { requirements: [], updates })
    }
    await addNote('seen', 1)
    await addNote('pressed', 50)
    const size = int()
    const name = string().optional()
    const doc = 'Seen.'
    const { lock } = project()
    const sameId = {
      ...specs,
      seen: defineEvent('seen', { doc, fields: { size, name, more: name } }),
    }
    await expect(start(project(sameId, { before: lock }))).rejects.toThrow(
      /spec_incompatible.*note/,
    )
    const sameName = {
      ...specs,
      pressed: defineEvent('pressed', { doc, fields: { size, note: name } }),
    }
    await expect(start(project(sameName, { before: lock }))).rejects.toThrow(
      /spec_incompatible.*note/,
    )
    const widened = { ...specs, seen: defineEvent('seen', { doc, fields: { size: long(), name } }) }
    const again = await start(project(widened, { before: lock }))
    await log(again.url, 5)
    await landed(again)
    expect(await counts(again)).toEqual(once(10))
    const found = again.lake.state.tables.get('seen')!.schema.fields
    expect(found.find(({ name: each }) => each === 'note')).toMatchObject({ type: 'string' })
    expect(found.find(({ name: each }) => each === 'size')).toMatchObject({ type: 'long' })
    await again.close()
  })

  test('what a catalog refuses for good stops nothing but the commits', async () => {
    const platform = await start(project())
    await log(platform.url, 5)
    await landed(platform)
    proxy.fate = ({ isCommit }) => (isCommit ? { refused: 403 } : 'pass')
    await log(platform.url, 5)
    await expect.poll(() => proxy.refusals).toBeGreaterThan(1)
    expect(platform.ready()).toEqual([])
    // It gives up at the end; the change waits on disk, and the log has the rest.
    await platform.close()
    proxy.fate = () => 'pass'
    const again = await start(project())
    await landed(again)
    expect(await counts(again)).toEqual(once(10))
    await again.close()
  })

  test('a catalog that numbers columns anew is given our ids', async () => {
    proxy.fate = ({ body }) => (body.includes('"stage-create":true') ? { refused: 406 } : 'pass')
    const platform = await start(project())
    const fields = platform.lake.state.tables.get('batches')!.schema.fields
    expect(fields.find(({ name }) => name === 'dropped')!.type).toMatchObject({ 'element-id': 60 })
    await log(platform.url, 10)
    await landed(platform)
    expect(await counts(platform)).toEqual(once(10))
    await platform.close()
  })

  test('a token is traded for and shown with each request', async () => {
    const shown = new Set<string | undefined>()
    proxy.fate = ({ path: to, authorization }) => {
      if (to.endsWith('/v1/oauth/tokens')) return 'pass'
      shown.add(authorization)
      return authorization === undefined ? { refused: 401 } : 'pass'
    }
    await expect(start(project())).rejects.toThrow(/catalog_refused/)
    const credential = 'me:secret'
    const platform = await start(project(specs, { data: 'other', credential }))
    await log(platform.url, 10)
    await landed(platform)
    expect(await counts(platform)).toEqual(once(10))
    await platform.close()
    expect([...shown].filter((text) => text !== undefined)).toEqual([
      'Bearer client-credentials-token:sub=me',
    ])
  })

  test('a table that is not ours is left alone', async () => {
    const url = `${reference.uri}/v1/namespaces`
    await post(url, { namespace: [namespace], properties: {} })
    const schema = { type: 'struct', fields: [{ id: 1, name: 'x', type: 'long', required: false }] }
    await post(`${url}/${namespace}/tables`, { name: 'other', schema })
    await post(`${url}/${namespace}/tables`, { name: 'pressed', schema })
    await expect(start(project())).rejects.toThrow(/catalog_invalid: table pressed/)
    const seen = { seen: specs.seen }
    const platform = await start(project(seen))
    expect([...platform.lake.state.tables.keys()].toSorted()).toEqual([
      'batches',
      'quarantine',
      'seen',
    ])
    await platform.close()
  })

  test(
    'old snapshots go, and with them the lists that only they had',
    { timeout: 60_000 },
    async () => {
      const platform = await start(project({ seen: specs.seen }))
      const client = createClient<typeof specs>({ url: platform.url })
      const more = async (): Promise<void> => {
        client.log('seen', { size: 1 })
        expect(await client.flush()).toBe(true)
        await landed(platform)
      }
      for (let i = 0; i < limits.expireSnapshotsMin + limits.snapshotsMin + 2; i++) await more()
      const url = `${reference.uri}/v1/namespaces/${namespace}/tables/seen`
      await post(url, {
        requirements: [],
        updates: [
          {
            action: 'set-properties',
            updates: { 'history.expire.max-snapshot-age-ms': '1' },
          },
        ],
      })
      await more()
      await platform.lake.refresh()
      await more()
      const rows = await ask(platform.lake, 'select count(*) as n from seen')
      expect(rows).toEqual([{ n: String(limits.expireSnapshotsMin + limits.snapshotsMin + 4) }])
      await platform.close()
      const { metadata } = (await (await fetch(url)).json()) as {
        metadata: { location: string; snapshots: { 'manifest-list': string }[] }
      }
      expect(metadata.snapshots.length).toBeLessThanOrEqual(limits.snapshotsMin + 2)
      const lists = metadata.snapshots.map((snapshot) => snapshot['manifest-list'])
      const manifests = lists.flatMap((list) =>
        decodeManifestList(readFileSync(fileURLToPath(list))).map((manifest) => manifest.path),
      )
      // Our lists and manifests are those that a snapshot names.
      const there = readdirSync(fileURLToPath(`${metadata.location}/metadata`))
      const named = new Set([...lists, ...manifests].map((location) => path.basename(location)))
      expect(there.filter((name) => name.endsWith('.avro')).toSorted()).toEqual(
        [...named].toSorted(),
      )
    },
  )

  test(
    'a second writer is refused, and takes over when it is told to',
    { timeout: 60_000 },
    async () => {
      const failures: HeadwaterError[] = []
      const first = unwrap(
        await startPlatform({
          project: project(),
          files: nodeFiles,
          clock: systemClock,
          random: seededRandom(1),
          development: true,
          onFailure: (failure) => failures.push(failure),
        }),
      )
      await log(first.url, 10)
      await landed(first)
      await expect(start(project(specs, { data: 'other' }))).rejects.toThrow(/lake_fenced/)
      const second = await start(project(specs, { data: 'third', takeOver: true }))
      await log(second.url, 20)
      await landed(second)
      expect(await counts(second)).toEqual(once(30))
      await log(first.url, 5)
      await expect.poll(() => failures.map(({ code }) => code)).toContain('lake_fenced')
      await first.close()
      await expect(start(project())).rejects.toThrow(/lake_fenced/)
      await second.lake.refresh()
      expect(await counts(second)).toEqual(once(30))
      await second.close()
      const again = await start(project(specs, { data: 'third', takeOver: true }))
      await log(again.url, 1)
      await landed(again)
      expect(await counts(again)).toEqual(once(31))
      await again.close()
    },
  )
})
