/** What is claimed of how complete the tables of a project are, whichever engine writes them (PROTOCOL.md §15). */
import { claimOf, ledgerClaims, type TableClaim } from '../engine/index.ts'
import type { Lake } from '../lake/index.ts'
import type { FullConfig } from './config.ts'

/** What is claimed of a table now; undefined where nothing is. */
export type ClaimOf = (table: string) => TableClaim | undefined

/** By their snapshots, or in cluster mode, where Flink's say nothing of it, by the ledger. Rejects with HeadwaterError `query_failed`. */
export async function claimsNow(lake: Lake, { cluster, engine }: FullConfig): Promise<ClaimOf> {
  if (cluster === undefined) return (table) => claimOf(lake.state, table)
  const claims = await ledgerClaims(lake, engine.completeness)
  return (table) => claims.get(table)
}
