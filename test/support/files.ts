/** A file system in memory that fails on demand and forgets, at a power cut, what nobody made durable. */
import path from 'node:path'
import type { FileHandle, FileInfo, Files } from '../../src/base/files.ts'
import type { Random } from '../../src/base/random.ts'

export type Operation =
  | 'open'
  | 'readAt'
  | 'append'
  | 'writeAt'
  | 'datasync'
  | 'truncate'
  | 'read'
  | 'write'
  | 'link'
  | 'rename'
  | 'remove'
  | 'list'
  | 'makeDirectory'
  | 'removeDirectory'
  | 'touch'
  | 'info'
  | 'sync'

/** One call, as the `fault` function sees it before it happens. */
export interface Call {
  readonly operation: Operation
  readonly path: string
  /** How many calls of this operation there were so far, this one included. */
  readonly nth: number
  /** Bytes of an append or write, else 0. */
  readonly bytes: number
}

/** What goes wrong with a call. */
export interface Fault {
  /** The errno of the rejection, such as ENOSPC. */
  readonly code: string
  /** append and write: this many bytes arrive before the failure. */
  readonly written?: number
  /** datasync and sync: the bytes reach the disk all the same. Else their pages count as clean and are lost. */
  readonly kept?: boolean
}

export interface MemoryFilesOptions {
  /** Bytes all files may hold together; ENOSPC over it. */
  readonly capacity?: number
  /** What the disk writes at once: after a power cut each page is wholly old or wholly new. */
  readonly pageBytes?: number
}

/**
 * `Files` in memory. File content survives `crash` up to the last datasync or sync of the file, names up to the last sync
 * of their directory; what was changed since survives or not, page by page and name by name.
 */
export class MemoryFiles implements Files {
  /** Asked before every call; a `Fault` makes it fail. */
  fault: (call: Call) => Fault | undefined = () => undefined
  /** Asked before every append and datasync, which begins when the promise resolves: a slow disk. */
  pause: (operation: 'append' | 'datasync') => Promise<void> | undefined = () => undefined
  /** Bytes all files may hold together. */
  capacity: number
  readonly #pageBytes: number
  readonly #calls = new Map<Operation, number>()
  readonly #directories = new Set<string>(['/'])
  #names = new Map<string, Inode>()
  #durableNames = new Map<string, Inode>()
  #pendingNames: { directory: string; apply: (names: Map<string, Inode>) => void }[] = []
  /** Handles of an earlier generation are dead. */
  #generation = 0
  #ticks = 0

  constructor(options: MemoryFilesOptions = {}) {
    this.capacity = options.capacity ?? Infinity
    this.#pageBytes = options.pageBytes ?? 512
  }

  /** How many calls of an operation there were. */
  calls(operation: Operation): number {
    return this.#calls.get(operation) ?? 0
  }

  /** Bytes that all files hold. */
  get used(): number {
    return [...new Set(this.#names.values())].reduce((sum, inode) => sum + inode.size, 0)
  }

  /** A power cut: open handles die, and `random` decides what of the not yet durable is left. */
  crash(random: Random): void {
    const flip = (): boolean => random.float() < 0.5
    this.#generation += 1
    for (const { apply } of this.#pendingNames) if (flip()) apply(this.#durableNames)
    this.#pendingNames = []
    this.#names = new Map(this.#durableNames)
    for (const inode of new Set(this.#names.values())) inode.crash(random)
  }

  /** Changes one byte of a file, as a failing disk would. */
  corrupt(file: string, position: number, change: (byte: number) => number): void {
    this.#inode(file).corrupt(position, change)
  }

  async open(file: string, mode: 'append' | 'read' | 'update'): Promise<FileHandle> {
    this.#check('open', file)
    if (mode === 'append' && !this.#names.has(file)) this.#create(file)
    return this.#handle(file, this.#inode(file))
  }

  async read(file: string): Promise<Uint8Array> {
    this.#check('read', file)
    const inode = this.#inode(file)
    return inode.read(0, inode.size)
  }

  async readRegular(file: string, bytesMax: number): Promise<Uint8Array> {
    const bytes = await this.read(file)
    if (bytes.byteLength > bytesMax) throw errno('EFBIG', 'read', file)
    return bytes
  }

  async isRegular(file: string): Promise<boolean | undefined> {
    const info = await this.info(file)
    return info && !info.directory
  }

  async write(
    file: string,
    data: Uint8Array | string,
    options?: { sync?: boolean },
  ): Promise<void> {
    const bytes = typeof data === 'string' ? new TextEncoder().encode(data) : data
    const fault = this.#faultOf('write', file, bytes.byteLength)
    if (fault !== undefined && fault.written === undefined) throw errno(fault.code, 'write', file)
    if (!this.#names.has(file)) this.#create(file)
    const inode = this.#inode(file)
    inode.truncate(0)
    this.#append(inode, file, 'write', [bytes], fault)
    if (options?.sync === true) inode.sync(true)
  }

  async link(from: string, to: string): Promise<void> {
    this.#check('link', to)
    const inode = this.#inode(from)
    if (this.#names.has(to) || this.#directories.has(to)) throw errno('EEXIST', 'link', to)
    this.#rename(to, (names) => names.set(to, inode))
  }

  async rename(from: string, to: string): Promise<void> {
    this.#check('rename', to)
    const inode = this.#inode(from)
    this.#rename(to, (names) => {
      names.delete(from)
      names.set(to, inode)
    })
  }

  async remove(file: string): Promise<void> {
    this.#check('remove', file)
    if (this.#directories.has(file)) throw errno('EISDIR', 'rm', file)
    if (this.#names.has(file)) this.#rename(file, (names) => names.delete(file))
  }

  async list(directory: string): Promise<readonly string[]> {
    this.#check('list', directory)
    if (this.#names.has(directory)) throw errno('ENOTDIR', 'scandir', directory)
    const inside = directory === '/' ? '/' : `${directory}/`
    return [...this.#names.keys(), ...this.#directories]
      .filter((name) => name.startsWith(inside) && name.length > inside.length)
      .map((name) => name.slice(inside.length))
      .filter((name) => !name.includes('/'))
      .toSorted()
  }

  async makeDirectory(directory: string): Promise<void> {
    this.#check('makeDirectory', directory)
    for (let each = directory; each !== '/'; each = path.dirname(each)) {
      if (this.#names.has(each)) throw errno('ENOTDIR', 'mkdir', directory)
      this.#directories.add(each)
    }
  }

  async removeDirectory(directory: string): Promise<void> {
    this.#check('removeDirectory', directory)
    const inside = (name: string): boolean => `${name}/`.startsWith(`${directory}/`)
    for (const name of [...this.#names.keys()].filter(inside)) {
      this.#rename(name, (names) => names.delete(name))
    }
    for (const name of [...this.#directories].filter(inside)) this.#directories.delete(name)
  }

  async touch(file: string, modified: number): Promise<void> {
    this.#check('touch', file)
    this.#inode(file).modified = modified
  }

  async info(file: string): Promise<FileInfo | undefined> {
    this.#check('info', file)
    if (this.#directories.has(file)) return { size: 0, modified: 0, directory: true, link: false }
    const inode = this.#names.get(file)
    return inode && { size: inode.size, modified: inode.modified, directory: false, link: false }
  }

  async sync(file: string): Promise<void> {
    const fault = this.#faultOf('sync', file, 0)
    if (this.#directories.has(file)) {
      if (fault !== undefined) throw errno(fault.code, 'fsync', file)
      for (const { directory, apply } of this.#pendingNames) {
        if (directory === file) apply(this.#durableNames)
      }
      this.#pendingNames = this.#pendingNames.filter(({ directory }) => directory !== file)
    } else {
      this.#syncInode(this.#inode(file), file, fault)
    }
  }

  #handle(file: string, inode: Inode): FileHandle {
    const generation = this.#generation
    let open = true
    const check = (operation: Operation, bytes = 0): Fault | undefined => {
      if (!open || generation !== this.#generation) throw errno('EBADF', operation, file)
      return this.#faultOf(operation, file, bytes)
    }
    const failing = (operation: Operation): void => {
      const fault = check(operation)
      if (fault !== undefined) throw errno(fault.code, operation, file)
    }
    return {
      append: async (parts) => {
        await this.pause('append')
        const bytes = parts.reduce((sum, part) => sum + part.byteLength, 0)
        this.#append(inode, file, 'append', parts, check('append', bytes))
      },
      write: async (position, data) => {
        failing('writeAt')
        inode.write(position, data, (this.#ticks += 1))
      },
      read: async (position, length) => {
        failing('readAt')
        return inode.read(position, length)
      },
      sync: async () => {
        await this.pause('datasync')
        this.#syncInode(inode, file, check('datasync'))
      },
      truncate: async (length) => {
        failing('truncate')
        inode.truncate(length)
      },
      close: async () => {
        open = false
      },
    }
  }

  #append(
    inode: Inode,
    file: string,
    operation: Operation,
    parts: readonly Uint8Array[],
    fault: Fault | undefined,
  ): void {
    const bytes = Buffer.concat(parts)
    const room = this.capacity === Infinity ? Infinity : Math.max(0, this.capacity - this.used)
    const written = Math.min(fault === undefined ? bytes.byteLength : (fault.written ?? 0), room)
    this.#ticks += 1
    inode.write(inode.size, bytes.subarray(0, written), this.#ticks)
    if (fault !== undefined) throw errno(fault.code, operation, file)
    if (written < bytes.byteLength) throw errno('ENOSPC', operation, file)
  }

  #syncInode(inode: Inode, file: string, fault: Fault | undefined): void {
    inode.sync(fault === undefined || fault.kept === true)
    if (fault !== undefined) throw errno(fault.code, 'fdatasync', file)
  }

  #create(file: string): void {
    const directory = path.dirname(file)
    if (this.#names.has(directory)) throw errno('ENOTDIR', 'open', file)
    if (!this.#directories.has(directory)) throw errno('ENOENT', 'open', file)
    if (this.#directories.has(file)) throw errno('EISDIR', 'open', file)
    const inode = new Inode(this.#pageBytes)
    this.#rename(file, (names) => names.set(file, inode))
  }

  #rename(file: string, apply: (names: Map<string, Inode>) => void): void {
    apply(this.#names)
    this.#pendingNames.push({ directory: path.dirname(file), apply })
  }

  #inode(file: string): Inode {
    const inode = this.#names.get(file)
    if (inode !== undefined) return inode
    throw errno(this.#directories.has(file) ? 'EISDIR' : 'ENOENT', 'open', file)
  }

  #check(operation: Operation, file: string): void {
    const fault = this.#faultOf(operation, file, 0)
    if (fault !== undefined) throw errno(fault.code, operation, file)
  }

  #faultOf(operation: Operation, file: string, bytes: number): Fault | undefined {
    const nth = this.calls(operation) + 1
    this.#calls.set(operation, nth)
    return this.fault({ operation, path: file, nth, bytes })
  }
}

/** The bytes of a file twice: as processes see them, and as the disk has them. */
class Inode {
  readonly #pageBytes: number
  #seen = new Uint8Array(0)
  #stored = new Uint8Array(0)
  /** Pages that are newer in memory than on the disk. */
  readonly #dirty = new Set<number>()
  size = 0
  modified = 0
  #storedSize = 0

  constructor(pageBytes: number) {
    this.#pageBytes = pageBytes
  }

  read(position: number, length: number): Uint8Array {
    return this.#seen.slice(position, Math.min(position + length, this.size))
  }

  write(position: number, bytes: Uint8Array, now: number): void {
    const end = position + bytes.byteLength
    this.#seen = grown(this.#seen, end)
    this.#seen.set(bytes, position)
    this.#touch(position, end)
    this.size = Math.max(this.size, end)
    this.modified = now
  }

  truncate(length: number): void {
    this.#seen = grown(this.#seen, length)
    this.#seen.fill(0, length)
    this.#touch(Math.min(length, this.size), Math.max(length, this.size))
    this.size = length
  }

  /** Writes the dirty pages, or, not `kept`, forgets that they are dirty, as Linux does when an fsync fails. */
  sync(kept: boolean): void {
    if (kept) {
      for (const page of this.#dirty) this.#store(page)
      this.#storedSize = this.size
    }
    this.#dirty.clear()
  }

  crash(random: Random): void {
    for (const page of this.#dirty) if (random.float() < 0.5) this.#store(page)
    this.#dirty.clear()
    const [low, high] = [
      Math.min(this.size, this.#storedSize),
      Math.max(this.size, this.#storedSize),
    ]
    this.size = low + Math.floor(random.float() * (high - low + 1))
    this.#storedSize = this.size
    this.#seen = grown(this.#stored.slice(), this.size)
    this.#seen.fill(0, this.size)
    this.#stored = this.#seen.slice()
  }

  corrupt(position: number, change: (byte: number) => number): void {
    this.#seen[position] = change(this.#seen[position]!)
    this.#stored = grown(this.#stored, position + 1)
    this.#stored[position] = this.#seen[position]
  }

  #touch(from: number, to: number): void {
    const last = Math.ceil(to / this.#pageBytes)
    for (let page = Math.floor(from / this.#pageBytes); page < last; page++) this.#dirty.add(page)
  }

  #store(page: number): void {
    const from = page * this.#pageBytes
    const bytes = this.#seen.subarray(from, from + this.#pageBytes)
    this.#stored = grown(this.#stored, from + this.#pageBytes)
    this.#stored.fill(0, from, from + this.#pageBytes)
    this.#stored.set(bytes, from)
  }
}

/** `bytes`, or a larger copy that has room for `length`. */
function grown(bytes: Uint8Array<ArrayBuffer>, length: number): Uint8Array<ArrayBuffer> {
  if (bytes.byteLength >= length) return bytes
  const larger = new Uint8Array(Math.max(length, bytes.byteLength * 2))
  larger.set(bytes)
  return larger
}

function errno(code: string, call: string, file: string): Error {
  return Object.assign(new Error(`${code}: ${call} '${file}'`), { code, syscall: call, path: file })
}
