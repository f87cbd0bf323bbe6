/** Appends frames as fast as they are acknowledged and prints each acknowledged one, until it is killed. */
import fs from 'node:fs'
import { systemClock } from '../../src/base/clock.ts'
import { nodeFiles } from '../../src/base/node/files.ts'
import { openFileLog } from '../../src/log/index.ts'
import { frameOf, valueOf } from './support.ts'

const [directory, firstId] = process.argv.slice(2) as [string, string]
const limits = { segmentBytes: 400_000, groupCommitMs: 1 }
const options = { directory, files: nodeFiles, clock: systemClock, limits }
const log = valueOf(await openFileLog(options))
let nextId = Number(firstId)

async function appendForEver(): Promise<never> {
  for (;;) {
    const id = nextId++
    const { end, durable } = valueOf(log.append(frameOf(id, 100 + ((id * 97) % 8000))))
    valueOf(await durable)
    fs.writeSync(1, `${id} ${end}\n`)
  }
}

setInterval(() => {}, 1000)
await Promise.all(Array.from({ length: 16 }, appendForEver))
