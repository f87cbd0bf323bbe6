/** What `headwater dev` shows: the state of a running platform as lines of text. Pure, so that it can be looked at in tests. */
import { size } from '../base/size.ts'
import { styleText } from 'node:util'
import { grouped, printable } from './text-table.ts'

export interface ViewState {
  readonly url: string
  /** Where other engines find the tables; undefined where another catalog has them. */
  readonly catalogUrl: string | undefined
  readonly seconds: number
  readonly eventsPerSecond: number
  readonly landed: number
  readonly quarantined: number
  readonly batches: number
  readonly duplicates: number
  /** From the acknowledgement of the oldest event of a commit to its commit, over recent commits, ms. */
  readonly freshness: { readonly p50: number; readonly p99: number } | undefined
  readonly commits: number
  readonly lakeBytes: number
  readonly tables: readonly {
    readonly name: string
    readonly rows: number
    readonly added: number
  }[]
  readonly reasons: readonly { readonly text: string; readonly count: number }[]
  /** Why events are not taken now. */
  readonly notReady: readonly string[]
  /** What becomes of the program beside the platform. */
  readonly notice: { readonly text: string; readonly bad: boolean } | undefined
  readonly stopping: boolean
  readonly queries: readonly string[]
}

const INDENT = '  '
/** Lines of tables and of reasons that are shown in the lowest of terminals. */
const TABLES_MIN = 3
const REASONS_MIN = 2

/**
 * Lines that fill a terminal of `width` columns and `height` rows without scrolling it. What there is no room for is left out
 * from the end: tables with few rows, reasons, the addresses. Queries are longer than a narrow terminal, and wrap, so that they can be pasted.
 */
export function viewLines(state: ViewState, width: number, height: number): string[] {
  const clipped = (lines: readonly string[]): string[] => lines.map((line) => clip(line, width))
  const head = clipped(headLines(state))
  const foot = clipped(['', ...footLines(state)])
  const queries = ['', ...clipped(['  Ask, in another terminal:']), ...queryLines(state)]
  const rowsOf = (lines: readonly string[]): number =>
    lines.reduce((sum, line) => sum + Math.max(1, Math.ceil(visibleLength(line) / width)), 0)
  // The cursor needs a row of its own.
  let room = height - 1 - rowsOf(head)
  const least = TABLES_MIN + REASONS_MIN + 2
  const shownQueries = room - rowsOf(queries) >= least ? queries : []
  room -= rowsOf(shownQueries)
  const shownFoot = room - rowsOf(foot) >= least ? foot : []
  room -= rowsOf(shownFoot)
  const reasons = clipped(reasonLines(state, Math.max(REASONS_MIN, Math.floor(room / 3))))
  const tables = clipped(tableLines(state, Math.max(TABLES_MIN, room - reasons.length - 1)))
  return [...head, ...tables, '', ...reasons, ...shownQueries, ...shownFoot].slice(
    0,
    Math.max(1, height - 1),
  )
}

function headLines(state: ViewState): string[] {
  const share = state.landed + state.quarantined
  const percent = share === 0 ? '0' : ((state.quarantined / share) * 100).toFixed(2)
  const fresh = state.freshness
  const queryable =
    fresh === undefined
      ? 'waiting for the first events'
      : `${styleText('bold', seconds(fresh.p50))} after they are acknowledged (p99 ${seconds(fresh.p99)})`
  const lines = [
    `${styleText('bold', 'headwater')}  ${styleText('cyan', state.url)}  up ${duration(state.seconds)}${state.stopping ? '  stopping: what is on its way still lands' : ''}`,
    '',
    `  events     ${styleText('bold', `${grouped(state.eventsPerSecond)}/s`)}   ${grouped(state.landed)} landed   ${grouped(state.quarantined)} in quarantine (${percent} %)`,
    `  batches    ${grouped(state.batches)} received   ${grouped(state.duplicates)} duplicates caught`,
    `  queryable  ${queryable}`,
    `  lake       commit ${grouped(state.commits)}   ${size(state.lakeBytes)}`,
  ]
  for (const reason of state.notReady) {
    lines.push(styleText('red', `  not taking events: ${printable(reason)}`))
  }
  const { notice } = state
  if (notice !== undefined) {
    lines.push(`  program    ${styleText(notice.bad ? 'red' : 'reset', printable(notice.text))}`)
  } else if (share === 0) {
    lines.push(`  program    none: events are awaited at ${state.url}/v1/events`)
  }
  return [...lines, '']
}

function footLines({ url, catalogUrl }: ViewState): string[] {
  const catalog =
    catalogUrl === undefined ? [] : [`  Iceberg REST catalog for other engines ${catalogUrl}`]
  return [...catalog, `  Health ${url}/readyz   metrics ${url}/metrics   stop with Ctrl-C`]
}

function queryLines({ queries }: ViewState): string[] {
  return queries.map((query) => `${INDENT}${styleText('green', query)}`)
}

/** At most `room` lines, the heading included. */
function tableLines({ tables }: ViewState, room: number): string[] {
  const sorted = [...tables].sort((a, b) => b.rows - a.rows)
  const shown = sorted.slice(0, sorted.length <= room - 1 ? undefined : Math.max(1, room - 2))
  const wide = Math.max(5, ...shown.map(({ name }) => name.length))
  const digits = Math.max(6, ...shown.map(({ rows }) => grouped(rows).length))
  const lines = shown.map(
    ({ name, rows, added }) =>
      `${INDENT}${name.padEnd(wide)}  ${grouped(rows).padStart(digits)}  ${styleText('dim', added > 0 ? `+${grouped(added)}` : '')}`,
  )
  const hidden = tables.length - shown.length
  const more = hidden > 0 ? [styleText('dim', `  … and ${hidden} more: npx headwater tables`)] : []
  const heading = `${INDENT}${'table'.padEnd(wide)}  ${'rows'.padStart(digits)}  last commit`
  return [styleText('bold', heading), ...lines, ...more]
}

/** At most `room` lines, the heading included. */
function reasonLines({ reasons, quarantined }: ViewState, room: number): string[] {
  if (quarantined === 0) return ['  Quarantine is empty.']
  return [
    `  In quarantine, ${grouped(quarantined)} events since the start, first reasons:`,
    ...reasons
      .slice(0, room - 1)
      .map(({ text, count }) => `${INDENT}${grouped(count).padStart(8)}  ${printable(text)}`),
  ]
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(2)} s`
}

function duration(total: number): string {
  const two = (part: number): string => String(Math.floor(part)).padStart(2, '0')
  return `${two(total / 3600)}:${two((total / 60) % 60)}:${two(total % 60)}`
}

const ESCAPE = /(\u001b\[[0-9;]*m)/

function visibleLength(line: string): number {
  return line
    .split(ESCAPE)
    .reduce((sum, part) => sum + (part.startsWith('\u001b') ? 0 : part.length), 0)
}

/** Cuts a line to `width` visible columns; escape sequences take none. */
function clip(line: string, width: number): string {
  let visible = 0
  let out = ''
  for (const part of line.split(ESCAPE)) {
    if (part.startsWith('\u001b')) out += part
    else {
      const kept = part.slice(0, Math.max(0, width - visible))
      visible += kept.length
      out += kept
    }
  }
  return out
}
