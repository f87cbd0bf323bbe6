/** The event types of the benchmark as plain data, from which every competitor makes its own checks and tables. */

export type ValueKind = 'int' | 'long' | 'string' | 'boolean'

export interface BenchType {
  readonly name: string
  /** Share of the events, relative to the other types in use. */
  readonly weight: number
  readonly fields: Readonly<Record<string, ValueKind>>
}

/** True of a whole batch; every table repeats them per row. */
export const contextFields: Readonly<Record<string, ValueKind>> = {
  app: 'string',
  app_version: 'string',
  platform: 'string',
  device: 'string',
  member: 'long',
}

const card: Readonly<Record<string, ValueKind>> = {
  title_id: 'long',
  row: 'int',
  position: 'int',
  list: 'string',
  artwork: 'string',
  visible_ms: 'int',
}

/** What a streaming service logs most: the first eight are the standard load, two more serve the scenario of many types. */
export const eventTypes: readonly BenchType[] = [
  { name: 'impression', weight: 36, fields: card },
  { name: 'presented', weight: 18, fields: card },
  {
    name: 'play_start',
    weight: 5,
    fields: {
      title_id: 'long',
      playback_id: 'string',
      startup_ms: 'int',
      bitrate_kbps: 'int',
      autoplay: 'boolean',
    },
  },
  {
    name: 'play_progress',
    weight: 17,
    fields: {
      playback_id: 'string',
      position_ms: 'long',
      rebuffers: 'int',
      bitrate_kbps: 'int',
    },
  },
  { name: 'navigation', weight: 12, fields: { from: 'string', to: 'string', duration_ms: 'int' } },
  { name: 'search', weight: 5, fields: { query: 'string', results: 'int', latency_ms: 'int' } },
  { name: 'perf_startup', weight: 3, fields: { tti_ms: 'int', cold: 'boolean', memory_mb: 'int' } },
  { name: 'error', weight: 4, fields: { code: 'string', message: 'string', fatal: 'boolean' } },
  { name: 'focus', weight: 4, fields: { screen: 'string', shown_ms: 'int', first: 'boolean' } },
  { name: 'download', weight: 2, fields: { title_id: 'long', size_mb: 'int', wifi: 'boolean' } },
]

export const standardTypes = 8

/** The first `count` declared types: those above, then types that are declared and never logged. */
export function declaredTypes(count: number): readonly BenchType[] {
  const silent = Array.from({ length: Math.max(0, count - eventTypes.length) }, (_, index) => ({
    name: `silent_${String(index).padStart(3, '0')}`,
    weight: 0,
    fields: Object.fromEntries(
      Array.from({ length: 10 }, (__, field) => [`field_${field}`, field % 2 ? 'string' : 'long']),
    ) as Readonly<Record<string, ValueKind>>,
  }))
  return [...eventTypes.slice(0, count), ...silent]
}
