/** Reads what a process costs from /proc, and turns series of measurements into percentiles. Linux only. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'

/** Milliseconds of CPU a process tree has used, by what its threads are. */
export type CpuTimes = Readonly<Record<ThreadKind, number>>

/** `main`: the event loop of each process; `v8`: compiler and garbage collector; `workers`: libuv's pool with what DuckDB does
 *  in it, the threads that DuckDB starts from there included (they inherit the name); `other`: the rest, and threads that ended. */
export type ThreadKind = 'main' | 'v8' | 'workers' | 'other'

const threadKinds: readonly ThreadKind[] = ['main', 'v8', 'workers', 'other']

/** The kernel's clock tick: 100 a second on every Linux that Node runs on (USER_HZ). */
const tickMs = 10

/** CPU time since the start of `pid` and its descendants. */
export function cpuTimes(pid: number): CpuTimes {
  const sum: Record<ThreadKind, number> = { main: 0, v8: 0, workers: 0, other: 0 }
  for (const id of tree(pid)) {
    let ofThreads = 0
    for (const thread of readdirSync(`/proc/${id}/task`)) {
      const ms = threadMs(`/proc/${id}/task/${thread}`)
      ofThreads += ms
      sum[kindOf(`/proc/${id}/task/${thread}`, Number(thread) === id)] += ms
    }
    // A thread that ended is counted by its process alone, in ticks.
    const { ticks } = readStat(`/proc/${id}/stat`)
    sum.other += Math.max(0, ticks * tickMs - ofThreads - tickMs)
  }
  return sum
}

export function cpuBetween(before: CpuTimes, after: CpuTimes): CpuTimes {
  const rest = threadKinds.map((kind) => [kind, Math.max(0, after[kind] - before[kind])] as const)
  return Object.fromEntries(rest) as unknown as CpuTimes
}

export function totalMs(times: CpuTimes): number {
  return threadKinds.reduce((sum, kind) => sum + times[kind], 0)
}

/** `pid` and its descendants, children after parents. */
function tree(pid: number): number[] {
  const children = Map.groupBy(
    readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .flatMap((name) => {
        const parent = parentOf(Number(name))
        return parent === undefined ? [] : [{ id: Number(name), parent }]
      }),
    ({ parent }) => parent,
  )
  const found = new Set([pid])
  for (const id of found) for (const child of children.get(id) ?? []) found.add(child.id)
  return [...found]
}

function parentOf(pid: number): number | undefined {
  try {
    return readStat(`/proc/${pid}/stat`).parent
  } catch {
    // It ended between the listing and the reading.
    return undefined
  }
}

/** proc(5): the second member is the name in parentheses and may hold spaces; utime and stime are the 14th and 15th. */
function readStat(path: string): { readonly parent: number; readonly ticks: number } {
  const text = readFileSync(path, 'utf8')
  const rest = text.slice(text.lastIndexOf(')') + 2).split(' ')
  return { parent: Number(rest[1]), ticks: Number(rest[11]) + Number(rest[12]) }
}

/** schedstat counts nanoseconds, where the kernel keeps it; stat counts ticks of 10 ms. */
function threadMs(folder: string): number {
  try {
    return Number(readFileSync(`${folder}/schedstat`, 'utf8').split(' ')[0]) / 1e6
  } catch {
    try {
      return readStat(`${folder}/stat`).ticks * tickMs
    } catch {
      return 0
    }
  }
}

function kindOf(folder: string, isMain: boolean): ThreadKind {
  if (isMain) return 'main'
  let name = ''
  try {
    name = readFileSync(`${folder}/comm`, 'utf8').trim()
  } catch {
    return 'other'
  }
  if (name === 'V8Worker' || name === 'DelayedTaskSche') return 'v8'
  return name === 'libuv-worker' ? 'workers' : 'other'
}

export interface Memory {
  /** Bytes resident now. */
  readonly resident: number
  /** Most bytes resident since the last `forgetPeak`. */
  readonly peak: number
}

export function memory(pid: number): Memory {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  const bytes = (name: string): number =>
    1024 * Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1] ?? 0)
  return { resident: bytes('VmRSS'), peak: bytes('VmHWM') }
}

/** Begins a new peak (proc(5), clear_refs). */
export function forgetPeak(pid: number): void {
  writeFileSync(`/proc/${pid}/clear_refs`, '5')
}

export interface Percentiles {
  readonly p50: number
  readonly p99: number
  readonly max: number
}

/** One value that `weight` events share. */
export interface Weighted {
  readonly value: number
  readonly weight: number
}

/** Nearest-rank percentiles; undefined without values. */
export function percentiles(values: readonly Weighted[]): Percentiles | undefined {
  const sorted = values.filter(({ weight }) => weight > 0).toSorted((a, b) => a.value - b.value)
  const total = sorted.reduce((sum, { weight }) => sum + weight, 0)
  const last = sorted.at(-1)
  if (last === undefined) return undefined
  const at = (share: number): number => {
    let seen = 0
    return sorted.find(({ weight }) => (seen += weight) >= share * total)?.value ?? last.value
  }
  return { p50: at(0.5), p99: at(0.99), max: last.value }
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  if (sorted.length % 2 === 1) return sorted[middle]!
  return (sorted[middle - 1]! + sorted[middle]!) / 2
}

/** `[time in ms, events]`: that many events at that time. */
export type Step = readonly [number, number]

/** How long each event waited, when events leave in the order they came: pairs the k-th that came with the k-th that left.
 *  Clocks are the wall clock of one machine; what has not left is left out. */
export function waits(came: readonly Step[], left: readonly Step[]): Weighted[] {
  const found: Weighted[] = []
  let next = 0
  let room = left[0]?.[1] ?? 0
  for (const [time, events] of came) {
    let rest = events
    while (rest > 0 && next < left.length) {
      const taken = Math.min(rest, room)
      if (taken > 0) found.push({ value: Math.max(0, left[next]![0] - time), weight: taken })
      rest -= taken
      room -= taken
      if (room === 0) room = left[++next]?.[1] ?? 0
    }
  }
  return found
}
