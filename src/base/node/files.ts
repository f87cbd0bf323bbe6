/** The file-system port over node:fs. */
import { constants, type Stats } from 'node:fs'
import fs from 'node:fs/promises'
import path from 'node:path'
import { errnoOf, type FileHandle, type Files } from '../files.ts'

const flags = { append: 'a+', read: 'r', update: 'r+' } as const

export const nodeFiles: Files = {
  open: async (file, mode) => handle(await fs.open(file, flags[mode])),
  read: (file) => fs.readFile(file),
  readRegular,
  isRegular: async (file) => {
    try {
      return (await fs.lstat(file)).isFile()
    } catch (cause) {
      if (errnoOf(cause) === 'ENOENT') return undefined
      throw cause
    }
  },
  write: async (file, data, options) => {
    const opened = await fs.open(file, 'w')
    try {
      await opened.writeFile(data)
      if (options?.sync === true) await opened.sync()
    } finally {
      await opened.close()
    }
  },
  link: (from, to) => fs.link(from, to),
  rename: (from, to) => fs.rename(from, to),
  remove: (file) => fs.rm(file, { force: true }),
  list: async (directory) => {
    try {
      return (await fs.readdir(directory)).toSorted()
    } catch (cause) {
      if (errnoOf(cause) === 'ENOENT') return []
      throw cause
    }
  },
  makeDirectory: async (directory) => {
    const first = await fs.mkdir(directory, { recursive: true })
    if (first !== undefined) await syncPath(path.dirname(first))
  },
  removeDirectory: (directory) => fs.rm(directory, { recursive: true, force: true }),
  touch: (file, modified) => fs.utimes(file, modified / 1000, modified / 1000),
  info: async (file) => {
    try {
      const named = await fs.lstat(file)
      const link = named.isSymbolicLink()
      const stat = link ? await targetOf(file, named) : named
      return { size: stat.size, modified: stat.mtimeMs, directory: stat.isDirectory(), link }
    } catch (cause) {
      if (errnoOf(cause) === 'ENOENT') return undefined
      throw cause
    }
  },
  sync: syncPath,
}

/** Without O_NONBLOCK a pipe that nobody writes to would be waited for. */
const READ_REGULAR = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW

async function readRegular(file: string, bytesMax: number): Promise<Uint8Array> {
  const opened = await fs.open(file, READ_REGULAR).catch((cause: unknown) => {
    // A link, and a socket.
    const other = errnoOf(cause) === 'ELOOP' || errnoOf(cause) === 'ENXIO'
    throw other ? refusal('ENOTSUP', file, 'not a regular file') : cause
  })
  try {
    const stat = await opened.stat()
    if (!stat.isFile()) throw refusal('ENOTSUP', file, 'not a regular file')
    if (stat.size > bytesMax) throw refusal('EFBIG', file, `more than ${bytesMax} bytes`)
    return await opened.readFile()
  } finally {
    await opened.close()
  }
}

function refusal(code: string, file: string, why: string): Error {
  return Object.assign(new Error(`${code}: ${why}, open '${file}'`), { code, path: file })
}

/** What a link leads to; a link that leads round in a circle to itself. */
async function targetOf(file: string, link: Stats): Promise<Stats> {
  return fs.stat(file).catch((cause: unknown) => {
    if (errnoOf(cause) === 'ELOOP') return link
    throw cause
  })
}

async function syncPath(file: string): Promise<void> {
  const opened = await fs.open(file, 'r')
  try {
    await opened.sync()
  } finally {
    await opened.close()
  }
}

function handle(opened: fs.FileHandle): FileHandle {
  return {
    append: async (parts) => {
      let rest = [...parts]
      while (rest.length > 0) {
        const { bytesWritten } = await opened.writev(rest)
        rest = remaining(rest, bytesWritten)
      }
    },
    write: async (position, data) => {
      for (let done = 0; done < data.byteLength;) {
        const { bytesWritten } = await opened.write(data, done, undefined, position + done)
        done += bytesWritten
      }
    },
    read: async (position, length) => {
      const buffer = new Uint8Array(length)
      let filled = 0
      while (filled < length) {
        const { bytesRead } = await opened.read(buffer, filled, length - filled, position + filled)
        if (bytesRead === 0) break
        filled += bytesRead
      }
      return buffer.subarray(0, filled)
    },
    sync: () => opened.datasync(),
    truncate: (length) => opened.truncate(length),
    close: () => opened.close(),
  }
}

/** What is left of `parts` after the first `written` bytes. */
function remaining(parts: readonly Uint8Array[], written: number): Uint8Array[] {
  let skip = written
  const rest: Uint8Array[] = []
  for (const part of parts) {
    if (skip >= part.byteLength) skip -= part.byteLength
    else {
      rest.push(skip === 0 ? part : part.subarray(skip))
      skip = 0
    }
  }
  return rest
}
