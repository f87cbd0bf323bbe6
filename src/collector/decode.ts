/** Splits a body into batches, and tells what cannot be read as one (PROTOCOL.md §2, §3). Pure: nothing is kept. */
import { isAscii, isUtf8 } from 'node:buffer'
import { assert } from '../base/assert.ts'
import { error, type ErrorCode } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import { failed, ok, type Result } from '../base/result.ts'
import { looksPlain } from '../columns/plain-chunk.ts'

export interface Header {
  readonly boot: string
  readonly seq: number
  readonly first: number
  readonly count: number
  readonly sent: number
  readonly booted: number
  readonly clock: 'monotonic' | 'wall'
  readonly rtt: number | undefined
  readonly sdk: string | undefined
  readonly ctx: Readonly<Record<string, unknown>>
  readonly dropped: readonly (readonly [reason: string, first: number, count: number])[]
}

/** Bytes of the body that could not be read, from `start` to `end`. */
export interface Broken {
  readonly start: number
  readonly end: number
  readonly code: ErrorCode
  readonly message: string
}

type JsonObject = Readonly<Record<string, unknown>>

/** A chunk line of a batch; `object` is undefined until somebody wants it. */
export interface ChunkLine {
  readonly start: number
  readonly end: number
  object: JsonObject | undefined
}

/** A batch of a body. Its chunk lines are read when they are wanted, since most are landed without an object being made of them. */
export class BatchPart {
  readonly kind = 'batch'
  readonly header: Header
  /** What the positions refer to. */
  readonly body: Buffer
  /** The lines of the batch in the body: header line, then chunk lines from `chunksAt`. */
  readonly start: number
  readonly chunksAt: number
  end: number
  /** Chunk lines before the first that is known to be broken. */
  readonly lines: ChunkLine[] = []
  /** The line that could not be read, with all lines behind it. */
  broken: Broken | undefined
  readonly #read: LineReader

  constructor(header: Header, body: Buffer, start: number, chunksAt: number, read: LineReader) {
    this.header = header
    this.body = body
    this.start = start
    this.chunksAt = chunksAt
    this.end = chunksAt
    this.#read = read
  }

  /** The object of a chunk line; undefined when it cannot be read, and then the batch is broken there. */
  chunk(index: number): JsonObject | undefined {
    const line = this.lines[index]
    if (line === undefined || line.object !== undefined) return line?.object
    const read = this.#read(line.start, line.end)
    assert(read !== undefined, 'a chunk line is not blank')
    if (read.object !== undefined) return (line.object = read.object)
    this.lines.length = index
    const { start, code, message } = read
    this.broken = { start, end: this.end, code, message }
    return undefined
  }

  /** The objects of all chunk lines that can be read. */
  get chunks(): readonly JsonObject[] {
    const chunks: JsonObject[] = []
    for (let i = 0; i < this.lines.length; i++) {
      const chunk = this.chunk(i)
      if (chunk !== undefined) chunks.push(chunk)
    }
    return chunks
  }
}

export interface BytesPart extends Broken {
  readonly kind: 'bytes'
  /** Events that the bytes stand for, as far as a header says. */
  readonly events: number
}

export type Part = BatchPart | BytesPart

interface Line {
  readonly start: number
  readonly end: number
  readonly object: JsonObject | undefined
  readonly code: ErrorCode
  readonly message: string
}

/** The parts of a body that has some, and not too many. */
export function readParts(body: Buffer): Result<readonly Part[]> {
  const parts = splitBody(body)
  if (parts.length === 0) return failed(error('body_empty', 'no line in the body'))
  if (parts.length <= limits.bodyBatchesMax) return ok(parts)
  const message = `${parts.length} batches in a body, at most ${limits.bodyBatchesMax} are allowed`
  return failed(error('body_too_large', message))
}

type LineReader = (start: number, end: number) => Line | undefined

/** The parts of a body, in order; they cover every line of it. */
export function splitBody(body: Buffer): Part[] {
  const parts: Part[] = []
  const ascii = isAscii(body)
  const utf8 = ascii || isUtf8(body)
  const read = lineReader(body, ascii, utf8)
  const plain = utf8 ? plainFinder(body) : () => false
  let open: BatchPart | undefined
  let lost: (Broken & { events: number; end: number }) | undefined
  let at = 0
  while (at < body.length) {
    const newline = body.indexOf(10, at)
    const end = newline === -1 ? body.length : newline
    const next = newline === -1 ? body.length : newline + 1
    if (open !== undefined && open.lines.length < limits.chunksPerBatchMax && plain(at, end)) {
      addPlain(open, at, end > at && body[end - 1] === 13 ? end - 1 : end, next)
      at = next
      continue
    }
    const line = read(at, end)
    at = next
    if (line === undefined) continue
    const starts = line.object !== undefined && Object.hasOwn(line.object, 'boot')
    if (starts) {
      if (lost !== undefined) parts.push({ kind: 'bytes', ...lost })
      lost = undefined
      open = undefined
      const header =
        line.end - line.start > limits.headerBytesMax
          ? `the header line is longer than ${limits.headerBytesMax} bytes`
          : readHeader(line.object)
      if (typeof header === 'string') {
        lost = broken(line, next, 'header_invalid', header, eventsOf(line.object))
      } else {
        open = new BatchPart(header, body, line.start, next, read)
        parts.push(open)
      }
    } else if (lost !== undefined) {
      lost.end = next
    } else if (open === undefined) {
      lost = broken(line, next, line.code, line.message, 0)
    } else {
      addLine(open, line, next)
    }
  }
  if (lost !== undefined) parts.push({ kind: 'bytes', ...lost })
  return parts
}

/**
 * Finds lines that need not be read now, asked in their order: whether they are JSON or not, they are no header, since nothing in them
 * is a member `boot`, however it is written.
 */
function plainFinder(body: Buffer): (start: number, end: number) => boolean {
  const find = (what: number | Uint8Array, from: number): number => {
    const found = body.indexOf(what, from)
    return found === -1 ? body.length : found
  }
  let escape = find(BACKSLASH, 0)
  let boot = find(BOOT_END, 0)
  return (start, end) => {
    if (escape < start) escape = find(BACKSLASH, start)
    if (boot < start) boot = find(BOOT_END, start)
    return escape >= end && boot >= end && looksPlain(body, start)
  }
}

const BACKSLASH = 0x5c
/** How a member `boot` ends that has no escapes. Without its first quote, since quotes are frequent and the search stops at each. */
const BOOT_END = Buffer.from('boot"')

function addPlain(open: BatchPart, start: number, end: number, next: number): void {
  open.end = next
  if (open.broken !== undefined) open.broken = { ...open.broken, end: next }
  else open.lines.push({ start, end, object: undefined })
}

function addLine(open: BatchPart, line: Line, next: number): void {
  open.end = next
  if (open.broken !== undefined) {
    open.broken = { ...open.broken, end: next }
  } else if (line.object === undefined) {
    open.broken = broken(line, next, line.code, line.message, 0)
  } else if (open.lines.length >= limits.chunksPerBatchMax) {
    const message = `more than ${limits.chunksPerBatchMax} chunks in a batch`
    open.broken = broken(line, next, 'chunk_invalid', message, 0)
  } else {
    const { start, end, object } = line
    open.lines.push({ start, end, object })
  }
}

function broken(
  line: Line,
  end: number,
  code: ErrorCode,
  message: string,
  events: number,
): Broken & { events: number; end: number } {
  return { start: line.start, end, code, message, events }
}

/** A reader of one line; a body of ASCII, the usual case, is decoded without looking at it twice. */
function lineReader(body: Buffer, ascii: boolean, utf8: boolean): LineReader {
  return (start, end) => {
    const from = start
    const to = end > start && body[end - 1] === 13 ? end - 1 : end
    if (to === from) return undefined
    if (!utf8 && !isUtf8(body.subarray(from, to))) {
      return unread(from, to, 'line_not_utf8', 'the line is not UTF-8')
    }
    const text = body.toString(ascii ? 'latin1' : 'utf8', from, to)
    let value: unknown
    try {
      value = JSON.parse(text)
    } catch (cause) {
      if (text.trim() === '') return undefined
      const message = cause instanceof Error ? cause.message : String(cause)
      return unread(from, to, 'line_not_json', message.slice(0, 200))
    }
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      return unread(from, to, 'line_not_json', 'the line is not a JSON object')
    }
    return {
      start: from,
      end: to,
      object: value as Record<string, unknown>,
      code: 'body_not_batches',
      message: 'a chunk without a header before it',
    }
  }
}

function unread(start: number, end: number, code: ErrorCode, message: string): Line {
  return { start, end, object: undefined, code, message }
}

/** 22 characters of base64url that encode exactly 128 bits: the last one carries two of them. */
const BOOT = /^[A-Za-z0-9_-]{21}[AQgw]$/
const SEQ_END = 2 ** 31

/** The header of a line, or what is wrong with it. */
export function readHeader(object: Readonly<Record<string, unknown>>): Header | string {
  const { boot, seq, first, count, sent, booted, rtt, sdk } = object
  if (typeof boot !== 'string' || !BOOT.test(boot)) return 'boot is not 128 bits of base64url'
  if (!whole(seq, SEQ_END - 1)) return 'seq is not an integer in 0 … 2^31 − 1'
  if (!whole(count, limits.batchEventsMax)) return `count is not in 0 … ${limits.batchEventsMax}`
  if (!whole(first, Number.MAX_SAFE_INTEGER - count)) return 'first is not an integer up to 2^53'
  if (!time(sent)) return 'sent is not a time'
  if (!time(booted)) return 'booted is not a time'
  if (rtt !== undefined && rtt !== null && !time(rtt)) return 'rtt is not a duration'
  if (sdk !== undefined && !name(sdk)) return 'sdk is not a string of at most 64 characters'
  const clock = object['clock'] ?? 'monotonic'
  if (clock !== 'monotonic' && clock !== 'wall') return 'clock is neither monotonic nor wall'
  const ctx = object['ctx'] ?? {}
  if (typeof ctx !== 'object' || Array.isArray(ctx)) return 'ctx is not an object'
  const dropped = readDropped(object['dropped'])
  if (dropped === undefined) return 'dropped is not a list of [reason, first, count]'
  return {
    boot,
    seq,
    first,
    count,
    sent,
    booted,
    clock,
    rtt: rtt ?? undefined,
    sdk,
    ctx: ctx as Record<string, unknown>,
    dropped,
  }
}

function whole(value: unknown, most: number): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= most
}

/** A number of milliseconds that can be calculated with. */
function time(value: unknown): value is number {
  return typeof value === 'number' && value >= 0 && value <= 8.64e15
}

function name(value: unknown): value is string {
  return typeof value === 'string' && value.length <= 64 && value.isWellFormed()
}

function readDropped(value: unknown): Header['dropped'] | undefined {
  if (value === undefined || value === null) return []
  if (!Array.isArray(value) || value.length > limits.droppedReportsMax) return undefined
  for (const report of value) {
    if (!Array.isArray(report) || report.length !== 3 || !name(report[0])) return undefined
    if (!whole(report[1], Number.MAX_SAFE_INTEGER)) return undefined
    if (!whole(report[2], Number.MAX_SAFE_INTEGER)) return undefined
  }
  return value as Header['dropped']
}

function eventsOf(object: Readonly<Record<string, unknown>>): number {
  return whole(object['count'], limits.batchEventsMax) ? object['count'] : 0
}

/** The 128 bits of a boot as four 32-bit words. */
export function bootWords(boot: string): Uint32Array {
  const bytes = Buffer.from(boot, 'base64url')
  const words = new Uint32Array(4)
  for (let i = 0; i < 4; i++) words[i] = bytes.readUInt32LE(i * 4)
  return words
}
