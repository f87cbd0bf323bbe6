#!/usr/bin/env node
// Starts the command line: on a Node that is new enough, else on the one that headwater pins, if it is installed.
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { constants } from 'node:os'
import { fileURLToPath } from 'node:url'

const [major, minor] = process.versions.node.split('.').map(Number)
if (major > 22 || (major === 22 && minor >= 22)) {
  const built = new URL('../dist/cli/main.js', import.meta.url)
  const entry = existsSync(built) ? built : new URL('../src/cli/main.ts', import.meta.url)
  await import(entry.href)
} else {
  const pinned = pinnedNode()
  if (pinned === undefined) {
    process.stderr.write(
      `node_too_old: headwater needs Node 22.22 or newer; this is ${process.versions.node}. ` +
        'Install a newer Node, or `npm install --save-dev node@24`.\n',
    )
    process.exit(1)
  }
  const self = fileURLToPath(import.meta.url)
  // By the channel the other one notices when this one is killed; it sends nothing.
  const stdio = ['inherit', 'inherit', 'inherit', 'ipc']
  const child = spawn(pinned, [self, ...process.argv.slice(2)], { stdio })
  // It stops in its own time, and this one after it.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  child.on('exit', (code, signal) => process.exit(code ?? 128 + constants.signals[signal]))
}

/** The binary of the npm package `node`, of the project at hand or of headwater itself. */
function pinnedNode() {
  for (const from of [`${process.cwd()}/package.json`, import.meta.url]) {
    try {
      return createRequire(from).resolve('node/bin/node')
    } catch {
      // Not installed there.
    }
  }
  return undefined
}
