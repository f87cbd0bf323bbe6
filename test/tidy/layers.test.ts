/** Folders of src import only what the table of src/README.md allows, and nothing imports in a circle. */
import { describe, expect, test } from 'vitest'
import { importsOf, parse, readProject, sources } from '../support/source.ts'
import type { SourceFile } from '../support/source.ts'

type Layers = ReadonlyMap<string, ReadonlySet<string>>

/** Folder → the folders it may import, from the Markdown table with the column `may import`. */
function layerTable(markdown: string): Layers {
  const rows = markdown
    .split('\n')
    .filter((line) => line.startsWith('|'))
    .map((line) => line.split('|').slice(1, -1))
    .map((cells) => cells.map((cell) => cell.trim()))
  const column = rows[0]?.indexOf('may import') ?? -1
  if (column < 0) throw new Error('src/README.md has no table with the column `may import`')
  return new Map(
    rows
      .slice(2)
      .map((cells) => [cells[0]!, new Set(cells[column]!.split(/,\s*/).filter((name) => name))]),
  )
}

const folderOf = (path: string): string | undefined => /^src\/([^/]+)\//.exec(path)?.[1]

/** One sentence per import that breaks a rule. */
function layerFindings(file: SourceFile, layers: Layers): string[] {
  const findings: string[] = []
  const folder = folderOf(file.path)
  const allowed = folder === undefined ? undefined : layers.get(folder)
  if (folder === undefined || allowed === undefined) {
    return [`${file.path}: its folder is not in the table of src/README.md`]
  }
  for (const { specifier, target, typeOnly, line } of importsOf(file)) {
    const report = (why: string): unknown => findings.push(`${file.path}:${line}: ${why}`)
    if (specifier.startsWith('headwater')) report(`import ${specifier} by its path instead`)
    if (target === undefined) continue
    const to = folderOf(target)
    if (to === undefined) report(`${specifier} lies outside the folders of src`)
    else if (to !== folder && !allowed.has(to)) report(`${folder} may not import ${to}`)
    else if (folder === 'client' && to === 'spec' && !typeOnly)
      report('client may import only types from spec: write `import type`')
    else if (folder === 'client' && target.startsWith('src/base/node/'))
      report('client runs in browsers and may not import base/node')
  }
  return findings
}

/** The first circle found, as its members in order; undefined when there is none. */
function circle(edges: ReadonlyMap<string, readonly string[]>): string[] | undefined {
  const done = new Set<string>()
  const path: string[] = []
  const visit = (node: string): string[] | undefined => {
    const seen = path.indexOf(node)
    if (seen >= 0) return [...path.slice(seen), node]
    if (done.has(node)) return undefined
    path.push(node)
    for (const next of edges.get(node) ?? []) {
      const found = visit(next)
      if (found) return found
    }
    path.pop()
    done.add(node)
    return undefined
  }
  for (const node of edges.keys()) {
    const found = visit(node)
    if (found) return found
  }
  return undefined
}

/** Modules outside this package that `entry` needs at run time, with the file that imports each. */
function outsideModules(files: readonly SourceFile[], entry: string): string[] {
  const byPath = new Map(files.map((file) => [file.path, file]))
  const found: string[] = []
  const reached = new Set([entry])
  for (const path of reached) {
    for (const { specifier, target, typeOnly } of importsOf(byPath.get(path)!)) {
      if (typeOnly) continue
      if (target === undefined) found.push(`${path}: ${specifier}`)
      else reached.add(target)
    }
  }
  return found
}

const layers = layerTable(readProject('src/README.md'))
const files = sources('src')

describe('the rules', () => {
  const table = layerTable(
    '| folder | may import |\n|---|---|\n| base | |\n| spec | base |\n| client | spec, base |\n| cli | base |\n',
  )
  const findings = (path: string, text: string): string[] => layerFindings(parse(path, text), table)

  test('take the table apart', () => {
    expect([...table].map(([folder, may]) => [folder, [...may]])).toEqual([
      ['base', []],
      ['spec', ['base']],
      ['client', ['spec', 'base']],
      ['cli', ['base']],
    ])
  })

  test.each([
    ['src/base/a.ts', "import { b } from '../spec/b.ts'", 'base may not import spec'],
    ['src/base/a.ts', "const b = await import('../cli/b.ts')", 'base may not import cli'],
    ['src/base/a.ts', "export * from '../spec/b.ts'", 'base may not import spec'],
    ['src/base/a.ts', "type B = import('../spec/b.ts').B", 'base may not import spec'],
    ['src/spec/a.ts', "import { b } from '../../bench/b.ts'", 'outside the folders'],
    ['src/spec/a.ts', "import { b } from 'headwater/client'", 'by its path'],
    ['src/client/a.ts', "import { b } from '../spec/b.ts'", 'only types from spec'],
    ['src/client/a.ts', "import '../base/node/files.ts'", 'may not import base/node'],
    ['src/odd/a.ts', '', 'not in the table'],
  ])('%s with %s is found', (path, text, message) => {
    expect(findings(path, text).join('\n')).toContain(message)
  })

  test('allow what the table allows', () => {
    const text =
      "import type { B } from '../spec/b.ts'\nimport { type C } from '../spec/c.ts'\nimport '../base/d.ts'"
    expect(findings('src/client/a.ts', text)).toEqual([])
  })

  test('find a circle', () => {
    const edges = new Map([
      ['a', ['b']],
      ['b', ['c', 'd']],
      ['d', ['b']],
    ])
    expect(circle(edges)).toEqual(['b', 'd', 'b'])
  })
})

describe('src', () => {
  test('has only folders of the table, and imports as it says', () => {
    expect(files.length).toBeGreaterThan(0)
    expect(files.flatMap((file) => layerFindings(file, layers))).toEqual([])
  })

  test('nothing may import cli', () => {
    expect([...layers].filter(([, may]) => may.has('cli'))).toEqual([])
  })

  test('the table names only folders of itself, without a circle', () => {
    for (const [folder, may] of layers)
      for (const name of may) expect(layers.has(name), `${folder} may import ${name}`).toBe(true)
    expect(circle(new Map([...layers].map(([folder, may]) => [folder, [...may]])))).toBeUndefined()
  })

  test('no file imports itself through others, not even types', () => {
    const edges = new Map(
      files.map((file) => [file.path, importsOf(file).flatMap(({ target }) => target ?? [])]),
    )
    expect(circle(edges)?.join(' → ')).toBeUndefined()
  })

  test.each(['src/client/index.ts', 'src/spec/index.ts'])(
    '%s runs in a browser: it needs no module from outside',
    (entry) => {
      expect(outsideModules(files, entry)).toEqual([])
    },
  )
})
