/** Names for readers that know only a table's folder: `v<N>.metadata.json` and `version-hint.text`. Never the truth, always behind it. */
import type { Table } from './append.ts'
import { folderOf, join, type Storage } from './storage.ts'

/** Publishes the names of a committed table; again is harmless. */
export async function publishNames(table: Table, storage: Storage): Promise<void> {
  const folder = folderOf(table.file)
  await storage.alias(table.file, join(folder, `v${table.number}.metadata.json`))
  await storage.replace(join(folder, 'version-hint.text'), String(table.number))
}
