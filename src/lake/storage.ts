/** The storage port: a lake's objects by location, such as `file:///…` or `s3://bucket/…`, on a disk or an object store. */

export interface StoredObject {
  readonly location: string
  readonly bytes: number
  /** Last modification, milliseconds since 1970. */
  readonly modified: number
}

/**
 * Locations are taken byte for byte; a folder is a location without a trailing slash. Every method rejects with a Node-style
 * error that carries `code`, or with a HeadwaterError.
 */
export interface Storage {
  /** Location of the lake. */
  readonly root: string
  /** The whole of an object of metadata; rejects with ENOENT where there is none, and with `lake_invalid` beyond `metadataBytesMax`. */
  read(location: string): Promise<Uint8Array>
  /** Writes an object under a name that nothing refers to yet; its bytes are durable when it resolves, its name after `settle`. */
  write(location: string, bytes: Uint8Array | string): Promise<void>
  /**
   * Creates an object in one step; `false` when there is one already, which may be this very one if an answer was lost. The
   * compare-and-swap of a commit. Its name is durable after `settle`. Rejects with `commit_unknown` when it may be there or not:
   * the same again decides.
   */
  create(location: string, bytes: Uint8Array | string): Promise<boolean>
  /** Replaces an object in one step: a reader sees the old bytes or the new ones. */
  replace(location: string, bytes: Uint8Array | string): Promise<void>
  /** Gives an object a second name; what exists stays. `false` where storage has no such thing. */
  alias(location: string, name: string): Promise<boolean>
  /** Makes names in a folder survive a power cut. */
  settle(folder: string): Promise<void>
  /** Names of objects right inside a folder, sorted; none where there is no folder. */
  names(folder: string): Promise<readonly string[]>
  /** Every object below a folder. */
  list(folder: string): AsyncIterable<StoredObject>
  /** Undefined when there is nothing at the location. */
  info(location: string): Promise<StoredObject | undefined>
  /** Removes an object; missing is not an error. */
  remove(location: string): Promise<void>
  /** One text per object, in whichever of its forms the location is written: `file:/a` and `file:///a`, `s3a://b/k` and `s3://b/k`. */
  identity(location: string): string
  /** Absolute path of a folder on this machine's disk in which files for `folder` are written; made when missing. */
  spool(folder: string): Promise<string>
  /** Takes over a finished, fsynced file of a spool folder; answers its location. Again is harmless. */
  adopt(path: string): Promise<string>
  /** Absolute path of a local file with the bytes of an object that never changes, for engines that read files; good for some minutes. */
  local(location: string): Promise<string>
}

/** A location inside a folder. */
export function join(folder: string, ...names: readonly string[]): string {
  return [folder.replace(/\/+$/, ''), ...names].join('/')
}

/** The folder of a location. */
export function folderOf(location: string): string {
  return location.slice(0, location.lastIndexOf('/'))
}

/** The last part of a location. */
export function nameOf(location: string): string {
  return location.slice(location.lastIndexOf('/') + 1)
}
