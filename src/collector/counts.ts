/** Plain counters of what was taken in; metrics read them when they are scraped. */
import type { ErrorCode } from '../base/errors.ts'
import type { Outcome } from './land.ts'

export class IntakeCounts {
  batches = 0
  duplicates = 0
  landed = 0
  quarantined = 0
  /** Events in quarantine by reason. */
  readonly reasons = new Map<ErrorCode, number>()
  /** The first reasons seen, for people who watch. */
  readonly samples: Outcome['reasons'][number][] = []
  /** Events with a field that no specification knows, by `type.field`. */
  readonly unknown = new Map<string, number>()
  /** Bytes parts that could not be read as a batch, by reason. */
  readonly unread = new Map<ErrorCode, number>()

  add(outcome: Outcome): void {
    this.batches++
    if (outcome.status === 'duplicate') this.duplicates++
    this.landed += outcome.landed
    this.quarantined += outcome.quarantined
    for (const reason of outcome.reasons) {
      increment(this.reasons, reason.code)
      if (this.samples.length < SAMPLES_MAX) this.samples.push(reason)
    }
    for (const name of outcome.unknown) {
      // A client could send endless names; past the bound they count together.
      const known = this.unknown.has(name) || this.unknown.size < NAMES_MAX
      increment(this.unknown, known ? name : 'other')
    }
  }

  unreadable(code: ErrorCode): void {
    increment(this.unread, code)
  }
}

const SAMPLES_MAX = 20
const NAMES_MAX = 1000

function increment<K>(counts: Map<K, number>, key: K): void {
  counts.set(key, (counts.get(key) ?? 0) + 1)
}
