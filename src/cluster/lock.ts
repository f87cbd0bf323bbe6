/** Lets one command at a time start or stop a cluster. */
import path from 'node:path'
import { type Clock, sleep } from '../base/clock.ts'
import { error } from '../base/errors.ts'
import { errnoOf, type Files } from '../base/files.ts'
import { limits } from '../base/limits.ts'
import { type Random, uuid } from '../base/random.ts'
import { failed, type Result } from '../base/result.ts'

export interface LockPorts {
  readonly files: Files
  readonly clock: Clock
  readonly random: Random
}

/** Does the work with the folder locked; waits for who has it, then fails with cluster_busy. */
export async function locked<T>(
  folder: string,
  ports: LockPorts,
  work: () => Promise<Result<T>>,
): Promise<Result<T>> {
  const { files, clock, random } = ports
  const lock = path.join(folder, 'lock')
  await files.makeDirectory(folder)
  const own = `${lock}.${uuid(random)}`
  await files.write(own, String(process.pid))
  try {
    const until = clock.monotonic() + limits.clusterLockMsMax
    while (!(await take(own, lock, files))) {
      if (clock.monotonic() > until) {
        return failed(error('cluster_busy', `${lock} belongs to a process that runs.`))
      }
      await sleep(clock, limits.clusterPollMs)
    }
    try {
      return await work()
    } finally {
      await files.remove(lock)
    }
  } finally {
    await files.remove(own)
  }
}

/** A link is made by one only; a lock whose owner has ended is taken away first. */
async function take(own: string, lock: string, files: Files): Promise<boolean> {
  try {
    await files.link(own, lock)
    return true
  } catch (cause) {
    if (errnoOf(cause) !== 'EEXIST') throw cause
  }
  const owner = await files.read(lock).then(
    (bytes) => Number(Buffer.from(bytes).toString()),
    () => undefined,
  )
  if (owner !== undefined && !runs(owner)) await files.remove(lock)
  return false
}

function runs(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (cause) {
    return errnoOf(cause) === 'EPERM'
  }
}
