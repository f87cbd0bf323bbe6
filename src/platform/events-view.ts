/** The view `events` for other engines: what all event types have in common, under each other. */
import type { Schemas } from '../columns/epoch.ts'
import type { PublishedView } from '../lake/index.ts'
import { ENVELOPE } from '../spec/envelope.ts'

/** How an engine quotes a name. */
const QUOTES = {
  spark: (name: string) => `\`${name}\``,
  trino: (name: string) => `"${name}"`,
  duckdb: (name: string) => `"${name}"`,
} as const

/** Undefined where there is no event type. Names of event types are plain words (PROTOCOL.md §13). */
export function eventsView({ events }: Schemas): PublishedView | undefined {
  const types = [...events.keys()].sort()
  if (types.length === 0) return undefined
  const sql = Object.entries(QUOTES).map(([dialect, quote]) => {
    const columns = ENVELOPE.map(({ name }) => quote(name)).join(', ')
    const parts = types.map(
      (type) => `SELECT '${type}' AS ${quote('type')}, ${columns} FROM ${quote(type)}`,
    )
    return [dialect, parts.join('\nUNION ALL\n')] as const
  })
  const type = { id: 1, name: 'type', required: true, type: 'string', doc: 'The event type.' }
  return {
    name: 'events',
    doc: 'What all event types have in common.',
    fields: [type, ...ENVELOPE.map((field, i) => ({ ...field, id: i + 2 }))],
    sql: Object.fromEntries(sql),
  }
}
