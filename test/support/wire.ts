/** A TCP proxy in front of one port, whose connections can be cut, refused or fall silent. */
import { connect, createServer, type Socket } from 'node:net'

export interface Wire {
  readonly port: number
  /** Breaks every connection; new ones are made as before. */
  cut(): void
  /** Nothing passes any more, in no direction, and nobody is told. */
  silence(): void
  /** Silent connections break, and new ones are made as before. */
  mend(): void
  close(): Promise<void>
}

/** Listens on `port` and passes everything on to `target`. */
export async function startWire(port: number, target: number): Promise<Wire> {
  const sockets = new Set<Socket>()
  let silent = false
  const server = createServer((near) => {
    const far = connect(target, '127.0.0.1')
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from)
      from.on('data', (data: Buffer) => {
        if (!silent) to.write(data)
      })
      from.once('close', () => {
        sockets.delete(from)
        to.destroy()
      })
      from.on('error', () => from.destroy())
    }
  })
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  const cut = (): void => {
    for (const socket of sockets) socket.destroy()
  }
  return {
    port,
    cut,
    silence: () => {
      silent = true
    },
    mend: () => {
      silent = false
      cut()
    },
    close: () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      cut()
      return closed
    },
  }
}
