/** Finds a Java that runs Kafka and Flink. */
import path from 'node:path'
import type { Clock } from '../base/clock.ts'
import { error } from '../base/errors.ts'
import { failed, ok, type Result } from '../base/result.ts'
import { runCommand } from './command.ts'

/** Kafka's broker needs 17; Hadoop's file systems, which Iceberg uses, fail from 24 on, where the security manager is gone. */
const OLDEST = 17
const NEWEST = 23

/** The command: that of JAVA_HOME, else the one on the path. Fails with java_missing or java_unsuitable. */
export async function findJava(home: string | undefined, clock: Clock): Promise<Result<string>> {
  const command = home === undefined || home === '' ? 'java' : path.join(home, 'bin', 'java')
  const { code, output } = await runCommand(command, ['-version'], clock)
  if (code !== 0) return failed(error('java_missing', `${command} -version: ${output.trim()}.`))
  const major = majorOf(output)
  if (major === undefined || major < OLDEST || major > NEWEST) {
    const [line = ''] = output.split('\n')
    return failed(
      error('java_unsuitable', `${command} is ${line}; ${OLDEST} to ${NEWEST} are known to do.`),
    )
  }
  return ok(command)
}

/** 17 of `openjdk version "17.0.15" 2025-04-15`, 8 of `java version "1.8.0_412"`. */
export function majorOf(output: string): number | undefined {
  const found = /version "(?:1\.)?(\d+)/.exec(output)?.[1]
  return found === undefined ? undefined : Number(found)
}
