/** The commands of the README, run as they stand by a new user in a fresh copy of the project. */
import { type ChildProcess, spawn } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync } from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { nodeFiles } from '../../src/base/node/files.ts'
import { loadProject } from '../../src/platform/index.ts'
import { repository, temporaryFolder } from '../support/project.ts'
import { shellCommands } from '../support/readme.ts'
import { unwrap } from '../support/platform.ts'

const { folder, remove } = temporaryFolder('readme')
const children: ChildProcess[] = []

/** What `npm install` leaves: the files of the project, its packages, and what its prepare script builds. */
beforeAll(async () => {
  const names = readdirSync(repository).filter((name) =>
    /^(bin|src|examples|template|scripts|[\w.-]+\.(json|config\.ts))$/.test(name),
  )
  for (const name of names) {
    cpSync(path.join(repository, name), path.join(folder, name), { recursive: true })
  }
  const packages = path.join(repository, 'node_modules')
  mkdirSync(path.join(folder, 'node_modules'))
  for (const name of readdirSync(packages).filter((each) => !each.startsWith('.'))) {
    symlinkSync(path.join(packages, name), path.join(folder, 'node_modules', name))
  }
  await run('npm run prepare')
}, 60_000)
afterAll(async () => {
  for (const child of children) {
    if (child.exitCode !== null || child.signalCode !== null) continue
    const ended = new Promise((resolve) => child.once('close', resolve))
    // npm hands nothing on to a group that it does not share.
    process.kill(-child.pid!, 'SIGTERM')
    await ended
  }
  remove()
})

interface Shell {
  readonly child: ChildProcess
  readonly output: () => string
  readonly ended: Promise<number | null>
}

/** A command line in a shell of its own process group, as a terminal makes it. */
function shell(command: string, cwd: string = folder): Shell {
  const bin = path.join(repository, 'node_modules/.bin')
  const env = {
    ...process.env,
    PATH: `${bin}:${process.env['PATH']}`,
    npm_config_cache: path.join(folder, 'cache'),
    npm_config_offline: 'true',
    npm_config_update_notifier: 'false',
  }
  const child = spawn('sh', ['-c', command], { cwd, env, detached: true })
  children.push(child)
  let text = ''
  child.stdout.on('data', (part: Buffer) => (text += part.toString()))
  child.stderr.on('data', (part: Buffer) => (text += part.toString()))
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve))
  return { child, output: () => text, ended }
}

async function run(command: string, cwd?: string): Promise<string> {
  const { output, ended } = shell(command, cwd)
  const code = await ended
  if (code !== 0) throw new Error(`${command} ended with ${code}: ${output()}`)
  return output()
}

async function until(what: string, condition: () => boolean, output: () => string): Promise<void> {
  for (let waited = 0; !condition(); waited++) {
    if (waited > 1500) throw new Error(`waited in vain: ${what}: ${output()}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

const commands = shellCommands(readFileSync(path.join(repository, 'README.md'), 'utf8'))
const landed = /([1-9][\d,]*) landed/
/** With a free port: others may run on this machine. */
const ANY_PORT = '--port 0'

test('the README has the commands that are run here, and no others', () => {
  expect(commands).toEqual([
    // Run by .ci/run, which is compared below.
    'npm install',
    'npm start',
    'npx headwater doctor',
    'npx headwater tables',
    expect.stringMatching(/^npx headwater sql "select type, .*from events.*"$/),
    expect.stringMatching(/^npx headwater sql "select reason, .*from quarantine.*"$/),
    'npx headwater init my-logs',
    'cd my-logs',
    'npm install',
    'npx headwater dev',
    'npx headwater size --rate 5M --bytes 170',
    // These tests, as .ci/run starts them.
    'npm install',
    'npm test',
    'npm run test:cluster',
    // test/bench/smoke.test.ts
    'npm run bench',
  ])
})

test('the build installs and tests as the README says', () => {
  const lines = readFileSync(path.join(repository, '.ci/run'), 'utf8').trimEnd().split('\n')
  expect(lines.slice(-2)).toEqual(['npm install', 'npm test'])
})

describe('the example', () => {
  let platform: Shell

  beforeAll(async () => {
    platform = shell(`npm start -- ${ANY_PORT}`)
    await until('events land', () => landed.test(platform.output()), platform.output)
  }, 60_000)

  test(
    'prints where it is, and three queries that answer while it is written',
    { timeout: 60_000 },
    async () => {
      const text = platform.output()
      expect(text).toMatch(/^headwater http:\/\/127\.0\.0\.1:\d+$/m)
      const queries = text.match(/^npx headwater sql .*$/gm)
      expect(queries).toHaveLength(3)
      for (const query of queries!) expect(await run(query)).toMatch(/\d+ rows?, \d+ ms\n$/)
    },
  )

  test('answers the commands of the README', { timeout: 60_000 }, async () => {
    const asked = commands.filter((command) => /^npx headwater (tables|sql|size)/.test(command))
    const [tables, events, quarantine] = [
      await run(asked[0]!),
      await run(asked[1]!),
      await run(asked[2]!),
    ]
    expect(await run(asked[3]!)).toMatch(/^First to break with these machines: /m)
    expect(await run('npx headwater doctor')).toMatch(/ok +project +\d+ event types/)
    expect(tables).toMatch(/^app_started +[1-9]/m)
    const types = events.match(/^\w+ +[\d,]+$/gm)
    expect(types!.length).toBeGreaterThan(8)
    expect(quarantine).toMatch(/rows?, \d+ ms\n$/)
  })

  test('stops in order', async () => {
    process.kill(-platform.child.pid!, 'SIGINT')
    await platform.ended
    expect(platform.output()).toMatch(/Stopped\. [\d,]+ events landed/)
    const report = JSON.parse(readFileSync(path.join(folder, '.headwater/run.log'), 'utf8')) as {
      landed: number
      quarantined: number
      complete: boolean
    }
    expect(report.complete).toBe(true)
    const rows = await run('npx headwater sql --json "select count(*) as n from events"')
    const held = await run(
      'npx headwater sql --json "select sum(events)::int as n from quarantine"',
    )
    expect([JSON.parse(rows), JSON.parse(held)]).toEqual([
      { n: report.landed },
      { n: report.quarantined },
    ])
  })

  test('has a lockfile that is up to date', async () => {
    expect(unwrap(await loadProject(repository, nodeFiles)).locked).toBe(true)
  })
})

test('a project of one’s own runs by the commands of the README', { timeout: 60_000 }, async () => {
  await run(commands.find((command) => command.includes('init'))!)
  const project = path.join(folder, 'my-logs')
  expect(existsSync(path.join(project, 'package.json'))).toBe(true)
  // What `npm install` does with the dependency on the folder above.
  mkdirSync(path.join(project, 'node_modules/.bin'), { recursive: true })
  symlinkSync(folder, path.join(project, 'node_modules/headwater'))
  symlinkSync('../headwater/bin/headwater.js', path.join(project, 'node_modules/.bin/headwater'))
  const platform = shell(`npx headwater dev ${ANY_PORT}`, project)
  await until('events land', () => landed.test(platform.output()), platform.output)
  const readme = shellCommands(readFileSync(path.join(project, 'README.md'), 'utf8'))
  expect(readme.slice(0, 2)).toEqual(['npm install', 'npx headwater dev'])
  expect(await run(readme[2]!, project)).toContain('/articles/')
  process.kill(-platform.child.pid!, 'SIGINT')
  await platform.ended
  expect(platform.output()).toContain('Stopped.')
})
