import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { bootWords, readHeader, splitBody } from '../../src/collector/decode.ts'

const BOOT = 'Vx3kP0aZ8mQe5rT1uY7wLg'
const header = (over: object = {}): Record<string, unknown> => ({
  boot: BOOT,
  seq: 0,
  first: 0,
  count: 1,
  sent: 5,
  booted: 1_763_900_000_000,
  ctx: {},
  ...over,
})
const chunk = { type: 'a', n: [0], at: [1], cols: {} }
const body = (...lines: readonly unknown[]): Buffer =>
  Buffer.from(
    lines.map((line) => (typeof line === 'string' ? line : JSON.stringify(line))).join('\n'),
  )

describe('a body', () => {
  test('is split at its headers', () => {
    const bytes = body(header(), chunk, chunk, '', header({ seq: 1, first: 1 }), chunk)
    const parts = splitBody(bytes)
    expect(
      parts.map((part) => part.kind === 'batch' && [part.header.seq, part.chunks.length]),
    ).toEqual([
      [0, 2],
      [1, 1],
    ])
    const [first] = parts
    expect(first?.kind === 'batch' && bytes.toString('utf8', first.start, first.chunksAt)).toBe(
      `${JSON.stringify(header())}\n`,
    )
  })

  test('a broken line ends its batch and takes the lines behind it along', () => {
    const bytes = body(header(), chunk, '{"type":', chunk, header({ seq: 1 }), chunk)
    const [broken, whole] = splitBody(bytes)
    if (broken?.kind !== 'batch' || whole?.kind !== 'batch') throw new Error('two batches')
    expect(broken.chunks).toHaveLength(1)
    expect(broken.broken?.code).toBe('line_not_json')
    const { start, end } = broken.broken!
    expect(bytes.toString('utf8', start, end)).toBe(`{"type":\n${JSON.stringify(chunk)}\n`)
    expect(whole.broken).toBeUndefined()
  })

  test.each([
    ['no header', body(chunk, chunk), 'body_not_batches'],
    ['not JSON', body('hello', chunk), 'line_not_json'],
    ['an array', body('[1]'), 'line_not_json'],
    ['a bad header', body(header({ seq: -1 }), chunk), 'header_invalid'],
    ['not UTF-8', Buffer.from([0x7b, 0xff, 0x7d]), 'line_not_utf8'],
  ])('%s is bytes', (_name, bytes, code) => {
    const parts = splitBody(bytes)
    expect(parts).toHaveLength(1)
    expect(parts[0]).toMatchObject({ kind: 'bytes', code, start: 0, end: bytes.length })
  })

  test('every byte belongs to one part, whatever the lines are', () => {
    const line = fc.oneof(
      fc.constantFrom<unknown>(
        header(),
        header({ count: -1 }),
        chunk,
        'x',
        '[]',
        '{"boot":1}',
        '{',
      ),
      fc.json(),
    )
    fc.assert(
      fc.property(fc.array(line), (lines) => {
        const bytes = body(...lines)
        let at = 0
        for (const part of splitBody(bytes)) {
          expect(bytes.toString('utf8', at, part.start).trim()).toBe('')
          at = part.end
        }
        expect(bytes.toString('utf8', at).trim()).toBe('')
      }),
    )
  })
})

describe('a header', () => {
  test('is read with its defaults', () => {
    expect(readHeader(header({ dropped: [['queue_full', 3, 2]] }))).toMatchObject({
      clock: 'monotonic',
      rtt: undefined,
      dropped: [['queue_full', 3, 2]],
    })
  })

  test.each([
    [{ boot: 'short' }],
    [{ boot: 'Vx3kP0aZ8mQe5rT1uY7wLz' }],
    [{ boot: 7 }],
    [{ seq: -1 }],
    [{ seq: 1.5 }],
    [{ seq: 2 ** 31 }],
    [{ seq: '1' }],
    [{ first: -1 }],
    [{ first: 2 ** 53 }],
    [{ count: 10_001 }],
    [{ count: null }],
    [{ sent: null }],
    [{ sent: -1 }],
    [{ booted: 'now' }],
    [{ rtt: -5 }],
    [{ clock: 'sun' }],
    [{ ctx: [] }],
    [{ sdk: 'x'.repeat(65) }],
    [{ dropped: [['a', 1]] }],
    [{ dropped: [['a', -1, 2]] }],
    [{ dropped: {} }],
  ])('is refused with %j', (over) => {
    expect(readHeader(header(over))).toBeTypeOf('string')
  })
})

test('a boot is 128 bits', () => {
  const bytes = Buffer.from(BOOT, 'base64url')
  expect(Buffer.from(bootWords(BOOT).buffer)).toEqual(bytes)
})
