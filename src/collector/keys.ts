/** Who may write: write keys and the names of their sources. */
import { createHash } from 'node:crypto'
import { error } from '../base/errors.ts'
import { failed, ok, type Result } from '../base/result.ts'

export interface Keys {
  /** The source that a request writes as, from its Authorization header and its `key` parameter (PROTOCOL.md §1). */
  sourceOf(authorization: string | undefined, parameter: string | null): Result<string>
}

/** With no keys at all everybody writes, as the source `open`. `keys` maps sources to keys. */
export function keysOf(keys: Readonly<Record<string, string>>): Keys {
  // Keys are looked up by their hash, so that the time of a look-up says nothing about a key.
  const sources = new Map(Object.entries(keys).map(([source, key]) => [hash(key), source]))
  const open = ok('open')
  return {
    sourceOf: (authorization, parameter) => {
      if (sources.size === 0) return open
      const key = bearer(authorization) ?? parameter
      if (key === null || key === '') {
        return failed(error('key_missing', 'No write key came with the request.'))
      }
      const source = sources.get(hash(key))
      return source === undefined
        ? failed(error('key_unknown', 'The write key is not one of the configured ones.'))
        : ok(source)
    },
  }
}

function bearer(authorization: string | undefined): string | undefined {
  return /^bearer +(\S+) *$/i.exec(authorization ?? '')?.[1]
}

function hash(key: string): string {
  return createHash('sha256').update(key).digest('base64')
}
