/** How a client reaches the collector: the port and what it answers. */

export interface TransportRequest {
  readonly url: string
  readonly key: string | undefined
  readonly timeoutMs: number
}

export interface TransportAnswer {
  readonly status: number
  readonly body: string
  /** Milliseconds of a Retry-After header. */
  readonly retryAfterMs?: number | undefined
}

export interface Transport {
  /** Sends one body. Undefined: it is not known whether it arrived. Never rejects. */
  send(body: string, request: TransportRequest): Promise<TransportAnswer | undefined>
}

/** Milliseconds of a Retry-After header in seconds (RFC 9110 §10.2.3). */
export function retryAfterMs(header: string | null | undefined): number | undefined {
  const seconds = Number(header ?? NaN)
  return seconds >= 0 ? seconds * 1000 : undefined
}
