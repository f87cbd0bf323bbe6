/** A real process that is killed with -9 at random moments has every acknowledged frame on the disk, in order. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { expect, test } from 'vitest'
import { systemClock } from '../../src/base/clock.ts'
import { nodeFiles } from '../../src/base/node/files.ts'
import { openFileLog } from '../../src/log/index.ts'
import { frameOf, readAll, valueOf } from './support.ts'

/** Runs the child until it has acknowledged something and `ms` more have passed; what it acknowledged, id → end. */
async function runAndKill(
  directory: string,
  firstId: number,
  ms: number,
): Promise<[number, number][]> {
  const script = path.join(import.meta.dirname, 'kill-child.ts')
  const child = spawn(process.execPath, [script, directory, String(firstId)], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  let complaints = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => (complaints += text))
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    if (output === '') setTimeout(() => child.kill('SIGKILL'), ms)
    output += text
  })
  await once(child, 'close')
  expect(complaints).toBe('')
  expect(child.signalCode).toBe('SIGKILL')
  const lines = output.slice(0, output.lastIndexOf('\n')).split('\n')
  return lines.map((line) => line.split(' ').map(Number) as [number, number])
}

test('kill -9 loses nothing acknowledged', async () => {
  const directory = await fs.mkdtemp(path.join(os.tmpdir(), 'headwater-log-'))
  try {
    const acknowledged = new Map<number, number>()
    let nextId = 0
    for (let round = 0; round < 6; round++) {
      const lines = await runAndKill(directory, nextId, Math.random() * 150)
      for (const [id, end] of lines) acknowledged.set(id, end)

      const options = { directory, files: nodeFiles, clock: systemClock }
      const log = valueOf(await openFileLog(options))
      const found = await readAll(log, 0)
      await log.close()
      const ends = new Map(found.map(({ frame, end }) => [frame.seq, end]))
      for (const [id, end] of acknowledged) expect(ends.get(id)).toBe(end)
      const ids = [...ends.keys()]
      expect(ids).toHaveLength(found.length)
      expect(ids).toEqual(ids.toSorted((a, b) => a - b))
      for (const { frame } of found) {
        const { payload } = frameOf(frame.seq, 100 + ((frame.seq * 97) % 8000))
        expect(Buffer.compare(frame.payload, payload)).toBe(0)
      }
      nextId = ids.at(-1)! + 1
    }
    expect(acknowledged.size).toBeGreaterThan(100)
  } finally {
    await fs.rm(directory, { recursive: true, force: true })
  }
}, 60_000)
