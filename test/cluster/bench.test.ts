/** The benchmark of the cluster runs to its end, at a size that measures nothing, so that it does not rot. */
import { execFile } from 'node:child_process'
import path from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { root } from '../support/source.ts'

test('npm run bench:cluster -- --smoke', { timeout: 600_000 }, async () => {
  const main = path.join(root, 'bench/cluster.ts')
  const args = ['--conditions=headwater-source', main, '--smoke', '--json']
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: root })
  const results = JSON.parse(stdout) as Record<string, number | string>[]
  expect(results.map(({ kind }) => kind)).toEqual(['columns', 'rows', 'rows once'])
  for (const result of results) {
    for (const figure of [
      'collectorUs',
      'brokerUs',
      'taskManagerUs',
      'eventsPerSecondOneSlot',
      'stateBytesPerMillionDevices',
    ]) {
      expect(result[figure], `${result['kind']}: ${figure}`).toBeGreaterThan(0)
    }
  }
})
