/** `npm run bench:read`: what it costs to read a day's table, against the same rows written by PyIceberg and by Spark. */
import { parseArgs } from 'node:util'
import { compareReads, type Reader, type ReadReport, type Writer, WRITERS } from './read-compare.ts'

const { values } = parseArgs({
  options: {
    rows: { type: 'string', default: '2000000' },
    times: { type: 'string', default: '15' },
    reader: { type: 'string', multiple: true, default: ['DuckDB', 'PyIceberg', 'Spark'] },
    smoke: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
})

const [rows, times] = values.smoke ? [20_000, 1] : [Number(values.rows), Number(values.times)]
const report = await compareReads(rows, times, values.reader as Reader[])
process.stdout.write(values.json ? `${JSON.stringify(report)}\n` : text(report))

function text({ rows: count, written, reads }: ReadReport): string {
  const writers = Object.keys(WRITERS) as Writer[]
  const lines = [`${count} rows`]
  for (const [writer, { files, bytes }] of Object.entries(written)) {
    const perRow = (bytes / count).toFixed(1)
    lines.push(
      `${writer.padEnd(10)} ${files} files, ${(bytes / 1e6).toFixed(1)} MB, ${perRow} bytes a row`,
    )
  }
  const cells = [...writers.map((writer) => `${writer} cpu wall`), 'ours / best of theirs']
  lines.push(['reader', 'query', ...cells].map(pad).join(''))
  for (const { reader, query, costs, ratio } of reads.toSorted(byReader)) {
    const shown = writers.map((writer) => {
      const { cpu, wall } = costs[writer]
      return `${cpu.toFixed(1)} ${wall.toFixed(1)} ms`
    })
    lines.push([reader, query, ...shown, ratio.toFixed(2)].map(pad).join(''))
  }
  return `${lines.join('\n')}\n`
}

function pad(cell: string, column: number): string {
  return cell.padEnd(column < 2 ? 14 : 22)
}

function byReader(a: { readonly reader: Reader }, b: { readonly reader: Reader }): number {
  return a.reader < b.reader ? -1 : a.reader > b.reader ? 1 : 0
}
