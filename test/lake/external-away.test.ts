/** The platform starts while the catalog of its tables is away: events are taken durably, and land once when it is back. */
import path from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { systemClock } from '../../src/base/clock.ts'
import type { HeadwaterError } from '../../src/base/errors.ts'
import { nodeFiles } from '../../src/base/node/files.ts'
import { seededRandom } from '../../src/base/random.ts'
import type { Result } from '../../src/base/result.ts'
import {
  type PatientPlatform,
  type Project,
  startPatientPlatform,
} from '../../src/platform/index.ts'
import { defineEvent, int } from '../../src/spec/index.ts'
import { type CatalogProxy, startCatalogProxy } from '../support/catalog-proxy.ts'
import { javaIsThere } from '../support/java/artifacts.ts'
import { startReferenceCatalog } from '../support/java/reference-catalog.ts'
import { ask, projectOf, unwrap } from '../support/platform.ts'
import { temporaryFolder } from '../support/project.ts'

const specs = { seen: defineEvent('seen', { doc: 'Seen.', fields: { size: int() } }) }
const BOOT = 'AAAAAAAAAAAAAAAAAAAAAA'

const { folder, remove } = temporaryFolder('external-away')
afterAll(remove)

function startFor(
  project: Project,
  failures: HeadwaterError[] = [],
): Promise<Result<PatientPlatform>> {
  return startPatientPlatform({
    project,
    files: nodeFiles,
    clock: systemClock,
    random: seededRandom(3),
    development: true,
    onFailure: (failure) => failures.push(failure),
  })
}

/** A batch of ten events; the same `seq` is the same batch. */
async function send(url: string, seq: number): Promise<void> {
  const numbers = Array.from({ length: 10 }, (_, i) => i)
  const lines = [
    { boot: BOOT, seq, first: seq * 10, count: 10, sent: 5, booted: Date.UTC(2026, 0, 1), ctx: {} },
    {
      type: 'seen',
      n: numbers,
      at: numbers.map(() => 1),
      cols: { size: numbers.map((i) => seq * 10 + i) },
    },
  ]
  const body = lines.map((line) => JSON.stringify(line)).join('\n')
  const answer = await fetch(`${url}/v1/events`, { method: 'POST', body })
  expect(answer.status, await answer.text()).toBe(200)
}

async function metric(url: string, name: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text()
  return Number(new RegExp(`^headwater_${name} (\\S+)$`, 'm').exec(text)?.[1])
}

/** Rows, different ones, and batches by what the ledger says of them. */
async function content({ lake }: PatientPlatform): Promise<Record<string, unknown>[]> {
  return ask(
    lake!,
    `select (select count(*) from seen)::int as seen, (select count(distinct n) from seen)::int as numbers,
       (select count(*) from batches where status = 'accepted')::int as accepted,
       (select count(*) from batches where status = 'duplicate')::int as duplicates`,
  )
}

const away = (proxy: CatalogProxy): void => {
  proxy.fate = () => ({ refused: 503 })
}

test.skipIf(!javaIsThere())(
  'events are taken while the catalog is away, and land once when it is back',
  { timeout: 180_000 },
  async () => {
    const reference = await startReferenceCatalog(path.join(folder, 'reference'))
    const proxy = await startCatalogProxy(reference.uri)
    const project = projectOf(path.join(folder, 'project'), specs, {
      config: { lake: { catalog: { uri: proxy.uri } } },
    })
    try {
      // A first start has to learn whose the tables are.
      away(proxy)
      expect(await startFor(project)).toMatchObject({
        ok: false,
        error: { code: 'catalog_unavailable' },
      })
      proxy.fate = () => 'pass'
      const first = unwrap(await startFor(project))
      await expect
        .poll(() => first.lake?.state.version ?? 0, { timeout: 20_000 })
        .toBeGreaterThan(0)
      await send(first.url, 0)
      await expect
        .poll(async () => (await content(first))[0]?.['seen'], { timeout: 20_000 })
        .toBe(10)
      // The lake has batch 0, and the log alone batch 1.
      away(proxy)
      await send(first.url, 1)
      await first.close()

      const failures: HeadwaterError[] = []
      const second = unwrap(await startFor(project, failures))
      expect(second.lake).toBeUndefined()
      expect((await fetch(`${second.url}/readyz`)).status).toBe(200)
      expect(await metric(second.url, 'engine_failing')).toBe(1)
      for (const seq of [0, 1, 2, 2]) await send(second.url, seq)
      await expect
        .poll(() => failures.map(({ code }) => code), { timeout: 30_000 })
        .toContain('catalog_unavailable')
      await second.close()

      // What was taken by a process that never saw the lake is in the log of the next.
      const third = unwrap(await startFor(project))
      await send(third.url, 3)
      proxy.fate = () => 'pass'
      await expect.poll(() => third.lake === undefined, { timeout: 60_000 }).toBe(false)
      expect(await metric(third.url, 'engine_failing')).toBe(0)
      await send(third.url, 4)
      await send(third.url, 0)
      const all = { seen: 50, numbers: 50, accepted: 5, duplicates: 4 }
      await expect.poll(() => content(third), { timeout: 20_000 }).toEqual([all])
      expect(third.counts.landed).toBeGreaterThan(0)
      await third.close()
    } finally {
      await proxy.close()
      await reference.kill()
    }
  },
)
