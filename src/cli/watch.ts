/** Follows a running platform and draws it: a live screen on a terminal, a line now and then elsewhere. */
import type { Clock } from '../base/clock.ts'
import type { Lake } from '../lake/index.ts'
import type { Platform } from '../platform/index.ts'
import { grouped, printable } from './text-table.ts'
import { viewLines, type ViewState } from './view.ts'

/** What a commit tells the watcher. */
export interface CommitSeen {
  readonly rows: ReadonlyMap<string, number>
  readonly freshnessMs: number
}

/** Where it is drawn: what is used of a terminal or a pipe. */
export interface Screen {
  readonly isTTY?: boolean
  readonly columns?: number
  readonly rows?: number
  write(text: string): unknown
}

export interface WatchOptions {
  readonly platform: Pick<Platform, 'url' | 'catalogUrl' | 'counts' | 'ready'> & {
    /** Undefined where another process keeps it. */
    readonly lake: Lake | undefined
  }
  readonly clock: Clock
  readonly out: Screen
  /** The data folder, as the user would name it. */
  readonly data: string
  /** What becomes of the program beside the platform. */
  readonly notice: () => ViewState['notice']
}

const RECENT_COMMITS = 60
const DRAW_MS = 500
const LINE_MS = 5000
const RATE_MS = 5000
/** The size of a terminal that does not say its own. */
const COLUMNS = 80
const ROWS = 24

const HIDE_CURSOR = '\u001b[?25l'
const SHOW_CURSOR = '\u001b[?25h'
const CLEAR = '\u001b[2J'
const HOME = '\u001b[H'
const CLEAR_BELOW = '\u001b[J'

export class Watch {
  readonly #options: WatchOptions
  readonly #started: number
  readonly #freshness: number[] = []
  readonly #history: { at: number; events: number }[] = []
  #added: ReadonlyMap<string, number> = new Map()
  #said: string | undefined
  #stopping = false
  #cancel: () => void = () => {}

  constructor(options: WatchOptions) {
    this.#options = options
    this.#started = options.clock.monotonic()
  }

  committed(report: CommitSeen): void {
    this.#added = report.rows
    this.#freshness.push(report.freshnessMs)
    if (this.#freshness.length > RECENT_COMMITS) this.#freshness.shift()
  }

  start(): void {
    const { out, platform } = this.#options
    if (out.isTTY) out.write(HIDE_CURSOR + CLEAR)
    else {
      const catalog =
        platform.catalogUrl === undefined ? '' : `Iceberg REST catalog ${platform.catalogUrl}\n`
      out.write(`headwater ${platform.url}\n${catalog}${this.#queries().join('\n')}\n`)
    }
    this.#tick()
  }

  /** Says that the end has begun, which may take a while. */
  stopping(): void {
    this.#stopping = true
    if (this.#options.out.isTTY) this.#draw()
  }

  /** Draws once more, gives the terminal back and says what is left behind. */
  stop(): void {
    this.#cancel()
    this.#draw()
    const { platform, out, data } = this.#options
    const { landed, quarantined } = platform.counts
    if (out.isTTY) out.write(SHOW_CURSOR)
    out.write(
      `Stopped. ${grouped(landed)} events landed, ${grouped(quarantined)} are in quarantine; the data stays in ${data}.\n`,
    )
  }

  #tick(): void {
    this.#draw()
    const { out, clock } = this.#options
    this.#cancel = clock.after(out.isTTY ? DRAW_MS : LINE_MS, () => this.#tick())
  }

  #draw(): void {
    const { out } = this.#options
    const state = this.#state()
    if (!out.isTTY) return this.#print(state)
    const lines = viewLines(state, out.columns || COLUMNS, out.rows || ROWS)
    out.write(`${HOME}${CLEAR_BELOW}${lines.join('\n')}\n`)
  }

  /** A line for a log, and one for each piece of news. */
  #print(state: ViewState): void {
    const { out } = this.#options
    const { landed, quarantined, duplicates, freshness, eventsPerSecond, notice, notReady } = state
    const news = [...notReady.map((reason) => `not taking events: ${reason}`), notice?.text].join(
      '; ',
    )
    if (news !== '' && news !== this.#said) out.write(`${printable(news)}\n`)
    this.#said = news
    const fresh =
      freshness === undefined ? '' : `, queryable after ${(freshness.p50 / 1000).toFixed(2)} s`
    out.write(
      `${grouped(eventsPerSecond)} events/s, ${grouped(landed)} landed, ${grouped(quarantined)} quarantined, ` +
        `${grouped(duplicates)} duplicate batches${fresh}\n`,
    )
  }

  #state(): ViewState {
    const { platform, clock, notice } = this.#options
    const { counts, lake, url, catalogUrl } = platform
    const tables = [...(lake?.state.tables.values() ?? [])]
    return {
      url,
      catalogUrl,
      seconds: (clock.monotonic() - this.#started) / 1000,
      eventsPerSecond: this.#rate(counts.landed + counts.quarantined),
      landed: counts.landed,
      quarantined: counts.quarantined,
      batches: counts.batches,
      duplicates: counts.duplicates,
      freshness: quantiles(this.#freshness),
      commits: lake?.state.version ?? 0,
      lakeBytes: tables.reduce((sum, { bytes }) => sum + bytes, 0),
      tables: tables.map(({ name, rows }) => ({ name, rows, added: this.#added.get(name) ?? 0 })),
      reasons: topReasons(platform),
      notReady: platform.ready(),
      notice: notice(),
      stopping: this.#stopping,
      queries: this.#queries(),
    }
  }

  /** Three queries that work on any project, short enough to be pasted from a narrow terminal; one on the table with most rows. */
  #queries(): string[] {
    const tables = this.#options.platform.lake?.state.tables.values() ?? []
    const events = [...tables].filter(({ name }) => !SYSTEM_TABLES.has(name))
    const [most] = events.sort((a, b) => b.rows - a.rows)
    return [
      `npx headwater sql "select type, count(*) from events group by all"`,
      `npx headwater sql "select * from ${most?.name ?? 'batches'} limit 5"`,
      `npx headwater sql "select reason, sum(events) from quarantine group by 1"`,
    ]
  }

  /** Events a second over the last few seconds. */
  #rate(events: number): number {
    const at = this.#options.clock.monotonic()
    this.#history.push({ at, events })
    while (this.#history.length > 2 && at - this.#history[0]!.at > RATE_MS) this.#history.shift()
    const oldest = this.#history[0]!
    return at === oldest.at ? 0 : ((events - oldest.events) / (at - oldest.at)) * 1000
  }
}

const SYSTEM_TABLES: ReadonlySet<string> = new Set(['batches', 'quarantine'])

function quantiles(values: readonly number[]): ViewState['freshness'] {
  if (values.length === 0) return undefined
  const sorted = [...values].sort((a, b) => a - b)
  const at = (share: number): number =>
    sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!
  return { p50: at(0.5), p99: at(0.99) }
}

/** The reasons in quarantine with an example each. */
function topReasons({ counts }: WatchOptions['platform']): ViewState['reasons'] {
  return [...counts.reasons]
    .sort(([, a], [, b]) => b - a)
    .slice(0, 5)
    .map(([code, count]) => {
      const sample = counts.samples.find((reason) => reason.code === code)
      const where = [sample?.type, sample?.field].filter((part) => part !== undefined).join('.')
      return { count, text: `${code}  ${where}${where === '' ? '' : ': '}${sample?.message ?? ''}` }
    })
}
