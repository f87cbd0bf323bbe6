/** What the kernel says of a process: CPU by thread, and memory (proc(5)). */
import { readdirSync, readFileSync } from 'node:fs'

/** CPU microseconds since the start of the process. */
export interface Cpu {
  /** The thread that runs JavaScript. */
  readonly main: number
  /** All other threads: DuckDB, fdatasync, garbage collection, compilation. */
  readonly others: number
}

/** Microseconds of one clock tick of /proc. */
const TICK = 10_000

export function cpuOf(pid: number): Cpu {
  let main = 0
  let others = 0
  for (const task of readdirSync(`/proc/${pid}/task`)) {
    const used = taskCpu(pid, task)
    if (Number(task) === pid) main += used
    else others += used
  }
  return { main, others }
}

/** Nanosecond accounting where the kernel has it, ticks of 10 ms where not. */
function taskCpu(pid: number, task: string): number {
  try {
    const [ns] = readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ')
    if (Number(ns) > 0) return Number(ns) / 1000
    const stat = readFileSync(`/proc/${pid}/task/${task}/stat`, 'utf8')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return (Number(fields[11]) + Number(fields[12])) * TICK
  } catch {
    return 0
  }
}

/** Resident memory, bytes: now, and at its peak. */
export function memoryOf(pid: number): { readonly now: number; readonly peak: number } {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  const bytes = (name: string): number =>
    Number(new RegExp(`${name}:\\s+(\\d+) kB`).exec(status)?.[1] ?? 0) * 1024
  return { now: bytes('VmRSS'), peak: bytes('VmHWM') }
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? NaN
}

/** One value that `weight` events share. */
export interface Weighted {
  readonly value: number
  readonly weight: number
}

/** The smallest value that at least `share` of the events do not exceed; NaN without events. */
export function weightedQuantile(values: readonly Weighted[], share: number): number {
  const sorted = values.toSorted((a, b) => a.value - b.value)
  const total = sorted.reduce((sum, { weight }) => sum + weight, 0)
  let seen = 0
  return sorted.find(({ weight }) => (seen += weight) >= share * total)?.value ?? NaN
}

/** `[ms since 1970, events]`: that many events at that time. */
export type Step = readonly [number, number]

/** How long each event waited, as events leave in the order they came: the k-th that came is the k-th that left.
 *  An event that left before its coming was noticed waited 0 ms. What has not left is left out. */
export function waits(came: readonly Step[], left: readonly Step[]): Weighted[] {
  const found: Weighted[] = []
  let next = 0
  let room = left[0]?.[1] ?? 0
  for (const [time, events] of came) {
    let rest = events
    while (rest > 0 && next < left.length) {
      const weight = Math.min(rest, room)
      if (weight > 0) found.push({ value: Math.max(0, left[next]![0] - time), weight })
      rest -= weight
      room -= weight
      if (room === 0) room = left[++next]?.[1] ?? 0
    }
  }
  return found
}
