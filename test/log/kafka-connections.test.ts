/** A connection to a broker that breaks twice does not end the process. */
import net, { type AddressInfo } from 'node:net'
import { Connection } from '@platformatic/kafka'
import { expect, test } from 'vitest'
import { mindConnections } from '../../src/log/kafka/connections.ts'

test('a second error of a connection has a listener, however often connections were minded', async () => {
  const server = net.createServer((socket) => socket.resume())
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  try {
    const connect = async (): Promise<Connection> => {
      const connection = new Connection('test')
      await connection.connect('127.0.0.1', port)
      return connection
    }
    const before = await connect()
    expect(() => before.emit('error', new Error('reset'))).toThrow('reset')
    mindConnections()
    mindConnections()
    const minded = await connect()
    let heard = 0
    // As the client listens to it.
    minded.once('error', () => heard++)
    minded.emit('error', new Error('refused'))
    minded.emit('error', new Error('reset'))
    expect([heard, minded.listenerCount('error')]).toEqual([1, 1])
    await Promise.all([before.close(), minded.close()])
  } finally {
    server.close()
  }
})
