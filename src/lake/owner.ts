/** Who owns a lake: one process of a data directory at a time, by a lock file that the dead cannot hold; and the directory's identity. */
import path from 'node:path'
import { error } from '../base/errors.ts'
import { errnoOf, type Files } from '../base/files.ts'
import { type Random, uuid } from '../base/random.ts'
import { failed, ok, type Result } from '../base/result.ts'

const ATTEMPTS_MAX = 3

/** Takes the lock of `root`; the value releases it. `lake_locked` while its owner lives. */
export async function takeOwnership(
  root: string,
  files: Files,
  random: Random,
): Promise<Result<() => Promise<void>>> {
  const lock = path.join(root, 'owner.lock')
  const mine = `${process.pid} ${await startOf(process.pid, files)} ${uuid(random)}`
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    const temporary = path.join(root, `.${uuid(random)}.lock`)
    await files.write(temporary, mine, { sync: true })
    try {
      await files.link(temporary, lock)
      return ok(() => files.remove(lock))
    } catch (cause) {
      if (errnoOf(cause) !== 'EEXIST') throw cause
    } finally {
      await files.remove(temporary)
    }
    const owner = await livingOwner(lock, files)
    if (owner !== undefined) {
      return failed(error('lake_locked', `${root} belongs to process ${owner}.`))
    }
    await files.remove(lock)
  }
  return failed(error('lake_locked', `${root}: another process keeps taking the lock.`))
}

/** The identity of a data directory, made when it has none: it goes where the log goes. */
export async function directoryIdentity(
  folder: string,
  files: Files,
  random: Random,
): Promise<string> {
  await files.makeDirectory(folder)
  const file = path.join(folder, 'owner.id')
  if ((await files.info(file)) === undefined) {
    const temporary = path.join(folder, `.${uuid(random)}.id`)
    await files.write(temporary, uuid(random), { sync: true })
    try {
      await files.link(temporary, file)
    } catch (cause) {
      if (errnoOf(cause) !== 'EEXIST') throw cause
    } finally {
      await files.remove(temporary)
    }
    await files.sync(folder)
  }
  return Buffer.from(await files.read(file)).toString()
}

/** The process that holds the lock, if it lives. A number alone proves nothing, since numbers are used again. */
async function livingOwner(lock: string, files: Files): Promise<number | undefined> {
  const text = await files.read(lock).then(
    (bytes) => Buffer.from(bytes).toString(),
    () => '',
  )
  const [id, start] = text.split(' ')
  const pid = Number(id)
  if (!Number.isInteger(pid) || pid <= 0 || !alive(pid)) return undefined
  return (await startOf(pid, files)) === start ? pid : undefined
}

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (cause) {
    return errnoOf(cause) === 'EPERM'
  }
}

/** When a process started, in the kernel's own count; `-` where the system does not say (proc(5), stat, field 22). */
async function startOf(pid: number, files: Files): Promise<string> {
  const stat = await files.read(`/proc/${pid}/stat`).then(
    (bytes) => Buffer.from(bytes).toString(),
    () => '',
  )
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '-'
}
