/** The catalog file: what older versions wrote is read, and what cannot be is refused with its name. */
import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, describe, expect, test } from 'vitest'
import { systemClock } from '../../src/base/clock.ts'
import { nodeFiles } from '../../src/base/node/files.ts'
import { systemRandom } from '../../src/base/random.ts'
import { localStorage, openLake } from '../../src/lake/index.ts'
import { unwrap } from '../support/platform.ts'
import { temporaryFolder } from '../support/project.ts'
import { startCatalog } from './catalog.ts'

const { folder, remove } = temporaryFolder('catalog-file')
afterAll(remove)

describe('format 1 of the catalog', () => {
  test('is read, and written as format 2 by the next commit', async () => {
    const root = path.join(folder, 'old')
    const lake = await startCatalog(root)
    unwrap(
      await lake.lake.commit({
        schemas: [
          {
            name: 'seen',
            doc: 'A table.',
            partitionBy: 'at',
            fields: [{ id: 1, name: 'at', required: true, type: 'timestamptz' }],
          },
        ],
        appends: new Map(),
        offset: 5,
      }),
    )
    await lake.close()
    const file = path.join(root, 'catalog', '0000000000000001.json')
    const location = JSON.parse(readFileSync(file, 'utf8')).namespaces.headwater.tables.seen
    const old = {
      format: 1,
      version: 1,
      offset: 5,
      committed: 1,
      commit: 'x',
      tables: { 'headwater.seen': location },
    }
    writeFileSync(file, JSON.stringify(old))
    const again = await startCatalog(root)
    expect([...again.lake.state.tables.keys()]).toEqual(['seen'])
    expect(again.lake.state.offset).toBe(5)
    expect((await again.request('POST', 'namespaces', { namespace: ['n'] })).status).toBe(200)
    await again.close()
    const next = JSON.parse(readFileSync(file.replace('1.json', '2.json'), 'utf8'))
    expect(next).toMatchObject({
      format: 2,
      offset: 5,
      namespaces: { headwater: { tables: { seen: location } }, n: { tables: {} } },
    })
    for (const text of ['{', '{}', '{"format":3}', JSON.stringify({ ...old, version: 9 })]) {
      writeFileSync(file.replace('1.json', '2.json'), text)
      const opened = await openLake({
        storage: localStorage(root, nodeFiles, systemRandom),
        lock: root,
        namespace: 'headwater',
        files: nodeFiles,
        clock: systemClock,
        random: systemRandom,
      })
      expect(opened.ok ? 'opened' : opened.error.code).toBe('lake_invalid')
      if (!opened.ok) expect(opened.error.detail).toContain(pathToFileURL(root).href)
    }
  })
})
