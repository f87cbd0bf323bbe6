/** What `headwater dev` shows: the state of a running platform as lines of text. Pure, so that it can be looked at in tests. */
import { styleText } from 'node:util'
import { grouped, size } from './text-table.ts'

export interface ViewState {
  readonly url: string
  readonly seconds: number
  readonly eventsPerSecond: number
  readonly landed: number
  readonly quarantined: number
  readonly batches: number
  readonly duplicates: number
  /** Age of the oldest row of recent commits when it became queryable, ms. */
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
  readonly queries: readonly string[]
}

/** Lines that fit `width` columns and about `height` lines. */
export function viewLines(state: ViewState, width: number, height: number): string[] {
  const share = state.landed + state.quarantined
  const percent = share === 0 ? '0' : ((state.quarantined / share) * 100).toFixed(2)
  const fresh = state.freshness
  const lines = [
    `${styleText('bold', 'headwater')}  ${styleText('cyan', state.url)}  up ${duration(state.seconds)}`,
    '',
    `  events      ${styleText('bold', `${grouped(state.eventsPerSecond)}/s`)}   ${grouped(state.landed)} landed   ${grouped(state.quarantined)} quarantined (${percent} %)`,
    `  batches     ${grouped(state.batches)} received   ${grouped(state.duplicates)} duplicates caught`,
    `  queryable   ${fresh === undefined ? 'waiting for the first commit' : `${seconds(fresh.p50)} after it was acknowledged at the median, ${seconds(fresh.p99)} at the 99th percentile`}`,
    `  lake        commit ${grouped(state.commits)}   ${size(state.lakeBytes)}`,
    '',
  ]
  for (const reason of state.notReady)
    lines.push(styleText('red', `  not taking events: ${reason}`))
  const tail = [
    '',
    ...reasonLines(state),
    '',
    '  Ask, in another terminal:',
    ...state.queries.map((query) => `    ${styleText('green', query)}`),
    '',
    `  Stop with Ctrl-C. Health ${state.url}/readyz, metrics ${state.url}/metrics`,
  ]
  const room = Math.max(4, height - lines.length - tail.length - 2)
  return [...lines, ...tableLines(state, room), ...tail].map((line) => clip(line, width))
}

function tableLines({ tables }: ViewState, room: number): string[] {
  const shown = [...tables].sort((a, b) => b.rows - a.rows).slice(0, room)
  const wide = Math.max(5, ...shown.map(({ name }) => name.length))
  const lines = shown.map(
    ({ name, rows, added }) =>
      `  ${name.padEnd(wide)}  ${grouped(rows).padStart(12)}  ${styleText('dim', added > 0 ? `+${grouped(added)}` : '')}`,
  )
  const hidden = tables.length - shown.length
  const more = hidden > 0 ? [styleText('dim', `  … and ${hidden} more: npx headwater tables`)] : []
  return [styleText('bold', `  ${'table'.padEnd(wide)}  ${'rows'.padStart(12)}`), ...lines, ...more]
}

function reasonLines({ reasons, quarantined }: ViewState): string[] {
  if (quarantined === 0) return ['  Quarantine is empty.']
  return [
    `  In quarantine, ${grouped(quarantined)} events, first reasons:`,
    ...reasons.map(({ text, count }) => `    ${grouped(count).padStart(8)}  ${text}`),
  ]
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(2)} s`
}

function duration(total: number): string {
  const two = (part: number): string => String(Math.floor(part)).padStart(2, '0')
  return `${two(total / 3600)}:${two((total / 60) % 60)}:${two(total % 60)}`
}

/** Cuts a line to `width` visible columns; escape sequences take none. */
function clip(line: string, width: number): string {
  let visible = 0
  let out = ''
  for (const part of line.split(/(\u001b\[[0-9;]*m)/)) {
    if (part.startsWith('\u001b')) out += part
    else {
      const kept = part.slice(0, Math.max(0, width - visible))
      visible += kept.length
      out += kept
    }
  }
  return out
}
