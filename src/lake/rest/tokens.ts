/** Who may use the catalog: bearer tokens that read or write. */
import { createHash } from 'node:crypto'
import { error, type HeadwaterError } from '../../base/errors.ts'

export type Scope = 'read' | 'write'

export interface Token {
  readonly token: string
  readonly scope: Scope
}

export interface Tokens {
  /** Without tokens everybody may read and write. */
  readonly open: boolean
  /** Why a request may not do what needs `scope`; undefined when it may. */
  refusal(authorization: string | undefined, scope: Scope): HeadwaterError | undefined
}

/** `tokens` by the name of their owner. */
export function tokensOf(tokens: Readonly<Record<string, Token>>): Tokens {
  // Tokens are looked up by their hash, so that the time of a look-up says nothing about a token.
  const scopes = new Map(Object.values(tokens).map(({ token, scope }) => [hash(token), scope]))
  return {
    open: scopes.size === 0,
    refusal: (authorization, scope) => {
      // Clients without a token send whatever they have, such as `Bearer None`.
      if (scopes.size === 0) return undefined
      const token = /^bearer +(\S+) *$/i.exec(authorization ?? '')?.[1]
      const found = token === undefined ? undefined : scopes.get(hash(token))
      if (found === undefined) {
        return error(
          'token_refused',
          token === undefined
            ? 'No token came with the request.'
            : 'The token is not one of the configured ones.',
        )
      }
      return scope === 'write' && found === 'read'
        ? error('scope_refused', 'The token may read and not write.')
        : undefined
    },
  }
}

function hash(token: string): string {
  return createHash('sha256').update(token).digest('base64')
}
