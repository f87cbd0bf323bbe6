/** The file-system port: the few operations durability is built from, injected everywhere. */

export interface FileInfo {
  readonly size: number
  /** Last modification, milliseconds since 1970. */
  readonly modified: number
  readonly directory: boolean
  /** Whether the name is a symbolic link; size and time are those of what it leads to. */
  readonly link: boolean
}

/** An open file. Offsets and lengths in bytes. */
export interface FileHandle {
  /** Appends every part in order; rejects unless all of it was written. */
  append(parts: readonly Uint8Array[]): Promise<void>
  /** Overwrites at `position`, all of it or rejects; only for files opened with `update`. */
  write(position: number, data: Uint8Array): Promise<void>
  /** Reads up to `length` bytes at `position`; shorter only at the end of the file. */
  read(position: number, length: number): Promise<Uint8Array>
  /** fdatasync: returns when the bytes survive a power cut. */
  sync(): Promise<void>
  truncate(length: number): Promise<void>
  close(): Promise<void>
}

/** Paths are absolute. Every method rejects with a Node-style error that carries `code`. */
export interface Files {
  /** `append` creates the file if it is missing. */
  open(path: string, mode: 'append' | 'read' | 'update'): Promise<FileHandle>
  read(path: string): Promise<Uint8Array>
  /**
   * As `read`, of a name that nobody vouches for: rejects with ENOTSUP for anything but a regular file, without waiting for its bytes, and
   * with EFBIG for more than `bytesMax`.
   */
  readRegular(path: string, bytesMax: number): Promise<Uint8Array>
  /** Whether what is at the path is a regular file, rather than a link, a device or a pipe; undefined for nothing. */
  isRegular(path: string): Promise<boolean | undefined>
  /** Creates or replaces a file; with `sync` its bytes are durable when it resolves. */
  write(path: string, data: Uint8Array | string, options?: { sync?: boolean }): Promise<void>
  /** Hard link; rejects with EEXIST when `to` exists. The compare-and-swap of a commit. */
  link(from: string, to: string): Promise<void>
  rename(from: string, to: string): Promise<void>
  /** Removes a file; missing is not an error. */
  remove(path: string): Promise<void>
  /** Names inside a directory, sorted; a missing directory is empty. */
  list(path: string): Promise<readonly string[]>
  makeDirectory(path: string): Promise<void>
  /** Removes a directory and everything in it; missing is not an error. */
  removeDirectory(path: string): Promise<void>
  /** Sets the time of last modification, milliseconds since 1970. */
  touch(path: string, modified: number): Promise<void>
  /** Undefined when there is nothing at the path. */
  info(path: string): Promise<FileInfo | undefined>
  /** fsync of a file or a directory, so that bytes and names survive a power cut. */
  sync(path: string): Promise<void>
}

/** The `code` of a Node-style error, such as ENOENT. */
export function errnoOf(cause: unknown): string | undefined {
  if (typeof cause !== 'object' || cause === null || !('code' in cause)) return undefined
  return typeof cause.code === 'string' ? cause.code : undefined
}
