/** Names for readers that know only a table's folder: `v<N>.metadata.json` and `version-hint.text`. Never the truth, always behind it. */
import path from 'node:path'
import { errnoOf, type Files } from '../base/files.ts'
import { type Random, uuid } from '../base/random.ts'
import { pathOf, type Table } from './append.ts'

/** Publishes the names of a committed table; again is harmless. */
export async function publishNames(table: Table, files: Files, random: Random): Promise<void> {
  const file = pathOf(table.file)
  const folder = path.dirname(file)
  try {
    await files.link(file, path.join(folder, `v${table.number}.metadata.json`))
  } catch (cause) {
    if (errnoOf(cause) !== 'EEXIST') throw cause
  }
  const temporary = path.join(folder, `.${uuid(random)}.hint`)
  await files.write(temporary, String(table.number))
  await files.rename(temporary, path.join(folder, 'version-hint.text'))
}
