/** What a doctor finds, and the words for it. */
import type { HeadwaterError } from '../base/errors.ts'

export interface Finding {
  readonly subject:
    'project' | 'disk' | 'platform' | 'log' | 'flink' | 'lag' | 'freshness' | 'quarantine' | 'lake'
  /** `bad`: events are refused or not landing. `warn`: they will be, or something is not as it was promised. */
  readonly level: 'ok' | 'warn' | 'bad'
  readonly found: string
  readonly remedy?: string
}

/** What cannot be looked at, as its error says it. */
export function broken(
  subject: Finding['subject'],
  { code, detail, entry }: HeadwaterError,
): Finding {
  return {
    subject,
    level: 'bad',
    found: `${code}: ${entry.summary} ${detail}`,
    remedy: entry.remedy,
  }
}

/** A time in words, such as `90 s` or `3 h`. */
export function spell(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000))
  if (seconds < 120) return `${seconds} s`
  return seconds < 7200 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3600)} h`
}
