/** The answers of the collector, as JSON text (PROTOCOL.md §8, §9). */
import { ERRORS, type HeadwaterError } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import type { IntakeAnswer } from './intake.ts'
import type { Outcome } from './land.ts'

export function batchesAnswer(
  outcomes: readonly Outcome[],
  server: number,
  development: boolean,
): IntakeAnswer {
  const batches = outcomes.map((outcome) => batchAnswer(outcome, development))
  return { status: 200, body: `{"server":${server},"batches":[${batches.join(',')}]}` }
}

function batchAnswer(outcome: Outcome, development: boolean): string {
  const { boot, seq, status, events, quarantined, reasons, unknown } = outcome
  // A boot is base64url, so that it needs no escaping.
  let text = `{"boot":"${boot}","seq":${seq},"status":"${status}","events":${events},"quarantined":${quarantined}`
  if (reasons.length > 0) {
    const most = development ? limits.reasonsInAnswerDevelopmentMax : limits.reasonsInAnswerMax
    text += `,"reasons":${JSON.stringify(reasons.slice(0, most))}`
  }
  if (unknown.length > 0) {
    text += `,"unknown":${JSON.stringify(unknown.slice(0, limits.reasonsInAnswerMax))}`
  }
  return `${text}}`
}

export function errorAnswer(failure: HeadwaterError, retryAfterSeconds?: number): IntakeAnswer {
  const { code, detail, entry } = failure
  const body = JSON.stringify({
    error: { code, message: `${entry.summary} ${detail}`, remedy: entry.remedy },
  })
  return retryAfterSeconds === undefined
    ? { status: entry.status, body }
    : { status: entry.status, body, retryAfterSeconds }
}

/** The answer to a body that was not taken; with Retry-After where sending again will help. */
export function refusal(failure: HeadwaterError): IntakeAnswer {
  const { retry } = ERRORS[failure.code]
  return errorAnswer(failure, retry === 'later' ? limits.retryAfterSeconds : undefined)
}
