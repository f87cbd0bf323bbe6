/** Tables for terminals: plain columns, numbers to the right. */
import { styleText } from 'node:util'
import Table from 'cli-table3'

const PLAIN = {
  top: '',
  'top-mid': '',
  'top-left': '',
  'top-right': '',
  bottom: '',
  'bottom-mid': '',
  'bottom-left': '',
  'bottom-right': '',
  left: '',
  'left-mid': '',
  mid: '',
  'mid-mid': '',
  right: '',
  'right-mid': '',
  middle: '  ',
}

/** Lines without borders. `numeric` says which columns are set to the right. */
export function textTable(
  columns: readonly string[],
  rows: readonly (readonly string[])[],
  numeric: readonly boolean[],
): string {
  const table = new Table({
    // Bold on a terminal only: styleText looks at what stdout is.
    head: columns.map((column) => styleText('bold', column)),
    colAligns: numeric.map((right) => (right ? 'right' : 'left')),
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0, compact: true },
    chars: PLAIN,
  })
  for (const row of rows) table.push([...row])
  return table.toString()
}

/** Text of events that can do nothing to a terminal: control characters are written out. */
export function printable(text: string): string {
  return text.replaceAll(CONTROL, (character) => {
    const known = { '\n': String.raw`\n`, '\r': String.raw`\r`, '\t': String.raw`\t` }[character]
    return known ?? String.raw`\x` + character.charCodeAt(0).toString(16).padStart(2, '0')
  })
}

/** What a terminal may take for an instruction (C0, DEL, C1). */
// eslint-disable-next-line no-control-regex
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/g

/** `1234567` as `1,234,567`. */
export function grouped(count: number): string {
  return count.toLocaleString('en-US', { maximumFractionDigits: 0 })
}
