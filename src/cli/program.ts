/** A program that `headwater dev` runs beside the platform: it ends with it, and what it prints goes to a file. */
import { spawn } from 'node:child_process'
import { createWriteStream } from 'node:fs'
import path from 'node:path'
import { sleep, systemClock } from '../base/clock.ts'
import { limits } from '../base/limits.ts'

export interface ProgramOptions {
  /** Absolute path of the script. */
  readonly script: string
  readonly environment: Readonly<Record<string, string>>
  /** Absolute path of the file for its output. */
  readonly output: string
}

export interface Program {
  /** How it ended by itself, in words; undefined while it runs. */
  readonly ended: string | undefined
  /** Lets it end in order, or ends it after a while. */
  stop(): Promise<void>
}

/** Loaded into the program, so that it ends even if this process is killed. */
const FOLLOW = new URL(`./follow${path.extname(import.meta.url)}`, import.meta.url).href

export function startProgram({ script, environment, output }: ProgramOptions): Program {
  const child = spawn(process.execPath, [...process.execArgv, '--import', FOLLOW, script], {
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    // Of its own process group, so that Ctrl-C reaches it in order: it stops first and flushes what it has.
    detached: true,
  })
  const file = createWriteStream(output)
  let bytes = 0
  let tail = ''
  for (const stream of [child.stdout!, child.stderr!]) {
    stream.on('data', (part: Buffer) => {
      tail = (tail + part.toString()).slice(-TAIL_CHARS)
      if (bytes < limits.programOutputBytesMax) file.write(part)
      bytes += part.length
    })
  }
  let ended: string | undefined
  const end = new Promise<void>((resolve) => {
    child.once('close', (code, signal) => {
      ended = `ended with ${signal ?? `code ${code}`}${saidLast(tail)}`
      file.end(resolve)
    })
  })
  return {
    get ended() {
      return ended
    },
    stop: async () => {
      if (ended !== undefined) return
      child.kill('SIGTERM')
      await Promise.race([end, sleep(systemClock, limits.drainMsMax)])
      if (child.exitCode === null) child.kill('SIGKILL')
    },
  }
}

const TAIL_CHARS = 4096

/** The line that says what went wrong, as far as one does. */
function saidLast(text: string): string {
  const lines = text.split('\n').filter((line) => line.trim() !== '')
  const line = lines.find((each) => /^(\w*Error|\S+ \[\w+\]):? /.test(each)) ?? lines.at(-1)
  return line === undefined ? '' : `: ${line.trim()}`
}
