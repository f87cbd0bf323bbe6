/** Takes bodies without keeping anything: checks them, hands their records to a broker, and answers once the broker has all of them. */
import { error, type HeadwaterError } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import { failed, ok, type Result } from '../base/result.ts'
import type { Schemas } from '../columns/epoch.ts'
import type { RecordSink, StreamRecord } from '../log/records.ts'
import { batchesAnswer, errorAnswer, refusal } from './answer.ts'
import type { IntakeCounts } from './counts.ts'
import { type BytesPart, type Part, readParts } from './decode.ts'
import type { Intake, IntakeAnswer, RequestFacts } from './intake.ts'
import type { Outcome, TimeRange } from './land.ts'
import { RecordMaker } from './records.ts'

export interface ForwardOptions {
  readonly schemas: Schemas
  readonly sink: RecordSink
  readonly counts: IntakeCounts
  /** All reasons in the answer rather than the first few. */
  readonly development: boolean
  readonly times: TimeRange
}

/** What a body comes to. */
interface Taken {
  readonly outcomes: readonly Outcome[]
  readonly unread: readonly BytesPart['code'][]
  /** Records that may go at once, and those that go when these are durable. */
  readonly rows: readonly StreamRecord[]
  readonly ledger: readonly StreamRecord[]
}

export class Forward implements Intake {
  readonly #options: ForwardOptions
  readonly #maker: RecordMaker

  constructor(options: ForwardOptions) {
    this.#options = options
    this.#maker = new RecordMaker(options.schemas, options.times)
  }

  ready(): readonly string[] {
    const { failure } = this.#options.sink
    return failure === undefined ? [] : [failure.message]
  }

  async take(body: Uint8Array, facts: RequestFacts): Promise<IntakeAnswer> {
    const buffer = Buffer.from(body.buffer, body.byteOffset, body.byteLength)
    const parts = readParts(buffer)
    if (!parts.ok) return errorAnswer(parts.error)
    const taken = this.#records(parts.value, buffer, facts)
    if (!taken.ok) return refusal(taken.error)
    const refused = await this.#send(taken.value)
    if (refused !== undefined) return refusal(refused)
    const { outcomes } = taken.value
    if (outcomes.length === 0) {
      return errorAnswer(error('body_not_batches', (parts.value[0] as BytesPart).message))
    }
    return batchesAnswer(outcomes, facts.received, this.#options.development)
  }

  async corrupt(raw: Uint8Array, facts: RequestFacts, detail: string): Promise<IntakeAnswer> {
    const problem = { code: 'body_corrupt', message: detail, events: 0 } as const
    const rows = [this.#maker.bytes(raw, problem, facts)]
    const taken = { outcomes: [], unread: [problem.code], rows, ledger: [] }
    const refused = await this.#send(taken)
    return refused === undefined ? errorAnswer(error('body_corrupt', detail)) : refusal(refused)
  }

  /** The records of a body, or why it cannot be taken: it is taken whole or not at all. */
  #records(parts: readonly Part[], body: Buffer, facts: RequestFacts): Result<Taken> {
    const outcomes: Outcome[] = []
    const unread: BytesPart['code'][] = []
    const rows: StreamRecord[] = []
    const ledger: StreamRecord[] = []
    for (const part of parts) {
      if (part.kind === 'bytes') {
        rows.push(this.#maker.bytes(body.subarray(part.start, part.end), part, facts))
        unread.push(part.code)
        continue
      }
      const made = this.#maker.batch(part, body, facts)
      outcomes.push(made.outcome)
      for (const row of made.rows) rows.push(row)
      ledger.push(made.ledger)
    }
    const large = [...rows, ...ledger].find(({ value }) => value.length > limits.recordBytesMax)
    if (large !== undefined) {
      const message = `a record of ${large.value.length} bytes, at most ${limits.recordBytesMax} are allowed`
      return failed(error('body_too_large', message))
    }
    return ok({ outcomes, unread, rows, ledger })
  }

  /** Why the records are not all durable; undefined when they are. */
  async #send({ outcomes, unread, rows, ledger }: Taken): Promise<HeadwaterError | undefined> {
    const { sink, counts } = this.#options
    for (const records of [rows, ledger]) {
      if (records.length === 0) continue
      const sent = await sink.send(records)
      if (!sent.ok) return sent.error
    }
    for (const outcome of outcomes) counts.add(outcome)
    for (const code of unread) counts.unreadable(code)
    return undefined
  }
}
