/** Views: listed, created, loaded, replaced, renamed, registered and dropped. */
import { error } from '../../base/errors.ts'
import { uuid } from '../../base/random.ts'
import { type CatalogFile, type Identifier, viewAt, withEntry } from '../catalog-file.ts'
import { applyViewUpdates, unmetByView } from '../view.ts'
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
import { checkedName, identifier, levelsOf, namespaceAt, pageOf, textOf } from './names.ts'
import { commitViewShape, createViewShape, read, registerShape, renameShape } from './requests.ts'

export const listViews: Handler = async ({ lake }, call) => {
  const key = namespaceOf(call)
  const { names, next } = pageOf(namespaceAt(lake.current, key).views.keys(), call.query)
  const namespace = levelsOf(key)
  return json({ identifiers: names.map((name) => ({ namespace, name })), ...next })
}

export const loadView: Handler = async (service, call) =>
  answerOf(service, locationOf(service.lake.current, idOf(call, 'view')))

export const viewExists: Handler = async ({ lake }, call) => {
  locationOf(lake.current, idOf(call, 'view'))
  return NO_CONTENT
}

export const createView: Handler = async (service, call) => {
  const request = read(createViewShape, call.body)
  const id = { namespace: namespaceOf(call), name: checkedName(request.name) }
  const fresh = {
    uuid: uuid(service.random),
    location: request.location ?? service.locations.fresh(id),
  }
  const version = { ...request['view-version'], 'schema-id': -1 }
  const updates = [
    { action: 'set-properties' as const, updates: request.properties ?? {} },
    { action: 'add-schema' as const, schema: request.schema },
    { action: 'add-view-version' as const, 'view-version': version },
    { action: 'set-current-view-version' as const, 'view-version-id': -1 },
  ]
  const view = unwrap(applyViewUpdates(fresh, updates, service.clock.wall()))
  const catalog = await change(service, async (base, stage) => {
    refuseOwned(service, id)
    namespaceAt(base, id.namespace)
    refuseTaken(base, id, 'View')
    await service.locations.check(view.location, base)
    service.locations.checkMetadata(view)
    return withEntry(base, 'views', id, await stage.view(view, undefined))
  })
  return answerOf(service, locationOf(catalog, id))
}

export const updateView: Handler = async (service, call) => {
  const id = idOf(call, 'view')
  const { requirements, updates } = read(commitViewShape, call.body)
  const catalog = await change(service, async (base, stage) => {
    const file = locationOf(base, id)
    refuseOwned(service, id)
    const before = unwrap(await service.lake.view(file))
    const problem = unmetByView(requirements ?? [], before)
    if (problem !== undefined) throw problem
    const after = unwrap(applyViewUpdates(before, updates, service.clock.wall()))
    if (after === before) return base
    if (after.location !== before.location) await service.locations.check(after.location, base)
    service.locations.checkMetadata(after)
    return withEntry(base, 'views', id, await stage.view(after, file))
  })
  return answerOf(service, locationOf(catalog, id))
}

export const renameView: Handler = async (service, { body }) => {
  const request = read(renameShape, body)
  const [source, destination] = [identifier(request.source), identifier(request.destination)]
  await change(service, async (catalog) => {
    const file = locationOf(catalog, source)
    refuseOwned(service, source)
    refuseOwned(service, destination)
    namespaceAt(catalog, destination.namespace)
    refuseRename(catalog, source, destination)
    const without = withEntry(catalog, 'views', source, undefined)
    return withEntry(without, 'views', destination, file)
  })
  return NO_CONTENT
}

export const registerView: Handler = async (service, call) => {
  const request = read(registerShape, call.body)
  const id = { namespace: namespaceOf(call), name: checkedName(request.name) }
  const file = request['metadata-location']
  await change(service, async (catalog) => {
    refuseOwned(service, id)
    namespaceAt(catalog, id.namespace)
    refuseTaken(catalog, id, 'View')
    service.locations.checkInside(file)
    const view = await service.lake.view(file)
    if (!view.ok) throw error('request_invalid', view.error.detail)
    await service.locations.check(view.value.location, catalog)
    return withEntry(catalog, 'views', id, file)
  })
  return answerOf(service, file)
}

export const dropView: Handler = async (service, call) => {
  const id = idOf(call, 'view')
  await change(service, async (catalog) => {
    locationOf(catalog, id)
    refuseOwned(service, id)
    return withEntry(catalog, 'views', id, undefined)
  })
  return NO_CONTENT
}

function locationOf(catalog: CatalogFile, id: Identifier): string {
  const file = viewAt(catalog, id)
  if (file === undefined) throw error('view_unknown', `View does not exist: ${textOf(id)}`)
  return file
}

async function answerOf({ lake }: Service, file: string): Promise<Answer> {
  const metadata = unwrap(await lake.view(file))
  return json({ 'metadata-location': file, metadata, config: {} })
}
