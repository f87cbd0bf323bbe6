/** The table schemas of a project. */
import type { Schemas } from '../columns/epoch.ts'
import { batchesTable, eventTable, quarantineTable } from '../spec/tables.ts'
import type { Project } from './project.ts'

/** Table schemas of a project's specifications. */
export function schemasOf({ specs, lock }: Pick<Project, 'specs' | 'lock'>): Schemas {
  const events = [...specs.events.values()].map((event) => eventTable(event, specs, lock))
  return {
    specs,
    events: new Map(events.map((table) => [table.name, table])),
    batches: batchesTable(specs, lock),
    quarantine: quarantineTable(),
  }
}
