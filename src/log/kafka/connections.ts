/**
 * Connections that break twice: the client hears of a connection's first error and lets go of it, so a second one, such as a reset after a
 * refused login, would have no listener and end the process.
 */
import { tracingChannel } from 'node:diagnostics_channel'
import type { EventEmitter } from 'node:events'

/** Where the client tells of each connection that it begins. */
const CONNECTS = tracingChannel('plt:kafka:connections:connects')

/** From now on, an error of a connection to a broker is for whoever waits for an answer on it, and for nobody else. May be called again. */
export function mindConnections(): void {
  CONNECTS.start.unsubscribe(mind)
  CONNECTS.start.subscribe(mind)
}

function mind(message: unknown): void {
  const { connection } = message as { readonly connection: EventEmitter }
  connection.off('error', ignore).on('error', ignore)
}

function ignore(): void {}
