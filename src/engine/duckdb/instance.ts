/** Opens DuckDB in memory, closed to the network and in UTC. */
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api'

export interface Duck {
  connect(): Promise<DuckDBConnection>
  close(): void
}

/** `threads` bounds the cores of one query; `memory` is DuckDB's own notation, such as `2GB`; beyond it rows go to the folder `spill`. */
export async function openDuck(options: {
  threads: number
  memory?: string
  spill?: string
}): Promise<Duck> {
  const instance = await DuckDBInstance.create(':memory:', {
    threads: String(options.threads),
    autoinstall_known_extensions: 'false',
    autoload_known_extensions: 'false',
    ...(options.memory === undefined ? {} : { memory_limit: options.memory }),
    ...(options.spill === undefined ? {} : { temp_directory: options.spill }),
  })
  return {
    connect: async () => {
      const connection = await instance.connect()
      await connection.run("SET TimeZone = 'UTC'")
      return connection
    },
    close: () => instance.closeSync(),
  }
}
