/** Processes that outlive the command that starts them: known again by a mark on their command line, so that a process that got an old id is never taken for one. */
import { spawn } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { type Clock, sleep } from '../base/clock.ts'
import type { Files } from '../base/files.ts'
import { limits } from '../base/limits.ts'
import { runCommand } from './command.ts'

export interface ProcessPorts {
  readonly files: Files
  readonly clock: Clock
}

export interface ProcessPlan {
  readonly command: string
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string | undefined>>
  /** Absolute path of the folder it runs in. */
  readonly folder: string
  /** Absolute path of the file for its output, which is replaced. */
  readonly output: string
}

export interface Seen {
  /** Bytes of memory that it occupies. */
  readonly residentBytes: number
}

/** Starts it in a session of its own; undefined where there is no such program. */
export function startProcess(plan: ProcessPlan): number | undefined {
  const output = openSync(plan.output, 'w')
  try {
    const child = spawn(plan.command, plan.args, {
      cwd: plan.folder,
      env: plan.env,
      stdio: ['ignore', output, output],
      detached: true,
    })
    // No process id is what tells of a failure.
    child.once('error', () => {})
    child.unref()
    return child.pid
  } finally {
    closeSync(output)
  }
}

/** What runs under this id, if it carries the mark. */
export async function seen(
  pid: number,
  mark: string,
  { files, clock }: ProcessPorts,
): Promise<Seen | undefined> {
  const linux = (await files.info('/proc/self')) !== undefined
  const found = linux ? await inProc(pid, files) : await byPs(pid, clock)
  // The command line of a process that has ended and was not yet fetched is empty.
  return found?.command.split(/[\0 ]/).includes(mark) === true
    ? { residentBytes: found.residentBytes }
    : undefined
}

interface Found extends Seen {
  readonly command: string
}

async function inProc(pid: number, files: Files): Promise<Found | undefined> {
  try {
    const command = Buffer.from(await files.read(`/proc/${pid}/cmdline`)).toString()
    const status = Buffer.from(await files.read(`/proc/${pid}/status`)).toString()
    const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]
    return { command, residentBytes: Number(kilobytes ?? 0) * 1024 }
  } catch {
    return undefined
  }
}

async function byPs(pid: number, clock: Clock): Promise<Found | undefined> {
  const { code, output } = await runCommand(
    'ps',
    ['-ww', '-o', 'rss=,command=', '-p', String(pid)],
    clock,
  )
  const found = /^\s*(\d+)\s+(.*)$/m.exec(output)
  if (code !== 0 || found === null) return undefined
  return { command: found[2]!, residentBytes: Number(found[1]) * 1024 }
}

/** Lets it end in order, or ends it after a while; false when it is still there. */
export async function stopProcess(
  pid: number,
  mark: string,
  ports: ProcessPorts,
): Promise<boolean> {
  for (const [signal, ms] of [
    ['SIGTERM', limits.clusterStopMsMax],
    ['SIGKILL', limits.clusterKillMsMax],
  ] as const) {
    if ((await seen(pid, mark, ports)) === undefined) return true
    send(pid, signal)
    const until = ports.clock.monotonic() + ms
    while (ports.clock.monotonic() < until) {
      await sleep(ports.clock, limits.clusterPollMs)
      if ((await seen(pid, mark, ports)) === undefined) return true
    }
  }
  return false
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch {
    // It ended just now.
  }
}
