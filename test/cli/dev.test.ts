/** `dev`, `run` and `init` as processes: what goes wrong is said in words, and nothing is left behind. */
import { type ChildProcess, spawn } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import net, { type AddressInfo } from 'node:net'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createClient } from '../../src/client/node.ts'
import {
  headwater,
  repository,
  type Running,
  sql,
  startHeadwater,
  temporaryFolder,
} from '../support/project.ts'

const TICK = `defineEvent('tick', { doc: 'A tick.', fields: { i: int(), note: string().optional() } })`
const SPECS = `import { boolean, defineEvent, int, string } from 'headwater/spec'\nexport const tick = ${TICK}\n`

let folder: string
let remove: () => void
const children: ChildProcess[] = []

beforeEach(() => {
  ;({ folder, remove } = temporaryFolder('dev'))
  write('package.json', '{"type":"module"}')
  write('headwater.config.ts', 'export default { http: { port: 0 }, engine: { epochMs: 50 } }\n')
  write('specs.ts', SPECS)
  link(folder)
})
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
  remove()
})

function write(name: string, text: string): void {
  writeFileSync(path.join(folder, name), text)
}

/** Makes headwater a dependency, as npm would. */
function link(target: string): void {
  mkdirSync(path.join(target, 'node_modules'))
  symlinkSync(repository, path.join(target, 'node_modules/headwater'))
}

const dev = (...args: string[]): ReturnType<typeof headwater> =>
  headwater(folder, ['dev', '--port', '0', ...args])

async function startDev(...args: string[]): Promise<Running> {
  const running = await startHeadwater(folder, 0, args)
  children.push(running.process)
  return running
}

/** Waits for what another process does; that it never comes is a failure. */
async function until(what: string, condition: () => boolean): Promise<void> {
  for (let waited = 0; !condition(); waited++) {
    if (waited > 1000) throw new Error(`waited in vain: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

/** A program that says who it is, and logs until it is stopped. */
const PROGRAM = `
import { writeFileSync } from 'node:fs'
import { createClient } from 'headwater/client/node'
const client = createClient({ url: process.env.HEADWATER_URL, key: process.env.HEADWATER_KEY })
let i = 0
const timer = setInterval(() => client.log('tick', { i: i++ }), 5)
console.log('counting')
writeFileSync('program.pid', String(process.pid))
process.once('SIGTERM', async () => {
  clearInterval(timer)
  await client.close()
  writeFileSync('program.end', JSON.stringify(client.stats))
})
`

describe('what is wrong with a project is said by file and line', () => {
  test.each<[string, () => void, string, RegExp]>([
    [
      'specifications that fail',
      () => write('specs.ts', SPECS.replace('int()', 'itn()')),
      'spec_invalid',
      /specs\.ts:2 cannot be loaded: itn is not defined/,
    ],
    [
      'specifications that are no TypeScript',
      () => write('specs.ts', `${SPECS}\nexport const = {`),
      'spec_invalid',
      /specs\.ts:4 cannot be loaded/,
    ],
    [
      'a method that is none',
      () => write('specs.ts', SPECS.replace('string()', 'string().min(1)')),
      'spec_invalid',
      /specs\.ts:2 .*min is not a function/,
    ],
    [
      'a field with a bad name',
      () => write('specs.ts', SPECS.replace('note:', "'Bad Name':")),
      'spec_invalid',
      /tick.*Bad Name/,
    ],
    [
      'no specifications',
      () => write('headwater.config.ts', "export default { specs: './nothing.ts' }"),
      'spec_invalid',
      /There is no .*nothing\.ts/,
    ],
    [
      'a package that is not installed',
      () => write('specs.ts', SPECS.replace('headwater/spec', 'no-such-package')),
      'package_missing',
      /no-such-package.*npm install/s,
    ],
    [
      'an option that is none',
      () => write('headwater.config.ts', 'export default { dta: 1 }'),
      'config_invalid',
      /dta/,
    ],
    [
      'options of another type',
      () =>
        write(
          'headwater.config.ts',
          "export default { http: { port: 'x' }, keys: { a: 'short' } }",
        ),
      'config_invalid',
      /keys\.a.*http\.port/s,
    ],
    [
      'a configuration that is no TypeScript',
      () => write('headwater.config.ts', 'export default {'),
      'config_invalid',
      /headwater\.config\.ts/,
    ],
    [
      'a configuration that is not exported',
      () => write('headwater.config.ts', 'export const config = {}'),
      'config_invalid',
      /exports no default/,
    ],
    [
      'a lockfile that is none',
      () => write('specs.lock.json', '{'),
      'lock_invalid',
      /version control/,
    ],
    [
      'a data folder that cannot be made',
      () =>
        write(
          'headwater.config.ts',
          "export default { http: { port: 0 }, data: './package.json/data' }",
        ),
      'disk_failed',
      /package\.json\/data/,
    ],
    [
      'an address of another machine',
      () => write('headwater.config.ts', "export default { http: { port: 0, host: '192.0.2.1' } }"),
      'listen_failed',
      /192\.0\.2\.1.*http\.host/s,
    ],
    [
      'a program that is not there',
      () =>
        write(
          'headwater.config.ts',
          "export default { http: { port: 0 }, dev: { run: './nothing.ts' } }",
        ),
      'program_missing',
      /nothing\.ts/,
    ],
  ])('%s', async (_name, spoil, code, message) => {
    spoil()
    const { code: exit, stdout, stderr } = await headwater(folder, ['dev'])
    expect([exit, stdout]).toEqual([1, ''])
    expect(stderr).toMatch(new RegExp(`^${code}: `))
    expect(stderr).toMatch(message)
    expect(stderr).not.toMatch(/^\s+at /m)
  })

  test.each([['abc'], ['-1'], ['65536'], ['1.5'], ['']])(
    'a port %j is wrong usage',
    async (port) => {
      const { code, stderr } = await headwater(folder, ['dev', '--port', port])
      expect(code).toBe(2)
      expect(stderr).toMatch(/port/i)
    },
  )
})

describe('the lockfile', () => {
  const locked = (): string => readFileSync(path.join(folder, 'specs.lock.json'), 'utf8')

  test('is written by dev, extended by what may change, and kept from what may not', async () => {
    const running = await startDev()
    expect(await running.kill('SIGTERM')).toBe(0)
    const first = locked()
    expect(first).toContain('tick')

    write('specs.ts', SPECS.replace('note:', 'more: boolean().optional(), note:'))
    const production = await headwater(folder, ['run'])
    expect([production.code, production.stderr]).toEqual([
      1,
      expect.stringMatching(/^lock_outdated: .*headwater dev/s),
    ])
    expect(await (await startDev()).kill('SIGTERM')).toBe(0)
    const second = locked()
    expect(second).toContain('more')

    write('specs.ts', SPECS.replace('i: int()', 'i: string()'))
    for (const command of ['dev', 'run']) {
      const { code, stderr } = await headwater(folder, [command])
      expect([code, stderr]).toEqual([1, expect.stringMatching(/^spec_incompatible: .*tick\.i/s)])
    }
    expect(locked()).toBe(second)
  })
})

describe('one platform at a time', () => {
  test('a port that is taken, a second start: who has it, and what to do', async () => {
    const running = await startDev()
    const again = await dev()
    expect([again.code, again.stderr]).toEqual([
      1,
      expect.stringMatching(/^lake_locked: .*process \d+/s),
    ])
    expect(await running.kill('SIGTERM')).toBe(0)

    const taken = net.createServer()
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve))
    const { port } = taken.address() as AddressInfo
    const other = await headwater(folder, ['dev', '--port', String(port)])
    taken.close()
    expect([other.code, other.stderr]).toEqual([
      1,
      expect.stringMatching(new RegExp(`^port_in_use: .*${port}`, 's')),
    ])
    // What refused to start keeps nothing locked.
    expect(await (await startDev()).kill('SIGINT')).toBe(0)
  })
})

describe('the program beside it', () => {
  const pid = (): number => Number(readFileSync(path.join(folder, 'program.pid'), 'utf8'))
  const started = (): Promise<void> =>
    until('the program starts', () => existsSync(path.join(folder, 'program.pid')))

  test('stops before the platform, so that all it logged lands; Ctrl-C that comes twice is one', async () => {
    write('program.js', PROGRAM)
    const keys = "keys: { app: 'a-long-random-key' }"
    write(
      'headwater.config.ts',
      `export default { http: { port: 0 }, ${keys}, dev: { run: './program.js' } }`,
    )
    const running = await startDev()
    await started()
    await until('the program logs', () => running.output().includes('program.js is logging'))
    running.process.kill('SIGINT')
    running.process.kill('SIGINT')
    expect(await running.kill('SIGINT')).toBe(0)
    const stats = JSON.parse(readFileSync(path.join(folder, 'program.end'), 'utf8')) as {
      numbered: number
      queued: number
    }
    expect(stats.queued).toBe(0)
    const [row] = await sql(folder, 'select count(*) as n from tick')
    expect(row).toEqual({ n: stats.numbered })
    expect(running.output()).toMatch(
      /Stopped\. [\d,]+ events landed, 0 are in quarantine; the data stays in .*\.headwater\./,
    )
    expect(readFileSync(path.join(folder, '.headwater/run.log'), 'utf8')).toBe('counting\n')
  })

  test('ends when the platform is killed', async () => {
    write('program.js', PROGRAM)
    const running = await startDev('--run', path.join(folder, 'program.js'))
    await started()
    await running.kill('SIGKILL')
    await until('the program ends', () => !isAlive(pid()))
    expect(existsSync(path.join(folder, 'program.end'))).toBe(true)
  })

  test('that fails is news, and the platform goes on', async () => {
    write('program.js', "console.log('begin')\nthrow new TypeError('no such thing')\n")
    const running = await startDev('--run', path.join(folder, 'program.js'))
    await until('the news', () =>
      running.output().includes('ended with code 1: TypeError: no such thing'),
    )
    expect((await fetch(`${running.url}/readyz`)).status).toBe(200)
    expect(await running.kill('SIGTERM')).toBe(0)
  })

  test('is none where none is wanted', async () => {
    write(
      'headwater.config.ts',
      "export default { http: { port: 0 }, dev: { run: './nothing.ts' } }",
    )
    const running = await startDev('--no-run')
    expect(await running.kill('SIGTERM')).toBe(0)
    expect(running.output()).not.toContain('nothing.ts')
  })
})

test('run says what happens as JSON lines, from ready to closed', { timeout: 60_000 }, async () => {
  expect(await (await startDev()).kill('SIGTERM')).toBe(0)
  const main = path.join(repository, 'src/cli/main.ts')
  const child = spawn(process.execPath, ['--conditions=headwater-source', main, 'run'], {
    cwd: folder,
  })
  children.push(child)
  let text = ''
  child.stdout.on('data', (part: Buffer) => (text += part.toString()))
  await until('it is ready', () => text.includes('"ready"'))
  const events = (): Record<string, unknown>[] =>
    text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>)
  const client = createClient({
    url: events().find(({ event }) => event === 'ready')!['url'] as string,
  })
  client.log('tick' as never, { i: 1 } as never)
  expect(await client.flush()).toBe(true)
  child.kill('SIGTERM')
  const code = await new Promise((resolve) => child.once('close', resolve))
  expect(code).toBe(0)
  const named = events().map(({ event }) => event)
  expect(named).toEqual(expect.arrayContaining(['ready', 'draining', 'closed']))
  expect(named.at(-1)).toBe('closed')
  expect(await sql(folder, 'select count(*) as n from tick')).toEqual([{ n: 1 }])
})

describe('init', () => {
  test('makes a project that types, runs and logs', { timeout: 60_000 }, async () => {
    const made = await headwater(folder, ['init', 'my-logs'])
    expect([made.code, made.stderr]).toEqual([0, ''])
    expect(made.stdout).toMatch(/cd my-logs\n.*npm install\n.*npx headwater dev\n/s)
    const project = path.join(folder, 'my-logs')
    expect(readdirSync(project).toSorted()).toEqual([
      '.gitignore',
      'README.md',
      'headwater.config.ts',
      'log.ts',
      'package.json',
      'specs.ts',
      'tsconfig.json',
    ])
    const manifest = JSON.parse(readFileSync(path.join(project, 'package.json'), 'utf8')) as {
      name: string
      dependencies: { headwater: string }
    }
    expect(manifest.name).toBe('my-logs')
    const { headwater: from } = manifest.dependencies
    expect(path.resolve(project, from.replace(/^file:/, ''))).toBe(path.resolve(repository))
    const readme = readFileSync(path.join(project, 'README.md'), 'utf8')
    expect(readme).toMatch(/^# my-logs\n/)
    expect(readme.trimEnd().split('\n').length).toBeLessThanOrEqual(12)
    link(project)
    const running = await startHeadwater(project)
    children.push(running.process)
    await until('events land', () => /[1-9]\d* landed/.test(running.output()))
    expect(await running.kill('SIGTERM')).toBe(0)
    const [row] = await sql(
      project,
      'select count(*) as n, count(distinct path) as paths from page_viewed',
    )
    expect(row!['n']).toBeGreaterThan(5)
    expect(row!['paths']).toBe(7)
    expect(existsSync(path.join(project, 'specs.lock.json'))).toBe(true)
  })

  test('writes over nothing', async () => {
    const { code, stderr } = await headwater(folder, ['init', '.'])
    expect([code, stderr]).toEqual([1, expect.stringMatching(/^folder_not_empty: /)])
    expect(readFileSync(path.join(folder, 'specs.ts'), 'utf8')).toBe(SPECS)
  })
})
