/** When an epoch is written: as late as the strictest objective of its tables allows, and no oftener than writing can keep up with. */
import { limits } from '../base/limits.ts'

/** What is wanted of a table. */
export interface TableGoal {
  /** Freshness objective: from arrival to queryable, ms. */
  readonly epochMs: number
  /** Files that a day of the table may have. */
  readonly filesPerDay: number
}

export interface CadenceOptions extends TableGoal {
  /** Share of the time that writing may take, 0 … 1. */
  readonly writeShare: number
  /** What is wanted otherwise, by table. */
  readonly tables: Readonly<
    Record<string, { readonly [K in keyof TableGoal]?: TableGoal[K] | undefined }>
  >
}

/** What is wanted of a table: its own goal where it has one, else the common one. */
export function goalOf(options: Omit<CadenceOptions, 'writeShare'>, table: string): TableGoal {
  const own = Object.hasOwn(options.tables, table) ? options.tables[table] : undefined
  return {
    epochMs: own?.epochMs ?? options.epochMs,
    filesPerDay: own?.filesPerDay ?? options.filesPerDay,
  }
}

/** The strictest freshness objective of `tables`, ms; the common one where there are none. */
export function strictestMs(options: CadenceOptions, tables: Iterable<string>): number {
  let strictest = Infinity
  for (const table of tables) strictest = Math.min(strictest, goalOf(options, table).epochMs)
  return strictest === Infinity ? options.epochMs : strictest
}

/** The epoch that is to be written next. */
export interface Waiting {
  /** Age of its oldest row, ms. */
  readonly ageMs: number
  /** Strictest objective of its tables, ms. */
  readonly objectiveMs: number
  /** Whether it is full, or closed already. */
  readonly pressing: boolean
}

export interface Writing {
  /** How long a write takes, ms. */
  readonly usualMs: number
  /** Time since the last one began, ms. */
  readonly sinceMs: number
}

/** Share of the objective that commits are apart at least: where a machine is so busy that writing takes long, oftener would make it worse. */
const SPACING = 0.8

/** Share of the objective that is aimed at, since one write is not like another. */
const AIM = 0.95

/** Milliseconds until an epoch is to be written; 0: now. */
export function dueInMs(writeShare: number, waiting: Waiting, writing: Writing): number {
  const { ageMs, objectiveMs, pressing } = waiting
  const keepsUp = Math.min(limits.epochMsMax, writing.usualMs / writeShare)
  if (pressing) return Math.max(0, keepsUp - writing.sinceMs)
  const spacing = Math.max(keepsUp, objectiveMs * SPACING)
  return Math.max(0, objectiveMs * AIM - writing.usualMs - ageMs, spacing - writing.sinceMs)
}
