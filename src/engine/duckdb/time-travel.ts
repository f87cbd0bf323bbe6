/** Finds what SQL says of versions, times, completeness and changes of tables, and puts plain names in its place. */
import { identifier } from './parquet.ts'
import { isMark, isName, isWord, type Token, tokensOf } from './sql-tokens.ts'

/** Which state of a table is meant. */
export type When =
  | { readonly kind: 'version'; readonly value: string }
  | { readonly kind: 'timestamp'; readonly value: string }
  /** `share` 0 … 1: at least so much of what is expected has landed. */
  | { readonly kind: 'complete'; readonly share: number | undefined }

/** A name in the text that stands for a table in another state, or for the changes of one. */
export interface Reference {
  /** Parts of the name as it was written, unquoted. */
  readonly parts: readonly string[]
  readonly when?: When
  /** Snapshots between which the changes are asked for. */
  readonly changes?: { readonly from: string | undefined; readonly to: string | undefined }
}

export interface Travel {
  readonly sql: string
  /** By the schema that stands before the table's own name in `sql`. */
  readonly references: ReadonlyMap<string, Reference>
}

/**
 * `play_started for version as of 7` becomes `"play_started for version as of 7".play_started`: the name that columns are qualified
 * with stays. Also `for timestamp as of '…'`, `as of complete`, `for complete as of '99.9%'`, `play_started@7` and
 * `changes('play_started', from, to)`.
 */
export function travel(sql: string): Travel {
  const tokens = tokensOf(sql)
  const references = new Map<string, Reference>()
  let out = ''
  let done = 0
  const replace = (start: number, end: number, name: string, reference: Reference): void => {
    const schema = sql.slice(start, end).replaceAll(/\s+/g, ' ')
    references.set(schema, reference)
    out += `${sql.slice(done, start)}${identifier(schema)}.${name}`
    done = end
  }
  for (let i = 0; i < tokens.length; i++) {
    const changes = changesAt(tokens, i)
    if (changes !== undefined) {
      const { end, reference } = changes
      replace(tokens[i]!.start, tokens[end]!.end, 'changes', reference)
      i = end
      continue
    }
    const name = nameAt(tokens, i)
    if (name === undefined) continue
    const when = whenAt(tokens, name.end + 1)
    if (when !== undefined) {
      const last = tokens[name.end]!
      const parts = name.parts
      replace(tokens[i]!.start, tokens[when.end]!.end, sql.slice(last.start, last.end), {
        parts,
        when: when.when,
      })
    }
    i = when?.end ?? name.end
  }
  return { sql: out + sql.slice(done), references }
}

/** The state that one text means, as `--at` takes it: `complete`, `complete 99.9%`, a time, or a snapshot, tag or branch. */
export function momentOf(text: string): When {
  const complete = /^complete(?:\s+(.+))?$/.exec(text.trim())
  if (complete !== null) {
    const share = complete[1] === undefined ? undefined : shareOf(complete[1])
    if (complete[1] === undefined || share !== undefined) return { kind: 'complete', share }
  }
  const time = /^\d{4}-\d\d-\d\d([ T].*)?$/.test(text.trim())
  return { kind: time ? 'timestamp' : 'version', value: text.trim() }
}

/** A name of one or more parts; `end` is its last token. */
function nameAt(
  tokens: readonly Token[],
  start: number,
): { readonly parts: readonly string[]; readonly end: number } | undefined {
  const first = tokens[start]
  if (!isName(first)) return undefined
  const parts = [first.value]
  let end = start
  while (isMark(tokens[end + 1], '.')) {
    const next = tokens[end + 2]
    if (!isName(next)) break
    parts.push(next.value)
    end += 2
  }
  return { parts, end }
}

function whenAt(
  tokens: readonly Token[],
  at: number,
): { readonly when: When; readonly end: number } | undefined {
  const [one, two, three, four, value] = tokens.slice(at, at + 5)
  if (isWord(one, 'as') && isWord(two, 'of') && isWord(three, 'complete')) {
    return { when: { kind: 'complete', share: undefined }, end: at + 2 }
  }
  if (isWord(one, 'for') && isWord(three, 'as') && isWord(four, 'of')) return forAt(tokens, at)
  // `table@7`, without space: no operator of DuckDB stands so.
  const adjacent = isMark(one, '@') && one!.start === tokens[at - 1]?.end && two?.start === one!.end
  if (!adjacent || two === undefined || two.kind === 'mark' || value === one) return undefined
  return { when: { kind: 'version', value: two.value }, end: at + 1 }
}

function forAt(
  tokens: readonly Token[],
  at: number,
): { readonly when: When; readonly end: number } | undefined {
  const kind = tokens[at + 1]
  // A time may be written as one: TIMESTAMP '…'.
  const typed = isWord(tokens[at + 4], 'timestamp', 'timestamptz', 'date') ? 1 : 0
  const end = at + 4 + typed
  const value = tokens[end]
  if (value?.kind !== 'string' && value?.kind !== 'number') return undefined
  if (isWord(kind, 'version', 'system_version')) {
    return { when: { kind: 'version', value: value.value }, end }
  }
  if (isWord(kind, 'timestamp', 'system_time')) {
    return { when: { kind: 'timestamp', value: value.value }, end }
  }
  if (!isWord(kind, 'complete')) return undefined
  const share = shareOf(value.value)
  return share === undefined ? undefined : { when: { kind: 'complete', share }, end }
}

/** `99.9%` or `0.999`. */
function shareOf(text: string): number | undefined {
  const percent = /^(\d+(?:\.\d+)?)\s*%$/.exec(text.trim())?.[1]
  const share = percent === undefined ? Number(text) : Number(percent) / 100
  return share >= 0 && share <= 1 ? share : undefined
}

/** `changes('table')`, `changes('table', from)` or `changes('table', from, to)`. */
function changesAt(
  tokens: readonly Token[],
  at: number,
): { readonly reference: Reference; readonly end: number } | undefined {
  if (!isWord(tokens[at], 'changes') || !isMark(tokens[at + 1], '(')) return undefined
  if (isMark(tokens[at - 1], '.')) return undefined
  const table = tokens[at + 2]
  if (table?.kind !== 'string') return undefined
  const values: (string | undefined)[] = []
  let end = at + 3
  while (isMark(tokens[end], ',') && values.length < 2) {
    const value = tokens[end + 1]
    if (isWord(value, 'null')) values.push(undefined)
    else if (value?.kind === 'string' || value?.kind === 'number') values.push(value.value)
    else return undefined
    end += 2
  }
  if (!isMark(tokens[end], ')')) return undefined
  const name = nameAt(tokensOf(table.value), 0)
  const [from, to] = values
  return { reference: { parts: name?.parts ?? [table.value], changes: { from, to } }, end }
}
