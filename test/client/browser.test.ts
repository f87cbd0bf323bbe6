/** The client in a real browser, against the real collector: what a page logs is in the tables. */
import { existsSync } from 'node:fs'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import { build } from 'esbuild'
import { chromium } from 'playwright-core'
import { afterAll, expect, test } from 'vitest'
import {
  repository,
  sql,
  startHeadwater,
  temporaryFolder,
  writeProject,
} from '../support/project.ts'

const executablePath = process.env['HEADWATER_CHROMIUM'] ?? '/usr/bin/chromium'
const { folder, remove } = temporaryFolder('browser')
afterAll(remove)

const ARGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

/** What an app does. */
const PAGE = `<!doctype html><title>page</title><script type="module">
  import { createClient } from '/client.js'
  const client = createClient({
    url: new URLSearchParams(location.search).get('collector'),
    key: 'a-key-of-the-page',
    context: { app: 'web', app_version: '1.0', platform: 'web' },
  })
  for (let i = 0; i < 120; i++) {
    client.log('searched', { query: 'naïve 東京 ' + i, results: i, latency: 5 })
  }
  client.log('searched', { query: 'bad', results: 'many', latency: 5 })
  const settled = await client.flush({ timeoutMs: 10_000 })
  window.result = { settled, ...client.stats }
</script>`

/** A page of another origin than the collector's, with the client as a module. */
async function servePage(): Promise<{ url: string; close(): void }> {
  const { outputFiles } = await build({
    entryPoints: [path.join(repository, 'src/client/index.ts')],
    bundle: true,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    write: false,
  })
  const server = http.createServer((request, response) => {
    const module = request.url === '/client.js'
    response.setHeader('content-type', module ? 'text/javascript' : 'text/html; charset=utf-8')
    response.end(module ? outputFiles[0]!.text : PAGE)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return { url: `http://127.0.0.1:${port}`, close: () => server.close() }
}

test.skipIf(!existsSync(executablePath))(
  'a page of another origin logs with a key, and its events are in the tables',
  { timeout: 60_000 },
  async () => {
    const config = { engine: { epochMs: 200 }, keys: { web: 'a-key-of-the-page' } }
    writeProject(folder, 'examples/streaming/specs.ts', config)
    const platform = await startHeadwater(folder)
    const page = await servePage()
    const browser = await chromium.launch({ executablePath, args: ARGS })
    const tab = await browser.newPage()
    await tab.goto(`${page.url}/?collector=${platform.url}`)
    await tab.waitForFunction('window.result !== undefined')
    const stats = await tab.evaluate('window.result')
    expect(stats).toMatchObject({ settled: true, accepted: 121, quarantined: 1, queued: 0 })
    await browser.close()
    page.close()
    expect(await platform.kill('SIGTERM')).toBe(0)
    const [row] = await sql(
      folder,
      `select count(*) as events, sum(results) as results, min(source) as source, min(ua_browser) as browser,
              count(distinct query) as queries from searched`,
    )
    expect(row).toMatchObject({ events: 120, results: 7140, source: 'web', queries: 120 })
    expect(row!['browser']).toMatch(/chrom/i)
  },
)
