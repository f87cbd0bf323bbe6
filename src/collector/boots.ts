/** Remembers which batches of which boots were taken, so that no repeat counts twice: memory grows with boots, not with events. */
import { limits } from '../base/limits.ts'

/** A run of batches and the numbers they cover; `seqTo` and `firstTo` are exclusive. */
interface Range {
  seqFrom: number
  seqTo: number
  firstFrom: number
  firstTo: number
}

export interface BatchIdentity {
  /** The boot's 128 bits as four 32-bit words. */
  readonly boot: Uint32Array
  readonly seq: number
  readonly first: number
  readonly count: number
}

/**
 * What is known of a batch before it is taken: `new`; `known`: its (boot, seq) was taken; `overlap`: it claims numbers of
 * another batch (PROTOCOL.md §3); `full`: no room to remember it.
 */
export type Familiarity = 'new' | 'known' | 'overlap' | 'full'

/**
 * An open-addressing table of boots. Nearly every boot is one run of batches that starts at 0, which lives in typed arrays
 * (41 bytes a boot); boots with gaps keep their runs, sorted, in a side table.
 */
export class Boots {
  readonly #most: number
  #slots: number
  #used = 0
  #keys: Uint32Array
  #seqFrom: Uint32Array
  #seqTo: Uint32Array
  #firstFrom: Float64Array
  #firstTo: Float64Array
  /** 1 where the boot has gaps. */
  #gapped: Uint8Array
  readonly #gaps = new Map<string, Range[]>()

  constructor(most: number = limits.bootsMax) {
    this.#most = most
    this.#slots = 1 << 12
    this.#keys = new Uint32Array(this.#slots * 4)
    this.#seqFrom = new Uint32Array(this.#slots)
    this.#seqTo = new Uint32Array(this.#slots)
    this.#firstFrom = new Float64Array(this.#slots)
    this.#firstTo = new Float64Array(this.#slots)
    this.#gapped = new Uint8Array(this.#slots)
  }

  /** Boots remembered. */
  get size(): number {
    return this.#used
  }

  /** Looks a batch up and changes nothing. */
  look(batch: BatchIdentity): Familiarity {
    const slot = this.#slotOf(batch.boot)
    if (this.#seqTo[slot] === 0) return this.#used >= this.#most ? 'full' : 'new'
    if (this.#follows(slot, batch)) return 'new'
    return familiarity(this.#rangesAt(slot, batch.boot), batch)
  }

  /** Takes a batch. With `numbered` false its numbers are left to others (a batch that `overlap`s). */
  take(batch: BatchIdentity, numbered = true): void {
    if (this.#used * 2 >= this.#slots) this.#grow()
    const slot = this.#slotOf(batch.boot)
    if (numbered && this.#follows(slot, batch)) {
      this.#seqTo[slot] = batch.seq + 1
      this.#firstTo[slot] = batch.first + batch.count
      return
    }
    const range: Range = {
      seqFrom: batch.seq,
      seqTo: batch.seq + 1,
      firstFrom: batch.first,
      firstTo: batch.first + batch.count,
    }
    if (this.#seqTo[slot] === 0) {
      this.#keys.set(batch.boot, slot * 4)
      this.#used++
      this.#setRange(slot, range)
      return
    }
    const merged = withRange(this.#rangesAt(slot, batch.boot), range, numbered)
    this.#setRange(slot, merged[0]!)
    const gapped = merged.length > 1
    if (gapped) this.#gaps.set(keyOf(batch.boot), merged)
    else if (this.#gapped[slot] === 1) this.#gaps.delete(keyOf(batch.boot))
    this.#gapped[slot] = gapped ? 1 : 0
  }

  /** Whether the boot in the slot is one run that the batch carries on: the usual case, told without making anything. */
  #follows(slot: number, { seq, first }: BatchIdentity): boolean {
    if (this.#gapped[slot] === 1 || this.#seqTo[slot] === 0) return false
    return this.#seqTo[slot] === seq && first >= this.#firstTo[slot]!
  }

  #rangesAt(slot: number, boot: Uint32Array): Range[] {
    const gaps = this.#gapped[slot] === 1 ? this.#gaps.get(keyOf(boot)) : undefined
    return (
      gaps ?? [
        {
          seqFrom: this.#seqFrom[slot]!,
          seqTo: this.#seqTo[slot]!,
          firstFrom: this.#firstFrom[slot]!,
          firstTo: this.#firstTo[slot]!,
        },
      ]
    )
  }

  #setRange(slot: number, range: Range): void {
    this.#seqFrom[slot] = range.seqFrom
    this.#seqTo[slot] = range.seqTo
    this.#firstFrom[slot] = range.firstFrom
    this.#firstTo[slot] = range.firstTo
  }

  /** The slot of a boot, or the free one where it belongs. A free slot has seqTo 0. */
  #slotOf(boot: Uint32Array): number {
    const mask = this.#slots - 1
    // Boot ids are random, so that their own bits are the hash; mixing two words spreads ids of careless clients.
    let slot = (Math.imul(boot[0]! ^ boot[2]!, 0x9e3779b1) ^ boot[1]! ^ boot[3]!) & mask
    while (this.#seqTo[slot] !== 0) {
      const at = slot * 4
      if (
        this.#keys[at] === boot[0] &&
        this.#keys[at + 1] === boot[1] &&
        this.#keys[at + 2] === boot[2] &&
        this.#keys[at + 3] === boot[3]
      ) {
        return slot
      }
      slot = (slot + 1) & mask
    }
    return slot
  }

  #grow(): void {
    const [keys, seqFrom, seqTo] = [this.#keys, this.#seqFrom, this.#seqTo]
    const [firstFrom, firstTo, gapped] = [this.#firstFrom, this.#firstTo, this.#gapped]
    this.#slots *= 2
    this.#keys = new Uint32Array(this.#slots * 4)
    this.#seqFrom = new Uint32Array(this.#slots)
    this.#seqTo = new Uint32Array(this.#slots)
    this.#firstFrom = new Float64Array(this.#slots)
    this.#firstTo = new Float64Array(this.#slots)
    this.#gapped = new Uint8Array(this.#slots)
    for (let from = 0; from < seqTo.length; from++) {
      if (seqTo[from] === 0) continue
      const key = keys.subarray(from * 4, from * 4 + 4)
      const slot = this.#slotOf(key)
      this.#keys.set(key, slot * 4)
      this.#seqFrom[slot] = seqFrom[from]!
      this.#seqTo[slot] = seqTo[from]!
      this.#firstFrom[slot] = firstFrom[from]!
      this.#firstTo[slot] = firstTo[from]!
      this.#gapped[slot] = gapped[from]!
    }
  }
}

function keyOf(boot: Uint32Array): string {
  return boot.join('.')
}

function familiarity(ranges: readonly Range[], batch: BatchIdentity): Familiarity {
  const after = ranges.findIndex((range) => range.seqTo > batch.seq)
  const next = after === -1 ? undefined : ranges[after]
  if (next !== undefined && next.seqFrom <= batch.seq) return 'known'
  const previous = after === -1 ? ranges.at(-1) : ranges[after - 1]
  if (previous !== undefined && batch.first < previous.firstTo) return 'overlap'
  if (next !== undefined && batch.first + batch.count > next.firstFrom) return 'overlap'
  const joins = previous?.seqTo === batch.seq || next?.seqFrom === batch.seq + 1
  return !joins && ranges.length >= limits.bootGapsMax ? 'full' : 'new'
}

/** `ranges` with `added` in its place, joined to its neighbours. */
function withRange(ranges: readonly Range[], added: Range, numbered: boolean): Range[] {
  const merged = [...ranges]
  const found = merged.findIndex((range) => range.seqTo > added.seqFrom)
  const index = found === -1 ? merged.length : found
  const previous = merged[index - 1]
  if (!numbered) {
    const edge = previous?.firstTo ?? merged[index]?.firstFrom ?? 0
    added.firstFrom = edge
    added.firstTo = edge
  }
  merged.splice(index, 0, added)
  if (merged[index + 1]?.seqFrom === added.seqTo) join(merged, index)
  if (previous?.seqTo === added.seqFrom) join(merged, index - 1)
  return merged
}

/** Makes one of the ranges at `index` and behind it. */
function join(ranges: Range[], index: number): void {
  const [left, right] = [ranges[index]!, ranges[index + 1]!]
  ranges.splice(index, 2, {
    seqFrom: left.seqFrom,
    seqTo: right.seqTo,
    firstFrom: left.firstFrom,
    firstTo: right.firstTo,
  })
}

/** A direct-mapped cache of batch fingerprints: constant memory, and newer batches push out older ones. */
export class Fingerprints {
  readonly #mask: number
  readonly #identity: Uint32Array
  readonly #fingerprint: Uint32Array

  /** `entries` is a power of two. */
  constructor(entries: number = limits.fingerprintsMax) {
    this.#mask = entries - 1
    this.#identity = new Uint32Array(entries * 2)
    this.#fingerprint = new Uint32Array(entries)
  }

  remember(boot: Uint32Array, seq: number, fingerprint: number): void {
    const [slot, a, b] = this.#place(boot, seq)
    this.#identity[slot * 2] = a
    this.#identity[slot * 2 + 1] = b
    this.#fingerprint[slot] = fingerprint
  }

  /** The fingerprint of a batch, or undefined when it is no longer remembered. */
  recall(boot: Uint32Array, seq: number): number | undefined {
    const [slot, a, b] = this.#place(boot, seq)
    if (this.#identity[slot * 2] !== a || this.#identity[slot * 2 + 1] !== b) return undefined
    return this.#fingerprint[slot]
  }

  #place(boot: Uint32Array, seq: number): [slot: number, a: number, b: number] {
    const a = (boot[0]! ^ Math.imul(seq + 1, 0x9e3779b1)) >>> 0
    const b = (boot[1]! ^ Math.imul(seq + 1, 0x85ebca6b)) >>> 0
    return [(a ^ Math.imul(b, 0xc2b2ae35)) & this.#mask, a, b]
  }
}
