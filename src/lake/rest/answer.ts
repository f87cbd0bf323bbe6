/** Answers of the catalog: JSON with exact integers, and failures in the error model of the Iceberg REST specification. */
import { ERRORS, type ErrorCode, type HeadwaterError } from '../../base/errors.ts'
import { stringifyExact } from '../json.ts'

export interface Answer {
  readonly status: number
  readonly body?: string
  readonly headers?: Readonly<Record<string, string>>
}

export const NO_CONTENT: Answer = { status: 204 }

export function json(value: unknown, headers: Readonly<Record<string, string>> = {}): Answer {
  return { status: 200, body: stringifyExact(value), headers }
}

/** Names by which clients know failures; every other one is theirs alone. */
const TYPES: Partial<Record<ErrorCode, string>> = {
  table_unknown: 'NoSuchTableException',
  view_unknown: 'NoSuchViewException',
  namespace_unknown: 'NoSuchNamespaceException',
  table_exists: 'AlreadyExistsException',
  namespace_exists: 'AlreadyExistsException',
  namespace_not_empty: 'NamespaceNotEmptyException',
  commit_conflict: 'CommitFailedException',
  update_invalid: 'IllegalArgumentException',
  commit_unknown: 'CommitStateUnknownException',
  request_contradictory: 'UnprocessableEntityException',
  token_refused: 'NotAuthorizedException',
  scope_refused: 'ForbiddenException',
  host_refused: 'ForbiddenException',
  metadata_missing: 'NotFoundException',
  not_found: 'NotFoundException',
  method_not_allowed: 'UnsupportedOperationException',
  overloaded: 'TooManyRequestsException',
  disk_full: 'ServiceUnavailableException',
  disk_failed: 'ServiceUnavailableException',
}

/**
 * The answer to a failure. `committing`: the client has files that it removes only when it is sure that the commit failed. 5xx says that
 * nobody knows, so that a failure that is certain must not be one.
 */
export function refusal(failure: HeadwaterError, committing: boolean): Answer {
  const { code, detail } = failure
  const { status, retry } = ERRORS[code]
  if (committing && status >= 500 && code !== 'commit_unknown') {
    // Where a retry can help, the client is told to; it starts from the table as it then is.
    return retry === 'later'
      ? errorAnswer(409, 'CommitFailedException', detail)
      : errorAnswer(400, 'BadRequestException', detail)
  }
  const type = TYPES[code] ?? (status >= 500 ? 'InternalServerError' : 'BadRequestException')
  return errorAnswer(status, type, detail)
}

/** The answer when headwater itself is at fault: of a commit, nobody knows what became of it. */
export function bug(committing: boolean): Answer {
  const type = committing ? 'CommitStateUnknownException' : 'InternalServerError'
  return errorAnswer(500, type, 'headwater failed; its own log says how.')
}

function errorAnswer(code: number, type: string, message: string): Answer {
  const retry = code === 429 || code === 503 ? { 'retry-after': '2' } : {}
  return { status: code, body: JSON.stringify({ error: { message, type, code } }), headers: retry }
}
