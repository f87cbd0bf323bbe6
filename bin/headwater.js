#!/usr/bin/env node
// Starts the command line: on a Node that is new enough, else on the one that headwater pins, if it is installed.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
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
  const { status } = spawnSync(pinned, [self, ...process.argv.slice(2)], { stdio: 'inherit' })
  process.exit(status ?? 1)
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
