/** The seam between the HTTP door and what takes the batches: the door knows requests, the intake knows events. */

/** What the address and the user agent of a request tell. */
export interface Enrichment {
  /** ISO 3166-1 alpha-2. */
  readonly geo_country?: string
  readonly ua_browser?: string
  readonly ua_os?: string
  readonly ua_device?: string
  readonly robot: boolean
}

/** What the collector knows of a request besides its body. */
export interface RequestFacts {
  /** Wall clock when the body was complete, ms since 1970; never goes back within a process. */
  readonly received: number
  /** Name of the write key; `open` when no keys are configured. */
  readonly source: string
  readonly enrichment: Enrichment
}

export interface IntakeAnswer {
  readonly status: number
  /** JSON text. */
  readonly body: string
  readonly retryAfterSeconds?: number
}

/** Takes decoded bodies. Promises resolve once what they answer for is durable, and never reject. */
export interface Intake {
  take(body: Uint8Array, facts: RequestFacts): Promise<IntakeAnswer>
  /** A compressed body that cannot be decompressed: its bytes go to quarantine. */
  corrupt(raw: Uint8Array, facts: RequestFacts, detail: string): Promise<IntakeAnswer>
  /** Why events cannot be taken now; empty when they can. */
  ready(): readonly string[]
}
