/** Reads what a table is made of; a manifest that was read once is remembered for as long as the table has it. */
import { manifestTier } from '../merge.ts'
import type { ManifestEntry, ManifestFile } from '../manifest.ts'
import { currentSchema, currentSnapshot } from '../metadata.ts'
import type { Storage } from '../storage.ts'
import type { SurveyDelete, SurveyFile, TableSurvey } from '../upkeep.ts'
import { decodeBound } from '../values.ts'
import { dayOf, daysOf, isOwnSpec, readManifest, rowsOf, type Table } from '../write-manifest.ts'

/** What is remembered of a manifest. */
interface Known {
  readonly files: readonly (Omit<SurveyFile, 'added'> & { readonly snapshot: bigint })[]
  readonly deletes: readonly SurveyDelete[]
  readonly foreign: number
}

export class Surveyor {
  readonly #storage: Storage
  /** Table → path of a manifest → what it holds. */
  readonly #known = new Map<string, Map<string, Known>>()

  constructor(storage: Storage) {
    this.#storage = storage
  }

  async survey(table: Table): Promise<Omit<TableSurvey, 'expired' | 'garbage'>> {
    const { metadata, manifests, name } = table
    const before = this.#known.get(name)
    const known = new Map<string, Known>()
    for (const manifest of manifests) {
      const { path } = manifest
      known.set(path, before?.get(path) ?? (await this.#read(table, manifest)))
    }
    this.#known.set(name, known)
    const times = new Map(
      metadata.snapshots.map((each) => [BigInt(each['snapshot-id']), each['timestamp-ms']]),
    )
    const all = [...known.values()]
    const own = manifests.filter((each) => each.content === 0 && isOwnSpec(metadata, each.specId))
    return {
      name,
      schema: {
        name,
        doc: metadata.properties['comment'] ?? '',
        fields: currentSchema(metadata).fields,
        partitionBy: sourceColumn(table)?.name ?? '',
      },
      sequence: currentSnapshot(metadata)?.['sequence-number'] ?? 0,
      files: all.flatMap(({ files }) =>
        files.map(({ snapshot, ...file }) => ({ ...file, added: times.get(snapshot) })),
      ),
      deletes: all.flatMap(({ deletes }) => deletes),
      manifests: own.map((each) => ({
        path: each.path,
        files: each.addedFiles + each.existingFiles,
        tier: manifestTier(each),
        specId: each.specId,
        days: daysOf(each),
      })),
      foreignFiles: all.reduce((sum, { foreign }) => sum + foreign, 0),
      snapshots: metadata.snapshots.length,
    }
  }

  async #read(table: Table, manifest: ManifestFile): Promise<Known> {
    const own = isOwnSpec(table.metadata, manifest.specId)
    const entries = await readManifest(manifest, this.#storage)
    if (manifest.content !== 0) {
      return {
        files: [],
        foreign: 0,
        deletes: entries.map((each) => deleteOf(each, manifest, own)),
      }
    }
    const column = sourceColumn(table)?.id
    const files = entries.flatMap((entry) => {
      const day = own ? dayOf(entry) : null
      if (day === null) return []
      return [{ ...fileOf(entry, manifest, column), day }]
    })
    return { files, foreign: entries.length - files.length, deletes: [] }
  }
}

function fileOf(
  entry: ManifestEntry,
  manifest: ManifestFile,
  column: number | undefined,
): Omit<Known['files'][number], 'day'> {
  const { dataFile } = entry
  const bounds = (dataFile['lower_bounds'] ?? []) as readonly { key: number; value: Uint8Array }[]
  const lower = bounds.find(({ key }) => key === column)?.value
  const first = lower === undefined ? undefined : decodeBound('timestamptz', lower)
  return {
    location: dataFile['file_path'] as string,
    rows: rowsOf(entry),
    bytes: Number(dataFile['file_size_in_bytes']),
    sequence: Number(entry.sequence ?? manifest.sequence),
    snapshot: BigInt(entry.snapshotId ?? manifest.snapshotId),
    first: typeof first === 'bigint' ? first : undefined,
  }
}

function deleteOf(entry: ManifestEntry, manifest: ManifestFile, own: boolean): SurveyDelete {
  const { dataFile } = entry
  const vector = dataFile['file_format'] === 'PUFFIN'
  return {
    location: dataFile['file_path'] as string,
    kind: dataFile['content'] === 2 ? 'equality' : vector ? 'vector' : 'position',
    day: own ? (dayOf(entry) ?? undefined) : undefined,
    rows: rowsOf(entry),
    sequence: Number(entry.sequence ?? manifest.sequence),
  }
}

/** The column by whose day the own spec partitions. */
function sourceColumn({
  metadata,
}: Table): { readonly id: number; readonly name: string } | undefined {
  const spec = metadata['partition-specs'].find((each) => isOwnSpec(metadata, each['spec-id']))
  const id = spec?.fields[0]?.['source-id']
  return currentSchema(metadata).fields.find((field) => field.id === id)
}
