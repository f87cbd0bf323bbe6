/** Follows a running platform and draws it: a live screen on a terminal, a line now and then elsewhere. */
import type { Clock } from '../base/clock.ts'
import type { Platform } from '../platform/index.ts'
import { grouped } from './text-table.ts'
import { viewLines, type ViewState } from './view.ts'

/** What a commit tells the watcher. */
export interface CommitSeen {
  readonly rows: ReadonlyMap<string, number>
  readonly freshnessMs: number
}

const RECENT_COMMITS = 60
const DRAW_MS = 500
const LINE_MS = 5000
const RATE_MS = 5000

export class Watch {
  readonly #platform: Platform
  readonly #clock: Clock
  readonly #out: NodeJS.WriteStream
  readonly #queries: readonly string[]
  readonly #started: number
  readonly #freshness: number[] = []
  readonly #history: { at: number; events: number }[] = []
  #added: ReadonlyMap<string, number> = new Map()
  #cancel: () => void = () => {}

  constructor(
    platform: Platform,
    clock: Clock,
    out: NodeJS.WriteStream,
    queries: readonly string[],
  ) {
    this.#platform = platform
    this.#clock = clock
    this.#out = out
    this.#queries = queries
    this.#started = clock.monotonic()
  }

  committed(report: CommitSeen): void {
    this.#added = report.rows
    this.#freshness.push(report.freshnessMs)
    if (this.#freshness.length > RECENT_COMMITS) this.#freshness.shift()
  }

  start(): void {
    if (this.#out.isTTY) this.#out.write('\u001b[?25l\u001b[2J')
    else this.#out.write(`headwater ${this.#platform.url}\n${this.#queries.join('\n')}\n`)
    this.#tick()
  }

  /** Draws once more and gives the terminal back. */
  stop(): void {
    this.#cancel()
    this.#draw()
    if (this.#out.isTTY) this.#out.write('\u001b[?25h')
  }

  #tick(): void {
    this.#draw()
    this.#cancel = this.#clock.after(this.#out.isTTY ? DRAW_MS : LINE_MS, () => this.#tick())
  }

  #draw(): void {
    const state = this.#state()
    if (!this.#out.isTTY) {
      const { landed, quarantined, duplicates, freshness, eventsPerSecond } = state
      const fresh = freshness === undefined ? '-' : `${(freshness.p50 / 1000).toFixed(2)} s`
      this.#out.write(
        `${grouped(eventsPerSecond)} events/s, ${grouped(landed)} landed, ${grouped(quarantined)} quarantined, ` +
          `${grouped(duplicates)} duplicate batches, queryable after ${fresh}\n`,
      )
      return
    }
    const lines = viewLines(state, this.#out.columns, this.#out.rows)
    this.#out.write(`\u001b[H${lines.map((line) => `${line}\u001b[K\n`).join('')}\u001b[J`)
  }

  #state(): ViewState {
    const { counts, lake, url } = this.#platform
    const tables = [...lake.state.tables.values()]
    return {
      url,
      seconds: (this.#clock.monotonic() - this.#started) / 1000,
      eventsPerSecond: this.#rate(counts.landed + counts.quarantined),
      landed: counts.landed,
      quarantined: counts.quarantined,
      batches: counts.batches,
      duplicates: counts.duplicates,
      freshness: quantiles(this.#freshness),
      commits: lake.state.version,
      lakeBytes: tables.reduce((sum, { bytes }) => sum + bytes, 0),
      tables: tables.map(({ name, rows }) => ({ name, rows, added: this.#added.get(name) ?? 0 })),
      reasons: topReasons(this.#platform),
      notReady: this.#platform.ready(),
      queries: this.#queries,
    }
  }

  /** Events a second over the last few seconds. */
  #rate(events: number): number {
    const at = this.#clock.monotonic()
    this.#history.push({ at, events })
    while (this.#history.length > 2 && at - this.#history[0]!.at > RATE_MS) this.#history.shift()
    const oldest = this.#history[0]!
    return at === oldest.at ? 0 : ((events - oldest.events) / (at - oldest.at)) * 1000
  }
}

function quantiles(values: readonly number[]): ViewState['freshness'] {
  if (values.length === 0) return undefined
  const sorted = [...values].sort((a, b) => a - b)
  const at = (share: number): number =>
    sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!
  return { p50: at(0.5), p99: at(0.99) }
}

/** The reasons in quarantine with an example each. */
function topReasons({ counts }: Platform): ViewState['reasons'] {
  return [...counts.reasons]
    .sort(([, a], [, b]) => b - a)
    .slice(0, 5)
    .map(([code, count]) => {
      const sample = counts.samples.find((reason) => reason.code === code)
      const where = [sample?.type, sample?.field].filter((part) => part !== undefined).join('.')
      return { count, text: `${code}  ${where}${where === '' ? '' : ': '}${sample?.message ?? ''}` }
    })
}
