/** Any sequence of appends, disk failures, restarts, power cuts and trims keeps what the log acknowledged, once and in order. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { assert } from '../../src/base/assert.ts'
import { seededRandom } from '../../src/base/random.ts'
import { openFileLog, type FileLog } from '../../src/log/index.ts'
import { MemoryFiles, type Call, type Fault } from '../support/files.ts'
import { frameOf, ManualClock, readAll, settled, valueOf } from './support.ts'

const limits = {
  groupCommitMs: 2,
  logProbeMs: 20,
  groupCommitBytesMax: 400,
  segmentBytes: 900,
  logPendingBytesMax: 5000,
} as const

interface Known {
  readonly id: number
  readonly end: number
}

/** The log under test, and what its callers know. */
class Model {
  readonly files = new MemoryFiles({ pageBytes: 64 })
  #clock = new ManualClock()
  #log: FileLog | undefined
  #nextId = 0
  /** What must be found: acknowledged, or found at a start. In order. */
  #known: Known[] = []
  /** Frames of this process that were reported as failed: they must not be found while it lives. */
  #committed = 0

  /** Appends frames; their answers are taken down when they come. */
  append(sizes: readonly number[]): void {
    for (const bytes of sizes) {
      const log = this.#log
      const id = this.#nextId++
      const result = log?.append(frameOf(id, bytes))
      if (result?.ok !== true) continue
      const { end, durable } = result.value
      void durable.then((answer) => {
        if (answer.ok && log === this.#log) this.#known.push({ id, end })
      })
    }
  }

  async advance(ms: number): Promise<void> {
    await this.#clock.advance(ms)
  }

  /** Trims behind the known frame that lies `part` of the way. */
  async trim(part: number): Promise<void> {
    const known = this.#known[Math.floor(part * this.#known.length)]
    if (known === undefined || this.#log === undefined) return
    this.#committed = Math.max(this.#committed, known.end)
    await this.#log.trim(this.#committed).catch(() => {})
  }

  async close(): Promise<void> {
    await this.#log?.close()
  }

  /** Starts a new process over the same files; a disk that fails may keep it from starting. */
  async open(): Promise<void> {
    await settled()
    this.#log = undefined
    this.#clock = new ManualClock()
    const opened = await openFileLog({
      directory: '/data/log',
      files: this.files,
      clock: this.#clock,
      limits,
      committed: this.#committed,
    })
    if (!opened.ok) {
      expect(opened.error.code).not.toBe('log_corrupt')
      return
    }
    const found = await readAll(opened.value, this.#committed).catch(() => undefined)
    if (found === undefined) {
      await opened.value.close()
      return
    }
    const known = found.map(({ frame, end }) => ({ id: frame.seq, end }))
    const ids = new Set(known.map(({ id }) => id))
    const lost = this.#kept().filter(({ id }) => !ids.has(id))
    expect(lost).toEqual([])
    expect(ids.size).toBe(known.length)
    expect(known.map(({ id }) => id)).toEqual([...ids].toSorted((a, b) => a - b))
    for (const { frame } of found) {
      expect(Buffer.compare(frame.payload, frameOf(frame.seq, frame.payload.length).payload)).toBe(
        0,
      )
    }
    expect(opened.value.durableEnd).toBe(known.at(-1)?.end ?? this.#committed)
    this.#known = known
    this.#log = opened.value
  }

  /** What the running log gives back is what was acknowledged, and nothing that failed. */
  async check(): Promise<void> {
    await settled()
    if (this.#log === undefined) return
    const found = await readAll(this.#log, this.#committed).catch(() => undefined)
    if (found === undefined) return
    expect(found.map(({ frame, end }) => ({ id: frame.seq, end }))).toEqual(this.#kept())
  }

  /** On a disk that is well again the log takes frames after one probe, and keeps them. */
  async heal(): Promise<void> {
    this.files.fault = () => undefined
    this.files.capacity = Infinity
    if (this.#log === undefined) await this.open()
    await this.#clock.advance(limits.logProbeMs * 2)
    assert(this.#log !== undefined, 'the log is open')
    expect(this.#log.health()).toEqual({ writable: true })
    const { durable } = valueOf(this.#log.append(frameOf(this.#nextId++)))
    await this.#clock.advance(limits.groupCommitMs)
    expect(await durable).toMatchObject({ ok: true })
    this.#known.push({ id: this.#nextId - 1, end: this.#log.durableEnd })
    await this.check()
  }

  #kept(): readonly Known[] {
    return this.#known.filter(({ end }) => end > this.#committed)
  }
}

type Step = (model: Model) => Promise<void> | void

const operation = fc.constantFrom<Call['operation']>(
  ...(['open', 'append', 'writeAt', 'datasync', 'truncate', 'remove', 'sync', 'list'] as const),
)
const fault: fc.Arbitrary<Fault> = fc.record(
  {
    code: fc.constantFrom('ENOSPC', 'EIO'),
    written: fc.nat(200),
    kept: fc.boolean(),
  },
  { requiredKeys: ['code'] },
)
const restart: Step = (model) => model.open()

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc
      .array(fc.integer({ min: 8, max: 250 }), { minLength: 1, maxLength: 8 })
      .map<Step>((sizes) => (model) => model.append(sizes)),
  },
  {
    weight: 6,
    arbitrary: fc.constantFrom(1, 2, 5, 30).map<Step>((ms) => (model) => model.advance(ms)),
  },
  // Some operations fail from now on.
  {
    weight: 3,
    arbitrary: fc
      .tuple(fc.array(operation, { minLength: 1, maxLength: 3 }), fault)
      .map<Step>(([operations, what]) => (model) => {
        model.files.fault = (call) => (operations.includes(call.operation) ? what : undefined)
      }),
  },
  // Everything fails after some more operations, as if the process had died there.
  {
    weight: 2,
    arbitrary: fc.tuple(fc.nat(12), fault).map<Step>(([count, what]) => (model) => {
      let left = count
      model.files.fault = () => (left-- > 0 ? undefined : what)
    }),
  },
  {
    weight: 3,
    arbitrary: fc.constant<Step>((model) => {
      model.files.fault = () => undefined
    }),
  },
  {
    weight: 1,
    arbitrary: fc.nat(3000).map<Step>((room) => (model) => {
      model.files.capacity = model.files.used + room
    }),
  },
  {
    weight: 2,
    arbitrary: fc
      .double({ min: 0, max: 0.99, noNaN: true })
      .map<Step>((part) => (model) => model.trim(part)),
  },
  { weight: 2, arbitrary: fc.constant<Step>(restart) },
  {
    weight: 1,
    arbitrary: fc.constant<Step>(async (model) => {
      await model.close()
      await model.open()
    }),
  },
  {
    weight: 3,
    arbitrary: fc.nat().map<Step>((seed) => async (model) => {
      await settled()
      model.files.crash(seededRandom(seed))
      await model.open()
    }),
  },
  { weight: 2, arbitrary: fc.constant<Step>((model) => model.heal()) },
)

test('whatever happens', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60, size: 'max' }), async (steps) => {
      const model = new Model()
      await model.open()
      for (const each of steps) {
        await each(model)
        await model.check()
      }
      await model.heal()
      model.files.crash(seededRandom(steps.length))
      await model.open()
      await model.heal()
    }),
    { numRuns: Number(process.env['CHAOS_RUNS'] ?? 300) },
  )
}, 600_000)
