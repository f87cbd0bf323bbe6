/** Strings that seldom repeat, as UTF-8 one after the other: cheaper than a dictionary that nearly every value would enter. */
import { assert } from '../base/assert.ts'

/** Strings up to this length are written character by character; the call into the engine costs more than they do. */
const SHORT = 48
const OFFSET_MAX = 2 ** 32

/** The text of row `r` is `bytes` from `starts[r]` to `ends[r]`; later rows lie behind earlier ones. */
export class Texts {
  bytes: Buffer = Buffer.allocUnsafeSlow(1 << 12)
  starts = new Uint32Array(0)
  ends = new Uint32Array(0)
  #end = 0

  /** Writes a string that is well formed. */
  put(value: string, row: number): void {
    const start = this.#end
    const { length } = value
    // A UTF-16 unit takes at most 3 bytes.
    if (start + length * 3 > this.bytes.length) this.#grow(start + length * 3)
    const { bytes } = this
    let end = start + length
    if (length > SHORT) end = start + bytes.write(value, start, 'utf8')
    else {
      for (let i = 0; i < length; i++) {
        const unit = value.charCodeAt(i)
        if (unit > 0x7f) {
          end = start + bytes.write(value, start, 'utf8')
          break
        }
        bytes[start + i] = unit
      }
    }
    this.starts[row] = start
    this.ends[row] = end
    this.#end = end
  }

  /** Writes the UTF-8 at `from` … `to` of `source`. */
  putBytes(source: Uint8Array, from: number, to: number, row: number): void {
    const start = this.#end
    const length = to - from
    if (start + length > this.bytes.length) this.#grow(start + length)
    const { bytes } = this
    if (length > SHORT) bytes.set(source.subarray(from, to), start)
    else for (let i = 0; i < length; i++) bytes[start + i] = source[from + i]!
    this.starts[row] = start
    this.ends[row] = start + length
    this.#end = start + length
  }

  ensure(capacity: number): void {
    if (capacity <= this.starts.length) return
    this.starts = grown(this.starts, capacity)
    this.ends = grown(this.ends, capacity)
  }

  /** Forgets the texts and keeps the memory. */
  clear(): void {
    this.#end = 0
  }

  #grow(needed: number): void {
    assert(needed < OFFSET_MAX, 'an epoch is sealed long before its texts outgrow 32 bits')
    const larger = Buffer.allocUnsafeSlow(
      Math.min(OFFSET_MAX - 1, 2 ** Math.ceil(Math.log2(needed))),
    )
    this.bytes.copy(larger, 0, 0, this.#end)
    this.bytes = larger
  }
}

function grown(offsets: Uint32Array, capacity: number): Uint32Array<ArrayBuffer> {
  const larger = new Uint32Array(capacity)
  larger.set(offsets)
  return larger
}
