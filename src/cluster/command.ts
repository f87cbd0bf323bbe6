/** Runs a program to its end and keeps what it says. */
import { spawn } from 'node:child_process'
import type { Clock } from '../base/clock.ts'
import { limits } from '../base/limits.ts'

export interface Ended {
  /** Undefined where the program does not exist or was ended for taking too long. */
  readonly code: number | undefined
  /** The end of what it printed, both streams as they came. */
  readonly output: string
}

export interface CommandOptions {
  readonly env?: Readonly<Record<string, string | undefined>>
  readonly timeoutMs?: number
}

/** Never rejects: a program that cannot be started ended without a code. */
export function runCommand(
  command: string,
  args: readonly string[],
  clock: Clock,
  { env, timeoutMs = limits.commandMsMax }: CommandOptions = {},
): Promise<Ended> {
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      ...(env === undefined ? {} : { env }),
    })
    let output = ''
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (part: string) => {
        output = (output + part).slice(-limits.commandOutputCharsMax)
      })
    }
    const cancel = clock.after(timeoutMs, () => {
      output += `\nended after ${timeoutMs} ms`
      child.kill('SIGKILL')
    })
    child.once('error', (cause) => {
      cancel()
      resolve({ code: undefined, output: cause.message })
    })
    child.once('close', (code) => {
      cancel()
      resolve({ code: code ?? undefined, output })
    })
  })
}
