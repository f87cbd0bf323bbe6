/** The file-system port over node:fs. */
import fs from 'node:fs/promises'
import path from 'node:path'
import { errnoOf, type FileHandle, type Files } from '../files.ts'

const flags = { append: 'a+', read: 'r', update: 'r+' } as const

export const nodeFiles: Files = {
  open: async (file, mode) => handle(await fs.open(file, flags[mode])),
  read: (file) => fs.readFile(file),
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
      const stat = await fs.stat(file)
      return { size: stat.size, modified: stat.mtimeMs, directory: stat.isDirectory() }
    } catch (cause) {
      if (errnoOf(cause) === 'ENOENT') return undefined
      throw cause
    }
  },
  sync: syncPath,
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
