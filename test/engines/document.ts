/** The snippets of docs/lake.md, by the engine whose section they stand in. */
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { repository } from '../support/project.ts'
import { type Block, codeBlocks } from '../support/readme.ts'

/** What the document says the catalog's URI is. */
const URI = 'http://127.0.0.1:8643/iceberg'

/** Sections of the second level: title → text. */
export function sections(): Map<string, string> {
  const text = readFileSync(path.join(repository, 'docs/lake.md'), 'utf8')
  const parts = text.split(/^## /m).slice(1)
  return new Map(parts.map((part) => [part.slice(0, part.indexOf('\n')), part]))
}

/** Blocks of a section, pointed at a catalog of one's own and, where they name the lake's folder, at that. */
export function snippets(title: string, uri: string): Block[] {
  const section = sections().get(title)
  if (section === undefined) throw new Error(`docs/lake.md has no section ${title}`)
  return codeBlocks(section).map((block) => ({ ...block, text: block.text.replaceAll(URI, uri) }))
}

/** Statements of SQL, which end in `;`. */
export function statements(sql: string): string[] {
  return sql
    .replaceAll(/^\s*--.*$/gm, '')
    .split(/;\s*(?:\n|$)/)
    .map((each) => each.trim())
    .filter((each) => each !== '')
}

/** Lines `name=value` or `name value`, as properties files have them. */
export function properties(text: string): Record<string, string> {
  const lines = text.split('\n').filter((line) => /^[^#\s]/.test(line))
  return Object.fromEntries(
    lines.map((line) => {
      const [, name, value] = /^([^\s=]+)(?:\s*=\s*|\s+)(.*)$/.exec(line)!
      return [name!, value!.trim()]
    }),
  )
}
