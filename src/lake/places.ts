/** Which locations metadata may name: objects that are read lie in the lake or a folder named for it, and those that are removed in their own table. */
import { error } from '../base/errors.ts'
import type { Storage } from './storage.ts'

/**
 * Every way in which writers name the same object: `file:/a`, `file:///a`, `file://localhost/a` and `/a`; with `%20` decoded and, since some
 * writers do not encode, as it stands; `s3a:` and `s3n:` as `s3:`.
 */
export function formsOf(location: string): string[] {
  if (location.startsWith('file:') || location.startsWith('/')) {
    const raw = location.replace(/^file:(\/\/localhost)?/, '').replace(/^\/+/, '/')
    if (!location.startsWith('file:')) return [raw]
    try {
      return [raw, decodeURIComponent(raw)]
    } catch {
      return [raw]
    }
  }
  return [location.replace(/^s3[an]:/, 's3:')]
}

/** The one form of a location or folder that others are compared with. */
export function plainForm(location: string): string {
  return formsOf(location.replace(/\/+$/, ''))[0]!
}

/** Whether an object lies below a folder, whatever its location is written like. */
export function isInside(folder: string, location: string): boolean {
  const place = `${plainForm(folder)}/`
  const [form] = formsOf(location)
  return form!.startsWith(place) && form!.slice(place.length).split('/').every(isPart)
}

/** Whether a part of a path is a name, and nothing that leads elsewhere. */
export function isPart(part: string): boolean {
  return part !== '' && part !== '.' && part !== '..' && !part.includes('\0')
}

/** Storage that refuses (`location_refused`) to read or remove what lies outside of itself and `more` folders. */
export function confined(storage: Storage, more: readonly string[]): Storage {
  const roots = [storage.root, ...more]
  const inside = (location: string): string => {
    if (roots.some((root) => isInside(root, location))) return location
    throw error('location_refused', `${location}: it is not inside ${storage.root}.`)
  }
  return {
    root: storage.root,
    read: async (location) => storage.read(inside(location)),
    info: async (location) => storage.info(inside(location)),
    local: async (location) => storage.local(inside(location)),
    remove: async (location) => storage.remove(inside(location)),
    write: async (location, bytes) => storage.write(inside(location), bytes),
    create: async (location, bytes) => storage.create(inside(location), bytes),
    replace: async (location, bytes) => storage.replace(inside(location), bytes),
    alias: async (location, name) => storage.alias(inside(location), inside(name)),
    settle: (folder) => storage.settle(folder),
    names: (folder) => storage.names(folder),
    list: (folder) => storage.list(folder),
    identity: (location) => storage.identity(location),
    spool: (folder) => storage.spool(folder),
    adopt: (file) => storage.adopt(file),
  }
}
