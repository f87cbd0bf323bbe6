/** Apache's reference REST catalog as a process of its own, on loopback. */
import { mkdir } from 'node:fs/promises'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { compiled, startJava } from './artifacts.ts'

export interface ReferenceCatalog {
  /** Where clients find it, such as `http://127.0.0.1:40123`. */
  readonly uri: string
  /** Location under which it puts tables: `file:///…`. */
  readonly warehouse: string
  /** Ends it as a crash would; what it had answered is kept in its folder. */
  kill(): Promise<void>
}

/** Starts it over a folder, which holds its database and its warehouse; a folder that was used before is taken up again. */
export async function startReferenceCatalog(folder: string, port = 0): Promise<ReferenceCatalog> {
  const classes = await compiled('ReferenceCatalog', 'iceberg')
  const files = path.join(folder, 'warehouse')
  await mkdir(files, { recursive: true })
  const warehouse = pathToFileURL(files).href
  const args = [String(port), path.join(folder, 'catalog.sqlite'), warehouse]
  const child = startJava(classes, 'org.apache.iceberg.rest.ReferenceCatalog', args)
  let text = ''
  const at = await new Promise<number>((resolve, reject) => {
    child.stdout!.on('data', (part: Buffer) => {
      text += part.toString()
      const found = /listening (\d+)/.exec(text)?.[1]
      if (found !== undefined) resolve(Number(found))
    })
    child.stderr!.on('data', (part: Buffer) => (text = (text + part.toString()).slice(-10_000)))
    child.once('error', reject)
    child.once('close', (code) => reject(new Error(`the catalog ended with ${code}: ${text}`)))
  })
  return {
    uri: `http://127.0.0.1:${at}`,
    warehouse,
    kill: () =>
      new Promise((resolve) => {
        if (child.exitCode !== null || child.signalCode !== null) return resolve()
        child.once('close', () => resolve())
        child.kill('SIGKILL')
      }),
  }
}
