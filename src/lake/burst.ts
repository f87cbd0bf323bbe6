/** Storage whose writes go out side by side: a commit waits for the slowest of its files, rather than for one after the other. */
import type { Storage } from './storage.ts'

/** For one attempt at one table: `write` begins a write, and `settle` resolves when all of them are durable, or rejects as one of them did. */
export function burst(storage: Storage): Storage {
  const writes: Promise<void>[] = []
  return {
    root: storage.root,
    write: (location, bytes) => {
      const written = storage.write(location, bytes)
      // Whoever staged it may fail before it settles.
      written.catch(() => undefined)
      writes.push(written)
      return Promise.resolve()
    },
    settle: async (folder) => {
      await Promise.all(writes.splice(0))
      await storage.settle(folder)
    },
    read: (location) => storage.read(location),
    create: (location, bytes) => storage.create(location, bytes),
    replace: (location, bytes) => storage.replace(location, bytes),
    alias: (location, name) => storage.alias(location, name),
    names: (folder) => storage.names(folder),
    list: (folder) => storage.list(folder),
    info: (location) => storage.info(location),
    remove: (location) => storage.remove(location),
    identity: (location) => storage.identity(location),
    spool: (folder) => storage.spool(folder),
    adopt: (file) => storage.adopt(file),
    local: (location) => storage.local(location),
  }
}
