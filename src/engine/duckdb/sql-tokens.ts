/** Cuts SQL into tokens as DuckDB does, so that text can be changed outside strings, comments and quoted identifiers only. */

export interface Token {
  readonly kind: 'word' | 'quoted' | 'string' | 'number' | 'mark'
  /** What stands for the token: the name of an identifier, the content of a string. */
  readonly value: string
  /** Where it lies in the text, UTF-16 units. */
  readonly start: number
  readonly end: number
}

/** Tokens without the space and the comments between them. What is not closed reaches to the end: DuckDB will say so. */
export function tokensOf(sql: string): Token[] {
  const tokens: Token[] = []
  let at = 0
  while (at < sql.length) {
    const gap = gapEnd(sql, at)
    if (gap > at) {
      at = gap
      continue
    }
    const token = tokenAt(sql, at, tokens.at(-1))
    tokens.push(token)
    at = token.end
  }
  return tokens
}

/** End of the space or comment at a place; the place itself where there is none. */
function gapEnd(sql: string, at: number): number {
  const space = sticky(/\s+|--[^\n]*/y, sql, at)
  if (space !== undefined) return at + space.length
  if (!sql.startsWith('/*', at)) return at
  // Comments nest.
  let depth = 1
  const ends = /\/\*|\*\//g
  ends.lastIndex = at + 2
  for (let match = ends.exec(sql); match !== null; match = ends.exec(sql)) {
    depth += match[0] === '/*' ? 1 : -1
    if (depth === 0) return ends.lastIndex
  }
  return sql.length
}

function tokenAt(sql: string, start: number, before: Token | undefined): Token {
  const made = (kind: Token['kind'], value: string, length: number): Token => ({
    kind,
    value,
    start,
    end: start + length,
  })
  const first = sql[start]
  if (first === "'") {
    // E'…' has escapes by backslash.
    const escapes =
      before?.kind === 'word' && before.end === start && before.value.toLowerCase() === 'e'
    const pattern = escapes ? /'(?:[^'\\]|''|\\[^])*(?:'|$)/y : /'(?:[^']|'')*(?:'|$)/y
    const text = sticky(pattern, sql, start)!
    return made('string', text.slice(1, -1).replaceAll("''", "'"), text.length)
  }
  if (first === '"') {
    const text = sticky(/"(?:[^"]|"")*(?:"|$)/y, sql, start)!
    return made('quoted', text.slice(1, -1).replaceAll('""', '"'), text.length)
  }
  const mark = sticky(/\$(?:[A-Za-z_\u0080-\uffff][A-Za-z0-9_\u0080-\uffff]*)?\$/y, sql, start)
  if (mark !== undefined) {
    const close = sql.indexOf(mark, start + mark.length)
    const end = close === -1 ? sql.length : close
    return made('string', sql.slice(start + mark.length, end), end - start + mark.length)
  }
  const word = sticky(/[A-Za-z_\u0080-\uffff][A-Za-z0-9_$\u0080-\uffff]*/y, sql, start)
  if (word !== undefined) return made('word', word, word.length)
  const number = sticky(/\d[\d_]*(?:\.\d+)?(?:[eE][+-]?\d+)?/y, sql, start)
  if (number !== undefined) return made('number', number.replaceAll('_', ''), number.length)
  return made('mark', sql[start]!, 1)
}

function sticky(pattern: RegExp, text: string, at: number): string | undefined {
  pattern.lastIndex = at
  return pattern.exec(text)?.[0]
}

/** Whether a token is one of these words, in any case, without quotes. */
export function isWord(token: Token | undefined, ...words: readonly string[]): boolean {
  return token?.kind === 'word' && words.includes(token.value.toLowerCase())
}

export function isMark(token: Token | undefined, mark: string): boolean {
  return token?.kind === 'mark' && token.value === mark
}

export function isName(token: Token | undefined): token is Token {
  return token?.kind === 'word' || token?.kind === 'quoted'
}
