/** What readers are told of a table: its state, and its live files. */
import { readManifest, type Table } from './append.ts'
import type { LiveFile, TableState } from './lake.ts'
import { liveFile, primitiveTypes } from './manifest.ts'
import { currentSchema, currentSnapshot } from './metadata.ts'
import type { Storage } from './storage.ts'

export function stateOf({ name, metadata }: Table): TableState {
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
  }
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
