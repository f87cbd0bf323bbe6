/** Publishes headwater's own views to other engines: each in the SQL of every engine that reads Iceberg views, replaced when it changes. */
import type { Clock } from '../base/clock.ts'
import { type Random, uuid } from '../base/random.ts'
import { ok, type Result } from '../base/result.ts'
import type { IcebergField } from '../spec/iceberg-type.ts'
import { viewAt, withEntry } from './catalog-file.ts'
import { join } from './storage.ts'
import type { LakeCatalog } from './transactions.ts'
import { applyViewUpdates, type ViewUpdate } from './view.ts'

export interface PublishedView {
  readonly name: string
  readonly doc: string
  readonly fields: readonly IcebergField[]
  /** Dialect → query. Names of tables are those of headwater's namespace. */
  readonly sql: Readonly<Record<string, string>>
}

/** Makes the views of headwater's namespace be these; one commit, or none when they are so already. */
export async function publishViews(
  lake: LakeCatalog,
  views: readonly PublishedView[],
  { clock, random }: { readonly clock: Clock; readonly random: Random },
): Promise<Result<void>> {
  const done = await lake.commit(async (base, stage) => {
    let catalog = base
    const now = clock.wall()
    for (const view of views) {
      const id = { namespace: lake.namespace, name: view.name }
      const file = viewAt(catalog, id)
      const known = file === undefined ? undefined : await lake.view(file)
      if (known?.ok === false) return known
      const folder = join(lake.root, lake.namespace, `${view.name}.view`)
      const fresh = { uuid: uuid(random), location: folder }
      const next = applyViewUpdates(
        known?.value ?? fresh,
        updatesOf(view, lake.namespace, now),
        now,
      )
      if (!next.ok) return next
      if (next.value === known?.value) continue
      catalog = withEntry(catalog, 'views', id, await stage.view(next.value, file))
    }
    return ok(catalog)
  })
  return done.ok ? ok(undefined) : done
}

function updatesOf(view: PublishedView, namespace: string, now: number): ViewUpdate[] {
  return [
    {
      action: 'set-properties',
      // A dialect that is no longer written is no longer true.
      updates: { comment: view.doc, 'replace.drop-dialect.allowed': 'true' },
    },
    { action: 'add-schema', schema: { type: 'struct', fields: view.fields } },
    {
      action: 'add-view-version',
      'view-version': {
        'version-id': 1,
        'timestamp-ms': now,
        'schema-id': -1,
        summary: { 'engine-name': 'headwater' },
        representations: Object.entries(view.sql).map(([dialect, sql]) => ({
          type: 'sql',
          sql,
          dialect,
        })),
        'default-namespace': [namespace],
      },
    },
    { action: 'set-current-view-version', 'view-version-id': -1 },
  ]
}
