/** Locations of an object store, `s3://<bucket>/<key>`, taken apart byte for byte: nothing in a key is decoded, joined or normalised. */
import { error } from '../base/errors.ts'

export interface ObjectName {
  readonly bucket: string
  /** May be empty: the bucket itself. */
  readonly key: string
}

/** The schemes that writers use for the same objects; headwater writes the first. */
const SCHEMES = /^s3[an]?:\/\//

/** Bucket and key of a location. Throws HeadwaterError `lake_invalid` for anything else. */
export function objectName(location: string): ObjectName {
  const scheme = SCHEMES.exec(location)?.[0]
  const rest = location.slice(scheme?.length ?? 0)
  const slash = rest.indexOf('/')
  const bucket = slash < 0 ? rest : rest.slice(0, slash)
  if (scheme === undefined || bucket === '') {
    throw error('lake_invalid', `${location} is not a location of an object store.`)
  }
  return { bucket, key: slash < 0 ? '' : rest.slice(slash + 1) }
}

/** The location of an object, in the scheme that headwater writes. */
export function objectLocation({ bucket, key }: ObjectName): string {
  return `s3://${bucket}/${key}`
}

/** The prefix of the keys below a folder. */
export function keyPrefix(key: string): string {
  return key === '' || key.endsWith('/') ? key : `${key}/`
}
