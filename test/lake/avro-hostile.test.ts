/** Metadata that lies: whatever the bytes of manifests, lists and deletion vectors, an answer or a failure with the file's name, soon and in little memory. */
import { randomBytes } from 'node:crypto'
import { crc32, deflateRawSync, inflateRawSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { HeadwaterError } from '../../src/base/errors.ts'
import { decodeAvro } from '../../src/lake/avro-decode.ts'
import type { AvroSchema } from '../../src/lake/avro.ts'
import {
  decoded,
  decodeManifest,
  decodeManifestList,
  encodeManifest,
  encodeManifestList,
  type ManifestEntry,
} from '../../src/lake/manifest.ts'
import { decodeVector } from '../../src/lake/puffin.ts'

const SYNC = randomBytes(16)

const entries = Array.from({ length: 5 }, (_, i): ManifestEntry => ({
  status: i % 3,
  snapshotId: 2n ** 60n + BigInt(i),
  sequence: i,
  fileSequence: i,
  dataFile: {
    content: 0,
    file_path: `file:///data/${i}.parquet`,
    file_format: 'PARQUET',
    partition: { day: 20_000 + i },
    record_count: 100 * i,
    file_size_in_bytes: 1000,
    value_counts: [{ key: 1, value: 100 }],
    lower_bounds: [{ key: 1, value: Buffer.from('a') }],
    upper_bounds: [{ key: 1, value: Buffer.from('z') }],
  },
}))
const manifest = encodeManifest(
  entries,
  {
    schema: JSON.stringify({
      fields: [{ id: 1, name: 'at', required: false, type: 'timestamptz' }],
    }),
    schemaId: 0,
    partitionSpec: JSON.stringify([
      { name: 'day', transform: 'day', 'source-id': 1, 'field-id': 1000 },
    ]),
    specId: 0,
    content: 'data',
  },
  SYNC,
)
const list = encodeManifestList(
  [0, 1, 2].map((i) => ({
    path: `file:///m${i}.avro`,
    length: 10,
    specId: 0,
    content: 0,
    sequence: i,
    minSequence: i,
    snapshotId: i,
    addedFiles: 1,
    existingFiles: 0,
    deletedFiles: 0,
    addedRows: 1,
    existingRows: 0,
    deletedRows: 0,
    partitions: [],
  })),
  { id: 1, parent: undefined, sequence: 1 },
  SYNC,
)

/** A container with any schema, metadata and blocks. */
function container(
  schema: unknown,
  blocks: readonly (readonly [count: Buffer, data: Buffer])[],
  codec = 'null',
): Buffer {
  const text = (value: string): Buffer =>
    Buffer.concat([long(Buffer.byteLength(value)), Buffer.from(value)])
  return Buffer.concat([
    Buffer.from('Obj\u0001'),
    long(2),
    text('avro.schema'),
    text(typeof schema === 'string' ? schema : JSON.stringify(schema)),
    text('avro.codec'),
    text(codec),
    long(0),
    SYNC,
    ...blocks.flatMap(([count, data]) => [count, long(data.length), data, SYNC]),
  ])
}

function long(value: number | bigint): Buffer {
  let rest = BigInt.asUintN(64, (BigInt(value) << 1n) ^ (BigInt(value) >> 63n))
  const bytes: number[] = []
  while (rest > 127n) {
    bytes.push(Number(rest & 127n) | 128)
    rest >>= 7n
  }
  return Buffer.from([...bytes, Number(rest)])
}

const DECODERS = { manifest: decodeManifest, 'manifest list': decodeManifestList, avro: decodeAvro }

/** Decodes; only a failure that names the file is let through, and none that takes long or much memory. */
function survive(bytes: Uint8Array, decode: (bytes: Uint8Array) => unknown): string | undefined {
  const started = performance.now()
  const before = process.memoryUsage().arrayBuffers
  try {
    decoded('file:///m.avro', bytes, decode)
    return undefined
  } catch (cause) {
    if (!(cause instanceof HeadwaterError)) throw cause
    expect(cause.code).toBe('lake_invalid')
    expect(cause.detail).toContain('file:///m.avro')
    return cause.detail
  } finally {
    expect(performance.now() - started).toBeLessThan(4000)
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(600 * 2 ** 20)
  }
}

describe.each(Object.entries(DECODERS))('%s', (_, decode) => {
  test('of random bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
        survive(bytes, decode)
        survive(Buffer.concat([Buffer.from('Obj\u0001'), bytes]), decode)
      }),
      { numRuns: 500 },
    )
  })

  test.each([
    ['manifest', manifest],
    ['list', list],
  ] as const)('of a %s that is cut anywhere', (_name, good) => {
    for (let length = 0; length < good.length; length++) {
      const detail = survive(good.subarray(0, length), decode)
      // A file without its only block is one without records; anywhere else the cut shows.
      expect(detail !== undefined || good.length - length > SYNC.length).toBe(true)
    }
  })

  test.each([
    ['manifest', manifest],
    ['list', list],
  ] as const)('of a %s with bits turned and bytes changed', (_name, good) => {
    const change = fc.tuple(fc.nat(good.length - 1), fc.nat(255))
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 8 }), (changes) => {
        const bytes = Buffer.from(good)
        for (const [at, mask] of changes) bytes[at]! ^= mask
        survive(bytes, decode)
      }),
      { numRuns: 1500 },
    )
  })
})

test('records whose bytes are changed are never told otherwise than they are', () => {
  // Uncompressed, so that a change gets through to the records: what is read is what a plain reading of the bytes says, or nothing.
  const { schema, records } = decodeAvro(list)
  const path = Buffer.from('file:///m1.avro')
  const plain = container(schema, [[long(records.length), onlyBlock(list)]])
  expect(decodeManifestList(plain)).toEqual(decodeManifestList(list))
  const bytes = Buffer.from(plain)
  bytes[plain.indexOf(path) + path.indexOf('1')] = 'X'.charCodeAt(0)
  expect(decodeManifestList(bytes).map((each) => each.path)).toEqual([
    'file:///m0.avro',
    'file:///mX.avro',
    'file:///m2.avro',
  ])
})

/** The one block of a container, unpacked. */
function onlyBlock(bytes: Buffer): Buffer {
  const { meta } = decodeAvro(bytes)
  expect(meta.get('avro.codec')).toBe('deflate')
  const sync = bytes.indexOf(SYNC) + SYNC.length
  let at = sync
  const skip = (): number => {
    let value = 0n
    for (let shift = 0n; ; shift += 7n) {
      const byte = bytes[at++]!
      value |= BigInt(byte & 127) << shift
      if (byte < 128) return Number(value >> 1n)
    }
  }
  skip()
  const length = skip()
  return inflateRawSync(bytes.subarray(at, at + length))
}

describe('Avro', () => {
  const record = (fields: readonly object[]): object => ({ type: 'record', name: 'r', fields })
  const one = (type: unknown): object => record([{ name: 'a', type }])
  const many = long(2n ** 40n)
  test.each([
    ['a count that no bytes could hold', container(one('long'), [[many, Buffer.alloc(4)]])],
    ['a negative count', container(one('long'), [[long(-5), Buffer.alloc(4)]])],
    [
      'more records without bytes than anybody has',
      container(record([]), [[many, Buffer.alloc(0)]]),
    ],
    [
      'items without bytes',
      container(one({ type: 'array', items: 'null' }), [[long(1), Buffer.concat([many, long(0)])]]),
    ],
    [
      'items without bytes, in many lists',
      container(one({ type: 'array', items: { type: 'array', items: 'null' } }), [
        [
          long(1),
          Buffer.concat([
            long(1000),
            ...Array.from({ length: 1000 }, () => Buffer.concat([long(19_000_000), long(0)])),
            long(0),
          ]),
        ],
      ]),
    ],
    ['a long length', container(one('bytes'), [[long(1), Buffer.concat([many, Buffer.alloc(4)])]])],
    [
      'a negative length',
      container(one('string'), [[long(1), Buffer.concat([long(-1), Buffer.alloc(4)])]]),
    ],
    [
      'the least length there is',
      container(one('string'), [[long(1), Buffer.concat([long(-(2n ** 63n)), Buffer.alloc(4)])]]),
    ],
    ['an integer without end', container(one('long'), [[long(1), Buffer.alloc(40, 0xff)]])],
    ['an int of 64 bits', container(one('int'), [[long(1), long(2n ** 40n)]])],
    ['a boolean of two', container(one('boolean'), [[long(1), Buffer.from([2])]])],
    [
      'text that is none',
      container(one('string'), [[long(1), Buffer.concat([long(2), Buffer.from([0xc3, 0x28])])]]),
    ],
    ['a branch that there is not', container(one(['null', 'long']), [[long(1), long(2)]])],
    ['bytes left over', container(one('long'), [[long(1), Buffer.alloc(5)]])],
    [
      'a schema that holds itself',
      container({ type: 'record', name: 'r', fields: [{ name: 'a', type: 'r' }] }, [
        [long(1), Buffer.alloc(0)],
      ]),
    ],
    [
      'a schema that holds itself by another',
      container(
        record([
          { name: 'a', type: { type: 'record', name: 'q', fields: [{ name: 'b', type: 'r' }] } },
        ]),
        [[long(1), Buffer.alloc(0)]],
      ),
    ],
    [
      'values nested in themselves',
      container(record([{ name: 'a', type: ['null', 'r'] }]), [
        [long(1), Buffer.concat([...Array.from({ length: 100_000 }, () => long(1)), long(0)])],
      ]),
    ],
    [
      'lists nested in themselves',
      container(record([{ name: 'a', type: { type: 'array', items: 'r' } }]), [
        [long(1), Buffer.concat(Array.from({ length: 100_000 }, () => long(1)))],
      ]),
    ],
    [
      'a schema nested deeply',
      container(
        one(JSON.parse('{"type":"array","items":'.repeat(500) + '"int"' + '}'.repeat(500))),
        [],
      ),
    ],
    ['JSON nested without end', container('['.repeat(200_000), [])],
    ['a schema that is no JSON', container('{', [])],
    ['a schema of a type that is unknown', container(one('what'), [])],
    ['a schema that is a number', container('5', [])],
    ['a schema that is no record', container('"long"', [[long(1), long(1)]])],
    [
      'a prototype',
      container('{"type":"record","name":"r","fields":[{"name":"__proto__","type":"long"}]}', [
        [long(1), long(1)],
      ]),
    ],
    [
      'a fixed of no size',
      container(one({ type: 'fixed', name: 'f', size: -1 }), [[long(1), Buffer.alloc(1)]]),
    ],
    [
      'a fixed of an endless size',
      container(one({ type: 'fixed', name: 'f', size: 2 ** 50 }), [[long(1), Buffer.alloc(1)]]),
    ],
    ['an unknown codec', container(one('long'), [[long(1), long(1)]], 'snappy')],
    [
      'a block that is not compressed as it says',
      container(one('long'), [[long(1), Buffer.from([7, 7, 7])]], 'deflate'),
    ],
    [
      'a wrong marker between blocks',
      Buffer.concat([container(one('long'), []), long(1), long(1), long(1), Buffer.alloc(16)]),
    ],
    [
      'a bomb',
      container(
        one('bytes'),
        [[long(1), deflateRawSync(Buffer.alloc(300 * 2 ** 20), { level: 1 })]],
        'deflate',
      ),
    ],
    [
      'many bombs',
      container(
        one('bytes'),
        Array.from({ length: 5 }, () => {
          const size = 60 * 2 ** 20
          return [
            long(1),
            deflateRawSync(Buffer.concat([long(size), Buffer.alloc(size)]), { level: 1 }),
          ] as const
        }),
        'deflate',
      ),
    ],
    ['bytes in the wrong order', Buffer.from(manifest.subarray(0, manifest.length & ~1)).swap16()],
  ])('with %s', { timeout: 20_000 }, (_name, bytes) => {
    expect(survive(bytes, decodeAvro)).toBeDefined()
  })

  test('with a schema that is recursive but ends is read', () => {
    const tree: AvroSchema = {
      type: 'record',
      name: 'r',
      fields: [{ name: 'a', type: ['null', 'r'] }],
    }
    expect(
      decodeAvro(container(tree, [[long(1), Buffer.concat([long(1), long(1), long(0)])]])).records,
    ).toEqual([{ a: { a: { a: null } } }])
  })
})

/** A Puffin file with one deletion vector, in Roaring's portable form. */
function puffin(bitmap: Buffer): { file: Buffer; offset: number; size: number } {
  const body = Buffer.concat([Buffer.from([0xd1, 0xd3, 0x39, 0x64]), bitmap])
  const head = Buffer.alloc(4)
  head.writeUInt32BE(body.length)
  const tail = Buffer.alloc(4)
  tail.writeUInt32BE(crc32(body))
  const blob = Buffer.concat([head, body, tail])
  return {
    file: Buffer.concat([Buffer.from('PFA1'), blob, Buffer.from('PFA1')]),
    offset: 4,
    size: blob.length,
  }
}

const u16 = (...values: readonly number[]): Buffer => Buffer.from(Uint16Array.from(values).buffer)
const u32 = (...values: readonly number[]): Buffer => Buffer.from(Uint32Array.from(values).buffer)

/** Positions as arrays, bitmaps and runs. */
function roaring(positions: readonly number[], runs: boolean): Buffer {
  const keys = [...Map.groupBy(positions, (position) => Math.floor(position / 2 ** 32))]
  return Buffer.concat([
    u32(keys.length, 0),
    ...keys.flatMap(([key, inKey]) => [
      u32(key),
      bitmap32(
        inKey.map((position) => position % 2 ** 32),
        runs,
      ),
    ]),
  ])
}

function bitmap32(values: readonly number[], runs: boolean): Buffer {
  const containers = [...Map.groupBy(values, (value) => value >>> 16)]
  const header = u16(...containers.flatMap(([key, inside]) => [key, inside.length - 1]))
  const bodies = containers.map(([, inside]) => {
    const lows = inside.map((value) => value & 0xffff)
    if (runs) {
      const starts = lows.filter((low) => !lows.includes(low - 1))
      const pairs = starts.flatMap((start) => {
        let end = start
        while (lows.includes(end + 1)) end++
        return [start, end - start]
      })
      return u16(starts.length, ...pairs)
    }
    if (lows.length <= 4096) return u16(...lows)
    const bits = Buffer.alloc(8192)
    for (const low of lows) bits[low >> 3]! |= 1 << (low & 7)
    return bits
  })
  if (!runs) {
    return Buffer.concat([
      u32(12_346, containers.length),
      header,
      Buffer.alloc(containers.length * 4),
      ...bodies,
    ])
  }
  const offsets = containers.length >= 4 ? Buffer.alloc(containers.length * 4) : Buffer.alloc(0)
  return Buffer.concat([
    u32(12_347 | ((containers.length - 1) << 16)),
    Buffer.alloc((containers.length + 7) >> 3, 0xff),
    header,
    offsets,
    ...bodies,
  ])
}

describe('a deletion vector', () => {
  const positions = fc
    .uniqueArray(
      fc.oneof(fc.nat(300), fc.nat(300_000), fc.integer({ min: 2 ** 32, max: 2 ** 32 + 5 })),
      { minLength: 1, maxLength: 200 },
    )
    .map((all) => all.toSorted((a, b) => a - b))

  test('comes back, as arrays and as runs', () => {
    fc.assert(
      fc.property(positions, fc.boolean(), (all, runs) => {
        const { file, ...place } = puffin(roaring(all, runs))
        expect([...decodeVector(file, place, { count: all.length, rows: 2 ** 33 })]).toEqual(all)
      }),
    )
  })

  test('comes back as bitmaps', () => {
    const all = Array.from({ length: 9000 }, (_, i) => i * 7)
    const { file, ...place } = puffin(roaring(all, false))
    expect([...decodeVector(file, place, { count: all.length, rows: 2 ** 20 })]).toEqual(all)
  })

  test('that lies is refused', () => {
    const good = puffin(roaring([1, 5, 70_000], false))
    const read =
      (file: Buffer, place: object = {}, expected: object = {}) =>
      (): unknown =>
        decodeVector(
          file,
          { offset: good.offset, size: good.size, ...place },
          { count: 3, rows: 100_000, ...expected },
        )
    expect(read(good.file)()).toEqual(Float64Array.from([1, 5, 70_000]))
    expect(read(good.file, {}, { count: 2 })).toThrow('more rows')
    expect(read(good.file, {}, { count: 4 })).toThrow('3 positions')
    expect(read(good.file, {}, { count: 2 ** 40 })).toThrow('more rows are deleted than there are')
    expect(read(good.file, {}, { count: 2 ** 40, rows: 2 ** 50 })).toThrow('too short')
    expect(read(good.file, {}, { rows: 70_000 })).toThrow('behind the end')
    expect(read(good.file, { offset: 2 ** 40 })).toThrow('outside')
    expect(read(good.file, { size: good.size - 1 })).toThrow('another length')
    expect(read(good.file.subarray(1))).toThrow('not a Puffin file')
    const wrong = Buffer.from(good.file)
    wrong[30]! ^= 1
    expect(read(wrong)).toThrow('checksum')
  })

  test('of any bytes is an answer or a failure', () => {
    fc.assert(
      fc.property(
        positions,
        fc.boolean(),
        fc.array(fc.tuple(fc.nat(4000), fc.nat(255)), { minLength: 1, maxLength: 6 }),
        (all, runs, changes) => {
          const bitmap = roaring(all, runs)
          for (const [at, mask] of changes) bitmap[at % bitmap.length]! ^= mask
          const { file, ...place } = puffin(bitmap)
          const detail = survive(file, (bytes) => {
            const found = [...decodeVector(bytes, place, { count: all.length, rows: 2 ** 33 })]
            expect(found).toEqual([...new Set(found)].toSorted((a, b) => a - b))
            expect(found).toHaveLength(all.length)
          })
          if (detail !== undefined) expect(detail).toContain('m.avro')
        },
      ),
      { numRuns: 1000 },
    )
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        survive(bytes, (raw) =>
          decodeVector(
            raw,
            { offset: 4, size: Math.max(0, raw.length - 4) },
            { count: 10, rows: 100 },
          ),
        )
      }),
    )
  })
})
