/** Asks the processes of a cluster whether they do their work, not only whether they run. */
import net from 'node:net'
import type { Clock } from '../base/clock.ts'
import { limits } from '../base/limits.ts'

export interface ProbePorts {
  readonly clock: Clock
  readonly request: typeof fetch
}

/** The brokers that the broker at a port knows to be alive; undefined where it does not answer. */
export async function brokersAlive(
  host: string,
  port: number,
  clock: Clock,
): Promise<number | undefined> {
  const answer = await askKafka(host, port, METADATA_REQUEST, clock)
  // Length and correlation, then the list of brokers, which begins with their number.
  return answer === undefined || answer.length < 12 ? undefined : answer.readInt32BE(8)
}

/**
 * Kafka's Metadata request, version 1, for no topic: API key 3, correlation 1, client `headwater`
 * (https://kafka.apache.org/protocol, Metadata API).
 */
const METADATA_REQUEST = ((): Buffer => {
  const client = Buffer.from('headwater')
  const body = Buffer.alloc(10 + client.length + 4)
  body.writeInt16BE(3, 0)
  body.writeInt16BE(1, 2)
  body.writeInt32BE(1, 4)
  body.writeInt16BE(client.length, 8)
  client.copy(body, 10)
  body.writeInt32BE(0, 10 + client.length)
  const length = Buffer.alloc(4)
  length.writeInt32BE(body.length)
  return Buffer.concat([length, body])
})()

/** The whole answer with its length in front. */
function askKafka(
  host: string,
  port: number,
  request: Buffer,
  clock: Clock,
): Promise<Buffer | undefined> {
  return new Promise((resolve) => {
    const socket = net.connect({ host, port })
    let answer = Buffer.alloc(0)
    const end = (value: Buffer | undefined): void => {
      cancel()
      socket.destroy()
      resolve(value)
    }
    const cancel = clock.after(limits.clusterProbeMsMax, () => end(undefined))
    socket.once('connect', () => socket.write(request))
    socket.once('error', () => end(undefined))
    socket.once('close', () => end(undefined))
    socket.on('data', (part: Buffer) => {
      answer = Buffer.concat([answer, part])
      if (answer.length < 4) return
      const length = answer.readInt32BE(0)
      if (length < 0 || length > limits.clusterProbeBytesMax) end(undefined)
      else if (answer.length >= 4 + length) end(answer)
    })
  })
}

/** The JSON at a URL; undefined where there is none in time. */
export async function askJson(url: string, { clock, request }: ProbePorts): Promise<unknown> {
  const abort = new AbortController()
  const cancel = clock.after(limits.clusterProbeMsMax, () => abort.abort())
  try {
    const response = await request(url, { signal: abort.signal })
    return response.ok ? ((await response.json()) as unknown) : undefined
  } catch {
    return undefined
  } finally {
    cancel()
  }
}

export interface TaskManager {
  readonly id: string
  readonly slots: number
  /** ms since 1970 of the last sign of life. */
  readonly heardMs: number
}

/** The TaskManagers that a JobManager knows; undefined where it does not answer. */
export async function taskManagersOf(
  rest: string,
  ports: ProbePorts,
): Promise<TaskManager[] | undefined> {
  const answer = (await askJson(`${rest}/taskmanagers`, ports)) as
    | { taskmanagers?: { id: string; slotsNumber: number; timeSinceLastHeartbeat: number }[] }
    | undefined
  return answer?.taskmanagers?.map((each) => ({
    id: each.id,
    slots: each.slotsNumber,
    // Flink's name for the time of the last heartbeat.
    heardMs: each.timeSinceLastHeartbeat,
  }))
}
