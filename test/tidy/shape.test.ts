/** Files and functions stay small, say what they promise, and are named after it. */
import { basename } from 'node:path'
import { describe, expect, test } from 'vitest'
import {
  codeLines,
  filesUnder,
  lineOf,
  parse,
  readProject,
  sources,
  walk,
} from '../support/source.ts'
import type { SourceFile } from '../support/source.ts'

const fileLinesMax = 500
const functionLinesMax = 70
const testFileLinesMax = 600

const functionTypes = new Set([
  'FunctionDeclaration',
  'FunctionExpression',
  'ArrowFunctionExpression',
])

/** Lines are those that hold code: blank lines and comments are free. */
function sizeFindings(file: SourceFile, linesMax: number, ofFunctionMax: number): string[] {
  const found: string[] = []
  const lines = codeLines(file.text)
  if (lines > linesMax) found.push(`${file.path}: ${lines} lines, at most ${linesMax}: split it`)
  walk(file.tree, (node) => {
    if (!functionTypes.has(node.type)) return
    const length = codeLines(file.text, node.start, node.end)
    if (length <= ofFunctionMax) return
    const line = lineOf(file.text, node.start)
    found.push(`${file.path}:${line}: a function of ${length} lines, at most ${ofFunctionMax}`)
  })
  return found
}

/** The first thing in a file is one sentence on what the module promises. */
function headerFindings(file: SourceFile): string[] {
  const comment = /^\/\*\*([\s\S]*?)\*\//.exec(file.text)?.[1]
  if (comment === undefined) return [`${file.path}: begins with no /** sentence */`]
  const words = comment.replaceAll(/\n\s*\*?/g, ' ').trim()
  return /^[\p{L}`'"].*[.!?:]/u.test(words)
    ? []
    : [`${file.path}: its first comment is not a sentence: ${words}`]
}

/** Names that say nothing gather everything. */
function nameFindings(path: string): string[] {
  const name = basename(path).replace(/\..*$/, '')
  return /^(utils?|helpers?|misc|common|shared|lib|stuff)$|-(utils?|helpers?)$/i.test(name)
    ? [`${path}: name it after its one job`]
    : []
}

/** Work that is left is an issue, not a comment. The words are written so that this file passes. */
const leftover = /\b(TOD[O]|FIXM[E]|XX[X]|HAC[K])\b/

function leftoverFindings(path: string, text: string): string[] {
  return text
    .split('\n')
    .flatMap((line, index) =>
      leftover.test(line) ? [`${path}:${index + 1}: do it, or open an issue: ${line.trim()}`] : [],
    )
}

describe('the rules', () => {
  const lines = (count: number): string => 'x()\n'.repeat(count)
  const sample = (text: string): SourceFile => parse('src/log/a.ts', text)

  test('count lines of code, not comments and blank ones', () => {
    expect(codeLines('/** a\n b\n*/\n\n// c\nx()\nconst y = 1 // d\n')).toBe(2)
  })

  test('find a long file and a long function', () => {
    expect(sizeFindings(sample(lines(501)), 500, 70)).toHaveLength(1)
    expect(sizeFindings(sample(lines(500)), 500, 70)).toEqual([])
    expect(sizeFindings(sample(`const f = () => {\n${lines(69)}}`), 500, 70)).toHaveLength(1)
    expect(sizeFindings(sample(`class A {\n m() {\n${lines(69)}}\n}`), 500, 70)).toHaveLength(1)
    expect(sizeFindings(sample(`function f() {\n${lines(68)}}`), 500, 70)).toEqual([])
  })

  test.each(['const a = 1', '/* A comment. */', '/** */\nx()', '/** no end */', '// A line.'])(
    'find %j as a beginning',
    (text) => {
      expect(headerFindings(sample(text))).toHaveLength(1)
    },
  )

  test('take a sentence, also over two lines', () => {
    expect(headerFindings(sample('/** The log port: it keeps\n *  frames. */'))).toEqual([])
  })

  test('find empty names and leftovers', () => {
    expect(nameFindings('src/log/utils.ts')).toHaveLength(1)
    expect(nameFindings('src/log/string-helpers.ts')).toHaveLength(1)
    expect(nameFindings('src/log/segment.ts')).toEqual([])
    expect(leftoverFindings('a.ts', ['x() // TO', 'DO: y'].join(''))).toHaveLength(1)
    expect(leftoverFindings('a.ts', 'a todo list')).toEqual([])
  })
})

const src = sources('src')
const beside = ['test', 'bench', 'scripts', 'examples'].flatMap((folder) => sources(folder))

describe('every file', () => {
  test('of src is short, and so are its functions', () => {
    expect(src.length).toBeGreaterThan(0)
    expect(src.flatMap((each) => sizeFindings(each, fileLinesMax, functionLinesMax))).toEqual([])
  })

  test('beside src is short', () => {
    expect(beside.flatMap((each) => sizeFindings(each, testFileLinesMax, Infinity))).toEqual([])
  })

  test('of src, bench and scripts begins with what it promises', () => {
    const bound = [...src, ...beside.filter(({ path }) => /^(bench|scripts)\//.test(path))]
    expect(bound.flatMap((each) => headerFindings(each))).toEqual([])
  })

  test('has a name that says something', () => {
    expect([...src, ...beside].flatMap(({ path }) => nameFindings(path))).toEqual([])
  })

  test('leaves no work in comments', () => {
    const documents = filesUnder('.', '.md').map((path) => ({ path, text: readProject(path) }))
    const texts: { path: string; text: string }[] = [...src, ...beside, ...documents]
    expect(texts.flatMap(({ path, text }) => leftoverFindings(path, text))).toEqual([])
  })
})
