/** Spark SQL over a REST catalog, in a process of its own. */
import readline from 'node:readline'
import { compiled, startJava } from './artifacts.ts'

export type SparkRow = Readonly<Record<string, unknown>>

export interface Spark {
  /**
   * Runs a statement; answers its rows as Spark writes them in JSON. The catalog is called `lake`. Rejects with Spark's
   * message.
   */
  sql(statement: string): Promise<SparkRow[]>
  stop(): Promise<void>
}

/** Starts a session whose catalog `lake` is the REST catalog at `uri`. `properties` are the catalog's, such as `token`. */
export async function startSpark(
  uri: string,
  properties: Readonly<Record<string, string>> = {},
): Promise<Spark> {
  const classes = await compiled('SparkScript', 'spark')
  // Without its cache, so that it sees what others have committed.
  const catalog = { type: 'rest', uri, 'cache-enabled': 'false', ...properties }
  const settings = {
    'spark.ui.enabled': 'false',
    'spark.driver.host': '127.0.0.1',
    'spark.driver.bindAddress': '127.0.0.1',
    'spark.sql.shuffle.partitions': '2',
    'spark.sql.session.timeZone': 'UTC',
    'spark.sql.jsonGenerator.ignoreNullFields': 'false',
    'spark.sql.extensions': 'org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions',
    'spark.sql.catalog.lake': 'org.apache.iceberg.spark.SparkCatalog',
    'spark.sql.defaultCatalog': 'lake',
    ...Object.fromEntries(
      Object.entries(catalog).map(([name, value]) => [`spark.sql.catalog.lake.${name}`, value]),
    ),
  }
  const args = Object.entries(settings).map(([name, value]) => `${name}=${value}`)
  const child = startJava(classes, 'SparkScript', args, OPENS)
  let errors = ''
  child.stderr!.on('data', (part: Buffer) => (errors = (errors + part.toString()).slice(-20_000)))
  const lines = readline.createInterface({ input: child.stdout! })[Symbol.asyncIterator]()
  const line = async (): Promise<string> => {
    const next = await lines.next()
    if (next.done === true) throw new Error(`Spark ended: ${errors}`)
    return next.value
  }
  const closed = new Promise<void>((resolve) => child.once('close', () => resolve()))
  if ((await line()) !== 'ready') throw new Error(`Spark did not start: ${errors}`)
  let turn: Promise<unknown> = Promise.resolve()
  const answer = async (statement: string): Promise<SparkRow[]> => {
    child.stdin!.write(`${Buffer.from(statement).toString('base64')}\n`)
    const [kind, rest] = (await line()).split(' ')
    if (kind === 'error') throw new Error(Buffer.from(rest!, 'base64').toString())
    const rows: SparkRow[] = []
    for (let i = 0; i < Number(rest); i++) rows.push(JSON.parse(await line()) as SparkRow)
    return rows
  }
  return {
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

/** What Spark reaches into on Java 17 (its own launcher's list). */
const OPENS = [
  'java.lang',
  'java.lang.invoke',
  'java.lang.reflect',
  'java.io',
  'java.net',
  'java.nio',
  'java.util',
  'java.util.concurrent',
  'java.util.concurrent.atomic',
]
  .map((name) => `--add-opens=java.base/${name}=ALL-UNNAMED`)
  .concat(
    '--add-opens=java.base/sun.nio.ch=ALL-UNNAMED',
    '--add-opens=java.base/sun.nio.cs=ALL-UNNAMED',
  )
  .concat(
    '--add-opens=java.base/sun.security.action=ALL-UNNAMED',
    '--add-opens=java.base/sun.util.calendar=ALL-UNNAMED',
  )
