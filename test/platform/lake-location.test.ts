/** Where a project's lake lies: the option, and what it refuses. */
import { existsSync, readdirSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import { systemRandom } from '../../src/base/random.ts'
import { readConfig } from '../../src/platform/index.ts'
import { defineEvent, int } from '../../src/spec/index.ts'
import { projectOf, start } from '../support/platform.ts'
import { temporaryFolder } from '../support/project.ts'

const specs = { tick: defineEvent('tick', { doc: 'A tick.', fields: { i: int() } }) }

test('a folder elsewhere holds the lake and its lock, whatever its name', async () => {
  const { folder, remove } = temporaryFolder('lake-location')
  const lake = path.join(folder, 'a lake, 100% häppy')
  const config = { lake: { location: `file://${lake}` } }
  const platform = await start(projectOf(path.join(folder, 'a'), specs, { config }))
  expect(platform.lake.state.tables.get('tick')?.location).toBe(`file://${lake}/headwater/tick`)
  expect(existsSync(path.join(lake, 'owner.lock'))).toBe(true)
  expect(readdirSync(path.join(folder, 'a/.headwater')).toSorted()).toEqual(['log', 'owner.id'])
  const other = start(projectOf(path.join(folder, 'b'), specs, { config }))
  await expect(other).rejects.toMatchObject({ code: 'lake_locked' })
  await platform.close()
  const later = start(projectOf(path.join(folder, 'b'), specs, { config }), {
    random: systemRandom,
  })
  await expect(later).rejects.toMatchObject({ code: 'lake_locked' })
  remove()
})

test.each([
  [{ location: 'gs://bucket/lake' }, 'lake.location'],
  [{ location: '/var/lake' }, 'lake.location'],
  [{ location: 's3://' }, 'lake.location'],
  [{ s3: { endpoint: 'localhost:9000' } }, 'lake.s3.endpoint'],
  [{ s3: { secretAccessKey: 'a secret' } }, 'secretAccessKey'],
])('%j is refused', (lake, named) => {
  const read = readConfig({ lake })
  expect(read).toMatchObject({ ok: false, error: { code: 'config_invalid' } })
  expect(read.ok ? '' : read.error.detail).toContain(named)
})
