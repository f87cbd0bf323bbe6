/** What is removed from a table's folder: only what nothing names in any form, only when everything could be read. */
import { mkdirSync, readdirSync, utimesSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, test } from 'vitest'
import { systemClock } from '../../src/base/clock.ts'
import { nodeFiles } from '../../src/base/node/files.ts'
import { limits } from '../../src/base/limits.ts'
import { newSnapshotId, stageSnapshot } from '../../src/lake/append.ts'
import { formsOf } from '../../src/lake/places.ts'
import { existingEntries, ownSpec, writeManifest } from '../../src/lake/write-manifest.ts'
import type { TableSchema } from '../../src/spec/iceberg-type.ts'
import { unwrap } from '../support/platform.ts'
import { temporaryFolder } from '../support/project.ts'
import { append, commitForeign, open, type Place, placeIn, writeRows } from './tables.ts'

const SCHEMA: TableSchema = {
  name: 'seen',
  doc: '',
  partitionBy: 'event_time',
  fields: [{ id: 1, name: 'event_time', required: false, type: 'timestamptz' }],
}
const DAY = 20_000
const ROWS = `SELECT to_timestamp(${DAY} * 86400) AS event_time`

const own = temporaryFolder('sweep')
afterEach(() => {
  folders.splice(0).forEach((remove) => remove())
  own.remove()
})
const folders: (() => void)[] = []

function somewhere(): Place {
  const { folder, remove } = temporaryFolder('sweep')
  folders.push(remove)
  return placeIn(folder)
}

/** A file in the table's folder that is old enough to be swept. */
function old(place: Place, name: string): string {
  const file = path.join(place.root, 'headwater/seen', name)
  mkdirSync(path.dirname(file), { recursive: true })
  writeFileSync(file, 'x')
  age(file)
  return file
}

function age(file: string): void {
  const then = (systemClock.wall() - 2 * limits.orphanAgeMs) / 1000
  utimesSync(file, then, then)
}

const exists = async (file: string): Promise<boolean> => (await nodeFiles.info(file)) !== undefined

describe('forms of a location', () => {
  test.each([
    ['file:/a/b', 'file:///a/b'],
    ['file://localhost/a/b', '/a/b'],
    ['file:///a%20b', 'file:/a b'],
    ['s3a://bucket/a', 's3://bucket/a'],
    ['s3n://bucket/a', 's3a://bucket/a'],
  ])('%s and %s are one object', (a, b) => {
    expect(formsOf(a).some((form) => formsOf(b).includes(form))).toBe(true)
  })

  test('those of different objects are not', () => {
    expect(formsOf('file:///a/b').some((form) => formsOf('file:///a/c').includes(form))).toBe(false)
    expect(formsOf('s3://one/a').some((form) => formsOf('s3://two/a').includes(form))).toBe(false)
  })
})

test('an old object without a name goes; a young one and one in another folder stay', async () => {
  const place = somewhere()
  const lake = await open(place)
  await append(lake, SCHEMA, [await writeRows(lake, SCHEMA, DAY, ROWS)])
  const orphan = old(place, 'data/event_day=2024-10-04/orphan.parquet')
  const young = old(place, 'data/young.parquet')
  writeFileSync(young, 'y')
  expect(unwrap(await lake.upkeep.sweep())).toEqual({ objects: 1, bytes: 1 })
  expect(await exists(orphan)).toBe(false)
  expect(await exists(young)).toBe(true)
  await lake.close()
})

test('an object stays for as long as somebody may still commit it', async () => {
  const place = { ...somewhere(), orphanAgeMs: 3 * limits.orphanAgeMs }
  const lake = await open(place)
  await append(lake, SCHEMA, [await writeRows(lake, SCHEMA, DAY, ROWS)])
  const waiting = old(place, 'data/event_day=2024-10-04/waiting.parquet')
  expect(unwrap(await lake.upkeep.sweep()).objects).toBe(0)
  expect(await exists(waiting)).toBe(true)
  await lake.close()
})

test('what another engine names in its own form stays', async () => {
  const place = somewhere()
  let lake = await open(place)
  const folder = await lake.dataFolder('seen', DAY)
  const named = await writeRows(lake, SCHEMA, DAY, ROWS)
  await append(lake, SCHEMA, [named])
  await lake.close()
  const spaced = path.join(folder, 'a b%c.parquet')
  writeFileSync(spaced, 'rows')
  // Hadoop's form: one slash, nothing encoded.
  await commitForeign(place, 'seen', async (table, ports) => {
    const snapshotId = newSnapshotId(ports.random)
    const [manifest] = table.manifests
    const [entry] = await existingEntries(manifest!, ports.storage)
    const locations = [named.path, spaced].map((file) => `file:${file}`)
    const entries = locations.map((location) => ({
      ...entry!,
      dataFile: { ...entry!.dataFile, file_path: location },
    }))
    const kind = { specId: ownSpec(table.metadata), snapshotId, content: 0 } as const
    const written = await writeManifest(table, entries, kind, ports)
    return stageSnapshot(table.metadata, [written], ports, {
      snapshotId,
      now: systemClock.wall(),
      summary: { operation: 'replace' },
    })
  })
  const orphan = old(place, 'data/orphan.parquet')
  lake = await open(place)
  for (const file of [named.path, spaced]) age(file)
  expect(unwrap(await lake.upkeep.sweep()).objects).toBe(1)
  expect(await exists(orphan)).toBe(false)
  expect(await exists(named.path)).toBe(true)
  expect(await exists(spaced)).toBe(true)
  await lake.close()
})

test('nothing goes while a manifest list cannot be read, and the failure names it', async () => {
  const place = somewhere()
  const lake = await open(place)
  await append(lake, SCHEMA, [await writeRows(lake, SCHEMA, DAY, ROWS)])
  const orphan = old(place, 'data/orphan.parquet')
  const metadata = path.join(place.root, 'headwater/seen/metadata')
  const [list] = readdirSync(metadata).filter((name) => name.startsWith('snap-'))
  writeFileSync(path.join(metadata, list!), 'no Avro')
  const swept = await lake.upkeep.sweep()
  expect(swept).toMatchObject({ ok: false, error: { code: 'lake_invalid' } })
  expect(swept.ok ? '' : swept.error.detail).toContain(list)
  expect(await exists(orphan)).toBe(true)
  await lake.close()
})

test('an entry that says it is an old one, and has no number, is carried nowhere', async () => {
  const place = somewhere()
  let lake = await open(place)
  await append(lake, SCHEMA, [await writeRows(lake, SCHEMA, DAY, ROWS)])
  await lake.close()
  await commitForeign(place, 'seen', async (table, ports) => {
    const snapshotId = newSnapshotId(ports.random)
    const entries = await existingEntries(table.manifests[0]!, ports.storage)
    const kind = { specId: ownSpec(table.metadata), snapshotId, content: 0 } as const
    const without = entries.map((entry) => ({ ...entry, sequence: null, fileSequence: null }))
    const written = await writeManifest(table, without, kind, ports)
    return stageSnapshot(table.metadata, [written], ports, {
      snapshotId,
      now: systemClock.wall(),
      summary: { operation: 'replace' },
    })
  })
  lake = await open(place)
  const { manifests } = await lake.upkeep.survey('seen')
  const merging = lake.upkeep.mergeManifests(
    'seen',
    manifests.map((each) => each.path),
  )
  expect(await merging).toMatchObject({ ok: false, error: { code: 'lake_invalid' } })
  await lake.close()
})

test('nothing goes while a manifest of any kept snapshot cannot be read', async () => {
  const place = somewhere()
  const lake = await open(place)
  await append(lake, SCHEMA, [await writeRows(lake, SCHEMA, DAY, ROWS)])
  const orphan = old(place, 'data/orphan.parquet')
  const [manifest] = (await lake.upkeep.survey('seen')).manifests
  const file = fileURLToPath(manifest!.path)
  const bytes = await nodeFiles.read(file)
  await nodeFiles.write(file, bytes.slice(0, bytes.length / 2))
  const broken = await lake.upkeep.sweep()
  expect(broken).toMatchObject({ ok: false, error: { code: 'lake_invalid' } })
  expect(await exists(orphan)).toBe(true)
  await nodeFiles.remove(file)
  expect(await lake.upkeep.sweep()).toMatchObject({ ok: false, error: { code: 'lake_invalid' } })
  expect(await exists(orphan)).toBe(true)
  await nodeFiles.write(file, bytes)
  expect(unwrap(await lake.upkeep.sweep()).objects).toBe(1)
  await lake.close()
})
