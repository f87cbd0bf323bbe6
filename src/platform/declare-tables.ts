/** Makes the tables of a lake what the specifications say, and the view over all events. */
import type { Clock } from '../base/clock.ts'
import type { Random } from '../base/random.ts'
import { ok, type Result } from '../base/result.ts'
import type { Schemas } from '../columns/epoch.ts'
import { type CatalogLake, type Lake, publishViews } from '../lake/index.ts'
import { eventsView } from './events-view.ts'

/** The view is made where the lake is its own catalog. */
export async function declareTables(
  lake: Lake | CatalogLake,
  schemas: Schemas,
  ports: { readonly clock: Clock; readonly random: Random },
): Promise<Result<void>> {
  const tables = [...schemas.events.values(), schemas.batches, schemas.quarantine]
  const { offset } = lake.state
  const created = await lake.commit({ schemas: tables, appends: new Map(), offset })
  if (!created.ok) return created
  const view = eventsView(schemas)
  return 'catalog' in lake && view !== undefined
    ? publishViews(lake.catalog, [view], ports)
    : ok(undefined)
}
