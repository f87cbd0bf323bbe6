/** Drop reports (PROTOCOL.md §3, `dropped`): exact in their numbers, few, and sorted. */
import * as limits from '../base/client-limits.ts'

/** Why a device drops events. */
export type DropReason = 'not_encodable' | 'queue_full' | 'too_large' | 'rejected' | 'closed'

/** `several` stands for more than one reason, where too many reports would have to be kept. */
export type DropReport = [reason: DropReason | 'several', first: number, count: number]

/** Puts a report in its place; neighbours of one reason become one, and of several reasons where there are too many. */
export function addReport(reports: DropReport[], added: DropReport): void {
  reports.push(added)
  reports.sort((a, b) => a[1] - b[1])
  for (let i = reports.length - 1; i > 0; i--) {
    const a = reports[i - 1]!
    const b = reports[i]!
    if (a[1] + a[2] !== b[1]) continue
    if (a[0] !== b[0]) {
      if (reports.length <= limits.clientDropReportsMax) continue
      a[0] = 'several'
    }
    a[2] += b[2]
    reports.splice(i, 1)
  }
}
