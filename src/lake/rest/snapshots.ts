/** Looks into the snapshots that a client adds, before its commit has its turn: what nobody could read, or is not what it is said to be, is refused. */
import { error, type HeadwaterError } from '../../base/errors.ts'
import { type Identifier, tableAt } from '../catalog-file.ts'
import type { ManifestFile } from '../manifest.ts'
import type { Id, Metadata, Snapshot } from '../metadata.ts'
import { snapshotOf } from '../metadata-versions.ts'
import type { NamedFile } from '../transactions.ts'
import { type Service, unwrap } from './call.ts'
import type { TableChange } from './commit.ts'

/** Throws HeadwaterError `update_invalid` or `location_refused`. */
export async function checkSnapshots(
  service: Service,
  id: Identifier,
  { updates }: TableChange,
): Promise<void> {
  const added = updates.flatMap((update) =>
    update.action === 'add-snapshot' ? [snapshotOf(update.snapshot) as Snapshot] : [],
  )
  if (added.length === 0) return
  const base = await baseOf(service, id)
  const own = id.namespace === service.lake.namespace && base !== undefined
  const checks = new Checks(service, base, own ? base.location : undefined)
  for (const snapshot of added) await checks.take(snapshot, own && id.name === service.ledger)
}

/** The table as it is; undefined where there is none, which the commit itself is to say. */
async function baseOf({ lake }: Service, id: Identifier): Promise<Metadata | undefined> {
  const file = tableAt(lake.current, id)
  const metadata = file === undefined ? undefined : await lake.metadata(file)
  return metadata?.ok === true ? metadata.value : undefined
}

class Checks {
  readonly #service: Service
  readonly #snapshots: Map<Id, Snapshot>
  /** Location of the table when it is headwater's. */
  readonly #own: string | undefined

  constructor(service: Service, base: Metadata | undefined, own: string | undefined) {
    this.#service = service
    this.#own = own
    this.#snapshots = new Map(base?.snapshots.map((each) => [each['snapshot-id'], each]))
  }

  async take(snapshot: Snapshot, ledger: boolean): Promise<void> {
    const before = await this.#parentOf(snapshot)
    const after = await this.#manifestsOf(snapshot)
    const [gone, come] = [without(before, after), without(after, before)]
    const files: NamedFile[] = []
    for (const manifest of come) {
      this.#place(manifest.path)
      files.push(...(await this.#filesOf(manifest)))
    }
    this.#snapshots.set(snapshot['snapshot-id'], snapshot)
    // Other engines' own tables may name what nobody finds: that is between them and their readers.
    if (this.#own === undefined) return
    for (const { location } of files) this.#place(location)
    const left = (await Promise.all(gone.map((each) => this.#filesOf(each)))).flat()
    const problem = keepsProblem(snapshot, left, files, ledger)
    if (problem !== undefined) {
      throw error('update_invalid', `The snapshot ${snapshot['snapshot-id']} ${problem}.`)
    }
  }

  #place(location: string): void {
    const { locations } = this.#service
    if (this.#own === undefined) locations.checkInside(location)
    else locations.checkOwn(location, this.#own)
  }

  /** Manifests of the snapshot before; none where there is none, or nobody can read it any more. */
  async #parentOf(snapshot: Snapshot): Promise<readonly ManifestFile[]> {
    const parent = snapshot['parent-snapshot-id']
    const before = parent === undefined ? undefined : this.#snapshots.get(parent)
    if (before === undefined) return []
    const manifests = await this.#service.lake.manifests(before['manifest-list'])
    if (manifests.ok || this.#own === undefined) return manifests.ok ? manifests.value : []
    throw manifests.error
  }

  async #manifestsOf(snapshot: Snapshot): Promise<readonly ManifestFile[]> {
    const { 'manifest-list': list, 'sequence-number': sequence } = snapshot
    this.#place(list)
    const manifests = await this.#service.lake.manifests(list)
    if (!manifests.ok) throw unreadable(manifests.error)
    const later = manifests.value.find((each) => each.sequence > sequence)
    if (later === undefined) return manifests.value
    throw error(
      'update_invalid',
      `${list}: the manifest ${later.path} has the sequence number ${later.sequence}, after that of its snapshot, ${sequence}.`,
    )
  }

  async #filesOf(manifest: ManifestFile): Promise<readonly NamedFile[]> {
    const files = await this.#service.lake.filesOf(manifest)
    if (!files.ok) throw unreadable(files.error)
    return unwrap(files)
  }
}

function without(
  manifests: readonly ManifestFile[],
  others: readonly ManifestFile[],
): readonly ManifestFile[] {
  const paths = new Set(others.map(({ path }) => path))
  return manifests.filter(({ path }) => !paths.has(path))
}

/** Why a snapshot is not the append or replacement that it says it is; of manifests that went, `left`, and of those that came, `files`. */
function keepsProblem(
  { summary }: Snapshot,
  left: readonly NamedFile[],
  files: readonly NamedFile[],
  ledger: boolean,
): string | undefined {
  const operation = summary['operation']
  if (operation === 'append') {
    const kept = new Set(files.map(({ location }) => location))
    const lost = left.find(({ location }) => !kept.has(location))
    return lost && `is an append, and drops ${lost.location}`
  }
  if (!ledger || operation !== 'replace') return undefined
  // The ledger has no deletes that a replacement could apply.
  if (files.some(({ deletes }) => deletes)) return 'deletes rows of the ledger'
  const rows = (of: readonly NamedFile[]): number => of.reduce((sum, each) => sum + each.rows, 0)
  return rows(left) === rows(files)
    ? undefined
    : `replaces files with ${rows(left)} rows by others with ${rows(files)}`
}

function unreadable({ detail }: HeadwaterError): HeadwaterError {
  return error('update_invalid', `The table could not be read after this: ${detail}`)
}
