/** Requests to Flink's REST interfaces, gateway and JobManager: bounded in time and size, each failure with its code. */
import { type Clock, sleep } from '../../base/clock.ts'
import { error } from '../../base/errors.ts'
import { limits } from '../../base/limits.ts'
import { failed, ok, type Result } from '../../base/result.ts'

export interface RestPorts {
  readonly fetch: typeof globalThis.fetch
  readonly clock: Clock
}

/** One of Flink's servers. */
export interface Endpoint {
  /** Without a slash at the end, such as `http://127.0.0.1:8083`. */
  readonly url: string
  /** Headers of every request, such as Authorization of a proxy in front. */
  readonly headers: Readonly<Record<string, string>>
  /** Time for an answer; without it `flinkRequestMsMax`. */
  readonly answerMsMax?: number
}

export type Json = null | boolean | number | string | readonly Json[] | JsonObject
export interface JsonObject {
  readonly [name: string]: Json | undefined
}

/**
 * Sends a request once and answers its JSON object. Fails with `flink_unavailable` where there is no whole answer in time or a proxy
 * answers, `flink_refused` with Flink's own reason.
 */
export async function request(
  ports: RestPorts,
  endpoint: Endpoint,
  method: 'GET' | 'POST' | 'PATCH' | 'DELETE',
  path: string,
  body?: JsonObject,
): Promise<Result<JsonObject>> {
  const what = `${method} ${endpoint.url}${path}`
  const stop = new AbortController()
  const { answerMsMax = limits.flinkRequestMsMax } = endpoint
  const cancel = ports.clock.after(answerMsMax, () => stop.abort())
  try {
    const response = await ports.fetch(`${endpoint.url}${path}`, {
      method,
      headers: { ...endpoint.headers, 'content-type': 'application/json' },
      signal: stop.signal,
      redirect: 'manual',
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    const text = await boundedText(response)
    if (text === undefined) return failed(error('flink_invalid', `${what}: too large an answer.`))
    const answer = parse(text)
    if (response.ok && answer !== undefined) return ok(answer)
    const reason = answer === undefined ? undefined : reasonOf(answer)
    return reason === undefined
      ? failed(error('flink_unavailable', `${what} was answered ${response.status}.`))
      : failed(error('flink_refused', `${what}: ${reason}.`))
  } catch (cause) {
    const why = stop.signal.aborted ? `no answer in ${answerMsMax} ms` : messageOf(cause)
    return failed(error('flink_unavailable', `${what}: ${why}.`, cause))
  } finally {
    cancel()
  }
}

async function boundedText(response: Response): Promise<string | undefined> {
  const parts: Uint8Array[] = []
  let bytes = 0
  for await (const part of (response.body ?? []) as AsyncIterable<Uint8Array>) {
    bytes += part.length
    if (bytes > limits.flinkAnswerBytesMax) return undefined
    parts.push(part)
  }
  return Buffer.concat(parts).toString('utf8')
}

/** The JSON object of an answer; nothing, as Flink answers some changes, is an empty one, and a list is its member `items`. */
function parse(text: string): JsonObject | undefined {
  if (text === '') return {}
  try {
    const value = JSON.parse(text) as Json
    if (Array.isArray(value)) return { items: value as readonly Json[] }
    return isObject(value) ? value : undefined
  } catch {
    return undefined
  }
}

/** fetch says only that it failed; the reason is in the cause. */
function messageOf(cause: unknown): string {
  const inner = cause instanceof Error && cause.cause instanceof Error ? cause.cause : cause
  return inner instanceof Error ? inner.message : String(inner)
}

/** The innermost reason that Flink gives; undefined where the answer has none. */
function reasonOf({ errors }: JsonObject): string | undefined {
  if (!Array.isArray(errors) || errors.length === 0) return undefined
  return rootCause(errors.filter((each) => typeof each === 'string').join('\n'))
}

/** The last cause of a Java stack trace, without the name of its class. */
export function rootCause(trace: string): string {
  const causes = [...trace.matchAll(/Caused by: ([^\n]+)/g)].map(([, cause]) => cause!)
  const line = causes.at(-1) ?? trace.split('\n').find((each) => each !== '') ?? trace
  return line.replace(/^(?:[\w$]+\.)+[\w$]+: /, '').replace(/[.\s]+$/, '')
}

/** The object under a path of names; an empty one where there is none. */
export function member(value: JsonObject, ...path: readonly string[]): JsonObject {
  let each: Json | undefined = value
  for (const name of path) each = isObject(each) ? each[name] : undefined
  return isObject(each) ? each : {}
}

export function listOf(value: Json | undefined): readonly Json[] {
  return Array.isArray(value) ? (value as readonly Json[]) : []
}

export function objectsOf(value: Json | undefined): JsonObject[] {
  return listOf(value).filter(isObject)
}

/** Text as it is; anything else as JSON, and nothing as the empty text. */
export function textOf(value: Json | undefined): string {
  return typeof value === 'string' ? value : value === undefined ? '' : JSON.stringify(value)
}

function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/**
 * Asks until there is an answer: `ask` gives undefined while there is none. Waits longer each time; undefined after `withinMs`.
 */
export async function poll<T>(
  clock: Clock,
  withinMs: number,
  ask: () => Promise<Result<T | undefined>>,
): Promise<Result<T | undefined>> {
  const end = clock.monotonic() + withinMs
  let wait: number = limits.flinkPollMsMin
  for (;;) {
    const answer = await ask()
    if (!answer.ok || answer.value !== undefined) return answer
    if (clock.monotonic() + wait > end) return ok(undefined)
    await sleep(clock, wait)
    wait = Math.min(wait * 1.5, limits.flinkPollMsMax)
  }
}
