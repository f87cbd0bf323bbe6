/** Chooses a table's cadence and file size from its rate, its freshness objective and its budget of files, and says why. Pure. */
import { size } from '../base/size.ts'
import { limits } from '../base/limits.ts'
import type { Appended } from '../lake/lake.ts'
import type { TableGoal } from './cadence.ts'

const DAY_SECONDS = 86_400

/** How a table has been growing lately. */
export interface Rate {
  /** What it is reckoned over, s. */
  readonly seconds: number
  readonly rowsPerSecond: number
  readonly bytesPerSecond: number
  readonly filesPerSecond: number
}

export interface TablePlan {
  readonly goal: TableGoal
  readonly rate: Rate
  /** Expected time between two files of the table, s; undefined while it gets no rows. */
  readonly cadenceSeconds: number | undefined
  /** Files a day that are written at that cadence. */
  readonly writtenPerDay: number
  /** Size that files are merged to, bytes: the target of compaction. */
  readonly fileBytes: number
  /** Files of like size that are merged into one while their day goes on: the fan-in of compaction. */
  readonly fanIn: number
  /** Files of today that live at once, at most, when maintenance keeps up. */
  readonly livePerDay: number
}

/** The rate of a table up to `now`, from its commits of the last `windowMs`. */
export function rateOf(history: readonly Appended[], now: number, windowMs: number): Rate {
  const recent = history.filter(({ at }) => at > now - windowMs)
  const oldest = history[0]?.at ?? now
  // A table that is younger than the window, or whose older commits have expired, is reckoned over less.
  const seconds = Math.max(1, Math.min(windowMs, now - oldest) / 1000)
  const per = (pick: 'rows' | 'files' | 'bytes'): number =>
    recent.reduce((sum, appended) => sum + appended[pick], 0) / seconds
  return {
    seconds,
    rowsPerSecond: per('rows'),
    bytesPerSecond: per('bytes'),
    filesPerSecond: per('files'),
  }
}

/** What merging goes by unless a budget wants more of it. */
export interface MergeDefaults {
  /** Size of a finished file, bytes. */
  readonly targetBytes: number
  /** Fan-in, where the configuration names one. */
  readonly fanIn?: number | undefined
}

/**
 * The plan for a table. Every commit writes a file of each table that has rows, so freshness decides how many files are written;
 * the budget decides how they are merged. Half of it is for finished files, which grow beyond the usual size where a day would have
 * more of them. The other half is for files on their way there: each of a few size classes has fewer than the fan-in, and the larger
 * that may be, the less often a row is written again.
 */
export function planFiles(goal: TableGoal, rate: Rate, defaults: MergeDefaults): TablePlan {
  const { filesPerSecond, bytesPerSecond } = rate
  const half = Math.max(1, goal.filesPerDay / 2)
  const bytesPerDay = bytesPerSecond * DAY_SECONDS
  const most = Math.max(defaults.targetBytes, limits.targetBytesMax)
  const fileBytes = Math.round(within(bytesPerDay / half, defaults.targetBytes, most))
  const fanIn =
    defaults.fanIn ?? Math.floor(within(half / SIZE_CLASSES, limits.fanInMin, limits.fanInMax))
  const writtenPerDay = filesPerSecond * DAY_SECONDS
  const merged = Math.ceil(bytesPerDay / (FINISHED * fileBytes)) + SIZE_CLASSES * (fanIn - 1)
  return {
    goal,
    rate,
    cadenceSeconds: filesPerSecond === 0 ? undefined : 1 / filesPerSecond,
    writtenPerDay,
    fileBytes,
    fanIn,
    livePerDay: Math.ceil(Math.min(writtenPerDay, merged)),
  }
}

/** Classes of size that compaction knows, each fan-in times the one below; the smallest are one class. */
const SIZE_CLASSES = 3
/** A file of this share of the size aimed at is finished (lake/maintain/plan.ts). */
export const FINISHED = 0.75

function within(value: number, least: number, most: number): number {
  return Math.min(most, Math.max(least, value))
}

/** What a table has of today. */
export interface Today {
  readonly files: number
  readonly bytes: number
  /** Files that are smaller than the plan's. */
  readonly small: number
}

/** The plan in sentences. `driver`: a table with rows whose objective is stricter, if there is one. */
export function explain(table: string, plan: TablePlan, today: Today, driver?: string): string[] {
  const { goal, rate, cadenceSeconds, writtenPerDay, fileBytes, fanIn, livePerDay } = plan
  const over = `over the last ${duration(rate.seconds)}`
  if (cadenceSeconds === undefined) {
    return [
      `${table} got no rows ${over}, so it costs no files.`,
      `When rows come they are queryable within ${duration(goal.epochMs / 1000)}.`,
      todayText(today, goal),
    ]
  }
  const bytesPerDay = rate.bytesPerSecond * DAY_SECONDS
  const fits = livePerDay <= goal.filesPerDay ? 'within' : 'over'
  return [
    `${table} gets ${rateText(rate.rowsPerSecond)} (${over}).`,
    `Its rows are to be queryable within ${duration(goal.epochMs / 1000)}` +
      (driver === undefined
        ? '.'
        : `; ${driver}, which has rows too, wants it sooner, and a commit writes all tables that have rows.`),
    `So a file of it is written every ${duration(cadenceSeconds)}: ${count(writtenPerDay)} a day.`,
    `A day of ${size(bytesPerDay)} is merged to files of ${size(fileBytes)}.`,
    `Maintenance merges ${fanIn} files of like size while the day goes on, which keeps at most ${count(livePerDay)} files a day, ` +
      `${fits} the budget of ${count(goal.filesPerDay)}.`,
    todayText(today, goal),
  ]
}

function todayText({ files, bytes, small }: Today, { filesPerDay }: TableGoal): string {
  if (files === 0) return 'It has no files of today.'
  const are = files === 1 ? 'file' : 'files'
  const smaller = small === 0 ? 'none' : count(small)
  return `It has ${count(files)} ${are} of today with ${size(bytes)}, of ${count(filesPerDay)} in the budget; ${smaller} of them could be merged.`
}

function rateText(rowsPerSecond: number): string {
  if (rowsPerSecond >= 10) return `${count(rowsPerSecond)} rows a second`
  if (rowsPerSecond * 60 >= 1) return `${number(rowsPerSecond * 60)} rows a minute`
  return `${number(rowsPerSecond * 3600)} rows an hour`
}

function duration(seconds: number): string {
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`
  if (seconds < 120) return `${number(seconds)} s`
  return seconds < 7200 ? `${number(seconds / 60)} min` : `${number(seconds / 3600)} h`
}

function number(value: number): string {
  return value.toLocaleString('en-US', { maximumFractionDigits: value < 10 ? 1 : 0 })
}

function count(value: number): string {
  return value.toLocaleString('en-US', { maximumFractionDigits: 0 })
}
