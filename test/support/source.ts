/** Reads the project's own source as syntax trees, so that its rules can be tests. */
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseAst } from 'vitest/node'

export const root: string = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '')

const skipped = new Set(['node_modules', 'dist', '.git', '.headwater', 'coverage'])

/** Files under `folder` (relative to the project) whose name ends in `extension`, sorted, as relative paths. */
export function filesUnder(folder: string, extension: string): string[] {
  const start = join(root, folder)
  if (statSync(start, { throwIfNoEntry: false }) === undefined) return []
  return readdirSync(start, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(extension))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)))
    .filter((path) => !path.split('/').some((part) => skipped.has(part)))
    .toSorted()
}

export interface SourceFile {
  /** Relative to the project. */
  readonly path: string
  readonly text: string
  readonly tree: Node
}

/** A node of the ESTree that the parser gives; every node has its kind and its place in the text. */
export interface Node {
  readonly type: string
  readonly start: number
  readonly end: number
  readonly [member: string]: unknown
}

export function parse(path: string, text: string): SourceFile {
  const lang = path.endsWith('.tsx') ? 'tsx' : 'ts'
  try {
    return { path, text, tree: parseAst(text, { lang }) as unknown as Node }
  } catch (cause) {
    throw new Error(`${path} cannot be parsed`, { cause })
  }
}

/** TypeScript files of one top folder, parsed. */
export function sources(folder: string): SourceFile[] {
  return [...filesUnder(folder, '.ts'), ...filesUnder(folder, '.tsx')].map((path) =>
    parse(path, readFileSync(join(root, path), 'utf8')),
  )
}

export function readProject(path: string): string {
  return readFileSync(join(root, path), 'utf8')
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && 'type' in value && 'start' in value
}

/** Calls `visit` for every node, parents first. */
export function walk(node: Node, visit: (node: Node) => void): void {
  visit(node)
  for (const value of Object.values(node)) {
    if (Array.isArray(value)) {
      for (const child of value) if (isNode(child)) walk(child, visit)
    } else if (isNode(value)) walk(value, visit)
  }
}

export function lineOf(text: string, position: number): number {
  return text.slice(0, position).split('\n').length
}

export interface Import {
  /** As written. */
  readonly specifier: string
  /** Relative to the project, for a relative specifier. */
  readonly target: string | undefined
  /** Whether nothing of it is left at run time. */
  readonly typeOnly: boolean
  readonly line: number
}

/** Every static, dynamic and type import and re-export of a file. */
export function importsOf(file: SourceFile): Import[] {
  const found: Import[] = []
  walk(file.tree, (node) => {
    const source = node['source']
    if (!isNode(source) || typeof source['value'] !== 'string') return
    const specifier = source['value']
    found.push({
      specifier,
      target: specifier.startsWith('.') ? join(dirname(file.path), specifier) : undefined,
      typeOnly: isTypeOnly(node),
      line: lineOf(file.text, node.start),
    })
  })
  return found
}

function isTypeOnly(node: Node): boolean {
  if (node.type === 'TSImportType') return true
  if (node['importKind'] === 'type' || node['exportKind'] === 'type') return true
  const specifiers = node['specifiers']
  if (!Array.isArray(specifiers) || specifiers.length === 0) return false
  return specifiers.every(
    (each: Node) => each['importKind'] === 'type' || each['exportKind'] === 'type',
  )
}

/** Lines of `text` between two positions that hold code: neither blank nor comment alone. */
export function codeLines(text: string, start = 0, end: number = text.length): number {
  const bare = text
    .slice(start, end)
    .replaceAll(/\/\*[\s\S]*?\*\//g, (comment) => comment.replaceAll(/[^\n]/g, ' '))
  return bare.split('\n').filter((line) => !/^\s*(\/\/.*)?$/.test(line)).length
}

/** `Date.now` for a member expression of plain names, `Date` for a name, undefined for anything else. */
export function dottedName(node: unknown): string | undefined {
  if (!isNode(node)) return undefined
  if (node.type === 'Identifier') return String(node['name'])
  if (node.type !== 'MemberExpression') return undefined
  const object = dottedName(node['object'])
  if (object === undefined) return undefined
  const property = node['property']
  if (!isNode(property)) return undefined
  if (node['computed'] === true) {
    return property.type === 'Literal' ? `${object}.${String(property['value'])}` : undefined
  }
  return `${object}.${String(property['name'])}`
}
