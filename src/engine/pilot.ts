/** Looks at a table as the autopilot does: its rate, the plan for it, and what it has of today. */
import { limits } from '../base/limits.ts'
import type { Lake, LakeState } from '../lake/lake.ts'
import {
  explain,
  FINISHED,
  type MergeDefaults,
  planFiles,
  rateOf,
  type TablePlan,
  type Today,
} from './autopilot.ts'
import { type CadenceOptions, goalOf } from './cadence.ts'

export interface TablePilot {
  readonly table: string
  readonly plan: TablePlan
  readonly today: Today
  /** The plan in sentences. */
  readonly why: readonly string[]
}

const DAY_MS = 86_400_000

type Goals = Omit<CadenceOptions, 'writeShare'>

/** The plan for a table of `state`. `now` is ms since 1970. */
export function planOf(
  lake: Pick<Lake, 'history'>,
  state: LakeState,
  table: string,
  choices: { readonly goals: Goals; readonly merging: MergeDefaults },
  now: number,
): TablePlan {
  const rate = rateOf(lake.history(state, table), now, limits.rateWindowMs)
  return planFiles(goalOf(choices.goals, table), rate, choices.merging)
}

/** Every table of the newest state, by name. `now` is ms since 1970. */
export async function pilotTables(
  lake: Lake,
  choices: { readonly goals: Goals; readonly merging: MergeDefaults },
  now: number,
): Promise<TablePilot[]> {
  const { state } = lake
  const names = [...state.tables.keys()].sort()
  const plans = new Map(names.map((name) => [name, planOf(lake, state, name, choices, now)]))
  const pilots: TablePilot[] = []
  for (const [table, plan] of plans) {
    const files = await lake.files(state, table)
    const ofToday = files.filter(({ day }) => day === Math.floor(now / DAY_MS))
    const today = {
      files: ofToday.length,
      bytes: ofToday.reduce((sum, { bytes }) => sum + bytes, 0),
      small: ofToday.filter(({ bytes }) => bytes < plan.fileBytes * FINISHED).length,
    }
    const why = explain(table, plan, today, driverOf(plan, plans))
    pilots.push({ table, plan, today, why })
  }
  return pilots
}

/** The table with rows whose objective is the strictest, if it is stricter than the plan's. The ledger follows the others. */
function driverOf(plan: TablePlan, plans: ReadonlyMap<string, TablePlan>): string | undefined {
  const [strictest] = [...plans]
    .filter(([name, { cadenceSeconds }]) => name !== 'batches' && cadenceSeconds !== undefined)
    .sort(([, a], [, b]) => a.goal.epochMs - b.goal.epochMs)
  if (strictest === undefined || strictest[1].goal.epochMs >= plan.goal.epochMs) return undefined
  return strictest[0]
}
