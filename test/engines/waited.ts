/** What the snippets of docs/lake.md must come to, as the command of the document says. */
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { expect } from 'vitest'
import { repository, sql } from '../support/project.ts'
import { shellCommands } from '../support/readme.ts'
import type { EngineLake } from './lake.ts'

/** Plays, and the milliseconds waited for them. */
export async function expectPlays(
  { folder }: EngineLake,
  row: Readonly<Record<string, unknown>> | undefined,
): Promise<void> {
  const [command] = shellCommands(readFileSync(path.join(repository, 'docs/lake.md'), 'utf8'))
  const [, query] = /^npx headwater sql "(.*)"$/.exec(command!)!
  const [ours] = await sql(folder, query!)
  const { plays, waited } = ours!
  expect(Number(plays)).toBeGreaterThan(50)
  expect([Number(row?.['plays']), Number(row?.['waited'])]).toEqual([Number(plays), Number(waited)])
}
