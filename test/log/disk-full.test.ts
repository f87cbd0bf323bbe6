/** A real file system that runs out of space: the log says so, loses nothing, and goes on when there is space again. */
import { execFileSync } from 'node:child_process'
import fs from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { expect, test } from 'vitest'
import { sleep, systemClock } from '../../src/base/clock.ts'
import { nodeFiles } from '../../src/base/node/files.ts'
import { openFileLog } from '../../src/log/index.ts'
import { appendOne, frameOf, readIds, valueOf } from './support.ts'

test('a full disk', async (context) => {
  const mount = await fs.mkdtemp(path.join(os.tmpdir(), 'headwater-full-'))
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', mount], { stdio: 'pipe' })
  } catch {
    await fs.rmdir(mount)
    context.skip('mounting a small file system is not permitted here')
  }
  try {
    await fs.writeFile(path.join(mount, 'ballast'), Buffer.alloc(600_000))
    const directory = path.join(mount, 'log')
    const limits = { groupCommitMs: 0, logProbeMs: 20 }
    const options = { directory, files: nodeFiles, clock: systemClock, limits }
    const log = valueOf(await openFileLog(options))
    const acknowledged: number[] = []
    for (let id = 0; id < 1000; id++) {
      const result = log.append(frameOf(id, 10_000))
      if (!result.ok || !(await result.value.durable).ok) break
      acknowledged.push(id)
    }
    expect(acknowledged.length).toBeGreaterThan(10)
    expect(acknowledged.length).toBeLessThan(100)
    expect(log.health()).toMatchObject({ writable: false, error: { code: 'disk_full' } })
    expect(log.append(frameOf(0))).toMatchObject({ ok: false, error: { code: 'disk_full' } })
    expect(await readIds(log, 0)).toEqual(acknowledged)

    await fs.rm(path.join(mount, 'ballast'))
    for (let waited = 0; !log.health().writable && waited < 5000; waited += 20) {
      await sleep(systemClock, 20)
    }
    await appendOne(log, frameOf(2000, 10_000))
    await log.close()
    const reopened = valueOf(await openFileLog(options))
    expect(await readIds(reopened, 0)).toEqual([...acknowledged, 2000])
    await reopened.close()
  } finally {
    execFileSync('umount', [mount])
    await fs.rmdir(mount)
  }
})
