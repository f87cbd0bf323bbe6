/** Gathers the frames of a group in few large blocks: a write of many small parts costs far more than copying them. */
import { encodeFrame, frameBytes, writeFrame } from './frame.ts'
import type { Frame } from './log.ts'

const BLOCK_BYTES = 256 * 1024
/** A larger frame is written from where it lies. */
const COPIED_BYTES_MAX = 64 * 1024
const SPARE_MAX = 8

/** Blocks that no group uses any more. */
export class SpareBlocks {
  readonly #spare: Buffer[] = []

  take(): Buffer {
    return this.#spare.pop() ?? Buffer.allocUnsafeSlow(BLOCK_BYTES)
  }

  giveBack(blocks: readonly Buffer[]): void {
    for (const block of blocks) if (this.#spare.length < SPARE_MAX) this.#spare.push(block)
  }
}

/** The frames of one group as bytes. */
export class GroupBytes {
  readonly #spare: SpareBlocks
  readonly #blocks: Buffer[] = []
  readonly #parts: Uint8Array[] = []
  /** What of the last block is not in a part yet. */
  #from = 0
  #to = 0

  constructor(spare: SpareBlocks) {
    this.#spare = spare
  }

  /** Adds a frame; `durable` is what its header says of the log. */
  add(frame: Frame, durable: number): void {
    const bytes = frameBytes(frame)
    if (bytes > COPIED_BYTES_MAX) {
      this.#closePart()
      for (const part of encodeFrame(frame, durable)) {
        if (part.byteLength > 0) this.#parts.push(part)
      }
      return
    }
    let block = this.#blocks.at(-1)
    if (block === undefined || this.#to + bytes > block.length) {
      this.#closePart()
      block = this.#spare.take()
      this.#blocks.push(block)
      this.#from = 0
      this.#to = 0
    }
    this.#to = writeFrame(block, this.#to, frame, durable)
  }

  /** All that was added, in order. */
  parts(): readonly Uint8Array[] {
    this.#closePart()
    return this.#parts
  }

  /** Lets the blocks be used again: nothing reads the parts any more. */
  release(): void {
    this.#spare.giveBack(this.#blocks)
    this.#blocks.length = 0
    this.#parts.length = 0
  }

  #closePart(): void {
    const block = this.#blocks.at(-1)
    if (block !== undefined && this.#to > this.#from) {
      this.#parts.push(block.subarray(this.#from, this.#to))
    }
    this.#from = this.#to
  }
}
