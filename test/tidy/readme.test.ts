/** Documents show commands that can be taken out and run. */
import { describe, expect, test } from 'vitest'
import { codeBlocks, shellCommands } from '../support/readme.ts'
import { filesUnder, readProject } from '../support/source.ts'

const fence = '```'

describe('the commands of a document', () => {
  test('come from its shell blocks alone, without prompts and comments', () => {
    const text = [
      `${fence}sh`,
      '# in a fresh clone',
      'npm install && npm start   # a first look',
      '',
      '$ npx headwater sql "select \'a && b\' # c" --json',
      'npx headwater tables \\',
      '  --json',
      fence,
      `${fence}ts`,
      'npm run never',
      fence,
    ].join('\n')
    expect(shellCommands(text)).toEqual([
      'npm install',
      'npm start',
      'npx headwater sql "select \'a && b\' # c" --json',
      'npx headwater tables --json',
    ])
  })

  test('a block that is not closed is an error', () => {
    expect(() => codeBlocks(`text\n${fence}sh\nnpm test`)).toThrow('line 2 is not closed')
  })
})

test('every document closes its code blocks', () => {
  const documents = filesUnder('.', '.md')
  expect(documents).toContain('PROTOCOL.md')
  for (const path of documents) expect(() => codeBlocks(readProject(path)), path).not.toThrow()
})
