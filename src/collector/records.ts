/** Turns batches into records for a broker (PROTOCOL.md §17): lands each in an epoch that is never written, and reads back what landed. */
import { crc32 } from 'node:zlib'
import { limits } from '../base/limits.ts'
import type { Column } from '../columns/column.ts'
import { Epoch, type Schemas } from '../columns/epoch.ts'
import type { EventRows } from '../columns/events.ts'
import { PlainReader } from '../columns/plain-chunk.ts'
import { presentText, type ValueText } from '../columns/json-values.ts'
import { numberAt, typesOf } from '../columns/ledger-entry.ts'
import type { TableBuffer } from '../columns/table.ts'
import type { StreamRecord } from '../log/records.ts'
import { ENVELOPE } from '../spec/envelope.ts'
import { LEDGER, QUARANTINE } from '../spec/system-tables.ts'
import type { BatchPart, BytesPart } from './decode.ts'
import type { RequestFacts } from './intake.ts'
import { eventNames, landBatch, type Ground, type Outcome, type TimeRange } from './land.ts'
import { Ledger } from './ledger.ts'
import { writeUnreadable } from './quarantine.ts'

/** The records of one batch. */
export interface BatchRecords {
  readonly outcome: Outcome
  /** Landed events and rows of the quarantine. */
  readonly rows: readonly StreamRecord[]
  /** The row of the ledger, which is sent when all of `rows` are durable. */
  readonly ledger: StreamRecord
}

/** A column with the reader of values that are not null. */
interface Readable {
  /** Its name and a colon, as JSON. */
  readonly key: string
  readonly column: Column
  readonly text: ValueText
}

/** The readers of the rows of one event type and day. */
interface RowTexts {
  readonly rows: EventRows
  readonly number: Readable
  readonly time: Readable
  readonly at: Readable
  /** Columns of the envelope that are left out where they are null throughout. */
  readonly sparse: readonly Readable[]
  readonly fields: readonly Readable[]
}

/** Rows of a batch that lie in the same columns. */
interface Group {
  readonly texts: RowTexts
  readonly rows: readonly number[]
}

/** An epoch to check in, with readers of its columns. */
interface Scratch {
  readonly ground: Ground
  readonly ledger: readonly Readable[]
  /** Those of its columns that event tables have as well. */
  readonly constant: readonly Readable[]
  readonly context: readonly Readable[]
  readonly quarantine: readonly Readable[]
  readonly texts: Map<EventRows, RowTexts>
  /** Bytes of the bodies that went through it. */
  bytes: number
}

const LEDGER_NAMES: readonly string[] = LEDGER.map(({ name }) => name)
const QUARANTINE_NAMES: readonly string[] = QUARANTINE.map(({ name }) => name)
/** Columns of the envelope that the ledger has as well: the same for all events of a batch. */
const CONSTANT_NAMES: readonly string[] = ENVELOPE.map(({ name }) => name).filter((name) =>
  LEDGER_NAMES.includes(name),
)

export class RecordMaker {
  readonly #schemas: Schemas
  readonly #names: ReadonlyMap<string, string>
  readonly #times: TimeRange
  readonly #plain = new PlainReader()
  #scratch: Scratch

  constructor(schemas: Schemas, times: TimeRange) {
    this.#schemas = schemas
    this.#names = eventNames(schemas)
    this.#times = times
    this.#scratch = this.#fresh()
  }

  /** The records of a batch, none of them bounded in size. */
  batch(part: BatchPart, body: Uint8Array, facts: RequestFacts): BatchRecords {
    const scratch = this.#room(part.end - part.start)
    const { ground, quarantine, texts } = scratch
    const { epoch } = ground
    const [row, held] = [epoch.batches.rows, epoch.quarantine.rows]
    const chunkBytes = part.end - part.chunksAt
    const fingerprint = crc32(body.subarray(part.chunksAt, part.end))
    const outcome = landBatch(ground, { part, body, facts, fingerprint })
    const { boot } = part.header
    const record = (topic: string, value: string): StreamRecord => ({
      topic,
      key: boot,
      value: Buffer.from(value),
      time: facts.received,
    })
    const rows: StreamRecord[] = []
    const ctx = `"ctx":{${members(scratch.context, row)}}`
    let constant: string | undefined
    for (const { type, landed } of typesOf(epoch.batches, row)) {
      if (landed === 0) continue
      const groups = groupsOf(epoch, type, row, texts)
      constant ??= `${members(scratch.constant, row)},"fingerprint":${fingerprint},${ctx}`
      for (const [index, some] of partsOf(groups, part.header, chunkBytes)) {
        rows.push(record(`events.${type}`, eventsValue(some, index, constant)))
      }
    }
    for (let i = held; i < epoch.quarantine.rows; i++) {
      const identity = `"i":${i - held},"fingerprint":${fingerprint}`
      rows.push(record('quarantine', `{"v":1,${identity},${members(quarantine, i)}}`))
    }
    return {
      outcome,
      rows,
      ledger: record('batches', `{"v":1,${members(scratch.ledger, row)},${ctx}}`),
    }
  }

  /** The record of bytes that are no batch. */
  bytes(
    bytes: Uint8Array,
    problem: Pick<BytesPart, 'code' | 'message' | 'events'>,
    facts: RequestFacts,
  ): StreamRecord {
    const { ground, quarantine } = this.#room(bytes.length)
    const table = ground.epoch.quarantine
    writeUnreadable(table, bytes, problem, facts)
    const value = `{"v":1,${members(quarantine, table.rows - 1)}}`
    return { topic: 'quarantine', key: null, value: Buffer.from(value), time: facts.received }
  }

  /** Room for a batch; what was read before is forgotten from time to time. */
  #room(bytes: number): Scratch {
    const { ground, bytes: before } = this.#scratch
    const full = ground.epoch.rows >= limits.scratchRowsMax || before >= limits.scratchBytesMax
    if (full) this.#scratch = this.#fresh()
    this.#scratch.bytes += bytes
    return this.#scratch
  }

  #fresh(): Scratch {
    const epoch = new Epoch(this.#schemas)
    const context = this.#schemas.specs.context.fields
    return {
      ground: {
        epoch,
        ledger: new Ledger(epoch.batches, context),
        names: this.#names,
        times: this.#times,
        plain: this.#plain,
      },
      ledger: readables(epoch.batches, LEDGER_NAMES),
      constant: readables(epoch.batches, CONSTANT_NAMES),
      context: readables(epoch.batches, Object.keys(context)),
      quarantine: readables(epoch.quarantine, QUARANTINE_NAMES),
      texts: new Map(),
      bytes: 0,
    }
  }
}

function readable(name: string, column: Column): Readable {
  return { key: `${JSON.stringify(name)}:`, column, text: presentText(column) }
}

function readables(table: TableBuffer, names: readonly string[]): Readable[] {
  return names.map((name) => readable(name, table.column(name)))
}

/** Members of a JSON object: the values of a row that are not null. */
function members(columns: readonly Readable[], row: number): string {
  let text = ''
  for (const { key, column, text: value } of columns) {
    if (column.isNull(row)) continue
    if (text !== '') text += ','
    text += key + value(row)
  }
  return text
}

/** The rows of a batch, which are the last ones of each day of an event type that it has. */
function groupsOf(
  epoch: Epoch,
  type: string,
  batch: number,
  texts: Map<EventRows, RowTexts>,
): Group[] {
  const groups: Group[] = []
  for (const rows of epoch.tables.get(type)?.days.values() ?? []) {
    let from = rows.rows
    while (from > 0 && rows.batch[from - 1] === batch) from--
    if (from === rows.rows) continue
    let known = texts.get(rows)
    if (known === undefined) texts.set(rows, (known = rowTexts(rows)))
    groups.push({
      texts: known,
      rows: Array.from({ length: rows.rows - from }, (_, i) => from + i),
    })
  }
  return groups
}

function rowTexts(rows: EventRows): RowTexts {
  return {
    rows,
    number: readable('n', rows.number),
    time: readable('event_time', rows.time),
    at: readable('at', rows.at),
    sparse: [
      readable('within', rows.within),
      readable('time_flag', rows.flag),
      readable('_extra', rows.extra),
    ],
    fields: rows.fields.map(([name, column]) => readable(name, column)),
  }
}

/** The parts of a batch that its rows belong to, by what every copy of the batch has in common. */
function partsOf(
  groups: readonly Group[],
  { first, count }: { readonly first: number; readonly count: number },
  chunkBytes: number,
): Map<number, Group[]> {
  const parts = Math.ceil(chunkBytes / limits.recordSplitBytes)
  if (parts <= 1) return new Map([[0, [...groups]]])
  const divided = new Map<number, Group[]>()
  for (const { texts, rows } of groups) {
    const byPart = new Map<number, number[]>()
    for (const row of rows) {
      const part = Math.floor(((numberAt(texts.rows.number, row) - first) * parts) / count)
      const some = byPart.get(part)
      if (some === undefined) byPart.set(part, [row])
      else some.push(row)
    }
    for (const [part, some] of byPart) {
      const known = divided.get(part)
      if (known === undefined) divided.set(part, [{ texts, rows: some }])
      else known.push({ texts, rows: some })
    }
  }
  return divided
}

function eventsValue(groups: readonly Group[], part: number, constant: string): string {
  const array = (pick: (texts: RowTexts) => Readable): string => arrayMember(groups, pick)
  let rows = 0
  for (const group of groups) rows += group.rows.length
  const { sparse, fields } = groups[0]!.texts
  let text = `{"v":1,"part":${part},"rows":${rows},${constant},"event_to":${latest(groups)}`
  text += `,${array(({ number }) => number)},${array(({ time }) => time)},${array(({ at }) => at)}`
  for (let i = 0; i < sparse.length; i++) {
    const member = sparseMember(groups, (texts) => texts.sparse[i]!)
    if (member !== undefined) text += `,${member}`
  }
  let cols = ''
  for (let i = 0; i < fields.length; i++) {
    const member = sparseMember(groups, (texts) => texts.fields[i]!)
    if (member !== undefined) cols += `${cols === '' ? '' : ','}${member}`
  }
  return `${text},"cols":{${cols}}}`
}

/** The member of a column; undefined where it is null throughout. */
function sparseMember(
  groups: readonly Group[],
  pick: (texts: RowTexts) => Readable,
): string | undefined {
  const filled = groups.some(({ texts, rows }) => {
    const { column } = pick(texts)
    return column.valid === undefined || rows.some((row) => !column.isNull(row))
  })
  return filled ? arrayMember(groups, pick) : undefined
}

function arrayMember(groups: readonly Group[], pick: (texts: RowTexts) => Readable): string {
  let values = ''
  for (const { texts, rows } of groups) {
    const { column, text } = pick(texts)
    const nulls = column.valid !== undefined
    for (const row of rows) {
      if (values !== '') values += ','
      values += nulls && column.isNull(row) ? 'null' : text(row)
    }
  }
  return `${pick(groups[0]!.texts).key}[${values}]`
}

/** JSON text of the latest event time. */
function latest(groups: readonly Group[]): string {
  let newest = -Infinity
  let text = ''
  for (const { texts, rows } of groups) {
    for (const row of rows) {
      const micros = numberAt(texts.rows.time, row)
      if (micros <= newest) continue
      newest = micros
      text = texts.time.text(row)
    }
  }
  return text
}
