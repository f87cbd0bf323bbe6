/** Other engines commit while headwater does: nothing is lost on either side, through kill -9 too. */
import { mkdirSync } from 'node:fs'
import path from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { createClient } from '../../src/client/node.ts'
import { seededRandom } from '../../src/base/random.ts'
import { defineEvent, int, string } from '../../src/spec/index.ts'
import { ask, landed, projectOf, start } from '../support/platform.ts'
import { freePort } from '../support/ports.ts'
import { sql, startHeadwater, temporaryFolder, writeProject } from '../support/project.ts'
import { python, pythonIsThere } from '../support/python/python.ts'
import { type Reply, request, startCatalog } from './catalog.ts'

const { folder, remove } = temporaryFolder('beside')
afterAll(remove)

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

const SCHEMA = {
  type: 'struct',
  fields: [{ id: 1, name: 'id', required: false, type: 'long' }],
}

test.skipIf(!pythonIsThere())(
  'rows of PyIceberg and of devices land in one table at once',
  { timeout: 240_000 },
  async () => {
    const specs = {
      seen: defineEvent('seen', { doc: 'Seen.', fields: { size: int(), name: string() } }),
    }
    const platform = await start(projectOf(path.join(folder, 'both'), specs))
    const client = createClient<typeof specs>({ url: platform.url })
    client.log('seen', { size: 0, name: 'first' })
    expect(await client.flush()).toBe(true)
    await landed(platform)
    const theirsAre = { writing: true }
    const theirs = python(
      `
import sys
from pyiceberg.catalog import load_catalog
from pyiceberg.exceptions import CommitFailedException
catalog = load_catalog('lake', type='rest', uri=sys.argv[1])
table = catalog.load_table('headwater.seen')
rows = table.scan("name == 'first'").to_arrow()
for i in range(12):
  while True:
    try:
      catalog.load_table('headwater.seen').append(rows)
      break
    except CommitFailedException: pass
`,
      [platform.catalogUrl!],
      200_000,
    ).finally(() => (theirsAre.writing = false))
    let logged = 1
    while (theirsAre.writing) {
      client.log('seen', { size: logged++, name: 'ours' })
      if (logged % 5 === 0) expect(await client.flush()).toBe(true)
      await pause(10)
    }
    await theirs
    expect(await client.flush()).toBe(true)
    await landed(platform)
    const rows = await ask(
      platform.lake,
      "select count(*) as n, count(distinct size) as sizes, count(*) filter (where name = 'first') as firsts from seen",
    )
    expect(rows).toEqual([{ n: String(logged + 12), sizes: String(logged), firsts: '13' }])
    // Some must have met for this to say anything.
    const metrics = await (await fetch(`${platform.url}/metrics`)).text()
    expect(metrics).toMatch(/^headwater_catalog_commits 12$/m)
    expect(Number(/^headwater_catalog_conflicts (\d+)$/m.exec(metrics)![1])).toBeGreaterThan(0)
    await platform.close()
  },
)

test('commits of many clients at once are all there, each once', { timeout: 60_000 }, async () => {
  const catalog = await startCatalog(path.join(folder, 'many'))
  await catalog.request('POST', 'namespaces', { namespace: ['n'] })
  for (const name of ['a', 'b']) {
    await catalog.request('POST', 'namespaces/n/tables', { name, schema: SCHEMA })
  }
  /** Adds a column as a client does that starts over when another was first. */
  const addColumn = async (table: string, name: string): Promise<number> => {
    for (let tries = 1; ; tries++) {
      const at = `namespaces/n/tables/${table}`
      const { metadata } = (await catalog.request('GET', at)).body
      const current = metadata.schemas.find(
        (each: any) => each['schema-id'] === metadata['current-schema-id'],
      )
      const id = metadata['last-column-id'] + 1
      const fields = [...current.fields, { id, name, required: false, type: 'long' }]
      const done = await catalog.request('POST', at, {
        requirements: [
          {
            type: 'assert-last-assigned-field-id',
            'last-assigned-field-id': metadata['last-column-id'],
          },
        ],
        updates: [
          { action: 'add-schema', schema: { type: 'struct', fields } },
          { action: 'set-current-schema', 'schema-id': -1 },
        ],
      })
      if (done.status === 200) return tries
      expect([done.status, done.body.error.type]).toEqual([409, 'CommitFailedException'])
    }
  }
  const random = seededRandom(7)
  const work: Promise<unknown>[] = []
  for (let client = 0; client < 8; client++) {
    work.push(
      (async () => {
        for (let i = 0; i < 10; i++) {
          await addColumn(random.float() < 0.7 ? 'a' : 'b', `c${client}_${i}`)
          const properties = { [`p${client}_${i}`]: 'x' }
          const change = (name: string): object => ({
            identifier: { namespace: ['n'], name },
            updates: [{ action: 'set-properties', updates: properties }],
          })
          const both = await catalog.request('POST', 'transactions/commit', {
            'table-changes': [change('a'), change('b')],
          })
          expect(both.status).toBe(204)
        }
      })(),
    )
  }
  await Promise.all(work)
  await catalog.close()
  // As the next process reads it.
  const again = await startCatalog(path.join(folder, 'many'))
  const columns: string[] = []
  for (const table of ['a', 'b']) {
    const { metadata } = (await again.request('GET', `namespaces/n/tables/${table}`)).body
    expect(Object.keys(metadata.properties)).toHaveLength(80)
    const { fields } = metadata.schemas.find(
      (each: any) => each['schema-id'] === metadata['current-schema-id'],
    )
    columns.push(...fields.slice(1).map((field: any) => field.name))
  }
  expect(columns.toSorted()).toEqual(
    Array.from({ length: 80 }, (_, i) => `c${Math.floor(i / 10)}_${i % 10}`).toSorted(),
  )
  expect(again.server.counts.responses.get(500)).toBeUndefined()
  await again.close()
})

test('what was answered is there after kill -9', { timeout: 120_000 }, async () => {
  const own = path.join(folder, 'killed')

  mkdirSync(own)
  const port = await freePort()
  writeProject(own, 'examples/streaming/specs.ts', { catalog: { port }, engine: { epochMs: 50 } })
  const post = (at: string, body: object): Promise<Reply> =>
    request(`http://127.0.0.1:${port}/iceberg/v1/${at}`, 'POST', body)
  const answered: number[] = []
  const random = seededRandom(11)
  let next = 0
  for (let round = 0; round < 4; round++) {
    const running = await startHeadwater(own)
    if (round === 0) {
      await post('namespaces', { namespace: ['n'] })
      await post('namespaces/n/tables', { name: 't', schema: SCHEMA })
    } else await expectAll(port, answered)
    const table = (i: number): string =>
      i % 2 === 0 ? 'namespaces/n/tables/t' : 'namespaces/headwater/tables/play_started'
    const platform = { killed: false }
    const commits = (async () => {
      while (!platform.killed) {
        const i = next++
        const updates = [{ action: 'set-properties', updates: { [`p${i}`]: 'x' } }]
        const reply = await post(table(i), { updates }).catch(() => undefined)
        if (reply?.status === 200) answered.push(i)
        else expect(reply).toBeUndefined()
      }
    })()
    const client = createClient({ url: running.url })
    const devices = (async () => {
      while (!platform.killed) {
        client.log('play_started' as never, {} as never)
        await client.flush().catch(() => false)
        await pause(5)
      }
    })()
    const wanted = answered.length + 6 + Math.floor(random.float() * 20)
    while (answered.length < wanted) await pause(3)
    platform.killed = true
    await running.kill('SIGKILL')
    await Promise.all([commits, Promise.race([devices, pause(2000)])])
  }
  const last = await startHeadwater(own)
  await expectAll(port, answered)
  await last.kill('SIGTERM')
  expect(answered.length).toBeGreaterThan(20)
  const [rows] = await sql(own, 'select count(*) as n from batches')
  expect(Number(rows!['n'])).toBeGreaterThan(0)
})

async function expectAll(port: number, answered: readonly number[]): Promise<void> {
  const found = new Set<string>()
  for (const at of ['namespaces/n/tables/t', 'namespaces/headwater/tables/play_started']) {
    const { body } = await request(`http://127.0.0.1:${port}/iceberg/v1/${at}`, 'GET')
    for (const name of Object.keys(body.metadata.properties)) found.add(name)
  }
  expect(answered.filter((i) => !found.has(`p${i}`))).toEqual([])
}
