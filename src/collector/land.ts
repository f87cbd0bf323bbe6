/** Lands one batch in an epoch: rows, ledger and quarantine, every number accounted for. The same for live and replayed batches. */
import type { ErrorCode } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import type { Epoch, Schemas } from '../columns/epoch.ts'
import { type BatchRow, type Chunk, isLate, type Rejected } from '../columns/events.ts'
import { bootZero } from '../columns/ledger-entry.ts'
import { type PlainReader, plainType } from '../columns/plain-chunk.ts'
import type { BatchPart } from './decode.ts'
import type { RequestFacts } from './intake.ts'
import { jsonText } from '../spec/values.ts'
import type { BatchStatus, Ledger, TypeCount } from './ledger.ts'
import { type Quarantined, writeQuarantined } from './quarantine.ts'

/** Why an event, chunk or batch is in quarantine, as the answer tells it (PROTOCOL.md §8). */
export interface Reason {
  readonly code: ErrorCode
  readonly type?: string
  readonly field?: string
  readonly n?: number
  readonly message: string
}

export interface Outcome {
  readonly boot: string
  readonly seq: number
  readonly status: BatchStatus
  readonly events: number
  readonly landed: number
  readonly quarantined: number
  readonly reasons: readonly Reason[]
  /** Unknown fields as `type.field`. */
  readonly unknown: readonly string[]
}

/** A batch at the door: what it says, where its bytes are, and what is known of the request. */
export interface Arrival {
  readonly part: BatchPart
  /** The body that the part's positions refer to. */
  readonly body: Uint8Array
  readonly facts: RequestFacts
  readonly fingerprint: number
}

/** Where a batch lands. */
export interface Ground {
  readonly epoch: Epoch
  readonly ledger: Ledger
  /** Event type, old names included → its current name. */
  readonly names: ReadonlyMap<string, string>
  readonly times: TimeRange
  readonly plain: PlainReader
}

/** Event type, old names included → its current name. */
export function eventNames({ specs }: Pick<Schemas, 'specs'>): ReadonlyMap<string, string> {
  const names = new Map<string, string>()
  for (const [name, spec] of specs.events) {
    names.set(name, name)
    for (const old of spec.was ?? []) names.set(old, name)
  }
  return names
}

/** How far from its receipt an event may claim to have happened (PROTOCOL.md §6). */
export interface TimeRange {
  readonly pastDays: number
  readonly futureMs: number
}

/** What a batch has in quarantine so far; `events` of each row is settled when the batch is closed. */
interface Held {
  readonly entry: Omit<Quarantined, 'events'>
  /** Numbers of the batch that the row stands for; of those that no chunk holds: at most one, or the rest. */
  readonly events: number | 'one' | 'rest'
}

/** Writes an accepted batch. */
export function landBatch(ground: Ground, arrival: Arrival): Outcome {
  const { epoch, ledger } = ground
  const { part, facts } = arrival
  const { header } = part
  const row = ledger.open(header, facts, arrival.fingerprint, part.end - part.start)
  const context = ledger.context(row, header.ctx)
  if (context.problem !== undefined) {
    const reason = { code: 'context_invalid', ...context.problem } as const
    return quarantineBatch(ground, arrival, row, reason, NO_TYPES)
  }
  const batch = batchRow(arrival, row, context.extra, ground.times)
  const unknown = new Set<string>(Object.keys(context.extra ?? {}))
  const held: Held[] = []
  const types: TypeCount[] = []
  for (let i = 0; i < part.lines.length; i++) {
    if (landPlain(ground, part, i, batch, types)) continue
    const object = part.chunk(i)
    if (object !== undefined) landChunk(ground, arrival, batch, object, held, unknown, types)
  }
  const landed = types.reduce((sum, type) => sum + type.landed, 0)
  if (part.broken !== undefined) {
    const { code, message, start, end } = part.broken
    const bytes = arrival.body.subarray(start, end)
    held.push({ entry: { ...origin(arrival), reason: code, message, bytes }, events: 'rest' })
  }
  const quarantined = settle(ground, arrival, held, landed, types)
  const missing = header.count - landed - quarantined
  const newest = batch.newest === -Infinity ? undefined : batch.newest
  ledger.close(row, { status: 'accepted', landed, quarantined, missing, newest, types })
  epoch.rows += landed + held.length + 1
  return {
    ...outcome(arrival, 'accepted', held.map(reasonOf)),
    landed,
    quarantined,
    unknown: unknown.size === 0 ? NONE : [...unknown],
  }
}

const DAY_MS = 86_400_000
const NONE: readonly string[] = []
const NO_TYPES: readonly TypeCount[] = []

/** Writes a batch that is known already: a row of the ledger only. */
export function landDuplicate(ground: Ground, arrival: Arrival): Outcome {
  const { part, facts } = arrival
  const row = ground.ledger.open(part.header, facts, arrival.fingerprint, part.end - part.start)
  ground.ledger.context(row, part.header.ctx)
  ground.ledger.close(row, { status: 'duplicate', landed: 0, quarantined: 0, missing: 0 })
  ground.epoch.rows += 1
  return { ...outcome(arrival, 'duplicate', []), landed: 0, quarantined: 0, unknown: NONE }
}

/** Writes a batch whole to quarantine: it overlaps or contradicts another one. */
export function landRefused(ground: Ground, arrival: Arrival, reason: Reason): Outcome {
  const { part, facts } = arrival
  const row = ground.ledger.open(part.header, facts, arrival.fingerprint, part.end - part.start)
  ground.ledger.context(row, part.header.ctx)
  return quarantineBatch(ground, arrival, row, reason)
}

function quarantineBatch(
  ground: Ground,
  arrival: Arrival,
  row: number,
  reason: Reason,
  types?: readonly TypeCount[],
): Outcome {
  const { part, body } = arrival
  const { count } = part.header
  writeQuarantined(ground.epoch.quarantine, {
    ...origin(arrival),
    events: count,
    field: reason.field,
    reason: reason.code,
    message: reason.message,
    bytes: body.subarray(part.start, part.end),
  })
  const counts = { status: 'quarantined', landed: 0, quarantined: count, missing: 0 } as const
  ground.ledger.close(row, types === undefined ? counts : { ...counts, types })
  ground.epoch.rows += 2
  return {
    ...outcome(arrival, 'quarantined', [reason]),
    landed: 0,
    quarantined: count,
    unknown: NONE,
  }
}

function outcome(
  arrival: Arrival,
  status: BatchStatus,
  reasons: readonly Reason[],
): Pick<Outcome, 'boot' | 'seq' | 'status' | 'events' | 'reasons'> {
  const { boot, seq, count } = arrival.part.header
  return { boot, seq, status, events: count, reasons }
}

function batchRow(
  { part: { header }, facts }: Pick<Arrival, 'part' | 'facts'>,
  row: number,
  extra: BatchRow['extra'],
  { pastDays, futureMs }: TimeRange,
): BatchRow {
  return {
    row,
    first: header.first,
    count: header.count,
    timeBase: bootZero({ received: facts.received, ...header }),
    received: facts.received,
    earliest: (facts.received - pastDays * DAY_MS) * 1000,
    latest: (facts.received + futureMs) * 1000,
    late: undefined,
    newest: -Infinity,
    seen: new Uint8Array(header.count),
    extra,
  }
}

/** Whether the batch would open a file for a day far from its receipt that the epoch has not. */
export function opensLateFile(
  ground: Ground,
  { part, facts }: Pick<Arrival, 'part' | 'facts'>,
): boolean {
  const { timeBase, earliest, latest } = batchRow({ part, facts }, 0, undefined, ground.times)
  return part.chunks.some(({ type, at }) => {
    const name = typeof type === 'string' ? ground.names.get(type) : undefined
    const table = name === undefined ? undefined : ground.epoch.table(name)
    if (table === undefined || !Array.isArray(at)) return false
    return at.some((time) => {
      const micros = (timeBase + Number(time)) * 1000
      if (!(micros >= earliest && micros <= latest)) return false
      const day = Math.floor(micros / (DAY_MS * 1000))
      return isLate(day, facts.received) && !table.days.has(day)
    })
  })
}

/** Lands a chunk line from its bytes, if it can be; counts what landed in `types`. */
function landPlain(
  { epoch, names, plain }: Ground,
  part: BatchPart,
  index: number,
  batch: BatchRow,
  types: TypeCount[],
): boolean {
  const { start, end, object } = part.lines[index]!
  if (object !== undefined) return false
  const type = plainType(part.body, start, end)
  const name = type === undefined ? undefined : names.get(type.name)
  const table = name === undefined ? undefined : epoch.table(name)
  if (type === undefined || table === undefined) return false
  const landed = plain.land(table, part.body, type.at, end, batch)
  if (landed < 0) return false
  countOf(types, table.spec.name).landed += landed
  return true
}

/** Lands one chunk: counts what landed in `types`, and adds the other events to `held`. */
function landChunk(
  ground: Ground,
  arrival: Arrival,
  batch: BatchRow,
  object: Readonly<Record<string, unknown>>,
  held: Held[],
  unknown: Set<string>,
  types: TypeCount[],
): void {
  const { type } = object
  const name = typeof type === 'string' ? ground.names.get(type) : undefined
  const table = name === undefined ? undefined : ground.epoch.table(name)
  const shaped = readChunk(object)
  if (typeof shaped !== 'object' || table === undefined) {
    held.push(heldChunk(arrival, batch, object, typeof shaped === 'object' ? undefined : shaped))
    return
  }
  const strange = table.unknownOf(shaped.cols)
  for (const column of strange) unknown.add(`${table.spec.name}.${column}`)
  const rejected = table.add(shaped, batch, strange)
  const count = countOf(types, table.spec.name)
  count.landed += shaped.n.length - (rejected?.length ?? 0)
  for (const event of rejected ?? []) {
    held.push(heldEvent(arrival, batch, table.spec.name, shaped, event))
  }
}

/** The count of a type; a batch has few. */
function countOf(types: TypeCount[], type: string): TypeCount {
  for (const known of types) if (known.type === type) return known
  const count = { type, landed: 0, quarantined: 0 }
  types.push(count)
  return count
}

/** The chunk of a line with its arrays seen to be of one length, or what is wrong with it. */
function readChunk(
  object: Readonly<Record<string, unknown>>,
): Chunk | 'chunk_invalid' | 'column_length' {
  const { n, at, within, cols } = object
  if (!Array.isArray(n) || !Array.isArray(at)) return 'chunk_invalid'
  if (typeof cols !== 'object' || cols === null || Array.isArray(cols)) return 'chunk_invalid'
  if (n.length > limits.batchEventsMax || at.length !== n.length) return 'column_length'
  let columns = 0
  for (const name in cols) {
    const values = (cols as Record<string, unknown>)[name]
    if (!Array.isArray(values)) return 'chunk_invalid'
    if (values.length !== n.length || ++columns > limits.columnsPerChunkMax) return 'column_length'
  }
  if (within !== undefined && within !== null) {
    if (!Array.isArray(within)) return 'chunk_invalid'
    if (within.length !== n.length) return 'column_length'
  }
  return { n, at, within: Array.isArray(within) ? within : undefined, cols: cols as Chunk['cols'] }
}

/** A chunk that goes to quarantine as one row: of an unknown type, or misshapen. */
function heldChunk(
  arrival: Arrival,
  batch: BatchRow,
  object: Readonly<Record<string, unknown>>,
  problem: 'chunk_invalid' | 'column_length' | undefined,
): Held {
  const type = typeof object['type'] === 'string' ? object['type'] : undefined
  const messages = {
    chunk_invalid: 'type, n, at and cols do not have the form of a chunk',
    column_length: 'the arrays of the chunk are not of one length',
    event_unknown: `no event type ${JSON.stringify(type)}`,
  }
  const code: keyof typeof messages =
    problem ?? (type === undefined ? 'chunk_invalid' : 'event_unknown')
  const entry = {
    ...origin(arrival),
    type,
    reason: code,
    message: messages[code],
    ...contentOf(arrival, object),
  }
  return { entry, events: claimNumbers(object['n'], batch) }
}

/** Marks the numbers that a quarantined chunk names, so that they do not count as missing. */
function claimNumbers(n: unknown, batch: BatchRow): number {
  let claimed = 0
  for (const offset of Array.isArray(n) ? n : []) {
    if (typeof offset !== 'number' || offset >>> 0 !== offset || offset >= batch.count) continue
    if (batch.seen[offset] === 1) continue
    batch.seen[offset] = 1
    claimed++
  }
  return claimed
}

function heldEvent(
  arrival: Arrival,
  batch: BatchRow,
  type: string,
  chunk: Chunk,
  event: Rejected,
): Held {
  const { index, code } = event
  const unnumbered = code === 'number_out_of_range' || code === 'number_repeated'
  const fields: Record<string, unknown> = Object.create(null)
  for (const name in chunk.cols) fields[name] = chunk.cols[name]![index]
  const content = contentOf(arrival, {
    n: chunk.n[index],
    at: chunk.at[index],
    within: chunk.within?.[index],
    fields,
  })
  const n = unnumbered ? undefined : batch.first + (chunk.n[index] as number)
  const { field, message } = event
  const entry = { ...origin(arrival), n, type, field, reason: code, message, ...content }
  return { entry, events: unnumbered ? 'one' : 1 }
}

/** What did not land, as JSON; as the bytes of its batch where it is nested too deeply for that. */
function contentOf(
  { part, body }: Arrival,
  value: unknown,
): Pick<Quarantined, 'payload' | 'bytes'> {
  const payload = jsonText(value, limits.quarantineDepthMax)
  return payload === undefined ? { bytes: body.subarray(part.start, part.end) } : { payload }
}

function origin({
  part: { header },
  facts,
}: Arrival): Pick<Quarantined, 'received' | 'source' | 'sdk' | 'boot' | 'seq' | 'context'> {
  return {
    received: facts.received,
    source: facts.source,
    sdk: header.sdk,
    boot: header.boot,
    seq: header.seq,
    context: jsonText(header.ctx, limits.quarantineDepthMax),
  }
}

/**
 * Writes the quarantine rows of a batch and answers how many of its numbers they stand for. Rows without a number of their own
 * (a repeated or impossible number) stand for one of the numbers that no chunk holds; a line that could not be read for all that are left.
 */
function settle(
  { epoch, names }: Ground,
  arrival: Arrival,
  held: readonly Held[],
  landed: number,
  types: TypeCount[],
): number {
  if (held.length === 0) return 0
  const { count } = arrival.part.header
  let quarantined = 0
  for (const { events } of held) if (typeof events === 'number') quarantined += events
  for (const { entry, events } of held) {
    const rest = count - landed - quarantined
    const most = { one: Math.min(1, rest), rest }
    const stands = typeof events === 'number' ? events : most[events]
    if (typeof events !== 'number') quarantined += stands
    const type = entry.type === undefined ? undefined : names.get(entry.type)
    if (type !== undefined && stands > 0) countOf(types, type).quarantined += stands
    writeQuarantined(epoch.quarantine, { ...entry, events: stands })
  }
  return quarantined
}

function reasonOf({ entry }: Held): Reason {
  return {
    code: entry.reason,
    ...(entry.type === undefined ? {} : { type: entry.type }),
    ...(entry.field === undefined ? {} : { field: entry.field }),
    ...(entry.n === undefined ? {} : { n: entry.n }),
    message: entry.message,
  }
}
