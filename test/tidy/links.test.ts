/** Links of the documents lead to files and headings that exist. */
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { filesUnder, readProject, root } from '../support/source.ts'

/** Link targets outside code: `[text](target)` and `[name]: target`. */
function linksOf(markdown: string): string[] {
  const prose = markdown.replaceAll(/^(`{3,})[\s\S]*?^\1/gm, '').replaceAll(/`[^`\n]*`/g, '')
  return [...prose.matchAll(/\]\(([^)\s]+)[^)]*\)|^\[[^\]]+\]:\s*(\S+)/gm)].map(
    (match) => (match[1] ?? match[2])!,
  )
}

/** The address GitHub gives a heading. */
function addressOf(heading: string): string {
  return heading
    .trim()
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
    .replaceAll(/\s/g, '-')
}

function linkFindings(path: string, markdown: string): string[] {
  return linksOf(markdown)
    .filter((link) => !/^[a-z]+:/i.test(link))
    .flatMap((link) => {
      const [file = '', address] = link.split('#')
      const target = file === '' ? path : join(dirname(path), decodeURIComponent(file))
      if (target !== path && !existsSync(join(root, target)))
        return [`${path}: ${link}: no such file`]
      if (address === undefined || !target.endsWith('.md')) return []
      const text = target === path ? markdown : readProject(target)
      const headings = [...text.matchAll(/^#+\s+(.+)$/gm)].map((match) => addressOf(match[1]!))
      return headings.includes(address) ? [] : [`${path}: ${link}: no such heading`]
    })
}

describe('the rule', () => {
  test.each([
    ['[a](missing.md)', 'no such file'],
    ['[a]: ../missing.md', 'no such file'],
    ['[a](PROTOCOL.md#99-nothing)', 'no such heading'],
    ['# Here\n[a](#there)', 'no such heading'],
  ])('%j is found', (markdown, message) => {
    expect(linkFindings('a.md', markdown).join('\n')).toContain(message)
  })

  test('good links, other sites and code pass', () => {
    const markdown =
      '# Good day\n[a](PROTOCOL.md#1-paths) [b](#good-day) [c](https://example.org/x) `[d](none.md)`'
    expect(linkFindings('a.md', markdown)).toEqual([])
  })
})

test('every link of every document leads somewhere', () => {
  const documents = filesUnder('.', '.md')
  expect(documents).toContain('PROTOCOL.md')
  expect(documents.flatMap((path) => linkFindings(path, readProject(path)))).toEqual([])
})
