/** Reckons how complete the tables are from the numbers that devices give their events (PROTOCOL.md §15): incremental, a function of the batches alone. */
import { limits } from '../base/limits.ts'
import type { LedgerEntry } from '../columns/ledger-entry.ts'

export interface CompletenessOptions {
  /** Share of what is known to be numbered that must have come for a time to count as complete, 0 … 1. */
  readonly objective: number
  /** A device not heard of for so long counts as idle or offline, and holds nothing back, ms. */
  readonly silenceMs: number
  /** Numbers that did not come for so long after later ones count as lost rather than under way, ms. */
  readonly patienceMs: number
  /** Boots remembered; over it those heard of longest ago are forgotten. */
  readonly bootsMax?: number
}

/** What is claimed of the events before `validThrough`. */
export interface Claim {
  /** ms since 1970. */
  readonly validThrough: number
  /** Of all types in the window before it. */
  readonly all: Share
  /** By event type; types without a known event in the window are absent. */
  readonly types: ReadonlyMap<string, Share>
}

export interface Share {
  readonly landed: number
  /** Numbered events: of one type an estimate, since a number that did not come does not say its type. */
  readonly expected: number
  /** landed of expected, 0 … 1; 1 where nothing is expected. */
  readonly share: number
  /** What the share cannot be below, whatever the types of the numbers that did not come. */
  readonly least: number
}

/** Batches of a boot that follow each other by `seq`; the ends are exclusive. */
interface Run {
  seqFrom: number
  seqTo: number
  firstFrom: number
  firstTo: number
  /** When its first batch came. */
  received: number
  /** Zero of the boot's clock as its first batch has it. */
  zero: number
  /** Latest event time of its last batch. */
  to: number
}

interface Boot {
  readonly runs: Run[]
  heard: number
  /** Latest event time of any of its batches. */
  through: number
}

/** Events by the minute of the batch they came in or are missing after. */
interface Minute {
  readonly types: Map<string, { landed: number; quarantined: number }>
  /** Numbers whose type is not known: missing, dropped, under way or lost. */
  untyped: number
}

const MINUTE_MS = 60_000

export class Completeness {
  readonly #options: CompletenessOptions
  /** Boots heard of within the silence, and before it; both in the order they were last heard of. */
  readonly #active = new Map<string, Boot>()
  readonly #quiet = new Map<string, Boot>()
  /** Boots with batches that have not come. */
  readonly #gapped = new Set<Boot>()
  readonly #minutes = new Map<number, Minute>()
  /** Minutes before this are not known any more. */
  #firstMinute = -Infinity
  #numbered = 0
  #asOf = 0

  constructor(options: CompletenessOptions) {
    this.#options = options
  }

  /** When the newest batch came, ms since 1970; 0 before the first. */
  get asOf(): number {
    return this.#asOf
  }

  /** Boots heard of within the silence. */
  get active(): number {
    return this.#active.size
  }

  /** Takes a batch; one that it has changes nothing. Batches come in the order they were received. */
  fold(entry: LedgerEntry): void {
    const received = Math.max(entry.received, this.#asOf)
    this.#advance(received)
    const boot = this.#active.get(entry.boot) ?? this.#quiet.get(entry.boot)
    const { seq, first, count, zero, newest = received } = entry
    const to = Math.min(newest, received)
    const run: Run = {
      seqFrom: seq,
      seqTo: seq + 1,
      firstFrom: first,
      firstTo: first + count,
      received,
      zero: Math.min(zero, received),
      to,
    }
    if (boot === undefined) {
      this.#hear(entry.boot, { runs: [run], heard: received, through: to })
      this.#gap(undefined, run, 1)
      if (seq > 0) this.#gapped.add(this.#active.get(entry.boot)!)
    } else {
      if (!this.#insert(boot, run)) return
      boot.heard = received
      boot.through = Math.max(boot.through, to)
      this.#hear(entry.boot, boot)
    }
    this.#count(entry, Math.floor(to / MINUTE_MS))
  }

  /** What can be claimed now; undefined before the first batch. */
  claim(): Claim | undefined {
    if (this.#asOf === 0) return undefined
    const validThrough = Math.min(this.#asOf, this.#heardThrough(), this.#underWayFrom())
    const last = Math.floor(validThrough / MINUTE_MS)
    const sums = new Map<string, { landed: number; quarantined: number }>()
    let untyped = 0
    for (
      let minute = last - limits.completenessWindowMs / MINUTE_MS + 1;
      minute <= last;
      minute++
    ) {
      const counts = this.#minutes.get(minute)
      if (counts === undefined) continue
      untyped += counts.untyped
      for (const [type, { landed, quarantined }] of counts.types) {
        const sum = sums.get(type)
        if (sum === undefined) sums.set(type, { landed, quarantined })
        else {
          sum.landed += landed
          sum.quarantined += quarantined
        }
      }
    }
    let landed = 0
    let typed = 0
    for (const sum of sums.values()) {
      landed += sum.landed
      typed += sum.landed + sum.quarantined
    }
    const types = [...sums].map(([type, sum]) => [type, shareOf(sum, typed, untyped)] as const)
    const expected = typed + untyped
    const share = expected === 0 ? 1 : landed / expected
    return {
      validThrough: Math.floor(validThrough),
      all: { landed, expected, share, least: share },
      types: new Map(types),
    }
  }

  /** The time that all active boots but the tolerated few were heard of through. */
  #heardThrough(): number {
    const ends = Float64Array.from(this.#active.values(), ({ through }) => through).sort()
    return ends[this.#tolerated(ends.length)] ?? Infinity
  }

  /** The time from which more numbers are under way than are tolerated. */
  #underWayFrom(): number {
    const gaps: { from: number; numbers: number }[] = []
    for (const boot of this.#gapped) {
      let waiting = false
      for (let i = 0; i < boot.runs.length; i++) {
        const [left, right] = [boot.runs[i - 1], boot.runs[i]!]
        if (left === undefined && right.seqFrom === 0) continue
        if (this.#asOf - right.received >= this.#options.patienceMs) continue
        const from = left?.to ?? right.zero
        const numbers = numbersBetween(left, right)
        if (numbers === 0 || Math.floor(from / MINUTE_MS) < this.#firstMinute) continue
        waiting = true
        gaps.push({ from, numbers })
      }
      // Time only makes gaps older; a new one brings the boot back.
      if (!waiting) this.#gapped.delete(boot)
    }
    let left = this.#tolerated(this.#numbered)
    for (const { from, numbers } of gaps.sort((a, b) => a.from - b.from)) {
      left -= numbers
      if (left < 0) return from
    }
    return Infinity
  }

  #tolerated(count: number): number {
    return Math.floor(count * (1 - this.#options.objective) + 1e-9)
  }

  /** Adds a batch to a boot's runs; false when it is known, or claims numbers of another. */
  #insert(boot: Boot, run: Run): boolean {
    const { runs } = boot
    const found = runs.findIndex(({ seqTo }) => seqTo > run.seqFrom)
    const index = found === -1 ? runs.length : found
    const [left, right] = [runs[index - 1], runs[index]]
    if (right !== undefined && right.seqFrom <= run.seqFrom) return false
    if (left !== undefined && run.firstFrom < left.firstTo) return false
    if (right !== undefined && run.firstTo > right.firstFrom) return false
    if (right !== undefined) this.#gap(left, right, -1)
    this.#gap(left, run, 1)
    if (right !== undefined) this.#gap(run, right, 1)
    let placed = run
    if (left?.seqTo === run.seqFrom) {
      placed = Object.assign(left, { seqTo: run.seqTo, firstTo: run.firstTo, to: run.to })
    } else {
      runs.splice(index, 0, run)
    }
    if (right !== undefined && right.seqFrom === placed.seqTo) {
      Object.assign(placed, { seqTo: right.seqTo, firstTo: right.firstTo, to: right.to })
      runs.splice(runs.indexOf(right), 1)
    }
    if (runs.length > 1 || runs[0]!.seqFrom > 0) this.#gapped.add(boot)
    return true
  }

  /** Counts the numbers between two runs, which no batch has, at the time of the last event before them. */
  #gap(left: Run | undefined, right: Run, sign: 1 | -1): void {
    const numbers = numbersBetween(left, right)
    if (numbers === 0) return
    const minute = this.#minute(Math.floor((left?.to ?? right.zero) / MINUTE_MS))
    if (minute === undefined) return
    minute.untyped += sign * numbers
    this.#numbered += sign * numbers
  }

  #count({ count, types }: LedgerEntry, at: number): void {
    const minute = this.#minute(at)
    if (minute === undefined) return
    let typed = 0
    for (const { type, landed, quarantined } of types) {
      typed += landed + quarantined
      const known = minute.types.get(type)
      if (known === undefined) minute.types.set(type, { landed, quarantined })
      else {
        known.landed += landed
        known.quarantined += quarantined
      }
    }
    minute.untyped += count - typed
    this.#numbered += count
  }

  #minute(at: number): Minute | undefined {
    if (at < this.#firstMinute) return undefined
    let minute = this.#minutes.get(at)
    if (minute === undefined) {
      minute = { types: new Map(), untyped: 0 }
      this.#minutes.set(at, minute)
    }
    return minute
  }

  #hear(key: string, boot: Boot): void {
    this.#quiet.delete(key)
    // Set anew, so that the map is in the order of hearing.
    this.#active.delete(key)
    this.#active.set(key, boot)
    const { bootsMax = limits.completenessBootsMax } = this.#options
    if (this.#active.size + this.#quiet.size <= bootsMax) return
    const from = this.#quiet.size > 0 ? this.#quiet : this.#active
    const [oldest] = from
    const [oldestKey, { heard }] = oldest!
    from.delete(oldestKey)
    this.#gapped.delete(oldest![1])
    // What happened before it was last heard of cannot be told from what it would still tell.
    this.#forgetBefore(Math.floor(heard / MINUTE_MS) + 1)
  }

  /** Moves the clock: boots fall silent, and what is older than the memory is forgotten. */
  #advance(asOf: number): void {
    // Walking a map that is set anew all the time passes over what was deleted, so once a millisecond is enough.
    if (asOf === this.#asOf) return
    this.#asOf = asOf
    for (const [key, boot] of this.#active) {
      if (asOf - boot.heard < this.#options.silenceMs) break
      this.#active.delete(key)
      this.#quiet.set(key, boot)
    }
    const first = Math.floor((asOf - limits.completenessMemoryMs) / MINUTE_MS)
    if (first <= this.#firstMinute) return
    this.#forgetBefore(first)
    for (const [key, boot] of this.#quiet) {
      if (Math.floor(boot.heard / MINUTE_MS) >= this.#firstMinute) break
      this.#quiet.delete(key)
      this.#gapped.delete(boot)
    }
  }

  #forgetBefore(first: number): void {
    if (first <= this.#firstMinute) return
    this.#firstMinute = first
    for (const [at, { types, untyped }] of this.#minutes) {
      if (at >= first) continue
      this.#minutes.delete(at)
      this.#numbered -= untyped
      for (const { landed, quarantined } of types.values()) this.#numbered -= landed + quarantined
    }
  }
}

function numbersBetween(left: Run | undefined, right: Run): number {
  return Math.min(limits.completenessGapMax, right.firstFrom - (left?.firstTo ?? 0))
}

/** Numbers whose type is not known are taken to be of the mix of those whose type is. */
function shareOf(
  { landed, quarantined }: { readonly landed: number; readonly quarantined: number },
  typed: number,
  untyped: number,
): Share {
  const known = landed + quarantined
  const expected = typed === 0 ? known : (known * (typed + untyped)) / typed
  return {
    landed,
    expected: Math.round(expected),
    share: expected === 0 ? 1 : landed / expected,
    least: known === 0 ? 1 : landed / (known + untyped),
  }
}
