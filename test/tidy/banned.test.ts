/** Code of src takes time, chance, environment and output from its ports; each banned name says what to use instead. */
import { describe, expect, test } from 'vitest'
import { dottedName, importsOf, lineOf, parse, sources, walk } from '../support/source.ts'
import type { Node, SourceFile } from '../support/source.ts'

interface Ban {
  /** `Date.now`, or `console.*` for everything of an object. */
  readonly name: string
  readonly instead: string
  /** Files, by the start of their path, that are the port or its owner. */
  readonly exceptIn?: readonly string[]
}

const clock = ['src/base/clock.ts']
const random = ['src/base/random.ts']

const bans: readonly Ban[] = [
  { name: 'Date.now', instead: 'clock.wall()', exceptIn: clock },
  { name: 'performance.*', instead: 'clock.monotonic()', exceptIn: clock },
  { name: 'process.hrtime', instead: 'clock.monotonic()', exceptIn: clock },
  { name: 'process.hrtime.bigint', instead: 'clock.monotonic()', exceptIn: clock },
  { name: 'setTimeout', instead: 'clock.after(ms, wake) or sleep(clock, ms)', exceptIn: clock },
  { name: 'setInterval', instead: 'clock.after(ms, wake), again on each wake', exceptIn: clock },
  { name: 'Math.random', instead: 'random.float() or below(random, bound)', exceptIn: random },
  { name: 'crypto.getRandomValues', instead: 'random.bytes(count)', exceptIn: random },
  { name: 'crypto.randomUUID', instead: 'uuid(random)', exceptIn: random },
  { name: 'console.*', instead: 'a Result, a counter or a report port', exceptIn: ['src/cli/'] },
  {
    name: 'process.env',
    instead: 'an option handed in by the composition root',
    exceptIn: ['src/platform/', 'src/cli/'],
  },
  { name: 'process.exit', instead: 'a Result or an error thrown', exceptIn: ['src/cli/'] },
]

const bannedModules: Readonly<Record<string, string>> = {
  'node:timers': 'clock.after(ms, wake)',
  'node:timers/promises': 'sleep(clock, ms)',
  'node:perf_hooks': 'clock.monotonic()',
}

/** Names of node:crypto that are randomness. */
const randomOfCrypto = new Set(['randomBytes', 'randomUUID', 'randomInt', 'randomFillSync'])

/** One sentence per banned name that a file uses. */
function banFindings(file: SourceFile): string[] {
  const found: string[] = []
  const report = (node: Node, what: string, instead: string): unknown =>
    found.push(`${file.path}:${lineOf(file.text, node.start)}: ${what}: use ${instead}`)
  walk(file.tree, (node) => {
    const name = calledOrRead(node)?.replace(/^(globalThis|window|self)\./, '')
    const ban = name === undefined ? undefined : bans.find((each) => matches(each.name, name))
    if (ban && !ban.exceptIn?.some((path) => file.path.startsWith(path))) {
      report(node, ban.name, ban.instead)
    }
    if (readsTheDate(node) && !clock.includes(file.path)) {
      report(node, 'Date without an argument', 'new Date(clock.wall())')
    }
    if (node.type === 'ImportSpecifier' && randomOfCrypto.has(dottedName(node['imported']) ?? '')) {
      report(node, String(dottedName(node['imported'])), 'random.bytes(count)')
    }
  })
  for (const { specifier, line } of importsOf(file)) {
    const instead = bannedModules[specifier]
    if (instead) found.push(`${file.path}:${line}: ${specifier}: use ${instead}`)
  }
  return found
}

/** Member expressions by their dotted name; plain names only where they are called. */
function calledOrRead(node: Node): string | undefined {
  if (node.type === 'MemberExpression') return dottedName(node)
  const callee = node.type === 'CallExpression' ? (node['callee'] as Node) : undefined
  return callee?.type === 'Identifier' ? dottedName(callee) : undefined
}

function matches(ban: string, name: string): boolean {
  return ban.endsWith('.*') ? name.startsWith(ban.slice(0, -1)) : name === ban
}

function readsTheDate(node: Node): boolean {
  if (node.type !== 'NewExpression' && node.type !== 'CallExpression') return false
  if (dottedName(node['callee']) !== 'Date') return false
  return node.type === 'CallExpression' || (node['arguments'] as readonly Node[]).length === 0
}

const findings = (path: string, text: string): string => banFindings(parse(path, text)).join('\n')

describe('the rules', () => {
  test.each([
    ['const now = Date.now()', 'Date.now: use clock.wall()'],
    ['const now = Date.now', 'Date.now: use clock.wall()'],
    ['const now = new Date()', 'new Date(clock.wall())'],
    ['const now = Date()', 'new Date(clock.wall())'],
    ['const now = performance.now()', 'clock.monotonic()'],
    ['const now = process.hrtime.bigint()', 'clock.monotonic()'],
    ['globalThis.setTimeout(f, 1)', 'clock.after'],
    ['setTimeout(f, 1)', 'clock.after'],
    ['setInterval(f, 1)', 'clock.after'],
    ["import { setTimeout } from 'node:timers/promises'", 'sleep(clock, ms)'],
    ["import { randomBytes } from 'node:crypto'", 'random.bytes(count)'],
    ['const n = Math.random()', 'random.float()'],
    ["const n = Math['random']()", 'random.float()'],
    ['console.warn(1)', 'a report port'],
    ['const home = process.env.HOME', 'composition root'],
    ['process.exit(1)', 'a Result'],
  ])('%s is found', (text, message) => {
    expect(findings('src/log/a.ts', text)).toContain(message)
  })

  test.each([
    ['src/log/a.ts', 'const then = new Date(5)'],
    ['src/log/a.ts', 'clearTimeout(timer)'],
    ['src/log/a.ts', 'interface Port { setTimeout(ms: number): void }'],
    ['src/log/a.ts', '// Date.now() is not called here'],
    ['src/base/clock.ts', 'const now = Date.now()'],
    ['src/base/random.ts', 'crypto.getRandomValues(bytes)'],
    ['src/cli/a.ts', 'console.log(process.env.HOME); process.exit(1)'],
    ['src/platform/a.ts', 'const home = process.env.HOME'],
  ])('in %s, %s is allowed', (path, text) => {
    expect(findings(path, text)).toBe('')
  })
})

test('src uses none of them', () => {
  const files = sources('src')
  expect(files.length).toBeGreaterThan(0)
  expect(files.flatMap((file) => banFindings(file))).toEqual([])
})
