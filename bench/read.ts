/** `npm run bench:read`: what it costs to read a day's table, against the same rows written by PyIceberg and by Spark. */
import { parseArgs } from 'node:util'
import { compareReads, type Cost, type ReadReport, type Writer, WRITERS } from './read-compare.ts'

const { values } = parseArgs({
  options: {
    rows: { type: 'string', default: '2000000' },
    times: { type: 'string', default: '5' },
    smoke: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
})

const [rows, times] = values.smoke ? [20_000, 1] : [Number(values.rows), Number(values.times)]
const report = await compareReads(rows, times)
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
  const places = new Set(reads.map(({ reader, query }) => `${reader}|${query}`))
  for (const place of [...places].toSorted()) {
    const of = (writer: Writer): Cost =>
      reads.find((each) => `${each.reader}|${each.query}` === place && each.writer === writer)!
    const costs = writers.map((writer) => of(writer))
    const best = Math.min(...costs.slice(1).map(({ cpu }) => cpu))
    const ratio = (costs[0]!.cpu / best).toFixed(2)
    const shown = costs.map(({ cpu, wall }) => `${cpu.toFixed(0)} ${wall.toFixed(0)} ms`)
    lines.push([...place.split('|'), ...shown, ratio].map(pad).join(''))
  }
  return `${lines.join('\n')}\n`
}

function pad(cell: string, column: number): string {
  return cell.padEnd(column < 2 ? 14 : 22)
}
