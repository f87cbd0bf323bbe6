/** What snapshots say of completeness, as properties of their summaries (PROTOCOL.md §15): written here, and read back. */
import type { LakeState } from '../lake/lake.ts'
import type { Claim, Share } from './completeness.ts'

/** The tables whose claim is that of all event types together. */
const OF_ALL: ReadonlySet<string> = new Set(['batches', 'quarantine'])

/** Summary properties by table, for the tables that a commit appends to. */
export function claimSummaries(
  claim: Claim | undefined,
  tables: Iterable<string>,
): ReadonlyMap<string, Readonly<Record<string, string>>> {
  const summaries = new Map<string, Readonly<Record<string, string>>>()
  if (claim === undefined) return summaries
  for (const table of tables) {
    const share = OF_ALL.has(table) ? claim.all : claim.types.get(table)
    summaries.set(table, {
      'headwater.valid-through-ms': String(claim.validThrough),
      ...(share === undefined ? {} : shareProperties(share)),
    })
  }
  return summaries
}

function shareProperties({ landed, expected, share, least }: Share): Record<string, string> {
  return {
    'headwater.landed': String(landed),
    'headwater.expected': String(expected),
    'headwater.complete-share': shareText(share),
    'headwater.complete-share-min': shareText(least),
  }
}

/** Six digits, rounded down: `1` says that nothing is missing. */
function shareText(share: number): string {
  return String(Math.floor(share * 1e6 + 1e-9) / 1e6)
}

export interface TableClaim {
  /** ms since 1970. */
  readonly validThrough: number
  /** Undefined where no event of the table is in the window. */
  readonly share: number | undefined
  readonly least: number | undefined
  readonly landed: number | undefined
  readonly expected: number | undefined
}

/**
 * What is claimed of a table in a state of the lake; undefined where nothing is. A table without new rows is as complete as the
 * ledger, which every commit changes, says: numbers have no type until they come.
 */
export function claimOf({ tables }: LakeState, name: string): TableClaim | undefined {
  return tableClaim(tables.get(name)?.claims ?? {}, tables.get('batches')?.claims ?? {})
}

/** What the summaries of a table and of the ledger claim of the table; undefined where nothing is. */
export function tableClaim(
  own: Readonly<Record<string, string>>,
  ledger: Readonly<Record<string, string>>,
): TableClaim | undefined {
  const through = [own, ledger].flatMap((claims) => read(claims, 'valid-through-ms') ?? [])
  if (own['headwater.valid-through-ms'] === undefined || through.length === 0) return undefined
  return {
    // The ledger's is the newer one; it may have gone back.
    validThrough: through.at(-1)!,
    share: read(own, 'complete-share'),
    least: read(own, 'complete-share-min'),
    landed: read(own, 'landed'),
    expected: read(own, 'expected'),
  }
}

/** What the summary of one snapshot claims; undefined where it claims nothing. */
export function claimsIn(
  summary: Readonly<Record<string, string>>,
): Pick<TableClaim, 'validThrough' | 'share'> | undefined {
  const validThrough = read(summary, 'valid-through-ms')
  return validThrough === undefined
    ? undefined
    : { validThrough, share: read(summary, 'complete-share') }
}

function read(claims: Readonly<Record<string, string>>, name: string): number | undefined {
  const text = claims[`headwater.${name}`]
  return text === undefined || !Number.isFinite(Number(text)) ? undefined : Number(text)
}
