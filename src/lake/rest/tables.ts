/** Tables: listed, created, loaded, committed to, renamed, registered and dropped. */
import { createHash } from 'node:crypto'
import { error } from '../../base/errors.ts'
import { uuid } from '../../base/random.ts'
import { type Identifier, tableAt, withEntry } from '../catalog-file.ts'
import { currentSnapshot, type Metadata, metadataJson } from '../metadata.ts'
import { renumbered, resourced } from '../schema-updates.ts'
import { applyUpdates, type Update } from '../updates.ts'
import { type Answer, json, NO_CONTENT } from './answer.ts'
import {
  change,
  type Handler,
  idOf,
  namespaceOf,
  refuseOwned,
  refuseRename,
  refuseTaken,
  type Service,
  unwrap,
} from './call.ts'
import { commitTable } from './commit.ts'
import { checkSnapshots } from './snapshots.ts'
import { checkedName, identifier, levelsOf, namespaceAt, pageOf, textOf } from './names.ts'
import {
  commitShape,
  createTableShape,
  read,
  registerShape,
  renameShape,
  transactionShape,
} from './requests.ts'

export const listTables: Handler = async ({ lake }, call) => {
  const key = namespaceOf(call)
  const { names, next } = pageOf(namespaceAt(lake.current, key).tables.keys(), call.query)
  const namespace = levelsOf(key)
  return json({ identifiers: names.map((name) => ({ namespace, name })), ...next })
}

export const loadTable: Handler = async (service, call) => {
  const id = idOf(call, 'table')
  const file = locationOf(service, id)
  const snapshots = call.query.get('snapshots') ?? 'all'
  if (snapshots !== 'all' && snapshots !== 'refs') {
    throw error('request_invalid', `snapshots: ${snapshots} is neither all nor refs.`)
  }
  const etag = etagOf(file, snapshots)
  const known = (call.known ?? '').split(/\s*,\s*/)
  if (known.includes(etag) || known.includes(`W/${etag}`)) return { status: 304, headers: { etag } }
  const metadata = unwrap(await service.lake.metadata(file))
  return loaded(file, snapshots === 'refs' ? withRefsOnly(metadata) : metadata, etag)
}

export const tableExists: Handler = async (service, call) => {
  locationOf(service, idOf(call, 'table'))
  return NO_CONTENT
}

export const createTable: Handler = async (service, call) => {
  const request = read(createTableShape, call.body)
  const id = { namespace: namespaceOf(call), name: checkedName(request.name) }
  const fresh = {
    uuid: uuid(service.random),
    location: request.location ?? service.locations.fresh(id),
  }
  const metadata = unwrap(applyUpdates(fresh, firstUpdates(request), service.clock.wall()))
  const check = async (catalog: typeof service.lake.current): Promise<void> => {
    refuseOwned(service, id)
    namespaceAt(catalog, id.namespace)
    refuseTaken(catalog, id, 'Table')
    await service.locations.check(metadata.location, catalog)
    service.locations.checkMetadata(metadata)
  }
  if (request['stage-create'] === true) {
    await check(service.lake.current)
    await service.lake.prepare(metadata.location)
    return json({ metadata: metadataJson(metadata), config: {} })
  }
  const catalog = await change(service, async (base, stage) => {
    await check(base)
    return withEntry(base, 'tables', id, await stage.table(metadata, undefined))
  })
  return answerOf(service, tableAt(catalog, id)!)
}

/** A new table's content as updates: columns numbered by us, whatever ids a client thought of. */
function firstUpdates(
  request: ReturnType<typeof read<typeof createTableShape>>,
): readonly Update[] {
  const { schema, ids } = renumbered(request.schema)
  const fields = resourced(request['partition-spec']?.fields ?? [], ids)
  // Numbered by us too.
  const spec = fields.map(({ name, transform, ...source }) => ({
    name,
    transform,
    ...(source['source-id'] === undefined ? {} : { 'source-id': source['source-id'] }),
    ...(source['source-ids'] === undefined ? {} : { 'source-ids': source['source-ids'] }),
  }))
  const order = resourced(request['write-order']?.fields ?? [], ids)
  const { 'format-version': version, ...properties } = request.properties ?? {}
  return [
    ...(version === undefined
      ? []
      : [{ action: 'upgrade-format-version' as const, 'format-version': Number(version) }]),
    { action: 'add-schema', schema },
    { action: 'set-current-schema', 'schema-id': -1 },
    { action: 'add-spec', spec: { fields: spec } },
    { action: 'set-default-spec', 'spec-id': -1 },
    { action: 'add-sort-order', 'sort-order': { fields: order } },
    { action: 'set-default-sort-order', 'sort-order-id': -1 },
    { action: 'set-properties', updates: properties },
  ]
}

export const updateTable: Handler = async (service, call) => {
  const id = idOf(call, 'table')
  const request = read(commitShape, call.body)
  await checkSnapshots(service, id, request)
  const catalog = await change(service, (base, stage) =>
    commitTable(service, base, stage, id, request),
  )
  // What the very commit made: another may have come since.
  return answerOf(service, tableAt(catalog, id)!)
}

export const commitTransaction: Handler = async (service, { body }) => {
  const changes = read(transactionShape, body)['table-changes'].map((each) => ({
    ...each,
    id: identifier(each.identifier),
  }))
  const names = changes.map(({ id }) => textOf(id))
  const twice = names.find((name, i) => names.indexOf(name) !== i)
  if (twice !== undefined) throw error('request_invalid', `${twice} is changed twice.`)
  for (const each of changes) await checkSnapshots(service, each.id, each)
  await change(service, async (base, stage) => {
    let catalog = base
    for (const each of changes) catalog = await commitTable(service, catalog, stage, each.id, each)
    return catalog
  })
  return NO_CONTENT
}

export const renameTable: Handler = async (service, { body }) => {
  const request = read(renameShape, body)
  const [source, destination] = [identifier(request.source), identifier(request.destination)]
  await change(service, async (catalog) => {
    const file = tableAt(catalog, source)
    if (file === undefined) {
      throw error('table_unknown', `Table does not exist: ${textOf(source)}`)
    }
    refuseOwned(service, source)
    refuseOwned(service, destination)
    namespaceAt(catalog, destination.namespace)
    refuseRename(catalog, source, destination)
    const without = withEntry(catalog, 'tables', source, undefined)
    return withEntry(without, 'tables', destination, file)
  })
  return NO_CONTENT
}

export const registerTable: Handler = async (service, call) => {
  const request = read(registerShape, call.body)
  const id = { namespace: namespaceOf(call), name: checkedName(request.name) }
  const file = request['metadata-location']
  await change(service, async (catalog) => {
    refuseOwned(service, id)
    namespaceAt(catalog, id.namespace)
    if (request.overwrite !== true || tableAt(catalog, id) === undefined) {
      refuseTaken(catalog, id, 'Table')
    }
    service.locations.checkInside(file)
    const metadata = await service.lake.metadata(file)
    if (!metadata.ok) throw error('request_invalid', metadata.error.detail)
    await service.locations.check(metadata.value.location, catalog, id)
    const list = currentSnapshot(metadata.value)?.['manifest-list']
    const manifests = list === undefined ? undefined : await service.lake.manifests(list)
    if (manifests?.ok === false) throw error('request_invalid', manifests.error.detail)
    return withEntry(catalog, 'tables', id, file)
  })
  return answerOf(service, file)
}

export const dropTable: Handler = async (service, call) => {
  const id = idOf(call, 'table')
  const purge = /^true$/i.test(call.query.get('purgeRequested') ?? '')
  let dropped = ''
  await change(service, async (catalog) => {
    const file = tableAt(catalog, id)
    if (file === undefined) throw error('table_unknown', `Table does not exist: ${textOf(id)}`)
    refuseOwned(service, id)
    if (purge) {
      const metadata = await service.lake.metadata(file)
      if (metadata.ok && metadata.value.properties['gc.enabled'] === 'false') {
        const reason =
          'Cannot purge table: GC is disabled (deleting files may corrupt other tables)'
        throw error('update_invalid', `${textOf(id)}: ${reason}.`)
      }
    }
    dropped = file
    return withEntry(catalog, 'tables', id, undefined)
  })
  if (purge) {
    // The table is gone whatever becomes of its files; what cannot be removed safely stays.
    const purged = await service.lake.purge(dropped)
    if (purged.ok) service.counts.purgedObjects += purged.value
  }
  return NO_CONTENT
}

export const reportMetrics: Handler = async (service, call) => {
  locationOf(service, idOf(call, 'table'))
  service.counts.reports++
  return NO_CONTENT
}

function locationOf({ lake }: Service, id: Identifier): string {
  const file = tableAt(lake.current, id)
  if (file === undefined) throw error('table_unknown', `Table does not exist: ${textOf(id)}`)
  return file
}

async function answerOf({ lake }: Service, file: string): Promise<Answer> {
  return loaded(file, unwrap(await lake.metadata(file)), etagOf(file, 'all'))
}

function loaded(file: string, metadata: Metadata, etag: string): Answer {
  const body = { 'metadata-location': file, metadata: metadataJson(metadata), config: {} }
  return json(body, { etag })
}

/** A metadata file never changes: its location says all of what a client has. */
function etagOf(file: string, snapshots: string): string {
  return `"${createHash('sha256').update(`${snapshots} ${file}`).digest('base64url').slice(0, 22)}"`
}

function withRefsOnly(metadata: Metadata): Metadata {
  const named = new Set(Object.values(metadata.refs).map((ref) => ref['snapshot-id']))
  return {
    ...metadata,
    snapshots: metadata.snapshots.filter((snapshot) => named.has(snapshot['snapshot-id'])),
  }
}
