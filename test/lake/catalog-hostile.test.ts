/** Catalog, table and view files of any bytes: an answer or `lake_invalid` with the file's name, and never a hang, a crash or another file's bytes. */
import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { systemClock } from '../../src/base/clock.ts'
import type { Result } from '../../src/base/result.ts'
import { parseCatalog, stringifyCatalog } from '../../src/lake/catalog-file.ts'
import { parseExact, stringifyExact } from '../../src/lake/json.ts'
import { newMetadata, parseMetadata, stringifyMetadata } from '../../src/lake/metadata.ts'
import { confined, isInside } from '../../src/lake/places.ts'
import type { Storage } from '../../src/lake/storage.ts'
import { parseView } from '../../src/lake/view.ts'

const table = stringifyMetadata({
  ...newMetadata(
    {
      name: 'seen',
      doc: 'Something.',
      partitionBy: 'at',
      fields: [{ id: 1, name: 'at', required: false, type: 'timestamptz' }],
    },
    { uuid: '00000000-0000-4000-8000-000000000000', location: 'file:///lake/seen', now: 1 },
  ),
  'last-sequence-number': 2,
  'current-snapshot-id': 2n ** 60n,
  refs: { main: { 'snapshot-id': 2n ** 60n, type: 'branch' } },
  snapshots: [
    {
      'snapshot-id': 2n ** 60n,
      'sequence-number': 2,
      'timestamp-ms': 5,
      'manifest-list': 'file:///lake/seen/metadata/snap-1.avro',
      summary: { operation: 'append' },
    },
  ],
  'snapshot-log': [{ 'timestamp-ms': 5, 'snapshot-id': 2n ** 60n }],
  'metadata-log': [
    { 'timestamp-ms': 4, 'metadata-file': 'file:///lake/seen/metadata/1-a.metadata.json' },
  ],
})
const catalog = stringifyCatalog({
  version: 7,
  offset: 12,
  committed: 5,
  commit: '00000000-0000-4000-8000-000000000000',
  namespaces: new Map([
    [
      'headwater',
      {
        properties: { a: 'b' },
        tables: new Map([['seen', 'file:///lake/seen/metadata/1-a.metadata.json']]),
        views: new Map([['events', 'file:///lake/events/metadata/1-a.metadata.json']]),
      },
    ],
  ]),
})
const view = stringifyExact({
  'view-uuid': '00000000-0000-4000-8000-000000000000',
  'format-version': 1,
  location: 'file:///lake/v',
  schemas: [{ type: 'struct', 'schema-id': 0, fields: [] }],
  'current-version-id': 1,
  versions: [
    {
      'version-id': 1,
      'timestamp-ms': 1,
      'schema-id': 0,
      summary: {},
      representations: [{ type: 'sql', sql: 'select 1', dialect: 'spark' }],
      'default-namespace': ['headwater'],
    },
  ],
  'version-log': [{ 'timestamp-ms': 1, 'version-id': 1 }],
  properties: {},
})

type Read = (text: string) => Result<unknown>
const kinds: [string, string, Read][] = [
  ['table', table, (text) => parseMetadata(text, 'the file')],
  ['catalog', catalog, (text) => parseCatalog(text, 'the file', 7)],
  ['view', view, (text) => parseView(text, 'the file')],
]

/** Bytes as storage gives them, through the decoding that readers use. */
function read(parse: Read, bytes: Buffer): Result<unknown> {
  const started = systemClock.monotonic()
  const result = parse(bytes.toString())
  expect(systemClock.monotonic() - started).toBeLessThan(5000)
  if (!result.ok) {
    expect(result.error.code).toBe('lake_invalid')
    expect(result.error.detail).toContain('the file')
  }
  return result
}

describe.each(kinds)('a %s file', (_kind, text, parse) => {
  test('is read as it is', () => {
    expect(read(parse, Buffer.from(text)).ok).toBe(true)
  })

  test('with bytes that were changed, cut, doubled or made up', () => {
    const whole = Buffer.from(text)
    const damage = fc.record({
      at: fc.nat({ max: whole.length - 1 }),
      bytes: fc.uint8Array({ maxLength: 8 }),
      gone: fc.nat({ max: 40 }),
    })
    fc.assert(
      fc.property(fc.array(damage, { minLength: 1, maxLength: 4 }), (damages) => {
        let bytes = whole
        for (const { at, bytes: put, gone } of damages) {
          bytes = Buffer.concat([bytes.subarray(0, at), put, bytes.subarray(at + gone)])
        }
        read(parse, bytes)
      }),
      { numRuns: 1500 },
    )
    for (let end = 0; end < whole.length; end += 7) {
      expect(read(parse, whole.subarray(0, end)).ok).toBe(false)
    }
    expect(read(parse, Buffer.concat([whole, whole])).ok).toBe(false)
    for (let i = 0; i < 20; i++) expect(read(parse, randomBytes(2000)).ok).toBe(false)
  })

  test('in another byte order, encoding or compression is not taken for one', () => {
    const wide = Buffer.from(text, 'utf16le')
    for (const bytes of [wide, Buffer.from(wide).swap16(), Buffer.from([0x1f, 0x8b, 8, 0])]) {
      expect(read(parse, bytes).ok).toBe(false)
    }
  })

  test('with members of any kind and size in any place', () => {
    const huge = fc.constantFrom<unknown>(
      null,
      -1,
      0.5,
      1e300,
      -(2 ** 53),
      2n ** 63n,
      -(2n ** 64n),
      2n ** 66n,
      '',
      true,
      [],
      {},
      [[]],
      'x'.repeat(100_000),
      '\u0000',
      '../..',
      'file:///dev/zero',
    )
    const change = fc.tuple(fc.nat(), fc.option(huge, { nil: undefined }))
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 3 }), (changes) => {
        const value = parseExact(text)
        for (const [at, to] of changes) {
          const all = placesOf(value)
          const [own, key] = all[at % all.length]!
          if (to === undefined) delete own[key]
          else own[key] = to
        }
        read(parse, Buffer.from(stringifyExact(value)))
      }),
      { numRuns: 1500 },
    )
  })

  test('with millions of digits, levels or members ends soon', () => {
    const open = text.slice(0, -1)
    const hostile = [
      `${open},"x":${'9'.repeat(8_000_000)}}`,
      `${open},"x":-${'9'.repeat(8_000_000)}}`,
      `${open},"x":${'['.repeat(500_000)}${']'.repeat(500_000)}}`,
      `${open},"x":${'{"a":'.repeat(300_000)}1${'}'.repeat(300_000)}}`,
      `${open},"x":"${'\\u0000'.repeat(1_000_000)}"}`,
      `${open},"__proto__":{"ok":true},"constructor":1}`,
    ]
    for (const each of hostile) read(parse, Buffer.from(each))
    expect(({} as { ok?: boolean }).ok).toBeUndefined()
  })
})

/** Every place in a value, as the container and its key. */
function placesOf(value: unknown): [Record<string, unknown>, string][] {
  if (typeof value !== 'object' || value === null) return []
  const own = value as Record<string, unknown>
  return Object.keys(own).flatMap((key) => [
    [own, key] as [Record<string, unknown>, string],
    ...placesOf(own[key]),
  ])
}

test('a catalog of another number is not the one that was asked for', () => {
  const result = parseCatalog(catalog, 'the file', 8)
  expect(result.ok).toBe(false)
})

describe('a location', () => {
  const refused = [
    'file:///lake',
    'file:///lake/',
    'file:///lakes/x',
    'file:///lake/../etc/passwd',
    'file:///lake/a/../../etc/passwd',
    'file:///lake/./x',
    'file:///lake//x',
    'file:///lake/a\0b',
    'file://host/lake/x',
    'file:lake/x',
    'lake/x',
    's3://lake/x',
    '',
  ]

  test('outside, or on a way out, reaches no storage', async () => {
    const asked: string[] = []
    const storage = new Proxy({ root: 'file:///lake' } as Storage, {
      get: (target, name) =>
        name === 'root'
          ? target.root
          : (location: string) => {
              asked.push(location)
              return Promise.resolve(location)
            },
    })
    const fence = confined(storage, ['s3://lent/folder/'])
    for (const location of [...refused, 's3://lent/folders/x', 's3://lent/x']) {
      const refusal = { code: 'location_refused' }
      await expect(fence.read(location), location).rejects.toMatchObject(refusal)
      await expect(fence.info(location)).rejects.toMatchObject(refusal)
      await expect(fence.local(location)).rejects.toMatchObject(refusal)
      await expect(fence.remove(location)).rejects.toMatchObject(refusal)
      await expect(fence.write(location, '')).rejects.toMatchObject(refusal)
    }
    expect(asked).toEqual([])
    const allowed = [
      'file:///lake/x',
      'file:/lake/x',
      '/lake/a/b',
      's3a://lent/folder/x',
      'file:///lake/..a/b',
    ]
    for (const location of allowed) expect(await fence.read(location)).toBe(location)
  })

  test('of any text is inside or not, and inside means below', () => {
    const part = fc.constantFrom('lake', '..', '.', '', 'x', '%2e%2e', '/', '\\', 'file:', '\0')
    fc.assert(
      fc.property(fc.array(part, { maxLength: 8 }), (parts) => {
        const location = `file:///${parts.join('/')}`
        if (!isInside('file:///lake', location)) return
        expect(new URL(location.replaceAll('%', '%25')).pathname).toMatch(/^\/+lake\/./)
        expect(location).not.toMatch(/\/\.\.?(\/|$)/)
      }),
    )
  })
})
