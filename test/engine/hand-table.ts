/** A table written by hand, file by file, as another engine might have: any schema, spec, version, delete and default. */
import { randomUUID } from 'node:crypto'
import { linkSync, mkdirSync, statSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import type { DuckDBConnection } from '@duckdb/node-api'
import { systemClock } from '../../src/base/clock.ts'
import { nodeFiles } from '../../src/base/node/files.ts'
import { seededRandom } from '../../src/base/random.ts'
import { Catalog } from '../../src/lake/catalog.ts'
import { withEntry } from '../../src/lake/catalog-file.ts'
import { type CatalogLake, localStorage, openLake } from '../../src/lake/index.ts'
import { stringifyExact } from '../../src/lake/json.ts'
import {
  encodeManifest,
  encodeManifestList,
  type ManifestEntry,
  type ManifestFile,
} from '../../src/lake/manifest.ts'
import { unwrap } from '../support/platform.ts'

const random = seededRandom(11)

export interface HandFile {
  /** Rows, as DuckDB's SQL. */
  readonly sql: string
  /** DuckDB's FIELD_IDS; none where it is left out. */
  readonly ids?: string
  readonly content?: 0 | 1 | 2
  readonly specId?: number
  readonly partition?: object
  /** Further members of the manifest's entry. */
  readonly more?: object
}

export class HandTable {
  readonly folder: string
  readonly #connection: DuckDBConnection
  readonly #root: string
  readonly #name: string
  readonly #snapshots: object[] = []
  readonly #log: object[] = []
  metadata: Record<string, any>
  #manifests: ManifestFile[] = []
  #number = 0

  /** `root` is the lake's folder. */
  constructor(connection: DuckDBConnection, root: string, name: string, metadata: object) {
    this.#connection = connection
    this.#root = root
    this.#name = name
    this.folder = path.join(root, 'headwater', name)
    mkdirSync(path.join(this.folder, 'metadata'), { recursive: true })
    mkdirSync(path.join(this.folder, 'data'), { recursive: true })
    this.metadata = {
      'format-version': 2,
      'table-uuid': randomUUID(),
      location: pathToFileURL(this.folder).href,
      'last-updated-ms': Date.now(),
      'last-column-id': 100,
      'partition-specs': [{ 'spec-id': 0, fields: [] }],
      'default-spec-id': 0,
      'last-partition-id': 1010,
      'sort-orders': [{ 'order-id': 0, fields: [] }],
      'default-sort-order-id': 0,
      properties: {},
      ...metadata,
    }
  }

  /** Writes a file; answers its location. */
  async file({ sql, ids }: HandFile): Promise<string> {
    const file = path.join(this.folder, 'data', `${randomUUID()}.parquet`)
    const fieldIds = ids === undefined ? '' : `, FIELD_IDS {${ids}}`
    await this.#connection.run(`COPY (${sql}) TO '${file}' (FORMAT parquet${fieldIds})`)
    return pathToFileURL(file).href
  }

  /** Commits files; answers their locations. */
  async commit(files: readonly HandFile[], operation = 'overwrite'): Promise<string[]> {
    const locations: string[] = []
    const added: ManifestFile[] = []
    const sequence = this.#snapshots.length + 1
    const id = sequence * 100
    for (const file of files) {
      const location = await this.file(file)
      locations.push(location)
      added.push(this.manifest(await this.entry(file, location), file, id, sequence))
    }
    this.snapshot([...added, ...this.#manifests], operation)
    return locations
  }

  async entry(file: HandFile, location: string): Promise<ManifestEntry> {
    const local = new URL(location)
    const [[rows]] = (
      await this.#connection.runAndReadAll(`SELECT count(*) FROM (${file.sql})`)
    ).getRows() as [[bigint]]
    return {
      status: 1,
      snapshotId: null,
      sequence: null,
      fileSequence: null,
      dataFile: {
        content: file.content ?? 0,
        file_path: location,
        file_format: 'PARQUET',
        partition: file.partition ?? {},
        record_count: Number(rows),
        file_size_in_bytes: statSync(local).size,
        ...file.more,
      },
    }
  }

  manifest(
    entry: ManifestEntry,
    { content = 0, specId = 0 }: Partial<HandFile>,
    id: number,
    sequence: number,
  ): ManifestFile {
    const spec = this.metadata['partition-specs'].find((each: any) => each['spec-id'] === specId)
    const schema = this.metadata['schemas'][0]
    const bytes = encodeManifest(
      [entry],
      {
        schema: JSON.stringify(schema),
        schemaId: 0,
        partitionSpec: JSON.stringify(spec.fields),
        specId,
        content: content === 0 ? 'data' : 'deletes',
        formatVersion: this.metadata['format-version'],
      },
      random.bytes(16),
    )
    const file = path.join(this.folder, 'metadata', `${randomUUID()}-m0.avro`)
    writeFileSync(file, bytes)
    return {
      path: pathToFileURL(file).href,
      length: bytes.length,
      specId,
      content: content === 0 ? 0 : 1,
      sequence,
      minSequence: sequence,
      snapshotId: id,
      addedFiles: 1,
      existingFiles: 0,
      deletedFiles: 0,
      addedRows: entry.dataFile['record_count'] as number,
      existingRows: 0,
      deletedRows: 0,
      partitions: [],
    }
  }

  /** Makes a snapshot of manifests. */
  snapshot(manifests: ManifestFile[], operation: string): void {
    const sequence = this.#snapshots.length + 1
    const id = sequence * 100
    this.#manifests = manifests
    const list = path.join(this.folder, 'metadata', `snap-${id}.avro`)
    const formatVersion = this.metadata['format-version']
    const parent = sequence > 1 ? id - 100 : undefined
    writeFileSync(
      list,
      encodeManifestList(manifests, { id, parent, sequence, formatVersion }, random.bytes(16)),
    )
    const time = Date.parse('2026-01-01T00:00:00Z') + sequence * 60_000
    this.#snapshots.push({
      'snapshot-id': id,
      ...(parent === undefined ? {} : { 'parent-snapshot-id': parent }),
      'sequence-number': sequence,
      'timestamp-ms': time,
      'manifest-list': pathToFileURL(list).href,
      summary: { operation },
      'schema-id': this.metadata['current-schema-id'],
    })
    this.#log.push({ 'timestamp-ms': time, 'snapshot-id': id })
  }

  /** Publishes the table as it is now: in the lake's catalog, and for readers that know only its folder. */
  async publish(): Promise<void> {
    const current = this.#snapshots.at(-1) as Record<string, unknown> | undefined
    const number = ++this.#number
    const metadata = {
      ...this.metadata,
      'last-sequence-number': this.#snapshots.length,
      ...(current === undefined ? {} : { 'current-snapshot-id': current['snapshot-id'] }),
      refs:
        current === undefined
          ? {}
          : { main: { 'snapshot-id': current['snapshot-id'], type: 'branch' } },
      snapshots: this.#snapshots,
      'snapshot-log': this.#log,
      'metadata-log': [],
    }
    const file = path.join(this.folder, 'metadata', `${number}-${randomUUID()}.metadata.json`)
    writeFileSync(file, stringifyExact(metadata))
    linkSync(file, path.join(this.folder, 'metadata', `v${number}.metadata.json`))
    writeFileSync(path.join(this.folder, 'metadata', 'version-hint.text'), String(number))
    const catalog = new Catalog(localStorage(this.#root, nodeFiles, random))
    const newest = unwrap(await catalog.newest())
    const id = { namespace: 'headwater', name: this.#name }
    const next = withEntry(newest, 'tables', id, pathToFileURL(file).href)
    mkdirSync(path.join(this.#root, 'catalog'), { recursive: true })
    unwrap(await catalog.publish({ ...next, version: newest.version + 1, commit: randomUUID() }))
  }
}

/** The lake in a folder, for reading. */
export async function openForReading(root: string): Promise<CatalogLake> {
  return unwrap(
    await openLake({
      storage: localStorage(root, nodeFiles, random),
      lock: root,
      namespace: 'headwater',
      files: nodeFiles,
      clock: systemClock,
      random,
      readOnly: true,
    }),
  )
}
