/** Answers the calls of the benchmark in a server process: statistics, the profile of its JavaScript thread, and the end. */
import { Session } from 'node:inspector/promises'
import type { ServerCall, ServerStats } from './platform.ts'

export interface Served {
  stats(): Promise<ServerStats>
  stop(): Promise<void>
}

export function answerCalls({ stats, stop }: Served): void {
  const session = new Session()
  session.connect()
  const answers: Readonly<Record<ServerCall, () => Promise<unknown>>> = {
    stats,
    profile: async () => {
      await session.post('Profiler.enable')
      await session.post('Profiler.setSamplingInterval', { interval: 500 })
      await session.post('Profiler.start')
      return {}
    },
    profiled: async () => (await session.post('Profiler.stop')).profile,
    stop: async () => {
      await stop()
      process.exit(0)
    },
  }
  process.on('message', (call: ServerCall) => {
    void answers[call]().then((answer) => process.send!(answer as object))
  })
}
