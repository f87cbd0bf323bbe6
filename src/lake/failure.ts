/** What storage refuses, in the terms of the error table. */
import { error, HeadwaterError } from '../base/errors.ts'
import { errnoOf } from '../base/files.ts'
import { limits } from '../base/limits.ts'

/** A refusal of the disk as a failure; anything else is a bug and is thrown again. */
export function diskFailure(cause: unknown, where: string): HeadwaterError {
  if (cause instanceof HeadwaterError) return cause
  const code = errnoOf(cause)
  if (code === undefined) throw cause
  const message = cause instanceof Error ? cause.message : String(cause)
  return error(code === 'ENOSPC' ? 'disk_full' : 'disk_failed', `${where}: ${message}.`, cause)
}

/** The failure of an object of metadata that is larger than any honest one. */
export function tooLarge(location: string): HeadwaterError {
  return error('lake_invalid', `${location} has more than ${limits.metadataBytesMax} bytes.`)
}
