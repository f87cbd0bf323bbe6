/** Makes the load: seeded batches of believable events, as headwater bodies (PROTOCOL.md §2) and as row JSON. */
import { below, seededRandom } from '../src/base/random.ts'
import type { Random } from '../src/base/random.ts'
import { eventTypes } from './types.ts'
import type { BenchType } from './types.ts'

/** Events of a batch, unless a plan says otherwise. */
export const batchEvents = 50
/** Time between the first and the last event of a batch, at most, ms. */
const batchMs = 9000
/** Batches that one start of a client sends in a run. */
const batchesPerBoot = 20
const bootedMs = 1_763_900_000_000

/** `columns`: PROTOCOL.md §3 and §4. `rows`: `{"device":…,"events":[{"type":…,"n":…,"at":…,"session":…,…}]}`. */
export type Form = 'columns' | 'rows'

export interface LoadPlan {
  readonly form: Form
  /** Fixes every value, boots included: two plans with different seeds share no body. */
  readonly seed: number
  readonly bodies: number
  /** How many of the event types are in use. */
  readonly types: number
  /** Events of a batch. */
  readonly batch?: number
}

type Value = string | number | boolean

interface BenchEvent {
  readonly type: BenchType
  /** Monotonic milliseconds of the boot. */
  readonly at: number
  /** In the order of the type's fields. */
  readonly values: readonly Value[]
}

interface Device {
  readonly boot: string
  readonly session: string
  readonly context: Readonly<Record<string, Value>>
  readonly playback: string
}

interface Batch {
  readonly device: Device
  readonly seq: number
  readonly first: number
  readonly sent: number
  readonly events: readonly BenchEvent[]
}

/** The text of one body after another; the same plan gives the same bodies. Every body is distinct. */
export function* bodies(plan: LoadPlan): Generator<string> {
  const random = seededRandom(plan.seed)
  const types = eventTypes.slice(0, plan.types)
  const deck = types.flatMap((type) => Array.from({ length: type.weight }, () => type))
  const boots = Math.ceil(plan.bodies / batchesPerBoot)
  const devices = Array.from({ length: boots }, () => device(random))
  const encode = plan.form === 'columns' ? columnsBody : rowsBody
  for (let body = 0; body < plan.bodies; body++) {
    // Round robin, so that two batches of a boot are never on the way at once.
    const seq = Math.floor(body / boots)
    yield encode(batch(random, deck, devices[body % boots]!, seq, plan.batch ?? batchEvents))
  }
}

function batch(
  random: Random,
  deck: readonly BenchType[],
  from: Device,
  seq: number,
  size: number,
): Batch {
  const begin = 1000 + seq * 10_000
  const events = Array.from({ length: size }, (_, index) => {
    const type = deck[below(random, deck.length)]!
    const at = begin + Math.floor((index * batchMs) / size) + below(random, 150)
    return { type, at, values: values(random, type, from) }
  })
  return { device: from, seq, first: seq * size, sent: begin + 9500, events }
}

/** One header line and one line of columns per event type that occurs. */
function columnsBody(made: Batch): string {
  const { boot, session, context } = made.device
  const lines = [
    JSON.stringify({
      boot,
      seq: made.seq,
      first: made.first,
      count: made.events.length,
      sent: made.sent,
      booted: bootedMs,
      rtt: 41,
      sdk: 'bench/0.1.0',
      ctx: { install: `i${boot.slice(0, 15)}`, session, ...context },
    }),
  ]
  const byType = Map.groupBy(made.events.entries(), ([, event]) => event.type)
  for (const [type, entries] of byType) {
    const columns = Object.keys(type.fields).map((field, index) => [
      field,
      entries.map(([, event]) => event.values[index]!),
    ])
    lines.push(
      JSON.stringify({
        type: type.name,
        n: entries.map(([n]) => n),
        at: entries.map(([, event]) => event.at),
        cols: Object.fromEntries(columns) as Record<string, Value[]>,
      }),
    )
  }
  return lines.join('\n')
}

/** What is common to the batch once, then one object per event. */
function rowsBody(made: Batch): string {
  const { boot, session, context } = made.device
  const events = made.events.map((event, index) => ({
    type: event.type.name,
    n: made.first + index,
    at: bootedMs + event.at,
    session,
    ...Object.fromEntries(
      Object.keys(event.type.fields).map((field, k) => [field, event.values[k]]),
    ),
  }))
  return JSON.stringify({ ...context, boot, batch: made.seq, sent: bootedMs + made.sent, events })
}

function device(random: Random): Device {
  const model = skewed(random, models.length)
  return {
    boot: token(random, 16),
    session: token(random, 9),
    playback: token(random, 12),
    context: {
      app: 'stream',
      app_version: `${8 + skewed(random, 3)}.${below(random, 12)}.0`,
      platform: ['tv', 'web', 'ios', 'android'][model % 4]!,
      device: models[model]!,
      member: 10_000_000 + below(random, 3_000_000),
    },
  }
}

/** A random token of `bytes` bytes as base64url. */
function token(random: Random, bytes: number): string {
  return Buffer.from(random.bytes(bytes)).toString('base64url')
}

/** Small numbers often, large ones seldom. */
function skewed(random: Random, bound: number): number {
  return Math.floor(bound * random.float() ** 3)
}

function pick(random: Random, from: readonly string[]): string {
  return from[skewed(random, from.length)]!
}

const makers: Readonly<Record<string, (random: Random, from: Device) => Value>> = {
  title_id: (random) => 80_000_000 + skewed(random, 20_000) * 7,
  row: (random) => skewed(random, 40),
  position: (random) => skewed(random, 75),
  list: (random) => pick(random, lists),
  artwork: (random) => `art-${80_000_000 + skewed(random, 20_000) * 7}-${below(random, 12)}`,
  visible_ms: (random) => below(random, 20_000),
  playback_id: (_random, from) => from.playback,
  startup_ms: (random) => 200 + below(random, 4000),
  bitrate_kbps: (random) => 235 * 2 ** below(random, 7),
  autoplay: (random) => random.float() < 0.3,
  position_ms: (random) => below(random, 7_200_000),
  rebuffers: (random) => skewed(random, 10),
  from: (random) => pick(random, screens),
  to: (random) => pick(random, screens),
  duration_ms: (random) => below(random, 3000),
  query: (random) => Array.from({ length: 2 }, () => pick(random, words)).join(' '),
  results: (random) => below(random, 200),
  latency_ms: (random) => 20 + skewed(random, 900),
  tti_ms: (random) => 400 + below(random, 6000),
  cold: (random) => random.float() < 0.6,
  memory_mb: (random) => 80 + below(random, 900),
  code: (random) => `E${100 + skewed(random, 60)}`,
  message: (random) =>
    `request ${below(random, 1_000_000)} to ${pick(random, screens)} failed after ${below(random, 9000)} ms`,
  fatal: (random) => random.float() < 0.05,
  screen: (random) => pick(random, screens),
  shown_ms: (random) => below(random, 60_000),
  first: (random) => random.float() < 0.2,
  size_mb: (random) => 100 + below(random, 4000),
  wifi: (random) => random.float() < 0.8,
}

function values(random: Random, type: BenchType, from: Device): Value[] {
  return Object.keys(type.fields).map((field) => makers[field]!(random, from))
}

const lists = [
  'continue_watching',
  'trending_now',
  'because_you_watched',
  'new_releases',
  'top_picks',
  'my_list',
  'award_winning',
  'watch_it_again',
  'top_10',
  'comedies',
  'dramas',
  'documentaries',
]
const screens = [
  'home',
  'title_details',
  'player',
  'search',
  'profile_gate',
  'my_list',
  'settings',
  'downloads',
]
const words = [
  'dark',
  'love',
  'space',
  'king',
  'crime',
  'night',
  'island',
  'planet',
  'home',
  'last',
  'summer',
  'queen',
  'money',
  'house',
  'ocean',
  'winter',
  'garden',
  'stranger',
  'détective',
  '東京',
]
const models = Array.from(
  { length: 48 },
  (_, index) => `${['QX', 'Bravia', 'iPhone', 'Pixel'][index % 4]}-${40 + index}`,
)
