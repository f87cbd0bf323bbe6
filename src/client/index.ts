/** headwater/client: log events from a browser, or wherever there is fetch. */
import { systemClock } from '../base/clock.ts'
import { systemRandom } from '../base/random.ts'
import { type Client, type ClientOptions, ColumnarClient } from './client.ts'
import { fetchTransport } from './transports/fetch.ts'

export type { Answer, BatchAnswer } from './answer.ts'
export type { BuiltInContext, Client, ClientOptions, ClientStats } from './client.ts'
export type { DropReason } from './drops.ts'
export type { Transport, TransportAnswer, TransportRequest } from './transport.ts'

/** A client for the specifications `S`: `createClient<typeof specs>({ url })` with `import type * as specs from './specs.ts'`. */
export function createClient<S>(options: ClientOptions<S>): Client<S> {
  return new ColumnarClient<S>({
    transport: fetchTransport,
    clock: systemClock,
    random: systemRandom,
    sdk: 'web/0.1.0',
    ...options,
  })
}
