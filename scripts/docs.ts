/** Writes docs/errors.md from the error table and docs/configuration.md from the schema of the configuration; a test fails when a page is out of date. */
import { writeFileSync } from 'node:fs'
import { ERRORS } from '../src/base/errors.ts'
import type { ErrorEntry } from '../src/base/errors.ts'
import { type OptionDoc, optionDocs } from '../src/platform/config.ts'

const domains: Readonly<Record<ErrorEntry['domain'], string>> = {
  user: 'the caller',
  external: 'the disk, the network or another process',
  internal: 'headwater: report it',
}

/** The page as Markdown: one section per code, sorted by code, so that `#code` is its address. */
export function errorsPage(errors: Readonly<Record<string, ErrorEntry>> = ERRORS): string {
  const sections = Object.entries(errors)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([code, entry]) => section(code, entry))
  return `${head}\n\n${sections.join('\n\n')}\n`
}

const head = `# Errors

Every failure has a code. It stands in answers over HTTP (PROTOCOL.md §9), in rows of the table \`quarantine\` (PROTOCOL.md §10), in the
log of the process and in what the commands print. Generated from \`src/base/errors.ts\` by \`npm run docs\`.`

function section(code: string, entry: ErrorEntry): string {
  const retry = entry.retry === 'later' ? 'yes, later' : 'not without a change'
  return [
    `## ${code}`,
    '',
    entry.summary,
    '',
    `- What to do: ${entry.remedy}`,
    `- Who can mend it: ${domains[entry.domain]}`,
    `- HTTP status: ${entry.status === 200 ? '200, as a reason in the answer' : entry.status}`,
    `- Trying again helps: ${retry}`,
  ].join('\n')
}

/** The page as Markdown: one row per option, in the order of the schema. */
export function configurationPage(options: readonly OptionDoc[] = optionDocs()): string {
  const rows = options.map((option) => {
    const { path, type, default: fallback, doc } = option
    const shown = fallback === '' ? '' : `\`${fallback}\``
    return `| \`${path}\` | ${type} | ${shown} | ${doc} |`
  })
  return `${configurationHead}\n\n| option | type | default | meaning |\n|---|---|---|---|\n${rows.join('\n')}\n`
}

const configurationHead = `# Configuration

Everything is optional. \`headwater.config.ts\` exports the options as default, type-checked; a command looks for it in the current folder, or
where \`--project\` says. Paths are relative to the file.

\`\`\`ts
import type { Config } from 'headwater/platform'

export default {
  specs: './specs.ts',
  keys: { web: 'a-long-random-text' },
} satisfies Config
\`\`\`

Generated from \`src/platform/config.ts\` by \`npm run docs\`.`

if (import.meta.main) {
  writeFileSync('docs/errors.md', errorsPage())
  writeFileSync('docs/configuration.md', configurationPage())
}
