/** What the tests of the log share: frames, a clock that stands still until told, and reading all there is. */
import fc from 'fast-check'
import { assert } from '../../src/base/assert.ts'
import type { Clock } from '../../src/base/clock.ts'
import type { Result } from '../../src/base/result.ts'
import type { Frame, Log, StoredFrame } from '../../src/log/index.ts'

/** A frame whose payload tells `id` and has at least `bytes` bytes. */
export function frameOf(id: number, bytes = 0): Frame {
  const payload = Buffer.alloc(Math.max(bytes, 8), id % 251)
  payload.writeUInt32LE(id, 0)
  return {
    kind: 'batch',
    boot: new Uint8Array(16).fill(7),
    seq: id,
    first: id * 3,
    count: 3,
    fingerprint: id,
    meta: Buffer.from('{}'),
    payload,
  }
}

const uint32: fc.Arbitrary<number> = fc.oneof(
  fc.constantFrom(0, 1, 2 ** 31, 2 ** 32 - 1),
  fc.nat(2 ** 32 - 1),
)

export const anyFrame: fc.Arbitrary<Frame> = fc.record({
  kind: fc.constantFrom('batch' as const, 'bytes' as const),
  boot: fc.uint8Array({ minLength: 16, maxLength: 16 }),
  seq: uint32,
  first: fc.oneof(fc.constantFrom(0, 2 ** 32, Number.MAX_SAFE_INTEGER), fc.maxSafeNat()),
  count: uint32,
  fingerprint: uint32,
  meta: fc.uint8Array({ maxLength: 40 }),
  payload: fc.uint8Array({ maxLength: 200 }),
})

/** Plain arrays, so that a Buffer equals a Uint8Array. */
export function plain(frame: Frame): unknown {
  const { boot, meta, payload, ...rest } = frame
  return { ...rest, boot: [...boot], meta: [...meta], payload: [...payload] }
}

export async function readAll(log: Log, offset: number): Promise<StoredFrame[]> {
  const frames: StoredFrame[] = []
  for await (const stored of log.read(offset)) frames.push(stored)
  return frames
}

export async function readIds(log: Log, offset: number): Promise<number[]> {
  return (await readAll(log, offset)).map(({ frame }) => frame.seq)
}

/** The value of a result that has to be one. */
export function valueOf<T>(result: Result<T>): T {
  assert(result.ok, result.ok ? '' : result.error.message)
  return result.value
}

/** Appends one frame and waits until it is durable; its end. */
export async function appendOne(log: Log, frame: Frame): Promise<number> {
  const { end, durable } = valueOf(log.append(frame))
  valueOf(await durable)
  return end
}

/** A clock that moves only when told. */
export class ManualClock implements Clock {
  #now = 0
  #timers: { due: number; wake: () => void }[] = []

  wall(): number {
    return this.#now
  }

  monotonic(): number {
    return this.#now
  }

  after(ms: number, wake: () => void): () => void {
    const timer = { due: this.#now + ms, wake }
    this.#timers.push(timer)
    return () => {
      this.#timers = this.#timers.filter((each) => each !== timer)
    }
  }

  /** Moves on, waking what is due, and lets everything that waits for memory only run to its end. */
  async advance(ms: number): Promise<void> {
    const until = this.#now + ms
    for (;;) {
      const next = this.#timers
        .filter(({ due }) => due <= until)
        .toSorted((a, b) => a.due - b.due)[0]
      if (next === undefined) break
      this.#timers = this.#timers.filter((each) => each !== next)
      this.#now = next.due
      next.wake()
      await settled()
    }
    this.#now = until
    await settled()
  }
}

/** Resolves when nothing is left to run but timers and real input and output. */
export function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
