/** How a client reaches the collector: the port and what it answers. */

export interface TransportRequest {
  readonly url: string
  readonly key: string | undefined
  /** Aborts when the client has waited long enough; whatever comes later is not looked at. */
  readonly signal: AbortSignal
}

export interface TransportAnswer {
  readonly status: number
  readonly body: string
  /** The Retry-After header as it came: seconds or a date (RFC 9110 §10.2.3). */
  readonly retryAfter?: string | null | undefined
}

export interface Transport {
  /** Sends one body. Undefined or rejected: it is not known whether it arrived. */
  send(body: string, request: TransportRequest): Promise<TransportAnswer | undefined>
}
