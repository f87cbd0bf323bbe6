/** The benchmark runs to its end, at a size that measures nothing, so that it does not rot. */
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { root } from '../support/source.ts'

test('npm run bench -- --smoke', { timeout: 120_000 }, async () => {
  const main = join(root, 'bench/main.ts')
  const args = ['--conditions=headwater-source', main, '--smoke', '--json']
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: root })
  const results = JSON.parse(stdout) as Record<string, Record<string, number>>
  const { ratio, manyTypesRatio, ...scenarios } = results
  expect(ratio).toBeGreaterThan(0)
  expect(manyTypesRatio).toBeGreaterThan(0)
  expect(Object.keys(scenarios)).toEqual([
    'headwater',
    'Fastify + Zod + DuckDB',
    'headwater, ten types',
    'headwater, many types',
    '20 % of capacity',
    '80 % of capacity',
    'steady',
  ])
  for (const [name, cost] of Object.entries(scenarios)) {
    for (const figure of [
      'events',
      'totalUs',
      'wireBytes',
      'lakeBytes',
      'memory',
      'queryableP50',
    ]) {
      expect(cost[figure], `${name}: ${figure}`).toBeGreaterThan(0)
    }
    expect(cost['queryableP50'], name).toBeGreaterThanOrEqual(0)
  }
})
