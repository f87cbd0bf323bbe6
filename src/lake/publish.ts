/** Names for readers that know only a table's folder: `v<N>.metadata.json` and `version-hint.text`. Never the truth, always behind it. */
import type { Table } from './append.ts'
import { folderOf, join, nameOf, type Storage } from './storage.ts'

/** Publishes the names of a committed table; again is harmless. */
export async function publishNames(table: Table, storage: Storage): Promise<void> {
  const folder = folderOf(table.file)
  const aliased = await storage.alias(table.file, join(folder, `v${table.number}.metadata.json`))
  // Readers put `v` before a number; a name of ours they take as it is.
  const hint = aliased ? String(table.number) : nameOf(table.file).replace('.metadata.json', '')
  await storage.replace(join(folder, 'version-hint.text'), hint)
}
