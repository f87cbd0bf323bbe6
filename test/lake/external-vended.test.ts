/** Tables in another catalog that hands out the credentials for its object store: nothing else lets headwater in, and they end. */
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { systemClock } from '../../src/base/clock.ts'
import { nodeFiles } from '../../src/base/node/files.ts'
import { seededRandom, systemRandom } from '../../src/base/random.ts'
import { createClient } from '../../src/client/node.ts'
import { Compactor } from '../../src/engine/index.ts'
import { doJob, type KeptLake, planTable, s3Storage } from '../../src/lake/index.ts'
import type { Platform } from '../../src/platform/index.ts'
import { defineEvent, int } from '../../src/spec/index.ts'
import { ask, landed, projectOf, start, unwrap } from '../support/platform.ts'
import { temporaryFolder } from '../support/project.ts'
import { ACCESS, INSTALL_MS_MAX, type S3Server, skipS3, startS3 } from '../support/s3.ts'
import { startCatalog, type TestCatalog } from './catalog.ts'

const specs = { seen: defineEvent('seen', { doc: 'Seen.', fields: { size: int() } }) }
const DAY_MS = 86_400_000

/** A catalog that gives to those who ask for them the credentials of one user with each table. */
interface Vendor {
  readonly uri: string
  /** Answers with credentials. */
  readonly granted: number
  user: string
  /** How long they are good for, ms; undefined: it does not say. */
  goodForMs: number | undefined
  close(): Promise<void>
}

async function startVendor(target: string, endpoint: string): Promise<Vendor> {
  let granted = 0
  const server = http.createServer((incoming, outgoing) => {
    void (async () => {
      const parts: Buffer[] = []
      for await (const part of incoming) parts.push(part as Buffer)
      const body = Buffer.concat(parts)
      const answer = await fetch(`${target}${incoming.url}`, {
        method: incoming.method!,
        headers: { 'content-type': 'application/json' },
        ...(body.length === 0 ? {} : { body }),
      })
      let text = await answer.text()
      const asks = incoming.headers['x-iceberg-access-delegation'] === 'vended-credentials'
      // The location of a table, wherever it is in the answer.
      const location = /"location":"(s3:[^"]*)"/.exec(text)?.[1]
      if (asks && answer.ok && location !== undefined && text.includes('"metadata"')) {
        granted++
        const { user, goodForMs } = vendor
        const config = {
          's3.access-key-id': user,
          's3.secret-access-key': `${user}-secret`,
          's3.endpoint': endpoint,
          's3.path-style-access': 'true',
          'client.region': 'us-east-1',
          ...(goodForMs && {
            's3.session-token-expires-at-ms': String(systemClock.wall() + goodForMs),
          }),
        }
        const grants = JSON.stringify([{ prefix: `${location}/`, config }])
        text = text.replace('{', `{"storage-credentials":${grants},`)
      }
      outgoing.writeHead(answer.status, { 'content-type': 'application/json' }).end(text)
    })().catch(() => outgoing.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const vendor = {
    uri: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    get granted() {
      return granted
    },
    user: 'first',
    goodForMs: undefined as number | undefined,
    close: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
  return vendor
}

describe.skipIf(skipS3)('credentials that a catalog hands out', () => {
  const { folder, remove } = temporaryFolder('vended')
  let store: S3Server
  let catalog: TestCatalog
  let vendor: Vendor

  beforeAll(async () => {
    // This process has none of its own.
    for (const name of Object.keys(ACCESS)) delete process.env[name]
    process.env['AWS_EC2_METADATA_DISABLED'] = 'true'
    process.env['AWS_CONFIG_FILE'] = '/dev/null'
    process.env['AWS_SHARED_CREDENTIALS_FILE'] = '/dev/null'
    store = await startS3(path.join(folder, 'store'), ['lakes'], path.join(folder, 'users'))
    for (const user of ['first', 'second']) {
      await store.admin('create-user', '-a', user, '-s', `${user}-secret`, '-r', 'admin')
    }
    const root = {
      prefix: 's3://',
      credentials: {
        accessKeyId: ACCESS['AWS_ACCESS_KEY_ID']!,
        secretAccessKey: ACCESS['AWS_SECRET_ACCESS_KEY']!,
      },
      place: {},
      until: undefined,
    }
    const storage = await s3Storage({
      root: 's3://lakes/warehouse',
      endpoint: store.endpoint,
      region: 'us-east-1',
      forcePathStyle: true,
      grants: { of: () => Promise.resolve(root), renew: () => Promise.resolve() },
      spool: path.join(folder, 'spool'),
      cache: path.join(folder, 'cache'),
      cacheBytesMax: 100_000_000,
      files: nodeFiles,
      clock: systemClock,
      random: systemRandom,
    })
    await nodeFiles.makeDirectory(path.join(folder, 'catalog'))
    catalog = await startCatalog(path.join(folder, 'catalog'), { storage })
    vendor = await startVendor(catalog.uri, store.endpoint)
  }, INSTALL_MS_MAX)
  afterAll(async () => {
    await vendor?.close()
    await catalog?.close()
    await store?.stop()
    remove()
  })

  const project = (name: string, storageCredentials: 'own' | 'vended') =>
    projectOf(path.join(folder, name), specs, {
      config: {
        namespace: 'logs',
        maintenance: { enabled: false },
        lake: {
          location: 's3://lakes/warehouse',
          s3: { region: 'us-east-1' },
          catalog: { uri: vendor.uri, storageCredentials },
        },
      },
    })

  // Names must differ from one start to the next.
  const started = (name: string): Promise<Platform> =>
    start(project(name, 'vended'), { random: systemRandom })

  async function log({ url }: Platform, events: number): Promise<void> {
    const client = createClient<typeof specs>({ url })
    for (let i = 0; i < events; i++) client.log('seen', { size: i })
    expect(await client.flush()).toBe(true)
  }

  const rows = async ({ lake }: Platform): Promise<number> =>
    Number((await ask(lake, 'select count(*) as n from seen'))[0]!['n'])

  test(
    'are what it writes, reads and maintains with, until they end or are refused',
    { timeout: 120_000 },
    async () => {
      let platform = await started('data')
      await log(platform, 50)
      await landed(platform)
      expect(await rows(platform)).toBe(50)
      // Those that are about to end are not used: they are asked for again.
      vendor.goodForMs = 30_000
      await platform.close()
      platform = await started('data')
      const before = vendor.granted
      await log(platform, 50)
      await landed(platform)
      expect(vendor.granted).toBeGreaterThan(before + 2)
      // The store no longer knows the user, and the catalog has another one.
      vendor.goodForMs = undefined
      await platform.close()
      platform = await started('data')
      await log(platform, 50)
      await landed(platform)
      vendor.user = 'second'
      await store.admin('delete-user', '-a', 'first')
      await log(platform, 50)
      await landed(platform)
      expect(await rows(platform)).toBe(200)

      const lake = platform.lake as KeptLake
      const survey = await lake.upkeep.survey('seen')
      const policy = { targetBytes: 1_000_000, fanIn: 2, settleMs: 0 }
      const { jobs } = planTable(survey, policy, systemClock.wall() + 2 * DAY_MS)
      const job = jobs.find(({ kind }) => kind === 'compact')!
      const rewriter = new Compactor({
        files: nodeFiles,
        random: seededRandom(4),
        memory: '256MB',
        spill: path.join(folder, 'spill'),
      })
      const done = unwrap(await doJob(job, survey, { lake, rewriter, files: nodeFiles }))
      await rewriter.close()
      expect(done.after).toBeLessThan(done.before)
      expect(await rows(platform)).toBe(200)
      await platform.close()
    },
  )

  test('are not asked for by those who have their own, and these have none', async () => {
    await expect(start(project('other', 'own'))).rejects.toThrow(/storage_denied|Credentials/)
  })
})
