/** The REST catalog by its answers: names, pages, errors, tokens, bounds, and what other engines may and may not do. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { limits } from '../../src/base/limits.ts'
import { encodeManifestList } from '../../src/lake/manifest.ts'
import { ROUTES } from '../../src/lake/rest/routes.ts'
import { unwrap } from '../support/platform.ts'
import { temporaryFolder } from '../support/project.ts'
import { type Reply, request, startCatalog, type TestCatalog, toMain } from './catalog.ts'

const { folder, remove } = temporaryFolder('rest')
afterAll(remove)

const SCHEMA = {
  type: 'struct',
  fields: [{ id: 0, name: 'id', required: false, type: 'long' }],
}

let catalog: TestCatalog
beforeAll(async () => {
  catalog = await startCatalog(path.join(folder, 'lake'))
  const made = await catalog.lake.commit({
    schemas: ['seen', 'batches'].map((name) => ({
      name,
      doc: 'A table.',
      partitionBy: 'at',
      fields: [
        { id: 1, name: 'at', required: true, type: 'timestamptz' },
        { id: 1000, name: 'size', required: false, type: 'int', doc: 'How large.' },
      ],
    })),
    appends: new Map(),
    offset: 0,
  })
  unwrap(made)
})
afterAll(async () => {
  expect(catalog.bugs).toEqual([])
  await catalog.close()
})

const post = (at: string, body: unknown): Promise<Reply> => catalog.request('POST', at, body)
const get = (at: string): Promise<Reply> => catalog.request('GET', at)

/** Status and type of a failure. */
const failure = ({ status, body }: Reply): [number, string] => {
  expect(body.error).toMatchObject({ code: status, message: expect.any(String) })
  return [status, body.error.type]
}

const namespace = async (name: string): Promise<string> => {
  expect((await post('namespaces', { namespace: [name] })).status).toBe(200)
  return name
}

const create = async (ns: string, name: string, more: object = {}): Promise<any> => {
  const reply = await post(`namespaces/${ns}/tables`, { name, schema: SCHEMA, ...more })
  expect(reply.status, JSON.stringify(reply.body)).toBe(200)
  return reply.body
}

/** A snapshot without files, its manifest list written beside the table. */
function emptySnapshot(metadata: any, id: number, more: object = {}): object {
  const sequence = metadata['last-sequence-number'] + 1
  const list = `${metadata.location}/metadata/snap-${id}.avro`
  const of = { id, parent: metadata['current-snapshot-id'], sequence }
  mkdirSync(path.dirname(fileURLToPath(list)), { recursive: true })
  writeFileSync(fileURLToPath(list), encodeManifestList([], of, new Uint8Array(16)))
  return {
    'snapshot-id': id,
    ...(of.parent === undefined ? {} : { 'parent-snapshot-id': of.parent }),
    'sequence-number': sequence,
    'timestamp-ms': Date.now(),
    'manifest-list': list,
    summary: { operation: 'append' },
    ...more,
  }
}

describe('what there is', () => {
  test('is told in the configuration, and all of it answers', async () => {
    const { body } = await get('config?warehouse=x')
    expect(body.endpoints).toHaveLength(ROUTES.length - 1)
    expect(body.endpoints).toContain('POST /v1/{prefix}/transactions/commit')
    for (const endpoint of body.endpoints as string[]) {
      const [method, at] = endpoint.split(' ') as [string, string]
      const place = at.replace('/v1/{prefix}/', '').replaceAll(/\{\w+\}/g, 'no-such-thing')
      const reply = await catalog.request(method, place, method === 'POST' ? {} : undefined)
      expect([200, 400, 404], endpoint).toContain(reply.status)
      if (reply.status === 404 && method !== 'HEAD') {
        expect(reply.body.error.type, endpoint).toMatch(/^NoSuch(Table|View|Namespace)Exception$/)
      }
    }
  })

  test('and nothing else is', async () => {
    expect(failure(await get('nothing'))).toEqual([404, 'NotFoundException'])
    expect(failure(await request(catalog.uri.replace('iceberg', 'other'), 'GET'))[0]).toBe(404)
    const put = await catalog.request('PUT', 'namespaces', {})
    expect(failure(put)).toEqual([405, 'UnsupportedOperationException'])
    expect(failure(await get('namespaces/%ff'))).toEqual([400, 'BadRequestException'])
  })
})

describe('namespaces', () => {
  test('have levels, properties and pages', async () => {
    await namespace('a')
    for (const child of ['z', 'x', 'y', 'ä/ö.ü %']) {
      expect((await post('namespaces', { namespace: ['a', child] })).status).toBe(200)
    }
    expect((await get('namespaces?parent=a')).body.namespaces).toEqual([
      ['a', 'x'],
      ['a', 'y'],
      ['a', 'z'],
      ['a', 'ä/ö.ü %'],
    ])
    const first = (await get('namespaces?parent=a&pageToken=&pageSize=2')).body
    expect(first.namespaces).toHaveLength(2)
    const token = first['next-page-token']
    const second = (await get(`namespaces?parent=a&pageSize=2&pageToken=${token}`)).body
    expect(second.namespaces).toEqual([
      ['a', 'z'],
      ['a', 'ä/ö.ü %'],
    ])
    expect(second['next-page-token']).toBeUndefined()
    const odd = `namespaces/a%1F${encodeURIComponent('ä/ö.ü %')}`
    expect((await get(odd)).body).toEqual({ namespace: ['a', 'ä/ö.ü %'], properties: {} })
    expect((await catalog.request('HEAD', odd)).status).toBe(204)
    const changed = await post(`${odd}/properties`, {
      updates: { k: '1', __proto__x: 'y' },
      removals: ['none'],
    })
    expect(changed.body).toEqual({ updated: ['k', '__proto__x'], removed: [], missing: ['none'] })
    const both = await post(`${odd}/properties`, { updates: { k: '1' }, removals: ['k'] })
    expect(failure(both)).toEqual([422, 'UnprocessableEntityException'])
    expect(failure(await catalog.request('DELETE', 'namespaces/a'))).toEqual([
      409,
      'NamespaceNotEmptyException',
    ])
    expect((await catalog.request('DELETE', odd)).status).toBe(204)
    expect(failure(await get(odd))).toEqual([404, 'NoSuchNamespaceException'])
  })

  test.each([
    [{ namespace: ['a'] }, 409, 'AlreadyExistsException'],
    [{ namespace: ['none', 'b'] }, 404, 'NoSuchNamespaceException'],
    [{ namespace: [] }, 400, 'BadRequestException'],
    [{ namespace: [''] }, 400, 'BadRequestException'],
    [{ namespace: ['a\u0000'] }, 400, 'BadRequestException'],
    [{ namespace: ['x'.repeat(300)] }, 400, 'BadRequestException'],
    [{ namespace: 'a' }, 400, 'BadRequestException'],
    [{}, 400, 'BadRequestException'],
    ['{', 400, 'BadRequestException'],
    ['['.repeat(100_000), 400, 'BadRequestException'],
  ])('%j is refused', async (body, status, type) => {
    expect(failure(await post('namespaces', body))).toEqual([status, type])
  })
})

describe('tables', () => {
  test('are found again by what the client has', async () => {
    const ns = await namespace('etag')
    const made = await create(ns, 't')
    const at = `namespaces/${ns}/tables/t`
    const one = await get(at)
    const etag = one.headers.get('etag')!
    expect(one.body['metadata-location']).toBe(made['metadata-location'])
    const same = await catalog.request('GET', at, undefined, { 'if-none-match': `"x", ${etag}` })
    expect([same.status, same.body]).toEqual([304, undefined])
    const refs = await get(`${at}?snapshots=refs`)
    expect(refs.headers.get('etag')).not.toBe(etag)
    const changed = await post(at, { updates: [{ action: 'set-properties', updates: { a: 'b' } }] })
    const later = await catalog.request('GET', at, undefined, { 'if-none-match': etag })
    expect(later.status).toBe(200)
    expect(later.body).toEqual(changed.body)
    // A commit that changes nothing makes no new version.
    const idle = await post(at, { updates: [{ action: 'set-properties', updates: { a: 'b' } }] })
    expect(idle.body['metadata-location']).toBe(changed.body['metadata-location'])
  })

  test('answer with the snapshots of refs alone when asked', async () => {
    const ns = await namespace('refs')
    let { metadata } = await create(ns, 't')
    const at = `namespaces/${ns}/tables/t`
    for (const id of [1, 2, 3]) {
      const reply = await post(at, { updates: toMain(emptySnapshot(metadata, id)) })
      expect(reply.status).toBe(200)
      metadata = reply.body.metadata
    }
    expect(metadata.snapshots).toHaveLength(3)
    const refs = (await get(`${at}?snapshots=refs`)).body.metadata
    expect(refs.snapshots.map((each: any) => each['snapshot-id'])).toEqual([3])
    expect(failure(await get(`${at}?snapshots=some`))).toEqual([400, 'BadRequestException'])
  })

  test('change together or not at all', async () => {
    const ns = await namespace('together')
    await create(ns, 'a')
    const b = await create(ns, 'b')
    const change = (name: string, requirements: object[] = []): object => ({
      identifier: { namespace: [ns], name },
      requirements,
      updates: [{ action: 'set-properties', updates: { step: '1' } }],
    })
    const wrong = { type: 'assert-table-uuid', uuid: '00000000-0000-4000-8000-000000000000' }
    const refused = await post('transactions/commit', {
      'table-changes': [change('a'), change('b', [wrong])],
    })
    expect(failure(refused)).toEqual([409, 'CommitFailedException'])
    const stepOf = async (name: string): Promise<unknown> =>
      (await get(`namespaces/${ns}/tables/${name}`)).body.metadata.properties.step
    expect(await stepOf('a')).toBeUndefined()
    // What was staged for the refused commit is gone.
    const files = readdirSync(fileURLToPath(`${b.metadata.location}/metadata`))
    expect(files).toHaveLength(1)
    const right = { type: 'assert-table-uuid', uuid: b.metadata['table-uuid'] }
    const version = catalog.lake.catalog.current.version
    const done = await post('transactions/commit', {
      'table-changes': [change('a'), change('b', [right])],
    })
    expect(done.status).toBe(204)
    expect(catalog.lake.catalog.current.version).toBe(version + 1)
    expect([await stepOf('a'), await stepOf('b')]).toEqual(['1', '1'])
    const twice = await post('transactions/commit', { 'table-changes': [change('a'), change('a')] })
    expect(failure(twice)).toEqual([400, 'BadRequestException'])
  })

  test('keep what they were given byte for byte', async () => {
    const ns = await namespace('bytes')
    const plain = fileURLToPath(`${catalog.lake.catalog.root}/mine/one`)
    for (const [i, location] of [`file:${plain}1`, `${plain}2`, `file://${plain}3/`].entries()) {
      const made = await create(ns, `t${i}`, { location })
      expect(made.metadata.location).toBe(location)
      expect(made['metadata-location'].startsWith(location.replace(/\/$/, ''))).toBe(true)
    }
    const at = `namespaces/${ns}/tables/t0`
    const properties = { 'a"\u2028\n': '\\ud800 é 😀', empty: '' }
    await post(at, { updates: [{ action: 'set-properties', updates: properties }] })
    expect((await get(at)).body.metadata.properties).toEqual(properties)
  })

  test.each([
    ['outside the warehouse', () => 'file:///etc/x'],
    ['outside by dots', (root: string) => `${root}/../x`],
    ['outside by encoded dots', (root: string) => `${root}/%2e%2e/x`],
    ['of another kind', () => 's3://bucket/x'],
    ['that is the warehouse', (root: string) => root],
    ['of the catalog', (root: string) => `${root}/catalog/x`],
    ['among our own', (root: string) => `${root}/headwater/later`],
  ])('are refused a location %s', async (_what, of) => {
    const location = of(catalog.lake.catalog.root)
    const reply = await post('namespaces/a/tables', { name: 'there', schema: SCHEMA, location })
    expect(failure(reply)).toEqual([400, 'BadRequestException'])
  })

  test('are refused the place of another, by creation, registration and commit', async () => {
    const ns = await namespace('places')
    const one = await create(ns, 'one')
    const two = await create(ns, 'two')
    for (const location of [one.metadata.location, `${one.metadata.location}/in`]) {
      const made = await post(`namespaces/${ns}/tables`, {
        name: 'three',
        schema: SCHEMA,
        location,
      })
      expect(failure(made)[0]).toBe(400)
      const moved = await post(`namespaces/${ns}/tables/two`, {
        updates: [{ action: 'set-location', location }],
      })
      expect(failure(moved)[0]).toBe(400)
    }
    const copy = { name: 'copy', 'metadata-location': one['metadata-location'] }
    expect(failure(await post(`namespaces/${ns}/register`, copy))[0]).toBe(400)
    // After its table is gone without its files, it can be had again.
    expect((await catalog.request('DELETE', `namespaces/${ns}/tables/one`)).status).toBe(204)
    expect((await post(`namespaces/${ns}/register`, copy)).body.metadata).toEqual(one.metadata)
    const foreign = { name: 'x', 'metadata-location': 'file:///etc/passwd' }
    expect(failure(await post(`namespaces/${ns}/register`, foreign))[0]).toBe(400)
    const none = { name: 'x', 'metadata-location': `${two.metadata.location}/metadata/no.json` }
    expect(failure(await post(`namespaces/${ns}/register`, none))[0]).toBe(400)
  })

  test('are purged with their own files and no others', async () => {
    const ns = await namespace('purge')
    const one = await create(ns, 'one')
    const two = await create(ns, 'two')
    const lent = emptySnapshot(one.metadata, 9)
    // The second table names a file of the first, as one that was made from it would.
    const borrowed = { ...lent, 'snapshot-id': 10, 'sequence-number': 1 }
    for (const [name, snapshot] of [
      ['one', lent],
      ['two', borrowed],
    ] as const) {
      const reply = await post(`namespaces/${ns}/tables/${name}`, { updates: toMain(snapshot) })
      expect(reply.status).toBe(200)
    }
    const at = `namespaces/${ns}/tables/one?purgeRequested=true`
    expect((await catalog.request('DELETE', at)).status).toBe(204)
    const left = readdirSync(fileURLToPath(`${one.metadata.location}/metadata`))
    expect(left).toEqual(['snap-9.avro'])
    expect((await get(`namespaces/${ns}/tables/two`)).status).toBe(200)
    const kept = await create(ns, 'kept', { properties: { 'gc.enabled': 'false' } })
    const refused = await catalog.request(
      'DELETE',
      `namespaces/${ns}/tables/kept?purgeRequested=TRUE`,
    )
    expect(failure(refused)[0]).toBe(400)
    expect(readFileSync(fileURLToPath(kept['metadata-location'])).length).toBeGreaterThan(0)
    expect(two.metadata.location).not.toBe(one.metadata.location)
  })

  test('read manifests from nowhere but the warehouse', async () => {
    const ns = await namespace('lists')
    const { metadata } = await create(ns, 't')
    const snapshot = emptySnapshot(metadata, 1, { 'manifest-list': 'file:///dev/zero' })
    const reply = await post(`namespaces/${ns}/tables/t`, { updates: toMain(snapshot) })
    expect(failure(reply)).toEqual([400, 'BadRequestException'])
  })

  test.each([
    [
      'no requirement of the specification',
      { requirements: [{ type: 'assert-love' }], updates: [] },
    ],
    ['no update of the specification', { updates: [{ action: 'add-encryption-key' }] }],
    ['no list', { updates: {} }],
    ['a commit to nothing', null],
  ])('refuse %s', async (_what, body) => {
    const reply = await post('namespaces/headwater/tables/seen', body)
    expect(failure(reply)).toEqual([400, 'BadRequestException'])
  })
})

describe("headwater's own tables", () => {
  const own = 'namespaces/headwater/tables'
  const load = async (name: string): Promise<any> => (await get(`${own}/${name}`)).body.metadata

  test('are not made, dropped or renamed by others', async () => {
    const id = (name: string): object => ({ namespace: ['headwater'], name })
    const refused = [
      await post(own, { name: 'mine', schema: SCHEMA }),
      await catalog.request('DELETE', `${own}/seen`),
      await catalog.request('DELETE', `${own}/seen?purgeRequested=true`),
      await post('tables/rename', {
        source: id('seen'),
        destination: { namespace: ['a'], name: 's' },
      }),
      await post('namespaces/headwater/views', {
        name: 'v',
        schema: SCHEMA,
        'view-version': {
          'version-id': 1,
          'timestamp-ms': 1,
          'schema-id': 0,
          summary: {},
          representations: [{ type: 'sql', sql: 'select 1', dialect: 'spark' }],
          'default-namespace': [],
        },
      }),
    ]
    for (const reply of refused) expect(failure(reply)).toEqual([400, 'BadRequestException'])
    expect(failure(await catalog.request('DELETE', 'namespaces/headwater'))[0]).toBe(409)
  })

  test('take appends, tags and properties, and main only moves on', async () => {
    let metadata = await load('seen')
    for (const id of [1, 2]) {
      const reply = await post(`${own}/seen`, { updates: toMain(emptySnapshot(metadata, id)) })
      expect(reply.status, JSON.stringify(reply.body)).toBe(200)
      metadata = reply.body.metadata
    }
    expect(catalog.lake.state.tables.get('seen')!.snapshotId).toBe(2n)
    const tag = { action: 'set-snapshot-ref', 'ref-name': 'kept', type: 'tag', 'snapshot-id': 1 }
    expect((await post(`${own}/seen`, { updates: [tag] })).status).toBe(200)
    const back = {
      action: 'set-snapshot-ref',
      'ref-name': 'main',
      type: 'branch',
      'snapshot-id': 1,
    }
    const orphan = emptySnapshot({ ...metadata, 'current-snapshot-id': undefined }, 7)
    const refused: object[][] = [
      [back],
      [{ action: 'remove-snapshot-ref', 'ref-name': 'main' }],
      [{ action: 'remove-snapshots', 'snapshot-ids': [2] }],
      toMain(orphan),
      [{ action: 'set-location', location: `${catalog.lake.catalog.root}/elsewhere` }],
      [{ action: 'upgrade-format-version', 'format-version': 3 }],
      [{ action: 'assign-uuid', uuid: '00000000-0000-4000-8000-000000000000' }],
      [{ action: 'add-spec', spec: { fields: [] } }],
      [{ action: 'set-properties', updates: { 'headwater.partition-by': 'size' } }],
      [{ action: 'remove-properties', removals: ['comment'] }],
    ]
    for (const updates of refused) {
      const reply = await post(`${own}/seen`, { updates })
      expect(failure(reply), JSON.stringify(updates)).toEqual([400, 'BadRequestException'])
    }
    expect((await load('seen')).refs.main['snapshot-id']).toBe(2)
  })

  test('are never left unreadable by a client that lies', async () => {
    const metadata = await load('seen')
    const snapshot: any = emptySnapshot(metadata, 100)
    writeFileSync(fileURLToPath(snapshot['manifest-list']), 'not Avro')
    const lie = await post(`${own}/seen`, { updates: toMain(snapshot) })
    expect(failure(lie)[0]).toBe(400)
    const missing = { ...snapshot, 'manifest-list': `${metadata.location}/metadata/none.avro` }
    expect(failure(await post(`${own}/seen`, { updates: toMain(missing) }))[0]).toBe(400)
    expect(await load('seen')).toEqual(metadata)
    expect((await catalog.lake.files(catalog.lake.state, 'seen')).length).toBe(0)
  })

  test('have columns that come from the specifications, and room for those of others', async () => {
    const metadata = await load('seen')
    const [at, size] = metadata.schemas[0].fields
    const change = (fields: object[]): Promise<Reply> =>
      post(`${own}/seen`, {
        updates: [
          { action: 'add-schema', schema: { type: 'struct', fields } },
          { action: 'set-current-schema', 'schema-id': -1 },
        ],
      })
    expect(metadata['last-column-id']).toBe(999_999)
    const extra = { id: 1_000_000, name: 'extra', required: false, type: 'string' }
    const low = { ...extra, id: 1001 }
    const nested = {
      ...extra,
      type: { type: 'struct', fields: [{ id: 1002, name: 'x', required: false, type: 'long' }] },
    }
    for (const fields of [
      [at],
      [at, { ...size, name: 'length' }],
      [at, { ...size, type: 'long' }],
      [{ ...at, doc: 'Other.' }, size],
      [at, size, low],
      [at, size, nested],
      [at, size, { ...extra, required: true }],
    ]) {
      const reply = await change(fields)
      expect(failure(reply), JSON.stringify(fields)).toEqual([400, 'BadRequestException'])
    }
    expect((await change([at, extra, size])).status).toBe(200)
    expect((await change([at, size])).status).toBe(200)
  })

  test('keep their docs through a client that knows none', async () => {
    const fieldsNow = async (): Promise<any[]> => {
      const metadata = await load('seen')
      return metadata.schemas.find(
        (each: any) => each['schema-id'] === metadata['current-schema-id'],
      ).fields
    }
    const before = await fieldsNow()
    expect(before.some(({ doc }) => doc !== undefined)).toBe(true)
    const extra = { id: 1_000_001, name: 'other', required: false, type: 'string' }
    const bare = before.map((field) => ({ ...field, doc: undefined }))
    const fields = [...bare, extra]
    const reply = await post(`${own}/seen`, {
      updates: [
        { action: 'add-schema', schema: { type: 'struct', fields } },
        { action: 'set-current-schema', 'schema-id': -1 },
      ],
    })
    expect(reply.status).toBe(200)
    expect(await fieldsNow()).toEqual([...before, extra])
  })

  test('have each checkpoint of a Flink job once, whoever is late', async () => {
    const commit = async (id: number, job: string, checkpoint: number): Promise<Reply> => {
      const summary = {
        operation: 'append',
        'flink.job-id': job,
        'flink.operator-id': 'sink',
        'flink.max-committed-checkpoint-id': String(checkpoint),
      }
      return post(`${own}/seen`, {
        updates: toMain(emptySnapshot(await load('seen'), id, { summary })),
      })
    }
    expect((await commit(901, 'a', 7)).status).toBe(200)
    // Not 409, which its client would answer by making the same commit on top of the newest snapshot.
    expect(failure(await commit(902, 'a', 7))).toEqual([400, 'BadRequestException'])
    expect(failure(await commit(903, 'a', 6))).toEqual([400, 'BadRequestException'])
    // Made before checkpoint 7 was there, and with it, perhaps, under a later number.
    const stale = {
      requirements: [{ type: 'assert-ref-snapshot-id', ref: 'main', 'snapshot-id': 1 }],
      updates: toMain(
        emptySnapshot({ ...(await load('seen')), 'current-snapshot-id': 1 }, 908, {
          summary: {
            operation: 'append',
            'flink.job-id': 'a',
            'flink.operator-id': 'sink',
            'flink.max-committed-checkpoint-id': '8',
          },
        }),
      ),
    }
    expect(failure(await post(`${own}/seen`, stale))).toEqual([400, 'BadRequestException'])
    expect((await commit(904, 'b', 1)).status).toBe(200)
    expect(failure(await commit(905, 'a', 7))).toEqual([400, 'BadRequestException'])
    expect((await commit(906, 'a', 8)).status).toBe(200)
    expect(failure(await commit(907, 'b', 1))).toEqual([400, 'BadRequestException'])
  })

  test('keep their ledger', async () => {
    const metadata = await load('batches')
    const append = await post(`${own}/batches`, { updates: toMain(emptySnapshot(metadata, 1)) })
    expect(failure(append)).toEqual([400, 'BadRequestException'])
    const rewritten = emptySnapshot(metadata, 1, { summary: { operation: 'replace' } })
    expect((await post(`${own}/batches`, { updates: toMain(rewritten) })).status).toBe(200)
  })
})

describe('views', () => {
  const version = (sql: string, dialect = 'spark'): object => ({
    'version-id': 1,
    'timestamp-ms': 1_700_000_000_000,
    'schema-id': 0,
    summary: {},
    representations: [{ type: 'sql', sql, dialect }],
    'default-namespace': ['v'],
  })

  test('are created, replaced, renamed, registered and dropped', async () => {
    const ns = await namespace('v')
    const at = `namespaces/${ns}/views`
    const made = await post(at, {
      name: 'one',
      schema: SCHEMA,
      'view-version': version('select 1'),
    })
    expect(made.status).toBe(200)
    const uuid = made.body.metadata['view-uuid']
    const next = await post(`${at}/one`, {
      requirements: [{ type: 'assert-view-uuid', uuid }],
      updates: [
        { action: 'add-view-version', 'view-version': version('select 2') },
        { action: 'set-current-view-version', 'view-version-id': -1 },
      ],
    })
    expect(next.body.metadata['current-version-id']).toBe(2)
    expect(next.body.metadata['version-log']).toHaveLength(2)
    const lost = await post(`${at}/one`, {
      updates: [
        { action: 'add-view-version', 'view-version': version('select 2', 'trino') },
        { action: 'set-current-view-version', 'view-version-id': -1 },
      ],
    })
    expect(failure(lost)).toEqual([400, 'IllegalArgumentException'])
    const wrong = [{ type: 'assert-view-uuid', uuid: 'x' }]
    const stale = await post(`${at}/one`, { requirements: wrong, updates: [] })
    expect(failure(stale)).toEqual([409, 'CommitFailedException'])
    const names = {
      source: { namespace: [ns], name: 'one' },
      destination: { namespace: [ns], name: 'two' },
    }
    expect((await post('views/rename', names)).status).toBe(204)
    expect((await get(at)).body.identifiers).toEqual([{ namespace: [ns], name: 'two' }])
    expect(failure(await get(`${at}/one`))).toEqual([404, 'NoSuchViewException'])
    const taken = await post(`namespaces/${ns}/tables`, { name: 'two', schema: SCHEMA })
    expect(failure(taken)).toEqual([409, 'AlreadyExistsException'])
    expect((await catalog.request('DELETE', `${at}/two`)).status).toBe(204)
    const again = { name: 'three', 'metadata-location': next.body['metadata-location'] }
    const registered = await post(`namespaces/${ns}/register-view`, again)
    expect(registered.body.metadata).toEqual(next.body.metadata)
    expect((await catalog.request('HEAD', `${at}/three`)).status).toBe(204)
  })
})

describe('who may ask', () => {
  test('is said by tokens with a scope', async () => {
    const guarded = await startCatalog(path.join(folder, 'guarded'), {
      tokens: {
        etl: { token: 'w'.repeat(20), scope: 'write' },
        bi: { token: 'r'.repeat(20), scope: 'read' },
      },
    })
    const as = (token: string, method: string, at: string, body?: unknown): Promise<Reply> =>
      guarded.request(method, at, body, { authorization: `Bearer ${token}` })
    for (const token of ['None', 'x'.repeat(20), '']) {
      expect(failure(await as(token, 'GET', 'config'))).toEqual([401, 'NotAuthorizedException'])
      expect(failure(await as(token, 'GET', 'nothing'))[0]).toBe(401)
    }
    expect(failure(await guarded.request('GET', 'config'))[0]).toBe(401)
    const [writer, reader] = ['w'.repeat(20), 'r'.repeat(20)]
    expect((await as(writer, 'POST', 'namespaces', { namespace: ['n'] })).status).toBe(200)
    await as(writer, 'POST', 'namespaces/n/tables', { name: 't', schema: SCHEMA })
    expect((await as(reader, 'GET', 'namespaces/n/tables/t')).status).toBe(200)
    expect((await as(reader, 'POST', 'namespaces/n/tables/t/metrics', {})).status).toBe(204)
    for (const route of ROUTES.filter(({ scope }) => scope === 'write')) {
      const at = route.path.replace('/v1/{prefix}/', '').replaceAll(/\{\w+\}/g, 'n')
      const reply = await as(reader, route.method, at, route.method === 'POST' ? {} : undefined)
      expect(failure(reply), at).toEqual([403, 'ForbiddenException'])
    }
    await guarded.close()
  })

  test('is nobody from another site when there are no tokens', async () => {
    const { port } = new URL(catalog.uri)
    const status = (
      headers: Record<string, string>,
      body = '{"namespace":["evil"]}',
    ): Promise<number> =>
      new Promise((resolve, reject) => {
        const options = { port, method: 'POST', path: '/iceberg/v1/namespaces', headers }
        http
          .request(options, (response) => {
            response.resume()
            resolve(response.statusCode!)
          })
          .once('error', reject)
          .end(body)
      })
    // What a page may send without asking first, and a name that was bent to point here.
    expect(await status({ 'content-type': 'text/plain' })).toBe(400)
    expect(await status({ 'content-type': 'application/x-www-form-urlencoded' })).toBe(400)
    expect(await status({ 'content-type': 'application/json', host: 'evil.example:80' })).toBe(403)
    expect((await get('namespaces/evil')).status).toBe(404)
    const none = await catalog.request('GET', 'config', undefined, { authorization: 'Bearer None' })
    expect(none.status).toBe(200)
  })
})

describe('bounds', () => {
  test('a body that is too large is refused, and the next request is answered', async () => {
    const reply = await post('namespaces', Buffer.alloc(limits.catalogBodyBytesMax + 1, ' '))
    expect(failure(reply)).toEqual([413, 'BadRequestException'])
    expect((await get('config')).status).toBe(200)
  })
})
