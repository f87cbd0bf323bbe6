/** Every bound is used, and every bound a document names exists. */
import { expect, test } from 'vitest'
import { limits } from '../../src/base/limits.ts'
import { dottedName, readProject, sources, walk } from '../support/source.ts'
import type { Node } from '../support/source.ts'

const names = Object.keys(limits)

/** Names read as `limits.<name>`, imported by name, or taken by name out of an object. */
function namesUsed(): Set<string> {
  const used = new Set<string>()
  for (const file of sources('src').filter(({ path }) => path !== 'src/base/limits.ts'))
    walk(file.tree, (node) => {
      if (node.type === 'MemberExpression') used.add(dottedName(node['property']) ?? '')
      if (node.type === 'ImportSpecifier') used.add(dottedName(node['imported']) ?? '')
      if (node.type !== 'ObjectPattern') return
      for (const property of node['properties'] as readonly Node[])
        used.add(dottedName(property['key']) ?? '')
    })
  return used
}

test('every limit bounds something', () => {
  const used = namesUsed()
  expect(names.filter((name) => !used.has(name))).toEqual([])
})

test('every limit is a positive whole number', () => {
  for (const [name, value] of Object.entries(limits)) {
    expect(Number.isSafeInteger(value) && value > 0, `${name} is ${value}`).toBe(true)
  }
})

test('every limit that the protocol names exists', () => {
  const named = [...readProject('PROTOCOL.md').matchAll(/`([a-zA-Z]+(?:Max|Min))`/g)]
  expect(named.length).toBeGreaterThan(0)
  expect(named.map((match) => match[1]!).filter((name) => !names.includes(name))).toEqual([])
})
