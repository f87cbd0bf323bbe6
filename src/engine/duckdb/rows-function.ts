/** A DuckDB table function that reads row sets out of this process's memory, so that no staging table is filled and scanned again. */
import type { DuckDBConnection } from '@duckdb/node-api'
import duckdb from '@duckdb/node-bindings'
import { assert } from '../../base/assert.ts'
import { type Feed, VECTOR_ROWS } from './vectors.ts'

/** `SELECT * FROM headwater_rows(<id>)` reads the feed that was offered under that id. */
export class RowsFunction {
  readonly #feeds = new Map<number, Feed>()
  #next = 0

  constructor(connection: DuckDBConnection) {
    const made = duckdb.create_table_function()
    duckdb.table_function_set_name(made, 'headwater_rows')
    duckdb.table_function_add_parameter(made, duckdb.create_logical_type(duckdb.Type.BIGINT))
    duckdb.table_function_set_bind(made, (info) => {
      const id = Number(duckdb.get_int64(duckdb.bind_get_parameter(info, 0)))
      const feed = this.#feeds.get(id)
      assert(feed !== undefined, `rows ${id} are on offer`)
      feed.names.forEach((name, i) => {
        duckdb.bind_add_result_column(info, name, feed.types[i]!)
      })
      duckdb.bind_set_cardinality(info, feed.rows, true)
      duckdb.bind_set_bind_data(info, { feed })
    })
    duckdb.table_function_set_init(made, (info) => {
      duckdb.init_set_init_data(info, { at: 0 })
      // Rows are read in their order by one thread; other tables run beside it.
      duckdb.init_set_max_threads(info, 1)
    })
    duckdb.table_function_set_function(made, (info, chunk) => {
      const { feed } = duckdb.function_get_bind_data(info) as { feed: Feed }
      const progress = duckdb.function_get_init_data(info) as { at: number }
      const count = Math.min(VECTOR_ROWS, feed.rows - progress.at)
      if (count > 0) feed.fill(chunk, progress.at, count)
      duckdb.data_chunk_set_size(chunk, count)
      progress.at += count
    })
    duckdb.register_table_function(connection['connection'], made)
  }

  /** Puts a feed on offer for as long as `use` runs; `use` gets the SQL that reads it. */
  async offer<T>(feed: Feed, use: (relation: string) => Promise<T>): Promise<T> {
    const id = this.#next++
    this.#feeds.set(id, feed)
    try {
      return await use(`headwater_rows(${id})`)
    } finally {
      this.#feeds.delete(id)
    }
  }
}
