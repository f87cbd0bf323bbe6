/** Makes SQL of planned files: their live rows, with every kind of delete applied. */
import type { DuckDBConnection } from '@duckdb/node-api'
import { error } from '../../base/errors.ts'
import { limits } from '../../base/limits.ts'
import { DELETE_PATH_ID, DELETE_POSITION_ID, type DeleteFile } from '../../lake/delete-index.ts'
import { stringifyExact } from '../../lake/json.ts'
import type { Bound } from '../../lake/lake.ts'
import { identityValues } from '../../lake/partition.ts'
import type { TableReading } from '../../lake/reading.ts'
import type { ScanFile } from '../../lake/scan.ts'
import { fieldsById } from '../../lake/schema-types.ts'
import type { IcebergField } from '../../spec/iceberg-type.ts'
import type { Footers } from './footers.ts'
import { nameMapping } from './name-mapping.ts'
import { identifier, literal } from './parquet.ts'
import {
  columnType,
  FILE_COLUMN,
  Projection,
  ROW_COLUMN,
  type SourceFile,
  type Target,
} from './projection.ts'

/** Types of columns as DuckDB names them; those of a struct by member. */
export interface ColumnTypes {
  readonly [name: string]: string | ColumnTypes
}

/** The schema in DuckDB for what a query needs beside its tables; it goes with the transaction. */
const WORK = '__headwater'

export class Relations {
  readonly #connection: DuckDBConnection
  readonly #footers: Footers
  #made = 0
  #positions = 0

  constructor(connection: DuckDBConnection, footers: Footers) {
    this.#connection = connection
    this.#footers = footers
  }

  /** SQL of the live rows of files with the columns of `fields`, and `FILE_COLUMN` and `ROW_COLUMN` where asked. */
  async rows(
    reading: TableReading,
    files: readonly ScanFile[],
    fields: readonly IcebergField[],
    place = false,
  ): Promise<string> {
    if (files.length === 0) return nothing(fields, place)
    const { metadata } = reading
    const mapping = nameMapping(metadata.properties)
    const projection = new Projection(this.#connection, this.#footers, mapping)
    const constants = identityValues(metadata)
    const sources = await Promise.all(
      files.map(async (file) => ({
        file,
        path: await reading.local(file.location),
        constants: constants(file),
      })),
    )
    const names = [
      ...fields.map(({ name }) => identifier(name)),
      ...(place ? [FILE_COLUMN, ROW_COLUMN] : []),
    ]
    const targets = fields.map((field): Target => ({ field, as: field.name }))
    const clean = sources.filter(({ file }) => file.deletes.length === 0)
    const dirty = sources.filter(({ file }) => file.deletes.length > 0)
    const parts: string[] = []
    for (const apart of withoutRepeats(clean)) {
      const all = await projection.relation(apart, targets)
      parts.push(`SELECT ${names.join(', ')} FROM (${all})`)
    }
    if (dirty.length > 0) {
      const work = new Deletes(reading, dirty, projection, this)
      parts.push(await work.live(targets, names))
    }
    return parts.join(' UNION ALL ')
  }

  /** Makes a table of rows that JSON can hold; answers its name. `types` are DuckDB's, by column. */
  async table(types: ColumnTypes, rows: readonly object[]): Promise<string> {
    await this.#connection.run(`CREATE SCHEMA IF NOT EXISTS ${WORK}`)
    const name = `${WORK}.t${this.#made++}`
    const structure = literal(JSON.stringify([types]))
    const json = literal(stringifyExact(rows))
    await this.#connection.run(
      `CREATE TABLE ${name} AS SELECT unnest(from_json(${json}, ${structure}), max_depth := 2)`,
    )
    return name
  }

  /** Makes a table of the positions that vectors delete; answers its name. Throws HeadwaterError `unsupported` for too many. */
  async positions(vectors: AsyncIterable<readonly [path: string, Float64Array]>): Promise<string> {
    const name = await this.table({ path: 'VARCHAR', pos: 'BIGINT' }, [])
    const [schema, table] = name.split('.')
    const appender = await this.#connection.createAppender(table!, schema)
    try {
      for await (const [path, positions] of vectors) {
        this.#positions += positions.length
        if (this.#positions > limits.deletedPositionsMax) {
          throw error('unsupported', `More than ${limits.deletedPositionsMax} rows are deleted.`)
        }
        for (const position of positions) {
          appender.appendVarchar(path)
          appender.appendBigInt(BigInt(position))
          appender.endRow()
        }
        appender.flushSync()
      }
    } finally {
      appender.closeSync()
    }
    return name
  }
}

/** Files in as few groups as it takes for none to have one twice: a table may name a file twice, and its rows are there twice then. */
function withoutRepeats(sources: readonly Source[]): Source[][] {
  const groups: Map<string, Source>[] = []
  for (const source of sources) {
    let group = groups.find((each) => !each.has(source.path))
    if (group === undefined) groups.push((group = new Map()))
    group.set(source.path, source)
  }
  return groups.map((group) => [...group.values()])
}

/** A relation of no rows. */
function nothing(fields: readonly IcebergField[], place: boolean): string {
  const columns = fields.map(
    ({ name, type }) => `CAST(NULL AS ${columnType(type)}) AS ${identifier(name)}`,
  )
  const places = place
    ? [`CAST(NULL AS VARCHAR) AS ${FILE_COLUMN}`, `CAST(NULL AS BIGINT) AS ${ROW_COLUMN}`]
    : []
  return `SELECT ${[...columns, ...places].join(', ')} WHERE false`
}

interface Source extends SourceFile {
  readonly file: ScanFile
  readonly constants: ReadonlyMap<number, Bound | null>
}

/** Files with deletes, and what deletes rows of them. */
class Deletes {
  readonly #reading: TableReading
  readonly #sources: readonly Source[]
  readonly #projection: Projection
  readonly #work: Relations
  readonly #all: readonly DeleteFile[]
  /** Number of a partition by its key. */
  readonly #parts = new Map<string, number>()

  constructor(
    reading: TableReading,
    sources: readonly Source[],
    projection: Projection,
    work: Relations,
  ) {
    this.#reading = reading
    this.#sources = sources
    this.#projection = projection
    this.#work = work
    this.#all = [...new Set(sources.flatMap(({ file }) => file.deletes))]
    for (const { file } of sources) {
      if (!this.#parts.has(file.partitionKey)) this.#parts.set(file.partitionKey, this.#parts.size)
    }
  }

  /** SQL of the rows that no delete concerns. */
  async live(targets: readonly Target[], names: readonly string[]): Promise<string> {
    const equalities = this.#equalities()
    const hidden = [
      ...new Map(equalities.flatMap(({ columns }) => columns.map(({ top }) => [top.id, top]))),
    ]
    const extra = hidden.map(([id, field]): Target => ({ field, as: `__headwater_e${id}` }))
    const rows = await this.#projection.relation(this.#sources, [...targets, ...extra])
    const files = await this.#files()
    const joins = [`JOIN ${files} AS f ON f.path = d.${FILE_COLUMN}`]
    const positions = this.#all.filter(({ kind }) => kind === 'position')
    if (positions.length > 0) joins.push(await this.#byPosition(positions, files))
    if (this.#all.some(({ kind }) => kind === 'vector')) joins.push(await this.#byVector())
    for (const equality of equalities) joins.push(await this.#byValue(equality))
    const columns = names.map((name) => `d.${name}`).join(', ')
    return `SELECT ${columns} FROM (${rows}) AS d ${joins.join(' ')}`
  }

  #files(): Promise<string> {
    const rows = this.#sources.map(({ file, path }) => ({
      path,
      location: file.location,
      part: this.#parts.get(file.partitionKey)!,
      seq: file.sequence,
      vector: file.deletes.some(({ kind }) => kind === 'vector'),
    }))
    return this.#work.table(
      { path: 'VARCHAR', location: 'VARCHAR', part: 'INTEGER', seq: 'BIGINT', vector: 'BOOLEAN' },
      rows,
    )
  }

  /** Delete files by their paths, with the partitions that they apply to. */
  async #applying(files: readonly DeleteFile[]): Promise<{ table: string; sources: SourceFile[] }> {
    const rows: { path: string; part: number; seq: number | bigint }[] = []
    const sources: SourceFile[] = []
    for (const { location, partitionKey, sequence: seq } of files) {
      const path = await this.#reading.local(location)
      sources.push({ path })
      const only = partitionKey === undefined ? undefined : this.#parts.get(partitionKey)
      const parts = partitionKey === undefined ? [...this.#parts.values()] : [only!]
      for (const part of parts) rows.push({ path, part, seq })
    }
    const types = { path: 'VARCHAR', part: 'INTEGER', seq: 'BIGINT' }
    return { table: await this.#work.table(types, rows), sources }
  }

  async #byPosition(deletes: readonly DeleteFile[], files: string): Promise<string> {
    const { table, sources } = await this.#applying(deletes)
    const rows = await this.#projection.relation(sources, [
      {
        field: { id: DELETE_PATH_ID, name: 'file_path', required: true, type: 'string' },
        as: 'location',
      },
      { field: { id: DELETE_POSITION_ID, name: 'pos', required: true, type: 'long' }, as: 'pos' },
    ])
    // A delete is about files of its partition that are not younger than itself; those with a vector heed that alone.
    return `ANTI JOIN (
      SELECT g.path, p.pos FROM (${rows}) AS p
      JOIN ${table} AS a ON a.path = p.${FILE_COLUMN}
      JOIN ${files} AS g ON g.location = p.location AND g.part = a.part
      WHERE a.seq >= g.seq AND NOT g.vector
    ) AS p ON p.path = d.${FILE_COLUMN} AND p.pos = d.${ROW_COLUMN}`
  }

  async #byVector(): Promise<string> {
    const reading = this.#reading
    const sources = this.#sources
    async function* vectors(): AsyncGenerator<readonly [string, Float64Array], void, void> {
      for (const { file, path } of sources) {
        const vector = file.deletes.find(({ kind }) => kind === 'vector')
        if (vector !== undefined) yield [path, await reading.vector(vector, file)]
      }
    }
    const table = await this.#work.positions(vectors())
    return `ANTI JOIN ${table} AS v ON v.path = d.${FILE_COLUMN} AND v.pos = d.${ROW_COLUMN}`
  }

  /** Equality deletes that compare the same columns. */
  #equalities(): { readonly files: DeleteFile[]; readonly columns: readonly EqualityColumn[] }[] {
    const files = this.#all.filter(({ kind }) => kind === 'equality')
    const groups = Map.groupBy(files, ({ equalityIds }) =>
      equalityIds.toSorted((a, b) => a - b).join(),
    )
    return [...groups.values()].map((group) => ({
      files: group,
      columns: group[0]!.equalityIds.map((id) => this.#column(id, group[0]!)),
    }))
  }

  /** The column of an id, in the newest schema that has it: one that was dropped is compared all the same. */
  #column(id: number, { location }: DeleteFile): EqualityColumn {
    const { metadata } = this.#reading
    const current = metadata.schemas.filter(
      (each) => each['schema-id'] === metadata['current-schema-id'],
    )
    for (const { fields } of [...current, ...metadata.schemas.toReversed()]) {
      const path = fieldsById(fields).get(id)?.path
      const top = fields.find(({ name }) => name === path?.[0])
      if (path !== undefined && top !== undefined) return { top, path: path.slice(1) }
    }
    throw error('unsupported', `${location} compares column ${id}, which no schema has.`)
  }

  async #byValue({
    files,
    columns,
  }: {
    readonly files: readonly DeleteFile[]
    readonly columns: readonly EqualityColumn[]
  }): Promise<string> {
    const { table, sources } = await this.#applying(files)
    const tops = [...new Map(columns.map(({ top }) => [top.id, top])).values()]
    const rows = await this.#projection.relation(
      sources,
      tops.map((field) => ({ field, as: `__headwater_e${field.id}` })),
    )
    const values = columns.map((column, i) => `${valueSql('e', column)} AS v${i}`)
    const equal = columns.map(
      (column, i) => `${valueSql('d', column)} IS NOT DISTINCT FROM e.v${i}`,
    )
    return `ANTI JOIN (
      SELECT a.part, a.seq, ${values.join(', ')} FROM (${rows}) AS e
      JOIN ${table} AS a ON a.path = e.${FILE_COLUMN}
    ) AS e ON e.part = f.part AND e.seq > f.seq AND ${equal.join(' AND ')}`
  }
}

/** A compared column: a top-level one, or a member inside. */
interface EqualityColumn {
  readonly top: IcebergField
  readonly path: readonly string[]
}

function valueSql(alias: string, { top, path }: EqualityColumn): string {
  const column = `${alias}.__headwater_e${top.id}`
  return path.reduce((sql, name) => `struct_extract(${sql}, ${literal(name)})`, column)
}
