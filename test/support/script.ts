/** A program that answers SQL one statement at a time, in a process of its own: each statement a line of base64, each answer `rows <n>` and n lines of JSON, or `error <base64>`. */
import type { ChildProcess } from 'node:child_process'
import readline from 'node:readline'

export type SqlRow = Readonly<Record<string, unknown>>

export interface SqlEngine {
  /** Of its process. */
  readonly pid: number
  /** Runs a statement; answers its rows as the engine writes them in JSON. Rejects with the engine's message. */
  sql(statement: string): Promise<SqlRow[]>
  stop(): Promise<void>
}

/** Speaks with a program that says `ready` first and ends when its standard input does. */
export async function sqlEngine(name: string, child: ChildProcess): Promise<SqlEngine> {
  let errors = ''
  child.stderr!.on('data', (part: Buffer) => (errors = (errors + part.toString()).slice(-20_000)))
  const lines = readline.createInterface({ input: child.stdout! })[Symbol.asyncIterator]()
  const line = async (): Promise<string> => {
    const next = await lines.next()
    if (next.done === true) throw new Error(`${name} ended: ${errors}`)
    return next.value
  }
  const closed = new Promise<void>((resolve) => child.once('close', () => resolve()))
  if ((await line()) !== 'ready') throw new Error(`${name} did not start: ${errors}`)
  let turn: Promise<unknown> = Promise.resolve()
  const answer = async (statement: string): Promise<SqlRow[]> => {
    child.stdin!.write(`${Buffer.from(statement).toString('base64')}\n`)
    const [kind, rest] = (await line()).split(' ')
    if (kind === 'error') throw new Error(Buffer.from(rest!, 'base64').toString())
    const rows: SqlRow[] = []
    for (let i = 0; i < Number(rest); i++) rows.push(JSON.parse(await line()) as SqlRow)
    return rows
  }
  return {
    pid: child.pid!,
    sql: (statement) => {
      const done = turn.then(() => answer(statement))
      turn = done.catch(() => undefined)
      return done
    },
    stop: async () => {
      child.stdin!.end()
      await closed
    },
  }
}
