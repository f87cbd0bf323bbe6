/** The AWS client as a lake uses it: loaded only when it is needed, every wait and retry bounded, failures in our terms. */
import type { PutObjectCommandOutput, S3Client } from '@aws-sdk/client-s3'
import { error, HeadwaterError } from '../base/errors.ts'
import { errnoOf } from '../base/files.ts'
import { limits } from '../base/limits.ts'

type ResponseMetadata = PutObjectCommandOutput['$metadata']
type Sdk = typeof import('@aws-sdk/client-s3')

/** How the object store is reached. Credentials come from the environment, a profile or the machine's role, or from who grants them for a while. */
export interface S3Options {
  /** URL of a store that is not AWS. */
  readonly endpoint?: string | undefined
  readonly region?: string | undefined
  /** Bucket in the path rather than in the host name. */
  readonly forcePathStyle?: boolean | undefined
  /** Named profile of the shared AWS configuration. */
  readonly profile?: string | undefined
  /** In place of what the environment has. */
  readonly credentials?: S3Credentials | undefined
  readonly waits?: S3Waits | undefined
}

export interface S3Credentials {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string
}

/** Bounds of one call. */
export interface S3Waits {
  readonly attempts: number
  readonly connectMs: number
  /** Without a byte in either direction. */
  readonly idleMs: number
  /** From the start of a request to the head of its answer. */
  readonly requestMs: number
}

export interface S3Connection {
  readonly sdk: Sdk
  readonly client: S3Client
}

const WAITS: S3Waits = {
  attempts: limits.storageAttemptsMax,
  connectMs: limits.storageConnectMsMax,
  idleMs: limits.storageIdleMsMax,
  requestMs: limits.storageRequestMsMax,
}

/** What the client would print about busy sockets is no failure. */
const SILENT = { trace() {}, debug() {}, info() {}, warn() {}, error() {} }

export async function connectS3(options: S3Options): Promise<S3Connection> {
  const sdk = await import('@aws-sdk/client-s3')
  const { attempts, connectMs, idleMs, requestMs } = options.waits ?? WAITS
  const agent = { keepAlive: true, maxSockets: limits.storageConnectionsMax }
  const client = new sdk.S3Client({
    ...(options.endpoint === undefined ? {} : { endpoint: options.endpoint }),
    ...(options.region === undefined ? {} : { region: options.region }),
    ...(options.profile === undefined ? {} : { profile: options.profile }),
    ...(options.credentials === undefined ? {} : { credentials: options.credentials }),
    forcePathStyle: options.forcePathStyle ?? false,
    followRegionRedirects: true,
    retryMode: 'standard',
    maxAttempts: attempts,
    requestHandler: {
      connectionTimeout: connectMs,
      socketTimeout: idleMs,
      requestTimeout: requestMs,
      throwOnRequestTimeout: true,
      httpAgent: agent,
      httpsAgent: agent,
      logger: SILENT,
    },
  })
  return { sdk, client }
}

/** HTTP status of an answer that the store gave, undefined when it gave none. */
export function statusOf(cause: unknown): number | undefined {
  return metadataOf(cause)?.httpStatusCode
}

/** How often the request was sent before it failed. */
export function attemptsOf(cause: unknown): number {
  return metadataOf(cause)?.attempts ?? 1
}

function metadataOf(cause: unknown): ResponseMetadata | undefined {
  if (typeof cause !== 'object' || cause === null || !('$metadata' in cause)) return undefined
  return cause.$metadata as ResponseMetadata | undefined
}

/** A failure of the client in our terms; ENOENT as of a disk when the object is not there. */
export function storageFailure(cause: unknown, location: string): Error {
  if (cause instanceof HeadwaterError) return cause
  const name = cause instanceof Error ? cause.name : ''
  const message = cause instanceof Error ? cause.message : String(cause)
  const status = statusOf(cause)
  const detail = `${location}: ${[status, name, message].filter((part) => part !== undefined).join(' ')}.`
  if (name === 'NoSuchBucket') return error('storage_missing', detail, cause)
  if (status === 404) {
    return Object.assign(new Error(`ENOENT: no such object, ${location}`), { code: 'ENOENT' })
  }
  if (status === 401 || status === 403 || /Credentials|Token/.test(name)) {
    return error('storage_denied', detail, cause)
  }
  if (message === 'Region is missing') {
    return error('config_invalid', 'lake.s3.region is missing, and so is AWS_REGION.', cause)
  }
  if (unavailable(status, cause)) return error('storage_unavailable', detail, cause)
  return status === undefined && errnoOf(cause) !== undefined && cause instanceof Error
    ? cause
    : error('storage_refused', detail, cause)
}

const NETWORK = /^(ECONN|EPIPE|ETIMEDOUT|EHOST|ENET|ENOTFOUND|EAI_|ERR_STREAM|ERR_SSL|CERT_|EPROTO)/

/** Whether the same call may succeed later: no answer, a broken one, or one that says so. */
function unavailable(status: number | undefined, cause: unknown): boolean {
  if (status === 501) return false
  // A success whose body cannot be read is an answer that was cut or an error in disguise.
  if (status !== undefined) return status < 300 || status >= 500 || [408, 409, 429].includes(status)
  const name = cause instanceof Error ? cause.name : ''
  if (/Timeout|Abort/.test(name) || NETWORK.test(errnoOf(cause) ?? '')) return true
  return cause instanceof Error && cause.cause !== undefined
    ? unavailable(statusOf(cause.cause), cause.cause)
    : false
}
