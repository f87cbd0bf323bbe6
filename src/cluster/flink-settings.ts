/** Settings of Flink that a cluster of headwater runs with, on this machine and in manifests alike. */

/** Exactly once, resumed from the last checkpoint, failures noticed soon. */
export const FLINK_SETTINGS: Readonly<Record<string, string>> = {
  'execution.checkpointing.interval': '5 s',
  'execution.checkpointing.mode': 'EXACTLY_ONCE',
  'execution.checkpointing.min-pause': '1 s',
  'execution.checkpointing.timeout': '5 min',
  'execution.checkpointing.num-retained': '3',
  'execution.checkpointing.externalized-checkpoint-retention': 'RETAIN_ON_CANCELLATION',
  'restart-strategy.type': 'exponential-delay',
  'restart-strategy.exponential-delay.initial-backoff': '1 s',
  'restart-strategy.exponential-delay.max-backoff': '30 s',
  // A TaskManager that was killed refuses connections, which is noticed after two heartbeats; one that is only slow has longer.
  // A lost JobManager is noticed by silence alone, so this is also how long its tasks keep their slots.
  'heartbeat.interval': '1 s',
  'heartbeat.rpc-failure-threshold': '2',
  'heartbeat.timeout': '30 s',
  // A TaskManager that has just begun takes its first tasks slowly; asked again too soon, a job restarts without end.
  'pekko.ask.timeout': '60 s',
  // As long as that by default, which is how long slots of a job whose JobManager was lost would not be given to the job that goes on from it.
  'taskmanager.slot.timeout': '20 s',
  'table.local-time-zone': 'UTC',
}

const EXPORTS = [
  'java.rmi/sun.rmi.registry',
  'java.security.jgss/sun.security.krb5',
  'jdk.compiler/com.sun.tools.javac.api',
  'jdk.compiler/com.sun.tools.javac.file',
  'jdk.compiler/com.sun.tools.javac.parser',
  'jdk.compiler/com.sun.tools.javac.tree',
  'jdk.compiler/com.sun.tools.javac.util',
]

const OPENS = [
  'java.lang',
  'java.lang.reflect',
  'java.io',
  'java.net',
  'java.nio',
  'java.text',
  'java.time',
  'java.util',
  'java.util.concurrent',
  'java.util.concurrent.atomic',
  'java.util.concurrent.locks',
  'sun.nio.ch',
]

/** The packages of Java that Flink looks into, as its own default configuration lists them. */
export const FLINK_OPENS: readonly string[] = [
  ...EXPORTS.map((name) => `--add-exports=${name}=ALL-UNNAMED`),
  ...OPENS.map((name) => `--add-opens=java.base/${name}=ALL-UNNAMED`),
]
