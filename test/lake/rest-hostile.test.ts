/** Clients that lie, over HTTP: each lie is an error by code; no file of anybody is lost, nothing hangs, and maintenance goes on or says why not. */
import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Clock, systemClock } from '../../src/base/clock.ts'
import { limits } from '../../src/base/limits.ts'
import { nodeFiles } from '../../src/base/node/files.ts'
import { seededRandom } from '../../src/base/random.ts'
import { Compactor } from '../../src/engine/duckdb/compact.ts'
import { stringifyExact } from '../../src/lake/json.ts'
import { doJob } from '../../src/lake/maintain/job.ts'
import { planTable } from '../../src/lake/maintain/plan.ts'
import {
  decodeManifestList,
  encodeManifest,
  encodeManifestList,
  type ManifestFile,
} from '../../src/lake/manifest.ts'
import type { TableSchema } from '../../src/spec/iceberg-type.ts'
import { ask, unwrap } from '../support/platform.ts'
import { temporaryFolder } from '../support/project.ts'
import { type Reply, startCatalog, type TestCatalog } from './catalog.ts'
import { append, DAY_MS, writeRows } from './tables.ts'

const { folder, remove } = temporaryFolder('rest-hostile')
afterAll(remove)

const TODAY = Math.floor(systemClock.wall() / DAY_MS)
const schemaOf = (name: string): TableSchema => ({
  name,
  doc: 'A table.',
  partitionBy: 'at',
  fields: [
    { id: 1, name: 'at', required: false, type: 'timestamptz' },
    { id: 2, name: 'size', required: false, type: 'int' },
  ],
})
const OWN = 'namespaces/headwater/tables'
const OUTSIDE = path.join(folder, 'outside')
mkdirSync(OUTSIDE)

let catalog: TestCatalog
let ahead = 0
const clock: Clock = { ...systemClock, wall: () => systemClock.wall() + ahead }

beforeAll(async () => {
  catalog = await startCatalog(path.join(folder, 'lake'), { clock })
  for (const name of ['seen', 'batches']) {
    for (let i = 0; i < 3; i++) await append(catalog.lake, schemaOf(name), [await rows(name, i)])
  }
  unwrap(await catalog.lake.commit({ schemas: [], appends: new Map(), offset: 10 }))
  await catalog.request('POST', 'namespaces', { namespace: ['theirs'] })
}, 60_000)
afterAll(async () => {
  expect(catalog.bugs).toEqual([])
  await catalog.close()
})

/** A file of ten rows. */
function rows(name: string, i: number): ReturnType<typeof writeRows> {
  const at = `make_timestamptz(${TODAY * 86_400_000_000 + i * 1_000_000})`
  const query = `select ${at} as at, range::int as size from range(10)`
  return writeRows(catalog.lake, schemaOf(name), TODAY, query)
}

const post = (at: string, body: unknown): Promise<Reply> => catalog.request('POST', at, body)
const load = async (at: string): Promise<any> => (await catalog.request('GET', at)).body.metadata

let serial = 1000

interface Lie {
  readonly list?: string
  readonly manifest?: string
  readonly file?: string
  readonly dataFile?: object
  readonly listed?: Partial<ManifestFile>
  readonly snapshot?: object
  /** The other manifests; those of the table unless told otherwise. */
  readonly rest?: readonly ManifestFile[]
}

function manifestsOf(metadata: any): ManifestFile[] {
  const current = metadata.snapshots.find(
    (each: any) => each['snapshot-id'] === metadata['current-snapshot-id'],
  )
  if (current === undefined) return []
  return decodeManifestList(readFileSync(fileURLToPath(current['manifest-list'] as string)))
}

/** A snapshot that appends one file, true but for the lie; its objects are written. */
function snapshotOf(metadata: any, lie: Lie = {}): any {
  const id = ++serial
  const sequence = metadata['last-sequence-number'] + 1
  const inside = `${metadata.location}/metadata`
  const spec = metadata['partition-specs'][0]
  mkdirSync(fileURLToPath(inside), { recursive: true })
  const bytes = encodeManifest(
    [
      {
        status: 1,
        snapshotId: null,
        sequence: null,
        fileSequence: null,
        dataFile: {
          content: 0,
          file_path: lie.file ?? `${metadata.location}/data/${id}.parquet`,
          file_format: 'PARQUET',
          partition: spec.fields.length === 0 ? {} : { event_day: TODAY },
          record_count: 10,
          file_size_in_bytes: 1000,
          ...lie.dataFile,
        },
      },
    ],
    {
      schema: JSON.stringify(metadata.schemas[0]),
      schemaId: 0,
      partitionSpec: JSON.stringify(spec.fields),
      specId: 0,
      content: 'data',
    },
    randomBytes(16),
  )
  const manifest = `${inside}/${id}-m0.avro`
  writeFileSync(fileURLToPath(manifest), bytes)
  const list = `${inside}/snap-${id}.avro`
  const listed: ManifestFile = {
    path: lie.manifest ?? manifest,
    length: bytes.length,
    specId: 0,
    content: 0,
    sequence,
    minSequence: sequence,
    snapshotId: id,
    addedFiles: 1,
    existingFiles: 0,
    deletedFiles: 0,
    addedRows: 10,
    existingRows: 0,
    deletedRows: 0,
    partitions: [],
    ...lie.listed,
  }
  const of = { id, parent: metadata['current-snapshot-id'], sequence }
  writeFileSync(
    fileURLToPath(list),
    encodeManifestList([listed, ...(lie.rest ?? manifestsOf(metadata))], of, randomBytes(16)),
  )
  return {
    'snapshot-id': id,
    ...(of.parent === undefined ? {} : { 'parent-snapshot-id': of.parent }),
    'sequence-number': sequence,
    'timestamp-ms': clock.wall(),
    'manifest-list': lie.list ?? list,
    summary: { operation: 'append' },
    ...lie.snapshot,
  }
}

const toMain = (snapshot: any): object[] => [
  { action: 'add-snapshot', snapshot },
  {
    action: 'set-snapshot-ref',
    'ref-name': 'main',
    type: 'branch',
    'snapshot-id': snapshot['snapshot-id'],
  },
]

/** Places that are not a file of metadata inside the warehouse. */
function wrongPlaces(at: string): Record<string, string> {
  const inside = fileURLToPath(at)
  mkdirSync(inside, { recursive: true })
  const made = (name: string, make: (file: string) => void): string => {
    const file = path.join(inside, `${name}-${++serial}`)
    make(file)
    return `file://${file}`
  }
  const secret = path.join(OUTSIDE, 'secret.avro')
  writeFileSync(
    secret,
    encodeManifestList([], { id: 1, parent: undefined, sequence: 1 }, randomBytes(16)),
  )
  return {
    'a file of the system': 'file:///etc/passwd',
    'a device': 'file:///dev/zero',
    'a device by path': '/dev/zero',
    'a place outside': `file://${secret}`,
    'a way out': `${at}/../../../../outside/secret.avro`,
    'an encoded way out': `${at}/%2e%2e/%2e%2e/secret.avro`,
    'another store': 's3://bucket/secret.avro',
    'a page of the web': 'https://localhost/secret.avro',
    'no place': '',
    nothing: `${at}/nothing.avro`,
    'a folder': made('folder', mkdirSync),
    'a pipe': made('pipe', (file) => execFileSync('mkfifo', [file])),
    'a link': made('link', (file) => symlinkSync(secret, file)),
    'a link in a circle': made('circle', (file) => symlinkSync(file, file)),
    'a link to a device': made('zero', (file) => symlinkSync('/dev/zero', file)),
    'an empty file': made('empty', (file) => writeFileSync(file, '')),
    'other bytes': made('bytes', (file) => writeFileSync(file, randomBytes(5000))),
  }
}

/** That headwater's tables are as they were, for it and for clients. */
async function unharmed(): Promise<void> {
  for (const name of ['seen', 'batches']) {
    const files = await catalog.lake.files(catalog.lake.state, name)
    expect(files.map(({ rows: count }) => count)).toEqual([10, 10, 10])
    expect(files.filter(({ path: file }) => !existsSync(file))).toEqual([])
    const [row] = await ask(catalog.lake, `select count(*)::int as n from ${name}`)
    expect(Number(row!['n'])).toBe(30)
  }
}

const NAMES = Object.keys(wrongPlaces(`file://${path.join(folder, 'lake/names/metadata')}`))

describe.each(['headwater/tables/seen', 'theirs/tables/lent'])('in %s', (at) => {
  const table = `namespaces/${at}`
  beforeAll(async () => {
    if (!at.startsWith('theirs')) return
    const fields = [{ id: 1, name: 'at', required: false, type: 'timestamptz' }]
    const made = { name: 'lent', schema: { type: 'struct', fields } }
    expect((await post('namespaces/theirs/tables', made)).status).toBe(200)
  })

  test.each(NAMES)('%s is neither a manifest list nor a manifest', async (what) => {
    const metadata = await load(table)
    const place = wrongPlaces(`${metadata.location}/metadata`)[what]!
    for (const lie of [{ list: place }, { manifest: place }]) {
      const reply = await post(table, { updates: toMain(snapshotOf(metadata, lie)) })
      expect(reply.status, JSON.stringify(reply.body)).toBe(400)
      expect(reply.body.error.type).toMatch(/^(BadRequest|IllegalArgument)Exception$/)
    }
    expect(await load(table)).toEqual(metadata)
  })

  test('numbers that were used or go back, and requirements that contradict each other', async () => {
    const before = await load(table)
    const first = snapshotOf(before)
    if (at.startsWith('theirs')) {
      expect((await post(table, { updates: toMain(first) })).status).toBe(200)
    }
    const metadata = await load(table)
    const current = metadata['current-snapshot-id']
    const lies: [status: number, body: object][] = [
      [400, { updates: toMain(snapshotOf(metadata, { snapshot: { 'snapshot-id': current } })) }],
      [400, { updates: toMain(snapshotOf(metadata, { snapshot: { 'snapshot-id': -5 } })) }],
      [400, { updates: toMain(snapshotOf(metadata, { snapshot: { 'snapshot-id': 1e300 } })) }],
      [
        409,
        {
          updates: toMain(
            snapshotOf(metadata, {
              snapshot: { 'sequence-number': metadata['last-sequence-number'] },
              listed: { sequence: 0, minSequence: 0 },
            }),
          ),
        },
      ],
      [
        400,
        { updates: toMain(snapshotOf(metadata, { snapshot: { 'sequence-number': 2 ** 60 } })) },
      ],
      [400, { updates: toMain(snapshotOf(metadata, { listed: { sequence: 2n ** 40n } })) }],
      [
        400,
        {
          updates: [
            { action: 'set-snapshot-ref', 'ref-name': 'main', type: 'branch', 'snapshot-id': 77 },
          ],
        },
      ],
      [
        400,
        {
          requirements: [
            { type: 'assert-create' },
            { type: 'assert-table-uuid', uuid: metadata['table-uuid'] },
          ],
          updates: [],
        },
      ],
      [
        409,
        {
          requirements: [
            { type: 'assert-ref-snapshot-id', ref: 'main', 'snapshot-id': current },
            { type: 'assert-ref-snapshot-id', ref: 'main', 'snapshot-id': null },
          ],
          updates: [],
        },
      ],
      [
        409,
        {
          requirements: [{ type: 'assert-current-schema-id', 'current-schema-id': 9 }],
          updates: [],
        },
      ],
    ]
    for (const [status, body] of lies) {
      const reply = await post(table, body)
      expect(reply.status, `${JSON.stringify(body)} ${JSON.stringify(reply.body)}`).toBe(status)
    }
    // An ancestor that is its own.
    const own = snapshotOf(metadata)
    const circle = { ...own, 'parent-snapshot-id': own['snapshot-id'] }
    expect((await post(table, { updates: toMain(circle) })).status).toBe(400)
    expect(await load(table)).toEqual(metadata)
  })

  test('text that is not JSON, or more than anybody means', async () => {
    const metadata = await load(table)
    const bodies = [
      '{"updates":',
      '['.repeat(200_000),
      `{"updates":${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}}`,
      `{"updates":[{"action":"remove-snapshots","snapshot-ids":[${'9'.repeat(5_000_000)}]}]}`,
      Buffer.from(JSON.stringify({ updates: [] }), 'utf16le'),
      Buffer.from(JSON.stringify({ updates: [] }), 'utf16le').swap16(),
      '{"updates":[{"action":"set-properties","updates":{"a":1e999}}]}',
      '{"updates":[{"action":"__proto__"}]}',
    ]
    for (const body of bodies) {
      const started = systemClock.monotonic()
      expect((await post(table, body)).status, String(body).slice(0, 60)).toBe(400)
      expect(systemClock.monotonic() - started).toBeLessThan(5000)
    }
    const proto =
      '{"updates":[{"action":"set-properties","updates":{"__proto__":"x","constructor":"y"}}]}'
    expect([200, 400]).toContain((await post(table, proto)).status)
    expect((await load(table)).snapshots).toEqual(metadata.snapshots)
  })
})

test("headwater's tables name no data of others, and none outside", async () => {
  const metadata = await load(`${OWN}/seen`)
  const [other] = await catalog.lake.files(catalog.lake.state, 'batches')
  const version = catalog.lake.catalog.current.version
  const places = [
    'file:///etc/passwd',
    '/dev/zero',
    `file://${other!.path}`,
    `file:${other!.path}`,
    `${catalog.lake.catalog.root}/catalog/${String(version).padStart(16, '0')}.json`,
    `${metadata.location}/data/../../batches/data/x.parquet`,
    `${metadata.location}/data/*.parquet`,
    `${catalog.lake.catalog.root}/lent/[a-z].parquet`,
    's3://bucket/x.parquet',
  ]
  for (const file of places) {
    const reply = await post(`${OWN}/seen`, { updates: toMain(snapshotOf(metadata, { file })) })
    expect(reply.status, file).toBe(400)
    expect(reply.body.error.message).toContain(file)
  }
  const lists = [(await load(`${OWN}/batches`)).snapshots[0]['manifest-list'] as string]
  for (const list of lists) {
    const reply = await post(`${OWN}/seen`, { updates: toMain(snapshotOf(metadata, { list })) })
    expect(reply.status).toBe(400)
  }
  await unharmed()
})

test('an append that drops files, and a rewrite of the ledger that drops or deletes rows', async () => {
  const [seen, batches] = [await load(`${OWN}/seen`), await load(`${OWN}/batches`)]
  const replace = { summary: { operation: 'replace' } }
  const lies: [string, object, RegExp][] = [
    ['seen', snapshotOf(seen, { rest: [] }), /is an append, and drops .*parquet/],
    ['seen', snapshotOf(seen, { rest: manifestsOf(seen).slice(1) }), /is an append, and drops/],
    ['batches', snapshotOf(batches), /is what repeats are known by/],
    ['batches', snapshotOf(batches, { rest: [], snapshot: replace }), /30 rows by others with 10/],
    ['batches', snapshotOf(batches, { snapshot: replace }), /0 rows by others with 10/],
    [
      'batches',
      snapshotOf(batches, {
        snapshot: replace,
        dataFile: { content: 1 },
        listed: { content: 1 },
      }),
      /deletes rows of the ledger/,
    ],
  ]
  for (const [name, snapshot, message] of lies) {
    const reply = await post(`${OWN}/${name}`, { updates: toMain(snapshot) })
    expect(reply.status).toBe(400)
    expect(reply.body.error.message).toMatch(message)
  }
  await unharmed()
})

test('tables that others registered name no objects that are removed for them', async () => {
  const live = (await catalog.request('GET', `${OWN}/seen`)).body['metadata-location'] as string
  const bystander = path.join(OUTSIDE, 'bystander.txt')
  writeFileSync(bystander, 'live')
  const fields = [{ id: 1, name: 'at', required: false, type: 'timestamptz' }]
  const made = await post('namespaces/theirs/tables', {
    name: 'log',
    schema: { type: 'struct', fields },
  })
  const { metadata } = made.body
  const lying = {
    ...metadata,
    properties: {
      'write.metadata.delete-after-commit.enabled': 'true',
      'write.metadata.previous-versions-max': '1',
    },
    'metadata-log': [live, `file://${bystander}`, '/etc/hostname', `${metadata.location}/../x`].map(
      (file) => ({ 'timestamp-ms': 1, 'metadata-file': file }),
    ),
    statistics: [{ 'snapshot-id': 1, 'statistics-path': live }],
  }
  const file = `${metadata.location}/metadata/00007-lie.metadata.json`
  writeFileSync(fileURLToPath(file), stringifyExact(lying))
  expect((await catalog.request('DELETE', 'namespaces/theirs/tables/log')).status).toBe(204)
  const registered = await post('namespaces/theirs/register', {
    name: 'log',
    'metadata-location': file,
  })
  expect(registered.status, JSON.stringify(registered.body)).toBe(200)
  for (const value of ['1', '2', '3']) {
    const updates = [{ action: 'set-properties', updates: { value } }]
    expect((await post('namespaces/theirs/tables/log', { updates })).status).toBe(200)
  }
  const drop = 'namespaces/theirs/tables/log?purgeRequested=true'
  expect((await catalog.request('DELETE', drop)).status).toBe(204)
  expect([live, `file://${bystander}`].map((each) => existsSync(fileURLToPath(each)))).toEqual([
    true,
    true,
  ])
  await unharmed()
})

test('metadata that lies about where it is, or is not there, is not registered', async () => {
  const root = `${catalog.lake.catalog.root}/theirs.ns/elsewhere`
  const places = wrongPlaces(`${root}/metadata`)
  const metadata = await load(`${OWN}/seen`)
  const inHeadwater = `${root}/metadata/inside.metadata.json`
  writeFileSync(fileURLToPath(inHeadwater), stringifyExact(metadata))
  const outside = `${root}/metadata/outside.metadata.json`
  writeFileSync(fileURLToPath(outside), stringifyExact({ ...metadata, location: 'file:///etc' }))
  const lost = `${root}/metadata/lost.metadata.json`
  const snapshots = metadata.snapshots.map((each: any) => ({
    ...each,
    'manifest-list': 'file:///dev/zero',
  }))
  writeFileSync(fileURLToPath(lost), stringifyExact({ ...metadata, location: root, snapshots }))
  for (const file of [...Object.values(places), inHeadwater, outside, lost]) {
    const reply = await post('namespaces/theirs/register', { name: 'x', 'metadata-location': file })
    expect(reply.status, `${file} ${JSON.stringify(reply.body)}`).toBe(400)
  }
})

test('metadata does not grow beyond its bound', { timeout: 60_000 }, async () => {
  const fields = [{ id: 1, name: 'at', required: false, type: 'timestamptz' }]
  await post('namespaces/theirs/tables', { name: 'large', schema: { type: 'struct', fields } })
  const value = 'x'.repeat(limits.catalogBodyBytesMax - 1000)
  const statuses: number[] = []
  for (const name of ['a', 'b', 'c']) {
    const updates = [{ action: 'set-properties', updates: { [name]: value } }]
    const reply = await post('namespaces/theirs/tables/large', { updates })
    statuses.push(reply.status)
    if (reply.status === 400) expect(reply.body.error.message).toContain('characters of metadata')
  }
  expect(statuses).toEqual([200, 200, 400].slice(0, statuses.length))
  const updates = [{ action: 'remove-properties', removals: ['a', 'b'] }]
  expect((await post('namespaces/theirs/tables/large', { updates })).status).toBe(200)
})

test('views that name each other in a circle are stored, and answered as they are', async () => {
  const view = (name: string, other: string): object => ({
    name,
    schema: { type: 'struct', fields: [{ id: 1, name: 'a', required: false, type: 'int' }] },
    'view-version': {
      'version-id': 1,
      'timestamp-ms': 1,
      'schema-id': 0,
      summary: {},
      'default-namespace': ['theirs'],
      representations: [{ type: 'sql', sql: `select a from ${other}`, dialect: 'spark' }],
    },
    properties: {},
  })
  for (const [name, other] of [
    ['one', 'two'],
    ['two', 'one'],
    ['self', 'self'],
  ] as const) {
    expect((await post('namespaces/theirs/views', view(name, other))).status).toBe(200)
    expect((await catalog.request('GET', `namespaces/theirs/views/${name}`)).status).toBe(200)
  }
  await expect(ask(catalog.lake, 'select * from theirs.self')).rejects.toMatchObject({
    code: expect.any(String),
  })
})

describe('maintenance', () => {
  const policy = { targetBytes: 1 << 20, fanIn: 2, settleMs: 3_600_000 }
  const compactor = new Compactor({
    files: nodeFiles,
    random: seededRandom(1),
    memory: '256MB',
    spill: path.join(folder, 'spill'),
  })
  afterAll(() => compactor.close())

  /** Does the compaction that is due; whether there was one. */
  const compacted = async (): Promise<boolean> => {
    const survey = await catalog.lake.upkeep.survey('seen')
    const { jobs } = planTable(survey, policy, clock.wall())
    const job = jobs.find(({ kind }) => kind === 'compact')
    if (job === undefined) return false
    const hands = { lake: catalog.lake, rewriter: compactor, files: nodeFiles }
    unwrap(await doJob(job, survey, hands))
    return true
  }

  test('refuses a table with a file that is a pipe, and waits for nothing', async () => {
    const before = await load(`${OWN}/seen`)
    const folderOf = fileURLToPath(`${before.location}/data`)
    const pipe = path.join(folderOf, 'pipe.parquet')
    execFileSync('mkfifo', [pipe])
    const snapshot = snapshotOf(before, { file: `file://${pipe}` })
    const reply = await post(`${OWN}/seen`, { updates: toMain(snapshot) })
    expect(reply.status, JSON.stringify(reply.body)).toBe(200)
    await expect(compacted()).rejects.toMatchObject({
      code: 'lake_invalid',
      detail: expect.stringContaining('pipe.parquet') as string,
    })
    await expect(ask(catalog.lake, 'select count(*) from seen')).rejects.toMatchObject({
      code: 'lake_invalid',
    })
    // The other tables are as they were; whoever lied takes it back by another commit.
    expect(await ask(catalog.lake, 'select count(*)::int as n from batches')).toEqual([{ n: 30 }])
    rmSync(pipe)
    const [honest] = await catalog.lake.files(catalog.lake.state, 'batches')
    writeFileSync(pipe, await nodeFiles.read(honest!.path))
    expect(await ask(catalog.lake, 'select count(*)::int as n from seen')).toEqual([{ n: 40 }])
  })

  test('counts rows itself, whatever was claimed, and removes nothing outside the table', async () => {
    const before = await load(`${OWN}/seen`)
    const real = await rows('seen', 9)
    const snapshot = snapshotOf(before, {
      file: `file://${real.path}`,
      dataFile: { record_count: 5_000_000_000, file_size_in_bytes: 1 },
      listed: { addedFiles: 2_000_000, addedRows: 7, length: 3 },
    })
    expect((await post(`${OWN}/seen`, { updates: toMain(snapshot) })).status).toBe(200)
    const [{ n }] = (await ask(catalog.lake, 'select count(*)::int as n from seen')) as [
      { n: number },
    ]
    expect(n).toBe(50)
    expect(await compacted()).toBe(true)
    while (await compacted());
    expect(await ask(catalog.lake, 'select count(*)::int as n from seen')).toEqual([{ n: 50 }])
    const files = await catalog.lake.files(catalog.lake.state, 'seen')
    expect(files.reduce((sum, { rows: count }) => sum + count, 0)).toBe(50)
  })

  test('removes nothing while another table cannot be read, and says which object', async () => {
    const made = await post('namespaces/theirs/tables', {
      name: 'broken',
      schema: {
        type: 'struct',
        fields: [{ id: 1, name: 'at', required: false, type: 'timestamptz' }],
      },
    })
    const snapshot = snapshotOf(made.body.metadata)
    expect(
      (await post('namespaces/theirs/tables/broken', { updates: toMain(snapshot) })).status,
    ).toBe(200)
    const list = fileURLToPath(snapshot['manifest-list'] as string)
    rmSync(list)
    execFileSync('mkfifo', [list])
    ahead = 3 * limits.orphanAgeMs
    const table = fileURLToPath(`${(await load(`${OWN}/seen`)).location}/data`)
    const orphan = path.join(table, 'orphan.parquet')
    writeFileSync(orphan, 'nobody names it')
    const link = path.join(table, 'link')
    symlinkSync(OUTSIDE, link)
    const bystander = path.join(OUTSIDE, 'old.txt')
    writeFileSync(bystander, 'live')
    const swept = await catalog.lake.upkeep.sweep()
    expect(swept).toMatchObject({
      ok: false,
      error: { code: 'lake_invalid', detail: expect.stringContaining(list) as string },
    })
    expect(existsSync(orphan)).toBe(true)
    // Once that table is gone, what is an orphan goes; what a link leads to never.
    expect((await catalog.request('DELETE', 'namespaces/theirs/tables/broken')).status).toBe(204)
    const again = await catalog.lake.upkeep.sweep()
    expect(again.ok, JSON.stringify(again)).toBe(true)
    expect([existsSync(orphan), existsSync(bystander)]).toEqual([false, true])
    expect(await ask(catalog.lake, 'select count(*)::int as n from batches')).toEqual([{ n: 30 }])
    expect(await ask(catalog.lake, 'select count(*)::int as n from seen')).toEqual([{ n: 50 }])
  })
})
