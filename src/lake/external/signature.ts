/** Who asks, for catalogs of AWS: each request is signed (AWS Signature Version 4). */
import { createHash, createHmac, type Hash, type Hmac } from 'node:crypto'
import type { Clock } from '../../base/clock.ts'
import { error } from '../../base/errors.ts'
import { failed, ok } from '../../base/result.ts'
import type { Authorizer } from './http.ts'

/** What requests are signed for: Glue's catalog is `glue`, that of S3 Tables `s3tables`. */
export interface SigningScope {
  readonly region: string
  readonly service: string
}

export interface AwsCredentials {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string
}

/** The credentials chain of AWS: environment, shared files, web identity, containers, instances. Fails by exception. */
async function chain(): Promise<AwsCredentials> {
  const { defaultProvider } = await import('@aws-sdk/credential-provider-node')
  provider ??= defaultProvider()
  return provider()
}

let provider: (() => Promise<AwsCredentials>) | undefined

/** Signs every request with what `credentials` has at the time; the libraries are loaded with the first one. */
export function signed(
  scope: SigningScope,
  clock: Clock,
  credentials: () => Promise<AwsCredentials> = chain,
): Authorizer {
  return {
    authorize: async ({ method, url, headers, body }) => {
      const { SignatureV4 } = await import('@smithy/signature-v4')
      const { hostname, host, port, pathname, searchParams, protocol } = new URL(url)
      try {
        const signer = new SignatureV4({
          ...scope,
          credentials: await credentials(),
          sha256: Sha256,
          applyChecksum: true,
        })
        const request = await signer.sign(
          {
            method,
            protocol,
            hostname,
            ...(port === '' ? {} : { port: Number(port) }),
            path: pathname,
            query: Object.fromEntries(searchParams),
            headers: { ...headers, host },
            ...(body === undefined ? {} : { body }),
          },
          { signingDate: new Date(clock.wall()) },
        )
        const added = Object.entries(request.headers).filter(
          // The host is the transport's to send.
          ([name]) => headers[name] === undefined && name !== 'host',
        )
        return ok(Object.fromEntries(added))
      } catch (cause) {
        const message = cause instanceof Error ? cause.message : String(cause)
        return failed(
          error('catalog_refused', `${method} ${url} cannot be signed: ${message}`, cause),
        )
      }
    },
    // The chain renews what is about to end.
    renew: () => false,
  }
}

/** SHA-256 in the form that the signer takes, with a key or without. */
class Sha256 {
  readonly #hash: Hash | Hmac

  constructor(secret?: string | ArrayBuffer | ArrayBufferView) {
    this.#hash = secret === undefined ? createHash('sha256') : createHmac('sha256', bytesOf(secret))
  }

  update(data: string | ArrayBuffer | ArrayBufferView): void {
    this.#hash.update(bytesOf(data))
  }

  digest(): Promise<Uint8Array> {
    return Promise.resolve(this.#hash.digest())
  }

  reset(): void {
    throw new TypeError('a signature uses each hash once')
  }
}

function bytesOf(data: string | ArrayBuffer | ArrayBufferView): Buffer {
  if (typeof data === 'string') return Buffer.from(data)
  return data instanceof ArrayBuffer
    ? Buffer.from(data)
    : Buffer.from(data.buffer, data.byteOffset, data.byteLength)
}
