/** Group commit: frames that are queued close together share one write, one fdatasync and one promise. */
import type { Clock } from '../base/clock.ts'
import { ok, type Result } from '../base/result.ts'
import { GroupBytes, SpareBlocks } from './blocks.ts'
import type { Frame } from './log.ts'

/** Frames that become durable together. Offsets are offsets of the log. */
export interface Group {
  readonly start: number
  readonly end: number
  readonly bytes: GroupBytes
}

export interface GroupSyncOptions {
  readonly clock: Clock
  readonly groupCommitMs: number
  readonly groupCommitBytesMax: number
  /** Makes one group durable; called for one group at a time, in order. */
  readonly write: (group: Group) => Promise<Result<void>>
}

interface PendingGroup extends Group {
  end: number
  readonly durable: Promise<Result<void>>
  readonly settle: (result: Result<void>) => void
  readonly cancelTimer: () => void
  /** Whether it has waited for its time, and now only for the group before it. */
  due: boolean
}

export class GroupSync {
  readonly #options: GroupSyncOptions
  /** Complete groups, the first of them being written. */
  #ready: PendingGroup[] = []
  #collecting: PendingGroup | undefined
  readonly #spare = new SpareBlocks()
  #writing = false
  #pendingBytes = 0

  constructor(options: GroupSyncOptions) {
    this.#options = options
  }

  /** Bytes that are queued or being written. */
  get pendingBytes(): number {
    return this.#pendingBytes
  }

  /**
   * Adds a frame of `bytes` bytes that begins at `offset`, the end of the frame before. The promise is that of its group,
   * and settles in order; after a failed write every group that is queued fails with the same error.
   */
  append(frame: Frame, offset: number, bytes: number): Promise<Result<void>> {
    const group = (this.#collecting ??= this.#begin(offset))
    group.bytes.add(frame, group.start)
    group.end = offset + bytes
    this.#pendingBytes += bytes
    if (group.end - group.start >= this.#options.groupCommitBytesMax) this.#complete(group)
    return group.durable
  }

  /** Writes what is queued without waiting longer; resolves when it is durable or has failed. */
  async flush(): Promise<void> {
    if (this.#collecting !== undefined) this.#complete(this.#collecting)
    await this.#ready.at(-1)?.durable
  }

  #begin(offset: number): PendingGroup {
    const { promise, resolve } = Promise.withResolvers<Result<void>>()
    const group: PendingGroup = {
      start: offset,
      end: offset,
      bytes: new GroupBytes(this.#spare),
      durable: promise,
      settle: resolve,
      cancelTimer: this.#options.clock.after(this.#options.groupCommitMs, () => {
        group.due = true
        if (!this.#writing) this.#complete(group)
      }),
      due: false,
    }
    return group
  }

  #complete(group: PendingGroup): void {
    if (this.#collecting !== group) return
    group.cancelTimer()
    this.#collecting = undefined
    this.#ready.push(group)
    if (!this.#writing) void this.#writeReady()
  }

  async #writeReady(): Promise<void> {
    this.#writing = true
    for (let group = this.#ready[0]; group !== undefined; group = this.#ready[0]) {
      const written = await this.#options.write(group)
      group.bytes.release()
      if (!written.ok) {
        this.#failAll(written)
        break
      }
      this.#ready.shift()
      this.#pendingBytes -= group.end - group.start
      group.settle(ok(undefined))
      const next = this.#collecting
      if (next?.due === true && this.#ready.length === 0) this.#complete(next)
    }
    this.#writing = false
  }

  #failAll(failure: Result<void>): void {
    const groups = this.#collecting === undefined ? this.#ready : [...this.#ready, this.#collecting]
    this.#collecting?.cancelTimer()
    this.#collecting = undefined
    this.#ready = []
    this.#pendingBytes = 0
    for (const group of groups) group.settle(failure)
  }
}
