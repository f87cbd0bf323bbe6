/** headwater/client/node: the client with a transport that keeps connections and compresses. */
import { keepAwake, systemClock } from '../base/clock.ts'
import { systemRandom } from '../base/random.ts'
import { type Client, type ClientOptions, ColumnarClient } from './client.ts'
import { nodeTransport } from './transports/node.ts'

export type { Answer, BatchAnswer } from './answer.ts'
export type { BuiltInContext, Client, ClientOptions, ClientStats } from './client.ts'
export type { DropReason } from './drops.ts'
export type { Transport, TransportAnswer, TransportRequest } from './transport.ts'
export { nodeTransport, type NodeTransportOptions } from './transports/node.ts'

/** A client for Node. Its timers keep no process alive, but waiting for `flush()` or `close()` does. */
export function createClient<S>(options: ClientOptions<S>): Client<S> {
  return new NodeClient<S>({
    transport: nodeTransport(),
    clock: systemClock,
    random: systemRandom,
    sdk: 'node/0.1.0',
    ...options,
  })
}

class NodeClient<S> extends ColumnarClient<S> {
  /** As close() also does by it. */
  override async flush(options?: { readonly timeoutMs?: number }): Promise<boolean> {
    const sleep = keepAwake()
    try {
      return await super.flush(options)
    } finally {
      sleep()
    }
  }
}
