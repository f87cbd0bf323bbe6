/** Free ports on loopback, outside the range that systems give to outgoing connections, which would take them before their owner starts. */
import net from 'node:net'
import { error } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import { below, type Random } from '../base/random.ts'

const HOST = '127.0.0.1'

/** Ports from 20,000 up; Linux gives out those from 32,768 on, others from 49,152. */
const FIRST = 20_000
const COUNT = 12_000

/** A port that was free a moment ago and is none of `taken`. Throws HeadwaterError port_in_use where none is found. */
export async function freePort(random: Random, taken: ReadonlySet<number>): Promise<number> {
  for (let attempt = 0; attempt < limits.clusterPortAttemptsMax; attempt++) {
    const port = FIRST + below(random, COUNT)
    if (!taken.has(port) && (await isFree(port))) return port
  }
  throw error('port_in_use', `No port from ${FIRST} to ${FIRST + COUNT - 1} was found free.`)
}

/** Whether nobody listens there. */
export function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = net.createServer()
    server.once('error', () => resolve(false))
    server.listen({ host: HOST, port }, () => server.close(() => resolve(true)))
  })
}
