/** The bench of readers at smoke size: every reader gets the same answers from every writer's table. */
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { javaIsThere } from '../support/java/artifacts.ts'
import { pythonIsThere } from '../support/python/python.ts'
import { root } from '../support/source.ts'

test.skipIf(!javaIsThere() || !pythonIsThere())(
  'npm run bench:read -- --smoke',
  { timeout: 300_000 },
  async () => {
    const args = ['--conditions=headwater-source', join(root, 'bench/read.ts'), '--smoke', '--json']
    const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: root })
    const { rows, written, reads } = JSON.parse(stdout) as {
      rows: number
      written: Record<string, { files: number; bytes: number }>
      reads: {
        reader: string
        query: string
        costs: Record<string, { wall: number }>
        ratio: number
      }[]
    }
    expect(rows).toBe(20_000)
    expect(Object.keys(written)).toEqual(['headwater', 'PyIceberg', 'Spark'])
    for (const { bytes } of Object.values(written)) expect(bytes).toBeGreaterThan(100_000)
    // Three readers, six queries.
    expect(reads).toHaveLength(18)
    for (const read of reads) {
      expect(Object.keys(read.costs)).toEqual(['headwater', 'PyIceberg', 'Spark'])
      for (const { wall } of Object.values(read.costs)) {
        expect(wall, JSON.stringify(read)).toBeGreaterThan(0)
      }
    }
  },
)
