/** Where tables and views may lie: inside the warehouse or a folder that was named for it, and never in one another. */
import { error } from '../../base/errors.ts'
import { type Random, uuid } from '../../base/random.ts'
import { type CatalogFile, type Identifier, tablesOf } from '../catalog-file.ts'
import { isInside, isPart, plainForm as plain } from '../places.ts'
import { join } from '../storage.ts'
import { type LakeCatalog, METADATA_PATH } from '../transactions.ts'
import { levelsOf } from './names.ts'

export interface Locations {
  /** A location of its own for a new table or view. */
  fresh(id: Identifier): string
  /** Throws HeadwaterError `location_refused` unless nothing else lies there. `but`: a table whose own location it may be. */
  check(location: string, catalog: CatalogFile, but?: Identifier): Promise<void>
  /** Throws HeadwaterError `location_refused` unless it lies inside a folder that may be read. */
  checkInside(location: string): void
  /** Throws HeadwaterError `location_refused` unless an object may be named by a table of headwater's at `table`. */
  checkOwn(location: string, table: string): void
  /** Throws HeadwaterError `location_refused` unless the folder of metadata files that a property names may be used. */
  checkMetadata(of: { readonly properties: Readonly<Record<string, string>> }): void
}

export function locationsOf(lake: LakeCatalog, random: Random): Locations {
  const warehouse = plain(lake.root)
  const roots = [warehouse, ...lake.locations.map(plain)]
  const reserved = [join(warehouse, 'catalog'), join(warehouse, lake.namespace)]
  const checkInside = (location: string): string => {
    const form = plain(location)
    const root = roots.find((each) => form.startsWith(`${each}/`))
    if (root === undefined) throw refused(location, `it is not inside ${lake.root}`)
    const rest = form.slice(root.length + 1).split('/')
    if (rest.some((part) => !/^[^%?#\\\u0000-\u001f]+$/.test(part) || !isPart(part))) {
      throw refused(location, 'it has a part that is empty, `.`, `..` or has a special character')
    }
    return form
  }
  return {
    fresh: ({ namespace, name }) => {
      const parts = [...levelsOf(namespace), name].map((each) => each.replace(/[^\w-]+/g, '_'))
      // Unique whatever was renamed or dropped before; the folders of the lake itself have no such names.
      const folder = `${parts.at(-1)}-${uuid(random).slice(0, 13)}`
      return join(lake.root, ...parts.slice(0, -1).map((part) => `${part}.ns`), folder)
    },
    checkInside: (location) => void checkInside(location),
    checkOwn: (location, table) => {
      // An engine would read many files by one name.
      if (/[*?[]/.test(location)) throw refused(location, 'it has a character of patterns')
      if (isInside(table, location)) return
      const allowed = roots.some((root) => isInside(root, location))
      if (!allowed) throw refused(location, `it is not inside ${lake.root}`)
      if (reserved.some((each) => isInside(each, location))) {
        throw refused(location, 'it is in the folder of another table')
      }
    },
    checkMetadata: ({ properties }) => {
      const { [METADATA_PATH]: folder } = properties
      if (folder === undefined) return
      const form = checkInside(folder)
      if (reserved.some((each) => overlap(each, form))) {
        throw refused(folder, 'it is a folder of headwater')
      }
    },
    check: async (location, catalog, but) => {
      const form = checkInside(location)
      if (reserved.some((each) => overlap(each, form))) {
        throw refused(location, 'it is a folder of headwater')
      }
      for (const table of tablesOf(catalog)) {
        if (table.namespace === but?.namespace && table.name === but.name) continue
        const metadata = await lake.metadata(table.location)
        if (metadata.ok && overlap(plain(metadata.value.location), form)) {
          throw refused(
            location,
            `the table ${levelsOf(table.namespace).join('.')}.${table.name} lies there`,
          )
        }
      }
    },
  }
}

function refused(location: string, why: string): Error {
  return error('location_refused', `${location}: ${why}.`)
}

function overlap(one: string, other: string): boolean {
  return one === other || one.startsWith(`${other}/`) || other.startsWith(`${one}/`)
}
