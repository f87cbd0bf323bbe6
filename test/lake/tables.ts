/** Tables for tests of the lake: opened on a folder, filled by SQL, and changed as another engine would. */
import path from 'node:path'
import { type Clock, systemClock } from '../../src/base/clock.ts'
import type { Files } from '../../src/base/files.ts'
import { nodeFiles } from '../../src/base/node/files.ts'
import { type Random, seededRandom, uuid } from '../../src/base/random.ts'
import { openDuck } from '../../src/engine/duckdb/instance.ts'
import { copyStatement, reportOf } from '../../src/engine/duckdb/parquet.ts'
import { columnStatistics } from '../../src/engine/duckdb/statistics.ts'
import { Catalog } from '../../src/lake/catalog.ts'
import { tableAt, withEntry } from '../../src/lake/catalog-file.ts'
import { type DataFile, type KeptLake, localStorage, openLake } from '../../src/lake/index.ts'
import { loadTable } from '../../src/lake/load.ts'
import { stringifyMetadata } from '../../src/lake/metadata.ts'
import { join, type Storage } from '../../src/lake/storage.ts'
import type { Ports, Staged, Table } from '../../src/lake/write-manifest.ts'
import type { TableSchema } from '../../src/spec/iceberg-type.ts'
import { unwrap } from '../support/platform.ts'

export const DAY_MS = 86_400_000

export interface Place {
  readonly files: Files
  readonly clock: Clock
  readonly random: Random
  /** Absolute path of the lake's folder. */
  readonly root: string
  readonly orphanAgeMs?: number
}

export function placeIn(folder: string, ports: Partial<Place> = {}): Place {
  const root = path.join(folder, '.headwater/lake')
  return { files: nodeFiles, clock: systemClock, random: seededRandom(3), root, ...ports }
}

export function storageOf({ root, files, random }: Place): Storage {
  return localStorage(root, files, random)
}

export async function open(place: Place, readOnly = false): Promise<KeptLake> {
  const { root, ...ports } = place
  const storage = storageOf(place)
  return unwrap(await openLake({ storage, lock: root, namespace: 'headwater', readOnly, ...ports }))
}

/** Writes the rows of a query as one file of one day. */
export async function writeRows(
  lake: KeptLake,
  schema: TableSchema,
  day: number,
  query: string,
): Promise<DataFile> {
  const folder = await lake.dataFolder(schema.name, day)
  const file = path.join(folder, `${crypto.randomUUID()}.parquet`)
  const duck = await openDuck({ threads: 1 })
  const connection = await duck.connect()
  const sql = copyStatement(schema.fields, `(${query})`, file)
  const [report] = (await connection.runAndReadAll(sql)).getRowObjectsJson()
  connection.closeSync()
  duck.close()
  return {
    path: file,
    rows: Number(report!['count']),
    bytes: Number(report!['file_size_bytes']),
    day,
    columns: columnStatistics(schema, reportOf(report!), new Map()),
  }
}

/** Appends files to a table, one commit each unless told otherwise. */
export async function append(
  lake: KeptLake,
  schema: TableSchema,
  files: readonly DataFile[],
  perCommit = 1,
): Promise<void> {
  for (let i = 0; i < files.length; i += perCommit) {
    const appends = new Map([[schema.name, files.slice(i, i + perCommit)]])
    unwrap(await lake.commit({ schemas: [schema], appends, offset: lake.state.offset + 1 }))
  }
}

/** Commits a change of one table as another engine would through the catalog; the lake must not be open. */
export async function commitForeign(
  place: Place,
  name: string,
  stage: (table: Table, ports: Ports) => Promise<Staged>,
): Promise<void> {
  const storage = storageOf(place)
  const catalog = new Catalog(storage)
  const newest = unwrap(await catalog.newest())
  const id = { namespace: 'headwater', name }
  const table = unwrap(await loadTable(name, tableAt(newest, id)!, storage))
  const staged = await stage(table, { storage, random: place.random })
  const file = join(
    table.metadata.location,
    'metadata',
    `${table.number + 1}-${uuid(place.random)}.metadata.json`,
  )
  await storage.write(file, stringifyMetadata(staged.metadata))
  const next = {
    ...withEntry(newest, 'tables', id, file),
    version: newest.version + 1,
    commit: uuid(place.random),
  }
  unwrap(await catalog.publish(next))
}
