/** The storage port on a disk and on a real object store. */
import path from 'node:path'
import { beforeAll, describe } from 'vitest'
import { systemClock } from '../../src/base/clock.ts'
import { nodeFiles } from '../../src/base/node/files.ts'
import { systemRandom } from '../../src/base/random.ts'
import { localStorage, s3Storage } from '../../src/lake/index.ts'
import { storageConformance } from '../conformance/storage.ts'
import { temporaryFolder } from '../support/project.ts'
import { ACCESS, INSTALL_MS_MAX, skipS3, startS3 } from '../support/s3.ts'

storageConformance('a disk', async () => {
  const { folder, remove } = temporaryFolder('disk storage')
  const open = (): ReturnType<typeof localStorage> => localStorage(folder, nodeFiles, systemRandom)
  return { storage: open(), other: open(), done: async () => remove() }
})

describe.skipIf(skipS3)('an object store', () => {
  beforeAll(() => void Object.assign(process.env, ACCESS))

  storageConformance(
    'versitygw',
    async () => {
      const { folder, remove } = temporaryFolder('s3')
      const server = await startS3(path.join(folder, 'store'), ['lakes'])
      const open = (name: string): ReturnType<typeof s3Storage> =>
        s3Storage({
          root: 's3://lakes/some where/lake',
          endpoint: server.endpoint,
          forcePathStyle: true,
          spool: path.join(folder, name, 'spool'),
          cache: path.join(folder, 'cache'),
          cacheBytesMax: 100_000_000,
          files: nodeFiles,
          clock: systemClock,
          random: systemRandom,
        })
      const done = async (): Promise<void> => {
        await server.stop()
        remove()
      }
      return { storage: await open('one'), other: await open('two'), done }
    },
    INSTALL_MS_MAX,
  )
})
