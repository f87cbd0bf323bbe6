/** Takes bodies: tells repeats from new batches, appends to the log, lands the rows, and answers once all of it is durable. */
import { crc32 } from 'node:zlib'
import { error, type HeadwaterError } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import type { Result } from '../base/result.ts'
import type { Epoch, Schemas } from '../columns/epoch.ts'
import { PlainReader } from '../columns/plain-chunk.ts'
import type { Appended, Frame, Log, StoredFrame } from '../log/log.ts'
import { batchesAnswer, errorAnswer, refusal } from './answer.ts'
import { type BatchIdentity, Boots, Fingerprints } from './boots.ts'
import { type BatchPart, bootWords, type BytesPart, readParts, splitBody } from './decode.ts'
import type { Intake, IntakeAnswer, RequestFacts } from './intake.ts'
import {
  eventNames,
  landBatch,
  landDuplicate,
  landRefused,
  opensLateFile,
  type Arrival,
  type Ground,
  type Outcome,
  type TimeRange,
} from './land.ts'
import { Ledger } from './ledger.ts'
import { writeUnreadable } from './quarantine.ts'
import type { IntakeCounts } from './counts.ts'

/** Where rows go: the open epoch for batches received on a day, undefined while the engine is too far behind. */
export interface Epochs {
  open(day: number): Epoch | undefined
  /** Whether the engine is too far behind to take more. */
  readonly behind: boolean
}

export interface AdmissionOptions {
  readonly schemas: Schemas
  readonly epochs: Epochs
  readonly log: Log
  readonly counts: IntakeCounts
  /** All reasons in the answer rather than the first few. */
  readonly development: boolean
  readonly bootsMax?: number
  readonly times: TimeRange
}

/** What the log's frames say besides the payload (PROTOCOL.md §12, meta). */
interface Meta {
  readonly facts: RequestFacts
  /** A batch known to be a repeat when it came: its payload is the header line alone. */
  readonly duplicate?: true
  readonly bytes?: {
    readonly code: BytesPart['code']
    readonly message: string
    readonly events: number
  }
}

const NO_BOOT = new Uint8Array(16)
const DAY_MS = 86_400_000

export class Admission implements Intake {
  readonly #options: AdmissionOptions
  readonly #boots: Boots
  readonly #fingerprints = new Fingerprints()
  readonly #plain = new PlainReader()
  readonly #names: ReadonlyMap<string, string>
  readonly #ledgers = new WeakMap<Epoch, Ledger>()
  /** The meta that was made last: clients alike that come in the same millisecond share it. */
  #meta: (RequestFacts & { readonly rest: string; readonly bytes: Uint8Array }) | undefined
  /** How far the frames of one group of the log reach in one epoch; its epoch learns it when they are durable. */
  #reach: { epoch: Epoch; durable: Appended['durable']; end: number } | undefined
  /** Batches whose rows have landed but whose frame the log failed to keep: sent again, they are appended and not landed twice. */
  readonly #unlogged = new Map<string, Outcome>()

  constructor(options: AdmissionOptions) {
    this.#options = options
    this.#boots = new Boots(options.bootsMax)
    this.#names = eventNames(options.schemas)
  }

  /** Boots remembered for duplicates. */
  get boots(): number {
    return this.#boots.size
  }

  ready(): readonly string[] {
    const { log, epochs } = this.#options
    const health = log.health()
    const reasons: string[] = []
    if (!health.writable) reasons.push(health.error?.message ?? 'the log is not writable')
    if (epochs.behind) reasons.push('the engine is behind')
    return reasons
  }

  /** Makes a batch of the ledger known, as at the start of the process. Batches come in the order they were received. */
  recall(identity: BatchIdentity, fingerprint: number): void {
    const familiarity = this.#boots.look(identity)
    if (familiarity === 'known') return
    this.#boots.take(identity, familiarity !== 'overlap')
    this.#fingerprints.remember(identity.boot, identity.seq, fingerprint)
  }

  async take(body: Uint8Array, facts: RequestFacts): Promise<IntakeAnswer> {
    const buffer = Buffer.from(body.buffer, body.byteOffset, body.byteLength)
    const split = readParts(buffer)
    if (!split.ok) return errorAnswer(split.error)
    const parts = split.value
    const meta = this.#metaOf(facts)
    const outcomes: Outcome[] = []
    let last: Appended | undefined
    let refused: HeadwaterError | undefined
    for (const part of parts) {
      const result =
        part.kind === 'batch'
          ? this.#takeBatch(part, buffer, facts, meta)
          : this.#takeBytes(buffer.subarray(part.start, part.end), part, facts)
      if (!result.ok) {
        refused = result.error
        break
      }
      last = result.value.appended
      if (result.value.outcome !== undefined) outcomes.push(result.value.outcome)
    }
    const durable = last === undefined ? undefined : await last.durable
    if (durable?.ok === false) {
      for (const outcome of outcomes) this.#unlogged.set(unloggedKey(outcome), outcome)
      return refusal(durable.error)
    }
    // What stood before the refused part is durable, and a duplicate when the body is sent again.
    if (refused !== undefined) return refusal(refused)
    if (outcomes.length === 0) {
      return errorAnswer(error('body_not_batches', (parts[0] as BytesPart).message))
    }
    return batchesAnswer(outcomes, facts.received, this.#options.development)
  }

  async corrupt(raw: Uint8Array, facts: RequestFacts, detail: string): Promise<IntakeAnswer> {
    const problem = { code: 'body_corrupt', message: detail, events: 0 } as const
    const taken = this.#takeBytes(raw, problem, facts)
    if (!taken.ok) return refusal(taken.error)
    const durable = await taken.value.appended.durable
    return durable.ok ? errorAnswer(error('body_corrupt', detail)) : refusal(durable.error)
  }

  /** Lands a frame of the log again after a crash; `false` while the engine is too far behind to take it. */
  replay(stored: StoredFrame): boolean {
    const { frame } = stored
    const meta = JSON.parse(Buffer.from(frame.meta).toString()) as Meta
    const ground = this.#ground(meta.facts)
    if (ground === undefined) return false
    if (frame.kind === 'bytes') {
      this.#landBytes(ground, frame.payload, meta.bytes!, meta.facts)
    } else {
      const body = Buffer.from(frame.payload.buffer, frame.payload.byteOffset, frame.payload.length)
      const [part] = splitBody(body)
      if (part?.kind !== 'batch')
        throw error('log_corrupt', `no batch in the frame at ${stored.offset}`)
      if (meta.duplicate !== true && waits(ground, { part, facts: meta.facts })) return false
      const arrival = { part, body, facts: meta.facts, fingerprint: frame.fingerprint }
      const boot = bootWords(part.header.boot)
      if (meta.duplicate === true) landDuplicate(ground, arrival)
      else this.#land(ground, arrival, { ...identityOf(part), boot })
    }
    ground.epoch.frames++
    ground.epoch.end = stored.end
    return true
  }

  #takeBatch(
    part: BatchPart,
    body: Buffer,
    facts: RequestFacts,
    meta: Uint8Array,
  ): Result<{ outcome: Outcome; appended: Appended }> {
    const ground = this.#ground(facts)
    if (ground === undefined)
      return { ok: false, error: error('not_ready', 'the engine is behind') }
    const chunkLines = body.subarray(part.chunksAt, part.end)
    const fingerprint = crc32(chunkLines)
    const boot = bootWords(part.header.boot)
    const identity = { ...identityOf(part), boot }
    const familiarity = this.#boots.look(identity)
    if (familiarity === 'full') {
      return { ok: false, error: error('not_ready', 'no room to remember another boot') }
    }
    const unlogged =
      this.#unlogged.size === 0 ? undefined : this.#unlogged.get(unloggedKey(part.header))
    const repeat = familiarity === 'known' && unlogged === undefined
    const arrival = { part, body, facts, fingerprint }
    const duplicate = repeat && !this.#conflicts(identity, fingerprint)
    if (!repeat && unlogged === undefined && waits(ground, { part, facts })) {
      const message = `${limits.epochLateFilesMax} files of other days are open`
      return { ok: false, error: error('late_days_busy', message) }
    }
    const frame: Frame = {
      kind: 'batch',
      boot: new Uint8Array(boot.buffer),
      seq: identity.seq,
      first: identity.first,
      count: identity.count,
      fingerprint,
      meta: duplicate
        ? Buffer.from(JSON.stringify({ facts, duplicate: true } satisfies Meta))
        : meta,
      payload: body.subarray(part.start, duplicate ? part.chunksAt : part.end),
    }
    const appended = this.#options.log.append(frame)
    if (!appended.ok) return appended
    this.#endsAt(ground.epoch, appended.value)
    if (unlogged !== undefined) {
      void appended.value.durable.then((durable) => {
        if (durable.ok) this.#unlogged.delete(unloggedKey(part.header))
      })
      return { ok: true, value: { outcome: unlogged, appended: appended.value } }
    }
    const outcome = duplicate
      ? landDuplicate(ground, arrival)
      : this.#land(ground, arrival, identity)
    this.#options.counts.add(outcome)
    return { ok: true, value: { outcome, appended: appended.value } }
  }

  /** Lands a batch that is no mere repeat, and remembers it. */
  #land(ground: Ground, arrival: Arrival, identity: BatchIdentity): Outcome {
    switch (this.#boots.look(identity)) {
      case 'known':
        return this.#conflicts(identity, arrival.fingerprint)
          ? landRefused(ground, arrival, {
              code: 'batch_conflict',
              message: 'another batch with other content has this (boot, seq)',
            })
          : landDuplicate(ground, arrival)
      case 'overlap':
        this.#boots.take(identity, false)
        this.#fingerprints.remember(identity.boot, identity.seq, arrival.fingerprint)
        return landRefused(ground, arrival, {
          code: 'numbers_overlap',
          message: `numbers from ${identity.first} belong to another batch of the boot`,
        })
      case 'new':
      case 'full':
        this.#boots.take(identity)
        this.#fingerprints.remember(identity.boot, identity.seq, arrival.fingerprint)
        return landBatch(ground, arrival)
    }
  }

  #conflicts(identity: BatchIdentity, fingerprint: number): boolean {
    const remembered = this.#fingerprints.recall(identity.boot, identity.seq)
    return remembered !== undefined && remembered !== fingerprint
  }

  #takeBytes(
    bytes: Uint8Array,
    problem: {
      readonly code: BytesPart['code']
      readonly message: string
      readonly events: number
    },
    facts: RequestFacts,
  ): Result<{ outcome: undefined; appended: Appended }> {
    const ground = this.#ground(facts)
    if (ground === undefined)
      return { ok: false, error: error('not_ready', 'the engine is behind') }
    const { code, message, events } = problem
    const meta: Meta = { facts, bytes: { code, message, events } }
    const appended = this.#options.log.append({
      kind: 'bytes',
      boot: NO_BOOT,
      seq: 0,
      first: 0,
      count: 0,
      fingerprint: crc32(bytes),
      meta: Buffer.from(JSON.stringify(meta)),
      payload: bytes,
    })
    if (!appended.ok) return appended
    this.#endsAt(ground.epoch, appended.value)
    this.#landBytes(ground, bytes, { code, message, events }, facts)
    this.#options.counts.unreadable(code)
    return { ok: true, value: { outcome: undefined, appended: appended.value } }
  }

  #landBytes(
    ground: Ground,
    bytes: Uint8Array,
    problem: NonNullable<Meta['bytes']>,
    facts: RequestFacts,
  ): void {
    writeUnreadable(ground.epoch.quarantine, bytes, problem, facts)
    ground.epoch.rows += 1
  }

  #ground(facts: RequestFacts): Ground | undefined {
    const epoch = this.#options.epochs.open(Math.floor(facts.received / DAY_MS))
    if (epoch === undefined) return undefined
    if (epoch.empty) epoch.opened = facts.received
    let ledger = this.#ledgers.get(epoch)
    if (ledger === undefined) {
      ledger = new Ledger(epoch.batches, this.#options.schemas.specs.context.fields)
      this.#ledgers.set(epoch, ledger)
    }
    return { epoch, ledger, names: this.#names, times: this.#options.times, plain: this.#plain }
  }

  /** The epoch covers the frame once it is durable. Frames settle in order, so the last one to come settles last. */
  #endsAt(epoch: Epoch, { durable, end }: Appended): void {
    epoch.frames++
    if (this.#reach?.durable === durable && this.#reach.epoch === epoch) {
      this.#reach.end = end
      return
    }
    const reach = { epoch, durable, end }
    this.#reach = reach
    epoch.settled = durable.then((settled) => {
      if (settled.ok) epoch.end = Math.max(epoch.end, reach.end)
    })
  }

  /** The text `{"facts":…}`, of which clients alike share all but the time. */
  #metaOf({ received, source, enrichment }: RequestFacts): Uint8Array {
    const last = this.#meta
    const alike = last?.source === source && last.enrichment === enrichment
    if (alike && last.received === received) return last.bytes
    const rest = alike ? last.rest : JSON.stringify({ source, enrichment }).slice(1)
    const bytes = Buffer.from(`{"facts":{"received":${received},${rest}}`)
    this.#meta = { received, source, enrichment, rest, bytes }
    return bytes
  }
}

/** Whether a batch is to come again later, so that devices that return with days of events do not make files without bound. */
function waits(ground: Ground, arrival: Pick<Arrival, 'part' | 'facts'>): boolean {
  return ground.epoch.lateFiles >= limits.epochLateFilesMax && opensLateFile(ground, arrival)
}

function identityOf(part: BatchPart): { seq: number; first: number; count: number } {
  const { seq, first, count } = part.header
  return { seq, first, count }
}

function unloggedKey({ boot, seq }: { boot: string; seq: number }): string {
  return `${boot}.${seq}`
}
