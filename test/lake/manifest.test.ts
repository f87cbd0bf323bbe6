/** Manifests and manifest lists as the Iceberg specification has them: every field by its id, every version, every partition. */
import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decodeAvro } from '../../src/lake/avro-decode.ts'
import { type AvroRecord, type AvroSchema, encodeAvro } from '../../src/lake/avro.ts'
import {
  decodeManifest,
  decodeManifestList,
  encodeManifest,
  encodeManifestList,
  type ManifestEntry,
  type ManifestFile,
  type ManifestHeader,
} from '../../src/lake/manifest.ts'

const SYNC = randomBytes(16)

/** Field ids of the specification: manifest entries and data files ("Manifests"). */
const ENTRY_IDS: Readonly<Record<string, number>> = {
  status: 0,
  snapshot_id: 1,
  sequence_number: 3,
  file_sequence_number: 4,
  data_file: 2,
}
const FILE_IDS: Readonly<Record<string, number>> = {
  content: 134,
  file_path: 100,
  file_format: 101,
  partition: 102,
  record_count: 103,
  file_size_in_bytes: 104,
  column_sizes: 108,
  value_counts: 109,
  null_value_counts: 110,
  nan_value_counts: 137,
  lower_bounds: 125,
  upper_bounds: 128,
  key_metadata: 131,
  split_offsets: 132,
  equality_ids: 135,
  sort_order_id: 140,
}
const VERSION_3_IDS: Readonly<Record<string, number>> = {
  ...FILE_IDS,
  first_row_id: 142,
  referenced_data_file: 143,
  content_offset: 144,
  content_size_in_bytes: 145,
}
/** Ids of map keys and values, and of list elements. */
const INNER_IDS: Readonly<Record<string, readonly number[]>> = {
  column_sizes: [117, 118],
  value_counts: [119, 120],
  null_value_counts: [121, 122],
  nan_value_counts: [138, 139],
  lower_bounds: [126, 127],
  upper_bounds: [129, 130],
  split_offsets: [133],
  equality_ids: [136],
}
const LIST_IDS: Readonly<Record<string, number>> = {
  manifest_path: 500,
  manifest_length: 501,
  partition_spec_id: 502,
  content: 517,
  sequence_number: 515,
  min_sequence_number: 516,
  added_snapshot_id: 503,
  added_files_count: 504,
  existing_files_count: 505,
  deleted_files_count: 506,
  added_rows_count: 512,
  existing_rows_count: 513,
  deleted_rows_count: 514,
  partitions: 507,
  key_metadata: 519,
}
const SUMMARY_IDS = { contains_null: 509, contains_nan: 518, lower_bound: 510, upper_bound: 511 }

function idsOf(record: AvroRecord): Record<string, unknown> {
  return Object.fromEntries(record.fields.map((field) => [field.name, field['field-id']]))
}

function inner(type: AvroSchema): any {
  return Array.isArray(type) ? type.find((branch) => branch !== 'null') : type
}

const schema = {
  type: 'struct',
  'schema-id': 0,
  fields: [
    ['boolean', 1],
    ['int', 2],
    ['long', 3],
    ['float', 4],
    ['double', 5],
    ['date', 6],
    ['time', 7],
    ['timestamp', 8],
    ['timestamptz', 9],
    ['timestamp_ns', 10],
    ['string', 11],
    ['uuid', 12],
    ['fixed[3]', 13],
    ['binary', 14],
    ['decimal(9, 2)', 15],
    ['decimal(9, 2)', 16],
    ['decimal(38, 4)', 17],
  ].map(([type, id]) => ({ id, name: `c${id}`, required: false, type })),
}

function header(fields: readonly object[], more: Partial<ManifestHeader> = {}): ManifestHeader {
  return {
    schema: JSON.stringify(schema),
    schemaId: 0,
    partitionSpec: JSON.stringify(fields),
    specId: 3,
    content: 'data',
    ...more,
  }
}

function entry(partition: object, more: object = {}): ManifestEntry {
  return {
    status: 1,
    snapshotId: 2n ** 62n + 1n,
    sequence: null,
    fileSequence: null,
    dataFile: {
      content: 0,
      file_path: 's3://bucket/a b.parquet',
      file_format: 'PARQUET',
      partition,
      record_count: 5,
      file_size_in_bytes: 2 ** 40,
      lower_bounds: [{ key: 1, value: Buffer.from([1]) }],
      ...more,
    },
  }
}

describe('a manifest', () => {
  test.each([2, 3] as const)('of version %i has the ids of the specification', (formatVersion) => {
    const bytes = encodeManifest(
      [entry({})],
      header([], { formatVersion, content: 'deletes' }),
      SYNC,
    )
    const { schema: written, meta } = decodeAvro(bytes)
    expect(idsOf(written as AvroRecord)).toEqual(ENTRY_IDS)
    const file = inner(
      (written as AvroRecord).fields.find(({ name }) => name === 'data_file')!.type,
    )
    const wanted = formatVersion === 3 ? VERSION_3_IDS : { ...FILE_IDS, referenced_data_file: 143 }
    expect(idsOf(file)).toEqual(wanted)
    for (const [name, ids] of Object.entries(INNER_IDS)) {
      const type = inner(file.fields.find((field: { name: string }) => field.name === name).type)
      expect([
        name,
        type['element-id'] === undefined ? Object.values(idsOf(type.items)) : [type['element-id']],
      ]).toEqual([name, ids])
    }
    expect(Object.fromEntries(meta)).toMatchObject({
      'format-version': String(formatVersion),
      content: 'deletes',
      'partition-spec-id': '3',
      'partition-spec': '[]',
      'schema-id': '0',
    })
  })

  test('of version 1 has no sequence numbers, and what version 1 wants', () => {
    const bytes = encodeManifest([entry({})], header([], { formatVersion: 1 }), SYNC)
    const { schema: written, meta } = decodeAvro(bytes)
    expect(Object.keys(idsOf(written as AvroRecord))).toEqual([
      'status',
      'snapshot_id',
      'data_file',
    ])
    const file = inner((written as AvroRecord).fields.at(-1)!.type)
    expect(idsOf(file)).toMatchObject({ block_size_in_bytes: 105 })
    expect(idsOf(file)).not.toHaveProperty('content')
    expect(meta.has('content')).toBe(false)
    expect(decodeManifest(bytes)[0]).toMatchObject({
      sequence: 0,
      fileSequence: 0,
      snapshotId: 2n ** 62n + 1n,
      dataFile: { content: 0, record_count: 5 },
    })
  })

  test('without field ids is refused, since its partitions could not be told', () => {
    const bytes = encodeManifest([entry({})], header([]), SYNC)
    const { schema: written, records, meta } = decodeAvro(bytes)
    const nameless = JSON.parse(
      JSON.stringify(written, (name, value: unknown) => (name === 'field-id' ? undefined : value)),
    )
    const members = Object.fromEntries([...meta].filter(([name]) => !name.startsWith('avro.')))
    const again = encodeAvro(nameless, records, members, SYNC)
    expect(() => decodeManifest(again)).toThrow('its fields have no ids')
  })

  test('keeps partition values of every type and transform', () => {
    const values: Readonly<Record<string, unknown>> = {
      c1: true,
      c2: -5,
      c3: 2n ** 60n,
      c4: 1.5,
      c5: -0.1,
      c6: -1,
      c7: 86_399_999_999,
      c8: -1,
      c9: 1,
      c10: 2n ** 61n,
      c11: 'ä😀',
      c12: Buffer.alloc(16, 7),
      c13: Buffer.from([1, 2, 3]),
      c14: Buffer.from([9]),
      c15: Buffer.from([0, 0, 1, 0]),
      c16: Buffer.from([255, 255, 255, 255]),
      c17: Buffer.alloc(16, 1),
    }
    const identities = schema.fields.map(({ id, name }, i) => ({
      name,
      transform: 'identity',
      'source-id': id,
      'field-id': 1000 + i,
    }))
    const transforms = ['bucket[7]', 'truncate[3]', 'year', 'month', 'day', 'hour', 'void'].map(
      (transform, i) => ({
        name: `t ${i}.x`,
        transform,
        'source-id': ['bucket[7]'].includes(transform) ? 3 : transform === 'truncate[3]' ? 11 : 9,
        'field-id': 1100 + i,
      }),
    )
    const made = {
      't 0.x': 3,
      't 1.x': 'abc',
      't 2.x': 56,
      't 3.x': 674,
      't 4.x': 20_000,
      't 5.x': 480_000,
      't 6.x': null,
    }
    const fields = [...identities, ...transforms]
    const bytes = encodeManifest([entry({ ...values, ...made }), entry({})], header(fields), SYNC)
    const [first, second] = decodeManifest(bytes)
    expect(first!.dataFile['partition']).toEqual({ ...values, ...made })
    expect(new Set(Object.values(second!.dataFile['partition'] as object))).toEqual(new Set([null]))
    // Names that Avro does not take are written as the Java implementation writes them, found again by their ids.
    const file = inner((decodeAvro(bytes).schema as AvroRecord).fields.at(-1)!.type)
    const struct = inner(
      file.fields.find((field: { name: string }) => field.name === 'partition').type,
    )
    expect(struct.fields.at(-1)).toMatchObject({ name: 't_x206_x2Ex', 'field-id': 1106 })
    expect(struct.fields.map((field: any) => field['field-id'])).toEqual(
      fields.map((field) => field['field-id']),
    )
    // Carried into another manifest they are what they were.
    const carried = decodeManifest(encodeManifest(decodeManifest(bytes), header(fields), SYNC))
    expect(carried.map(({ dataFile }) => dataFile)).toEqual(
      decodeManifest(bytes).map(({ dataFile }) => dataFile),
    )
  })

  test('keeps what it does not know: members, transforms, columns that are gone', () => {
    const bytes = encodeManifest(
      [entry({ c2: 1 })],
      header([{ name: 'c2', transform: 'identity', 'source-id': 2, 'field-id': 1000 }]),
      SYNC,
    )
    const { schema: written, records, meta } = decodeAvro(bytes)
    // As a later writer might have it: other names, an unknown member, and a partition that nobody knows.
    const renamed = JSON.parse(
      JSON.stringify(written)
        .replace('"file_path"', '"where"')
        .replace('"status"', '"state"')
        .replace('"name":"c2"', '"name":"odd"'),
    ) as AvroRecord
    const file = inner(renamed.fields.at(-1)!.type) as { fields: object[] }
    file.fields.push({
      name: 'future',
      type: ['null', { type: 'array', items: 'string' }],
      'field-id': 900,
      default: null,
    })
    const moved = records.map((record) => {
      const {
        file_path: where,
        partition: _,
        ...rest
      } = record['data_file'] as Record<string, unknown>
      return {
        ...record,
        state: record['status'],
        data_file: { ...rest, where, partition: { odd: 77 }, future: ['a', 'b'] },
      }
    })
    const spec = [{ name: 'z', transform: 'zorder[9]', 'source-ids': [2, 3], 'field-id': 1000 }]
    const foreign = encodeAvro(
      renamed,
      moved,
      {
        ...Object.fromEntries([...meta].filter(([key]) => !key.startsWith('avro.'))),
        'partition-spec': JSON.stringify(spec),
      },
      SYNC,
    )
    const [read] = decodeManifest(foreign)
    expect(read).toMatchObject({
      status: 1,
      dataFile: { file_path: 's3://bucket/a b.parquet', partition: { z: 77 }, future: ['a', 'b'] },
    })
    const [again] = decodeManifest(encodeManifest([read!], header(spec), SYNC))
    expect(again!.dataFile).toEqual(read!.dataFile)
  })

  test('makes decimals as wide as the column has become', () => {
    const fields = [{ name: 'p', transform: 'identity', 'source-id': 15, 'field-id': 1000 }]
    const read = decodeManifest(
      encodeManifest([entry({ p: Buffer.from([255, 255, 255, 0]) })], header(fields), SYNC),
    )
    const wide = JSON.stringify(schema).replace(
      '"id":15,"name":"c15","required":false,"type":"decimal(9, 2)"',
      '"id":15,"name":"c15","required":false,"type":"decimal(18, 2)"',
    )
    const [again] = decodeManifest(encodeManifest(read, header(fields, { schema: wide }), SYNC))
    expect(again!.dataFile['partition']).toEqual({
      p: Buffer.from([255, 255, 255, 255, 255, 255, 255, 0]),
    })
  })

  test('of version 2 without sequence numbers is refused, and one that is not a manifest', () => {
    const v1 = encodeManifest([entry({})], header([], { formatVersion: 1 }), SYNC)
    const { schema: written, records } = decodeAvro(v1)
    const lying = encodeAvro(
      written as AvroRecord,
      records,
      { 'format-version': '2', 'partition-spec': '[]' },
      SYNC,
    )
    expect(() => decodeManifest(lying)).toThrow('no sequence numbers')
    expect(() =>
      decodeManifest(encodeManifestList([], { id: 1, parent: undefined, sequence: 1 }, SYNC)),
    ).toThrow('not the one of Iceberg')
  })
})

const list: ManifestFile = {
  path: 'file:///m.avro',
  length: 7,
  specId: 1,
  content: 1,
  sequence: 2n ** 60n,
  minSequence: 3,
  snapshotId: 2n ** 62n + 3n,
  addedFiles: 1,
  existingFiles: 2,
  deletedFiles: 3,
  addedRows: 4,
  existingRows: 5,
  deletedRows: 6,
  partitions: [
    { contains_null: true, contains_nan: null, lower_bound: Buffer.from([1]), upper_bound: null },
    {
      contains_null: false,
      contains_nan: true,
      lower_bound: null,
      upper_bound: Buffer.from([2, 3]),
    },
  ],
}

describe('a manifest list', () => {
  test.each([2, 3] as const)(
    'of version %i has the ids of the specification, and comes back',
    (formatVersion) => {
      const one = {
        ...list,
        keyMetadata: Buffer.from([5]),
        ...(formatVersion === 3 ? { firstRowId: 9 } : {}),
      }
      const bytes = encodeManifestList(
        [one],
        { id: 1, parent: 2, sequence: 3, formatVersion },
        SYNC,
      )
      const { schema: written, meta } = decodeAvro(bytes)
      expect(idsOf(written as AvroRecord)).toEqual(
        formatVersion === 3 ? { ...LIST_IDS, first_row_id: 520 } : LIST_IDS,
      )
      const partitions = inner(
        (written as AvroRecord).fields.find(({ name }) => name === 'partitions')!.type,
      )
      expect(partitions['element-id']).toBe(508)
      expect(idsOf(partitions.items)).toEqual(SUMMARY_IDS)
      expect(Object.fromEntries(meta)).toMatchObject({
        'snapshot-id': '1',
        'parent-snapshot-id': '2',
        'sequence-number': '3',
        'format-version': String(formatVersion),
      })
      expect(decodeManifestList(bytes)).toEqual([one])
    },
  )

  test('of version 1 may leave out counts, which are then not known', () => {
    const bytes = encodeManifestList(
      [{ ...list, content: 0, addedFiles: -1, addedRows: -1 }],
      { id: 1, parent: undefined, sequence: 0, formatVersion: 1 },
      SYNC,
    )
    const [read] = decodeManifestList(bytes)
    expect(read).toMatchObject({
      content: 0,
      sequence: 0,
      minSequence: 0,
      addedFiles: -1,
      addedRows: -1,
      existingFiles: 2,
    })
    expect(() =>
      encodeManifestList([read!], { id: 1, parent: undefined, sequence: 1 }, SYNC),
    ).toThrow('has no counts')
  })
})

test('Avro gives back what it was given', () => {
  const record: AvroRecord = {
    type: 'record',
    name: 'all',
    fields: [
      { name: 'b', type: 'boolean' },
      { name: 'i', type: 'int' },
      { name: 'l', type: 'long' },
      { name: 'f', type: 'float' },
      { name: 'd', type: 'double' },
      { name: 's', type: ['null', 'string'] },
      { name: 'x', type: ['bytes', 'null'] },
      { name: 'a', type: { type: 'array', items: { type: 'array', items: 'long' } } },
      { name: 'm', type: { type: 'map', values: 'string' } },
      { name: 'u', type: { type: 'fixed', name: 'fixed', size: 3 } },
    ],
  }
  const long = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map((value) => {
    const number = Number(value)
    return Number.isSafeInteger(number) ? number : value
  })
  const any = fc.record({
    b: fc.boolean(),
    i: fc.integer(),
    l: fc.oneof(long, fc.integer({ min: -200, max: 200 })),
    f: fc.float(),
    d: fc.double(),
    s: fc.option(fc.string({ unit: 'grapheme' })),
    x: fc.option(fc.uint8Array().map((bytes) => Buffer.from(bytes))),
    a: fc.array(fc.array(long)),
    m: fc.dictionary(fc.string(), fc.string()).map((object) => new Map(Object.entries(object))),
    u: fc.uint8Array({ minLength: 3, maxLength: 3 }).map((bytes) => Buffer.from(bytes)),
  })
  fc.assert(
    fc.property(fc.array(any), (rows) => {
      expect(decodeAvro(encodeAvro(record, rows, {}, SYNC)).records).toEqual(rows)
    }),
  )
})
