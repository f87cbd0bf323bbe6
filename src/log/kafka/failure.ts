/** What a failure of the client means: whose it is, and whether the same can succeed later. */
import { error, HeadwaterError } from '../../base/errors.ts'
import { limits } from '../../base/limits.ts'

export type FailureKind =
  /** The brokers are not there, or not in a state to write. */
  | 'unavailable'
  /** They do not let us. */
  | 'refused'
  /** A record is larger than they take. */
  | 'too_large'

/** Names of Kafka's errors and codes of the client's. */
const REFUSED =
  /AUTHENTICATION|AUTHORIZATION_FAILED|ILLEGAL_SASL_STATE|UNSUPPORTED_SASL_MECHANISM|POLICY_VIOLATION|INVALID_CONFIG|INVALID_PARTITIONS|INVALID_REPLICATION_FACTOR|UNSUPPORTED_COMPRESSION_TYPE|PLT_KFK_USER/
const TOO_LARGE = /MESSAGE_TOO_LARGE|RECORD_LIST_TOO_LARGE/

export function failureKind(cause: unknown): FailureKind {
  const names = [...chain(cause)].map(({ code, apiId }) => `${code} ${apiId}`).join(' ')
  if (TOO_LARGE.test(names)) return 'too_large'
  return REFUSED.test(names) || ownCode(cause) === 'broker_refused' ? 'refused' : 'unavailable'
}

/** The failure in our terms. */
export function failureOf(cause: unknown, doing: string): HeadwaterError {
  const codes = {
    unavailable: 'broker_unavailable',
    refused: 'broker_refused',
    too_large: 'body_too_large',
  } as const
  return error(codes[failureKind(cause)], `${doing}: ${wordsOf(cause)}.`, cause)
}

/** The innermost messages, each once: the outer ones only count attempts. */
function wordsOf(cause: unknown): string {
  const words = new Set<string>()
  for (const { message, apiId, leaf } of chain(cause)) {
    if (leaf) words.add(apiId === '' ? message : apiId)
  }
  return [...words].slice(-3).join('; ').replace(/\.$/, '')
}

interface Link {
  readonly code: string
  readonly apiId: string
  readonly message: string
  /** Whether nothing is behind it. */
  readonly leaf: boolean
}

/** A failure with all that it is made of. */
function* chain(cause: unknown): Iterable<Link> {
  const rest: unknown[] = [cause]
  for (let i = 0; i < rest.length && i < limits.brokerCausesMax; i++) {
    const one = rest[i]
    if (!(one instanceof Error)) continue
    const { code, apiId, errors, cause: behind } = one as Error & Readonly<Record<string, unknown>>
    const within = [...(Array.isArray(errors) ? errors : []), behind].filter(
      (each) => each instanceof Error,
    )
    rest.push(...within)
    yield {
      code: typeof code === 'string' ? code : '',
      apiId: typeof apiId === 'string' ? apiId : '',
      message: one.message,
      leaf: within.length === 0,
    }
  }
}

function ownCode(cause: unknown): string | undefined {
  if (cause instanceof HeadwaterError) return cause.code
  return cause instanceof Error ? ownCode(cause.cause) : undefined
}
