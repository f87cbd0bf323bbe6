/** Ends this process in order when the one that started it over a channel is gone, whatever became of that one. Loaded for its effect. */
import process from 'node:process'

if (process.channel) {
  process.once('disconnect', () => process.kill(process.pid, 'SIGTERM'))
  // The channel alone keeps no process alive.
  process.channel.unref()
}
