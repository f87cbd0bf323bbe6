/** Takes the commands out of a document, so that a test can run every one of them. */

export interface Block {
  readonly language: string
  readonly text: string
  /** Line of the opening fence, from 1. */
  readonly line: number
}

/** Fenced code blocks of a Markdown text. An unclosed fence is an error of the document. */
export function codeBlocks(markdown: string): Block[] {
  const blocks: Block[] = []
  let open: { fence: string; language: string; line: number; lines: string[] } | undefined
  for (const [index, line] of markdown.split('\n').entries()) {
    const fence = /^\s{0,3}(`{3,}|~{3,})\s*([\w-]*)/.exec(line)
    if (open === undefined) {
      if (fence) open = { fence: fence[1]!, language: fence[2]!, line: index + 1, lines: [] }
    } else if (fence?.[1]?.startsWith(open.fence) && fence[2] === '') {
      blocks.push({ language: open.language, text: open.lines.join('\n'), line: open.line })
      open = undefined
    } else open.lines.push(line)
  }
  if (open !== undefined) throw new Error(`the code block of line ${open.line} is not closed`)
  return blocks
}

/** Every command a reader would paste from the `sh` blocks, in order: prompts, comments and blank lines removed,
 *  lines ending in `\` joined, `a && b` taken apart outside quotes. */
export function shellCommands(markdown: string): string[] {
  return codeBlocks(markdown)
    .filter((block) => ['sh', 'bash', 'shell', 'console'].includes(block.language))
    .flatMap((block) => block.text.replaceAll(/\\\n\s*/g, '').split('\n'))
    .map((line) => withoutComment(line.replace(/^\s*\$ /, '')).trim())
    .filter((line) => line !== '')
    .flatMap((line) => splitOutsideQuotes(line, '&&').map((part) => part.trim()))
}

function withoutComment(line: string): string {
  return splitOutsideQuotes(line, /(?:^|\s)#/y)[0] ?? ''
}

/** Splits at a text or sticky pattern wherever it stands outside '…' and "…". */
function splitOutsideQuotes(line: string, separator: string | RegExp): string[] {
  const parts: string[] = []
  let quote = ''
  let start = 0
  for (let at = 0; at < line.length; at++) {
    const character = line[at]!
    if (quote !== '') {
      if (character === quote) quote = ''
      continue
    }
    const length = separatorAt(line, at, separator)
    if (length > 0) {
      parts.push(line.slice(start, at))
      at += length - 1
      start = at + 1
    } else if (character === '"' || character === "'") quote = character
  }
  parts.push(line.slice(start))
  return parts
}

function separatorAt(line: string, at: number, separator: string | RegExp): number {
  if (typeof separator === 'string') return line.startsWith(separator, at) ? separator.length : 0
  separator.lastIndex = at
  return separator.exec(line)?.[0].length ?? 0
}
