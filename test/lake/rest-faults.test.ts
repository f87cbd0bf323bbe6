/** When the disk refuses: a commit that certainly failed is never answered as if nobody knew, and one that nobody knows of says so. */
import { readdirSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, expect, test } from 'vitest'
import { nodeFiles } from '../../src/base/node/files.ts'
import { systemRandom } from '../../src/base/random.ts'
import { localStorage, type Storage } from '../../src/lake/index.ts'
import { temporaryFolder } from '../support/project.ts'
import { type Reply, startCatalog, type TestCatalog } from './catalog.ts'

const { folder, remove } = temporaryFolder('rest-faults')
afterAll(remove)

const SCHEMA = {
  type: 'struct',
  fields: [{ id: 1, name: 'id', required: false, type: 'long' }],
}

/** Storage on a disk that refuses what `refuse` names. */
function refusing(root: string, refuse: { now: (method: string, at: string) => boolean }): Storage {
  return new Proxy(localStorage(root, nodeFiles, systemRandom), {
    get(target, name) {
      const value = Reflect.get(target, name) as unknown
      if (typeof value !== 'function') return value
      return (...args: unknown[]): unknown => {
        if (refuse.now(String(name), String(args[0]))) {
          return Promise.reject(Object.assign(new Error('refused'), { code: 'ENOSPC' }))
        }
        return Reflect.apply(value, target, args)
      }
    },
  })
}

async function withTable(
  name: string,
  refuse: { now: (method: string, at: string) => boolean },
): Promise<{ catalog: TestCatalog; location: string; set: (key: string) => Promise<Reply> }> {
  const root = path.join(folder, name)
  const catalog = await startCatalog(root, { storage: refusing(root, refuse) })
  await catalog.request('POST', 'namespaces', { namespace: ['n'] })
  const made = await catalog.request('POST', 'namespaces/n/tables', { name: 't', schema: SCHEMA })
  const set = (key: string): Promise<Reply> =>
    catalog.request('POST', 'namespaces/n/tables/t', {
      updates: [{ action: 'set-properties', updates: { [key]: 'x' } }],
    })
  return { catalog, location: made.body.metadata.location, set }
}

const properties = async (catalog: TestCatalog): Promise<string[]> =>
  Object.keys((await catalog.request('GET', 'namespaces/n/tables/t')).body.metadata.properties)

test('no space for the metadata: certainly not made, and nothing is left of it', async () => {
  const refuse = { now: (_method: string, _at: string): boolean => false }
  const { catalog, location, set } = await withTable('space', refuse)
  refuse.now = (method, at) => method === 'settle' && at.startsWith(location)
  const reply = await set('a')
  expect([reply.status, reply.body.error.type]).toEqual([409, 'CommitFailedException'])
  // What is not a commit says that it is the disk.
  refuse.now = (method) => method === 'write'
  const body = { name: 'u', schema: SCHEMA }
  expect((await catalog.request('POST', 'namespaces/n/tables', body)).status).toBe(503)
  refuse.now = () => false
  expect(readdirSync(fileURLToPath(`${location}/metadata`))).toHaveLength(1)
  expect((await set('b')).status).toBe(200)
  expect(await properties(catalog)).toEqual(['b'])
  await catalog.close()
})

test('a link that may not survive: nobody knows, and nothing is removed', async () => {
  const refuse = { now: (_method: string, _at: string): boolean => false }
  const { catalog, set } = await withTable('unknown', refuse)
  refuse.now = (method, at) => method === 'settle' && at.endsWith('/catalog')
  const reply = await set('a')
  expect([reply.status, reply.body.error.type]).toEqual([500, 'CommitStateUnknownException'])
  // Until that is settled no other commit may build on it.
  expect((await set('b')).body.error.type).toBe('CommitStateUnknownException')
  refuse.now = () => false
  expect((await set('c')).status).toBe(200)
  expect(await properties(catalog)).toEqual(['a', 'c'])
  await catalog.close()
  const again = await startCatalog(path.join(folder, 'unknown'))
  expect(await properties(again)).toEqual(['a', 'c'])
  await again.close()
})

test('a table whose metadata is gone does not take others with it', async () => {
  const refuse = { now: (_method: string, _at: string): boolean => false }
  const { catalog, location, set } = await withTable('gone', refuse)
  const [file] = readdirSync(fileURLToPath(`${location}/metadata`))
  await nodeFiles.remove(fileURLToPath(`${location}/metadata/${file}`))
  const lost = await catalog.request('GET', 'namespaces/n/tables/t')
  expect([lost.status, lost.body.error.type]).toEqual([404, 'NotFoundException'])
  expect((await set('a')).status).toBe(404)
  const other = { name: 'u', schema: SCHEMA }
  expect((await catalog.request('POST', 'namespaces/n/tables', other)).status).toBe(200)
  // A purge that cannot know what others name removes nothing, but the table goes.
  const purged = await catalog.request('DELETE', 'namespaces/n/tables/u?purgeRequested=true')
  expect(purged.status).toBe(204)
  expect((await catalog.request('DELETE', 'namespaces/n/tables/t')).status).toBe(204)
  await catalog.close()
})
