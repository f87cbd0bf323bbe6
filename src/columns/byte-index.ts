/** Finds the code of a string by its bytes, so that a string which was seen before is never made again. */

/** Bytes of one slot: hash, code + 1 (0: free), start, length. */
const SLOT = 4
/** Slots that are looked at for one string; one that finds none is not indexed, so that colliding strings cost no more than this. */
const PROBES_MAX = 16

/** Start of `hashStep`. */
export const HASH_START: number = 0x811c9dc5 | 0

/** The hash of some bytes and one more (FNV-1a). */
export function hashStep(hash: number, byte: number): number {
  return Math.imul(hash ^ byte, 0x01000193)
}

/** An open-addressing table over a pool of the indexed bytes. A look-up compares all bytes: no two strings share a code. */
export class ByteIndex {
  #mask = 0
  #slots = new Int32Array(0)
  #used = 0
  #pool: Buffer = Buffer.alloc(0)
  #pooled = 0

  /** The code of the string at `start` … `end` of `bytes`; -1 where it is not indexed. */
  find(bytes: Uint8Array, start: number, end: number, hash: number): number {
    const slots = this.#slots
    if (slots.length === 0) return -1
    const mask = this.#mask
    const length = end - start
    for (let probe = 0, slot = spread(hash) & mask; probe < PROBES_MAX; probe++) {
      const at = slot * SLOT
      const code = slots[at + 1]!
      if (code === 0) return -1
      if (slots[at] === hash && slots[at + 3] === length) {
        if (this.#equal(slots[at + 2]!, bytes, start, length)) return code - 1
      }
      slot = (slot + 1) & mask
    }
    return -1
  }

  /** Indexes a string that is not indexed yet. */
  add(bytes: Uint8Array, start: number, end: number, hash: number, code: number): void {
    if (this.#used * 2 >= this.#slots.length / SLOT) this.#grow()
    const length = end - start
    if (this.#pooled + length > this.#pool.length) this.#growPool(this.#pooled + length)
    const at = this.#freeSlot(hash)
    if (at < 0) return
    this.#pool.set(bytes.subarray(start, end), this.#pooled)
    this.#put(at, hash, code + 1, this.#pooled, length)
    this.#pooled += length
    this.#used++
  }

  /** Forgets everything; keeps the memory of a small table. */
  clear(): void {
    if (this.#used === 0) return
    this.#used = 0
    this.#pooled = 0
    if (this.#slots.length <= KEPT) this.#slots.fill(0)
    else this.#slots = new Int32Array(0)
    if (this.#pool.length > KEPT) this.#pool = Buffer.alloc(0)
  }

  #equal(from: number, bytes: Uint8Array, start: number, length: number): boolean {
    const pool = this.#pool
    for (let i = 0; i < length; i++) if (pool[from + i] !== bytes[start + i]) return false
    return true
  }

  /** Where a free slot for `hash` lies; -1 where too many are taken. */
  #freeSlot(hash: number): number {
    for (let probe = 0, slot = spread(hash) & this.#mask; probe < PROBES_MAX; probe++) {
      if (this.#slots[slot * SLOT + 1] === 0) return slot * SLOT
      slot = (slot + 1) & this.#mask
    }
    return -1
  }

  #put(at: number, hash: number, code: number, start: number, length: number): void {
    this.#slots[at] = hash
    this.#slots[at + 1] = code
    this.#slots[at + 2] = start
    this.#slots[at + 3] = length
  }

  #grow(): void {
    const old = this.#slots
    const count = Math.max(64, (old.length / SLOT) * 2)
    this.#slots = new Int32Array(count * SLOT)
    this.#mask = count - 1
    this.#used = 0
    for (let at = 0; at < old.length; at += SLOT) {
      if (old[at + 1] === 0) continue
      const free = this.#freeSlot(old[at]!)
      if (free < 0) continue
      this.#put(free, old[at]!, old[at + 1]!, old[at + 2]!, old[at + 3]!)
      this.#used++
    }
  }

  #growPool(needed: number): void {
    const larger = Buffer.allocUnsafeSlow(2 ** Math.ceil(Math.log2(Math.max(needed, 1024))))
    this.#pool.copy(larger, 0, 0, this.#pooled)
    this.#pool = larger
  }
}

/** Elements above which a cleared table gives its memory back. */
const KEPT = 1 << 20

/** Mixes the high bits of a hash into the low ones, by which slots are found. */
function spread(hash: number): number {
  return hash ^ (hash >>> 15)
}
