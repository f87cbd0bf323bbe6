/** What appends brought into a table, whoever wrote it: when each was committed, and between which times its rows lie. */
import { ancestors, currentSchema } from './metadata.ts'
import { liveFile, primitiveTypes } from './manifest.ts'
import type { TableReading } from './reading.ts'

export interface Arrival {
  /** Grows with each commit of the table. */
  readonly sequence: number
  /** When it was committed, ms since 1970. */
  readonly at: number
  /** Earliest and latest value of the column in the rows that came, µs since 1970. */
  readonly from: bigint
  readonly to: bigint
}

/**
 * The latest appends after the commit `after`, oldest first, at most `most` of them. Those whose files say nothing of `column`, a
 * timestamp, are left out. Rejects with HeadwaterError `lake_invalid`, or as storage does.
 */
export async function arrivals(
  reading: TableReading,
  column: string,
  after: number,
  most: number,
): Promise<Arrival[]> {
  const { fields } = currentSchema(reading.metadata)
  const id = fields.find(({ name }) => name === column)?.id
  if (id === undefined) return []
  const types = primitiveTypes(fields)
  const found: Arrival[] = []
  const line = ancestors(reading.metadata, reading.metadata['current-snapshot-id'])
  const appends = line.filter(
    (each) => each['sequence-number'] > after && each.summary['operation'] === 'append',
  )
  for (const snapshot of appends.slice(0, most)) {
    const own = String(snapshot['snapshot-id'])
    let bounds: { from: bigint; to: bigint } | undefined
    for (const manifest of await reading.manifests(snapshot)) {
      if (String(manifest.snapshotId) !== own || manifest.content !== 0) continue
      for (const { status, dataFile } of await reading.entries(manifest)) {
        if (status !== ADDED) continue
        const file = liveFile(dataFile, types, '')
        const { lower, upper } = file.columns.find(({ fieldId }) => fieldId === id) ?? {}
        if (typeof lower !== 'bigint' || typeof upper !== 'bigint') continue
        bounds = {
          from: bounds === undefined || lower < bounds.from ? lower : bounds.from,
          to: bounds === undefined || upper > bounds.to ? upper : bounds.to,
        }
      }
    }
    if (bounds === undefined) continue
    found.push({
      sequence: snapshot['sequence-number'],
      at: snapshot['timestamp-ms'],
      ...bounds,
    })
  }
  return found.toReversed()
}

const ADDED = 1
