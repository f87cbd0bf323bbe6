/** What readers are told of a table: its state, and its live files. */
import { readManifest, type Table } from './append.ts'
import type { Appended, LiveFile, TableState } from './lake.ts'
import { liveFile, primitiveTypes } from './manifest.ts'
import { currentSchema, currentSnapshot } from './metadata.ts'
import type { Storage } from './storage.ts'

/** States of tables that a commit did not change stay what they are. */
const STATES = new WeakMap<Table, TableState>()

export function stateOf(table: Table): TableState {
  const known = STATES.get(table) ?? newStateOf(table)
  STATES.set(table, known)
  return known
}

function newStateOf({ name, metadata }: Table): TableState {
  const snapshot = currentSnapshot(metadata)
  const total = (key: string): number => Number(snapshot?.summary[key] ?? 0)
  const schema = currentSchema(metadata)
  return {
    name,
    uuid: metadata['table-uuid'],
    location: metadata.location,
    schema: {
      name,
      doc: metadata.properties['comment'] ?? '',
      fields: schema.fields,
      partitionBy: metadata.properties['headwater.partition-by'] ?? '',
    },
    schemaId: schema['schema-id'],
    snapshotId: snapshot === undefined ? undefined : BigInt(snapshot['snapshot-id']),
    updated: metadata['last-updated-ms'],
    rows: total('total-records'),
    files: total('total-data-files'),
    bytes: total('total-files-size'),
    claims:
      metadata.snapshots.findLast(({ summary }) => VALID_THROUGH in summary)?.summary ?? NO_CLAIMS,
  }
}

const VALID_THROUGH = 'headwater.valid-through-ms'
const NO_CLAIMS = {}

/** What the appends among a table's snapshots added, oldest first. */
export function appendsOf({ metadata }: Table): Appended[] {
  return metadata.snapshots
    .filter(({ summary }) => summary['operation'] === 'append')
    .map((snapshot) => ({
      at: snapshot['timestamp-ms'],
      rows: Number(snapshot.summary['added-records'] ?? 0),
      files: Number(snapshot.summary['added-data-files'] ?? 0),
      bytes: Number(snapshot.summary['added-files-size'] ?? 0),
    }))
}

/** Data files of the current snapshot, with where they lie on this machine. */
export async function liveFiles(table: Table, storage: Storage): Promise<LiveFile[]> {
  const types = primitiveTypes(currentSchema(table.metadata).fields)
  const live: LiveFile[] = []
  for (const manifest of table.manifests) {
    const entries = await readManifest(manifest, storage)
    const files = await Promise.all(
      entries.map(async ({ dataFile }) =>
        liveFile(dataFile, types, await storage.local(dataFile['file_path'] as string)),
      ),
    )
    for (const file of files) live.push(file)
  }
  return live
}
