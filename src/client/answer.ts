/** What the collector answers (PROTOCOL.md §8, §9), for an app that wants to look at it. */

export interface Answer {
  /** The collector's wall clock, ms since 1970. */
  readonly server?: number
  readonly batches?: readonly BatchAnswer[]
  readonly error?: { readonly code: string; readonly message: string; readonly remedy: string }
}

export interface BatchAnswer {
  readonly boot: string
  readonly seq: number
  readonly status: 'accepted' | 'duplicate' | 'quarantined'
  readonly events: number
  readonly quarantined: number
  /** The first reasons; in development all of them. */
  readonly reasons?: readonly {
    readonly code: string
    readonly type?: string
    readonly field?: string
    readonly n?: number
    readonly message: string
  }[]
  /** Fields that no specification knows, as `type.field`. */
  readonly unknown?: readonly string[]
}
