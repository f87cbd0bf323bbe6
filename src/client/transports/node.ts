/** The transport over node:http with kept connections and gzip: a third of the cost of fetch in Node. */
import http from 'node:http'
import https from 'node:https'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import * as limits from '../../base/client-limits.ts'
import type { Transport, TransportAnswer, TransportRequest } from '../transport.ts'

export interface NodeTransportOptions {
  /** Compress bodies of at least this many characters; Infinity for never. */
  readonly gzipFrom?: number
  /** Connections kept open. */
  readonly connections?: number
  /** Headers of every request, such as `user-agent`. */
  readonly headers?: Readonly<Record<string, string>>
}

type Encoding = 'gzip' | undefined

export function nodeTransport(options: NodeTransportOptions = {}): Transport {
  const { connections = 4, headers = {} } = options
  let { gzipFrom = 1024 } = options
  const agents = {
    http: new http.Agent({ keepAlive: true, maxSockets: connections }),
    https: new https.Agent({ keepAlive: true, maxSockets: connections }),
  }
  const post = (
    bytes: Buffer,
    encoding: Encoding,
    { url, key, signal }: TransportRequest,
  ): Promise<TransportAnswer> => {
    const secure = url.startsWith('https:')
    const request = (secure ? https : http).request(url, {
      method: 'POST',
      agent: secure ? agents.https : agents.http,
      signal,
      headers: {
        ...headers,
        'content-length': bytes.length,
        ...(encoding === undefined ? {} : { 'content-encoding': encoding }),
        ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
      },
    })
    return answerOf(request, bytes)
  }
  return {
    async send(body, request) {
      if (body.length >= gzipFrom) {
        const answer = await post(await compress(body, { level: 1 }), 'gzip', request)
        if (answer.status !== 415) return answer
        // Nothing was kept, and this collector takes no gzip (PROTOCOL.md §9).
        gzipFrom = Infinity
      }
      return post(Buffer.from(body), undefined, request)
    },
  }
}

const compress = promisify(gzip)

function answerOf(request: http.ClientRequest, body: Buffer): Promise<TransportAnswer> {
  return new Promise((resolve, reject) => {
    request.on('error', reject)
    request.on('response', (response) => {
      const parts: Buffer[] = []
      let bytes = 0
      response.on('data', (part: Buffer) => {
        bytes += part.length
        if (bytes > limits.clientAnswerBytesMax)
          request.destroy(new Error('the answer is too long'))
        else parts.push(part)
      })
      response.on('error', reject)
      response.on('end', () => {
        resolve({
          status: response.statusCode ?? 0,
          body: Buffer.concat(parts).toString(),
          retryAfter: response.headers['retry-after'],
        })
      })
    })
    request.end(body)
  })
}
