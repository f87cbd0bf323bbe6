/** Writes of an engine to one of headwater's tables while headwater commits to it every moment. */
import { expect } from 'vitest'
import { ask } from '../support/platform.ts'
import type { SqlRow } from '../support/script.ts'
import type { EngineLake } from './lake.ts'

const EACH = 10
const PAUSE_MS = 60
const ATTEMPTS = 60

/** Lands ten rows of each name, for the engine to work on. */
export async function seed(lake: EngineLake, names: readonly string[]): Promise<void> {
  const rows = names.flatMap((name) => Array.from({ length: EACH }, (_, size) => ({ size, name })))
  await lake.note(rows)
}

/** Lands rows named `ours` while the work goes on, and expects them all, beside what the work left of other names. */
export async function besideCommits(
  lake: EngineLake,
  work: () => Promise<void>,
  left: Readonly<Record<string, number>>,
): Promise<void> {
  const before = await counted(lake, "name = 'ours'")
  const theirs = { done: false }
  const done = work().finally(() => (theirs.done = true))
  let size = 0
  const commits = (async () => {
    for (let first = true; first || !theirs.done; first = false) {
      await lake.note([{ size: size++, name: 'ours' }])
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS))
    }
  })()
  await Promise.all([done, commits])
  await lake.note([{ size: size++, name: 'ours' }])
  expect(await counted(lake, "name = 'ours'")).toBe(before + size)
  const found: Record<string, number> = {}
  for (const name of Object.keys(left)) found[name] = await counted(lake, `name = '${name}'`)
  expect(found).toEqual(left)
}

/** Rows of `noted` as headwater counts them. */
export async function counted(lake: EngineLake, condition: string): Promise<number> {
  const query = `select count(*)::int as n from noted where ${condition}`
  const [row] = await ask(lake.platform.lake, query)
  return Number(row!['n'])
}

/** Runs a statement again as long as others were first: an engine that leaves this to its user. */
export async function insisting(
  sql: (statement: string) => Promise<SqlRow[]>,
  statement: string,
): Promise<SqlRow[]> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await sql(statement)
    } catch (cause) {
      const conflict = /conflict|CommitFailed|Requirement failed|branch main has changed|409/i
      if (attempt === ATTEMPTS || !conflict.test(String(cause))) throw cause
    }
  }
}
