/** An object store behind a bad network: what is answered is true, what is not known is said, and every wait ends. */
import { randomBytes } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { systemClock } from '../../src/base/clock.ts'
import { limits } from '../../src/base/limits.ts'
import { nodeFiles } from '../../src/base/node/files.ts'
import { systemRandom } from '../../src/base/random.ts'
import { s3Storage, type Storage } from '../../src/lake/index.ts'
import { join } from '../../src/lake/storage.ts'
import { type FaultProxy, type ProxyFault, startFaultProxy } from '../support/fault-proxy.ts'
import { temporaryFolder } from '../support/project.ts'
import { ACCESS, INSTALL_MS_MAX, type S3Server, skipS3, startS3 } from '../support/s3.ts'

describe.skipIf(skipS3)('an object store behind a bad network', () => {
  const { folder, remove } = temporaryFolder('s3-faults')
  let server: S3Server
  let proxy: FaultProxy
  let storage: Storage
  let objects = 0
  const fresh = (): string => join(storage.root, `object-${objects++}`)
  const waits = { attempts: 3, connectMs: 1000, idleMs: 1500, requestMs: 1500 }
  const open = (name: string, more: object = {}): Promise<Storage> =>
    s3Storage({
      root: 's3://lakes/lake',
      endpoint: proxy.endpoint,
      forcePathStyle: true,
      spool: path.join(folder, name, 'spool'),
      cache: path.join(folder, name, 'cache'),
      cacheBytesMax: 100_000_000,
      files: nodeFiles,
      clock: systemClock,
      random: systemRandom,
      waits,
      ...more,
    })
  const written = async (content: string): Promise<string> => {
    const location = fresh()
    await storage.write(location, content)
    return location
  }
  /** The first `count` requests that match meet the fault. */
  const fail = (match: RegExp, fault: ProxyFault, count = 1): void => {
    let left = count
    proxy.fault = ({ method, target }) =>
      match.test(`${method} ${target}`) && left-- > 0 ? fault : undefined
  }
  const busy: ProxyFault = { kind: 'answer', status: 503, code: 'SlowDown' }

  beforeAll(async () => {
    Object.assign(process.env, ACCESS)
    server = await startS3(path.join(folder, 'store'), ['lakes'])
    proxy = await startFaultProxy(server.port)
    storage = await open('one')
  }, INSTALL_MS_MAX)
  afterAll(async () => {
    await proxy?.stop()
    await server?.stop()
    remove()
  })
  beforeEach(() => {
    proxy.fault = () => undefined
    proxy.calls.length = 0
  })

  test.each<[string, ProxyFault]>([
    ['a dropped connection', { kind: 'drop' }],
    ['a lost answer', { kind: 'lose' }],
    ['an answer that never comes', { kind: 'stall' }],
    ['503 SlowDown', busy],
    ['500 InternalError', { kind: 'answer', status: 500, code: 'InternalError' }],
  ])('%s is tried again, in every call', async (_name, fault) => {
    const location = fresh()
    fail(/^PUT/, fault)
    await storage.write(location, 'written')
    fail(/^GET/, fault)
    expect(Buffer.from(await storage.read(location)).toString()).toBe('written')
    fail(/^HEAD/, fault)
    expect(await storage.info(location)).toMatchObject({ bytes: 7 })
    fail(/^GET.*list-type/, fault)
    expect(await storage.names(storage.root)).toContain(location.split('/').at(-1))
    fail(/^DELETE/, fault)
    await storage.remove(location)
    expect(await storage.info(location)).toBeUndefined()
  })

  test('an answer that breaks off is taken up where it broke off', async () => {
    const location = fresh()
    const bytes = randomBytes(1_000_000)
    await storage.write(location, bytes)
    fail(/^GET/, { kind: 'cut' }, 2)
    expect(Buffer.from(await storage.read(location)).equals(bytes)).toBe(true)
    fail(/^GET/, { kind: 'cut' }, 2)
    expect(readFileSync(await storage.local(location)).equals(bytes)).toBe(true)
  })

  test('an answer that always breaks off is a failure, and leaves no part in the cache', async () => {
    await storage.local(await written('something else'))
    const location = fresh()
    await storage.write(location, randomBytes(1_000_000))
    fail(/^GET/, { kind: 'cut' }, 100)
    await expect(storage.read(location)).rejects.toMatchObject({ code: 'storage_unavailable' })
    const before = readdirSync(path.join(folder, 'one/cache'))
    await expect(storage.local(location)).rejects.toMatchObject({ code: 'storage_unavailable' })
    expect(readdirSync(path.join(folder, 'one/cache'))).toEqual(before)
  })

  test('what cannot be reached is given up after the attempts, with what to do', async () => {
    fail(/./, { kind: 'stall' }, Infinity)
    await expect(storage.read(fresh())).rejects.toMatchObject({ code: 'storage_unavailable' })
    expect(proxy.calls.length).toBe(waits.attempts)
    fail(/./, busy, Infinity)
    await expect(storage.write(fresh(), 'x')).rejects.toMatchObject({ code: 'storage_unavailable' })
    await expect(storage.names(storage.root)).rejects.toMatchObject({ code: 'storage_unavailable' })
  })

  test('a create whose answer was lost says that the object is there', async () => {
    const location = fresh()
    await storage.create(fresh(), 'so that the store has proven itself')
    fail(/^PUT/, { kind: 'lose' })
    expect(await storage.create(location, 'mine')).toBe(false)
    expect(Buffer.from(await storage.read(location)).toString()).toBe('mine')
  })

  test.each<[string, ProxyFault, boolean]>([
    ['stored', { kind: 'lose' }, true],
    ['not stored', { kind: 'drop' }, false],
    [
      'stored, and a server that says it failed',
      { kind: 'forge', status: 500, code: 'InternalError' },
      true,
    ],
    ['stored, then denied', { kind: 'lose' }, true],
  ])('a create that ends without an answer is not known: %s', async (name, fault, stored) => {
    const location = fresh()
    await storage.create(fresh(), 'so that the store has proven itself')
    fail(/^PUT/, fault, Infinity)
    if (name.endsWith('denied')) {
      let asked = 0
      const denied: ProxyFault = { kind: 'answer', status: 403, code: 'ExpiredToken' }
      proxy.fault = () => (asked++ === 0 ? fault : denied)
    }
    await expect(storage.create(location, 'mine')).rejects.toMatchObject({ code: 'commit_unknown' })
    proxy.fault = () => undefined
    expect(await storage.create(location, 'mine')).toBe(!stored)
    expect(Buffer.from(await storage.read(location)).toString()).toBe('mine')
  })

  test('a conflict of conditional PUTs is tried again, and given up in the end', async () => {
    await storage.create(fresh(), 'so that the store has proven itself')
    const conflict: ProxyFault = { kind: 'answer', status: 409, code: 'ConditionalRequestConflict' }
    fail(/^PUT/, conflict, 3)
    expect(await storage.create(fresh(), 'mine')).toBe(true)
    fail(/^PUT/, conflict, Infinity)
    proxy.calls.length = 0
    const unknown = { code: 'commit_unknown' }
    await expect(storage.create(fresh(), 'mine')).rejects.toMatchObject(unknown)
    expect(proxy.calls.length).toBe(limits.storageConflictsMax)
  })

  test('a store that ignores the condition is refused before anything is committed', async () => {
    const careless = await open('careless')
    // It says yes to a second object of the same name.
    proxy.fault = ({ headers }) =>
      headers['if-none-match'] === '*' ? { kind: 'answer', status: 200, code: '' } : undefined
    const location = fresh()
    await expect(careless.create(location, 'mine')).rejects.toMatchObject({
      code: 'storage_refused',
    })
    proxy.fault = () => undefined
    expect(await careless.info(location)).toBeUndefined()
    expect(await careless.create(location, 'mine')).toBe(true)
    expect(await careless.names(join(careless.root, 'catalog'))).toEqual([])
  })

  describe('a large file', () => {
    const bytes = randomBytes(limits.storageMultipartBytes + limits.storagePartBytes + 5)
    // Megabytes take longer than a lost answer is waited for elsewhere.
    let patient: Storage
    beforeAll(async () => {
      patient = await open('large', { waits: { ...waits, idleMs: 8000, requestMs: 8000 } })
    })
    const spooled = async (): Promise<string> => {
      const file = path.join(await patient.spool(patient.root), `${objects++}.parquet`)
      await nodeFiles.write(file, bytes, { sync: true })
      return file
    }
    const stored = async (location: string): Promise<boolean> =>
      Buffer.from(await patient.read(location)).equals(bytes)

    test.each<[string, RegExp, ProxyFault]>([
      ['a part is lost', /^PUT.*partNumber=2/, { kind: 'drop' }],
      ['the answer to a part is lost', /^PUT.*partNumber=3/, { kind: 'lose' }],
      ['the last answer is lost', /^POST.*uploadId=/, { kind: 'lose' }],
      [
        'the last answer is 200 with an error',
        /^POST.*uploadId=/,
        { kind: 'answer', status: 200, code: 'InternalError' },
      ],
      [
        'the last answer is 200 with an error though it was done',
        /^POST.*uploadId=/,
        { kind: 'forge', status: 200, code: 'InternalError' },
      ],
    ])('arrives whole when %s', async (_name, match, fault) => {
      const file = await spooled()
      fail(match, fault)
      expect(await stored(await patient.adopt(file))).toBe(true)
      expect(existsSync(file)).toBe(false)
    })

    test('stays in the spool while it cannot be uploaded, and is uploaded later', async () => {
      const file = await spooled()
      fail(/^PUT.*partNumber=2/, busy, Infinity)
      await expect(patient.adopt(file)).rejects.toMatchObject({ code: 'storage_unavailable' })
      expect(existsSync(file)).toBe(true)
      proxy.fault = () => undefined
      expect(await stored(await patient.adopt(file))).toBe(true)
    })
  })

  test('an upload that a crash left half done is given up when it is old', async () => {
    const file = path.join(await storage.spool(storage.root), `${objects++}.parquet`)
    await nodeFiles.write(file, randomBytes(limits.storageMultipartBytes), { sync: true })
    proxy.fault = ({ method, target }) =>
      /^(PUT.*partNumber=2|DELETE)/.test(`${method} ${target}`) ? { kind: 'drop' } : undefined
    await expect(storage.adopt(file)).rejects.toMatchObject({ code: 'storage_unavailable' })
    proxy.fault = () => undefined
    const aborted = (): string[] => proxy.calls.filter((call) => /^DELETE.*uploadId=/.test(call))
    proxy.calls.length = 0
    const young = await open('young')
    await young.spool(young.root)
    expect(aborted()).toEqual([])
    const wall = (): number => systemClock.wall() + 2 * limits.orphanAgeMs
    const later = await open('later', { clock: { ...systemClock, wall } })
    await later.spool(later.root)
    expect(aborted()).toHaveLength(1)
    proxy.calls.length = 0
    const again = await open('again', { clock: { ...systemClock, wall } })
    await again.spool(again.root)
    expect(aborted()).toEqual([])
  })

  test('failures have codes that say what to do', async () => {
    const denied = { kind: 'answer', status: 403, code: 'AccessDenied' } as const
    fail(/./, denied, Infinity)
    for (const call of [
      () => storage.read(fresh()),
      () => storage.write(fresh(), 'x'),
      () => storage.create(fresh(), 'x'),
      () => storage.info(fresh()),
      () => storage.names(storage.root),
    ]) {
      await expect(call()).rejects.toMatchObject({ code: 'storage_denied' })
    }
    proxy.fault = () => undefined
    const elsewhere = await open('elsewhere', { root: 's3://no-such-bucket/lake' })
    for (const call of [
      () => elsewhere.names(elsewhere.root),
      () => elsewhere.write(join(elsewhere.root, 'x'), 'x'),
      () => elsewhere.read(join(elsewhere.root, 'x')),
    ]) {
      await expect(call()).rejects.toMatchObject({ code: 'storage_missing' })
    }
    fail(/^PUT/, { kind: 'answer', status: 501, code: 'NotImplemented' })
    await expect(storage.write(fresh(), 'x')).rejects.toMatchObject({ code: 'storage_refused' })
    await expect(storage.read('file:///etc/passwd')).rejects.toMatchObject({ code: 'lake_invalid' })
    await expect(open('none', { root: 'lakes/lake' })).rejects.toMatchObject({
      code: 'lake_invalid',
    })
    const closed = await open('closed', { endpoint: 'http://127.0.0.1:1' })
    await expect(closed.names(closed.root)).rejects.toMatchObject({ code: 'storage_unavailable' })
  })

  test('credentials that are wrong or missing are said to be', async () => {
    const { AWS_SECRET_ACCESS_KEY: secret } = process.env
    try {
      process.env['AWS_SECRET_ACCESS_KEY'] = 'not-the-secret'
      const wrong = await open('wrong')
      await expect(wrong.read(fresh())).rejects.toMatchObject({ code: 'storage_denied' })
      delete process.env['AWS_SECRET_ACCESS_KEY']
      const none = await open('missing')
      await expect(none.read(fresh())).rejects.toMatchObject({ code: 'storage_denied' })
    } finally {
      process.env['AWS_SECRET_ACCESS_KEY'] = secret
    }
  })

  test('reads what other writers call s3a and s3n', async () => {
    const location = fresh()
    await storage.write(location, 'x')
    for (const scheme of ['s3a', 's3n']) {
      const theirs = location.replace('s3:', `${scheme}:`)
      expect(Buffer.from(await storage.read(theirs)).toString()).toBe('x')
      expect(storage.identity(theirs)).toBe(location)
    }
  })
})
